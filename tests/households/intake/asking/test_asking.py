"""Who is asked what, on which day, and when it is answered."""

from __future__ import annotations

import datetime
import zoneinfo

import pytest
from django.utils import timezone

from households.intake.asking import asked_of, months_after
from households.intake.models import Ask, MemberAsk, QuestionnaireVersion
from tests.cast import member

TODAY = datetime.date(2026, 11, 27)
NEW_YORK = zoneinfo.ZoneInfo("America/New_York")


@pytest.fixture(autouse=True)
def at_the_practice():
    with timezone.override(NEW_YORK):
        yield


def noon(year: int, month: int, day: int, hour: int = 12, minute: int = 0) -> datetime.datetime:
    return datetime.datetime(year, month, day, hour, minute, tzinfo=NEW_YORK)


def states(member, today=TODAY) -> dict[str, str]:
    return {one.questionnaire.title: one.state for one in asked_of(member, today)}


def state(member, today=TODAY) -> str:
    return states(member, today).get("Intake", "not asked")


# --- whom ------------------------------------------------------------------------------


def test_everyone_is_everyone_and_who_comes_later_too(forms, cast):
    forms.ask(forms.form())
    late = member("Noa", "Late", "2020/01/01", "noa@example.org")
    assert {state(one) for one in (cast.mia, cast.ada, cast.nurse_member, late)} == {"open"}


def test_a_household_is_who_is_on_the_email_now(forms, cast):
    forms.ask(forms.form(), whom="household", email_key="rivera@example.org")
    assert state(cast.mia) == state(cast.elena) == "open"  # "Rivera@Example.org" on Mia's file
    assert state(cast.other_mia) == "not asked"
    cast.other_mia.email = "RIVERA@example.org"
    cast.other_mia.save()
    assert state(cast.other_mia) == "open"
    cast.mia.email = ""
    cast.mia.save()
    assert state(cast.mia) == "not asked"


def test_one_person_and_nobody_else_of_the_same_name_or_household(forms, cast):
    forms.ask_one(forms.form(), cast.mia)
    assert state(cast.mia) == "open"
    assert {state(one) for one in (cast.leo, cast.elena, cast.other_mia)} == {"not asked"}


@pytest.mark.parametrize(
    ("born", "today", "age_from", "age_to", "is_asked"),
    [
        # The birthday itself, the day before and after.
        ((2014, 11, 27), (2026, 11, 26), 12, None, False),
        ((2014, 11, 27), (2026, 11, 27), 12, None, True),
        ((2014, 11, 27), (2027, 11, 26), None, 12, True),
        ((2014, 11, 27), (2027, 11, 27), None, 12, False),
        # Both ends are included.
        ((2014, 11, 27), (2026, 11, 27), 12, 12, True),
        ((2013, 11, 27), (2026, 11, 27), 12, 12, False),
        # Born on 29 February: in other years a year older on 1 March.
        ((2020, 2, 29), (2025, 2, 28), 5, None, False),
        ((2020, 2, 29), (2025, 3, 1), 5, None, True),
        ((2020, 2, 29), (2028, 2, 28), 8, None, False),
        ((2020, 2, 29), (2028, 2, 29), 8, None, True),
        # The first year of life is age 0.
        ((2026, 11, 27), (2026, 11, 27), 0, 0, True),
        ((2026, 11, 27), (2026, 11, 27), 1, None, False),
        ((2000, 1, 1), (2026, 11, 27), None, None, True),
    ],
)
def test_an_age_is_that_of_the_day(forms, cast, born, today, age_from, age_to, is_asked):
    forms.ask(forms.form(), whom="ages", age_from=age_from, age_to=age_to)
    cast.mia.date_of_birth = datetime.date(*born)
    assert (state(cast.mia, datetime.date(*today)) == "open") == is_asked


def test_who_has_no_birth_date_on_file_is_of_no_age(forms, cast):
    forms.ask(forms.form(), whom="ages", age_from=0, age_to=None)
    cast.mia.date_of_birth = None
    assert state(cast.mia) == "not asked"


