"""An adult is opened by the login of a shared email only with their own consent (R-WP-13, MB-21)."""

from __future__ import annotations

import datetime

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client

from accounts.audit.models import AuditEvent
from households.birthdays import ages_in, birthday_at, born_to_reach
from households.documents.models import Document
from households.models import (
    AdultConsent,
    Birthday,
    KeptText,
    Member,
    Practice,
    adult_age_now,
    database_today,
)
from households.portal_access import opened_by, why_closed
from tests.cast import member, pick, sign_in, sign_in_as_staff
from tests.files import png
from tests.pages import fields_of, text_of

DAY = datetime.timedelta(days=1)
LEO = ("Leo", "2018/09/03")


def turns(age: int, on: datetime.date) -> str:
    """A birth date, as typed, of somebody who is `age` on that day for the first time."""
    born = datetime.date(on.year - age, on.month, on.day if (on.month, on.day) != (2, 29) else 28)
    return f"{born:%Y/%m/%d}"


def days_pass(ava: Member, days: int) -> None:
    """What the clock does, done to the days on file: all of them are further in the past."""
    for name in ("date_of_birth", "on_email_since", "consent_needed_from"):
        moved = getattr(ava, name) - days * DAY
        setattr(ava, name, moved)
        Member.objects.filter(pk=ava.pk).update(**{name: moved})


def born(ava: Member) -> str:
    return f"{ava.date_of_birth:%Y/%m/%d}"


@pytest.fixture
def ava(cast) -> Member:
    """She turns 18 tomorrow, and is on the Riveras' email as a child."""
    return member(
        "Ava", "Rivera", turns(18, database_today() + DAY), "rivera@example.org", patient_id="AVA"
    )


@pytest.fixture
def family(cast, client) -> Client:
    sign_in(client, "rivera@example.org")
    return client


@pytest.fixture
def staff(cast) -> Client:
    staff = Client()
    sign_in_as_staff(staff)
    return staff


def ask(client, first_name, date_of_birth):
    return client.post("/who/", {"first_name": first_name, "date_of_birth": date_of_birth})


def record(staff: Client, ava: Member, **changes):
    address = f"/admin/consent/{ava.pk}/"
    typed = {"how": "phone", "note": "Ava herself, from her own phone", **changes}
    return staff.post(address, fields_of(staff.get(address), **typed))


# --- the birthday itself --------------------------------------------------------------


def test_the_open_chart_closes_on_the_birthday_with_the_next_request(family, ava):
    """MB-21 by the calendar: a form is open, nothing is saved, the others go on."""
    key = pick(family, "Ava", born(ava))
    assert family.get(f"/for/{key}/").status_code == 200
    days_pass(ava, 1)
    sent = family.post(f"/for/{key}/documents/", {"files": png(), "note": "typed meanwhile"})
    assert (sent.status_code, sent.headers["Location"]) == (302, "/who/")
    assert not Document.objects.exists()
    assert not KeptText.objects.filter(member=ava).exists()
    assert ask(family, "Ava", born(ava)).status_code == 422
    assert family.get(f"/for/{pick(family, *LEO)}/").status_code == 200
    # Nor one tap away, nor by the address of before.
    assert "Ava" not in family.get("/who/").content.decode()
    assert family.get(f"/for/{key}/documents/").status_code == 409


def test_a_second_browser_with_a_siblings_chart_goes_on(family, ava):
    other = Client()
    sign_in(other, "rivera@example.org")
    leos = pick(other, *LEO)
    pick(family, "Ava", born(ava))
    days_pass(ava, 1)
    assert family.get("/").headers["Location"] == "/who/"
    assert other.get(f"/for/{leos}/").status_code == 200


def test_who_came_as_an_adult_is_not_asked(cast, family):
    for grown in (
        cast.elena,
        member("Abe", "Rivera", turns(18, database_today()), cast.elena.email),
    ):
        assert grown.consent_needed_from is None
        assert pick(family, grown.first_name, born(grown))


def test_the_day_before_is_open_and_the_first_day_is_not(family, ava):
    assert ava.consent_needed_from == database_today() + DAY
    assert opened_by(ava) == "rivera@example.org"
    pick(family, "Ava", born(ava))
    days_pass(ava, 1)
    ava.refresh_from_db()
    assert ava.consent_needed_from == database_today()
    assert (opened_by(ava), why_closed(ava)) == (
        "",
        "an adult now: their own consent is not recorded",
    )
    assert not Member.objects.with_portal_access().filter(pk=ava.pk).exists()


