"""The sample files of every format, and each fault that was planted in them."""

from __future__ import annotations

import datetime
import json

import pytest

from households.models import Member
from households.roster.report import Severity
from households.roster.roster_import import import_roster

pytestmark = pytest.mark.django_db
# Ages and "in the future" are meant as of this day.
TODAY = datetime.date(2026, 6, 30)

REFUSED = {
    "missing_first_name",
    "impossible_dob",
    "future_dob",
    "us_format_dob",
    "same_id_conflicting_rows",
}
WARNED = {
    "missing_email",
    "invalid_email",
    "two_emails_in_cell",
    "missing_dob",
    "placeholder_dob",
    "same_person_two_ids",
    "ambiguous_same_first_and_dob",
    "office_email_shared_by_unrelated",
}
# The planting names some of what the report finds; the rest is as true: every preferred name, newborn
# twins, and a cousin with the same first name.
FOUND_MORE = {"preferred_name", "twins", "same_first_name_in_household"}
# Decomposed accents were planted in names of which all but one have no accent.
FOUND_LESS = {"nfd"}


@pytest.fixture
def expected(samples):
    return json.loads((samples / "expected.json").read_text())


def planted_ids(planted):
    return {
        patient_id
        for item in planted
        for patient_id in (item if isinstance(item, list) else [item])
    }


def test_every_planted_fault_is_reported_as_its_kind(samples, expected):
    report = import_roster(samples / "roster.csv", today=TODAY)
    for kind, planted in expected["anomalies"].items():
        wanted = planted_ids(planted)
        named = {entry.patient_id for entry in report.of_kind(kind)}
        if kind in FOUND_MORE:
            assert wanted < named, kind
        elif kind in FOUND_LESS:
            assert named, kind
            assert named < wanted, kind
        else:
            assert named == wanted, kind


def test_severity_says_whether_the_row_went_in(samples, expected):
    report = import_roster(samples / "roster.csv", today=TODAY)
    severity = {entry.kind: entry.severity for entry in report.entries}
    refused = {kind for kind in severity if severity[kind] is Severity.REFUSED}
    warned = {kind for kind in severity if severity[kind] is Severity.WARNING}
    assert refused == REFUSED
    assert warned == WARNED | {"same_record_number"}
    on_file = set(Member.objects.values_list("patient_id", flat=True))
    for kind, planted in expected["anomalies"].items():
        if kind in REFUSED:
            assert not planted_ids(planted) & on_file, kind
        elif kind != "exact_duplicate_row":
            out = planted_ids(planted) - on_file
            otherwise_refused = {
                entry.patient_id for entry in report.entries if entry.severity is Severity.REFUSED
            }
            assert out <= otherwise_refused, kind


def test_every_line_is_counted_once(samples, expected):
    report = import_roster(samples / "roster.csv", today=TODAY)
    duplicates = len(report.of_kind("exact_duplicate_row"))
    assert report.created + report.refused + duplicates == expected["rows"]
    assert report.created == Member.objects.count() == 1348


def test_names_are_stored_tidied_and_dates_are_dates(samples):
    import_roster(samples / "roster.csv", today=TODAY)
    of = {member.patient_id: member for member in Member.objects.all()}
    assert of["P10087"].first_name == "Carlos"  # blanks around it
    assert of["P10143"].first_name == "Rene Lyman"  # a non-breaking blank inside
    assert of["P11533"].first_name == "Elena"  # an invisible character inside
    assert of["P11047"].last_name == "Adéwálé"  # decomposed accents
    assert (of["P10390"].last_name, of["P10390"].suffix) == ("Weimann", "Jr.")
    assert of["P10094"].first_name == "SANJUANA"  # left as typed
    assert of["P11013"].first_name == '=HYPERLINK("http://attacker.example","Ann")'
    assert of["P10135"].address_2 == 'Apt 36, "rear"'
    assert of["P10100"].email_key == "crooks.family9@example.org"
    assert of["P10107"].email_key == "vargas.home10@example.com"
    assert of["P10001"].date_of_birth == datetime.date(1938, 4, 9)
    assert of["P10001"].last_visit == datetime.date(2023, 1, 18)
    assert of["P13288"].date_of_birth is None  # 1900-01-01
    assert of["P10185"].status == "deceased"


def test_without_a_usable_email_there_is_no_household(samples, expected):
    import_roster(samples / "roster.csv", today=TODAY)
    for kind in ("missing_email", "invalid_email", "two_emails_in_cell"):
        for patient_id in expected["anomalies"][kind]:
            member = Member.objects.get(patient_id=patient_id)
            assert member.email_key == "", (kind, patient_id)
            assert member.portal_access, "the switch is staff's"


