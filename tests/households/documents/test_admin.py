"""Admin of documents: the person on every page, the file as a file."""

from __future__ import annotations

import hashlib
import io
import os
import uuid

import pytest
from django.contrib.auth.models import Permission
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.models import StaffAccount
from households.documents.models import Document, DocumentKind
from households.documents.renditions import page_name
from households.submissions.models import Submission
from tests.cast import NURSE_PASSWORD, pick, sign_in, sign_in_as_staff
from tests.files import jpeg, pdf, png
from tests.pages import fields_of, text_of, title_of

DOCUMENTS = "/admin/documents/document/"


def send(first_name: str, born: str, email: str, file, note: str = "") -> Document:
    family = Client()
    sign_in(family, email)
    key = pick(family, first_name, born)
    family.post(f"/for/{key}/documents/", {"files": file, "note": note})
    return Document.objects.order_by("-pk")[0]


@pytest.fixture
def mias(cast) -> Document:
    return send("Mia", "2016/04/27", "rivera@example.org", png("card.png"), "both sides")


@pytest.fixture
def staff(cast, client) -> Client:
    sign_in_as_staff(client)
    return client


def test_staff_see_the_paper_on_the_right_child(staff, mias):
    text = text_of(staff.get(DOCUMENTS))
    assert "Mia Rivera 2016/04/27 card.png" in text
    answer = staff.get(f"{DOCUMENTS}{mias.pk}/change/")
    assert "Mia Rivera (“Mimi”), 2016/04/27" in title_of(answer)
    for shown in [
        "Mia Rivera",
        "2016/04/27",
        "card.png",
        "both sides",
        "picture (PNG)",
        "Received",
        "rivera@example.org",
        mias.sha256,
        "Download",
    ]:
        assert shown in text_of(answer)
    view = AuditEvent.objects.get(action="staff-view", outcome="ok")
    assert (view.member_id, view.object_type, view.object_id) == (
        mias.member_id,
        "document",
        str(mias.pk),
    )


def test_the_file_comes_whole_as_a_file_and_in_the_audit(staff, mias, cast):
    answer = staff.get(f"{DOCUMENTS}{mias.pk}/download/")
    body = b"".join(answer.streaming_content)
    assert hashlib.sha256(body).hexdigest() == mias.sha256
    assert answer.headers["Content-Disposition"] == 'attachment; filename="card.png"'
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["Cache-Control"] == "no-store"
    entry = AuditEvent.objects.get(action="download")
    assert (entry.staff_id, entry.member_id) == (cast.nurse_staff.pk, cast.mia.pk)


def test_an_odd_name_makes_a_well_formed_header(staff, mias):
    Document.objects.filter(pk=mias.pk).update(name='Ärzte "Brief"; x.png')
    answer = staff.get(f"{DOCUMENTS}{mias.pk}/download/")
    b"".join(answer.streaming_content)
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename*=utf-8''%C3%84rzte%20%22Brief%22%3B%20x.png"
    )


def test_what_a_family_typed_is_shown_as_text(staff, mias):
    Document.objects.filter(pk=mias.pk).update(note="<script>alert(1)</script>{{ 7*7 }}")
    page = staff.get(f"{DOCUMENTS}{mias.pk}/change/").content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7*7 }}" in page


def test_what_was_sent_stays_as_it_was_sent(staff, mias, cast):
    for address in [f"{DOCUMENTS}{mias.pk}/change/", f"{DOCUMENTS}{mias.pk}/delete/"]:
        forged = {"note": "mine", "member": cast.leo.pk, "status": "filed", "post": "yes"}
        assert staff.post(address, forged).status_code == 403
    mias.refresh_from_db()
    assert (mias.note, mias.member_id, mias.status) == ("both sides", cast.mia.pk, "received")


def test_the_permission_to_see_documents_is_asked_for_the_file_too(cast, mias):
    desk = StaffAccount.objects.create_user("desk@example.org", NURSE_PASSWORD)
    browser = Client()
    sign_in_as_staff(browser, "desk@example.org")
    assert browser.get(f"{DOCUMENTS}{mias.pk}/download/").status_code == 403
    assert not AuditEvent.objects.filter(action="download").exists()
    desk.user_permissions.add(Permission.objects.get(codename="view_document"))
    answer = browser.get(f"{DOCUMENTS}{mias.pk}/download/")
    b"".join(answer.streaming_content)
    assert answer.status_code == 200