def test_a_household_of_one_who_waits_gets_no_link(ava, staff):
    from households.practice_file import HouseholdsPracticeFile

    Member.objects.exclude(pk=ava.pk).filter(email_key=ava.email_key).delete()
    assert HouseholdsPracticeFile().is_on_file(ava.email_key)
    days_pass(ava, 1)
    assert not HouseholdsPracticeFile().is_on_file(ava.email_key)


def test_born_on_february_29_they_are_adults_on_march_1(cast):
    born_then = datetime.date(2008, 2, 29)
    assert birthday_at(born_then, 18) == datetime.date(2026, 3, 1)
    assert birthday_at(born_then, 20) == datetime.date(2028, 2, 29)
    lia = Member(date_of_birth=born_then)
    assert lia.age_on(datetime.date(2026, 2, 28)) == 17
    assert lia.age_on(datetime.date(2026, 3, 1)) == 18
    leap = member("Lou", "Rivera", "2020/02/29", "rivera@example.org")
    assert leap.consent_needed_from == datetime.date(2038, 3, 1)


@pytest.mark.parametrize("age", [12, 13, 18, 19])
def test_whose_birthday_falls_into_a_stretch_of_days_is_found_by_their_birth_date(age):
    for first in (
        datetime.date(2026, 2, 27), datetime.date(2026, 2, 28), datetime.date(2026, 3, 1),
        datetime.date(2028, 2, 28), datetime.date(2028, 2, 29), datetime.date(2028, 3, 1),
        datetime.date(2026, 12, 31),
    ):  # fmt: skip
        for days in (0, 1, 3):
            last = first + days * DAY
            earliest, latest = born_to_reach(age, first, last)
            day = datetime.date(first.year - age, first.month, 1) - 40 * DAY
            for _ in range(120):
                day += DAY
                assert (first <= birthday_at(day, age) <= last) == (earliest <= day <= latest), day


@pytest.mark.django_db
@pytest.mark.parametrize("age", [16, 18, 21, 25])
def test_the_database_counts_birthdays_as_we_do(age):
    days = [datetime.date(year, month, day) for year in (1900, 2000, 2007, 2008, 2010, 2012)
            for month, day in ((1, 1), (2, 27), (2, 28), (3, 1), (3, 2), (12, 31))]  # fmt: skip
    days += [datetime.date(2000, 2, 29), datetime.date(2008, 2, 29), datetime.date(2012, 2, 29)]
    for number, day in enumerate(days):
        Member.objects.create(patient_id=f"B{number}", first_name="A", date_of_birth=day)
    told = Member.objects.annotate(on=Birthday("date_of_birth", age))
    for one in told.only("date_of_birth"):
        assert one.on == birthday_at(one.date_of_birth, age), one.date_of_birth


# --- kept right on every road ---------------------------------------------------------


def test_another_email_begins_anew(ava):
    days_pass(ava, 1)
    ava.refresh_from_db()
    assert opened_by(ava) == ""
    ava.email = "ava@example.org"
    ava.save()
    ava.refresh_from_db()
    assert (ava.on_email_since, ava.consent_needed_from) == (database_today(), None)
    assert opened_by(ava) == "ava@example.org"


def test_on_an_email_that_others_have_who_waits_goes_on_waiting(cast, ava):
    """The whole family changes its email: that opens nobody who has not agreed."""
    days_pass(ava, 1)
    for one in (cast.elena, Member.objects.get(pk=ava.pk)):
        one.email = "rivera-new@example.org"
        one.save()
    ava.refresh_from_db()
    assert ava.email_key == "rivera-new@example.org"
    assert opened_by(ava) == ""


def test_a_consent_is_for_one_email_and_not_for_the_next(cast, ava, staff):
    days_pass(ava, 1)
    assert record(staff, ava).status_code == 302
    ava.refresh_from_db()
    assert ava.consent_stands
    ava.email = "okafor@example.org"
    ava.save()
    ava.refresh_from_db()
    assert not ava.consent_stands


def test_a_corrected_birth_date_moves_the_day_and_a_save_of_one_column_does_too(ava):
    ava.date_of_birth += 10 * DAY
    ava.save(update_fields=["date_of_birth"])
    ava.refresh_from_db()
    assert ava.consent_needed_from == database_today() + 11 * DAY
    ava.date_of_birth = None
    ava.save()
    ava.refresh_from_db()
    assert ava.consent_needed_from is None


