"""What is wrong with an answer, and what a family reads of it."""

from __future__ import annotations

import pytest

from households.intake.engine.checking import problems_of
from households.intake.engine.evaluation import add_instance, evaluate, put
from households.intake.engine.items import read_definition
from tests.questionnaires import NOW, ours, path_of, with_answers

X = "http://hl7.org/fhir/StructureDefinition/"


def problems(answers, name="all-types") -> dict[str, str]:
    form = ours(name)
    filled = evaluate(form, with_answers(form, [], answers), now=NOW)
    return {problem.link_id: problem.says for problem in problems_of(filled)}


def wrong(link_id: str, *answers: dict) -> str:
    """What is said of it, apart from the one question that is required."""
    return problems({"name": words("Mia"), link_id: list(answers)}).get(link_id, "")


def words(text: str) -> dict:
    return {"valueString": text}


def quantity(value: object, unit: str) -> dict:
    return {"valueQuantity": {"value": value, "unit": unit, "code": unit}}


def test_what_is_required():
    assert problems({}) == {"name": "Answer this question."}
    assert problems({"name": words("Mia")}) == {}


@pytest.mark.parametrize(
    ("link_id", "answer", "says"),
    [
        ("name", words("M"), "Write at least 2 characters."),
        ("name", words("M" * 21), "Write at most 20 characters."),
        ("name", words("M\nx"), "Write this in one line."),
        ("story", words("two\nlines"), ""),
        ("well", {"valueBoolean": "yes"}, "Give the kind of answer that this question asks for."),
        ("well", words("yes"), "Give the kind of answer that this question asks for."),
        ("children", {"valueInteger": 20}, ""),
        ("children", {"valueInteger": 21}, "Enter 20 or less."),
        ("children", {"valueInteger": -1}, "Enter 0 or more."),
        ("children", {"valueInteger": 1.5}, "Enter a whole number, like 3."),
        ("children", {"valueInteger": 2**31}, "Enter a whole number, like 3."),
        ("temperature", {"valueDecimal": 37.5}, ""),
        ("temperature", {"valueDecimal": 37.55}, "Enter at most 1 digits after the point."),
        ("temperature", {"valueDecimal": "37"}, "Enter a number, like 3 or 3.5."),
        ("since", {"valueDate": "2026-11-27"}, ""),
        ("since", {"valueDate": "2026-11"}, ""),
        ("since", {"valueDate": "2026-11-28"}, "Enter 2026/11/27 or earlier."),
        ("since", {"valueDate": "2026-02-30"}, "Enter a date that exists, like 2026/11/27."),
        ("since", {"valueDate": "27/11/2026"}, "Enter a date that exists, like 2026/11/27."),
        ("seen", {"valueDateTime": "2026-02-28T10:00:00Z"}, ""),
        (
            "seen",
            {"valueDateTime": "2026-02-28T25:00:00Z"},
            "Enter a date and a time, like 2026/11/27 14:30.",
        ),
        ("bedtime", {"valueTime": "19:30:00"}, ""),
        ("bedtime", {"valueTime": "24:30:00"}, "Enter a time, like 14:30."),
        ("site", {"valueUri": "https://school.example/a?b=c#d"}, ""),
        ("site", {"valueUri": "school example"}, "Enter a web address, like https://example.org."),
        ("postcode", words("AB123"), ""),
        ("postcode", words("xAB123"), "Write it like this: AB123."),
        ("colour", {"valueCoding": {"code": "r"}}, ""),
        ("colour", {"valueCoding": {"code": "b"}}, "Choose an answer from the list."),
        ("colour", words("Red"), "Give the kind of answer that this question asks for."),
        ("pets", words("a hen"), ""),
        ("pets", {"valueCoding": {"code": "hen"}}, "Choose an answer from the list."),
        ("season", {"valueCoding": {"system": "urn:seasons", "code": "su"}}, ""),
        (
            "season",
            {"valueCoding": {"system": "urn:seasons", "code": "au"}},
            "Choose an answer from the list.",
        ),
        ("hour", {"valueTime": "17:00:00"}, ""),
        ("hour", {"valueTime": "18:00:00"}, "Choose an answer from the list."),
        ("dose", quantity(5, "mg"), ""),
        ("dose", quantity(0.5, "mg"), "Enter 1 mg or more."),
        ("dose", quantity(5, "spoons"), "Choose one of these units: mg, mL."),
        ("dose", quantity("much", "mg"), "Enter a number, like 3 or 3.5."),
        ("doctor", {"valueReference": {"display": "Dr. Stone"}}, ""),
        ("doctor", {"valueReference": {}}, ""),
        (
            "card",
            {"valueAttachment": {"contentType": "image/png"}},
            "Send a file of this kind: image/jpeg.",
        ),
        (
            "card",
            {"valueAttachment": {"contentType": "image/jpeg", "size": 1001}},
            "Send a file of at most 1000 bytes.",
        ),
    ],
)
def test_one_value(link_id, answer, says):
    assert wrong(link_id, answer).startswith(says) if says else wrong(link_id, answer) == ""