def test_an_ended_rule_asks_nobody(forms, cast):
    form = forms.form()
    forms.ask(form, ended_at=timezone.now())
    forms.ask_one(form, cast.mia, ended_at=timezone.now())
    assert state(cast.mia) == "not asked"


def test_a_form_that_is_not_published_any_more_is_asked_of_nobody(forms, cast):
    form = forms.form()
    forms.ask(form)
    forms.ask(forms.form("Not yet", published=False))
    forms.send(form, cast.mia, "returned")
    assert state(cast.mia) == "returned"
    QuestionnaireVersion.objects.update(status="retired")
    assert states(cast.mia) == {}


# --- once ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("received", "sent"),
        ("seen", "done"),
        ("filed", "done"),
        ("returned", "returned"),
        ("withdrawn", "open"),
    ],
)
def test_what_was_sent_answers_while_it_stands(forms, cast, status, expected):
    form = forms.form()
    forms.ask(form)
    sent = forms.send(form, cast.mia, status)
    (asked,) = asked_of(cast.mia, TODAY)
    assert asked.state == expected
    assert asked.latest == (sent if expected in {"sent", "done"} else None)
    assert asked.again == (sent if expected == "returned" else None)
    assert asked.reason == ("Please say more." if expected == "returned" else "")
    assert state(cast.leo) == "open"


def test_once_is_once_whatever_version_was_sent(forms, cast):
    form = forms.form()
    forms.send(form, cast.mia, at=noon(2020, 1, 1))
    forms.ask(form)
    forms.publish(form)
    assert state(cast.mia) == "sent"


def test_asking_one_person_asks_for_a_new_one(forms, cast):
    form = forms.form()
    forms.send(form, cast.mia, "filed", at=noon(2026, 11, 1))
    forms.ask_one(form, cast.mia, asked_at=noon(2026, 11, 20))
    assert state(cast.mia) == "open"
    forms.send(form, cast.mia, at=noon(2026, 11, 21))
    assert state(cast.mia) == "sent"


def test_a_draft_is_in_progress_until_it_is_sent(forms, cast):
    form = forms.form()
    forms.ask(form)
    draft = forms.begin(form, cast.mia)
    forms.begin(form, cast.leo)
    (asked,) = asked_of(cast.mia, TODAY)
    assert (asked.state, asked.draft) == ("in-progress", draft)
    forms.send(forms.form("Other"), cast.mia)
    assert state(cast.mia) == "in-progress"


def test_a_correction_in_progress_does_not_ask_again(forms, cast):
    form = forms.form()
    forms.ask(form)
    sent = forms.send(form, cast.mia, "filed")
    draft = forms.begin(form, cast.mia, corrects=sent)
    (asked,) = asked_of(cast.mia, TODAY)
    assert (asked.state, asked.draft, asked.latest) == ("done", draft, sent)


def test_a_draft_of_the_version_asked_comes_before_an_older_one(forms, cast):
    form = forms.form()
    forms.ask(form)
    old = forms.begin(form, cast.mia)
    forms.publish(form)
    assert asked_of(cast.mia, TODAY)[0].draft == old
    new = forms.begin(form, cast.mia, saved_at=noon(2020, 1, 1))
    assert asked_of(cast.mia, TODAY)[0].draft == new


def test_a_returned_one_is_not_made_good_by_an_older_one(forms, cast):
    form = forms.form()
    forms.ask(form)
    old = forms.send(form, cast.mia, "filed", at=noon(2026, 1, 1))
    forms.send(form, cast.mia, "returned", at=noon(2026, 2, 1), corrects=old)
    assert state(cast.mia) == "returned"
    forms.send(form, cast.mia, "received", at=noon(2026, 3, 1))
    assert state(cast.mia) == "sent"


def test_returned_and_carried_on_is_in_progress(forms, cast):
    form = forms.form()
    forms.ask(form)
    sent = forms.send(form, cast.mia, "returned")
    forms.begin(form, cast.mia, corrects=sent)
    (asked,) = asked_of(cast.mia, TODAY)
    assert (asked.state, asked.again) == ("in-progress", sent)


