"""Staff ask families for a form by a rule: whom it means stands on the page, and a slip is refused."""

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
from households.intake.ask_admin import people_of
from households.intake.asking import asked_of
from households.intake.models import Ask, QuestionnaireVersion
from households.models import Member
from tests.cast import NURSE_PASSWORD, member, practice_today, sign_in_as_staff
from tests.pages import fields_of, text_of

ASKS = "/admin/intake/ask/"


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
    assert account.user_permissions.count() == len(permissions)
    browser = Client()
    sign_in_as_staff(browser, "desk@example.org")
    return browser


def add(browser: Client, form, **typed):
    page = browser.get(f"{ASKS}add/")
    fields = fields_of(page, "ask_form", **{"questionnaire": form.pk, **typed})
    return browser.post(f"{ASKS}add/", fields)


def rows(browser: Client, **question: str) -> list[list[str]]:
    page = lxml.html.fromstring(browser.get(ASKS, question).content.decode())
    return [
        [cell.text_content() for cell in row.xpath("./th|./td")]
        for row in page.xpath("//table[@id='result_list']/tbody/tr")
    ]


def test_everyone_is_asked(staff, intake, cast):
    answer = add(staff, intake, due_on="2026/12/31", why="We see everybody anew.")
    assert answer.status_code == 302
    ask = Ask.objects.get()
    assert (ask.questionnaire, ask.whom, ask.again) == (intake, "everyone", "once")
    assert (ask.due_on, ask.asked_by) == (datetime.date(2026, 12, 31), cast.nurse_staff)
    (row,) = rows(staff)
    everybody = str(Member.objects.count())
    assert row[:6] == [
        "New-patient intake",
        "everyone",
        everybody,
        "once",
        "2026/12/31",
        "asked now",
    ]
    entry = AuditEvent.objects.get(action="staff-change", outcome="added")
    assert (entry.object_type, entry.object_id) == ("ask", str(ask.pk))
    assert [one.questionnaire for one in asked_of(cast.mia, practice_today())] == [intake]


def test_a_household_is_asked_by_its_email_however_it_is_typed(staff, intake, cast):
    answer = add(staff, intake, whom="household", email=" Rivera@Example.org ")
    assert answer.status_code == 302
    assert Ask.objects.get().email_key == "rivera@example.org"
    assert rows(staff)[0][1:3] == ["rivera@example.org", "5"]


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"whom": "household", "email": "nobody@example.org"}, "Nobody on file has this email"),
        ({"whom": "household", "email": ""}, "There is no email address"),
        ({"whom": "household", "email": "riverа@example.org"}, "only looks like a plain letter"),
        ({"whom": "everyone", "email": "rivera@example.org"}, "for “everyone on one email”"),
        ({"whom": "everyone", "age_from": "12"}, "for “everyone of an age”"),
        ({"whom": "ages"}, "from which age, or to which"),
        ({"whom": "ages", "age_from": "18", "age_to": "12"}, "under the first age"),
        ({"whom": "ages", "age_from": "170"}, "less than or equal to 130"),
        ({"again": "months"}, "after how many months"),
        ({"again": "months", "months": "0"}, "greater than or equal to 1"),
        ({"again": "once", "months": "6"}, "for “every few months”"),
        ({"due_on": "31.12.2026"}, "year first"),
        ({"questionnaire": ""}, "Choose the form"),
    ],
)
def test_a_slip_is_refused_and_what_was_typed_stays(staff, intake, typed, says):
    answer = add(staff, intake, **{"why": "For the visit.", **typed})
    assert answer.status_code == 200
    assert says in text_of(answer)
    assert fields_of(answer, "ask_form")["why"] == ["For the visit."]
    assert not Ask.objects.exists()


def test_only_published_forms_can_be_asked(staff, forms, intake):
    draft = forms.form("Not ready", published=False)
    page = staff.get(f"{ASKS}add/")
    assert "New-patient intake" in text_of(page)
    assert "Not ready" not in text_of(page)
    assert add(staff, draft).status_code == 200
    assert not Ask.objects.exists()


def test_the_button_pressed_twice_asks_once(staff, intake):
    add(staff, intake, whom="ages", age_from="12", age_to="17")
    answer = add(staff, intake, whom="ages", age_from="12", age_to="17")
    assert "just this is asked of them already" in text_of(answer)
    assert Ask.objects.count() == 1
    assert add(staff, intake, whom="ages", age_from="12", age_to="18").status_code == 302


