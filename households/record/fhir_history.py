"""The medical history as FHIR R4 resources: one for each entry, and one List for each section, which says
what is known of the section as a whole.

- "None known" is a statement that somebody made. Where FHIR has a resource for it (allergies, medicines,
  conditions, procedures, vaccines), the section's List holds that one, with the code of the International
  Patient Summary; elsewhere the List is empty because "nilknown".
- "Not asked" is an empty List because "notasked", "not sure" one because "unavailable", and a private topic
  that is left out one because "withheld". None of them ever becomes "none".
- What a family reports is unconfirmed until the practice has confirmed it. What was entered by mistake
  stays as such, with what R4's rules leave of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from households.history import models as history
from households.history.models import Entry, Section, SectionState
from households.record.cleaning import clean, one_line
from households.record.fact_words import (
    answer,
    code_of_answer,
    code_of_question,
    codes_of_dates,
    question,
)
from households.record.fhir_parts import (
    ABSENT,
    EXTENSION,
    HL7,
    LOINC,
    Json,
    at_or_text,
    at_or_unknown,
    concept,
    hl7,
    instant,
    made_id,
    named,
    notes,
    period,
    resource,
    said_at,
    said_by,
    to,
    what_period_leaves_out,
)
from households.record.fhir_people import to_patient
from households.record.partial_dates import fhir_date
from households.record.reading import Record, SectionRecord
from households.record.words import screening_name

Status = Entry.Status
Answer = SectionState.Answer
_UCUM = "http://unitsofmeasure.org"


def histories(record: Record) -> list[Json]:
    found = []
    for section in record.sections:
        found += [
            _WRITTEN[type(entry)](record, entry)
            for entry in section.entries
            if not isinstance(entry, history.Practitioner)  # of whom fhir_people.py writes
        ]
        none = _none_known(record, section)
        found += [*none, _list(record, section, none)]
    return [*found, *(_withheld(record, section) for section in record.withheld)]


# --- what is the same everywhere ------------------------------------------------------


def _is_error(entry: Entry) -> bool:
    return entry.status == Status.ERROR


def _verification(system: str, entry: Entry) -> Json:
    if _is_error(entry):
        return hl7(system, "entered-in-error")
    return hl7(system, "confirmed" if entry.is_confirmed else "unconfirmed")


def _completed(entry: Entry) -> str:
    return "entered-in-error" if _is_error(entry) else "completed"


def _ended(entry: Entry) -> str:
    """For resources that have no word for it."""
    return "Ended." if entry.status == Status.ENDED else ""


# --- a resource for each kind ---------------------------------------------------------


def _allergy(record: Record, one: history.Allergy) -> Json:
    clinical = "active" if one.status == Status.ACTIVE else "inactive"
    reaction = None
    if one_line(one.reaction) or one.severity:
        reaction = {
            "manifestation": [concept(one.reaction) if one_line(one.reaction) else ABSENT],
            "severity": one.severity,
        }
    return resource(
        "AllergyIntolerance",
        one.public_id,
        clinicalStatus=None if _is_error(one) else hl7("allergyintolerance-clinical", clinical),
        verificationStatus=_verification("allergyintolerance-verification", one),
        type=one.kind if one.kind != history.Allergy.Kind.NOT_SURE else "",
        category=[one.category],
        code=concept(one.substance),
        patient=to_patient(record),
        recordedDate=said_at(record, one.recorded_in_id),
        recorder=said_by(record, one.recorded_in_id),
        asserter=said_by(record, one.changed_in_id),
        note=notes(one.note),
        reaction=[reaction],
        **at_or_text("onset", one.since),
    )


_TAKING = {"no": "stopped", "not-sure": "unknown"}


def _medication(record: Record, one: history.Medication) -> Json:
    if _is_error(one):
        status = "entered-in-error"
    elif one.status == Status.ENDED:
        status = "stopped" if one.taking == history.Medication.Taking.NO else "completed"
    else:
        status = _TAKING.get(one.taking, "active")
    taken = period(one.since, one.until)
    words = [one_line(part) for part in (one.dose, one.how_often, one.route)]
    return resource(
        "MedicationStatement",
        one.public_id,
        status=status,
        category=concept(one.get_kind_display()),
        medicationCodeableConcept=concept(f"{one_line(one.name)} {one_line(one.strength)}"),
        subject=to_patient(record),
        dateAsserted=said_at(record, one.changed_in_id),
        informationSource=said_by(record, one.changed_in_id),
        reasonCode=[concept(one.reason)],
        note=notes(
            one.note,
            f"Prescribed by {one_line(one.prescriber)}" if one_line(one.prescriber) else "",
            *what_period_leaves_out(one.since, one.until),
        ),
        dosage=[
            {
                "text": ", ".join(filter(None, words)),
                "route": concept(one.route),
                "asNeededBoolean": True
                if one.taking == history.Medication.Taking.SOMETIMES
                else None,
            }
        ],
        **({"effectivePeriod": taken} if taken else {"_effectiveDateTime": ABSENT}),
    )


def _condition(record: Record, one: history.Condition) -> Json:
    # A condition that has abated is not active (con-4), and of a mistake neither is said (con-5).
    is_over = one.status == Status.ENDED or bool(one_line(one.until))
    over = "resolved" if one_line(one.until) else "inactive"
    clinical = hl7("condition-clinical", over if is_over else "active")
    return resource(
        "Condition",
        one.public_id,
        clinicalStatus=None if _is_error(one) else clinical,
        verificationStatus=_verification("condition-ver-status", one),
        category=[hl7("condition-category", "problem-list-item")],
        code=concept(one.name),
        subject=to_patient(record),
        recordedDate=said_at(record, one.recorded_in_id),
        recorder=said_by(record, one.recorded_in_id),
        asserter=said_by(record, one.changed_in_id),
        note=notes(
            one.note, f"Treated by {one_line(one.treated_by)}" if one_line(one.treated_by) else ""
        ),
        **at_or_text("onset", one.since),
        **({} if _is_error(one) else at_or_text("abatement", one.until)),
    )


_ANAESTHESIA = {
    "no": "No problem with the anesthesia.",
    "not-sure": "Not sure whether there was a problem with the anesthesia.",
}


def _procedure(record: Record, one: history.Procedure) -> Json:
    if one.kind == history.Procedure.Kind.STAY:
        return _stay(record, one)
    had_problem = one.anaesthesia_problem == Entry.Known.YES
    return resource(
        "Procedure",
        one.public_id,
        status=_completed(one),
        code=concept(one.what),
        subject=to_patient(record),
        recorder=said_by(record, one.recorded_in_id),
        asserter=said_by(record, one.changed_in_id),
        performer=[{"actor": named(one.who)}] if one_line(one.who) else [],
        location=named(one.where),
        complication=[concept("Problem with the anesthesia")] if had_problem else [],
        note=notes(one.note, _ANAESTHESIA.get(one.anaesthesia_problem), _ended(one)),
        **at_or_unknown("performed", one.happened),
    )


def _stay(record: Record, one: history.Procedure) -> Json:
    """An Encounter has no note of its own: the standard extension carries them."""
    anaesthesia = {"yes": "Problem with the anesthesia.", **_ANAESTHESIA}
    day = fhir_date(one.happened)
    texts = notes(
        one.note, anaesthesia.get(one.anaesthesia_problem), "" if day else one.happened, _ended(one)
    )
    return resource(
        "Encounter",
        one.public_id,
        extension=[{"url": f"{EXTENSION}/note", "valueAnnotation": note} for note in texts],
        status="entered-in-error" if _is_error(one) else "finished",
        **{
            "class": {
                "system": f"{HL7}/v3-ActCode",
                "code": "IMP",
                "display": "inpatient encounter",
            }
        },
        subject=to_patient(record),
        participant=[{"individual": named(one.who)}],
        period={"start": day} if day else ABSENT,
        reasonCode=[concept(one.what)],
        location=[{"location": named(one.where)}] if one_line(one.where) else [],
    )


def _family_condition(record: Record, one: history.FamilyCondition) -> Json:
    deceased: Json = {}
    if one.age_at_death is not None:
        deceased = _age("deceased", one.age_at_death)
    elif one.deceased in {Entry.Known.YES, Entry.Known.NO}:
        deceased = {"deceasedBoolean": one.deceased == Entry.Known.YES}
    onset = {} if one.age_at_onset is None else _age("onset", one.age_at_onset)
    return resource(
        "FamilyMemberHistory",
        one.public_id,
        status=_completed(one),
        patient=to_patient(record),
        date=said_at(record, one.changed_in_id),
        relationship=hl7("v3-RoleCode", one.relative, one.get_relative_display()),
        note=notes(one.note, _ended(one)),
        condition=[{"code": concept(one.condition), **onset}],
        **deceased,
    )


def _age(name: str, years: int) -> Json:
    """An Age is never 0 (age-1)."""
    if not years:
        return {f"{name}String": "in the first year of life"}
    return {f"{name}Age": {"value": years, "unit": "years", "system": _UCUM, "code": "a"}}


# Readers refuse one without a value, and R4 takes words for it.
_UNKNOWN_OCCURRENCE = {"occurrenceString": "Not known"}


def _immunization(record: Record, one: history.Immunization) -> Json:
    return resource(
        "Immunization",
        one.public_id,
        status=_completed(one),
        vaccineCode=concept(one.vaccine),
        patient=to_patient(record),
        recorded=said_at(record, one.recorded_in_id),
        primarySource=False,
        reportOrigin=hl7("immunization-origin", "recall"),
        location=named(one.where),
        lotNumber=one_line(one.lot_number),
        note=notes(one.note, _ended(one)),
        **(at_or_text("occurrence", one.given) or _UNKNOWN_OCCURRENCE),
    )


def _observed(record: Record, one: Entry, **elements: Any) -> Json:
    status = "final" if one.is_confirmed else "preliminary"
    return resource(
        "Observation",
        one.public_id,
        status="entered-in-error" if _is_error(one) else status,
        subject=to_patient(record),
        issued=said_at(record, one.changed_in_id),
        performer=[said_by(record, one.changed_in_id)],
        **elements,
    )


def _screening(record: Record, one: history.Screening) -> Json:
    day = fhir_date(one.happened)
    return _observed(
        record,
        one,
        category=[hl7("observation-category", "exam")],
        code=concept(screening_name(one)),
        valueString=clean(one.result),
        note=notes(
            one.note,
            one.get_kind_display() if one_line(one.what) else "",
            "" if day else one.happened,
            _ended(one),
        ),
        **at_or_unknown("effective", one.happened, as_text=False),
    )


def _fact(record: Record, one: history.Fact) -> Json:
    apart = codes_of_dates(one)
    since, until = ("" if name in apart else getattr(one, name) for name in ("since", "until"))
    known = period(since, until)
    effective: Json = {"effectivePeriod": known}
    if not known:
        effective = {"effectiveDateTime": said_at(record, one.changed_in_id)}
    is_social = one.of_section in {Section.LIFESTYLE, Section.PREGNANCY}
    value = " – ".join(filter(None, [answer(one), clean(one.detail)]))
    components = [
        {"code": concept(code[1], LOINC, *code), "valueDateTime": fhir_date(getattr(one, name))}
        for name, code in apart.items()
        if fhir_date(getattr(one, name))
    ]
    no_dates = [getattr(one, name) for name in apart if not fhir_date(getattr(one, name))]
    return _observed(
        record,
        one,
        category=[hl7("observation-category", "social-history" if is_social else "survey")],
        code=_coded(question(one), code_of_question(one)),
        valueCodeableConcept=_coded(value, code_of_answer(one)) if value else None,
        dataAbsentReason=None if value else hl7("data-absent-reason", "unknown"),
        note=notes(one.note, *what_period_leaves_out(since, until), *no_dates, _ended(one)),
        component=components,
        **effective,
    )


def _coded(text: str, code: tuple[str, str] | None) -> Json:
    return concept(text, LOINC, *code) if code else concept(text)


def _goal(record: Record, one: history.Goal) -> Json:
    if one.kind == history.Goal.Kind.CONCERN:
        return _observed(
            record,
            one,
            category=[hl7("observation-category", "survey")],
            code=concept("Concern"),
            valueString=clean(one.text),
            note=notes(one.note, _ended(one)),
            effectiveDateTime=said_at(record, one.changed_in_id),
        )
    statuses = {
        Status.ACTIVE: "active",
        Status.ENDED: "completed",
        Status.ERROR: "entered-in-error",
    }
    return resource(
        "Goal",
        one.public_id,
        lifecycleStatus=statuses[Status(one.status)],
        description=concept(one.text),
        subject=to_patient(record),
        statusDate=said_at(record, one.changed_in_id)[:10],
        expressedBy=said_by(record, one.changed_in_id),
        note=notes(one.note),
    )


_WRITTEN: dict[type[Entry], Callable[[Record, Any], Json]] = {
    history.Allergy: _allergy,
    history.Medication: _medication,
    history.Condition: _condition,
    history.Procedure: _procedure,
    history.FamilyCondition: _family_condition,
    history.Immunization: _immunization,
    history.Screening: _screening,
    history.Fact: _fact,
    history.Goal: _goal,
}


# --- none known -----------------------------------------------------------------------

# The codes of the International Patient Summary (HL7, CC0). Of SNOMED CT only the one code that FHIR's own
# page of AllergyIntolerance names; it is in the set that everybody may use.
_ABSENT_UNKNOWN = "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips"
_SNOMED = "http://snomed.info/sct"


def _none_known(record: Record, section: SectionRecord) -> list[Json]:
    """The statement that there is none, where one was made and FHIR has a resource for it."""
    write = _NONE.get(section.section)
    if section.answer != Answer.NONE or section.state is None or write is None:
        return []
    return [write(record, section.state)]


def _none_verification(record: Record, state: SectionState, system: str) -> Json:
    confirmed = any(
        (one.about, one.version) == (state.section, state.version)
        for one in record.accepted_history
    )
    return hl7(system, "confirmed" if confirmed else "unconfirmed")


def _no_code(code: str, text: str) -> Json:
    return concept(text, _ABSENT_UNKNOWN, code)


def _no_allergies(record: Record, state: SectionState) -> Json:
    code = _no_code("no-known-allergies", "No known allergies")
    code["coding"].append({"system": _SNOMED, "code": "716186003", "display": "No known allergy"})
    return resource(
        "AllergyIntolerance",
        made_id(state.public_id, "none"),
        clinicalStatus=hl7("allergyintolerance-clinical", "active"),
        verificationStatus=_none_verification(record, state, "allergyintolerance-verification"),
        code=code,
        patient=to_patient(record),
        recordedDate=said_at(record, state.confirmed_in_id),
        asserter=said_by(record, state.confirmed_in_id),
    )


def _no_medications(record: Record, state: SectionState) -> Json:
    said = said_at(record, state.confirmed_in_id)
    return resource(
        "MedicationStatement",
        made_id(state.public_id, "none"),
        status="unknown",
        medicationCodeableConcept=_no_code("no-known-medications", "No known medicines"),
        subject=to_patient(record),
        dateAsserted=said,
        informationSource=said_by(record, state.confirmed_in_id),
        **({"effectiveDateTime": said} if said else {"_effectiveDateTime": ABSENT}),
    )


def _no_conditions(record: Record, state: SectionState) -> Json:
    return resource(
        "Condition",
        made_id(state.public_id, "none"),
        clinicalStatus=hl7("condition-clinical", "active"),
        verificationStatus=_none_verification(record, state, "condition-ver-status"),
        category=[hl7("condition-category", "problem-list-item")],
        code=_no_code("no-known-problems", "No known health problems"),
        subject=to_patient(record),
        recordedDate=said_at(record, state.confirmed_in_id),
        asserter=said_by(record, state.confirmed_in_id),
    )


def _no_procedures(record: Record, state: SectionState) -> Json:
    return resource(
        "Procedure",
        made_id(state.public_id, "none"),
        status="unknown",
        code=_no_code("no-known-procedures", "No known operations or hospital stays"),
        subject=to_patient(record),
        asserter=said_by(record, state.confirmed_in_id),
        _performedDateTime=ABSENT,
    )


def _no_immunizations(record: Record, state: SectionState) -> Json:
    return resource(
        "Immunization",
        made_id(state.public_id, "none"),
        status="not-done",
        vaccineCode=_no_code("no-known-immunizations", "No known vaccines"),
        patient=to_patient(record),
        recorded=said_at(record, state.confirmed_in_id),
        primarySource=False,
        reportOrigin=hl7("immunization-origin", "recall"),
        **_UNKNOWN_OCCURRENCE,
    )


_NONE: dict[Section, Callable[[Record, SectionState], Json]] = {
    Section.ALLERGIES: _no_allergies,
    Section.MEDICATIONS: _no_medications,
    Section.CONDITIONS: _no_conditions,
    Section.PROCEDURES: _no_procedures,
    Section.IMMUNIZATIONS: _no_immunizations,
}


# --- a list for each section ----------------------------------------------------------

# LOINC's names of these sections in summaries and notes.
_LOINC_OF_SECTION = {
    Section.ALLERGIES: "48765-2",
    Section.MEDICATIONS: "10160-0",
    Section.CONDITIONS: "11450-4",
    Section.PROCEDURES: "47519-4",
    Section.FAMILY: "10157-6",
    Section.IMMUNIZATIONS: "11369-6",
    Section.LIFESTYLE: "29762-2",
    Section.PREGNANCY: "10162-6",
    Section.PRACTITIONERS: "85847-2",
    Section.GOALS: "61146-7",
}
_EMPTY_BECAUSE = {
    Answer.NONE: "nilknown",
    Answer.NOT_ASKED: "notasked",
    Answer.NOT_SURE: "unavailable",
    Answer.ENTRIES: "unavailable",  # all of them were mistakes
}


def list_id(record: Record, section: Section) -> Any:
    return made_id(record.member.public_id, "list", section)


def _list(record: Record, section: SectionRecord, none_known: list[Json]) -> Json:
    state = section.state
    items = [to(entry.public_id) for entry in section.listed]
    items += [{"reference": f"urn:uuid:{one['id']}"} for one in none_known]
    empty = hl7("list-empty-reason", _EMPTY_BECAUSE[section.answer]) if not items else None
    is_unsure = section.answer == Answer.NOT_SURE and items
    return _section_list(
        record,
        section.section,
        date=instant(state.confirmed_at) if state and state.confirmed_at else None,
        source=said_by(record, state.confirmed_in_id) if state else None,
        note=notes("Not sure whether this is all.") if is_unsure else [],
        entry=[{"item": item} for item in items],
        emptyReason=empty,
    )


def _withheld(record: Record, section: Section) -> Json:
    return _section_list(record, section, emptyReason=hl7("list-empty-reason", "withheld"))


def _section_list(record: Record, section: Section, **elements: Any) -> Json:
    code = _LOINC_OF_SECTION.get(section, "")
    return resource(
        "List",
        list_id(record, section),
        status="current",
        mode="snapshot",
        title=str(section.label),
        code=concept(section.label, LOINC if code else "", code),
        subject=to_patient(record),
        **elements,
    )
