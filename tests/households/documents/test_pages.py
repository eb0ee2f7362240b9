"""The family's pages of documents: what stands on them, what each file's own result is, what it costs."""

from __future__ import annotations

import datetime
import re
import uuid
import zoneinfo

import lxml.html
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from accounts.audit.models import AuditEvent
from households.documents.models import Document, DocumentKind, DocumentRequest
from households.models import KeptText, Practice
from households.submissions.models import Submission
from tests.cast import pick, sign_in
from tests.files import heic, jpeg, pdf, png, webp
from tests.households.documents.conftest import open_chart
from tests.pages import fields_of, text_of, title_of


def page_of(answer):
    return lxml.html.fromstring(answer.content.decode())


def listed(answer) -> list[tuple[str, str]]:
    """Status and text of each document of a list."""
    return [
        (row.get("data-status"), " ".join(" ".join(row.itertext()).split()))
        for row in page_of(answer).xpath("//*[@data-document]")
    ]


def send(mia, *files, **typed):
    return mia.post(mia.documents, {"files": list(files), **typed})


def bad(name: str = "bad.pdf") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, b"<html>hello", "application/pdf")


# --- sending --------------------------------------------------------------------------


def test_a_bad_file_keeps_note_kind_and_tick_and_sending_again_doubles_nothing(mia):
    kind = DocumentKind.objects.get(name="Lab result")
    fields = fields_of(mia.get(mia.documents), kind=kind.pk, note="three papers", join="on")
    answer = mia.post(mia.documents, {**fields, "files": [png("fine.png"), bad()]})
    assert answer.status_code == 422
    assert title_of(answer).startswith("Mia – Error:")
    summary = page_of(answer).xpath("//*[@data-error-summary]")[0]
    assert "bad.pdf" in summary.text_content()
    assert "fine.png" not in summary.text_content()
    assert [link.get("href") for link in summary.xpath(".//a")] == ["#id_files"]
    assert page_of(answer).xpath("//*[@id='id_files']")
    [notice] = page_of(answer).xpath("//*[@data-notice]")
    assert "fine.png" in notice.text_content()
    again = fields_of(answer)
    assert (again["note"], again["kind"], again["join"]) == (
        ["three papers"],
        [str(kind.pk)],
        ["on"],
    )
    # The family chooses all of them again, the mended one too.
    answer = mia.post(mia.documents, {**again, "files": [png("fine.png"), jpeg("mended.jpg")]})
    assert answer.status_code == 302
    kept = Document.objects.order_by("pk")
    assert [(one.name, one.kind, one.note) for one in kept] == [
        ("fine.png", kind, "three papers"),
        ("mended.jpg", kind, "three papers"),
    ]


def test_more_than_twenty_files_keep_the_first_twenty(mia):
    files = [png(f"{number}.png", size=(number + 1, 1)) for number in range(22)]
    answer = send(mia, *files, note="many")
    assert answer.status_code == 422
    summary = page_of(answer).xpath("//*[@data-error-summary]")[0].text_content()
    assert summary.count("Only 20 files can be sent in one go") == 2
    assert "20.png" in summary
    assert "21.png" in summary
    assert Document.objects.count() == 20
    assert "many</textarea>" in answer.content.decode()


@pytest.mark.parametrize("make", [pdf, jpeg, png, heic, webp])
def test_every_kind_of_file_says_what_it_is(mia, make):
    assert send(mia, make()).status_code == 302
    page = mia.get(f"{mia.documents}{Document.objects.get().public_id}/")
    assert Document.objects.get().get_content_type_display() in text_of(page)


def test_the_file_box_lets_a_phone_choose(mia):
    box = page_of(mia.get(mia.documents)).xpath("//*[@name='files']")[0]
    assert box.get("multiple") is not None
    assert {".heic", ".webp", ".pdf", "image/*"} <= set(box.get("accept").split(","))
    assert box.get("capture") is None
    hint = page_of(mia.get(mia.documents)).xpath("//*[@id='id_files_helptext']")[0].text_content()
    for shown in ("PDF", "JPEG", "PNG", "HEIC", "WebP", "25 MB", "20 files"):
        assert shown in hint


