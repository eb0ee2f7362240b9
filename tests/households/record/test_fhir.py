"""A record as FHIR: each kind of resource, what is known of a section, who said so."""

from __future__ import annotations

import base64
import json
import uuid

import pytest

from tests.cast import household, member
from tests.households.record.conftest import (
    DAY,
    HOSTILE,
    accepted,
    add,
    answered,
    every_status,
    fill,
    record,
    sent,
)


def bundle(one, **how):
    from households.record.fhir_bundle import bundle_of

    return bundle_of(record(one, **how))


def resources(one, kind="", **how):
    every = [entry["resource"] for entry in bundle(one, **how)["entry"]]
    return [each for each in every if kind in {"", each["resourceType"]}]


def by_id(one, row):
    (found,) = [each for each in resources(one) if each["id"] == str(row.public_id)]
    return found


def code_of(concept):
    return concept["coding"][0]["code"]


def section_list(one, section, **how):
    from households.history.models import Section

    title = str(Section(section).label)
    (found,) = [each for each in resources(one, "List", **how) if each["title"] == title]
    return found


# --- the whole ------------------------------------------------------------------------


def test_a_collection_of_everything(cast, rich):
    made = bundle(cast.mia)
    assert (made["resourceType"], made["type"]) == ("Bundle", "collection")
    kinds = {entry["resource"]["resourceType"] for entry in made["entry"]}
    assert kinds == {
        *["Patient", "RelatedPerson", "Coverage", "Organization", "Practitioner", "CareTeam"],
        *["AllergyIntolerance", "MedicationStatement", "Condition", "Procedure", "Encounter"],
        *["FamilyMemberHistory", "Immunization", "Observation", "Goal", "List"],
        *["DocumentReference", "Provenance"],
    }


def test_ids_are_the_rows_own_and_stay_the_same(cast, rich):
    first, second = bundle(cast.mia), bundle(cast.mia)
    urls = [entry["fullUrl"] for entry in first["entry"]]
    assert urls == [entry["fullUrl"] for entry in second["entry"]]
    assert len(set(urls)) == len(urls)
    for entry in first["entry"]:
        assert entry["fullUrl"] == f"urn:uuid:{uuid.UUID(entry['resource']['id'])}"
    for row in (cast.mia, rich["allergy"], rich["contact"], rich["document"], rich["stay"]):
        assert f"urn:uuid:{row.public_id}" in urls


def test_every_resource_is_about_the_member_and_nobody_else(cast, rich, none_known):
    theirs = {entry["fullUrl"] for entry in bundle(cast.leo)["entry"]}
    hers = json.dumps(bundle(cast.mia))
    shared = {url for url in theirs if url in hers}
    practice = [
        one for one in resources(cast.leo, "Organization") if "Your practice" in one["name"]
    ]
    assert shared == {f"urn:uuid:{practice[0]['id']}"}
    assert "Leo" not in hers


def test_a_resource_that_is_not_fhir_does_not_leave_and_its_text_is_not_told(
    cast, rich, monkeypatch
):
    from households.record import fhir_history
    from households.record.fhir_bundle import InvalidResource
    from households.record.fhir_parts import resource

    def broken(record, one):
        return resource("Goal", one.public_id, lifecycleStatus={"text": one.text})

    monkeypatch.setitem(fhir_history._WRITTEN, type(rich["goal"]), broken)
    with pytest.raises(InvalidResource, match="Goal") as caught:
        bundle(cast.mia)
    assert "mile" not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


# --- people ---------------------------------------------------------------------------