def test_a_returned_form_that_nobody_asked_for_is_still_to_be_looked_at(forms, cast):
    forms.send(forms.form(), cast.mia, "returned")
    assert state(cast.mia) == "returned"
    forms.send(forms.form("Fine"), cast.mia, "filed")
    assert states(cast.mia) == {"Intake": "returned"}


# --- every few months ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent_at", "months", "today", "is_asked"),
    [
        (noon(2026, 5, 27), 6, (2026, 11, 26), False),
        (noon(2026, 5, 27), 6, (2026, 11, 27), True),
        (noon(2025, 11, 27), 12, (2026, 11, 26), False),
        (noon(2025, 11, 27), 12, (2026, 11, 27), True),
        # A month without that day: its last one.
        (noon(2026, 8, 31), 6, (2027, 2, 27), False),
        (noon(2026, 8, 31), 6, (2027, 2, 28), True),
        (noon(2028, 2, 29), 12, (2029, 2, 27), False),
        (noon(2028, 2, 29), 12, (2029, 2, 28), True),
        # Five to midnight at the practice is the next day in UTC already; five past is not the day before.
        (noon(2026, 5, 27, 23, 55), 6, (2026, 11, 27), True),
        (noon(2026, 5, 28, 0, 5), 6, (2026, 11, 27), False),
    ],
)
def test_every_few_months(forms, cast, sent_at, months, today, is_asked):
    form = forms.form()
    forms.ask(form, again="months", months=months, due_on=datetime.date(2020, 1, 1))
    forms.send(form, cast.mia, "filed", at=sent_at)
    today = datetime.date(*today)
    assert (state(cast.mia, today) == "open") == is_asked
    if is_asked:
        local = timezone.localdate(sent_at)
        assert asked_of(cast.mia, today)[0].due_on == months_after(local, months)


def test_the_day_is_the_practices(forms, cast):
    form = forms.form()
    forms.ask(form, again="months", months=6)
    forms.send(form, cast.mia, at=noon(2026, 5, 27, 23, 55))
    with timezone.override(zoneinfo.ZoneInfo("Asia/Tokyo")):
        assert state(cast.mia, datetime.date(2026, 11, 27)) == "sent"
        assert state(cast.mia, datetime.date(2026, 11, 28)) == "open"


def test_what_was_returned_or_taken_back_does_not_put_it_off(forms, cast):
    form = forms.form()
    forms.ask(form, again="months", months=12)
    forms.send(form, cast.mia, "filed", at=noon(2024, 1, 1))
    forms.send(form, cast.mia, "withdrawn", at=noon(2026, 11, 1))
    assert state(cast.mia) == "open"
    forms.send(form, cast.leo, "returned", at=noon(2026, 11, 1))
    assert state(cast.leo) == "returned"


# --- each new version -------------------------------------------------------------------


def test_each_new_version_asks_again(forms, cast):
    form = forms.form()
    forms.ask(form, again="version")
    forms.send(form, cast.mia, "filed")
    assert state(cast.mia) == "done"
    new = forms.publish(form)
    (asked,) = asked_of(cast.mia, TODAY)
    assert (asked.state, asked.version) == ("open", new)
    old = QuestionnaireVersion.objects.get(questionnaire=form, number=1)
    forms.send(form, cast.mia, version=old)  # a draft of the old one, sent after all
    assert state(cast.mia) == "open"
    forms.send(form, cast.mia)
    assert state(cast.mia) == "sent"


def test_an_old_due_day_is_not_that_of_the_new_version(forms, cast):
    form = forms.form()
    forms.ask(form, again="version", due_on=datetime.date(2026, 1, 31))
    forms.send(form, cast.mia, at=noon(2026, 1, 15))
    forms.publish(form, published_at=noon(2026, 10, 1))
    assert asked_of(cast.mia, TODAY)[0].due_on is None
    assert asked_of(cast.leo, TODAY)[0].due_on == datetime.date(2026, 1, 31)


# --- signatures -------------------------------------------------------------------------


@pytest.mark.parametrize("decision", ["accepted", "declined"])
def test_a_declined_consent_is_an_answer(forms, cast, decision):
    consent = forms.form(kind="consent", needs_signature=True)
    forms.ask(consent)
    forms.sign(forms.send(consent, cast.mia), decision=decision)
    assert state(cast.mia) == "sent"


