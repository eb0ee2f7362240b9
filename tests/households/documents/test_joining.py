"""Photos of one paper made one PDF: in the order chosen, all of it or nothing, for one person."""

from __future__ import annotations

import io
import threading
import uuid

import pikepdf
import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from PIL import Image

from accounts.audit.models import AuditEvent
from households.documents import actions
from households.documents.models import Document, DocumentKind
from households.submissions.models import Submission
from tests.files import heic, jpeg, pdf, png, webp
from tests.households.documents.conftest import open_chart
from tests.households.documents.test_pages import listed, page_of
from tests.households.documents.test_requests import checklist, page_for
from tests.pages import fields_of, text_of


def send(mia, *files, page: str = "", **typed):
    """Send photos from a page of Mia's, with the tick; returns where that leads."""
    address = page or mia.documents
    fields = fields_of(mia.get(address), join="on", **typed)
    answer = mia.post(address, {**fields, "files": list(files)})
    assert answer.status_code == 302
    return answer.headers["Location"]


def photos() -> list[Document]:
    """The photos as they were sent."""
    return list(Document.objects.exclude(content_type="application/pdf").order_by("pk"))


def join(mia, numbers: dict[Document, object]):
    typed = {f"number-{photo.public_id}": number for photo, number in numbers.items()}
    return mia.post(f"{mia.documents}join/", typed)


def nothing_changed() -> None:
    assert not Document.objects.filter(content_type="application/pdf").exists()
    assert not Document.objects.exclude(joined_into=None).exists()
    for photo in photos():
        if photo.status != "withdrawn":
            assert photo.file.storage.exists(photo.file.name)