def test_patient(cast, rich):
    (patient,) = resources(cast.mia, "Patient")
    assert patient["name"][0] == {
        "use": "official",
        "text": "Mia Rivera",
        "family": "Rivera",
        "given": ["Mia"],
    }
    assert patient["name"][1]["text"] == "Mimi"
    assert patient["birthDate"] == "2016-04-27"
    assert patient["identifier"][0]["value"] == cast.mia.patient_id
    assert code_of(patient["maritalStatus"]) == "S"
    extensions = {each["url"].rpartition("/")[2]: each for each in patient["extension"]}
    assert extensions["patient-interpreterRequired"]["valueBoolean"] is True
    category, text = extensions["us-core-race"]["extension"]
    assert (category["url"], category["valueCoding"]["code"]) == ("ombCategory", "2106-3")
    assert text == {"url": "text", "valueString": "White"}
    (doctor,) = patient["generalPractitioner"]
    assert doctor["display"] == "Dr. Ada Stone"
    assert doctor["reference"] in {entry["fullUrl"] for entry in bundle(cast.mia)["entry"]}


def test_patient_without_a_birth_date(cast):
    cast.mia.date_of_birth = None
    (patient,) = resources(cast.mia, "Patient")
    assert "birthDate" not in patient
    assert patient["_birthDate"]["extension"][0]["valueCode"] == "unknown"


def test_related_person_of_a_contact(cast, rich):
    related = by_id(cast.mia, rich["contact"])
    assert [code_of(each) for each in related["relationship"]] == ["MTH", "GUARD", "C"]
    assert related["name"] == [{"text": "Elena Rivera"}]
    assert [each["value"] for each in related["telecom"]] == ["555 0101", "555 0103"]


def test_coverage_says_what_the_patient_is_to_the_owner(cast, rich):
    """On file: the policy belongs to a parent. In FHIR: the patient is the child."""
    coverage = by_id(cast.mia, rich["coverage"])
    assert code_of(coverage["relationship"]) == "child"
    assert coverage["payor"] == [{"display": "Blue Hills Health"}]
    assert coverage["subscriber"] == {"display": "Elena Rivera"}
    classes = {code_of(each["type"]): each["value"] for each in coverage["class"]}
    assert classes == {"plan": "Family Plus", "group": "G-9"}
    assert coverage["order"] == 1


def test_practitioners_are_a_team(cast, rich):
    add(type(rich["practitioner"]), rich["submission"], name="Dr. Old", status="ended")
    add(type(rich["practitioner"]), rich["submission"], name="Dr. Wrong", status="error")
    teams = {each["status"]: each for each in resources(cast.mia, "CareTeam")}
    names = {
        status: [each["member"]["display"] for each in team["participant"]]
        for status, team in teams.items()
    }
    assert names == {
        "active": ["Dr. Ada Stone", "Corner Pharmacy", "Dr. Lung"],
        "inactive": ["Dr. Old"],
        "entered-in-error": ["Dr. Wrong"],
    }


# --- entries --------------------------------------------------------------------------


def test_allergy(cast, rich):
    allergy = by_id(cast.mia, rich["allergy"])
    assert allergy["code"] == {"text": "Penicillin"}
    assert (allergy["type"], allergy["category"]) == ("allergy", ["medication"])
    assert code_of(allergy["clinicalStatus"]) == "active"
    assert code_of(allergy["verificationStatus"]) == "confirmed"
    assert allergy["onsetDateTime"] == "2021-05"
    assert allergy["reaction"] == [{"manifestation": [{"text": "Hives"}], "severity": "severe"}]
    assert allergy["asserter"]["display"] == "Elena Rivera (a parent or guardian)"


def test_allergy_entered_by_mistake_has_no_clinical_status(cast, rich):
    rich["allergy"].status = "error"
    rich["allergy"].save()
    allergy = by_id(cast.mia, rich["allergy"])
    assert code_of(allergy["verificationStatus"]) == "entered-in-error"
    assert "clinicalStatus" not in allergy


