"""A questionnaire as the engine reads it, and answers as people read them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from households.intake.engine.answers import words_of
from households.intake.engine.evaluation import evaluate, put
from households.intake.engine.items import read_definition
from tests.questionnaires import NOW, OURS, PATIENT, ours, read

SHELF = "https://portal.example/ValueSet/shelf"


def test_what_a_form_says_of_itself():
    form = ours("all-types")
    assert (form.title, form.version) == ("One question of each kind", "1")
    assert form.url == "https://portal.example/Questionnaire/all-types"
    assert form.value_sets == {SHELF}
    assert [item.link_id for item in form.items] == ["words", "plain", "choices", "things"]


def test_a_help_text_goes_to_its_question():
    name = ours("all-types").by_link_id["name"]
    assert name.help == "A short name is best."
    assert name.children == ()
    # A text between questions stays where it is: it speaks of what follows.
    assert ours("all-types").items[0].type == "display"


def test_choices():
    form = ours("all-types")
    colour, pets, season = (form.by_link_id[each] for each in ("colour", "pets", "season"))
    assert [option.label for option in colour.options] == ["Red", "Green"]
    assert [option.is_selected for option in colour.options] == [False, True]
    assert [option.is_exclusive for option in pets.options] == [False, False, True]
    # Contained: what compose includes, less what it excludes.
    assert [option.label for option in season.options] == ["Spring", "Summer", "Winter"]
    assert [option.weight for option in ours("scores").by_link_id["sleep.1"].options] == [
        Decimal(weight) for weight in range(4)
    ]


def test_an_outside_value_set_is_looked_up_without_its_version():
    concepts = [{"system": "urn:s", "code": "a", "display": "A", "weight": "2"}]
    form = read_definition(read(OURS / "all-types.json"), {SHELF: concepts})
    (option,) = form.by_link_id["shelf"].options
    assert option.answer == {"valueCoding": {"system": "urn:s", "code": "a", "display": "A"}}
    assert option.weight == 2
    assert ours("all-types").by_link_id["shelf"].options == ()


@pytest.mark.parametrize(
    "value_set",
    [
        {"expansion": {"contains": [{"system": "s", "code": "a", "contains": [{"code": "b"}]}]}},
        {"compose": {"include": [{"system": "s", "concept": [{"code": "a"}, {"code": "b"}]}]}},
        {"compose": {"include": [{"system": "urn:own"}]}},
        {"compose": {"include": [{"valueSet": ["#other"]}]}},
        {"compose": {"include": [{"valueSet": ["#v"]}, {"valueSet": ["#other"]}]}},
    ],
    ids=["expansion", "concepts", "code system", "another set", "itself"],
)
def test_contained_value_sets(value_set):
    contained = [
        {"resourceType": "ValueSet", "id": "v", **value_set},
        {
            "resourceType": "CodeSystem",
            "url": "urn:own",
            "concept": [{"code": "a", "concept": [{"code": "b"}]}],
        },
        {
            "resourceType": "ValueSet",
            "id": "other",
            "compose": {"include": [{"concept": [{"code": "a"}, {"code": "b"}]}]},
        },
    ]
    question = {"linkId": "q", "type": "choice", "answerValueSet": "#v"}
    form = read_definition({"contained": contained, "item": [question]})
    assert [option.label for option in form.by_link_id["q"].options] == ["a", "b"]
    assert form.value_sets == frozenset()


def test_real_defects_are_read():
    item = {
        "type": "string",
        "required": "true",
        "maxLength": "20",
        "text": 7,
        "extension": {
            "url": "http://hl7.org/fhir/StructureDefinition/minLength",
            "valueInteger": 2,
        },
    }
    form = read_definition({"item": [item, {"linkId": "x", "type": "coding"}]})
    first, second = form.items
    assert first.link_id and first.required and first.max_length == 20 and first.min_length == 2
    assert first.text == ""
    assert second.type == "choice"


@pytest.mark.parametrize(
    ("link_id", "answer", "words"),
    [
        ("well", {"valueBoolean": True}, "Yes"),
        ("well", {"valueBoolean": False}, "No"),
        ("children", {"valueInteger": 4}, "4"),
        ("temperature", {"valueDecimal": 37.5}, "37.5 °C"),
        ("since", {"valueDate": "2026-11-27"}, "2026/11/27"),
        ("since", {"valueDate": "2026-11"}, "2026/11"),
        ("since", {"valueDate": "2026"}, "2026"),
        ("seen", {"valueDateTime": "2026-11-27T14:05:00Z"}, "2026/11/27, 14:05"),
        ("bedtime", {"valueTime": "19:30:00"}, "19:30"),
        ("colour", {"valueCoding": {"system": "urn:colours", "code": "r"}}, "Red"),
        ("colour", {"valueCoding": {"code": "b", "display": "Blue"}}, "Blue"),
        ("pets", {"valueString": "a hen"}, "a hen"),
        ("dose", {"valueQuantity": {"value": 4, "unit": "hours"}}, "4 hours"),
        ("dose", {"valueQuantity": {"value": 2.5, "comparator": "<", "code": "mg"}}, "<2.5 mg"),
        ("doctor", {"valueReference": {"display": "Dr. Stone"}}, "Dr. Stone"),
        ("card", {"valueAttachment": {"title": "card.jpg", "url": "u"}}, "card.jpg"),
    ],
)
def test_how_an_answer_reads(link_id, answer, words):
    assert words_of(ours("all-types").by_link_id[link_id], [answer]) == [words]


def test_blank_answers_read_as_nothing():
    item = ours("all-types").by_link_id["name"]
    assert words_of(item, [{}, {"valueString": ""}, {"valueString": "Mia"}]) == ["Mia"]


def choosing(extension: dict) -> dict:
    options = [{"valueCoding": {"code": code, "display": code.upper()}} for code in "abc"]
    return {
        "item": [
            {"linkId": "first", "type": "choice", "repeats": True, "answerOption": options},
            {
                "linkId": "second",
                "type": "choice",
                "answerOption": options,
                "extension": [extension],
            },
        ]
    }


def options_of_the_second(extension: dict) -> list[str]:
    form = read_definition(choosing(extension))
    chosen = [{"valueCoding": {"code": code, "display": code.upper()}} for code in "ab"]
    filled = evaluate(form, put(form, [], {"0": chosen}), patient=PATIENT, now=NOW)
    return [option.label for option in filled.nodes[1].options]


SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"


def test_choices_that_an_expression_gives():
    held = {
        "language": "text/fhirpath",
        "expression": "%resource.item.where(linkId='first').answer.value",
    }
    extension = {"url": SDC + "answerExpression", "valueExpression": held}
    assert options_of_the_second(extension) == ["A", "B"]


@pytest.mark.parametrize(("gender", "labels"), [("male", ["B", "C"]), ("female", ["A", "B", "C"])])
def test_choices_that_an_expression_takes_away(gender, labels):
    held = {"language": "text/fhirpath", "expression": f"%patient.gender = '{gender}'"}
    toggle = {
        "url": SDC + "answerOptionsToggleExpression",
        "extension": [
            {"url": "option", "valueCoding": {"code": "a"}},
            {"url": "expression", "valueExpression": held},
        ],
    }
    assert options_of_the_second(toggle) == labels
