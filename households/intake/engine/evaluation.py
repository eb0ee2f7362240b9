"""One form, filled in so far: which questions are asked, what is calculated, what it scores."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field

from households.intake.engine.answers import weight
from households.intake.engine.conditions import Places, holds, order_of
from households.intake.engine.extensions import number, text, value
from households.intake.engine.parts import Constraint, Definition
from households.intake.engine.reckoning import Reckoning
from households.intake.engine.scores import questions_of
from households.intake.engine.tree import (
    Node,
    add_instance,
    grow,
    put,
    remove_instance,
    shed,
    start,
)

__all__ = ["Filled", "Node", "add_instance", "begin", "evaluate", "put", "remove_instance"]

# Everything is worked out again until nothing changes. Two questions that shut each other ("answer one of
# these") would go on and off together for ever, so after a few rounds only the first change of a round
# counts. What still changes at the end turns in a circle, and stays as it is then.
ROUNDS_TOGETHER = 8
MOST_ROUNDS = 40


@dataclass
class Filled:
    """What `evaluate` found. `nodes` is the whole tree, in order, with what is switched off."""

    definition: Definition
    nodes: list[Node]
    # {"link_id", "text", "value", "unit"}: calculated numbers whose questions are all answered.
    scores: list[dict] = field(default_factory=list)
    # Link ids of answers that somebody must see at once.
    dangers: list[str] = field(default_factory=list)
    # Link ids that depend on each other in a circle.
    cycles: list[str] = field(default_factory=list)
    # Link ids with an expression that has no value because it failed ("" for the form itself).
    failed: list[str] = field(default_factory=list)
    # What a calculated item came to, also where it does not count yet and so is no answer.
    calculated: dict[str, list[dict]] = field(default_factory=dict)
    # Constraints that do not hold, with where they stand (None: the form).
    broken: list[tuple[Node | None, Constraint]] = field(default_factory=list)

    def walk(self) -> Iterator[Node]:
        for top in self.nodes:
            yield from top.walk()

    def node(self, path: str) -> Node | None:
        return next((node for node in self.walk() if node.path == path), None)

    def items(self, *, with_disabled: bool) -> list[dict]:
        """QuestionnaireResponse.item: of a draft with what is switched off, of what is sent without."""
        return shed(self.nodes, with_disabled=with_disabled)


def begin(
    definition: Definition, *, patient: dict | None = None, now: datetime.datetime
) -> list[dict]:
    """The items of a new draft: what the form itself answers at first (initial, initialSelected,
    initialExpression)."""
    nodes = grow(definition, [])
    start(nodes)
    asked = [node for top in nodes for node in top.walk() if node.item.initial_expression]
    if asked:
        reckoning = Reckoning(definition, nodes, patient, now)
        for node in asked:
            expression = node.item.initial_expression
            if expression is not None and not node.answers:
                node.answers = reckoning.answers(expression, node)
    return shed(nodes, with_disabled=True)


def evaluate(
    definition: Definition,
    items: list[dict],
    *,
    patient: dict | None = None,
    now: datetime.datetime,
) -> Filled:
    """The form with these QuestionnaireResponse items, those of switched off questions included.

    `patient` (FHIR Patient) and `now` are what expressions may ask about. Nothing is filled in that nobody
    answered: a new draft starts with `begin`. Never raises, whatever the form or the items have in them.
    """
    filled = Filled(definition, grow(definition, items))
    _Evaluation(filled, patient, now).run()
    filled.dangers = _dangers(filled)
    return filled


class _Evaluation:
    def __init__(self, filled: Filled, patient: dict | None, now: datetime.datetime) -> None:
        self.filled = filled
        self.nodes = list(filled.walk())
        self.places = Places(filled.nodes)
        self.order = order_of(filled.definition)
        self.gated = [node for node in self.nodes if node.item.enable_expression]
        self.calculated = [node for node in self.nodes if node.item.is_calculated]
        for node in self.calculated:
            # What was calculated before says nothing now.
            node.answers = []
        # What the expressions of the gated say so far.
        self.shut: set[Node] = set()
        self.switch()
        self.reckoning = (
            Reckoning(filled.definition, filled.nodes, patient, now)
            if self.gated or self.calculated or self._has_rules()
            else None
        )

    def _has_rules(self) -> bool:
        return bool(self.filled.definition.constraints) or any(
            item.constraints
            or item.answer_expression
            or item.toggles
            or item.min_expression
            or item.max_expression
            for item in (node.item for node in self.nodes)
        )

    def run(self) -> None:
        self.filled.cycles = list(self.order.cycles)
        if self.reckoning is None:
            return
        changed: list[Node] = []
        for number_of_round in range(MOST_ROUNDS):
            is_together = number_of_round < ROUNDS_TOGETHER
            changed = self.work_out(self.reckoning, is_together=is_together)
            if not changed:
                break
            self.switch()
            self.reckoning.look()
        link_ids = [*self.filled.cycles, *(node.item.link_id for node in changed)]
        self.filled.cycles = list(dict.fromkeys(link_ids))
        self.choose(self.reckoning)
        self.check(self.reckoning)
        self.score()
        self.filled.failed = list(self.reckoning.failed)

    def switch(self) -> None:
        """Says of every question whether it is asked: its parent, its conditions, its expression."""
        for link_id in self.order.link_ids:
            for node in self.places.by_link_id.get(link_id, ()):
                node.is_enabled = (
                    (node.parent is None or node.parent.is_enabled)
                    and node not in self.shut
                    and holds(node, self.places)
                )

    def work_out(self, reckoning: Reckoning, *, is_together: bool) -> list[Node]:
        """Every expression once, on the answers as they were; what came out differently than before."""
        changed: list[Node] = []
        for node in self.gated:
            if node.parent is not None and not node.parent.is_enabled:
                continue
            expression = node.item.enable_expression
            # Where nobody can say whether it is asked, it is asked.
            is_open = expression is None or reckoning.is_true(expression, node, otherwise=True)
            if is_open is (node in self.shut):
                self.shut.symmetric_difference_update({node})
                changed.append(node)
                if not is_together:
                    return changed
        for node in self.calculated:
            expression = node.item.calculated
            is_asked = expression is not None and node.is_enabled
            answers = reckoning.answers(expression, node) if expression and is_asked else []
            if answers != node.answers:
                node.answers = answers
                changed.append(node)
                if not is_together:
                    return changed
        return changed

    def choose(self, reckoning: Reckoning) -> None:
        """The choices and limits that are worked out."""
        for node in self.nodes:
            item = node.item
            if node.is_enabled and (item.answer_expression or item.toggles):
                node.own_options = reckoning.options(node)
            if node.is_enabled and item.min_expression:
                node.own_min_value = next(iter(reckoning.answers(item.min_expression, node)), None)
            if node.is_enabled and item.max_expression:
                node.own_max_value = next(iter(reckoning.answers(item.max_expression, node)), None)

    def check(self, reckoning: Reckoning) -> None:
        """The constraints, of what is answered: an empty form breaks none."""
        places: list[tuple[Node | None, tuple[Constraint, ...]]] = [
            (None, self.filled.definition.constraints if self._is_begun() else ())
        ]
        places += [
            (node, node.item.constraints)
            for node in self.nodes
            if node.item.constraints and node.is_enabled and node.has_answers
        ]
        for node, constraints in places:
            for constraint in constraints:
                if not reckoning.is_true(constraint.expression, node, otherwise=True):
                    self.filled.broken.append((node, constraint))

    def _is_begun(self) -> bool:
        return any(node.is_answered for node in self.nodes)

    def score(self) -> None:
        """Takes away what does not count yet, and lists the numbers that do."""
        for node in self.calculated:
            if not node.answers:
                continue
            self.filled.calculated.setdefault(node.item.link_id, list(node.answers))
            if not self._is_complete(node):
                node.answers = []
            elif (score := _score(node)) is not None:
                self.filled.scores.append(score)

    def _is_complete(self, node: Node) -> bool:
        return all(
            question.is_answered or not question.is_enabled
            for link_id in questions_of(self.filled.definition, node.item)
            for question in self.places.by_link_id.get(link_id, ())
        )


def _score(node: Node) -> dict | None:
    held = value(node.answers[0])
    quantity = held if isinstance(held, dict) else {"value": held}
    if number(quantity.get("value")) is None or isinstance(held, str):
        return None
    unit = node.item.unit or {}
    return {
        "link_id": node.item.link_id,
        "text": node.item.text or node.item.link_id,
        "value": quantity["value"],
        "unit": text(quantity.get("unit")) or text(unit.get("display")) or text(unit.get("code")),
    }


def _dangers(filled: Filled) -> list[str]:
    return list(
        dict.fromkeys(
            node.item.link_id
            for node in filled.walk()
            if node.is_enabled and any(_is_dangerous(node, answer) for answer in node.answers)
        )
    )


def _is_dangerous(node: Node, answer: dict) -> bool:
    item = node.item
    if item.danger_weight is not None:
        weighs = weight(item, answer)
        if weighs is None:
            # A calculated or typed number weighs what it is.
            weighs = number(value(answer))
        if weighs is not None and weighs >= item.danger_weight:
            return True
    return item.is_danger_if_yes and answer.get("valueBoolean") is True
