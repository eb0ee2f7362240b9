"""The people and organizations of a record as FHIR R4 resources: the patient, whoever is around them, the
practice, insurances, doctors and pharmacy."""

from __future__ import annotations

import uuid
from typing import Any

from households.demographics import fields, languages
from households.demographics.models import Contact, Coverage, Details
from households.history.models import Entry, Practitioner
from households.record.cleaning import one_line
from households.record.fhir_parts import (
    ABSENT,
    EXTENSION,
    HL7,
    LOINC,
    Json,
    concept,
    filler_id,
    hl7,
    instant,
    made_id,
    named,
    notes,
    practice_id,
    resource,
    said_at,
    said_by,
    to,
)
from households.record.reading import Record
from households.record.words import ethnicity_words, race_words
from households.submissions.models import Submission

_US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition"
_GENDER = {"F": "female", "M": "male", "O": "other", "U": "unknown"}


def people(record: Record) -> list[Json]:
    found = [_practice(record), _patient(record), *_occupation(record)]
    found += [_contact(record, contact) for contact in record.contacts]
    found += _fillers(record)
    found += [_coverage(record, coverage) for coverage in record.coverages]
    return [*found, *_doctor(record), *_pharmacy(record), *_practitioners(record), *_teams(record)]


def to_patient(record: Record) -> Json:
    return to(record.member.public_id, record.member.full_name)


def to_practice(record: Record) -> Json:
    return to(practice_id(), record.practice.name)


def _practice(record: Record) -> Json:
    practice = record.practice
    return resource(
        "Organization",
        practice_id(),
        name=practice.name,
        telecom=[_phone(practice.phone, "work")],
        address=[{"text": practice.address}],
    )


# --- the patient ----------------------------------------------------------------------


def _patient(record: Record) -> Json:
    member, details = record.member, record.details or Details()
    given = [*one_line(member.first_name).split(), *one_line(member.middle_name).split()]
    born: Json = {"_birthDate": ABSENT}
    if member.date_of_birth:
        born = {"birthDate": member.date_of_birth.isoformat()}
    return resource(
        "Patient",
        member.public_id,
        extension=_extensions(details),
        identifier=[
            {
                "type": hl7("v2-0203", "PI"),
                "value": member.patient_id,
                "assigner": to_practice(record),
            },
            {"type": hl7("v2-0203", "MR"), "value": member.mrn, "assigner": to_practice(record)}
            if member.mrn
            else None,
        ],
        active=member.status == member.Status.ACTIVE,
        name=[
            {
                "use": "official",
                "text": one_line(member.full_name),
                "family": one_line(member.last_name),
                "given": given,
                "suffix": [one_line(member.suffix)],
            },
            {"use": "usual", "text": one_line(member.preferred_name)}
            if one_line(member.preferred_name)
            else None,
        ],
        telecom=[
            _phone(member.mobile_phone, "mobile"),
            _phone(member.home_phone, "home"),
            _phone(details.work_phone, "work"),
            {"system": "email", "value": member.email} if one_line(member.email) else None,
        ],
        gender=_GENDER.get(member.sex, "unknown") if member.sex else "",
        deceasedBoolean=True if member.status == member.Status.DECEASED else None,
        address=[
            {
                "line": [one_line(member.address_1), one_line(member.address_2)],
                "city": one_line(member.city),
                "state": one_line(member.state),
                "postalCode": one_line(member.postal_code),
                "country": one_line(details.country),
            }
        ],
        maritalStatus=hl7(
            "v3-MaritalStatus", details.marital_status, details.get_marital_status_display()
        )
        if details.marital_status
        else None,
        communication=_communication(record),
        generalPractitioner=[to(_doctor_id(details), details.doctor_name)]
        if _has_doctor(details)
        else [],
        managingOrganization=to_practice(record),
        **born,
    )


def _communication(record: Record) -> list[Json]:
    on_file = one_line(record.member.preferred_language)
    if not on_file:
        return []
    name = languages.say(on_file)
    is_code = name != on_file
    language = concept(name, "urn:ietf:bcp:47" if is_code else "", on_file if is_code else "")
    return [{"language": language, "preferred": True}]


