"""Staff ask one person, or the people they tick: the people stand on the page, one press asks once."""

from __future__ import annotations

import datetime

import lxml.html
import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.models import StaffAccount
from households.intake.models import MemberAsk, QuestionnaireVersion
from households.models import Member
from tests.cast import NURSE_PASSWORD, practice_today, sign_in_as_staff
from tests.pages import fields_of, text_of, title_of

ASKS = "/admin/intake/memberask/"
PEOPLE = "/admin/households/member/"


@pytest.fixture
def staff(cast, client) -> Client:
    sign_in_as_staff(client)
    return client


@pytest.fixture
def intake(forms):
    return forms.form("New-patient intake")


def staff_with(*permissions: str) -> Client:
    account = StaffAccount.objects.create_user("desk@example.org", NURSE_PASSWORD)
    account.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    browser = Client()
    sign_in_as_staff(browser, "desk@example.org")
    return browser


def states(browser: Client, **question: str) -> list[str]:
    page = lxml.html.fromstring(browser.get(ASKS, question).content.decode())
    return [cell.text_content() for cell in page.find_class("field-state")]


# --- one person -----------------------------------------------------------------------


def test_one_person_is_asked_from_their_page(staff, intake, cast):
    tools = staff.get(f"{PEOPLE}{cast.mia.pk}/change/").content.decode()
    assert f'href="{ASKS}ask/{cast.mia.pk}/"' in tools
    page = staff.get(f"{ASKS}ask/{cast.mia.pk}/")
    assert "Mia Rivera (“Mimi”), 2016/04/27" in text_of(page)
    typed = {"questionnaire": intake.pk, "due_on": "2026/12/31", "why": "For the visit."}
    forged = {"member": cast.leo.pk, "asked_by": 1, "ended_at": "2020-01-01"}
    fields = fields_of(page, **typed, **forged)
    assert staff.post(f"{ASKS}ask/{cast.mia.pk}/", fields).status_code == 302
    ask = MemberAsk.objects.get()
    assert (ask.member, ask.questionnaire, ask.asked_by) == (cast.mia, intake, cast.nurse_staff)
    assert (ask.due_on, ask.ended_at) == (datetime.date(2026, 12, 31), None)
    entry = AuditEvent.objects.get(action="staff-change", outcome="added")
    assert (entry.member_id, entry.object_type) == (cast.mia.pk, "memberask")
    # The same page again: the button was pressed twice.
    staff.post(f"{ASKS}ask/{cast.mia.pk}/", fields)
    assert MemberAsk.objects.count() == 1
    assert "Mia Rivera 2016/04/27 New-patient intake once 2026/12/31 open" in text_of(
        staff.get(ASKS)
    )


def test_a_slip_is_refused_and_what_was_typed_stays(staff, intake, cast):
    page = f"{ASKS}ask/{cast.mia.pk}/"
    fields = fields_of(staff.get(page), why="For the visit.", again="months")
    answer = staff.post(page, fields)
    assert "Choose the form" in text_of(answer)
    assert "after how many months" in text_of(answer)
    assert "For the visit." in answer.content.decode()
    assert not MemberAsk.objects.exists()


def test_a_change_never_moves_it_to_another_person(staff, intake, cast, forms):
    ask = forms.ask_one(intake, cast.mia)
    page = staff.get(f"{ASKS}{ask.pk}/change/")
    assert "Mia Rivera (“Mimi”), 2016/04/27" in title_of(page)
    forged = {"member": cast.leo.pk, "questionnaire": forms.form("Other").pk}
    fields = fields_of(page, "memberask_form", due_on="2027/01/15", **forged)
    assert staff.post(f"{ASKS}{ask.pk}/change/", fields).status_code == 302
    ask.refresh_from_db()
    assert (ask.member, ask.questionnaire) == (cast.mia, intake)
    assert ask.due_on == datetime.date(2027, 1, 15)


def test_ended_once(staff, intake, cast, forms):
    ask = forms.ask_one(intake, cast.mia)
    assert "Stop asking" in text_of(staff.get(f"{ASKS}{ask.pk}/change/"))
    staff.post(f"{ASKS}{ask.pk}/end/")
    assert states(staff) == ["ended"]
    assert "ended before" in text_of(staff.post(f"{ASKS}{ask.pk}/end/", follow=True))
    entry = AuditEvent.objects.get(action="staff-change", outcome="ended")
    assert (entry.member_id, entry.object_type) == (cast.mia.pk, "memberask")


def test_who_may_not_ask_asks_nobody(intake, cast, forms):
    ask = forms.ask_one(intake, cast.leo)
    desk = staff_with("view_memberask", "view_member")
    page = f"{ASKS}ask/{cast.mia.pk}/"
    assert desk.get(page).status_code == 403
    assert desk.post(page, {"questionnaire": intake.pk}).status_code == 403
    people = {"questionnaire": intake.pk, "people": [cast.mia.pk]}
    assert desk.post(f"{ASKS}ask-people/", people).status_code == 403
    assert desk.post(f"{ASKS}{ask.pk}/end/").status_code == 403
    assert "ask_people" not in desk.get(PEOPLE).content.decode()
    assert "Ask for a form" not in text_of(desk.get(f"{PEOPLE}{cast.mia.pk}/change/"))
    assert MemberAsk.objects.count() == 1
    ask.refresh_from_db()
    assert ask.ended_at is None