@pytest.mark.parametrize("missing", ["0", "999999", str(2**64 + 1)])
def test_a_file_that_is_not_there_is_404(staff, missing):
    assert staff.get(f"{DOCUMENTS}{missing}/download/").status_code == 404


def test_documents_are_found_by_person(staff, mias, cast):
    leos = send("Leo", "2018/09/03", "rivera@example.org", png("scan.png"))
    for typed, found in {
        "mia riv": [mias],
        "2018/09/03": [leos],
        "okafor": [],
        "": [leos, mias],
    }.items():
        answer = staff.post(DOCUMENTS, {"q": typed, "search": "Search"}, follow=True)
        assert list(answer.context_data["cl"].result_list) == found, typed


def test_the_list_costs_the_same_at_any_length(staff, mias, cast, django_assert_num_queries):
    mias.kind = DocumentKind.objects.get(name="Lab result")
    copies(mias, 4)
    staff.get(DOCUMENTS)  # the practice's name is remembered
    with CaptureQueriesContext(connection) as counted:
        assert len(staff.get(DOCUMENTS).context_data["cl"].result_list) == 5
    copies(mias, 195)
    with django_assert_num_queries(len(counted)):
        answer = staff.get(DOCUMENTS)
    assert len(answer.context_data["cl"].result_list) == 50
    assert answer.context_data["cl"].result_count == 200
    assert len(counted) <= 12
    assert "<select" not in text_of(answer)
    assert "Leo Rivera" not in answer.content.decode(), "no list of all members to choose from"


def copies(document: Document, count: int) -> None:
    """More rows like this one, each with a submission of its own."""
    for _number in range(count):
        submission = document.submission
        submission.pk, submission.public_id, submission._state.adding = None, uuid.uuid4(), True
        submission.save()
        document.pk, document.public_id, document._state.adding = None, uuid.uuid4(), True
        document.submission, document.sending_id = submission, uuid.uuid4()
        document.save()


# --- filters --------------------------------------------------------------------------


def names_in(answer) -> list[str]:
    return [document.name for document in answer.context_data["cl"].result_list]


def test_what_the_family_took_back_is_listed_only_when_asked_for(staff, mias):
    other = send("Mia", "2016/04/27", "rivera@example.org", png("taken back.png", "red"))
    withdraw(other)
    assert names_in(staff.get(DOCUMENTS)) == ["card.png"]
    assert names_in(staff.get(f"{DOCUMENTS}?status=withdrawn")) == ["taken back.png"]
    assert names_in(staff.get(f"{DOCUMENTS}?status=received")) == ["card.png"]


def test_documents_are_told_apart_by_kind_sender_and_scan(staff, mias, cast):
    kind = DocumentKind.objects.get(name="Insurance card")
    Document.objects.filter(pk=mias.pk).update(kind=kind)
    share(staff, cast.mia, file=pdf("lab.pdf"))
    for question, found in {
        f"kind__id__exact={kind.pk}": ["card.png"],
        "sender__exact=practice": ["lab.pdf"],
        "sender__exact=family": ["card.png"],
        "status=new": ["lab.pdf"],
        "status=opened": [],
        "scan__exact=waiting": [],
    }.items():
        assert names_in(staff.get(f"{DOCUMENTS}?{question}")) == found, question


# --- seen -----------------------------------------------------------------------------


def change_page(document: Document) -> str:
    return f"{DOCUMENTS}{document.pk}/change/"


@pytest.fixture
def front_desk(cast) -> Client:
    """May look at documents and do nothing with them."""
    return staff_with("desk@example.org", "view_document")


def staff_with(email: str, *permissions: str) -> Client:
    account = StaffAccount.objects.create_user(email, NURSE_PASSWORD)
    account.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    assert account.user_permissions.count() == len(permissions)
    browser = Client()
    sign_in_as_staff(browser, email)
    return browser


