"""Papers that the practice asks for: first on the checklist, answered by what is sent for them."""

from __future__ import annotations

import datetime
import uuid
import zoneinfo

import pytest
from django.test import Client
from django.utils import timezone

from households.documents.models import Document, DocumentKind, DocumentRequest
from households.models import Practice
from tests.files import pdf, png
from tests.households.documents.conftest import open_chart
from tests.households.documents.test_pages import bad, page_of
from tests.pages import fields_of, text_of, title_of


def day(days: int) -> datetime.date:
    """So many days from the practice's today."""
    with timezone.override(zoneinfo.ZoneInfo(Practice.load().time_zone)):
        return timezone.localdate() + datetime.timedelta(days=days)


def checklist(mia) -> list[str]:
    """The lines of the home's checklist that are about documents."""
    rows = page_of(mia.get(mia.home)).xpath("//main//ul[contains(@class, 'rows')]")[0]
    lines = [" ".join(" ".join(row.itertext()).split()) for row in rows]
    others = ("Details", "Medical history", "Forms")
    return [line for line in lines if not line.startswith(others)]


def page_for(mia, asked) -> str:
    return f"{mia.documents}requests/{asked.public_id}/"


def test_it_stands_first_with_its_day_and_closes_when_answered(mia, desk, cast):
    desk.ask(cast.leo, "Vaccination record of Leo")
    kind = DocumentKind.objects.get(name="Insurance card")
    asked = desk.ask(
        cast.mia,
        "Insurance card, both sides",
        why="The old one has ended.",
        kind=kind.pk,
        due_on=f"{day(8):%Y/%m/%d}",
        expires_on=f"{day(30):%Y/%m/%d}",
    )
    assert checklist(mia)[0] == f"Insurance card, both sides Due {day(8):%Y/%m/%d}"
    documents = text_of(mia.get(mia.documents))
    assert "of Leo" not in documents + text_of(mia.get(mia.home))
    for shown in ("The old one has ended.", f"No longer needed after {day(30):%Y/%m/%d}"):
        assert shown in documents
    assert documents.index("Insurance card, both sides") < documents.index("Choose files")
    page = mia.get(page_for(mia, asked))
    for shown in ("The old one has ended.", f"{day(8):%Y/%m/%d}", f"{day(30):%Y/%m/%d}"):
        assert shown in text_of(page)
    assert "What is it?" not in text_of(page)

    answer = mia.post(page_for(mia, asked), {"files": [png("front.png"), png("back.png", "red")]})
    assert answer.headers["Location"] == mia.documents
    assert [(one.request, one.kind) for one in Document.objects.all()] == [(asked, kind)] * 2
    assert "The practice asks for" not in text_of(mia.get(mia.documents))
    assert sorted(checklist(mia)) == [
        "Documents 2 sent",
        f"Insurance card, both sides Sent {day(0):%Y/%m/%d}",
    ]
    assert "1 of 3 done" in text_of(mia.get(mia.home))
    page = text_of(mia.get(page_for(mia, asked)))
    for shown in ("The practice has what you sent", "front.png", "back.png"):
        assert shown in page


@pytest.mark.parametrize(
    ("days", "words"),
    [(-1, "Overdue: it was due {day}"), (0, "Due today"), (1, "Due {day}")],
)
def test_the_day_is_said_in_words(mia, cast, days, words):
    asked = DocumentRequest.objects.create(member=cast.mia, what="Card", due_on=day(days))
    said = words.format(day=f"{day(days):%Y/%m/%d}")
    assert checklist(mia)[0] == f"Card {said}"
    for page in (mia.documents, page_for(mia, asked)):
        assert said in text_of(mia.get(page))


def test_the_first_one_due_stands_first(mia, cast):
    for what, due_on in {"never": None, "later": day(9), "sooner": day(2), "late": day(-9)}.items():
        DocumentRequest.objects.create(member=cast.mia, what=what, due_on=due_on)
    assert [line.split()[0] for line in checklist(mia)] == [
        "late",
        "sooner",
        "later",
        "never",
        "Documents",
    ]


@pytest.mark.parametrize("how", ["closed", "expired"])
def test_what_is_not_asked_for_any_more_is_gone_and_its_open_page_still_sends(mia, desk, cast, how):
    asked = desk.ask(cast.mia, "Old card", expires_on=f"{day(0):%Y/%m/%d}")
    fields = fields_of(mia.get(page_for(mia, asked)), note="from my wallet")
    if how == "closed":
        desk.close(asked)
    else:
        DocumentRequest.objects.update(expires_on=day(-1))
    assert "Old card" not in text_of(mia.get(mia.home)) + text_of(mia.get(mia.documents))
    page = mia.get(page_for(mia, asked))
    assert "does not ask for this document any more" in text_of(page)
    assert not page_of(page).xpath("//*[@name='files']")
    assert mia.post(page_for(mia, asked), {**fields, "files": png()}).status_code == 302
    document = Document.objects.get()
    assert (document.request, document.note) == (None, "from my wallet")
    assert "It has what you sent all the same" in text_of(mia.get(mia.documents))