def test_medication(cast, rich):
    medication = by_id(cast.mia, rich["medication"])
    assert medication["status"] == "active"
    assert medication["medicationCodeableConcept"] == {"text": "Vitamin D 400 IU"}
    assert medication["effectivePeriod"] == {"start": "2024"}
    assert medication["dosage"] == [
        {
            "text": "1 drop, every morning, by mouth",
            "route": {"text": "by mouth"},
            "asNeededBoolean": True,
        }
    ]
    assert medication["reasonCode"] == [{"text": "Winter"}]
    assert medication["informationSource"]["display"].startswith("Elena Rivera")


@pytest.mark.parametrize(
    ("status", "taking", "said"),
    [
        ("active", "", "active"),
        ("active", "no", "stopped"),
        ("active", "not-sure", "unknown"),
        ("ended", "yes", "completed"),
        ("ended", "no", "stopped"),
        ("error", "yes", "entered-in-error"),
    ],
)
def test_medication_status(cast, rich, status, taking, said):
    rich["medication"].status, rich["medication"].taking = status, taking
    rich["medication"].since = ""
    rich["medication"].save()
    medication = by_id(cast.mia, rich["medication"])
    assert medication["status"] == said
    assert medication["_effectiveDateTime"]["extension"][0]["valueCode"] == "unknown"


def test_condition(cast, rich):
    condition = by_id(cast.mia, rich["condition"])
    assert code_of(condition["category"][0]) == "problem-list-item"
    assert condition["onsetDateTime"] == "2019-03-02"
    assert code_of(condition["clinicalStatus"]) == "active"
    assert code_of(condition["verificationStatus"]) == "unconfirmed"
    assert {"text": "Treated by Dr. Lung"} in condition["note"]


def test_condition_that_is_over(cast, rich):
    rich["condition"].until = "2024"
    rich["condition"].save()
    condition = by_id(cast.mia, rich["condition"])
    assert code_of(condition["clinicalStatus"]) == "resolved"
    assert condition["abatementDateTime"] == "2024"


def test_procedure_and_hospital_stay(cast, rich):
    procedure, stay = by_id(cast.mia, rich["operation"]), by_id(cast.mia, rich["stay"])
    assert procedure["performedDateTime"] == "2022-06"
    assert procedure["complication"] == [{"text": "Problem with the anesthesia"}]
    assert procedure["performer"] == [{"actor": {"display": "Dr. Knife"}}]
    assert (stay["resourceType"], stay["class"]["code"], stay["status"]) == (
        "Encounter",
        "IMP",
        "finished",
    )
    assert stay["period"] == {"start": "2018"}
    assert stay["extension"][0]["valueAnnotation"] == {"text": "Four days"}


def test_procedure_of_unknown_date(cast, rich):
    rich["operation"].happened = ""
    rich["operation"].save()
    procedure = by_id(cast.mia, rich["operation"])
    assert procedure["_performedDateTime"]["extension"][0]["valueCode"] == "unknown"


def test_family_member_history(cast, rich):
    relative = by_id(cast.mia, rich["family"])
    assert code_of(relative["relationship"]) == "MGRMTH"
    assert relative["deceasedAge"]["value"] == 80
    assert relative["condition"][0]["code"] == {"text": "Diabetes"}
    assert relative["condition"][0]["onsetAge"] == {
        "value": 55,
        "unit": "years",
        "system": "http://unitsofmeasure.org",
        "code": "a",
    }


def test_immunization_is_recalled(cast, rich):
    vaccine = by_id(cast.mia, rich["immunization"])
    assert vaccine["occurrenceDateTime"] == "2017-05-01"
    assert vaccine["primarySource"] is False
    assert code_of(vaccine["reportOrigin"]) == "recall"
    assert vaccine["lotNumber"] == "L-77"
    rich["immunization"].given = "as a baby"[:10]
    rich["immunization"].save()
    assert by_id(cast.mia, rich["immunization"])["occurrenceString"] == "as a baby"


