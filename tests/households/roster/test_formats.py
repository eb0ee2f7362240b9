"""HL7 v2 and FHIR beyond the samples."""

from __future__ import annotations

import json

import pytest

from households.models import Member

pytestmark = pytest.mark.django_db

PID = (
    "PID|1||P1^^^PRACTICE^PI~V1^^^PRACTICE^MR||Rivera^Mia^^^^^L~^Mimi^^^^^N||20160427|F"
    "|||1 Elm St^^Boston^MA^02108"
    "||^PRN^CP^^^^^^^^^5550101~^NET^Internet^rivera@example.org||es"
)


def message(pid: str = PID, event: str = "A31", end: str = "\r") -> str:
    return end.join(
        [
            f"MSH|^~\\&|PMS|P|PORTAL|P|20260630||ADT^{event}^ADT_A05|1|P|2.5.1",
            "EVN|A31",
            pid,
            "PV1|1|N",
            "",
        ]
    )


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
@pytest.mark.parametrize("event", ["A28", "A31", "A01", "A04", "A08"])
def test_hl7_events_and_line_ends(run, end, event):
    outcome = run(message(event=event, end=end))
    assert outcome.status == 0
    member = Member.objects.get()
    assert (member.first_name, member.preferred_name, member.mobile_phone) == (
        "Mia",
        "Mimi",
        "5550101",
    )


def test_hl7_as_it_comes_from_a_socket(run):
    framed = "".join(
        f"\x0b{message(PID.replace('P1^', f'P{number}^'))}\x1c\r" for number in range(3)
    )
    assert run(framed).last_line == "created 3, changed 0, unchanged 0, refused 0"


def test_hl7_field_left_empty_is_not_spoken_about_and_quotes_empty_it(run):
    run(message())
    run(message("PID|1||P1^^^PRACTICE^PI||Rivera^Mia"))
    member = Member.objects.get()
    assert (member.email, member.mrn, member.sex) == ("rivera@example.org", "V1", "F")
    run(message('PID|1||P1^^^PRACTICE^PI||Rivera^Mia|||""|||""||""'))
    member.refresh_from_db()
    assert (member.email, member.email_key, member.sex, member.city) == ("", "", "", "")


def test_hl7_death_ends_access(run):
    run(message())
    outcome = run(message(PID + "|" * 15 + "Y"))
    assert Member.objects.get().status == "deceased"
    assert "loses access" in outcome.out


def test_hl7_without_a_patient_id_is_told_by_the_record_number(run):
    run(message(PID.replace("P1^^^PRACTICE^PI~", "")))
    assert Member.objects.get().patient_id == "V1"


def test_hl7_two_emails_are_no_choice_of_ours(run):
    outcome = run(message(PID.replace("||es", "~^NET^Internet^other@example.org||es")))
    assert outcome.line_of("two_emails_in_cell")
    assert Member.objects.get().email_key == ""


def test_hl7_escapes(run):
    run(message(PID.replace("1 Elm St", "Elm \\T\\ Oak")))
    assert Member.objects.get().address_1 == "Elm & Oak"


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        (message(event="A40"), "unsupported_message"),
        (message().replace("ADT^", "ORU^"), "unsupported_message"),
        (message("ZZZ|1"), "unreadable_line"),
        ("MSH|\rPID|1||P9\r", "unreadable_line"),
        ("MSH|^~\\&\r", "unsupported_message"),
        (message("PID"), "unreadable_line"),
        (message("PID|1||||Rivera^Mia||20160427"), "missing_patient_id"),
        (message(PID.replace("Mia", "")), "missing_first_name"),
    ],
)
def test_hl7_a_broken_message_and_the_others_go_in(run, broken, kind):
    good = [message(PID.replace("P1^", "P7^")), message(PID.replace("P1^", "P8^"))]
    outcome = run(good[0] + broken + good[1])
    assert outcome.status == 1
    assert outcome.last_line == "created 2, changed 0, unchanged 0, refused 1"
    assert f"  {kind}: " in outcome.out
    assert "  line 5" in outcome.out


def patient(**changes: object) -> str:
    return json.dumps(
        {
            "resourceType": "Patient",
            "id": "p1",
            "name": [{"use": "official", "family": "Rivera", "given": ["Mia", "Rose"]}],
            "birthDate": "2016-04-27",
            "telecom": [{"system": "email", "value": "rivera@example.org"}],
        }
        | changes
    )


@pytest.mark.parametrize(
    "broken",
    [
        "{",
        "[1, 2]",
        '"text"',
        "null",
        '{"resourceType": "Patient", "id": "\\ud800"}',
        patient(name="Mia"),
        patient(name=[{"family": 7}]),
        patient(id="p 9"),
        patient(telecom={"system": "email"}),
        patient(birthDate="04/27/2016", id="p9"),
        patient(birthDate=20160427, id="p9", name=[]),
        "[" * 100_000,
        '{"resourceType": "Patient", "multipleBirthInteger": ' + "9" * 5000 + "}",
    ],
)
def test_fhir_a_broken_line_and_the_others_go_in(run, broken):
    outcome = run(f"{patient(id='p7')}\n{broken}\n\n{patient(id='p8')}\n")
    assert outcome.status == 1
    assert outcome.last_line == "created 2, changed 0, unchanged 0, refused 1"
    assert "  line 2" in outcome.out


@pytest.mark.parametrize(
    ("telecom", "key"),
    [
        ([("b@example.org", {"rank": 2}), ("a@example.org", {"rank": 1})], "a@example.org"),
        ([("old@example.org", {"use": "old"}), ("a@example.org", {})], "a@example.org"),
        (
            [("old@example.org", {"period": {"end": "2020-01-01"}}), ("a@example.org", {})],
            "a@example.org",
        ),
        ([("a@example.org", {}), ("b@example.org", {})], ""),
        ([("a@example.org", {"use": "work"}), ("a@example.org", {"use": "home"})], "a@example.org"),
        ([], ""),
    ],
)
def test_fhir_which_email(run, telecom, key):
    run(patient(telecom=[{"system": "email", "value": value, **more} for value, more in telecom]))
    assert Member.objects.get().email_key == key


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({}, "active"),
        ({"active": True}, "active"),
        ({"active": False}, "inactive"),
        ({"active": True, "deceasedBoolean": True}, "deceased"),
        ({"deceasedDateTime": "2024-05-06"}, "deceased"),
    ],
)
def test_fhir_status(run, facts, status):
    run(patient(**facts))
    assert Member.objects.get().status == status


def test_fhir_names(run):
    run(
        patient(
            name=[
                {"use": "maiden", "family": "Old", "given": ["Old"]},
                {"use": "usual", "given": ["Mimi"]},
                {"family": "Rivera", "given": ["Mia", "Rose"], "suffix": ["Jr."]},
            ]
        )
    )
    member = Member.objects.get()
    assert (member.first_name, member.middle_name, member.last_name) == ("Mia", "Rose", "Rivera")
    assert (member.suffix, member.preferred_name) == ("Jr.", "Mimi")


def test_fhir_year_only_goes_in_without_a_date(run):
    outcome = run(patient(birthDate="2016"))
    assert outcome.status == 0
    assert outcome.line_of("partial_dob")
    assert Member.objects.get().date_of_birth is None
