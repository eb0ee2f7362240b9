"""Whom a row is about: never a guess, and nobody is taken off."""

from __future__ import annotations

import datetime

import pytest

from households.models import AlsoCalled, Member

pytestmark = pytest.mark.django_db
MIA = "P1,V1,Mia,Rivera,2016-04-27,rivera@example.org,active"


def test_a_changed_row_changes_that_person_and_what_staff_set_stays(run_rows):
    run_rows(MIA)
    member = Member.objects.get()
    AlsoCalled.objects.create(member=member, name="Mimi")
    Member.objects.update(portal_access=False, city="Boston")  # no column of the file
    outcome = run_rows("P1,V1,Mia,Rivera-Chen,2016-04-27,rivera@example.org,")
    assert outcome.last_line == "created 0, changed 1, unchanged 0, refused 0"
    after = Member.objects.get()
    assert (after.pk, after.public_id) == (member.pk, member.public_id)
    assert (after.last_name, after.last_name_key) == ("Rivera-Chen", "riverachen")
    assert (after.portal_access, after.city) == (False, "Boston")
    assert after.also_called_names() == ["Mimi"]
    assert after.created_at == member.created_at
    assert after.updated_at > member.updated_at


def test_who_is_missing_from_the_file_stays_as_on_file(run_rows):
    run_rows(MIA, "P2,V2,Leo,Rivera,2018-09-03,rivera@example.org,active")
    run_rows(MIA)
    assert Member.objects.get(patient_id="P2").status == "active"


def test_an_empty_cell_empties_what_is_on_file(run_rows):
    run_rows(MIA)
    outcome = run_rows("P1,,Mia,,,,")
    member = Member.objects.get()
    assert (member.mrn, member.last_name, member.email, member.email_key) == ("", "", "", "")
    assert member.date_of_birth is None
    assert "missing_dob" in outcome.out
    assert "missing_email" in outcome.out


def test_rows_of_one_id_that_disagree_are_all_refused_and_the_file_stays(run_rows):
    run_rows(MIA)
    outcome = run_rows(
        "P1,V1,Mia,Rivera,2016-04-27,father@example.org,active",
        "P2,V2,Leo,Rivera,2018-09-03,rivera@example.org,active",
        "P1,V1,Mia,Rivera,2016-04-27,mother@example.org,active",
    )
    assert outcome.status == 1
    assert outcome.last_line == "created 1, changed 0, unchanged 0, refused 2"
    assert "disagree in email" in outcome.out
    assert Member.objects.get(patient_id="P1").email == "rivera@example.org"


def test_a_row_that_cannot_be_read_makes_the_other_of_its_id_doubtful(run_rows):
    outcome = run_rows(MIA, "P1,V1,Mia,Rivera,2016-02-31,rivera@example.org,active")
    assert outcome.last_line == "created 0, changed 0, unchanged 0, refused 2"


def test_an_id_that_is_now_somebody_elses_is_refused(run_rows):
    run_rows(MIA)
    outcome = run_rows("P1,V9,Omar,Haddad,1960-01-31,haddad@example.org,active")
    assert outcome.status == 1
    assert "P1" in outcome.line_of("different_person")
    assert Member.objects.get().first_name == "Mia"


def test_a_newborn_gets_a_name_and_a_last_name(run_rows):
    run_rows("P1,V1,Baby Girl,Rivera,2026-04-27,rivera@example.org,active")
    assert run_rows("P1,V1,Mia,Chen,2026-04-27,rivera@example.org,active").status == 0
    assert Member.objects.get().first_name == "Mia"


def test_two_people_with_one_record_number_go_in_with_a_warning(run_rows):
    outcome = run_rows(MIA, "P2,V1,Leo,Rivera,2018-09-03,rivera@example.org,active")
    assert outcome.status == 0
    assert outcome.out.count("  same_record_number: ") == 2
    assert Member.objects.count() == 2


class TestRecordNumberAsKey:
    """A file without patient ids."""

    HEADER = "MRN,First Name,Last Name,DOB,E-mail"

    def test_it_is_the_key(self, run):
        row = "V1,Mia,Rivera,2016-04-27,rivera@example.org"
        assert run(f"{self.HEADER}\n{row}\n").last_line.startswith("created 1,")
        assert Member.objects.get().patient_id == "V1"
        assert run(f"{self.HEADER}\n{row}\n").last_line.startswith(
            "created 0, changed 0, unchanged 1,"
        )

    def test_it_finds_who_is_on_file_under_a_patient_id(self, run, run_rows):
        run_rows(MIA)
        outcome = run(f"{self.HEADER}\nV1,Mia,Rivera-Chen,2016-04-27,rivera@example.org\n")
        assert outcome.last_line == "created 0, changed 1, unchanged 0, refused 0"
        assert Member.objects.get().patient_id == "P1"

    def test_it_is_not_taken_for_a_strangers_patient_id(self, run, run_rows):
        run_rows("V1,other,Omar,Haddad,1960-01-31,haddad@example.org,active")
        outcome = run(f"{self.HEADER}\nV1,Mia,Rivera,2016-04-27,rivera@example.org\n")
        assert outcome.status == 1
        assert "same_record_number" in outcome.out
        assert Member.objects.get().first_name == "Omar"

    def test_on_file_twice_it_says_nothing(self, run, run_rows):
        run_rows(MIA, "P2,V1,Leo,Rivera,2018-09-03,rivera@example.org,active")
        outcome = run(f"{self.HEADER}\nV1,Mia,Rivera,2016-04-27,rivera@example.org\n")
        assert outcome.status == 1
        assert outcome.last_line == "created 0, changed 0, unchanged 0, refused 1"


