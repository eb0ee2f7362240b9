"""A paper that was sent for the wrong person: what hangs on it goes with it, or is let go."""

from __future__ import annotations

import uuid

import pytest
from django.test import Client

from households.documents import quarantine
from households.documents.models import Document
from households.submissions.models import Refiling
from tests.files import jpeg, png
from tests.households.documents.conftest import open_chart
from tests.moving import Mover, owner
from tests.pages import text_of

Scan = Document.Scan


@pytest.fixture
def staff(cast) -> Mover:
    return owner()


@pytest.fixture
def leo(cast) -> Client:
    return open_chart(Client(), "rivera@example.org", "Leo", "2018/09/03")


def answered(mia, asked) -> Document:
    page = f"{mia.documents}requests/{asked.public_id}/"
    assert mia.post(page, {"files": png("card.png")}).status_code == 302
    return Document.objects.latest("pk")


def test_the_request_is_open_again(mia, leo, desk, staff, cast):
    asked = desk.ask(cast.mia, "Insurance card")
    theirs = desk.ask(cast.leo, "Insurance card")
    document = answered(mia, asked)
    asks = f"requests/{asked.public_id}/"
    assert asks not in mia.get(mia.documents).content.decode()
    plan = text_of(staff.preview(document.submission, cast.leo))
    assert (
        "It was sent for the request “Insurance card”. Mia Rivera is asked for that again" in plan
    )
    assert "Leo Rivera is asked for documents too" in plan
    staff.move(document.submission, cast.leo)
    document.refresh_from_db()
    assert (document.member, document.request) == (cast.leo, None)
    assert not asked.is_answered_by(Document.objects.for_member(cast.mia))
    assert asks in mia.get(mia.documents).content.decode()
    # Nobody guesses that it answers the request to Leo.
    assert f"requests/{theirs.public_id}/" in leo.get(leo.home).content.decode()
    assert "card.png" not in text_of(mia.get(f"{mia.documents}requests/{asked.public_id}/"))
    answered(mia, asked)
    assert Document.objects.count() == 2


def test_the_page_that_sent_it_sends_another_one_later(mia, staff, cast):
    """Brought back by the browser after the move: it is a new paper of Mia's, and both stay."""
    fields = {"sending_id": str(uuid.uuid4())}
    mia.post(mia.documents, {**fields, "files": png()})
    first = Document.objects.get()
    staff.move(first.submission, cast.leo)
    mia.post(mia.documents, {**fields, "files": png()})
    second = Document.objects.for_member(cast.mia).get()
    staff.move(second.submission, cast.leo)
    assert Document.objects.for_member(cast.leo).count() == 2


def test_the_photos_it_was_made_of_go_along(mia, staff, cast):
    mia.post(mia.documents, {"files": [jpeg("1.jpg"), jpeg("2.jpg", "red")], "note": "of Leo"})
    photos = [*Document.objects.order_by("pk")]
    typed = {f"number-{photo.public_id}": place for place, photo in enumerate(photos, start=1)}
    assert mia.post(f"{mia.documents}join/", typed).status_code == 302
    pdf = Document.objects.get(content_type="application/pdf")
    assert "The 2 photos that it was made of go with it" in text_of(
        staff.preview(pdf.submission, cast.leo)
    )
    refiling = staff.move(pdf.submission, cast.leo)
    assert not Document.objects.for_member(cast.mia).exists()
    assert {one.submission.member for one in Document.objects.all()} == {cast.leo}
    assert {one.status for one in Document.objects.exclude(pk=pdf.pk)} == {"withdrawn"}
    assert refiling.parts.count() == 2
    assert "document, document" in text_of(
        staff.client.get(f"/admin/submissions/refiling/{refiling.pk}/change/")
    )
    # A photo alone was taken back: there is nothing to move.
    photo = Document.objects.filter(joined_into=pdf)[0]
    assert "took it back" in staff.refused(photo.submission, cast.mia)


def test_what_was_filed_is_filed_anew(mia, desk, staff, cast):
    mia.post(mia.documents, {"files": png()})
    document = Document.objects.get()
    desk.file(document)
    assert "It was filed for Mia Rivera." in text_of(staff.preview(document.submission, cast.leo))
    staff.move(document.submission, cast.leo)
    document.submission.refresh_from_db()
    submission = document.submission
    assert (submission.status, submission.filed_at) == ("seen", None)
    assert submission.seen_at == submission.moved_at
    assert Refiling.objects.get().was["status"] == "filed"
    desk.file(document)
    submission.refresh_from_db()
    assert submission.status == "filed"


def test_what_nobody_has_seen_stays_so(mia, staff, cast):
    mia.post(mia.documents, {"files": png()})
    document = Document.objects.get()
    staff.move(document.submission, cast.leo)
    document.submission.refresh_from_db()
    assert (document.submission.status, document.submission.seen_at) == ("received", None)


# --- in quarantine --------------------------------------------------------------------


@pytest.fixture
def waiting(mia) -> Document:
    mia.post(mia.documents, {"files": png()})
    Document.objects.update(scan=Scan.WAITING)
    document = Document.objects.select_related("member", "submission").get()
    quarantine.scan_later(document)
    return document


def test_it_waits_there_as_here(waiting, mia, leo, staff, cast):
    assert "It waits for the virus scanner" in text_of(staff.preview(waiting.submission, cast.leo))
    staff.move(waiting.submission, cast.leo)
    waiting.refresh_from_db()
    assert waiting.scan == Scan.WAITING
    assert leo.get(f"{leo.documents}{waiting.public_id}/").status_code == 200
    for chart in (mia, leo):
        page = f"{chart.documents}{waiting.public_id}/file/"
        assert chart.get(page).status_code == 404


@pytest.mark.parametrize(("verdict", "settle"), [("clean", "_release"), ("found", "_refuse")])
def test_a_verdict_that_was_asked_for_before_the_move_settles_nothing(
    waiting, staff, cast, verdict, settle
):
    """The scanner reads the file while it is moved. The task that the move made asks anew."""
    as_it_was = Document.objects.select_related("member", "submission").get()
    staff.move(waiting.submission, cast.leo)
    assert getattr(quarantine, settle)(as_it_was) is False
    waiting.refresh_from_db()
    assert (waiting.member, waiting.scan, waiting.status) == (cast.leo, "waiting", "received")
    as_it_is = Document.objects.select_related("member", "submission").get()
    assert getattr(quarantine, settle)(as_it_is) is True
    waiting.refresh_from_db()
    assert waiting.scan == verdict


def test_somebody_asks_the_scanner_again(waiting, staff, cast):
    from django_tasks_db.models import DBTaskResult

    tasks = DBTaskResult.objects.filter(task_path__endswith="scan_again", status="READY")
    before = tasks.count()
    staff.move(waiting.submission, cast.leo)
    assert tasks.count() == before + 1
