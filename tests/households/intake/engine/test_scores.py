"""Calculated values, scores, dangers, and where a draft starts."""

from __future__ import annotations

import copy

import pytest

from households.intake.engine.evaluation import begin, evaluate, put
from households.intake.engine.items import read_definition
from tests.questionnaires import NOW, OURS, PATIENT, ours, path_of, read, with_answers

SLEEP = ("sleep.1", "sleep.2", "sleep.3", "sleep.4")


def often(weight: int) -> dict:
    return {"valueCoding": {"system": "urn:often", "code": f"o{weight}"}}


def filled(answers, name="scores", **more):
    form = ours(name)
    return evaluate(form, with_answers(form, [], answers), now=NOW, **more)


def answers_of(filled, link_id):
    return next(node.answers for node in filled.walk() if node.item.link_id == link_id)


def test_a_blank_instrument_has_no_score():
    assert filled({}).scores == []


def test_a_partly_answered_instrument_has_no_score():
    partly = filled({link_id: often(2) for link_id in SLEEP[:3]})
    assert partly.scores == []
    # Nor does it stand among the answers, or in what is reckoned from it.
    for link_id in ("sleep-total", "advice", "double"):
        assert answers_of(partly, link_id) == []
    assert "sleep-total" not in str(partly.items(with_disabled=False))
    # What it would come to is known nevertheless: questions may depend on it.
    assert partly.calculated["sleep-total"] == [{"valueInteger": 6}]


def test_a_complete_instrument_is_scored():
    complete = filled({link_id: often(weight) for weight, link_id in enumerate(SLEEP)})
    assert complete.scores == [
        {"link_id": "sleep-total", "text": "Sleep score", "value": 6, "unit": "points"},
        {"link_id": "double", "text": "Twice the score", "value": 12, "unit": ""},
    ]
    assert answers_of(complete, "advice") == [{"valueString": "Fine"}]


def test_the_form_may_let_a_part_count():
    form = read(OURS / "scores.json")
    total = next(item for item in form["item"] if item["linkId"] == "sleep-total")
    total["extension"].append({"url": "urn:kinchart:partial-score", "valueBoolean": True})
    definition = read_definition(form)
    items = with_answers(definition, [], {"sleep.1": often(3)})
    scores = evaluate(definition, items, now=NOW).scores
    assert ("sleep-total", 3) in [(score["link_id"], score["value"]) for score in scores]


def test_a_measure_needs_no_rule():
    body = {"height": {"valueDecimal": 172.5}, "weight": {"valueDecimal": 70}}
    assert [(score["link_id"], score["value"]) for score in filled(body).scores] == [("bmi", 23.5)]
    assert filled({"height": {"valueDecimal": 172.5}}).scores == []


def test_calculated_answers_are_worked_out_again_and_a_posted_one_says_nothing():
    form = ours("scores")
    forged = [
        {"linkId": "sleep-total", "answer": [{"valueInteger": 99}]},
        {"linkId": "bmi", "answer": [{"valueDecimal": 99}]},
    ]
    assert evaluate(form, forged, now=NOW).items(with_disabled=True) == []
    assert put(form, [], {path_of(form, [], "bmi"): [{"valueDecimal": 99}]}) == []


def test_what_nobody_can_calculate_is_typed_by_hand():
    item = ours("scores").by_link_id["by-hand"]
    assert not item.is_calculated and not item.read_only
    assert answers_of(filled({"by-hand": {"valueInteger": 4}}), "by-hand") == [{"valueInteger": 4}]


def test_dangers_are_seen_at_once():
    assert filled({"sleep.4": often(0), "unsafe": {"valueBoolean": False}}).dangers == []
    assert filled({"sleep.4": often(1)}).dangers == ["sleep.4"]
    assert filled({"unsafe": {"valueBoolean": True}}).dangers == ["unsafe"]


def test_a_danger_in_a_question_that_is_off_is_none():
    form = read(OURS / "scores.json")
    form["item"][0]["enableWhen"] = [{"question": "unsafe", "operator": "=", "answerBoolean": True}]
    definition = read_definition(form)
    items = with_answers(definition, [], {"sleep.4": often(3)})
    assert evaluate(definition, items, now=NOW).dangers == []


@pytest.mark.parametrize("where", ["option", "coding"])
def test_weights_are_found_on_the_option_and_on_its_coding(where):
    form = read(OURS / "scores.json")
    if where == "coding":
        for question in form["item"][0]["item"]:
            for option in question["answerOption"]:
                option["valueCoding"]["extension"] = option.pop("extension")
    definition = read_definition(form)
    items = with_answers(definition, [], {link_id: often(3) for link_id in SLEEP})
    assert evaluate(definition, items, now=NOW).scores[0]["value"] == 12


@pytest.mark.parametrize(
    "expression",
    [
        "%resource.repeat(item).answer.value.ordinal().sum()",
        "%resource.descendants().where(linkId.startsWith('sleep.')).answer.value.weight().sum()",
        "%resource.item.item.answer.value.weight().aggregate($this + $total, 0)",
    ],
)
def test_ways_to_write_a_score(expression):
    form = read(OURS / "scores.json")
    form["extension"][0]["valueExpression"]["expression"] = expression
    definition = read_definition(form)
    items = with_answers(definition, [], {link_id: often(2) for link_id in SLEEP})
    assert evaluate(definition, items, now=NOW).scores[0]["value"] == 8
    partly = with_answers(definition, [], {"sleep.1": often(2)})
    assert evaluate(definition, partly, now=NOW).scores == []