def test_a_rule_is_changed_but_never_whom_it_means(staff, intake, forms):
    ask = forms.ask(intake, whom="household", email_key="rivera@example.org")
    page = f"{ASKS}{ask.pk}/change/"
    typed = {"whom": "everyone", "email_key": "", "questionnaire": forms.form("Other").pk}
    fields = fields_of(staff.get(page), "ask_form", again="months", months="12", **typed)
    assert staff.post(page, fields).status_code == 302
    ask.refresh_from_db()
    assert (ask.again, ask.months) == ("months", 12)
    assert (ask.whom, ask.email_key, ask.questionnaire) == (
        "household",
        "rivera@example.org",
        intake,
    )


def test_a_change_over_somebody_elses_is_shown_first(staff, intake, forms):
    ask = forms.ask(intake)
    fields = fields_of(staff.get(f"{ASKS}{ask.pk}/change/"), "ask_form", why="Mine")
    Ask.objects.update(why="Theirs")
    answer = staff.post(f"{ASKS}{ask.pk}/change/", fields)
    assert "Somebody changed this record" in text_of(answer)
    ask.refresh_from_db()
    assert ask.why == "Theirs"


def test_ended_once(staff, intake, forms, cast):
    ask = forms.ask(intake)
    said = staff.post(f"{ASKS}{ask.pk}/end/", follow=True)
    assert "Nobody is asked by it any more" in text_of(said)
    ask.refresh_from_db()
    first = ask.ended_at
    assert asked_of(cast.mia, practice_today()) == []
    assert "ended before" in text_of(staff.post(f"{ASKS}{ask.pk}/end/", follow=True))
    ask.refresh_from_db()
    assert ask.ended_at == first
    assert "Stop asking" not in text_of(staff.get(f"{ASKS}{ask.pk}/change/"))
    assert rows(staff)[0][5] == "ended"
    assert AuditEvent.objects.filter(outcome="ended", object_type="ask").count() == 1


def test_who_may_not_ask_asks_nobody(intake, forms, cast):
    ask = forms.ask(intake)
    desk = staff_with("view_ask")
    assert desk.get(ASKS).status_code == 200
    assert desk.get(f"{ASKS}add/").status_code == 403
    assert desk.post(f"{ASKS}add/", {"questionnaire": intake.pk}).status_code == 403
    assert desk.post(f"{ASKS}{ask.pk}/end/").status_code == 403
    assert "Stop asking" not in text_of(desk.get(f"{ASKS}{ask.pk}/change/"))
    ask.refresh_from_db()
    assert ask.ended_at is None
    StaffAccount.objects.filter(email="desk@example.org").get().user_permissions.clear()
    assert desk.get(ASKS).status_code == 403


def test_nothing_is_deleted(staff, intake, forms):
    ask = forms.ask(intake)
    assert staff.post(f"{ASKS}{ask.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_form_that_is_not_published_is_asked_of_nobody(staff, intake, forms):
    forms.ask(intake)
    QuestionnaireVersion.objects.update(status="retired")
    assert rows(staff)[0][5] == "nobody: the form is not published"


def test_how_many_people_an_age_means_is_what_the_families_are_asked(forms, intake, cast):
    """The list's counts, by dates in the database, against the rule that the families' pages ask."""
    for number, born in enumerate(["2008/02/29", "2008/03/01", "2008/02/28", "2013/11/27"]):
        member(f"Person{number}", "Aged", born, f"aged{number}@example.org")
    Member.objects.filter(first_name="Person3").update(date_of_birth=None)
    bands = [(0, 5), (5, None), (None, 17), (18, 18), (18, None), (10, 10), (None, 0)]
    asks = [forms.ask(intake, whom="ages", age_from=a, age_to=b) for a, b in bands]
    for today in [
        *(datetime.date(2026, 2, 28), datetime.date(2026, 3, 1), datetime.date(2024, 2, 29)),
        *(datetime.date(2026, 4, 26), datetime.date(2026, 4, 27), datetime.date(2028, 2, 29)),
    ]:
        counted = people_of(asks, today)
        for ask in asks:
            Ask.objects.exclude(pk=ask.pk).update(ended_at=timezone.now())
            Ask.objects.filter(pk=ask.pk).update(ended_at=None)
            asked = [one for one in Member.objects.all() if asked_of(one, today)]
            assert counted[ask.pk] == len(asked), (ask.age_from, ask.age_to, today)


def test_the_list_costs_the_same_at_any_length(staff, forms, intake, django_assert_num_queries):
    def ask_of_each() -> None:
        forms.ask(intake, whom="household", email_key="rivera@example.org")
        forms.ask(intake, whom="household", email_key="okafor@example.org")
        forms.ask(intake, whom="ages", age_from=12, age_to=17)
        forms.ask(forms.form("Another"))

    ask_of_each()
    staff.get(ASKS)  # the practice's name is remembered
    with CaptureQueriesContext(connection) as counted:
        staff.get(ASKS)
    for _number in range(8):
        ask_of_each()
    with django_assert_num_queries(len(counted)):
        assert len(rows(staff)) == 36