def test_observations(cast, rich):
    tobacco, pregnancy = by_id(cast.mia, rich["tobacco"]), by_id(cast.mia, rich["pregnant"])
    assert code_of(tobacco["code"]) == "72166-2"
    assert code_of(pregnancy["code"]) == "82810-3"
    assert tobacco["valueCodeableConcept"] == {"text": "Never – In her own words"}
    assert tobacco["effectivePeriod"] == {"start": "2020"}
    assert tobacco["status"] == "preliminary"
    assert "coding" not in by_id(cast.mia, rich["sleep"])["code"]
    screening = by_id(cast.mia, rich["screening"])
    assert (screening["code"]["text"], screening["valueString"]) == ("Eye exam", "Fine")
    assert screening["effectiveDateTime"] == "2025"
    assert by_id(cast.mia, rich["concern"])["valueString"] == "Coughs at night"


def test_a_due_date_is_no_end(cast, rich):
    """Dates that are facts of their own: nobody is pregnant from a day in the past to one ahead."""
    rich["pregnant"].value, rich["pregnant"].since = "yes", ""
    rich["pregnant"].until = "2027-03-01"
    rich["pregnant"].save()
    pregnant = by_id(cast.mia, rich["pregnant"])
    assert pregnant["valueCodeableConcept"]["coding"][0]["code"] == "LA15173-0"
    assert "effectivePeriod" not in pregnant
    assert pregnant["effectiveDateTime"].startswith("2026-11-20T")
    (due,) = pregnant["component"]
    assert (code_of(due["code"]), due["valueDateTime"]) == ("11778-8", "2027-03-01")


def test_goal(cast, rich):
    goal = by_id(cast.mia, rich["goal"])
    assert (goal["resourceType"], goal["lifecycleStatus"]) == ("Goal", "active")
    assert goal["description"] == {"text": "Run a mile"}


def test_document_is_named_not_held(cast, rich):
    reference = by_id(cast.mia, rich["document"])
    (content,) = reference["content"]
    assert content["attachment"]["title"] == "card.png"
    assert content["attachment"]["size"] == rich["document"].size
    assert "data" not in content["attachment"] and "url" not in content["attachment"]
    digest = reference["identifier"][0]["value"].rpartition(";")[2]
    assert base64.urlsafe_b64decode(f"{digest}=").hex() == rich["document"].sha256


def test_a_period_never_ends_before_it_begins(cast, rich):
    rich["medication"].since, rich["medication"].until = "2020-05", "2019"
    rich["medication"].save()
    medication = by_id(cast.mia, rich["medication"])
    assert medication["effectivePeriod"] == {"start": "2020-05"}
    assert {"text": "2019"} in medication["note"]


def test_what_was_entered_by_mistake_stays_as_that(cast):
    every_status(cast.leo, cast.rivera)
    marked = {
        kind
        for kind in {one["resourceType"] for one in resources(cast.leo)}
        for one in resources(cast.leo, kind)
        if "entered-in-error" in json.dumps(one)
    }
    assert marked == {
        *["AllergyIntolerance", "MedicationStatement", "Condition", "Procedure", "Encounter"],
        *["FamilyMemberHistory", "Immunization", "Observation", "Goal", "CareTeam"],
    }
    listed = {
        each["item"]["reference"]
        for one in resources(cast.leo, "List")
        for each in one.get("entry", [])
    }
    mistakes = {
        f"urn:uuid:{one['id']}"
        for one in resources(cast.leo)
        if "entered-in-error" in json.dumps(one) and one["resourceType"] != "CareTeam"
    }
    assert mistakes and not listed & mistakes


# --- what is known of a section -------------------------------------------------------

NONE_KNOWN = {
    "AllergyIntolerance": ("code", "no-known-allergies"),
    "MedicationStatement": ("medicationCodeableConcept", "no-known-medications"),
    "Condition": ("code", "no-known-problems"),
    "Procedure": ("code", "no-known-procedures"),
    "Immunization": ("vaccineCode", "no-known-immunizations"),
}