def test_what_it_is_is_chosen_from_the_practices_list(mia):
    DocumentKind.objects.filter(name="Referral").update(is_offered=False)
    DocumentKind.objects.create(name="Sleep diary", position=1)
    asked = page_of(mia.get(mia.documents)).xpath("//fieldset")[0]
    offered = " ".join(asked.text_content().split())
    assert "Lab result" in offered
    assert "Sleep diary" in offered
    assert "Referral" not in offered


def test_without_kinds_there_is_nothing_to_choose(mia):
    DocumentKind.objects.update(is_offered=False)
    assert "What is it?" not in text_of(mia.get(mia.documents))
    assert send(mia, png(), kind="1").status_code == 302
    assert Document.objects.get().kind is None


@pytest.mark.parametrize("kind", ["999999", "x", "-1", "1e5", str(2**70)])
def test_a_kind_that_is_not_offered_is_asked_for_again(mia, kind):
    answer = send(mia, png(), kind=kind, note="kept")
    assert answer.status_code == 422
    assert "Choose again what it is" in text_of(answer)
    [link] = page_of(answer).xpath("//*[@data-error-summary]//a")
    assert page_of(answer).get_element_by_id(link.get("href")[1:]) is not None
    assert "kept</textarea>" in answer.content.decode()
    assert not Document.objects.exists()


def test_only_the_files_are_needed(mia):
    assert send(mia, png()).headers["Location"] == mia.documents
    assert "1 document was sent to Mimi's chart." in text_of(mia.get(mia.documents))


# --- the list -------------------------------------------------------------------------


def test_a_document_shows_its_kind_its_name_and_what_became_of_it(mia, desk, cast):
    kind = DocumentKind.objects.get(name="Lab result")
    send(mia, png("a.png"), kind=kind.pk)
    [(status, text)] = listed(mia.get(mia.documents))
    with timezone.override(zoneinfo.ZoneInfo(Practice.load().time_zone)):
        today = timezone.localdate()
    in_words = f"{today:%B} {today.day}, {today.year}"
    assert status == "received"
    for shown in ("Lab result", "a.png", "bytes", f"Received on {in_words}"):
        assert shown in text
    assert text.count(in_words) == 1
    document = Document.objects.get()
    desk.see(document)
    assert listed(mia.get(mia.documents))[0][0] == "seen"
    assert f"Seen by the practice on {in_words}" in listed(mia.get(mia.documents))[0][1]
    desk.file(document)
    assert f"Filed by the practice on {in_words}" in listed(mia.get(mia.documents))[0][1]


def test_the_picture_of_a_row_is_small_lazy_and_has_its_room(mia, run_tasks):
    send(mia, png())
    assert not page_of(mia.get(mia.documents)).xpath("//*[@data-document]//img")
    run_tasks()
    [picture] = page_of(mia.get(mia.documents)).xpath("//*[@data-document]//img")
    assert picture.get("loading") == "lazy"
    assert picture.get("width") and picture.get("height")
    assert picture.get("alt") == ""
    answer = mia.get(picture.get("src"))
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert b"".join(answer.streaming_content).startswith(b"\xff\xd8\xff")


def test_a_returned_document_says_why_and_is_sent_again_once(mia, desk):
    send(mia, png("blurry.png"), note="front")
    returned = Document.objects.get()
    desk.give_back(returned, "The photo is blurry.")
    page = mia.get(mia.documents)
    [(status, text)] = listed(page)
    assert status == "returned"
    assert "The photo is blurry." in text
    assert "Send it again" in text
    address = f"{mia.documents}{returned.public_id}/again/"
    assert address in page.content.decode()
    assert "Returned: send it again" in text_of(mia.get(mia.home))
    assert "The photo is blurry." in text_of(mia.get(address))

    assert mia.post(address, {"files": bad(), "note": "sharp"}).status_code == 422
    assert "Returned: send it again" in text_of(mia.get(mia.home))
    assert mia.post(address, {"files": png("sharp.png", "red")}).status_code == 302
    assert {status for status, _text in listed(mia.get(mia.documents))} == {"received", "returned"}
    for page in (mia.documents, mia.home, f"{mia.documents}{returned.public_id}/"):
        assert "it again" not in text_of(mia.get(page)), page

    again = Document.objects.latest("pk")
    desk.give_back(again, "Still blurry.")
    assert text_of(mia.get(mia.home)).count("Returned: send it again") == 2


