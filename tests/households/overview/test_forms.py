"""Forms on a member's home: what it says is what the forms' own rules say, and it costs no query more."""

from __future__ import annotations

import datetime
import random

import lxml.html
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from households.documents.models import DocumentRequest
from households.intake.asking import asked_of
from households.intake.models import QuestionnaireVersion
from households.overview.standing import standing_of
from tests.cast import pick, practice_today, sign_in
from tests.pages import text_of


@pytest.fixture
def family(cast, client) -> Client:
    sign_in(client, "rivera@example.org")
    client.home = f"/for/{pick(client, 'Mia', '2016/04/27')}/"
    return client


def rows(client: Client) -> list[tuple[str, str, str]]:
    """Title, status words and the word for the style, of each task."""
    page = lxml.html.fromstring(client.get(client.home).content.decode())
    found = []
    for row in page.find_class("row"):
        link, status = row.find("a"), row.find_class("status")
        if link is not None and status:
            words = " ".join(status[0].text_content().split())
            style = status[0].get("class").removeprefix("status status-")
            found.append((link.text_content(), words, style))
    return found


def task(client: Client, title: str = "Intake") -> tuple[str, str] | None:
    return next((row[1:] for row in rows(client) if row[0] == title), None)


def opens(client: Client, title: str = "Intake") -> str:
    page = lxml.html.fromstring(client.get(client.home).content.decode())
    (link,) = page.xpath(f"//a[.='{title}']/@href")
    assert client.get(link).status_code in {200, 302}
    return link.removeprefix(client.home)


def progress(client: Client) -> str:
    return text_of(client.get(client.home)).partition("Before the visit ")[2].partition(" done")[0]


def in_days(days: int) -> datetime.date:
    return practice_today() + datetime.timedelta(days=days)


def said(day: datetime.date) -> str:
    return f"{day:%Y/%m/%d}"


def test_from_asked_to_done(family, forms, cast):
    form = forms.form()
    assert task(family) is None
    forms.ask(form, due_on=in_days(3))
    assert task(family) == (f"Due {said(in_days(3))}", "asked")
    assert progress(family) == "0 of 3"
    assert opens(family) == f"forms/start/{form.public_id}/"
    draft = forms.begin(form, cast.mia)
    assert task(family) == (f"Begun: carry on. Due {said(in_days(3))}", "in-progress")
    assert opens(family) == f"forms/{draft.public_id}/"
    draft.delete()
    sent = forms.send(form, cast.mia)
    assert task(family) == (f"Sent {said(practice_today())}", "done")
    assert opens(family) == f"forms/{sent.public_id}/"
    assert progress(family) == "1 of 3"
    assert task(family, "Forms") == ("1 sent", "sent")
    type(sent.submission).objects.filter(pk=sent.submission_id).update(
        status="returned", reason="Please say more.", returned_at=timezone.now()
    )
    assert task(family) == ("Returned: look at it again", "returned")
    assert opens(family) == f"forms/{sent.public_id}/"
    assert progress(family) == "0 of 3"


def test_a_voided_signature_is_to_be_given_again(family, forms, cast):
    consent = forms.form("Consent", kind="consent", needs_signature=True)
    sent = forms.send(consent, cast.mia, "filed")
    forms.sign(sent, voided_at=timezone.now(), void_reason="Wrong person.")
    assert task(family, "Consent") == ("To be signed again", "returned")
    forms.sign(forms.send(consent, cast.mia), decision="declined")
    assert task(family, "Consent") is None


def test_overdue_due_today_and_without_a_day(family, forms):
    forms.ask(forms.form("Late"), due_on=in_days(-1), asked_at=timezone.now())
    forms.ask(forms.form("Today"), due_on=in_days(0))
    forms.ask(forms.form("Some day"))
    assert task(family, "Late") == (f"Overdue: it was due {said(in_days(-1))}", "asked")
    assert task(family, "Today") == ("Due today", "asked")
    assert task(family, "Some day") == ("To fill in", "not-started")


def test_papers_and_forms_stand_by_the_day_they_are_due(family, forms, cast):
    forms.ask(forms.form("Form 2"), due_on=in_days(2))
    forms.ask(forms.form("Form without"))
    forms.send(forms.ask(forms.form("Form done")).questionnaire, cast.mia)
    for day in (1, 3):
        DocumentRequest.objects.create(member=cast.mia, what=f"Paper {day}", due_on=in_days(day))
    titles = [row[0] for row in rows(family)][:5]
    assert titles == ["Paper 1", "Form 2", "Paper 3", "Form without", "Form done"]


def test_done_stays_for_a_while(family, forms, cast):
    form = forms.form()
    forms.ask(form)
    forms.send(form, cast.mia, "filed", at=timezone.now() - datetime.timedelta(days=29))
    assert task(family)[1] == "done"
    other = forms.form("Old")
    forms.ask(other)
    forms.send(other, cast.mia, "filed", at=timezone.now() - datetime.timedelta(days=31))
    assert task(family, "Old") is None