def _extensions(details: Details) -> list[Json | None]:
    """Pronouns, gender identity, interpreter, race and ethnicity, as the standard extensions have them."""
    found: list[Json | None] = []
    if one_line(details.pronouns):
        value = {"url": "value", "valueCodeableConcept": concept(details.pronouns)}
        found.append({"url": f"{EXTENSION}/individual-pronouns", "extension": [value]})
    if one_line(details.gender_identity):
        identity = concept(details.gender_identity)
        found.append(
            {"url": f"{EXTENSION}/patient-genderIdentity", "valueCodeableConcept": identity}
        )
    if details.interpreter:
        needed = details.interpreter == Details.Interpreter.YES
        found.append({"url": f"{EXTENSION}/patient-interpreterRequired", "valueBoolean": needed})
    for url, codes, words in (
        ("us-core-race", [str(code) for code in details.race], race_words(details)),
        ("us-core-ethnicity", [details.ethnicity], [ethnicity_words(details)]),
    ):
        if text := ", ".join(filter(None, map(one_line, words))):
            parts = [
                {"url": "ombCategory", "valueCoding": coding}
                for code, word in zip(codes, words, strict=True)
                for coding in [_category(code, word)]
                if coding
            ]
            parts.append({"url": "text", "valueString": text})
            found.append({"url": f"{_US_CORE}/{url}", "extension": parts})
    return found


# The categories that US Core takes; other answers stay words.
_CDC = "urn:oid:2.16.840.1.113883.6.238"
_OMB = {"1002-5", "2028-9", "2054-5", "2076-8", "2106-3", "2131-1", "2135-2", "2186-5"}


def _category(code: str, word: str) -> Json | None:
    if code == fields.DECLINED[0]:
        return {"system": f"{HL7}/v3-NullFlavor", "code": code, "display": "asked but unknown"}
    return {"system": _CDC, "code": code, "display": one_line(word)} if code in _OMB else None


def _occupation(record: Record) -> list[Json]:
    details = record.details
    if details is None or not one_line(details.occupation):
        return []
    return [
        resource(
            "Observation",
            made_id(details.public_id, "occupation"),
            status="preliminary",
            category=[hl7("observation-category", "social-history")],
            code=concept("Occupation", LOINC, "11341-5", "History of Occupation"),
            subject=to_patient(record),
            effectiveDateTime=said_at(record, details.confirmed_in_id) or instant(record.made_at),
            performer=[said_by(record, details.confirmed_in_id)],
            valueString=details.occupation,
        )
    ]


def _phone(number: str, use: str) -> Json | None:
    value = one_line(number)
    return {"system": "phone", "use": use, "value": value} if value else None


# --- whoever is around them -----------------------------------------------------------


def _contact(record: Record, contact: Contact) -> Json:
    is_coded = contact.relationship != Contact.Relationship.OTHER
    code = contact.relationship if is_coded else ""
    relationships = [
        concept(contact.get_relationship_display(), f"{HL7}/v3-RoleCode" if code else "", code)
    ]
    if contact.is_guardian and contact.relationship != Contact.Relationship.GUARDIAN:
        relationships.append(hl7("v3-RoleCode", "GUARD"))
    if contact.is_emergency:
        relationships.append(hl7("v2-0131", "C"))
    return resource(
        "RelatedPerson",
        contact.public_id,
        active=contact.ended_at is None,
        patient=to_patient(record),
        relationship=relationships,
        name=[{"text": one_line(contact.name)}],
        telecom=[
            {"system": "phone", "value": one_line(number), "rank": rank}
            for rank, number in enumerate((contact.phone, contact.other_phone), 1)
            if one_line(number)
        ],
        period={"end": instant(contact.ended_at)} if contact.ended_at else None,
    )


def _fillers(record: Record) -> list[Json]:
    """Whoever filled something in: the typed name, and what they are to the patient, as they said. Not
    matched with the contacts: there is no guess about who somebody is (PRODUCT I)."""
    said: dict[uuid.UUID, Submission] = {}
    for submission in record.submissions.values():
        if submission.filled_in_by not in {"", "patient"}:
            said.setdefault(filler_id(record, submission), submission)
    return [
        resource(
            "RelatedPerson",
            person_id,
            patient=to_patient(record),
            relationship=[concept(submission.get_filled_in_by_display())],
            name=[{"text": one_line(submission.filled_in_name)}],
        )
        for person_id, submission in said.items()
    ]


# --- insurance ------------------------------------------------------------------------

# FHIR asks what the patient is to the policy's owner; on file is what the owner is to the patient.
_PATIENT_IS = {
    "self": "self",
    "spouse": "spouse",
    "parent": "child",
    "child": "parent",
    "other": "other",
}


