"""Responses that somebody else filled in: the validator's cases of qr-validation, and our own."""

from __future__ import annotations

import json
import re

import pytest

from households.intake.engine.checking import SAYS, check_response
from households.intake.engine.items import read_definition
from tests.questionnaires import RESPONSES, ours

_CASES = RESPONSES / "cases.jsonl"
CASES = (
    [
        case
        for case in map(json.loads, _CASES.read_text("utf-8").splitlines())
        if not case["needs_terminology"]
    ]
    if _CASES.exists()
    else []
)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_as_the_validator_has_it(case):
    problems = check_response(read_definition(case["questionnaire"]), case["response"])
    theirs = {
        link_id
        for issue in case["issues"]
        if issue["severity"] in ("error", "fatal")
        for location in issue.get("location") or []
        for link_id in re.findall(r"linkId='(.*?)'", location)
    }
    assert (not problems) is case["valid"]
    assert {problem.link_id for problem in problems} == theirs
    assert all(problem.says for problem in problems)


def response(*items: dict, status: str = "completed") -> dict:
    return {"resourceType": "QuestionnaireResponse", "status": status, "item": list(items)}


def kinds(name: str, *items: dict, **more: str) -> set[tuple[str, str]]:
    problems = check_response(ours(name), response(*items, **more))
    return {(problem.link_id, problem.kind) for problem in problems}


def test_a_question_in_the_wrong_place_is_unknown_there():
    assert kinds("all-types", {"linkId": "name", "answer": [{"valueString": "Mia"}]}) == {
        ("name", "unknown-link-id")
    }


def test_groups_and_texts_have_no_answers():
    answer = [{"valueString": "x"}]
    assert kinds(
        "all-types", {"linkId": "things", "answer": answer}, {"linkId": "words", "answer": answer}
    ) == {("things", "answer-on-group"), ("words", "answer-on-display")}


def test_a_help_text_may_be_named():
    name = {
        "linkId": "name",
        "answer": [{"valueString": "Mia", "item": [{"linkId": "name-help"}]}],
    }
    assert kinds("all-types", {"linkId": "plain", "item": [name]}) == set()


def test_what_is_required_counts_in_a_finished_response():
    group = {"linkId": "plain", "item": [{"linkId": "story", "answer": [{"valueString": "x"}]}]}
    assert kinds("all-types", group) == {("name", "required")}
    assert kinds("all-types", group, status="in-progress") == set()


def test_a_group_that_may_not_repeat():
    group = {"linkId": "things", "item": [{"linkId": "doctor", "answer": [_doctor("A")]}]}
    assert ("things", "repeats") in kinds("all-types", group, group)


def _doctor(name: str) -> dict:
    return {"valueReference": {"display": name}}


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"item": None},
        {"item": "words"},
        {"item": [None, 3, "x", {"linkId": None}, {"linkId": ["a"]}]},
        {"item": [{"linkId": "plain", "item": {"linkId": "name", "answer": "Mia"}}]},
        {"item": [{"linkId": "plain", "item": [{"linkId": "name", "answer": [{}, None, 4]}]}]},
        {
            "item": [
                {
                    "linkId": "choices",
                    "item": [{"linkId": "colour", "answer": [{"valueCoding": 4}]}],
                }
            ]
        },
    ],
)
def test_nonsense_is_no_crash(broken):
    assert isinstance(check_response(ours("all-types"), broken), list)


def test_each_kind_reads_as_a_sentence():
    for pattern in SAYS.values():
        assert pattern == "%(human)s" or pattern.endswith(".")