@pytest.mark.parametrize(("kind", "place"), NONE_KNOWN.items())
def test_none_known_is_a_statement(cast, none_known, kind, place):
    element, code = place
    (statement,) = resources(cast.leo, kind)
    assert code_of(statement[element]) == code
    lists = [one for one in resources(cast.leo, "List") if one.get("entry")]
    pointed_at = {each["item"]["reference"] for one in lists for each in one["entry"]}
    assert f"urn:uuid:{statement['id']}" in pointed_at


def test_none_known_without_a_resource_is_an_empty_list(cast, none_known):
    for section in ("family", "screenings", "lifestyle", "goals"):
        found = section_list(cast.leo, section)
        assert "entry" not in found
        assert code_of(found["emptyReason"]) == "nilknown"


def test_not_asked_is_never_none(cast):
    assert resources(cast.elena, "AllergyIntolerance") == []
    assert {code_of(one["emptyReason"]) for one in resources(cast.elena, "List")} == {"notasked"}
    assert "no-known" not in json.dumps(bundle(cast.elena))
    assert "nilknown" not in json.dumps(bundle(cast.elena))


def test_not_sure_is_neither(cast):
    answered(sent(cast.elena, cast.rivera), "allergies", "not-sure")
    assert resources(cast.elena, "AllergyIntolerance") == []
    assert code_of(section_list(cast.elena, "allergies")["emptyReason"]) == "unavailable"


def test_an_entry_is_stronger_than_none(cast, none_known):
    """One that came in while somebody else's "none" was saved: no file says both."""
    from households.history.models import Allergy

    add(Allergy, sent(cast.leo, cast.rivera), substance="Nuts")
    (allergy,) = resources(cast.leo, "AllergyIntolerance")
    assert allergy["code"] == {"text": "Nuts"}


def test_only_mistakes_are_not_none(cast):
    from households.history.models import Allergy

    came = sent(cast.elena, cast.rivera)
    answered(came, "allergies", "entries")
    add(Allergy, came, substance="Nuts", status="error")
    found = section_list(cast.elena, "allergies")
    assert "entry" not in found
    assert code_of(found["emptyReason"]) == "unavailable"


def test_practice_confirms_none_known(cast, none_known):
    from households.history.models import EntryChange, SectionState

    state = SectionState.objects.for_member(cast.leo).get(section="allergies")
    change = EntryChange.objects.create(
        member=cast.leo,
        submission=state.confirmed_in,
        section="allergies",
        action="answered",
        version=state.version,
        decision="accepted",
        decided_at=DAY,
        decided_by=cast.nurse_staff,
    )
    (statement,) = resources(cast.leo, "AllergyIntolerance")
    assert code_of(statement["verificationStatus"]) == "confirmed"
    EntryChange.objects.filter(pk=change.pk).update(version=state.version + 1)
    (statement,) = resources(cast.leo, "AllergyIntolerance")
    assert code_of(statement["verificationStatus"]) == "unconfirmed"


def test_private_topics_are_withheld_from_a_shared_login(cast, rich):
    from households.history.models import SectionSetting

    SectionSetting.objects.filter(section="wellbeing").update(is_private=True)
    found = section_list(cast.mia, "wellbeing", for_login=cast.rivera)
    assert code_of(found["emptyReason"]) == "withheld"
    shared = json.dumps(bundle(cast.mia, for_login=cast.rivera))
    assert str(rich["sleep"].public_id) not in shared
    assert str(rich["tobacco"].public_id) in shared
    assert str(rich["sleep"].public_id) in json.dumps(bundle(cast.mia))


# --- who said so ----------------------------------------------------------------------


def provenances(one, agent):
    return [
        each for each in resources(one, "Provenance") if code_of(each["agent"][0]["type"]) == agent
    ]


