"""Which questions are asked (FHIR R4 enableWhen, SDC enableWhenExpression)."""

from __future__ import annotations

import pytest

from households.intake.engine.evaluation import evaluate, put
from households.intake.engine.items import read_definition
from tests.questionnaires import NOW, ours, with_answers

YES = {"valueBoolean": True}
NO = {"valueBoolean": False}


def asked(definition, items) -> set[str]:
    filled = evaluate(definition, items, now=NOW)
    return {node.item.link_id for node in filled.walk() if node.is_enabled}


def form_asking(*conditions: dict, type: str = "integer", behavior: str = "", **more) -> dict:  # noqa: A002 # as FHIR calls it
    question = {"linkId": "a", "type": type, **more}
    gated = {"linkId": "b", "type": "string", "enableWhen": list(conditions)}
    return {"item": [question, {**gated, **({"enableBehavior": behavior} if behavior else {})}]}


def is_asked(condition: dict, *answers: dict, **more) -> bool:
    definition = read_definition(
        form_asking({"question": "a", **condition}, repeats=len(answers) > 1, **more)
    )
    return "b" in asked(definition, put(definition, [], {"0": list(answers)}))


def integer(number: int) -> dict:
    return {"valueInteger": number}


@pytest.mark.parametrize(
    ("operator", "than", "at_2", "at_3", "at_4", "unanswered"),
    [
        ("=", 3, False, True, False, False),
        ("!=", 3, True, False, True, True),
        (">", 3, False, False, True, False),
        ("<", 3, True, False, False, False),
        (">=", 3, False, True, True, False),
        ("<=", 3, True, True, False, False),
        ("near", 3, False, False, False, False),
    ],
)
def test_operators(operator, than, at_2, at_3, at_4, unanswered):
    condition = {"operator": operator, "answerInteger": than}
    assert is_asked(condition, integer(2)) is at_2
    assert is_asked(condition, integer(3)) is at_3
    assert is_asked(condition, integer(4)) is at_4
    assert is_asked(condition) is unanswered


def test_exists():
    there = {"operator": "exists", "answerBoolean": True}
    missing = {"operator": "exists", "answerBoolean": False}
    assert is_asked(there, integer(0)) and not is_asked(there)
    assert is_asked(missing) and not is_asked(missing, integer(0))
    assert is_asked({"operator": "exists", "answerBoolean": "true"}, integer(0))


def test_of_several_answers_any_fits_and_none_may_equal():
    several = integer(1), integer(5)
    assert is_asked({"operator": "=", "answerInteger": 5}, *several)
    assert is_asked({"operator": ">", "answerInteger": 4}, *several)
    assert not is_asked({"operator": "!=", "answerInteger": 5}, *several)


@pytest.mark.parametrize(
    ("answer", "condition", "type", "outcome"),
    [
        ({"valueDecimal": 2.0}, {"operator": "=", "answerInteger": 2}, "decimal", True),
        ({"valueDate": "2026-05-01"}, {"operator": ">=", "answerDate": "2026-05"}, "date", True),
        ({"valueDate": "2026-04-30"}, {"operator": ">=", "answerDate": "2026-05"}, "date", False),
        (
            {"valueDateTime": "2026-05-01T23:30:00-05:00"},
            {"operator": ">", "answerDateTime": "2026-05-02T04:00:00Z"},
            "dateTime",
            True,
        ),
        ({"valueTime": "09:00:00"}, {"operator": "<", "answerTime": "10:00:00"}, "time", True),
        ({"valueString": "b"}, {"operator": ">", "answerString": "a"}, "string", True),
        (
            {"valueQuantity": {"value": 2, "code": "kg"}},
            {"operator": ">", "answerQuantity": {"value": 1, "code": "kg"}},
            "quantity",
            True,
        ),
        (
            {"valueQuantity": {"value": 2, "code": "kg"}},
            {"operator": ">", "answerQuantity": {"value": 1, "code": "g"}},
            "quantity",
            False,
        ),
        (
            {"valueCoding": {"system": "s", "code": "x", "display": "X"}},
            {"operator": "=", "answerCoding": {"code": "x"}},
            "choice",
            True,
        ),
        (
            {"valueCoding": {"system": "s", "code": "x"}},
            {"operator": "=", "answerCoding": {"system": "t", "code": "x"}},
            "choice",
            False,
        ),
        (
            {"valueReference": {"reference": "Patient/1"}},
            {"operator": "=", "answerReference": {"reference": "Patient/1"}},
            "reference",
            True,
        ),
        ({"valueBoolean": True}, {"operator": "=", "answerInteger": 1}, "boolean", False),
    ],
)
def test_types(answer, condition, type, outcome):  # noqa: A002 # as FHIR calls it
    assert is_asked(condition, answer, type=type) is outcome


