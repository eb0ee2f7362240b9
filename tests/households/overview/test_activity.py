"""Recent activity of one chart: what happened, by whom as far as that is known, and of nobody else."""

from __future__ import annotations

import lxml.html
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import audit
from accounts.audit.models import AuditEvent
from accounts.audit.words import SAYS, THINGS
from households.documents.models import Document
from households.history.models import SectionSetting
from households.overview import activity
from tests.cast import pick, sign_in, sign_in_as_staff
from tests.files import png
from tests.moving import owner
from tests.pages import fields_of, text_of

FAMILY = "Someone with this family's login"


class Chart:
    def __init__(self, first_name: str, born: str, email: str = "rivera@example.org") -> None:
        self.client = Client()
        sign_in(self.client, email)
        self.home = f"/for/{pick(self.client, first_name, born)}/"

    def page(self, query: str = "") -> str:
        answer = self.client.get(f"{self.home}activity/{query}")
        assert answer.status_code == 200
        return answer

    def lines(self, query: str = "") -> list[tuple[str, str]]:
        """What, and who; the latest first."""
        rows = lxml.html.fromstring(self.page(query).content.decode()).xpath(
            ".//li[@data-activity]"
        )
        found = []
        for row in rows:
            (who,) = row.findall("p")
            what = " ".join(row.findall("span")[0].text_content().split())
            found.append((what, " ".join(who.text_content().split())))
        return found

    def send(self, page: str, **typed: object) -> None:
        address = f"{self.home}{page}"
        answer = self.client.post(address, fields_of(self.client.get(address), **typed))
        assert answer.status_code == 302, text_of(answer)


def read(client: Client, address: str) -> None:
    """Download it, to the end."""
    assert b"".join(client.get(address).streaming_content)


@pytest.fixture
def mia(cast) -> Chart:
    return Chart("Mia", "2016/04/27")


@pytest.fixture
def staff(cast) -> Client:
    client = Client()
    sign_in_as_staff(client)
    return client


def test_what_the_family_and_the_practice_did_is_told(mia, staff, cast):
    mia.send("documents/", files=png("card.png"))
    mia.send("demographics/occupation/", occupation="Dancer")
    mia.send("history/allergies/add/", substance="Penicillin")
    document = Document.objects.get()
    read(mia.client, f"{mia.home}documents/{document.public_id}/file/")
    staff.get(f"/admin/documents/document/{document.pk}/change/")
    staff.post(f"/admin/documents/document/{document.pk}/return/", {"words": "Blurred."})
    assert mia.lines() == [
        ("Returned a document", "The practice"),
        ("Looked at this chart", "The practice"),
        ("Saw a document", "The practice"),
        ("A document was downloaded", FAMILY),
        ("The medical history was changed", FAMILY),
        ("A change of the details was sent", FAMILY),
        ("A document was sent", FAMILY),
        ("The chart was opened", FAMILY),
    ]
    page = text_of(mia.page())
    for secret in ("Nora", "nurse", "Penicillin", "Dancer", "card.png", "Blurred", "Allergies"):
        assert secret not in page, secret
    assert "we cannot say which of you it was" in page


def test_the_home_leads_to_it(mia):
    home = mia.client.get(mia.home).content.decode()
    assert f'href="{mia.home}activity/"' in home


def test_of_a_sibling_and_of_another_household_nothing_is_told(mia, staff, cast):
    mia.send("documents/", files=png("card.png"))
    leo = Chart("Leo", "2018/09/03")
    other = Chart("Mia", "2016/04/27", "okafor@example.org")
    for chart in (leo, other):
        assert chart.lines() == [("The chart was opened", FAMILY)]


def test_of_what_was_moved_only_the_move_is_told(mia, cast):
    """The paper was Leo's: Mia's page does not say that it was sent, downloaded or looked at."""
    mia.send("documents/", files=png("leos.png"))
    document = Document.objects.get()
    read(mia.client, f"{mia.home}documents/{document.public_id}/file/")
    mover = owner()
    read(mover.client, f"/admin/documents/document/{document.pk}/download/")
    mover.move(document.submission, cast.leo)
    away = "Moved a document away that was sent here by mistake"
    told = [line for line in mia.lines() if not line[0].startswith("Looked at this chart")]
    assert told == [(away, "The practice"), ("The chart was opened", FAMILY)]
    assert AuditEvent.objects.filter(action="send", member_id=cast.mia.pk).exists()
    leo = Chart("Leo", "2018/09/03")
    assert ("Moved a document here", "The practice") in leo.lines()
    # Moved back, it is Mia's again, with its past.
    document.refresh_from_db()
    mover.move(document.submission, cast.mia)
    told = [what for what, _who in mia.lines()]
    assert {"A document was sent", "A document was downloaded", "Downloaded a document"} <= {*told}
    assert "Downloaded a document" not in [what for what, _who in leo.lines()]


def test_a_private_topic_is_not_named(mia, cast):
    SectionSetting.objects.filter(section="sleep").update(is_private=True)
    mia.client.get(f"{mia.home}history/sleep/")
    mia.send("history/allergies/add/", substance="Latex")
    page = text_of(mia.page())
    assert "Sleep" not in page
    assert "The medical history was changed" in page


def test_an_entry_of_another_login_says_so(mia, cast):
    audit.record(audit.Action.PICK, "ok", account_id=cast.okafor.pk, member_id=cast.mia.pk)
    assert mia.lines()[0] == ("The chart was opened", "Someone with another login")
    assert "okafor" not in text_of(mia.page())


def test_the_same_on_one_day_is_said_once(mia, staff, cast):
    for _look in range(3):
        staff.get(f"/admin/households/member/{cast.mia.pk}/change/")
    assert mia.lines()[0] == ("Looked at this chart (3 times)", "The practice")


def test_page_after_page_at_the_same_cost(mia, cast, monkeypatch):
    monkeypatch.setattr(activity, "ENTRIES", 5)
    mia.page()
    with CaptureQueriesContext(connection) as few:
        mia.page()
    for _entry in range(12):
        audit.record(
            audit.Action.EXPORT,
            "ok",
            member_id=cast.mia.pk,
            account_id=cast.rivera.pk,
            object_type="record",
        )
    with CaptureQueriesContext(connection) as many:
        mia.page()
    assert len(few) == len(many)
    assert len(many) <= 8
    assert "Show older" in text_of(mia.page())
    assert mia.lines("?page=3") == [
        ("A copy of the whole record was downloaded (2 times)", FAMILY),
        ("The chart was opened", FAMILY),
    ]
    for odd in ("0", "-1", "x", "99999", "\u0661", "1e3", ""):
        assert mia.page(f"?page={odd}").status_code == 200


def test_every_word_that_is_told_is_one_of_the_audits():
    for words in (activity._FAMILY, activity._STAFF, activity._PORTAL):
        for action, outcome, *thing in words:
            assert outcome in SAYS[action], (action, outcome)
            assert not thing or thing[0] in THINGS, thing
    assert activity._DECIDED.keys() <= SAYS["staff-change"].keys()