def test_one_author_for_each_submission(cast, rich):
    found = provenances(cast.mia, "author")
    assert len(found) == 3  # history, details, a document
    (history,) = [
        one
        for one in found
        if f"urn:uuid:{rich['allergy'].public_id}" in {each["reference"] for each in one["target"]}
    ]
    (agent,) = history["agent"]
    assert agent["who"]["display"] == "Elena Rivera (a parent or guardian)"
    assert agent["onBehalfOf"]["reference"] == f"urn:uuid:{cast.mia.public_id}"
    assert history["recorded"].startswith("2026-11-20T")
    (person,) = [
        one
        for one in resources(cast.mia, "RelatedPerson")
        if f"urn:uuid:{one['id']}" == agent["who"]["reference"]
    ]
    assert person["name"] == [{"text": "Elena Rivera"}]
    assert person["relationship"] == [{"text": "A parent or guardian"}]


def test_the_patient_can_be_the_author(cast):
    came = sent(cast.elena, cast.rivera, filled_in_by="patient", filled_in_name="Elena")
    from households.history.models import Goal

    add(Goal, came, kind="goal", text="Sleep")
    (one,) = provenances(cast.elena, "author")
    assert one["agent"][0]["who"]["reference"] == f"urn:uuid:{cast.elena.public_id}"
    assert "onBehalfOf" not in one["agent"][0]


def test_nobody_said_who(cast):
    from households.history.models import Goal

    came = sent(cast.elena, cast.rivera, filled_in_by="", filled_in_name="")
    add(Goal, came, kind="goal", text="Sleep")
    (one,) = provenances(cast.elena, "author")
    assert "reference" not in one["agent"][0]["who"]
    (goal,) = resources(cast.elena, "Goal")
    assert "expressedBy" not in goal


def test_what_the_practice_accepted_has_a_verifier(cast, rich):
    (one,) = provenances(cast.mia, "verifier")
    assert [each["reference"] for each in one["target"]] == [
        f"urn:uuid:{rich['allergy'].public_id}"
    ]
    assert one["recorded"].startswith("2026-11-21T")
    assert one["agent"][0]["who"]["display"] == "Your practice"


def test_a_later_change_is_not_verified_by_the_earlier_look(cast, rich):
    rich["allergy"].is_confirmed = False
    rich["allergy"].version += 1
    rich["allergy"].save()
    assert provenances(cast.mia, "verifier") == []
    assert code_of(by_id(cast.mia, rich["allergy"])["verificationStatus"]) == "unconfirmed"


def test_verifier_of_details(cast, rich):
    from households.demographics.models import DetailChange

    came = sent(cast.mia, cast.rivera, "demographics")
    for row in ("", str(rich["contact"].public_id)):
        DetailChange.objects.create(
            member=cast.mia,
            submission=came,
            field="contacts" if row else "occupation",
            row=row,
            decision="accepted",
            decided_at=DAY,
            decided_by=cast.nurse_staff,
        )
    (one,) = [each for each in provenances(cast.mia, "verifier") if len(each["target"]) == 2]
    assert {each["reference"] for each in one["target"]} == {
        f"urn:uuid:{cast.mia.public_id}",
        f"urn:uuid:{rich['contact'].public_id}",
    }


# --- hostile text ---------------------------------------------------------------------


def test_text_stays_text(cast):
    strange = member("Mia", "Strange", "2001/01/01", "strange@example.org")
    rows = fill(strange, household("strange@example.org"), cast.nurse_staff, HOSTILE)
    accepted(rows["condition"], cast.nurse_staff)
    made = json.dumps(bundle(strange), ensure_ascii=False)
    condition = by_id(strange, rows["condition"])
    assert condition["code"]["text"].startswith("#panic() {{7*7}} <script>alert(1)</script> $x$")
    assert condition["onsetString"] == "#panic() {"
    for unseen in ("\u202e", "\u2066", "\x01", "\x1b", "\x85", "\\u0001", "\\u001b"):
        assert unseen not in made