def colours(document: Document) -> list[tuple[int, int, int]]:
    """The colour in the middle of each page of a PDF."""
    import pypdfium2

    with document.file.open("rb") as file:
        pages = pypdfium2.PdfDocument(file.read())
    found = []
    for page in pages:
        drawn = page.render(scale=1).to_pil().convert("RGB")
        found.append(drawn.getpixel((drawn.width // 2, drawn.height // 2)))
    pages.close()
    return found


def is_about(colour: tuple[int, int, int], name: str) -> bool:
    wanted = Image.new("RGB", (1, 1), name).getpixel((0, 0))
    return all(abs(one - other) < 40 for one, other in zip(colour, wanted, strict=True))


def test_photos_become_one_pdf_in_the_order_chosen(
    mia, run_tasks, django_capture_on_commit_callbacks
):
    kind = DocumentKind.objects.get(name="Insurance card")
    to = send(
        mia,
        *[png("red.png", "red", (80, 60)), jpeg("navy.jpg"), heic("olive.heic")],
        *[webp("plum.webp")],
        note="all sides",
        kind=kind.pk,
    )
    assert to.startswith(f"{mia.documents}join/?sending=")
    run_tasks()
    page = mia.get(to)
    assert len(page_of(page).xpath("//main//img[@loading='lazy'][@width][@height][@alt='']")) == 4
    red, navy, olive, plum = photos()
    fields = fields_of(page)
    assert [fields[f"number-{photo.public_id}"] for photo in (red, navy, olive, plum)] == [
        *[["1"], ["2"], ["3"], ["4"]]
    ]
    # Other numbers than offered: the last first, a hole, the same number twice, one left out.
    numbers = {red: 7, navy: 7, olive: "", plum: 2}
    names = [photo.file.name for photo in (red, navy, plum)]
    with django_capture_on_commit_callbacks(execute=True):
        answer = mia.post(to, {f"number-{one.public_id}": value for one, value in numbers.items()})
    assert answer.headers["Location"] == mia.documents
    notice = page_of(mia.get(mia.documents)).xpath("//*[@data-notice]")[0].text_content()
    assert "3 photos were joined to one PDF in Mimi's chart." in notice
    joined = Document.objects.get(content_type="application/pdf")
    assert (joined.name, joined.pages, joined.kind, joined.note) == (
        *["plum.pdf", 3, kind, "all sides"],
    )
    first, second, third = colours(joined)
    assert is_about(first, "plum")
    assert is_about(second, "red")
    assert is_about(third, "navy")
    for photo in (red, navy, plum):
        photo.refresh_from_db()
        assert (photo.joined_into, photo.status, photo.file.name) == (joined, "withdrawn", "")
    assert not any(joined.file.storage.exists(name) for name in names)
    assert [status for status, _text in listed(mia.get(mia.documents))] == ["received"] * 2
    run_tasks()
    viewer = mia.get(f"{mia.documents}{joined.public_id}/")
    assert len(page_of(viewer).xpath("//main//img")) == 3
    for photo in (red, navy, plum):
        assert mia.get(f"{mia.documents}{photo.public_id}/").status_code == 404


def test_the_button_pressed_twice_joins_once(mia):
    send(mia, png("a.png"), png("b.png", "red"))
    a, b = photos()
    assert join(mia, {a: 1, b: 2}).status_code == 302
    again = join(mia, {a: 1, b: 2})
    assert again.headers["Location"] == mia.documents
    assert "2 photos were joined" in text_of(mia.get(mia.documents))
    assert Document.objects.filter(content_type="application/pdf").count() == 1
    # Not once the PDF is taken back: then there is nothing to tell of.
    joined = Document.objects.get(content_type="application/pdf")
    mia.post(f"{mia.documents}{joined.public_id}/withdraw/")
    assert join(mia, {a: 1, b: 2}).status_code == 422


@pytest.mark.django_db(transaction=True)
def test_pressed_in_two_tabs_at_once_it_joins_once(mia, settings, tmp_path):
    files = settings.STORAGES["default"]
    files = {**files, "OPTIONS": {**files["OPTIONS"], "location": tmp_path}}
    settings.STORAGES = {**settings.STORAGES, "default": files}
    send(mia, png("a.png"), png("b.png", "red"))
    a, b = photos()
    answers = []
    start = threading.Barrier(4)

    def press() -> None:
        tab = Client()
        tab.cookies = mia.cookies.copy()
        tab.documents = mia.documents
        try:
            start.wait()
            answers.append(join(tab, {a: 1, b: 2}).status_code)
        finally:
            connection.close()

    tabs = [threading.Thread(target=press) for _ in range(4)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    assert answers == [302] * 4
    [joined] = Document.objects.filter(content_type="application/pdf")
    assert {photo.joined_into for photo in photos()} == {joined}
    kept = joined.file.storage.listdir("documents")[1]
    assert [f"documents/{name}" for name in kept] == [joined.file.name]


def test_a_photo_that_was_seen_meanwhile_stops_it(mia, desk):
    send(mia, png("a.png"), png("b.png", "red"), png("c.png", "blue"))
    a, b, c = photos()
    desk.see(b)
    answer = join(mia, {a: 1, b: 2, c: 3})
    assert answer.status_code == 422
    summary = page_of(answer).xpath("//*[@data-error-summary]")[0]
    assert "the practice has seen it" in summary.text_content()
    nothing_changed()
    kept = fields_of(answer)
    assert (kept[f"number-{a.public_id}"], kept[f"number-{c.public_id}"]) == (["1"], ["3"])
    assert f"number-{b.public_id}" not in kept


@pytest.mark.parametrize("meanwhile", ["seen", "withdrawn", "returned"])
def test_what_happens_between_the_look_and_the_deed_stops_it_whole(mia, cast, meanwhile):
    """The page was judged on what the database said a moment before: the deed asks again."""
    send(mia, png("a.png"), png("b.png", "red"))
    stale = photos()
    Submission.objects.filter(pk=stale[1].submission_id).update(status=meanwhile, reason="Blurry.")
    request = mia.get(mia.documents).wsgi_request
    with pytest.raises(ValidationError, match="in the meantime"):
        actions.document_join(request=request, member=cast.mia, photos=stale)
    nothing_changed()
    assert photos()[0].status == "received"
    assert not AuditEvent.objects.filter(action="withdraw").exists()


@pytest.mark.parametrize("scan", ["waiting", "found"])
def test_photos_in_quarantine_are_not_joined(mia, scan):
    send(mia, png("a.png"), png("b.png", "red"))
    a, b = photos()
    Document.objects.filter(pk=b.pk).update(scan=scan)
    page = mia.get(f"{mia.documents}join/")
    assert "a.png" in text_of(page)
    assert "b.png" not in text_of(page)
    assert join(mia, {a: 1, b: 2}).status_code == 422
    nothing_changed()


def test_only_photos_are_joined(mia):
    assert send(mia, pdf()) == mia.documents
    assert "Only photos can be joined" in text_of(mia.get(mia.documents))
    send(mia, png())
    paper, photo = Document.objects.order_by("pk")
    assert "lab.pdf" not in text_of(mia.get(f"{mia.documents}join/"))
    assert join(mia, {paper: 1, photo: 2}).status_code == 422
    assert not Document.objects.exclude(joined_into=None).exists()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["1", ""], "at least 2 photos"),
        (["", ""], "at least 2 photos"),
        (["1", "two"], "Type a whole number from 1 to 999"),
        (["1", "0"], "Type a whole number from 1 to 999"),
        (["1", "-2"], "Type a whole number from 1 to 999"),
        (["1", "1.5"], "Type a whole number from 1 to 999"),
        (["1", "9" * 5000], "Type a whole number from 1 to 999"),
        (["1", "²"], "Type a whole number from 1 to 999"),
    ],
)
def test_numbers_that_say_nothing_are_asked_for_again(mia, typed, said):
    send(mia, png("a.png"), png("b.png", "red"))
    answer = join(mia, dict(zip(photos(), typed, strict=True)))
    assert answer.status_code == 422
    summary = page_of(answer).xpath("//*[@data-error-summary]")[0]
    assert said in summary.text_content()
    [link] = summary.xpath(".//a")
    assert page_of(answer).get_element_by_id(link.get("href")[1:]) is not None
    kept = fields_of(answer).get(f"number-{photos()[0].public_id}", [""])
    assert kept == [typed[0]]
    nothing_changed()


def test_more_than_twenty_are_not_joined(mia):
    for start in (0, 20):
        send(mia, *[png(f"{n}.png", size=(n + 1, 1)) for n in range(start, start + 20)])
    answer = join(mia, dict.fromkeys(photos()[:21], 1))
    assert answer.status_code == 422
    assert "to 20 at most" in text_of(answer)
    assert join(mia, dict.fromkeys(photos()[:20], 1)).status_code == 302


def test_another_persons_photos_are_as_good_as_unknown(mia, cast):
    send(mia, png("a.png"), png("b.png", "red"))
    others = []
    for who in (
        ("rivera@example.org", "Leo", "2018/09/03"),
        ("okafor@example.org", "Mia", "2016/04/27"),
    ):
        other = open_chart(Client(), *who)
        other.post(other.documents, {"files": png("theirs.png", "blue")})
        others.append(Document.objects.latest("pk"))
    a, b = photos()[:2]
    unknown = Document(pk=0, public_id=uuid.uuid4())
    told = {
        text_of(join(mia, {a: 1, b: 2, other: 3})).partition("There is a problem")[2][:300]
        for other in [*others, unknown]
    }
    assert len(told) == 1, "they are told apart"
    nothing_changed()
    assert {one.status for one in photos()} == {"received"}
    # Nor by another chart's page.
    leo = open_chart(Client(), "rivera@example.org", "Leo", "2018/09/03")
    assert join(leo, {a: 1, b: 2}).status_code == 422
    nothing_changed()


def test_the_pdf_answers_what_its_photos_answered(mia, desk, cast):
    asked = desk.ask(cast.mia, "Card")
    other = desk.ask(cast.mia, "Referral")
    to = send(mia, png("a.png"), png("b.png", "red"), page=page_for(mia, asked))
    a, b = photos()
    mia.post(mia.documents, {"files": png("c.png", "blue"), "note": "and this"})
    mia.post(page_for(mia, other), {"files": png("d.png", "green")})
    _a, _b, c, d = photos()
    answer = join(mia, {a: 1, d: 2})
    assert "answer different requests" in text_of(answer)
    nothing_changed()
    assert (
        mia.post(
            to, {f"number-{one.public_id}": number for number, one in enumerate([b, c, a])}
        ).status_code
        == 422
    ), "0 is no page number"
    assert join(mia, {b: 1, c: 2, a: 3}).status_code == 302
    joined = Document.objects.get(content_type="application/pdf")
    assert (joined.request, joined.note) == (asked, "and this")
    assert any("Card Sent" in line for line in checklist(mia))


def test_a_returned_paper_sent_again_as_photos_stays_settled(mia, desk):
    mia.post(mia.documents, {"files": pdf()})
    returned = Document.objects.get()
    desk.give_back(returned)
    again = f"{mia.documents}{returned.public_id}/again/"
    send(mia, png("a.png"), png("b.png", "red"), page=again)
    assert checklist(mia) == ["Documents 3 sent"]
    assert join(mia, dict(zip(photos(), (1, 2), strict=True))).status_code == 302
    assert checklist(mia) == ["Documents 2 sent"]


def test_limits_count_the_pdf_and_not_its_photos(mia, settings):
    settings.HOUSEHOLD_FILES = 2
    send(mia, png("a.png"), png("b.png", "red"))
    assert join(mia, dict(zip(photos(), (1, 2), strict=True))).status_code == 302
    mia.post(mia.documents, {"files": png("c.png", "blue")})
    assert Document.objects.exclude(file="").count() == 2


def test_a_pdf_over_the_limit_leaves_the_photos(mia, settings):
    send(mia, png("a.png"), png("b.png", "red"))
    settings.HOUSEHOLD_MB = 0
    answer = join(mia, dict(zip(photos(), (1, 2), strict=True)))
    assert answer.status_code == 422
    assert "space for documents is full" in text_of(answer)
    nothing_changed()
    assert {one.status for one in photos()} == {"received"}


def test_a_photo_whose_bytes_are_gone_stops_it(mia, settings):
    send(mia, png("a.png"), png("b.png", "red"))
    a, b = photos()
    b.file.storage.delete(b.file.name)
    answer = join(mia, {a: 1, b: 2})
    assert answer.status_code == 422
    assert "could not be made one PDF" in text_of(answer)
    assert {one.status for one in photos()} == {"received"}
    assert not list(settings.UPLOADING.glob("*"))


def test_the_pdf_is_like_any_other(mia):
    send(mia, png("a.png"), png("b.png", "red"))
    assert join(mia, dict(zip(photos(), (1, 2), strict=True))).status_code == 302
    joined = Document.objects.get(content_type="application/pdf")
    data = b"".join(mia.get(f"{mia.documents}{joined.public_id}/file/").streaming_content)
    assert len(data) == joined.size
    with pikepdf.open(io.BytesIO(data)) as opened:
        assert len(opened.pages) == 2
    events = AuditEvent.objects.filter(object_id=str(joined.public_id), action="send")
    assert [(one.outcome, one.member_id) for one in events] == [("joined", joined.member_id)]


def test_nothing_to_join_is_said(mia):
    assert "There are no photos to join" in text_of(mia.get(f"{mia.documents}join/"))
    for odd in ("?sending=", "?sending=x", f"?sending={uuid.uuid4()}", "?sending=%00"):
        assert mia.get(f"{mia.documents}join/{odd}").status_code in {200, 400}
