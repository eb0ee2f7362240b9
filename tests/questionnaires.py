"""Questionnaires for tests: our own, and the real ones that lie beside the repository where it was made."""

from __future__ import annotations

import datetime
import json
import random
from functools import cache
from pathlib import Path
from typing import Any

from households.intake.engine.evaluation import begin, evaluate, put
from households.intake.engine.items import Definition, Item, read_definition

OURS = Path(__file__).parent / "data" / "questionnaires"
SHARED = Path(__file__).parents[2] / "shared"
REAL = SHARED / "questionnaires"
RESPONSES = SHARED / "qr-validation"

NOW = datetime.datetime(2026, 11, 27, 9, 30, tzinfo=datetime.UTC)
PATIENT = {
    "resourceType": "Patient",
    "name": [{"given": ["Mia"], "family": "Rivera"}],
    "gender": "female",
    "birthDate": "2016-04-27",
}


def files() -> list[Path]:
    return sorted([*OURS.glob("*.json"), *REAL.glob("*.json")])


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


@cache
def ours(name: str) -> Definition:
    return read_definition(read(OURS / f"{name}.json"))


def answer_to(item: Item, chance: random.Random) -> dict:
    """An answer of the right kind, not always within the limits."""
    if item.options:
        return dict(chance.choice(item.options).answer)
    number = chance.randint(0, 150)
    unit = item.unit or {}
    answers: dict[str, dict] = {
        "boolean": {"valueBoolean": chance.random() < 0.5},
        "integer": {"valueInteger": number},
        "decimal": {"valueDecimal": number / 4},
        "date": {
            "valueDate": f"{chance.randint(1950, 2025)}-0{chance.randint(1, 9)}-1{number % 10}"
        },
        "dateTime": {"valueDateTime": "2020-02-29T10:00:00Z"},
        "time": {"valueTime": "10:00:00"},
        "url": {"valueUri": "https://school.example/"},
        "quantity": {"valueQuantity": {"value": number, "unit": unit.get("display", "mg")}},
        "reference": {"valueReference": {"display": "Dr. Stone"}},
        "attachment": {"valueAttachment": {"title": "card.jpg", "contentType": "image/jpeg"}},
        "choice": {"valueCoding": {"code": "x", "display": "X"}},
    }
    return answers.get(item.type, {"valueString": chance.choice(["abc", "12", "two words", "Zoë"])})


def answered(definition: Definition, chance: random.Random) -> list[dict]:
    """The items of a draft with most questions answered."""
    items = begin(definition, now=NOW)
    nodes = evaluate(definition, items, now=NOW).walk()
    return put(
        definition,
        items,
        {
            node.path: [answer_to(node.item, chance)]
            for node in nodes
            if node.item.is_question and chance.random() < 0.7
        },
    )


def path_of(definition: Definition, items: list[dict], link_id: str, nth: int = 0) -> str:
    nodes = evaluate(definition, items, now=NOW).walk()
    return [node.path for node in nodes if node.item.link_id == link_id][nth]


def with_answers(definition: Definition, items: list[dict], answers: dict[str, Any]) -> list[dict]:
    """`items` with these answers (one or a list), by link id, each in its first place."""
    for link_id, given in answers.items():
        given = given if isinstance(given, list) else [given]
        items = put(definition, items, {path_of(definition, items, link_id): given})
    return items
