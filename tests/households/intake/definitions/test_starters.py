"""The forms that come with the portal: valid, nothing to remark, and their scores are right."""

from __future__ import annotations

import datetime

import pytest

from households.intake.building.scores import band_of
from households.intake.bundled import bundled_lists
from households.intake.engine.evaluation import begin, evaluate, put
from households.intake.engine.items import read_definition
from households.intake.starters import starter, starter_names

NOW = datetime.datetime(2026, 11, 27, 12, tzinfo=datetime.UTC)


@pytest.mark.parametrize("name", starter_names())
def test_there_is_nothing_to_remark(name):
    form = starter(name)
    assert form.findings == []
    assert form.definition["url"] == f"urn:kinchart:form:{name}"


def filled(name: str, chosen: list[int]):
    """The starter form with the n-th choice of each of its scored questions."""
    definition = read_definition(starter(name).definition)
    items = begin(definition, patient=None, now=NOW)
    scored = [
        item for item in definition.walk() if any(one.weight is not None for one in item.options)
    ]
    for item, which in zip(scored, chosen, strict=False):
        node = next(
            one
            for one in evaluate(definition, items, now=NOW).walk()
            if one.item.link_id == item.link_id
        )
        items = put(definition, items, {node.path: [item.options[which].answer]})
    return evaluate(definition, items, now=NOW)


SCORES = [
    ("phq-2", [1, 2], "phq2.score", 3),
    ("phq-9", [0, 1, 2, 3, 0, 1, 2, 3, 0], "phq9.score", 12),
    ("phq-9", [3] * 9 + [3], "phq9.score", 27),
    ("gad-7", [3, 3, 3, 3, 3, 3, 3], "gad7.score", 21),
    ("audit-c", [4, 4, 4], "auditc.score", 12),
    ("audit-c", [0], "auditc.score", 0),
]


@pytest.mark.parametrize(("name", "chosen", "link_id", "total"), SCORES)
def test_the_score(name, chosen, link_id, total):
    scores = {one["link_id"]: one["value"] for one in filled(name, chosen).scores}
    assert scores[link_id] == total


@pytest.mark.parametrize(
    ("name", "chosen"),
    [("phq-2", [1]), ("phq-9", [3] * 8), ("phq-9", []), ("gad-7", [1, 1]), ("audit-c", [2, 2])],
    ids=["phq-2", "phq-9", "phq-9 blank", "gad-7", "audit-c"],
)
def test_no_score_of_a_part(name, chosen):
    assert filled(name, chosen).scores == []


def test_item_9_of_the_phq_is_dangerous():
    assert filled("phq-9", [0] * 8 + [1]).dangers == ["phq9.9"]
    assert filled("phq-9", [3] * 8 + [0]).dangers == []


def test_bundled_lists_have_choices_and_words():
    lists = bundled_lists()
    assert len(lists) > 60 and "http://terminology.hl7.org/ValueSet/v2-0136" in lists
    for url, one in lists.items():
        assert one["url"] == url and one["title"] and len(one["concepts"]) > 1
        assert all(concept["code"] and concept["display"] for concept in one["concepts"])
        # Their sharing terms would not let us (FORMS.md 4).
        assert "snomed" not in str(one["concepts"])


@pytest.mark.parametrize(
    ("name", "points", "says"),
    [
        ("phq-9", 0, "minimal"),
        ("phq-9", 10, "moderate"),
        ("phq-9", 27, "severe"),
        ("phq-2", 3, "ask the PHQ-9"),
        ("gad-7", 14, "moderate"),
    ],
)
def test_staff_read_what_a_score_means(name, points, says):
    definition = read_definition(starter(name).definition)
    (score,) = [item for item in definition.walk() if item.is_calculated]
    assert band_of(score.raw, points) == says