@pytest.mark.parametrize(
    ("behavior", "outcome"),
    [("all", False), ("any", True), ("", True)],
    ids=["all", "any", "missing"],
)
def test_of_several_conditions(behavior, outcome):
    conditions = [
        {"question": "a", "operator": ">", "answerInteger": 1},
        {"question": "a", "operator": ">", "answerInteger": 9},
    ]
    definition = read_definition(form_asking(*conditions, behavior=behavior))
    items = put(definition, [], {"0": [integer(5)]})
    assert ("b" in asked(definition, items)) is outcome


def test_a_disabled_question_counts_as_unanswered_and_takes_what_is_in_it_along():
    form = ours("conditions")
    items = with_answers(
        form, [], {"smokes": YES, "packs": integer(2), "quit": {"valueString": "Yes"}}
    )
    assert {"smoking", "packs", "quit", "help", "expressed"} <= asked(form, items)
    items = with_answers(form, items, {"smokes": NO})
    assert not {"smoking", "packs", "quit", "help", "expressed"} & asked(form, items)


def test_switching_back_brings_the_answers_again():
    form = ours("conditions")
    items = with_answers(form, [], {"smokes": YES, "packs": integer(2)})
    off = with_answers(form, items, {"smokes": NO})
    sent = evaluate(form, off, now=NOW).items(with_disabled=False)
    assert "packs" not in str(sent)
    assert with_answers(form, off, {"smokes": YES}) == items


def test_a_circle_is_named_and_broken():
    form = ours("conditions")
    filled = evaluate(form, [], now=NOW)
    # Each waits for the other: neither is asked before somebody answers one.
    assert filled.cycles == ["egg"]
    assert not {"egg", "hen"} & asked(form, [])


def test_a_question_that_waits_for_itself():
    condition = {"question": "b", "operator": "exists", "answerBoolean": True}
    definition = read_definition(form_asking(condition))
    assert evaluate(definition, [], now=NOW).cycles == ["b"]


def test_a_question_that_the_form_does_not_have_counts_as_unanswered():
    assert not is_asked({"question": "z", "operator": "=", "answerInteger": 1}, integer(1))
    assert is_asked({"question": "z", "operator": "!=", "answerInteger": 1}, integer(1))


def test_in_a_repeating_group_the_nearest_question_counts():
    form = ours("medicines")
    items = [
        {"linkId": "medicine", "item": [{"linkId": "daily", "answer": [YES]}]},
        {"linkId": "medicine", "item": [{"linkId": "daily", "answer": [NO]}]},
    ]
    filled = evaluate(form, items, now=NOW)
    assert [node.is_enabled for node in filled.walk() if node.item.link_id == "when"] == [
        False,
        True,
    ]


def test_a_long_chain_that_runs_backwards():
    length = 3000
    items = [
        {
            "linkId": str(number),
            "type": "boolean",
            "enableWhen": [{"question": str(number + 1), "operator": "=", "answerBoolean": True}],
        }
        for number in range(length)
    ]
    definition = read_definition({"item": [*items, {"linkId": str(length), "type": "boolean"}]})
    every = {str(place): [YES] for place in range(length + 1)}
    assert len(asked(definition, put(definition, [], every))) == length + 1
    every[str(length)] = [NO]
    assert asked(definition, put(definition, [], every)) == {str(length)}


EXPRESSION = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-enableWhenExpression"


def gated_by(expression: str, link_id: str = "b") -> dict:
    held = {"language": "text/fhirpath", "expression": expression}
    return {
        "linkId": link_id,
        "type": "string",
        "extension": [{"url": EXPRESSION, "valueExpression": held}],
    }


@pytest.mark.parametrize(
    ("expression", "outcome"),
    [
        ("true", True),
        ("false", False),
        ("{}", False),
        # What cannot be worked out hides no question.
        ("%unknown = 1", True),
        ("unknown()", True),
        ("1 +", True),
        ("'a' > 1", True),
    ],
)
def test_expressions(expression, outcome):
    definition = read_definition({"item": [gated_by(expression)]})
    assert (asked(definition, []) == {"b"}) is outcome


def test_two_questions_that_shut_each_other_settle():
    def is_empty(link_id: str) -> str:
        return f"%resource.item.where(linkId='{link_id}').answer.empty()"

    definition = read_definition(
        {"item": [gated_by(is_empty("c"), "b"), gated_by(is_empty("b"), "c")]}
    )
    words = [{"valueString": "x"}]
    assert asked(definition, []) == {"b", "c"}
    assert asked(definition, put(definition, [], {"0": words})) == {"b"}
    both = evaluate(definition, put(definition, [], {"0": words, "1": words}), now=NOW)
    assert [node.is_enabled for node in both.walk()] == [False, True]
    assert both.cycles == []
