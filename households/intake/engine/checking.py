"""What is wrong with the answers to a form."""

from __future__ import annotations

from dataclasses import dataclass

from households.intake.engine.evaluation import Filled
from households.intake.engine.items import Definition


@dataclass(frozen=True)
class Problem:
    """`kind` is one of a few fixed words; `says` names the fix, in English."""

    path: str
    link_id: str
    kind: str
    says: str


def problems_of(filled: Filled) -> list[Problem]:
    """What keeps this form from being sent, of the questions that are asked."""
    return [
        Problem(node.path, node.item.link_id, "required", "Answer this question.")
        for node in filled.walk()
        if node.is_enabled and node.item.required and node.item.is_question and not node.is_answered
    ]


def check_response(definition: Definition, response: dict) -> list[Problem]:
    """What is wrong with a QuestionnaireResponse that somebody else filled in."""
    return []