def test_expressions_that_turn_in_a_circle_end_and_are_named():
    def counting(link_id: str, other: str) -> dict:
        held = {
            "language": "text/fhirpath",
            "expression": f"iif(%resource.item.where(linkId='{other}').answer.exists(), {{}}, 1)",
        }
        url = (
            "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-calculatedExpression"
        )
        return {
            "linkId": link_id,
            "type": "integer",
            "extension": [{"url": url, "valueExpression": held}],
        }

    own = read_definition({"item": [counting("a", "a")]})
    assert evaluate(own, [], now=NOW).cycles == ["a"]
    pair = read_definition({"item": [counting("a", "b"), counting("b", "a")]})
    assert evaluate(pair, [], now=NOW).cycles == []


def test_a_draft_starts_with_what_the_form_and_the_record_say():
    form = ours("medicines")
    items = begin(form, patient=PATIENT, now=NOW)
    assert items == [
        {"linkId": "person", "text": "First name", "answer": [{"valueString": "Mia"}]},
        {
            "linkId": "medicine",
            "text": "Medicine",
            "item": [{"linkId": "daily", "text": "Every day?", "answer": [{"valueBoolean": True}]}],
        },
    ]
    assert begin(ours("all-types"), now=NOW)[0]["item"][0]["answer"] == [
        {"valueCoding": {"system": "urn:colours", "code": "g", "display": "Green"}}
    ]


def test_what_was_taken_away_does_not_come_back():
    form = ours("medicines")
    items = begin(form, patient=PATIENT, now=NOW)
    bare = {path_of(form, items, link_id): [] for link_id in ("person", "daily")}
    items = put(form, items, bare)
    assert items == []
    kept = evaluate(form, items, patient=PATIENT, now=NOW).items(with_disabled=True)
    assert [item["linkId"] for item in kept] == ["count"], "only what is calculated"


def test_today_is_the_practices():
    form = read_definition(
        {"item": [_calculated("day", "date", "today()"), _calculated("year", "string", "now()")]}
    )
    filled = evaluate(form, [], now=NOW)
    assert filled.calculated == {
        "day": [{"valueDate": "2026-11-27"}],
        "year": [{"valueString": "2026-11-27T09:30:00+00:00"}],
    }


def _calculated(link_id: str, kind: str, expression: str) -> dict:
    url = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-calculatedExpression"
    held = {"language": "text/fhirpath", "expression": expression}
    return {"linkId": link_id, "type": kind, "extension": [{"url": url, "valueExpression": held}]}


@pytest.mark.parametrize(
    ("kind", "expression", "answer"),
    [
        ("integer", "7 / 2", {"valueInteger": 4}),
        ("decimal", "0.1 + 0.2", {"valueDecimal": 0.3}),
        ("boolean", "1 < 2", {"valueBoolean": True}),
        ("string", "2.5.round(0)", {"valueString": "3"}),
        ("text", "'a' & 'b'", {"valueString": "ab"}),
        ("quantity", "5 'mg'", {"valueQuantity": {"value": 5, "unit": "mg", "code": "mg"}}),
        ("date", "@2020-02-29", {"valueDate": "2020-02-29"}),
        ("date", "today() - 18 years", {"valueDate": "2008-11-27"}),
        ("date", "today() - 18 'years'", {"valueDate": "2008-11-27"}),
        ("decimal", "2.power(0.5).round(3)", {"valueDecimal": 1.414}),
        ("integer", "(3 | 4).sum()", {"valueInteger": 7}),
        ("integer", "{}.sum()", None),
        ("integer", "(3 | 4).max() - (3 | 4).min()", {"valueInteger": 1}),
        ("boolean", "'AB123'.matches('^[A-Z]{2}[0-9]{3}$')", {"valueBoolean": True}),
        (
            "string",
            "'2026-11-27'.replaceMatches('(\\\\d+)-(\\\\d+)-.*', '$2/$1')",
            {"valueString": "11/2026"},
        ),
        ("boolean", "5 'mg' > 4 'mg'", {"valueBoolean": True}),
        ("boolean", "'not a boolean'", None),
        (
            "integer",
            "(1 | 2).where($this > 1).where($this < (5 | 1).where($this > 2).first())",
            {"valueInteger": 2},
        ),
    ],
)
def test_values_become_answers(kind, expression, answer):
    form = read_definition({"item": [_calculated("a", kind, expression)]})
    found = evaluate(form, [], now=NOW).calculated
    assert found == ({"a": [answer]} if answer else {})


def test_variables_are_seen_inwards_and_hide_those_further_out():
    def variable(name: str, expression: str) -> dict:
        return {
            "url": "http://hl7.org/fhir/StructureDefinition/variable",
            "valueExpression": {
                "name": name,
                "language": "text/fhirpath",
                "expression": expression,
            },
        }

    form = read_definition(
        {
            "extension": [variable("x", "1"), variable("y", "%x + 1")],
            "item": [
                {
                    "linkId": "g",
                    "type": "group",
                    "extension": [variable("x", "%x + 10")],
                    "item": [_calculated("inner", "integer", "%x + %y")],
                },
                _calculated("outer", "integer", "%x + %y"),
            ],
        }
    )
    assert evaluate(form, [], now=NOW).calculated == {
        "inner": [{"valueInteger": 13}],
        "outer": [{"valueInteger": 3}],
    }


def test_evaluating_changes_nothing_that_it_is_given():
    form = ours("scores")
    items = with_answers(form, [], {link_id: often(1) for link_id in SLEEP})
    before = copy.deepcopy(items)
    evaluate(form, items, patient=PATIENT, now=NOW)
    put(form, items, {path_of(form, items, "height"): [{"valueDecimal": 1}]})
    assert items == before