def test_what_was_sent_again_and_taken_back_is_to_be_sent_again(mia, desk):
    send(mia, png())
    returned = Document.objects.get()
    desk.give_back(returned)
    mia.post(f"{mia.documents}{returned.public_id}/again/", {"files": png("b.png", "red")})
    assert "Returned" not in text_of(mia.get(mia.home)).partition("Lately")[0]
    mia.post(f"{mia.documents}{Document.objects.latest('pk').public_id}/withdraw/")
    assert "Returned" in text_of(mia.get(mia.home)).partition("Lately")[0]


def test_a_document_that_is_not_returned_has_no_page_to_send_it_again(mia):
    send(mia, png())
    address = f"{mia.documents}{Document.objects.get().public_id}/"
    assert mia.get(f"{address}again/").headers["Location"] == address
    # From a page that was open meanwhile the files are taken all the same.
    assert mia.post(f"{address}again/", {"files": pdf()}).status_code == 302
    assert Document.objects.count() == 2


def test_what_the_practice_shares_is_new_until_opened(mia, desk, cast):
    desk.share(cast.leo, pdf("of-leo.pdf"))
    shared = desk.share(cast.mia, pdf("plan.pdf"), note="Read this first")
    page = mia.get(mia.documents)
    assert "From the practice" in text_of(page)
    assert listed(page)[0][0] == "new"
    assert "of-leo" not in text_of(page)
    home = text_of(mia.get(mia.home))
    assert "plan.pdf New from the practice" in home
    assert "What the practice shared" not in home  # it stands among the tasks
    assert "Shared by the practice: plan.pdf" in home
    address = f"{mia.documents}{shared.public_id}/"
    mia.head(address)
    assert listed(mia.get(mia.documents))[0][0] == "new"
    for _look in range(2):
        assert "Read this first" in text_of(mia.get(address))
    assert listed(mia.get(mia.documents))[0][0] == "opened"
    home = text_of(mia.get(mia.home))
    assert "New from the practice" not in home
    assert "What the practice shared plan.pdf" in home
    [opened] = AuditEvent.objects.filter(action="open")
    assert (opened.member_id, opened.object_id) == (cast.mia.pk, str(shared.public_id))
    assert mia.get(f"{address}withdraw/").status_code == 404
    assert mia.post(f"{address}withdraw/").status_code == 404
    desk.unshare(shared)
    for page in (mia.documents, mia.home):
        assert "plan.pdf" not in text_of(mia.get(page))
    for road in ("", "file/", "thumbnail/", "pages/1/"):
        assert mia.get(f"{address}{road}").status_code == 404, road


def test_more_than_fifty_are_shown_on_pages(mia, cast, settings):
    settings.HOUSEHOLD_FILES = 200
    many(cast.mia, cast.rivera, 103)
    first = mia.get(mia.documents)
    assert len(listed(first)) == 50
    assert "Show newer" not in text_of(first)
    second = mia.get(f"{mia.documents}?page=2")
    third = mia.get(f"{mia.documents}?page=3")
    names = [
        re.search(r"\d+\.pdf", text)[0]
        for page in (first, second, third)
        for _s, text in listed(page)
    ]
    assert len(set(names)) == len(names) == 103
    assert "Show older" in text_of(second) and "Show newer" in text_of(second)
    assert "Show older" not in text_of(third)
    assert len({title_of(page) for page in (first, second, third)}) == 3
    assert not page_of(second).xpath("//*[@name='files']")
    for odd in ("0", "-1", "x", "99999", "9" * 5000, "²"):
        assert mia.get(f"{mia.documents}?page={odd}").status_code == 200
    assert listed(mia.get(f"{mia.documents}?page=9999")) == []


