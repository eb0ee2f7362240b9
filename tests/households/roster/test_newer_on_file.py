"""What somebody put on file here is not brought back by a list that still says the old thing; what the list
itself changes comes in."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts import passwords
from accounts.models import HouseholdAccount, StaffAccount
from households.demographics.models import DetailChange
from households.models import Member
from tests.cast import NURSE_PASSWORD, PASSWORD, pick, sign_in, sign_in_as_staff
from tests.pages import fields_of

HEADER = "patient_id,first_name,last_name,date_of_birth,email,address_1,city,postal_code\n"
MIA = "P1,Mia,Rivera,2016-04-27,rivera@example.org,{street},Harbor,02100\n"
OLD, NEW, NEWER = "1 Old Street", "2 New Street", "3 Newer Street"


@pytest.fixture
def imported(db, run):
    """A function that imports Mia as living in a street; the first import is done."""

    def again(street: str = OLD, **instead: str):
        row = MIA.format(street=street)
        for before, after in instead.items():
            row = row.replace(before, after)
        return run(HEADER + row)

    assert again().last_line.startswith("created 1,")
    return again


@pytest.fixture
def staff(db) -> Client:
    StaffAccount.objects.create_superuser("nurse@example.org", NURSE_PASSWORD, name="Nora")
    staff = Client()
    sign_in_as_staff(staff)
    return staff


def family_moves(staff: Client, street: str) -> None:
    # The import made the login.
    HouseholdAccount.objects.update(password=passwords.hashed(PASSWORD))
    family = Client()
    sign_in(family, "rivera@example.org")
    page = f"/for/{pick(family, 'Mia', '2016/04/27')}/demographics/address/"
    assert family.post(page, fields_of(family.get(page), address_1=street)).status_code == 302
    change = DetailChange.objects.latest("pk")
    review = staff.get(f"/admin/demographics/detailchange/of/{change.submission_id}/")
    token = review.content.decode().split('name="on_file" value="')[1].split('"')[0]
    accept = f"/admin/demographics/detailchange/{change.pk}/accept/"
    assert staff.post(accept, {"on_file": token}).status_code == 302


def staff_types(staff: Client, **typed: str) -> None:
    page = f"/admin/households/member/{Member.objects.get().pk}/change/"
    answer = staff.post(page, fields_of(staff.get(page), "member_form", **typed))
    if "email" in typed:
        answer = staff.post(page, fields_of(answer))  # after the look at who loses the chart
    assert answer.status_code == 302, answer.content.decode()


def street() -> str:
    return Member.objects.get().address_1


def test_an_accepted_change_outlives_the_same_list(imported, staff):
    family_moves(staff, NEW)
    assert street() == NEW
    outcome = imported()
    assert street() == NEW
    assert outcome.last_line == "created 0, changed 0, unchanged 1, refused 0"
    assert "address_1" in outcome.line_of("newer_on_file")
    assert NEW not in outcome.out


def test_the_list_wins_once_it_says_something_new(imported, staff):
    family_moves(staff, NEW)
    assert imported(NEWER).last_line.startswith("created 0, changed 1,")
    assert street() == NEWER
    assert Member.objects.get().list_values == {}
    assert imported(NEWER).last_line == "created 0, changed 0, unchanged 1, refused 0"


def test_a_list_that_caught_up_counts_again(imported, staff):
    family_moves(staff, NEW)
    assert imported(NEW).last_line == "created 0, changed 0, unchanged 1, refused 0"
    # Back where they came from: now it is the list that is newer.
    assert imported(OLD).last_line.startswith("created 0, changed 1,")
    assert street() == OLD


def test_changed_twice_the_list_still_says_what_it_said(imported, staff):
    family_moves(staff, NEW)
    family_moves(staff, NEWER)
    imported()
    assert street() == NEWER


def test_a_birth_date_that_staff_corrected_stays_corrected(imported, staff):
    staff_types(staff, date_of_birth="2016/04/26")
    outcome = imported()
    assert str(Member.objects.get().date_of_birth) == "2016-04-26"
    assert "date_of_birth" in outcome.line_of("newer_on_file")


def test_an_email_that_staff_took_away_gives_no_access_back(imported, staff):
    """An ex-partner does not come back with the next list."""
    staff_types(staff, email="")
    outcome = imported()
    assert Member.objects.get().email_key == ""
    assert "rivera@example.org" not in outcome.out
    imported(**{"rivera@example.org": "ada@example.org"})
    assert Member.objects.get().email_key == "ada@example.org"


def test_other_columns_come_in_beside_it(imported, staff):
    family_moves(staff, NEW)
    imported(Harbor="Bayside")
    assert (street(), Member.objects.get().city) == (NEW, "Bayside")
    imported(Harbor="Bayside")
    assert street() == NEW


def test_a_dry_run_says_it_and_notes_nothing(imported, staff, run):
    family_moves(staff, NEW)
    noted = Member.objects.get().list_values
    outcome = run(HEADER + MIA.format(street=NEWER), "--dry-run")
    assert outcome.last_line.startswith("created 0, changed 1,")
    assert Member.objects.get().list_values == noted
    assert street() == NEW
