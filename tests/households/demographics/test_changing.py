"""Every field: read back, changed, accepted, on file as it was typed."""

from __future__ import annotations

import pytest

from households.demographics.fields import FIELDS, OnFile
from households.demographics.models import Contact, DetailChange
from households.models import Member
from households.submissions.models import Submission
from tests.pages import text_of

# What a family types, and what is on file afterwards.
TYPED = {
    "legal_name": (
        {"first_name": "Mia", "middle_name": "Ann", "last_name": "Rivera-Cruz", "suffix": ""},
        {"first_name": "Mia", "middle_name": "Ann", "last_name": "Rivera-Cruz", "suffix": ""},
    ),
    "date_of_birth": ({"date_of_birth": "2016-4-28"}, {"date_of_birth": "2016-04-28"}),
    "sex": ({"sex": "F"}, {"sex": "F"}),
    "preferred_name": ({"preferred_name": "Mimi B"}, {"preferred_name": "Mimi B"}),
    "pronouns": ({"pronouns": "she/her"}, {"pronouns": "she/her"}),
    "gender_identity": ({"gender_identity": "girl"}, {"gender_identity": "girl"}),
    "marital_status": ({"marital_status": "S"}, {"marital_status": "S"}),
    "occupation": ({"occupation": "pupil"}, {"occupation": "pupil"}),
    "race": ({"race": ["2028-9", "2106-3"]}, {"race": ["2028-9", "2106-3"]}),
    "ethnicity": ({"ethnicity": "2135-2"}, {"ethnicity": "2135-2"}),
    "address": (
        {
            "address_1": "12 Quay Street",
            "address_2": "Unit 3",
            "city": "Harbor",
            "state": "massachusetts",
            "postal_code": "02100",
            "country": "US",
        },
        {
            "address_1": "12 Quay Street",
            "address_2": "Unit 3",
            "city": "Harbor",
            "state": "MA",
            "postal_code": "02100",
            "country": "",
        },
    ),
    "mobile_phone": (
        {"mobile_phone": "617.555.0123 ext 4", "mobile_may": ["voice", "text"]},
        {"mobile_phone": "+16175550123 ext. 4", "mobile_may": ["voice", "text"]},
    ),
    "home_phone": (
        {"home_phone": "555-0142", "home_may": ["message"]},
        {"home_phone": "555-0142", "home_may": ["message"]},
    ),
    "work_phone": (
        {"work_phone": "+44 20 7946 0958"},
        {"work_phone": "+442079460958", "work_may": []},
    ),
    "communication": (
        {"contact_by": "text", "contact_note": "not before 5 pm"},
        {"contact_by": "text", "contact_note": "not before 5 pm"},
    ),
    "language": (
        {"preferred_language": "spanish", "interpreter": "yes"},
        {"preferred_language": "es", "interpreter": "yes"},
    ),
    "doctor": (
        {"doctor_name": "Dr. Ode", "doctor_practice": "Hill", "doctor_phone": "(617) 555-0124"},
        {"doctor_name": "Dr. Ode", "doctor_practice": "Hill", "doctor_phone": "+16175550124"},
    ),
    "pharmacy": (
        {"pharmacy_name": "Corner", "pharmacy_address": "1 Hill", "pharmacy_phone": ""},
        {"pharmacy_name": "Corner", "pharmacy_address": "1 Hill", "pharmacy_phone": ""},
    ),
    "primary_insurance": (
        {
            "payer": "Blue Plan",
            "plan": "Gold",
            "member_number": "X1",
            "group_number": "7",
            "subscriber": "parent",
            "subscriber_name": "Elena Rivera",
        },
        {
            "payer": "Blue Plan",
            "plan": "Gold",
            "member_number": "X1",
            "group_number": "7",
            "subscriber": "parent",
            "subscriber_name": "Elena Rivera",
        },
    ),
    "secondary_insurance": (
        {"payer": "State Plan", "member_number": "Y2"},
        {
            "payer": "State Plan",
            "plan": "",
            "member_number": "Y2",
            "group_number": "",
            "subscriber": "",
            "subscriber_name": "",
        },
    ),
}


def on_file(member, key: str, row: str = ""):
    return FIELDS[key].read(OnFile.of(Member.objects.get(pk=member.pk)), row)


def test_every_field_is_tried_here():
    assert {*TYPED, "email", "contacts"} == {*FIELDS}