def many(member, account, count: int, **fields) -> list[Document]:
    """`count` documents of `member`, rows only."""
    now = timezone.now()
    made = []
    for number in range(count):
        submission = Submission.objects.create(member=member, kind="document", sent_by=account)
        made.append(
            Document.objects.create(
                member=member,
                submission=submission,
                name=f"{number}.pdf",
                content_type="application/pdf",
                size=1,
                sha256=f"{number:064}",
                sending_id=uuid.uuid4(),
                file=f"documents/{uuid.uuid4().hex}",
                sent_at=now - datetime.timedelta(minutes=number),
                **fields,
            )
        )
    return made


def test_list_and_home_cost_the_same_at_any_length(mia, cast, desk, django_assert_num_queries):
    kind = DocumentKind.objects.get(name="Lab result")
    for page, queries in ((mia.documents, 8), (mia.home, 7)):
        mia.get(page)
        with django_assert_num_queries(queries):
            mia.get(page)
    documents = many(cast.mia, cast.rivera, 60, kind=kind, pictures="ready", pages_pictured=1)
    for number, document in enumerate(documents):
        asked = DocumentRequest.objects.create(member=cast.mia, what=f"Paper {number}", kind=kind)
        if number % 2:
            Document.objects.filter(pk=document.pk).update(request=asked)
        if number % 3 == 0:
            document.submission.status, document.submission.reason = "returned", "Cut off."
            document.submission.returned_at = timezone.now()
            document.submission.save()
    for number in range(5):
        desk.share(cast.mia, pdf(f"shared-{number}.pdf", pages=number + 1))
    for page, queries in ((mia.documents, 8), (mia.home, 7)):
        mia.get(page)
        with django_assert_num_queries(queries):
            mia.get(page)


# --- one document ---------------------------------------------------------------------


def test_the_viewer_shows_pages_as_pictures_and_says_what_happened(mia, desk, run_tasks, caplog):
    send(mia, pdf("lab.pdf", pages=3), note="the <b>big</b> one")
    document = Document.objects.get()
    address = f"{mia.documents}{document.public_id}/"
    waiting = mia.get(address)
    assert "The pictures are being made." in text_of(waiting)
    assert not page_of(waiting).xpath("//main//img")
    run_tasks()
    desk.see(document)
    page = mia.get(address)
    assert title_of(page).startswith("Mia – Document of ")
    assert "Mimi's document: lab.pdf" in page_of(page).xpath("//h1")[0].text_content()
    assert "the <b>big</b> one" in text_of(page)
    pictures = page_of(page).xpath("//main//img")
    assert [picture.get("alt") for picture in pictures] == [
        f"Page {number} of 3 of lab.pdf" for number in (1, 2, 3)
    ]
    for picture in pictures:
        assert picture.get("loading") == "lazy"
        assert picture.get("width") and picture.get("height")
        answer = mia.get(picture.get("src"))
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert b"".join(answer.streaming_content).startswith(b"\xff\xd8\xff")
        assert mia.head(picture.get("src")).status_code == 200
    assert {"Received", "Seen"} <= set(page_of(page).xpath("//dt/text()"))
    assert "Take it back" not in text_of(page)
    caplog.clear()
    for number in ("0", "4", "999999999999", "9" * 5000, "-1"):
        assert mia.get(f"{address}pages/{number}/").status_code == 404
    assert "A kept file" not in caplog.text, "it was looked for in the storage"


def test_looking_is_recorded_once_for_the_page_and_each_download(mia, run_tasks):
    send(mia, pdf(pages=2))
    run_tasks()
    address = f"{mia.documents}{Document.objects.get().public_id}/"
    before = AuditEvent.objects.count()
    page = mia.get(address)
    for picture in page_of(page).xpath("//main//img"):
        b"".join(mia.get(picture.get("src")).streaming_content)
    b"".join(mia.get(f"{address}file/").streaming_content)
    added = AuditEvent.objects.order_by("pk")[before:]
    assert [event.action for event in added] == ["view", "download"]


def test_a_long_paper_says_how_much_of_it_is_shown(mia):
    send(mia, pdf(pages=3))
    Document.objects.update(pages=80, pages_pictured=30, pictures="ready")
    page = mia.get(f"{mia.documents}{Document.objects.get().public_id}/")
    assert "The first 30 of 80 pages are shown." in text_of(page)
    assert len(page_of(page).xpath("//main//img")) == 30


