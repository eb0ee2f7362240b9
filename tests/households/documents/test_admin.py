"""Admin of documents: the person on every page, the file as a file."""

from __future__ import annotations

import hashlib

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.audit.models import AuditEvent
from accounts.models import StaffAccount
from households.documents.models import Document
from tests.cast import NURSE_PASSWORD, pick, sign_in, sign_in_as_staff
from tests.files import png
from tests.pages import text_of, title_of

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


def test_documents_are_read_only(staff, mias):
    assert staff.get(f"{DOCUMENTS}add/").status_code == 403
    assert staff.post(f"{DOCUMENTS}{mias.pk}/change/", {"note": "mine"}).status_code == 403
    assert staff.post(f"{DOCUMENTS}{mias.pk}/delete/", {"post": "yes"}).status_code == 403
    mias.refresh_from_db()
    assert mias.note == "both sides"


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


def test_documents_are_found_by_person_and_cost_the_same_at_any_length(
    staff, mias, cast, django_assert_num_queries
):
    leos = send("Leo", "2018/09/03", "rivera@example.org", png("scan.png"))
    for typed, found in {
        "mia riv": [mias],
        "2018/09/03": [leos],
        "okafor": [],
        "": [leos, mias],
    }.items():
        answer = staff.post(DOCUMENTS, {"q": typed, "search": "Search"}, follow=True)
        assert list(answer.context_data["cl"].result_list) == found, typed
    with CaptureQueriesContext(connection) as counted:
        staff.get(DOCUMENTS)
    for number in range(48):
        leos.pk = None
        leos._state.adding = True
        leos.public_id = f"00000000-0000-0000-0000-{number:012}"
        leos.sha256 = f"{number:064}"
        leos.save()
    with django_assert_num_queries(len(counted)):
        assert len(staff.get(DOCUMENTS).context_data["cl"].result_list) == 50
