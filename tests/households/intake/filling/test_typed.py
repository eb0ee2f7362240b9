"""What people type, and the FHIR answer that it is; or what they are told to type instead."""

from __future__ import annotations

import datetime

import pytest

from households.intake import inputs, typed
from households.intake.engine.evaluation import evaluate
from households.intake.engine.items import read_definition

UNIT = "http://hl7.org/fhir/StructureDefinition/questionnaire-unit"


def node_of(kind: str, **more):
    item = {"linkId": "1", "type": kind, "text": "Asked", **more}
    now = datetime.datetime(2026, 11, 27, tzinfo=datetime.UTC)
    return evaluate(read_definition({"item": [item]}), [], now=now).nodes[0]


def read(kind: str, text: str, **more):
    node = node_of(kind, **more)
    return typed.answers_from(node, {inputs.box(node): text})


@pytest.mark.parametrize(
    ("kind", "text", "answer"),
    [
        ("integer", " 4 ", {"valueInteger": 4}),
        ("integer", "４", {"valueInteger": 4}),
        ("integer", "0", {"valueInteger": 0}),
        ("decimal", "70,5", {"valueDecimal": 70.5}),
        ("decimal", "-2.0", {"valueDecimal": -2}),
        ("date", "2016/4/7", {"valueDate": "2016-04-07"}),
        ("date", "2016.04.27", {"valueDate": "2016-04-27"}),
        ("time", "2:30 pm", {"valueTime": "14:30:00"}),
        ("time", "12 am", {"valueTime": "00:00:00"}),
        ("time", "14.30", {"valueTime": "14:30:00"}),
        ("string", "a\0b", {"valueString": "ab"}),
        ("url", "https://example.org/", {"valueUri": "https://example.org/"}),
        ("reference", "Dr. Ito", {"valueReference": {"display": "Dr. Ito"}}),
    ],
)
def test_what_is_typed_is_read(kind, text, answer):
    assert read(kind, text) == [answer]


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("integer", "four", "whole number"),
        ("integer", "4.5", "whole number"),
        ("integer", "9999999999", "too large"),
        ("decimal", "5 kg", "number in digits"),
        ("date", "27/04/2016", "year first"),
        ("date", "2016/04", "year first"),
        ("date", "2016/02/30", "year first"),
        ("time", "14", "like this"),
        ("time", "25:00", "like this"),
    ],
)
def test_what_cannot_be_read_names_the_fix(kind, text, says):
    with pytest.raises(typed.Unreadable, match=says):
        read(kind, text)


def test_several_answers_stand_on_several_lines():
    assert read("string", "one\n\n two ", repeats=True) == [
        {"valueString": "one"},
        {"valueString": "two"},
    ]


def test_an_empty_box_is_no_answer():
    for kind in ("integer", "decimal", "date", "time", "string", "text", "url", "boolean"):
        assert read(kind, "") == []


def test_a_quantity_has_the_unit_of_its_question():
    coding = {"system": "http://unitsofmeasure.org", "code": "kg", "display": "kilograms"}
    unit = [{"url": UNIT, "valueCoding": coding}]
    assert read("quantity", "70.5", extension=unit) == [
        {
            "valueQuantity": {
                "value": 70.5,
                "unit": "kilograms",
                "system": "http://unitsofmeasure.org",
                "code": "kg",
            }
        }
    ]


def test_a_choice_is_never_another_one():
    options = [{"valueCoding": {"system": "urn:a", "code": one}} for one in ("x", "y")]
    node = node_of("choice", answerOption=options)
    key = inputs.key_of(node.options[1])
    assert typed.answers_from(node, {inputs.box(node): key}) == [options[1]]
    with pytest.raises(typed.Unreadable, match="Choose one"):
        typed.answers_from(node, {inputs.box(node): "made-up"})