def test_what_cannot_be_drawn_can_be_downloaded(mia):
    send(mia, pdf())
    Document.objects.update(pictures="failed")
    page = mia.get(f"{mia.documents}{Document.objects.get().public_id}/")
    assert "No picture could be made of it." in text_of(page)
    assert "Download" in text_of(page)


@pytest.mark.parametrize("scan", ["waiting", "found"])
def test_a_document_in_quarantine_is_opened_on_no_road(mia, scan, run_tasks):
    send(mia, pdf())
    run_tasks()
    Document.objects.update(scan=scan)
    document = Document.objects.get()
    address = f"{mia.documents}{document.public_id}/"
    page = mia.get(address)
    said = {"waiting": "Waiting for the virus scanner", "found": "found something harmful"}[scan]
    assert said in text_of(page)
    assert not page_of(page).xpath("//main//img")
    assert "Download" not in text_of(page)
    for road in ("file/", "thumbnail/", "pages/1/"):
        assert mia.get(f"{address}{road}").status_code == 404, road
        assert mia.head(f"{address}{road}").status_code == 404, road
    assert not page_of(mia.get(mia.documents)).xpath("//*[@data-document]//img")
    assert not AuditEvent.objects.filter(action="download").exists()


def test_a_shared_paper_in_quarantine_stays_new(mia, desk, cast):
    shared = desk.share(cast.mia, pdf())
    Document.objects.filter(pk=shared.pk).update(scan="waiting")
    mia.get(f"{mia.documents}{shared.public_id}/")
    shared.refresh_from_db()
    assert shared.opened_at is None


# --- taking back ----------------------------------------------------------------------


def test_a_document_is_taken_back_after_one_question(mia, run_tasks):
    send(mia, png("wrong.png"))
    run_tasks()
    document = Document.objects.get()
    address = f"{mia.documents}{document.public_id}/"
    assert f"{address}withdraw/" in mia.get(address).content.decode()
    asked = mia.get(f"{address}withdraw/")
    assert "the file is deleted" in text_of(asked)
    document.refresh_from_db()
    assert document.status == "received"
    assert mia.post(f"{address}withdraw/").headers["Location"] == mia.documents
    page = mia.get(mia.documents)
    assert "taken back" in page_of(page).xpath("//*[@data-notice]")[0].text_content()
    assert listed(page) == []
    assert "Documents Nothing sent yet" in text_of(mia.get(mia.home))
    for road in ("", "file/", "thumbnail/", "pages/1/", "again/", "withdraw/"):
        assert mia.get(f"{address}{road}").status_code == 404, road
    # The button pressed twice: the browser shows the second answer.
    assert mia.post(f"{address}withdraw/").headers["Location"] == mia.documents
    assert AuditEvent.objects.filter(action="withdraw").count() == 1


def test_what_the_practice_has_seen_stays(mia, desk):
    send(mia, png())
    document = Document.objects.get()
    address = f"{mia.documents}{document.public_id}/"
    mia.get(f"{address}withdraw/")
    desk.see(document)
    answer = mia.post(f"{address}withdraw/")
    assert answer.status_code == 422
    assert "The practice has seen this document in the meantime" in text_of(answer)
    assert "too late" in text_of(mia.get(f"{address}withdraw/"))
    assert b"".join(mia.get(f"{address}file/").streaming_content)
    assert listed(mia.get(mia.documents))[0][0] == "seen"


# --- the home -------------------------------------------------------------------------


def test_the_home_tells_what_happened_latest_first(mia, desk, cast):
    send(mia, png("a.png"))
    document = Document.objects.get()
    desk.see(document)
    desk.give_back(document)
    desk.file(document)
    desk.share(cast.mia, pdf("plan.pdf"))
    lately = text_of(mia.get(mia.home)).partition("Lately in")[2].partition("In an emergency")[0]
    told = re.findall(
        r"(Sent|(?:Seen|Filed|Returned|Shared) by the practice): (\S+)",
        lately,
    )
    assert [what.split()[0] for what, _name in told] == [
        "Shared",
        "Filed",
        "Returned",
        "Seen",
        "Sent",
    ]
    assert {name for _what, name in told} == {"a.png", "plan.pdf"}