def test_several_answers():
    dog, cat, none = ({"valueCoding": {"code": code}} for code in ("dog", "cat", "none"))
    assert wrong("pets", dog, cat) == ""
    assert wrong("pets", none) == ""
    assert wrong("pets", none, cat) == "Choose “None” alone, or take it away."
    assert wrong("story", words("a"), words("b")) == "Give one answer only."


def test_how_often_a_group_may_be_filled_in():
    form = ours("medicines")
    items = []
    for _ in range(3):
        items = add_instance(form, items, "1-0")
    paths = [path_of(form, items, "what", nth) for nth in range(4)]
    said = {path: [words("x")] for path in paths}
    found = problems_of(evaluate(form, put(form, items, said), now=NOW))
    assert [(each.path, each.says) for each in found] == [("1-0", "Keep at most 3 entries.")]
    del said[paths[0]]
    found = problems_of(evaluate(form, put(form, items, said), now=NOW))
    assert [(each.path, each.kind) for each in found] == [(paths[0], "required")]


def test_only_what_is_asked_and_can_be_answered_is_checked():
    smokes = {"valueBoolean": True}
    assert problems({"smokes": smokes}, "conditions") == {"packs": "Answer this question."}
    assert problems({}, "conditions") == {}
    hidden = {"url": X + "questionnaire-hidden", "valueBoolean": True}
    form = read_definition(
        {
            "item": [
                {"linkId": "a", "type": "string", "required": True, "extension": [hidden]},
                {"linkId": "b", "type": "string", "required": True, "readOnly": True},
                {
                    "linkId": "g",
                    "type": "group",
                    "extension": [hidden],
                    "item": [{"linkId": "c", "type": "string", "required": True}],
                },
            ]
        }
    )
    assert problems_of(evaluate(form, [], now=NOW)) == []


def counted(**occurs: int) -> dict:
    extensions = [
        {"url": X + f"questionnaire-{name}Occurs", "valueInteger": number}
        for name, number in occurs.items()
    ]
    return {"linkId": "a", "type": "string", "repeats": True, "extension": extensions}


@pytest.mark.parametrize(
    ("count", "kinds"),
    [(0, ["min-count"]), (1, ["min-count"]), (2, []), (3, []), (4, ["max-count"])],
)
def test_how_many_answers(count, kinds):
    form = read_definition({"item": [counted(min=2, max=3)]})
    items = put(form, [], {"0": [words(str(number)) for number in range(count)]})
    assert [each.kind for each in problems_of(evaluate(form, items, now=NOW))] == kinds


def constraint(expression: str, severity: str = "error") -> dict:
    parts = [
        {"url": "key", "valueId": "k"},
        {"url": "severity", "valueCode": severity},
        {"url": "expression", "valueString": expression},
        {"url": "human", "valueString": "Give two different names."},
    ]
    return {"url": X + "questionnaire-constraint", "extension": parts}


@pytest.mark.parametrize(
    ("extension", "says"),
    [
        (constraint("answer.value.isDistinct()"), ["Give two different names."]),
        (constraint("answer.count() = 2"), []),
        (constraint("answer.value.isDistinct()", "warning"), []),
        # What cannot be worked out keeps nobody from sending.
        (constraint("%unknown = 2"), []),
        (constraint("1 +"), []),
    ],
)
def test_constraints(extension, says):
    question = {"linkId": "a", "type": "string", "repeats": True, "extension": [extension]}
    form = read_definition({"item": [question]})
    items = put(form, [], {"0": [words("x"), words("x")]})
    assert [each.says for each in problems_of(evaluate(form, items, now=NOW))] == says
    assert problems_of(evaluate(form, [], now=NOW)) == []
