"""One form, filled in so far: which questions are asked, what is calculated, what it scores."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field

from households.intake.engine.answers import weight
from households.intake.engine.conditions import Order, Places, holds
from households.intake.engine.items import Definition
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


@dataclass
class Filled:
    """What `evaluate` found. `nodes` is the whole tree, in order, with what is switched off."""

    definition: Definition
    nodes: list[Node]
    scores: list[dict] = field(default_factory=list)
    dangers: list[str] = field(default_factory=list)
    # Link ids that depend on each other in a circle.
    cycles: list[str] = field(default_factory=list)

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
    """The items of a new draft: what the form itself answers at first (initial, initialSelected)."""
    nodes = grow(definition, [])
    start(nodes)
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
    nodes = grow(definition, items)
    places = Places(nodes)
    order = Order(definition)
    for link_id in order.link_ids:
        for node in places.by_link_id.get(link_id, ()):
            node.is_enabled = (node.parent is None or node.parent.is_enabled) and holds(
                node, places
            )
    return Filled(definition, nodes, [], _dangers(nodes), order.cycles)


def _dangers(nodes: list[Node]) -> list[str]:
    """The questions that are asked and whose answer is one that somebody must see at once."""
    return list(
        dict.fromkeys(
            node.item.link_id
            for top in nodes
            for node in top.walk()
            if node.is_enabled and any(_is_dangerous(node, answer) for answer in node.answers)
        )
    )


def _is_dangerous(node: Node, answer: dict) -> bool:
    item = node.item
    if item.danger_weight is not None:
        weighs = weight(item, answer)
        if weighs is not None and weighs >= item.danger_weight:
            return True
    return item.is_danger_if_yes and answer.get("valueBoolean") is True