def family_sees(document: Document, email: str = "rivera@example.org") -> str:
    """The document's page as the family reads it."""
    family = Client()
    sign_in(family, email)
    member = document.member
    key = pick(family, member.first_name, member.date_of_birth.strftime("%Y/%m/%d"))
    return text_of(family.get(f"/for/{key}/documents/{document.public_id}/"))


def test_who_may_only_look_leaves_no_mark(front_desk, mias):
    answer = front_desk.get(change_page(mias))
    assert "card.png" in text_of(answer)
    assert "Filed" not in text_of(answer)
    assert "Return" not in text_of(answer)
    mias.submission.refresh_from_db()
    assert mias.submission.seen_at is None
    assert "Received" in family_sees(mias)


def test_opening_it_is_seeing_it_once(staff, mias, cast):
    assert "Seen" in text_of(staff.get(change_page(mias)))
    mias.submission.refresh_from_db()
    assert (mias.submission.status, mias.submission.handled_by) == ("seen", cast.nurse_staff)
    first = mias.submission.seen_at
    staff.get(change_page(mias))
    mias.submission.refresh_from_db()
    assert mias.submission.seen_at == first
    entry = AuditEvent.objects.get(action="staff-change", outcome="seen")
    assert (entry.member_id, entry.staff_id) == (cast.mia.pk, cast.nurse_staff.pk)
    assert "Seen" in family_sees(mias)


def test_asking_for_the_heads_of_the_page_is_not_seeing_it(staff, mias):
    staff.head(change_page(mias))
    mias.submission.refresh_from_db()
    assert mias.submission.status == "received"


def test_what_waits_for_the_scanner_is_opened_filed_and_seen_by_nobody(staff, mias):
    Document.objects.filter(pk=mias.pk).update(scan="waiting")
    answer = staff.get(change_page(mias))
    assert "waits for the virus scanner. Nobody can open it" in text_of(answer)
    for absent in ["Download", "Filed", "Return"]:
        assert absent not in text_of(answer).replace("Returned", "")
    assert staff.get(f"{DOCUMENTS}{mias.pk}/download/").status_code == 404
    assert staff.get(f"{DOCUMENTS}{mias.pk}/pages/1/").status_code == 404
    assert "nobody can open" in text_of(press(staff, mias, "file"))
    press_all(staff, "mark_seen", mias)
    press_all(staff, "mark_filed", mias)
    mias.submission.refresh_from_db()
    assert mias.submission.status == "received"
    assert not AuditEvent.objects.filter(action="download").exists()


def test_the_list_says_plainly_that_documents_wait(staff, mias):
    assert "virus scanner since" not in text_of(staff.get(DOCUMENTS))
    Document.objects.filter(pk=mias.pk).update(scan="waiting")
    assert "1 document waits for the virus scanner since" in text_of(staff.get(DOCUMENTS))


# --- filed, returned ------------------------------------------------------------------


def press(browser: Client, document: Document, button: str, **fields: str):
    return browser.post(f"{DOCUMENTS}{document.pk}/{button}/", fields, follow=True)


def press_all(browser: Client, action: str, *documents: Document):
    chosen = {"action": action, "_selected_action": [document.pk for document in documents]}
    return browser.post(DOCUMENTS, chosen, follow=True)


def withdraw(document: Document) -> None:
    Submission.objects.filter(pk=document.submission_id).update(
        status="withdrawn", withdrawn_at=timezone.now()
    )
    Document.objects.filter(pk=document.pk).update(file="")


def status_of(document: Document) -> str:
    return Submission.objects.get(pk=document.submission_id).status


BUTTONS = ["file", "return", "unshare"]


@pytest.mark.parametrize("button", BUTTONS)
def test_no_button_works_without_the_permission_to_change(front_desk, mias, button):
    assert press(front_desk, mias, button, words="because").status_code == 403
    assert status_of(mias) == "received"


@pytest.mark.parametrize("action", ["mark_seen", "mark_filed"])
def test_no_bulk_action_works_without_it_either(front_desk, mias, action):
    assert 'name="action"' not in front_desk.get(DOCUMENTS).content.decode()
    press_all(front_desk, action, mias)
    assert status_of(mias) == "received"