class TestListWithoutAnyKey:
    """Neither patient ids nor record numbers: name, date of birth and email together, or nobody."""

    HEADER = "First Name,Last Name,DOB,E-mail,City"

    def test_the_same_list_again_changes_nothing_and_other_facts_may_change(self, run):
        run(f"{self.HEADER}\nMia,Rivera,2016-04-27,rivera@example.org,Boston\n")
        again = run(f"{self.HEADER}\nMia,Rivera,2016-04-27,rivera@example.org,Boston\n")
        assert again.last_line == "created 0, changed 0, unchanged 1, refused 0"
        moved = run(f"{self.HEADER}\nMIA,Rivera,2016-04-27,Rivera@example.org,Medford\n")
        assert moved.last_line == "created 0, changed 1, unchanged 0, refused 0"
        assert Member.objects.get().city == "Medford"

    def test_it_cannot_move_anybody_to_another_email(self, run):
        run(f"{self.HEADER}\nMia,Rivera,2016-04-27,rivera@example.org,Boston\n")
        outcome = run(f"{self.HEADER}\nMia,Rivera,2016-04-27,stranger@example.org,Boston\n")
        assert outcome.status == 1
        assert "not_told_apart" in outcome.out
        assert Member.objects.get().email == "rivera@example.org"

    def test_the_key_tells_nothing_about_the_person(self, run):
        run(f"{self.HEADER}\nMia,Rivera,2016-04-27,rivera@example.org,Boston\n")
        key = Member.objects.get().patient_id.lower()
        assert key.startswith("by-name-")
        assert not any(fact in key for fact in ("mia", "rivera", "2016-04"))

    def test_without_a_date_of_birth_nobody_is_told(self, run):
        outcome = run(f"{self.HEADER}\nMia,Rivera,,rivera@example.org,Boston\n")
        assert outcome.last_line == "created 0, changed 0, unchanged 0, refused 1"
        assert "missing_patient_id" in outcome.out

    def test_a_lost_letter_does_not_make_a_second_person(self, run):
        run(f"{self.HEADER}\nİbrahim,Rivera,2016-04-27,rivera@example.org,Boston\n")
        outcome = run(f"{self.HEADER}\n?brahim,Rivera,2016-04-27,rivera@example.org,Boston\n")
        assert outcome.status == 1
        assert Member.objects.get().first_name == "İbrahim"


def test_a_lost_letter_never_replaces_a_whole_name(run_rows):
    run_rows("P1,V1,İbrahim,Yıldız,2016-04-27,rivera@example.org,active")
    outcome = run_rows("P1,V1,?brahim,Y?ld?z,2016-04-27,new@example.org,active")
    member = Member.objects.get()
    assert (member.first_name, member.last_name) == ("İbrahim", "Yıldız")
    assert member.email == "new@example.org"
    assert outcome.line_of("lost_letters")


def test_a_suffix_moves_only_where_it_is_one(run_rows):
    run_rows(
        "P1,,Hugo,Anderson Jr.,2016-04-27,a@example.org,",
        "P2,,Hugo,Anh Do,2016-04-27,b@example.org,",
        'P3,,Hugo,"Doe, Md",2016-04-27,c@example.org,',
        "P4,,Hugo,Jr,2016-04-27,d@example.org,",
    )
    names = Member.objects.order_by("patient_id").values_list("last_name", "suffix")
    assert list(names) == [("Anderson", "Jr."), ("Anh Do", ""), ("Doe", "Md"), ("Jr", "")]


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("\u200eMaria\u202c", "Maria"),  # marks of direction, from a copied web page
        ("می\u200cنا", "می\u200cنا"),  # Persian is spelt with a joiner
        ("क्\u200dष", "क्\u200dष"),
        ("Ma\u00adria", "Maria"),
        ("Mary\u2003\u00a0Ann", "Mary Ann"),
    ],
)
def test_invisible_characters_go_and_spelling_stays(run_rows, typed, stored):
    run_rows(f"P1,,{typed},Rivera,2016-04-27,rivera@example.org,")
    assert Member.objects.get().first_name == stored


@pytest.mark.parametrize(
    ("typed", "stored"), [("", "active"), ("Active", "active"), ("D", "deceased")]
)
def test_the_status_in_known_words(run_rows, typed, stored):
    run_rows(f"P1,,Mia,Rivera,2016-04-27,rivera@example.org,{typed}")
    assert Member.objects.get().status == stored


def test_an_unknown_status_is_not_taken_for_active(run_rows):
    outcome = run_rows("P1,,Mia,Rivera,2016-04-27,rivera@example.org,moved away")
    assert outcome.status == 1
    assert "active, inactive or deceased" in outcome.line_of("unknown_status")


def test_the_practices_own_day_decides_what_is_in_the_future(run_rows):
    tomorrow = datetime.date.today() + datetime.timedelta(days=2)
    outcome = run_rows(f"P1,,Mia,Rivera,{tomorrow},rivera@example.org,")
    assert outcome.status == 1
    assert "future_dob" in outcome.out