def _coverage(record: Record, coverage: Coverage) -> Json:
    is_own = coverage.subscriber == Coverage.Relationship.SELF
    classes = [("plan", coverage.plan), ("group", coverage.group_number)]
    number = one_line(coverage.member_number)
    return resource(
        "Coverage",
        coverage.public_id,
        identifier=[{"type": hl7("v2-0203", "MB"), "value": number}] if number else [],
        status="active" if coverage.ended_at is None else "cancelled",
        subscriber=to_patient(record) if is_own else named(coverage.subscriber_name),
        subscriberId=number,
        beneficiary=to_patient(record),
        relationship=hl7("subscriber-relationship", _PATIENT_IS[coverage.subscriber])
        if coverage.subscriber
        else None,
        period={"end": instant(coverage.ended_at)} if coverage.ended_at else None,
        payor=[named(coverage.payer) or ABSENT],
        **{
            "class": [
                {
                    "type": hl7("coverage-class", kind),
                    "value": one_line(value),
                    "name": one_line(value),
                }
                for kind, value in classes
                if one_line(value)
            ]
        },
        order=1 if coverage.rank == Coverage.Rank.PRIMARY else 2,
    )


# --- doctors and pharmacy -------------------------------------------------------------


def _has_doctor(details: Details) -> bool:
    return bool(one_line(details.doctor_name) or one_line(details.doctor_practice))


def _doctor_id(details: Details) -> uuid.UUID:
    return made_id(details.public_id, "doctor")


def _doctor(record: Record) -> list[Json]:
    details = record.details
    if details is None or not _has_doctor(details):
        return []
    return [
        resource(
            "Practitioner",
            _doctor_id(details),
            name=[{"text": one_line(details.doctor_name) or one_line(details.doctor_practice)}],
            telecom=[_phone(details.doctor_phone, "work")],
        )
    ]


def _has_pharmacy(details: Details) -> bool:
    return bool(one_line(details.pharmacy_name))


def _pharmacy_id(details: Details) -> uuid.UUID:
    return made_id(details.public_id, "pharmacy")


def _pharmacy(record: Record) -> list[Json]:
    details = record.details
    if details is None or not _has_pharmacy(details):
        return []
    return [
        resource(
            "Organization",
            _pharmacy_id(details),
            type=[concept("Pharmacy")],
            name=one_line(details.pharmacy_name),
            telecom=[_phone(details.pharmacy_phone, "work")],
            address=[{"text": details.pharmacy_address}],
        )
    ]


def _entries(record: Record) -> list[Practitioner]:
    return [
        entry
        for section in record.sections
        for entry in section.entries
        if isinstance(entry, Practitioner)
    ]


def _practitioners(record: Record) -> list[Json]:
    return [
        resource(
            "Practitioner",
            entry.public_id,
            active=entry.status == Entry.Status.ACTIVE,
            name=[{"text": one_line(entry.name)}],
            telecom=[_phone(entry.phone, "work")],
        )
        for entry in _entries(record)
    ]


def _teams(record: Record) -> list[Json]:
    """A Practitioner cannot say that it ended or was a mistake; the team that it is in can."""
    statuses = {
        Entry.Status.ACTIVE: "active",
        Entry.Status.ENDED: "inactive",
        Entry.Status.ERROR: "entered-in-error",
    }
    teams = []
    for status, code in statuses.items():
        entries = [entry for entry in _entries(record) if entry.status == status]
        participants = _regular_participants(record) if status == Entry.Status.ACTIVE else []
        participants += [_participant(entry) for entry in entries]
        if participants:
            teams.append(
                resource(
                    "CareTeam",
                    made_id(record.member.public_id, "care-team", code),
                    status=code,
                    subject=to_patient(record),
                    participant=participants,
                    note=notes(*(f"{entry.name}: {entry.note}" for entry in entries if entry.note)),
                )
            )
    return teams


def _participant(entry: Practitioner) -> dict[str, Any]:
    return {
        "role": [concept(entry.role)],
        "member": to(entry.public_id, entry.name),
        "onBehalfOf": named(entry.where),
    }


def _regular_participants(record: Record) -> list[Json]:
    details, found = record.details, []
    if details is not None and _has_doctor(details):
        found.append(
            {
                "role": [concept("Primary care doctor")],
                "member": to(_doctor_id(details), details.doctor_name),
                "onBehalfOf": named(details.doctor_practice),
            }
        )
    if details is not None and _has_pharmacy(details):
        found.append(
            {
                "role": [concept("Pharmacy")],
                "member": to(_pharmacy_id(details), details.pharmacy_name),
            }
        )
    return found