@pytest.mark.parametrize("button", BUTTONS)
def test_buttons_are_posts_with_the_token(staff, mias, button):
    assert staff.get(f"{DOCUMENTS}{mias.pk}/{button}/").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = staff.cookies
    assert press(strict, mias, button, words="because").status_code == 403
    assert status_of(mias) == "received"


def test_filed_in_one_click(staff, mias, cast):
    assert "Filed." in text_of(press(staff, mias, "file"))
    submission = Submission.objects.get()
    assert (submission.status, submission.handled_by) == ("filed", cast.nurse_staff)
    assert submission.seen_at is not None
    entry = AuditEvent.objects.get(action="staff-change", outcome="filed")
    assert (entry.member_id, entry.object_type) == (cast.mia.pk, "document")
    assert "Filed" in family_sees(mias)
    assert "that was done before" in text_of(press(staff, mias, "file"))
    assert AuditEvent.objects.filter(action="staff-change", outcome="filed").count() == 1


def test_returned_with_the_reason_that_the_family_reads(staff, mias):
    said = press(staff, mias, "return", quick="blurry", words="The back too, <b>please</b>.")
    assert "Returned." in text_of(said)
    reason = Submission.objects.get().reason
    assert reason.startswith("The photo is blurry.")
    assert reason.endswith("The back too, <b>please</b>.")
    assert reason in text_of(staff.get(change_page(mias)))
    entry = AuditEvent.objects.get(action="staff-change", outcome="returned")
    assert "blurry" not in str(vars(entry))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({}, "Say why"),
        ({"words": "   "}, "Say why"),
        ({"quick": "forged", "words": "Too dark"}, "Select a valid choice"),
        ({"words": "x" * 401}, "at most 400"),
    ],
)
def test_a_return_without_a_usable_reason_keeps_what_was_typed(staff, mias, typed, said):
    answer = press(staff, mias, "return", **typed)
    assert said in text_of(answer)
    assert "Mia Rivera (“Mimi”), 2016/04/27" in text_of(answer)
    assert typed.get("words", "") in answer.content.decode()
    assert status_of(mias) == "received"
    assert title_of(answer).startswith("Error:")


@pytest.mark.parametrize("button", ["file", "return"])
def test_what_the_family_took_back_meanwhile_stays_taken_back(staff, mias, button):
    withdraw(mias)
    answer = press(staff, mias, button, words="because")
    assert "the family took this document back meanwhile" in text_of(answer)
    assert status_of(mias) == "withdrawn"
    page = staff.get(change_page(mias))
    assert "took this document back" in text_of(page)
    assert "Download" not in text_of(page)
    assert staff.get(f"{DOCUMENTS}{mias.pk}/download/").status_code == 404


def test_many_at_once_and_what_was_left_is_counted(staff, mias, cast):
    leos = send("Leo", "2018/09/03", "rivera@example.org", png("scan.png"))
    shared = share(staff, cast.mia)
    text = text_of(press_all(staff, "mark_seen", mias, leos, shared))
    assert "2 documents marked as seen." in text
    assert "1 was left as it is" in text
    assert {status_of(mias), status_of(leos)} == {"seen"}
    text = text_of(press_all(staff, "mark_filed", mias))
    assert "1 document marked as filed." in text
    assert (status_of(mias), status_of(leos)) == ("filed", "seen")
    people = AuditEvent.objects.filter(action="staff-change", outcome="seen")
    assert set(people.values_list("member_id", flat=True)) == {cast.mia.pk, cast.leo.pk}


def test_what_was_returned_is_not_filed_among_many(staff, mias):
    press(staff, mias, "return", quick="blurry")
    assert "1 was left as it is" in text_of(press_all(staff, "mark_filed", mias))
    assert status_of(mias) == "returned"
    press(staff, mias, "file")
    assert status_of(mias) == "filed"


# --- pictures of the pages ------------------------------------------------------------


@pytest.fixture
def pictured(mias) -> Document:
    """As the background worker leaves it: two pages with a picture each."""
    for number in (1, 2):
        picture = ContentFile(jpeg().read())
        assert mias.file.storage.save(page_name(mias, number), picture) == page_name(mias, number)
    Document.objects.filter(pk=mias.pk).update(pictures="ready", pages=2, pages_pictured=2)
    mias.refresh_from_db()
    return mias