@pytest.mark.parametrize("is_asked", [True, False])
def test_a_voided_signature_asks_again(forms, cast, is_asked):
    consent = forms.form(kind="consent", needs_signature=True)
    if is_asked:
        forms.ask(consent)
    older = forms.send(consent, cast.mia, "filed", at=noon(2025, 1, 1))
    forms.sign(older)
    sent = forms.send(consent, cast.mia, "filed", at=noon(2026, 1, 1))
    forms.sign(sent, voided_at=timezone.now(), void_reason="Signed for the wrong person.")
    (asked,) = asked_of(cast.mia, TODAY)
    assert (asked.state, asked.again) == ("open", sent)
    assert asked.reason == "Signed for the wrong person."
    forms.sign(forms.send(consent, cast.mia, at=noon(2026, 2, 1)))
    assert state(cast.mia) == ("sent" if is_asked else "not asked")


# --- several rules, and the order --------------------------------------------------------


def test_a_form_stands_once_with_the_earliest_day(forms, cast):
    form = forms.form()
    forms.ask(form, why="Everybody fills this in.")
    forms.ask(
        form, whom="household", email_key="rivera@example.org", due_on=datetime.date(2026, 12, 24)
    )
    forms.ask_one(form, cast.mia, due_on=datetime.date(2026, 12, 1), why="For your visit.")
    (asked,) = asked_of(cast.mia, TODAY)
    assert (asked.due_on, asked.why) == (datetime.date(2026, 12, 1), "For your visit.")
    (asked,) = asked_of(cast.leo, TODAY)
    assert (asked.due_on, asked.why) == (datetime.date(2026, 12, 24), "Everybody fills this in.")


def test_one_rule_that_is_not_answered_keeps_it_open(forms, cast):
    form = forms.form()
    forms.ask(form)
    forms.ask(form, again="months", months=1)
    forms.send(form, cast.mia, "filed", at=noon(2026, 1, 1))
    assert state(cast.mia) == "open"
    assert state(cast.mia, datetime.date(2026, 1, 15)) == "done"


def test_due_first_then_without_a_day_then_what_is_answered(forms, cast):
    for title, due_on in [
        ("Later", datetime.date(2027, 1, 1)),
        ("Any time", None),
        ("Overdue", datetime.date(2026, 1, 1)),
    ]:
        forms.ask(forms.form(title), due_on=due_on)
    for title, at in [("Long done", noon(2026, 1, 1)), ("Just done", noon(2026, 11, 1))]:
        form = forms.form(title)
        forms.ask(form, due_on=datetime.date(2020, 1, 1))
        forms.send(form, cast.mia, "filed", at=at)
    assert [*states(cast.mia)] == ["Overdue", "Later", "Any time", "Just done", "Long done"]


def test_nobody_is_late_for_what_was_due_before_they_came(forms, cast):
    form = forms.form()
    forms.ask(form, due_on=datetime.date(2026, 1, 31), asked_at=noon(2026, 1, 1))
    assert asked_of(cast.mia, TODAY)[0].due_on is None
    type(cast.mia).objects.filter(pk=cast.mia.pk).update(created_at=noon(2025, 1, 1))
    cast.mia.refresh_from_db()
    assert asked_of(cast.mia, TODAY)[0].due_on == datetime.date(2026, 1, 31)


# --- what it costs ----------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 30])
def test_three_queries_at_any_size(forms, cast, django_assert_num_queries, size):
    for number in range(size):
        form = forms.form(f"Form {number}")
        forms.ask(form)
        forms.ask_one(form, cast.mia)
        forms.sign(forms.send(form, cast.mia))
        forms.begin(form, cast.mia)
    with django_assert_num_queries(3):
        found = asked_of(cast.mia, TODAY)
        shown = [
            (one.questionnaire.title, one.version.number, one.latest.signature.decision)
            for one in found
            if one.latest is not None
        ]
    assert len(found) == len(shown) == size


def test_asking_is_not_stored(forms, cast):
    forms.ask(forms.form())
    asked_of(cast.mia, TODAY)
    assert (Ask.objects.count(), MemberAsk.objects.count()) == (1, 0)