@pytest.mark.parametrize("key", TYPED)
def test_a_change_waits_then_is_on_file_once_staff_accept(cast, mia, desk, key):
    typed, kept = TYPED[key]
    before = on_file(cast.mia, key)
    answer = mia.change(f"{key}/", **typed)
    assert answer.status_code == 302, text_of(answer)
    change = DetailChange.objects.get()
    assert (change.member, change.field, change.before, change.values) == (
        cast.mia,
        key,
        before,
        kept,
    )
    assert change.submission.status == Submission.Status.RECEIVED
    assert on_file(cast.mia, key) == before
    page = text_of(mia.page())
    assert "Waiting for the practice since" in page
    for _label, words in FIELDS[key].shown(kept):
        assert words in page

    shown = text_of(desk.see(change))
    for _label, words in FIELDS[key].words(kept):
        assert words in shown
    desk.accept(change)
    change.refresh_from_db()
    assert (change.decision, change.decided_by) == ("accepted", cast.nurse_staff)
    assert on_file(cast.mia, key) == kept
    change.submission.refresh_from_db()
    assert change.submission.status == Submission.Status.FILED
    # An identity change has closed the chart: open it again.
    again = mia.open("Mia", on_file(cast.mia, "date_of_birth")["date_of_birth"]).page()
    assert "Accepted on" in text_of(again)
    assert "Waiting for the practice" not in text_of(again)


@pytest.mark.parametrize("key", TYPED)
def test_sending_a_page_as_it_was_opened_changes_nothing(cast, mia, key):
    answer = mia.change(f"{key}/")
    if answer.status_code == 422:
        assert key == "sex"  # nothing on file, and there is nothing to ask for
    else:
        assert answer.headers["Location"] == mia.details
    assert not DetailChange.objects.exists()
    assert not Submission.objects.exists()


def test_what_is_on_file_in_other_spellings_is_read_back_and_kept(cast, mia):
    spelled = {
        "preferred_language": "English",
        "state": "Mass.",
        "address_1": "1 Hill",
        "mobile_phone": "617 555 0123",
        "home_phone": "ask at work",
        "sex": "F",
    }
    Member.objects.filter(pk=cast.mia.pk).update(**spelled)
    page = text_of(mia.page())
    for words in ("English", "Mass.", "(617) 555-0123", "ask at work", "Female"):
        assert words in page
    for key in ("language", "address", "mobile_phone", "home_phone", "sex"):
        assert mia.change(f"{key}/").status_code == 302
    assert not DetailChange.objects.exists()
    # One box of a field is changed: the others stay as they were spelled.
    mia.change("address/", city="Harbor")
    assert DetailChange.objects.get().values["state"] == "Mass."
    mia.change("language/", interpreter="yes")
    assert DetailChange.objects.latest("pk").values["preferred_language"] == "English"
    for name, value in spelled.items():
        assert getattr(Member.objects.get(pk=cast.mia.pk), name) == value


@pytest.mark.parametrize(
    ("key", "typed", "says"),
    [
        ("mobile_phone", {"mobile_phone": "call my wife"}, "area code"),
        ("mobile_phone", {"mobile_phone": "12"}, "area code"),
        ("mobile_phone", {"mobile_phone": "9" * 41}, "too long"),
        ("address", {"state": "Massive"}, "two letters"),
        ("address", {"country": "XX"}, "Choose one of these"),
        ("date_of_birth", {"date_of_birth": "04/27/2016"}, "2016/04/27"),
        ("date_of_birth", {"date_of_birth": ""}, "year first"),
        ("legal_name", {"first_name": ""}, "Type the legal first name"),
        ("email", {"email": "elena@example"}, "looks like name@example.org"),
        ("email", {"email": "elеna@example.org"}, "plain letter"),
        ("primary_insurance", {"plan": "Gold"}, "insurance company"),
        ("race", {"race": ["nonsense"]}, "Choose one of these"),
        ("pronouns", {"pronouns": "x" * 41}, "40 characters"),
    ],
)
def test_what_cannot_be_is_refused_with_the_fix_and_keeps_what_was_typed(
    cast, mia, key, typed, says
):
    answer = mia.change(f"{key}/", **typed)
    assert answer.status_code == 422
    assert "data-error-summary" in answer.content.decode()
    assert says in text_of(answer)
    for value in typed.values():
        if isinstance(value, str) and value != "XX":
            assert value in answer.content.decode()
    assert not DetailChange.objects.exists()


def test_a_number_that_may_be_short_is_kept_with_a_word_about_it(cast, mia):
    answer = mia.change("home_phone/", home_phone="555 0142")
    assert "short of its area code" in text_of(mia.get(answer.headers["Location"]))
    assert DetailChange.objects.get().values["home_phone"] == "555 0142"


def test_there_are_a_hundred_contacts_and_no_more(mia, cast):
    Contact.objects.bulk_create(
        Contact(member=cast.mia, name=f"Aunt {n}", relationship="FRND") for n in range(98)
    )
    for name in ("Ann", "Abe"):
        answer = mia.change("contacts/new/", name=name, relationship="FRND")
        assert answer.status_code == 302
    answer = mia.change("contacts/new/", name="Zoe", relationship="FRND")
    assert answer.status_code == 422
    assert "There are 100 contacts, as many as the portal takes" in text_of(answer)
    assert 'value="Zoe"' in answer.content.decode()