def test_the_pages_are_shown_beside_the_person(staff, pictured):
    answer = staff.get(change_page(pictured))
    for number in (1, 2):
        address = f"{DOCUMENTS}{pictured.pk}/pages/{number}/"
        assert f'src="{address}"' in answer.content.decode()
        picture = staff.get(address)
        assert b"".join(picture.streaming_content).startswith(b"\xff\xd8")
        assert picture.headers["Content-Type"] == "image/jpeg"
        assert picture.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert f"Mia Rivera (“Mimi”), 2016/04/27, {pictured.member.age} years old" in text_of(answer)


@pytest.mark.parametrize("number", ["0", "3", "999999", str(2**70)])
def test_a_page_that_is_not_there_is_404(staff, pictured, number):
    assert staff.get(f"{DOCUMENTS}{pictured.pk}/pages/{number}/").status_code == 404


def test_pictures_need_the_permission_too(pictured):
    nobody = staff_with("new@example.org")
    assert nobody.get(f"{DOCUMENTS}{pictured.pk}/pages/1/").status_code == 403


# --- sharing --------------------------------------------------------------------------


def share(browser: Client, member, **typed) -> Document:
    answer = browser.post(f"{DOCUMENTS}share/{member.pk}/", {"file": pdf(), **typed})
    assert answer.status_code == 302, text_of(answer)
    return Document.objects.filter(sender="practice").latest("pk")


def test_a_paper_is_shared_with_one_person_only(staff, cast):
    tools = staff.get(f"/admin/households/member/{cast.mia.pk}/change/").content.decode()
    assert f'href="{DOCUMENTS}share/{cast.mia.pk}/"' in tools
    page = staff.get(f"{DOCUMENTS}share/{cast.mia.pk}/")
    assert "Mia Rivera (“Mimi”), 2016/04/27" in text_of(page)
    kind = DocumentKind.objects.get(name="Lab result")
    typed = {"name": "Lab result of May", "note": "All good.", "kind": kind.pk}
    document = share(staff, cast.mia, **typed)
    assert (document.member, document.shared_by) == (cast.mia, cast.nurse_staff)
    assert (document.name, document.note, document.kind) == (
        "Lab result of May.pdf",
        "All good.",
        kind,
    )
    entry = AuditEvent.objects.get(action="share", outcome="ok")
    assert (entry.member_id, entry.staff_id) == (cast.mia.pk, cast.nurse_staff.pk)
    assert "Lab result of May" in family_sees(document)

    leo = Client()
    sign_in(leo, "rivera@example.org")
    key = pick(leo, "Leo", "2018/09/03")
    assert leo.get(f"/for/{key}/documents/{document.public_id}/").status_code == 404


def test_no_form_chooses_the_person(staff, cast):
    forged = {"member": cast.leo.pk, "member_id": cast.leo.pk, "sender": "family", "file": pdf()}
    staff.post(f"{DOCUMENTS}share/{cast.mia.pk}/", forged)
    document = Document.objects.get()
    assert (document.member, document.sender) == (cast.mia, "practice")


def test_the_button_pressed_twice_shares_once(staff, cast):
    page = staff.get(f"{DOCUMENTS}share/{cast.mia.pk}/")
    fields = fields_of(page, name="Lab", file=None)
    for _press in range(2):
        # Not a PDF: one made a second later has other bytes.
        staff.post(f"{DOCUMENTS}share/{cast.mia.pk}/", {**fields, "file": png()})
    assert Document.objects.count() == 1
    assert AuditEvent.objects.filter(action="share").count() == 1


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (None, "Choose the file to share."),
        (SimpleUploadedFile("lab.pdf", b"<html>hello"), "not really a PDF"),
        (SimpleUploadedFile("lab.exe", b"MZ"), "can be"),
        (SimpleUploadedFile("lab.pdf", b""), "empty"),
    ],
    ids=["none", "no PDF", "program", "empty"],
)
def test_a_refused_file_keeps_what_was_typed(staff, cast, file, said):
    typed = {"name": "Lab of May", "note": "All good.", **({"file": file} if file else {})}
    answer = staff.post(f"{DOCUMENTS}share/{cast.mia.pk}/", typed)
    assert said in text_of(answer)
    assert title_of(answer).startswith("Error:")
    assert "Lab of May" in answer.content.decode()
    assert "All good." in answer.content.decode()
    assert not Document.objects.exists()