def test_a_typing_error_that_made_an_adult_of_a_child_is_put_right(cast, ava):
    ava.date_of_birth = datetime.date(1980, 1, 1)
    ava.save()
    assert ava.consent_needed_from is None
    ava.date_of_birth = database_today() - 17 * 365 * DAY
    ava.save()
    ava.refresh_from_db()
    assert ava.consent_needed_from == birthday_at(ava.date_of_birth, 18)


def test_another_age_of_an_adult_counts_at_once_for_everybody(cast, family, ava):
    days_pass(ava, 1)
    assert ask(family, "Ava", born(ava)).status_code == 422
    Practice.objects.create(pk=1, adult_age=19)
    assert adult_age_now() == 19
    key = pick(family, "Ava", born(ava))
    practice = Practice.load()
    practice.adult_age = 18
    practice.save()
    assert family.get(f"/for/{key}/").status_code == 302
    for one in Member.objects.all():
        kept = one.consent_needed_from
        one.set_keys()
        assert one.consent_needed_from == kept, one.first_name


def test_an_age_that_is_no_adults_is_refused(cast, staff):
    for age in (15, 26):
        with pytest.raises(ValidationError):
            Practice(adult_age=age).full_clean()


@pytest.mark.parametrize(
    "text", ["twelve", "12.5", "0", "121", "-1", "1 2 3 4 5 6 7 8 9 10 11", "٣"]
)
def test_ages_that_are_none_are_refused(text):
    with pytest.raises(ValidationError):
        ages_in(text)


def test_ages_are_read_as_people_write_them():
    assert ages_in(" 18, 12;13 12 ") == [12, 13, 18]
    assert ages_in("") == []
    assert Practice(announced_ages="12").ages_announced == [12, 18]


# --- consent --------------------------------------------------------------------------


def test_recorded_consent_works_at_once_and_says_who_when_and_how(cast, family, ava, staff):
    days_pass(ava, 1)
    assert ask(family, "Ava", born(ava)).status_code == 422
    page = staff.get(f"/admin/consent/{ava.pk}/")
    assert "Ava Rivera" in text_of(page)
    assert born(ava) in text_of(page)
    assert "Leo Rivera" in text_of(page), "who else is on the login"
    assert record(staff, ava).status_code == 302
    key = pick(family, "Ava", born(ava))
    assert family.get(f"/for/{key}/").status_code == 200
    consent = AdultConsent.objects.get()
    assert (consent.member, consent.how, consent.recorded_by) == (ava, "phone", cast.nurse_staff)
    assert consent.given_on == database_today()
    event = AuditEvent.objects.get(outcome="consent-recorded")
    assert (event.member_id, event.staff_id) == (ava.pk, cast.nurse_staff.pk)
    text = text_of(staff.get(f"/admin/consent/{ava.pk}/"))
    assert "Ava herself, from her own phone" in text
    assert "Nora Quist" in text


def test_withdrawn_consent_ends_the_open_chart_at_once_and_no_other(cast, family, ava, staff):
    days_pass(ava, 1)
    record(staff, ava)
    avas = pick(family, "Ava", born(ava))
    other = Client()
    sign_in(other, "rivera@example.org")
    leos = pick(other, *LEO)
    assert staff.post(f"/admin/consent/{ava.pk}/withdraw/").status_code == 302
    sent = family.post(f"/for/{avas}/documents/", {"files": png(), "note": "typed meanwhile"})
    assert sent.status_code == 302
    assert not Document.objects.exists()
    assert ask(family, "Ava", born(ava)).status_code == 422
    assert other.get(f"/for/{leos}/").status_code == 200
    consent = AdultConsent.objects.get()
    assert consent.withdrawn_by == cast.nurse_staff
    assert AuditEvent.objects.filter(action="binding-end", member_id=ava.pk).count() == 1
    assert "Taken back: Nora Quist" in text_of(staff.get(f"/admin/consent/{ava.pk}/"))
    # Agreed again, later: another row.
    assert record(staff, ava).status_code == 302
    assert pick(family, "Ava", born(ava))
    assert AdultConsent.objects.count() == 2


def test_who_said_no_is_not_opened_even_where_the_rule_would(family, ava, staff):
    days_pass(ava, 1)
    record(staff, ava)
    ava.refresh_from_db()
    ava.date_of_birth -= 3 * 365 * DAY  # corrected: she had come as an adult
    ava.save()
    assert pick(family, "Ava", born(ava))
    staff.post(f"/admin/consent/{ava.pk}/withdraw/")
    assert ask(family, "Ava", born(ava)).status_code == 422