def test_on_its_last_day_it_is_still_asked_for(mia, cast):
    DocumentRequest.objects.create(member=cast.mia, what="Card", expires_on=day(0))
    assert checklist(mia)[0] == "Card To send"


def test_it_opens_again_when_its_answer_is_returned(mia, desk, cast):
    asked = desk.ask(cast.mia, "Card")
    mia.post(page_for(mia, asked), {"files": png()})
    document = Document.objects.get()
    desk.give_back(document, "Both sides, in one photo.")
    assert checklist(mia)[0] == "Card Returned: send it again"
    assert len(checklist(mia)) == 2, "one line for the request, none for the document"
    assert "The practice asks for Card" in text_of(mia.get(mia.documents))
    assert "Send it again" in text_of(mia.get(mia.documents))
    page = text_of(mia.get(page_for(mia, asked)))
    assert "Both sides, in one photo." in page
    again = mia.get(f"{mia.documents}{document.public_id}/again/")
    assert again.headers["Location"] == page_for(mia, asked)
    mia.post(page_for(mia, asked), {"files": png("b.png", "red")})
    assert "Card Sent" in checklist(mia)[0]
    for shown in (mia.documents, page_for(mia, asked), f"{mia.documents}{document.public_id}/"):
        assert "Send it again" not in text_of(mia.get(shown)), shown


def test_a_page_to_send_again_that_was_open_answers_the_request(mia, desk, cast):
    asked = desk.ask(cast.mia, "Card")
    mia.post(page_for(mia, asked), {"files": png()})
    desk.give_back(Document.objects.get())
    again = f"{mia.documents}{Document.objects.get().public_id}/again/"
    assert mia.post(again, {"files": png("b.png", "red")}).status_code == 302
    assert Document.objects.latest("pk").request == asked
    assert "Card Sent" in checklist(mia)[0]


def test_it_opens_again_when_its_answer_is_taken_back(mia, desk, cast):
    asked = desk.ask(cast.mia, "Card")
    mia.post(page_for(mia, asked), {"files": png()})
    mia.post(f"{mia.documents}{Document.objects.get().public_id}/withdraw/")
    assert checklist(mia)[0] == "Card To send"


def test_a_refused_file_answers_nothing_and_the_note_stays(mia, desk, cast):
    asked = desk.ask(cast.mia, "Card")
    answer = mia.post(page_for(mia, asked), {"files": bad(), "note": "front"})
    assert answer.status_code == 422
    assert title_of(answer).startswith("Mia – Error:")
    assert "front</textarea>" in answer.content.decode()
    assert "not really a PDF" in text_of(answer)
    assert checklist(mia)[0] == "Card To send"
    nothing = mia.post(page_for(mia, asked), {"note": "front"})
    assert nothing.status_code == 422
    assert "Choose a file" in text_of(nothing)


def test_more_can_be_sent_for_it(mia, desk, cast):
    asked = desk.ask(cast.mia, "Card")
    for name in ("front.png", "back.png"):
        fields = fields_of(mia.get(page_for(mia, asked)))
        mia.post(page_for(mia, asked), {**fields, "files": png(name)})
    assert {one.request for one in Document.objects.all()} == {asked}
    assert Document.objects.count() == 2


def test_done_lines_leave_the_checklist_in_time(mia, desk, cast):
    asked = desk.ask(cast.mia, "Card")
    mia.post(page_for(mia, asked), {"files": png()})
    assert len(checklist(mia)) == 2
    Document.objects.update(sent_at=timezone.now() - datetime.timedelta(days=31))
    assert checklist(mia) == ["Documents 1 sent"]


def test_nobody_else_answers_it(mia, desk, cast):
    asked = desk.ask(cast.mia, "Card of Mia")
    leo = open_chart(Client(), "rivera@example.org", "Leo", "2018/09/03")
    stranger = open_chart(Client(), "okafor@example.org", "Mia", "2016/04/27")
    for other in (leo, stranger):
        address = f"{other.documents}requests/{asked.public_id}/"
        unknown = f"{other.documents}requests/{uuid.uuid4()}/"
        for answer in (
            other.get(address),
            other.head(address),
            other.post(address, {"files": pdf()}),
        ):
            assert answer.status_code == 404
        assert other.get(unknown).status_code == 404
        # A forged field of the form ties nothing either.
        forged = {"request": asked.pk, "asked": asked.pk, "public_id": asked.public_id}
        assert other.post(other.documents, {"files": pdf(), **forged}).status_code == 302
    assert [one.request for one in Document.objects.all()] == [None, None]
    assert checklist(mia)[0] == "Card of Mia To send"