def test_a_large_scan_is_shared_too(staff, cast):
    """The portal's limit for forms without files is 2.5 MB."""
    document = share(staff, cast.mia, file=noise())
    assert document.size > 4_000_000


def noise() -> SimpleUploadedFile:
    from PIL import Image

    data = io.BytesIO()
    Image.frombytes("RGB", (1200, 1200), os.urandom(1200 * 1200 * 3)).save(data, "PNG")
    return SimpleUploadedFile("scan.png", data.getvalue(), "image/png")


def test_a_name_with_slashes_stays_whole(staff, cast):
    assert share(staff, cast.mia, name="CBC / iron").name == "CBC - iron.pdf"


def test_sharing_says_when_no_family_can_open_the_chart(staff, cast):
    type(cast.mia).objects.filter(pk=cast.mia.pk).update(portal_access=False)
    page = staff.get(f"{DOCUMENTS}share/{cast.mia.pk}/")
    assert "No family can open this chart in the portal now" in text_of(page)


@pytest.mark.parametrize("missing", ["0", "999999", str(2**64 + 1)])
def test_sharing_with_nobody_is_404(staff, missing):
    assert staff.get(f"{DOCUMENTS}share/{missing}/").status_code == 404


@pytest.mark.parametrize("permission", ["view_document", "change_document"])
def test_sharing_needs_the_permission_to_add(cast, permission):
    desk = staff_with("new@example.org", permission, "view_member")
    assert desk.get(f"{DOCUMENTS}share/{cast.mia.pk}/").status_code == 403
    assert desk.post(f"{DOCUMENTS}share/{cast.mia.pk}/", {"file": pdf()}).status_code == 403
    page = desk.get(f"/admin/households/member/{cast.mia.pk}/change/")
    assert "Share a document" not in text_of(page)
    assert not Document.objects.exists()


def test_the_sites_add_leads_to_the_people(staff):
    answer = staff.get(f"{DOCUMENTS}add/", follow=True)
    assert answer.redirect_chain[-1][0] == "/admin/households/member/"
    assert "press “Share a document”" in text_of(answer)


def test_a_paper_shared_by_mistake_is_taken_back(staff, cast):
    document = share(staff, cast.mia)
    assert "Stop sharing" in text_of(staff.get(change_page(document)))
    assert "No longer shared" in text_of(press(staff, document, "unshare"))
    document.refresh_from_db()
    assert document.unshared_at is not None
    entry = AuditEvent.objects.get(action="share", outcome="ended")
    assert entry.member_id == cast.mia.pk
    assert "is not shared" in text_of(press(staff, document, "unshare"))
    assert "shared this document" in text_of(press(staff, document, "file"))
    assert "No longer shared" in text_of(staff.get(DOCUMENTS))


def test_what_a_family_sent_is_not_the_practices_to_stop_sharing(staff, mias):
    assert "is not shared" in text_of(press(staff, mias, "unshare"))
    mias.refresh_from_db()
    assert mias.unshared_at is None


# --- kinds ----------------------------------------------------------------------------


def test_kinds_are_taken_off_the_list_and_never_deleted(staff, mias, cast):
    kind = DocumentKind.objects.get(name="Insurance card")
    Document.objects.filter(pk=mias.pk).update(kind=kind)
    address = f"/admin/documents/documentkind/{kind.pk}/"
    assert staff.post(f"{address}delete/", {"post": "yes"}).status_code == 403
    fields = fields_of(staff.get(f"{address}change/"), "documentkind_form", is_offered=None)
    assert staff.post(f"{address}change/", fields).status_code == 302
    assert "Insurance card" in text_of(staff.get(change_page(mias)))
    shown = staff.get(f"{DOCUMENTS}share/{cast.mia.pk}/")
    assert "Insurance card" not in text_of(shown)