def test_what_was_begun_without_being_asked_can_be_carried_on(family, forms, cast):
    draft = forms.begin(forms.form(is_offered=True), cast.mia)
    assert task(family) == ("Begun: carry on", "in-progress")
    assert opens(family) == f"forms/{draft.public_id}/"


def test_nothing_of_the_brothers(family, forms, cast):
    form = forms.form()
    forms.ask_one(form, cast.leo)
    forms.begin(form, cast.leo)
    forms.send(forms.form("Other"), cast.leo, "returned")
    assert [row[0] for row in rows(family)] == ["Details", "Medical history", "Forms", "Documents"]
    assert task(family, "Forms") == ("Nothing sent yet", "sent")
    assert "Other" not in text_of(family.get(family.home))


def test_lately_says_which_form(family, forms, cast):
    sent = forms.send(forms.form("PHQ-9"), cast.mia)
    sent.submission.seen_at = sent.submission.returned_at = timezone.now()
    sent.submission.status, sent.submission.reason = "returned", "Please say more."
    sent.submission.save()
    lately = text_of(family.get(family.home)).partition("Lately in")[2]
    for words in ["Sent: PHQ-9", "Seen by the practice: PHQ-9", "Returned by the practice: PHQ-9"]:
        assert words in lately
    forms.send(forms.form("Taken back"), cast.mia, "withdrawn")
    assert "Taken back" not in text_of(family.get(family.home))


def test_no_query_more_whatever_is_asked(family, forms, cast):
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert family.get(family.home).status_code == 200
        return len(seen)

    family.get(family.home)
    nothing = queries()
    for number in range(20):
        form = forms.form(f"Form {number}")
        forms.ask(form)
        forms.ask_one(form, cast.mia)
        forms.begin(form, cast.mia)
        forms.sign(forms.send(form, cast.mia))
    assert queries() == nothing == 7


# --- the statement written by hand, against the rules ---------------------------------

STATE = {"returned": "returned", "in-progress": "in-progress", "open": "open"}


@pytest.mark.parametrize("seed", range(12))
def test_the_home_says_what_the_rules_say(forms, cast, seed):
    """Any forms, rules and responses: the home's one statement and asking.py agree on each of them."""
    chance = random.Random(seed)
    now = timezone.now()
    everybody = [cast.elena, cast.mia, cast.leo, cast.other_mia]
    for number in range(6):
        form = forms.form(f"Form {number}", needs_signature=True)
        if chance.random() < 0.3:
            forms.publish(form, published_at=now - datetime.timedelta(days=30))
        for _rule in range(chance.randrange(4)):
            forms.ask(form, **_any_rule(chance, now))
        for person in everybody:
            _answer(forms, chance, now, form, person)
        if chance.random() < 0.2:
            QuestionnaireVersion.objects.filter(questionnaire=form).update(status="retired")
    today = timezone.localdate()
    for person in everybody:
        said = {row.title: row for row in standing_of(person).forms.rows(person, today)}
        asked = {one.questionnaire.title: one for one in asked_of(person, today)}
        for title, one in asked.items():
            row = said.pop(title)
            if one.is_answered and one.draft is None:
                assert (row.state, row.response) == ("done", one.latest.public_id)
                continue
            expected = one.draft or one.again
            assert row.response == (expected.public_id if expected else None), title
            if expected is None:
                assert (row.state, row.form) == ("open", one.questionnaire.public_id)
            if not one.is_answered:
                assert row.due_on == one.due_on
                voided = one.state == "open" and one.again is not None
                assert row.state == ("voided" if voided else STATE[one.state])
        # What else stands there is begun, and nobody asked for it.
        assert {row.state for row in said.values()} <= {"in-progress"}


def _any_rule(chance: random.Random, now: datetime.datetime) -> dict:
    whom = chance.choice(
        [
            {"whom": "everyone"},
            {"whom": "ages", "age_from": chance.choice([None, 0, 10, 18]), "age_to": 40},
            {"whom": "household", "email_key": "rivera@example.org"},
        ]
    )
    again = chance.choice(
        [{"again": "once"}, {"again": "months", "months": 2}, {"again": "version"}]
    )
    return {
        **whom,
        **again,
        "due_on": chance.choice([None, now.date() - datetime.timedelta(days=chance.randrange(90))]),
        "asked_at": now - datetime.timedelta(days=chance.randrange(90)),
        "ended_at": chance.choice([None, None, now]),
    }


def _answer(forms, chance, now, form, person) -> None:
    if chance.random() < 0.3:
        forms.ask_one(form, person, asked_at=now - datetime.timedelta(days=chance.randrange(90)))
    versions = [*QuestionnaireVersion.objects.filter(questionnaire=form)]
    for _response in range(chance.randrange(3)):
        sent = forms.send(
            form,
            person,
            chance.choice(["received", "filed", "returned", "withdrawn"]),
            at=now
            - datetime.timedelta(days=chance.randrange(1, 120), minutes=chance.randrange(900)),
            version=chance.choice(versions),
        )
        voided = {"voided_at": now, "void_reason": "Wrong."} if chance.random() < 0.3 else {}
        forms.sign(sent, **voided)
    if chance.random() < 0.3:
        forms.begin(form, person, version=chance.choice(versions))
