"""The patient list and the age rule: an import neither opens an adult nor forgets what was agreed."""

from __future__ import annotations

import datetime

import pytest

from households.birthdays import birthday_at
from households.models import Member, Practice, database_today

pytestmark = pytest.mark.django_db
DAY = datetime.timedelta(days=1)
TODAY = birthday_at(database_today(), -18)  # born then, and an adult from today on
AVA = f"P1,V1,Ava,Rivera,{TODAY},rivera@example.org,active"
LEO = "P2,V2,Leo,Rivera,2018-09-03,rivera@example.org,active"


def came_as_a_child() -> Member:
    """Yesterday, when she was none yet; what the list says of her stays."""
    ava = Member.objects.get(patient_id="P1")
    ava.on_email_since -= DAY
    ava.save()
    assert ava.waits_for_consent
    return ava


def test_a_new_child_of_the_list_is_asked_at_eighteen_and_an_adult_is_not(run_rows):
    run_rows(AVA, LEO, "P3,V3,Elena,Rivera,1985-04-12,rivera@example.org,active")
    asked = dict(Member.objects.values_list("patient_id", "consent_needed_from"))
    assert asked == {"P1": None, "P2": datetime.date(2036, 9, 3), "P3": None}
    Practice.objects.create(pk=1, adult_age=21)
    run_rows("P4,V4,Lou,Rivera,2018-09-03,rivera@example.org,active")
    assert Member.objects.get(patient_id="P4").consent_needed_from == datetime.date(2039, 9, 3)


def test_the_same_list_again_does_not_open_who_waits(run_rows):
    run_rows(AVA, LEO)
    came_as_a_child()
    assert run_rows(AVA, LEO).last_line == "created 0, changed 0, unchanged 2, refused 0"
    run_rows(AVA.replace("Rivera", "Rivera-Chen"), LEO)
    ava = Member.objects.get(patient_id="P1")
    assert ava.last_name == "Rivera-Chen"
    assert ava.waits_for_consent


def test_an_import_keeps_a_consent_that_stands(run_rows):
    run_rows(AVA, LEO)
    ava = came_as_a_child()
    ava.consent_stands = True
    ava.save()
    run_rows(AVA.replace("Rivera", "Rivera-Chen"), LEO)
    ava.refresh_from_db()
    assert (ava.last_name, ava.consent_stands, ava.consent_needed_from) == (
        "Rivera-Chen",
        True,
        None,
    )


def test_another_email_of_the_list_begins_anew_and_is_reported_as_a_gain(run_rows):
    run_rows(AVA, LEO)
    came_as_a_child()
    outcome = run_rows(AVA.replace("rivera@", "ava@"), LEO)
    # Nobody loses: the old login did not open her any more.
    assert "rivera@example.org loses access" not in outcome.out
    assert "ava@example.org gains access" in outcome.out
    ava = Member.objects.get(patient_id="P1")
    assert (ava.on_email_since, ava.consent_needed_from) == (database_today(), None)


def test_a_birth_date_corrected_by_the_list_moves_the_day(run_rows):
    run_rows(AVA, LEO)
    run_rows(AVA.replace(str(TODAY), str(TODAY + 9 * DAY)), LEO)
    ava = Member.objects.get(patient_id="P1")
    assert ava.consent_needed_from == birthday_at(TODAY + 9 * DAY, 18)


@pytest.mark.parametrize("order", [1, -1])
def test_a_family_that_changes_its_email_together_opens_nobody_who_waits(run_rows, order):
    run_rows(AVA, LEO)
    came_as_a_child()
    rows = [row.replace("rivera@", "new@") for row in (AVA, LEO)]
    run_rows(*rows[::order])
    ava = Member.objects.get(patient_id="P1")
    assert ava.email_key == "new@example.org"
    assert ava.waits_for_consent
    assert not Member.objects.get(patient_id="P2").waits_for_consent


def test_beside_somebody_on_file_who_is_not_in_the_list_who_waits_goes_on_waiting(run_rows):
    run_rows(AVA, LEO.replace("rivera@", "father@"))
    came_as_a_child()
    run_rows(AVA.replace("rivera@", "father@"))
    assert Member.objects.get(patient_id="P1").waits_for_consent