@pytest.mark.parametrize(
    ("name", "options", "people"),
    [
        ("roster.csv", (), 1348),
        ("roster-openemr-style.csv", (), 150),
        ("roster-us-dates-semicolon-cp1252.csv", ("--date-format", "MM/DD/YYYY"), 150),
        ("Patient.ndjson", (), 150),
        ("adt.hl7", (), 40),
    ],
)
def test_every_format_goes_in_and_a_second_time_changes_nothing(
    run, samples, name, options, people
):
    first = run(samples / name, *options)
    assert first.status == (1 if name == "roster.csv" else 0), first.err
    assert first.last_line.startswith(f"created {people}, changed 0, unchanged 0, refused ")
    updated = set(Member.objects.values_list("patient_id", "updated_at"))
    second = run(samples / name, *options)
    assert second.last_line.startswith(f"created 0, changed 0, unchanged {people}, refused ")
    assert set(Member.objects.values_list("patient_id", "updated_at")) == updated


@pytest.mark.parametrize(
    ("name", "options", "patient_id", "differs"),
    [
        ("roster-openemr-style.csv", (), "10075", {"preferred_name": ""}),
        ("Patient.ndjson", (), "p10075", {}),
        ("adt.hl7", (), "P10075", {}),
    ],
)
def test_a_person_is_the_same_in_every_format(run, samples, name, options, patient_id, differs):
    run(samples / name, *options)
    member = Member.objects.get(patient_id=patient_id)
    wanted = {
        "mrn": "V676190",
        "first_name": "Alexander",
        "middle_name": "C.",
        "last_name": "Tromp",
        "preferred_name": "Sasha",
        "date_of_birth": datetime.date(2012, 7, 19),
        "sex": "M",
        "email_key": "tromp6@example.org",
        "mobile_phone": "(508) 555-0132",
        "address_1": "590 Turner Gateway",
        "city": "Medford",
        "state": "MA",
        "postal_code": "02145",
        "preferred_language": "en-US",
        "status": "active",
    } | differs
    assert {field: getattr(member, field) for field in wanted} == wanted


def test_the_spreadsheet_of_last_comma_first_and_one_address(run, samples):
    run(samples / "roster-us-dates-semicolon-cp1252.csv", "--date-format", "MM/DD/YYYY")
    member = Member.objects.get(preferred_name="Sasha")
    assert (member.first_name, member.last_name) == ("Alexander", "Tromp")
    assert member.date_of_birth == datetime.date(2012, 7, 19)
    assert (member.address_1, member.city) == ("590 Turner Gateway", "Medford")
    assert (member.state, member.postal_code) == ("MA", "02145")
    assert Member.objects.filter(first_name="Raúl", last_name="Fernández").exists()


def test_without_a_date_format_month_first_dates_are_refused_with_the_fix(run, samples):
    outcome = run(samples / "roster-us-dates-semicolon-cp1252.csv")
    assert outcome.status == 1
    assert outcome.last_line == "created 0, changed 0, unchanged 0, refused 150"
    assert outcome.out.count("--date-format MM/DD/YYYY") == 150


def test_a_name_that_lost_letters_is_warned_about(run, samples):
    outcome = run(samples / "roster-us-dates-semicolon-cp1252.csv", "--date-format", "MM/DD/YYYY")
    assert outcome.out.count("  lost_letters: ") == 3
    # The same people from a whole file: neither is the good name lost, nor is there a second one of them.
    run(samples / "roster.csv")
    assert Member.objects.filter(first_name="İbrahim", last_name="Yıldız").exists()


def test_the_same_people_under_another_systems_ids_are_not_doubled(run, samples):
    run(samples / "roster.csv")
    before = Member.objects.count()
    outcome = run(samples / "Patient.ndjson")  # "p10001" where the roster said "P10001"
    assert outcome.last_line.startswith(
        "created 1, "
    )  # one shares its record number with a stranger
    assert Member.objects.count() == before + 1
    assert outcome.out.count("  known_under_other_id: ") == 149


def test_relatives_are_not_patients(run, samples):
    alone = run(samples / "RelatedPerson.ndjson")
    assert alone.status == 2
    assert "78 RelatedPerson" in alone.err
    both = run(
        (samples / "Patient.ndjson").read_bytes() + (samples / "RelatedPerson.ndjson").read_bytes()
    )
    assert both.status == 0
    assert both.last_line == "created 150, changed 0, unchanged 0, refused 0"
    assert "78 lines are RelatedPerson" in both.line_of("related_person")