def test_the_sites_add_leads_to_the_people(staff):
    answer = staff.get(f"{ASKS}add/", follow=True)
    assert "press “Ask for a form”" in text_of(answer)


# --- the state in the list ------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("received", "answered"),
        ("filed", "answered"),
        ("returned", "returned"),
        ("withdrawn", "open"),
    ],
)
def test_the_state_is_what_the_family_is_asked(staff, intake, cast, forms, status, expected):
    forms.ask_one(intake, cast.mia)
    forms.send(intake, cast.mia, status)
    forms.send(intake, cast.leo, "filed")
    assert states(staff) == [expected]


def test_overdue_begun_voided_and_not_published(staff, intake, cast, forms):
    yesterday = practice_today() - datetime.timedelta(days=1)
    ask = forms.ask_one(intake, cast.mia, due_on=yesterday)
    assert states(staff) == ["open, overdue"]
    draft = forms.begin(intake, cast.mia)
    assert states(staff) == ["begun, overdue"]
    draft.delete()
    signed = forms.sign(forms.send(intake, cast.mia, "filed"))
    assert states(staff) == ["answered"]
    signed.voided_at, signed.void_reason = timezone.now(), "Wrong person."
    signed.save()
    assert states(staff) == ["open, overdue"]
    QuestionnaireVersion.objects.update(status="retired")
    assert states(staff) == ["nobody: the form is not published"]
    assert states(staff, state="ended") == []
    MemberAsk.objects.filter(pk=ask.pk).update(ended_at=timezone.now())
    assert states(staff, state="ended") == ["ended"]


def test_the_list_costs_the_same_at_any_length(
    staff, intake, cast, forms, django_assert_num_queries
):
    forms.ask_one(intake, cast.mia)
    forms.send(intake, cast.mia)
    staff.get(ASKS)  # the practice's name is remembered
    with CaptureQueriesContext(connection) as counted:
        staff.get(ASKS)
    for number in range(10):
        other = forms.form(f"Form {number}")
        for person in (cast.mia, cast.leo, cast.ada):
            forms.ask_one(other, person)
        forms.send(other, cast.leo)
    with django_assert_num_queries(len(counted)):
        assert len(states(staff)) == 31


# --- the people who are ticked --------------------------------------------------------


def tick(browser: Client, *people: Member, **more: str):
    chosen = [person.pk for person in people]
    return browser.post(PEOPLE, {"action": "ask_people", "_selected_action": chosen, **more})


def test_the_people_ticked_are_named_and_asked_at_once(
    staff, intake, cast, django_assert_max_num_queries
):
    page = tick(staff, cast.mia, cast.ada)
    assert "Mia Rivera (“Mimi”), 2016/04/27" in text_of(page)
    assert "Ada Okafor, 1979/11/30" in text_of(page)
    assert "Leo" not in text_of(page)
    fields = fields_of(page, questionnaire=intake.pk, due_on="2026/12/31")
    answer = staff.post(f"{ASKS}ask-people/", fields, follow=True)
    assert "The families of 2 people see it first" in text_of(answer)
    assert {ask.member for ask in MemberAsk.objects.all()} == {cast.mia, cast.ada}
    entries = AuditEvent.objects.filter(outcome="added", object_type="memberask")
    assert {entry.member_id for entry in entries} == {cast.mia.pk, cast.ada.pk}
    staff.post(f"{ASKS}ask-people/", fields)
    assert MemberAsk.objects.count() == 2


def test_a_slip_keeps_the_people(staff, intake, cast):
    page = tick(staff, cast.mia, cast.ada)
    answer = staff.post(f"{ASKS}ask-people/", fields_of(page, due_on="tomorrow"))
    assert "year first" in text_of(answer)
    fields = fields_of(answer, questionnaire=intake.pk, due_on="2026/12/31")
    assert staff.post(f"{ASKS}ask-people/", fields).status_code == 302
    assert MemberAsk.objects.count() == 2


def test_nobody_ticked_and_too_many(staff, intake, cast, monkeypatch):
    answer = staff.post(
        f"{ASKS}ask-people/", {"questionnaire": intake.pk, "people": ["x", "9" * 30]}
    )
    assert "Nobody is chosen" in text_of(answer)
    monkeypatch.setattr("households.intake.member_ask_admin.MOST_PEOPLE", 3)
    everybody = [*Member.objects.all()]
    answer = staff.post(
        PEOPLE,
        {
            "action": "ask_people",
            "_selected_action": [person.pk for person in everybody],
            "select_across": "1",
        },
        follow=True,
    )
    assert "At most 3 people" in text_of(answer)
    assert not MemberAsk.objects.exists()


def test_asking_many_is_one_insert(staff, intake, cast):
    everybody = [*Member.objects.all()]
    fields = fields_of(tick(staff, *everybody), questionnaire=intake.pk)
    with CaptureQueriesContext(connection) as seen:
        staff.post(f"{ASKS}ask-people/", fields)
    inserts = [one for one in seen if one["sql"].startswith('INSERT INTO "intake_memberask"')]
    assert len(inserts) == 1
    assert MemberAsk.objects.count() == len(everybody)