def test_kept_text_of_every_page_has_a_name_on_the_home(mia, desk, cast):
    asked = desk.ask(cast.mia)
    send(mia, png())
    desk.give_back(Document.objects.get())
    pages = {
        "": "Documents",
        f"requests/{asked.public_id}/": "A document the practice asks for",
        f"{Document.objects.get().public_id}/again/": "A document to send again",
    }
    for page in pages:
        mia.post(f"{mia.documents}{page}", {"keep_only": "1", "note": f"half {page}"})
    home = mia.get(mia.home)
    for page, title in pages.items():
        assert f'what you typed on "{title}"' in text_of(home)
        shown = mia.get(f"{mia.documents}{page}")
        assert f"half {page}</textarea>" in shown.content.decode()
        assert "What you typed is back" in text_of(shown)
    for page in pages:
        answer = mia.post(f"{mia.documents}{page}", {"let_go": "1"})
        assert answer.headers["Location"] == f"{mia.documents}{page}"
    assert not KeptText.objects.exists()


def test_sending_lets_go_of_the_kept_note(mia):
    mia.post(mia.documents, {"keep_only": "1", "note": "half"})
    assert send(mia, bad()).status_code == 422
    assert KeptText.objects.exists()
    assert send(mia, png()).status_code == 302
    assert not KeptText.objects.exists()


# --- nobody else's --------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [("rivera@example.org", "Leo", "2018/09/03"), ("okafor@example.org", "Mia", "2016/04/27")],
    ids=["the brother", "another household's Mia"],
)
def test_pages_of_another_chart_show_and_take_nothing(mia, desk, cast, run_tasks, other):
    asked = desk.ask(cast.mia, "Card of Mia R.")
    shared = desk.share(cast.mia, pdf("plan-of-mia.pdf"))
    send(mia, png("of-mia.png"))
    sent = Document.objects.latest("pk")
    run_tasks()
    theirs = open_chart(Client(), *other)
    for page in (theirs.documents, theirs.home, f"{theirs.documents}join/"):
        for text in ("of-mia", "Card of Mia R."):
            assert text not in text_of(theirs.get(page))
    for document in (shared, sent):
        for road in ("", "file/", "thumbnail/", "pages/1/", "again/", "withdraw/"):
            assert theirs.get(f"{theirs.documents}{document.public_id}/{road}").status_code == 404
            answer = theirs.post(f"{theirs.documents}{document.public_id}/{road}", {"files": png()})
            assert answer.status_code in {404, 405}, road
    request_page = f"{theirs.documents}requests/{asked.public_id}/"
    assert theirs.get(request_page).status_code == 404
    assert theirs.post(request_page, {"files": png()}).status_code == 404
    sent.refresh_from_db()
    shared.refresh_from_db()
    assert sent.status == "received"
    assert shared.opened_at is None
    assert Document.objects.count() == 2


def test_titles_start_with_the_first_name_and_are_unlike(mia, desk, cast):
    asked = desk.ask(cast.mia)
    send(mia, png())
    document = Document.objects.get()
    desk.give_back(document)
    send(mia, jpeg("other.jpg"))
    fresh = Document.objects.latest("pk")
    pages = [
        *["", "join/", f"requests/{asked.public_id}/", f"{document.public_id}/"],
        *[f"{document.public_id}/again/", f"{fresh.public_id}/withdraw/"],
    ]
    titles = [title_of(mia.get(f"{mia.documents}{page}")) for page in pages]
    assert len(set(titles)) == len(titles)
    for title in titles:
        assert title.startswith("Mia – ")
        assert "2016" not in title


def test_a_switch_on_the_way_sends_nothing_and_keeps_the_note(mia):
    address = mia.documents
    pick(mia, "Leo", "2018/09/03")
    answer = mia.post(address, {"files": png(), "note": "for Mia", "number-x": "1"})
    assert answer.status_code == 409
    assert not Document.objects.exists()
    assert KeptText.objects.get().fields == {"note": "for Mia"}


def test_signed_out_files_go_nowhere(cast, mia):
    address = mia.documents
    sign_in(mia, "okafor@example.org")
    assert mia.post(address, {"files": png()}).status_code in {302, 409}
    assert not Document.objects.exists()
