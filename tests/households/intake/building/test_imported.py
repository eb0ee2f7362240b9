"""Forms that nobody here wrote can be opened and changed; what the builder does not know stays in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from households.intake.building import changes
from households.intake.building.kept import kept_of
from households.intake.building.kinds import CannotBuild, kind_of
from households.intake.building.naming import gone_with
from households.intake.building.parts import read_parts
from households.intake.building.structure import places_for, rows_of
from households.intake.definitions import sha256_of
from households.intake.importing import form_read
from households.intake.models import QuestionnaireVersion
from tests.pages import text_of
from tests.questionnaires import files

FILES = files()


def imported(path: Path) -> dict:
    read = form_read(json.loads(path.read_text()), set())
    if read.is_refused:
        pytest.skip("the import refuses it")
    return read.definition


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_opening_saving_and_moving_there_and_back_change_nothing(path):
    definition = imported(path)
    rows = rows_of(definition)
    for row in rows[:120]:
        kept_of(row.item)
        gone_with(definition, row.link_id)
        assert places_for(definition, row.item)
        parts = read_parts(row.item, kind_of(row.item))
        if not parts["text"]:
            parts["text"] = "A title"
            after = changes.with_parts(definition, row.link_id, parts)
            (changed,) = [one.item for one in rows_of(after) if one.link_id == row.link_id]
            assert {**changed, "text": ""} == {**row.item, "text": ""}
        else:
            assert changes.with_parts(definition, row.link_id, parts) == definition
    for row in rows[:40]:
        try:
            moved = changes.with_step(definition, row.link_id, 1)
            back = changes.with_step(moved, row.link_id, -1) if moved != definition else moved
        except CannotBuild:
            continue
        assert back == definition


@pytest.fixture
def imported_form(builder):
    def put(definition: dict) -> None:
        definition = {**builder.definition, **definition}
        QuestionnaireVersion.objects.filter(pk=builder.version.pk).update(
            definition=definition, sha256=sha256_of(definition)
        )

    return put


@pytest.mark.parametrize("path", FILES[::9], ids=lambda path: path.stem)
def test_every_page_of_an_imported_form_opens(builder, imported_form, path):
    definition = imported(path)
    imported_form(definition)
    assert builder.open().status_code == 200
    for row in rows_of(definition)[:25]:
        for page in ("item/", "move/", "delete/", "show-if/"):
            assert builder.open(page, item=row.link_id).status_code == 200, (page, row.link_id)


def test_what_is_unknown_is_named_and_kept(builder, imported_form):
    slider = {
        "url": "http://hl7.org/fhir/StructureDefinition/questionnaire-itemControl",
        "valueCodeableConcept": {"coding": [{"code": "slider"}], "text": "Slider"},
    }
    pain = {
        "linkId": "/pain.1",
        "text": "Pain",
        "type": "integer",
        "prefix": "3.",
        "extension": [slider],
    }
    who = {"linkId": "ref", "text": "Doctor", "type": "reference"}
    listed = {
        "linkId": "l",
        "text": "Race",
        "type": "choice",
        "answerValueSet": "urn:list",
        "code": [{"system": "http://loinc.org", "code": "72826-1"}],
    }
    imported_form({"item": [pain, who, listed]})
    page = text_of(builder.open("item/", item="/pain.1"))
    assert "From the imported file, kept as it is" in page
    assert "questionnaire-itemControl: Slider" in page
    assert "number before the question: 3." in page
    assert "choices from the list urn:list" in text_of(builder.open("item/", item="l"))
    builder.change("Pain", text="How bad is the pain?", smallest="0", largest="10")
    item = builder.item("How bad is the pain?")
    assert item["prefix"] == "3."
    assert item["extension"][0] == slider
    builder.change("Doctor", text="Your doctor", required="on")
    assert builder.item("Your doctor") == {**who, "text": "Your doctor", "required": True}
    builder.change("Race", text="How do you describe yourself?")
    assert builder.item("How do you describe yourself?")["answerValueSet"] == "urn:list"


def test_choices_keep_their_codes_and_what_hangs_on_them(builder, imported_form):
    loinc = {"system": "http://loinc.org", "code": "LA6568-5", "display": "Not at all"}
    options = [
        {"valueCoding": loinc, "extension": [{"url": "urn:other", "valueString": "x"}]},
        {
            "valueCoding": {
                "system": "http://loinc.org",
                "code": "LA6569-3",
                "display": "Several days",
            }
        },
        {"valueCoding": {"code": "own", "display": "Other"}, "initialSelected": True},
    ]
    imported_form(
        {"item": [{"linkId": "q", "text": "Q", "type": "choice", "answerOption": options}]}
    )
    builder.change("Q", choices="Several days\nNot at all = 2\nSomething else")
    first, second, third = builder.item("Q")["answerOption"]
    assert first == options[1]
    assert second["valueCoding"] == loinc
    assert second["extension"][0] == options[0]["extension"][0]
    assert second["extension"][1]["valueDecimal"] == 2
    assert third["valueCoding"] == {"code": "own", "display": "Something else"}
    # A code of LOINC's says what LOINC says; other words are another choice.
    builder.change("Q", choices="Nearly never\nNot at all = 2\nSomething else")
    assert builder.item("Q")["answerOption"][0]["valueCoding"] == {
        "code": "nearly-never",
        "display": "Nearly never",
    }


def test_what_an_imported_expression_works_with_is_not_deleted(builder, imported_form):
    calculated = {
        "url": "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-calculatedExpression",
        "valueExpression": {
            "language": "text/fhirpath",
            "expression": "%resource.item.where(linkId='height').answer.value",
        },
    }
    items = [
        {"linkId": "height", "text": "Height", "type": "decimal"},
        {"linkId": "bmi", "text": "BMI", "type": "decimal", "extension": [calculated]},
    ]
    imported_form({"item": items})
    assert "It cannot be deleted" in text_of(builder.open("delete/", item="height"))
    answer = builder.delete("Height", also="1")
    assert answer.status_code == 422
    assert [item["linkId"] for item in builder.items()] == ["height", "bmi"]
    assert builder.delete("BMI").status_code == 302
    assert builder.delete("Height").status_code == 422  # the last one