def test_pressed_twice_it_is_recorded_and_taken_back_once(ava, staff):
    days_pass(ava, 1)
    address = f"/admin/consent/{ava.pk}/"
    filled = fields_of(staff.get(address), how="paper")
    assert staff.post(address, filled).status_code == 302
    assert "recorded before" in text_of(staff.post(address, filled, follow=True))
    assert AdultConsent.objects.count() == 1
    staff.post(f"{address}withdraw/")
    again = staff.post(f"{address}withdraw/", follow=True)
    assert "no consent stands" in text_of(again)
    assert AuditEvent.objects.filter(outcome="consent-withdrawn").count() == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"given_on": "2199/01/01"}, "still to come"),
        ({"given_on": "2020/01/01"}, "They are an adult from"),
        ({"given_on": "11/27/2026"}, "year first"),
        ({"given_on": ""}, "Type the day"),
        ({"how": None}, "Choose how"),
        ({"how": "telepathy"}, "telepathy"),
        ({"note": "n" * 301}, "300"),
        ({"note": "a\0b"}, "Null characters"),
    ],
)
def test_a_consent_that_says_too_little_is_not_recorded(ava, staff, changes, words):
    days_pass(ava, 1)
    answer = record(staff, ava, **changes)
    assert answer.status_code == 200
    assert words in text_of(answer)
    assert not AdultConsent.objects.exists()


def test_before_the_birthday_and_for_who_came_as_an_adult_there_is_nothing_to_record(
    cast, ava, staff
):
    answer = record(staff, ava)
    assert "They are an adult from" in text_of(answer)
    forged = {"given_on": f"{database_today():%Y/%m/%d}", "how": "phone", "note": "", "seen": ""}
    page = staff.get(f"/admin/consent/{cast.elena.pk}/")
    assert "No consent is asked for" in text_of(page)
    staff.post(f"/admin/consent/{cast.elena.pk}/", forged)
    assert not AdultConsent.objects.exists()


def test_to_another_login_nobody_has_agreed(ava, staff):
    days_pass(ava, 1)
    address = f"/admin/consent/{ava.pk}/"
    filled = fields_of(staff.get(address), how="paper")
    Member.objects.filter(pk=ava.pk).update(
        email="okafor@example.org", email_key="okafor@example.org"
    )
    answer = staff.post(address, filled)
    assert "email was changed after you opened the page" in text_of(answer)
    assert "Ada Okafor" in text_of(answer)
    assert not AdultConsent.objects.exists()
    assert staff.post(address, fields_of(answer)).status_code == 302


def test_only_who_may_change_members_may_record_and_take_back(ava, staff, cast):
    days_pass(ava, 1)
    record(staff, ava)
    cast.nurse_staff.is_superuser = False
    cast.nurse_staff.save()
    address = f"/admin/consent/{ava.pk}/"
    assert staff.get(address).status_code == 403
    assert staff.post(address, {"how": "paper"}).status_code == 403
    assert staff.post(f"{address}withdraw/").status_code == 403
    ava.refresh_from_db()
    assert ava.consent_stands
    for number in ("0", "999999999", "9" * 30):
        assert staff.get(f"/admin/consent/{number}/").status_code in {403, 404}


def test_the_member_page_leads_to_it(ava, cast, staff):
    link = f"/admin/consent/{ava.pk}/"
    assert link in staff.get(f"/admin/households/member/{ava.pk}/change/").content.decode()
    elena = staff.get(f"/admin/households/member/{cast.elena.pk}/change/").content.decode()
    assert "/admin/consent/" not in elena


def test_the_question_is_built_once_and_holds_no_day():
    """accounts/compiled.py keeps a statement for as long as the process lives."""
    from accounts.models import HouseholdAccount

    sql, params = (
        Member.objects.in_household_of(HouseholdAccount(email_key="a@example.org"))
        .query.get_compiler(connection=connection)
        .as_sql()
    )
    assert "CURRENT_DATE" in sql
    assert not [param for param in params if str(database_today()) in str(param)]


def test_the_household_page_says_why_and_leads_to_the_consent(ava, cast, staff):
    days_pass(ava, 1)
    page = staff.get(f"/admin/accounts/householdaccount/{cast.rivera.pk}/change/")
    assert "Not opened by this login: an adult now: their own consent is not" in text_of(page)
    assert f"/admin/consent/{ava.pk}/" in page.content.decode()
