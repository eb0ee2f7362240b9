"""enableWhen (FHIR R4 Questionnaire.item.enableWhen, enableBehavior)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from households.intake.engine.answers import compared, is_blank, same
from households.intake.engine.extensions import value
from households.intake.engine.parts import Condition, Definition, Item
from households.intake.engine.tree import Node

_ORDERS: dict[str, Callable[[int], bool]] = {
    ">": lambda order: order > 0,
    "<": lambda order: order < 0,
    ">=": lambda order: order >= 0,
    "<=": lambda order: order <= 0,
}


class Order:
    """In which order the questions of a form are switched on or off: each after its parent and after the
    questions that it depends on. Where they depend on each other in a circle, the first of them in the form
    is decided as if the others were on; `cycles` has their link ids."""

    def __init__(self, definition: Definition) -> None:
        items = list(definition.walk())
        self.link_ids: list[str] = []
        self.cycles: list[str] = []
        waits = {item.link_id: _waits_for(item, definition) for item in reversed(items)}
        dependents: dict[str, list[str]] = {}
        for link_id, others in waits.items():
            for other in others:
                dependents.setdefault(other, []).append(link_id)
        in_order = list(dict.fromkeys(item.link_id for item in items))
        ready = [link_id for link_id in reversed(in_order) if not waits[link_id]]
        stuck = iter(in_order)
        placed: set[str] = set()
        while len(placed) < len(in_order):
            if not ready:
                ready.append(self._break(stuck, placed, waits))
            link_id = ready.pop()
            if link_id in placed:
                continue
            placed.add(link_id)
            self.link_ids.append(link_id)
            for dependent in dependents.get(link_id, ()):
                waits[dependent].discard(link_id)
                if not waits[dependent] and dependent not in placed:
                    ready.append(dependent)

    def _break(self, stuck: Iterable[str], placed: set[str], waits: dict[str, set[str]]) -> str:
        """The first that waits for itself, by way of others or not."""
        for link_id in stuck:
            if link_id not in placed and _reaches(link_id, link_id, waits, placed):
                self.cycles.append(link_id)
                return link_id
        raise AssertionError("What waits for nobody is placed.")


def order_of(definition: Definition) -> Order:
    order = definition.derived.get("order")
    if order is None:
        order = definition.derived["order"] = Order(definition)
    return order


def _waits_for(item: Item, definition: Definition) -> set[str]:
    others = {condition.question for condition in item.enable_when}
    if item.parent is not None:
        others.add(item.parent.link_id)
    return {other for other in others if other in definition.by_link_id}


def _reaches(start: str, goal: str, waits: dict[str, set[str]], placed: set[str]) -> bool:
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        for other in waits.get(ahead.pop(), set()) - placed:
            if other == goal:
                return True
            if other not in seen:
                seen.add(other)
                ahead.append(other)
    return False


class Places:
    """Where the questions of one filled form are."""

    def __init__(self, nodes: list[Node]) -> None:
        self.by_link_id: dict[str, list[Node]] = {}
        self._rank: dict[Node, int] = {}
        for top in nodes:
            for node in top.walk():
                self._rank[node] = len(self._rank)
                self.by_link_id.setdefault(node.item.link_id, []).append(node)

    def nearest(self, link_id: str, seen_from: Node) -> Node | None:
        """Of several answers to a question the one that R4 means: "the nearest question occurrence reachable
        by tracing first the ancestor axis and then the preceding axis and then the following axis"."""
        there = self.by_link_id.get(link_id, [])
        if len(there) < 2:
            return there[0] if there else None
        around = [seen_from, *seen_from.ancestors()]
        if (above := next((node for node in around[1:] if node in there), None)) is not None:
            return above
        depth = {node: len(around) - place for place, node in enumerate(around)}
        mine = self._rank[seen_from]

        def nearness(node: Node) -> tuple[int, bool, int]:
            shared = next((depth[each] for each in node.ancestors() if each in depth), 0)
            distance = self._rank[node] - mine
            return -shared, distance > 0, abs(distance)

        return min(there, key=nearness)


def holds(node: Node, places: Places) -> bool:
    """Whether its conditions switch it on; true for a question without any."""
    conditions = node.item.enable_when
    if not conditions:
        return True
    decide = all if node.item.enable_all else any
    return decide(
        _is_met(condition, places.nearest(condition.question, node)) for condition in conditions
    )


def _is_met(condition: Condition, question: Node | None) -> bool:
    """R4: a question that is off, or that the form does not have, counts as unanswered. `!=` is the opposite
    of `=`, so it holds without an answer (FORMS.md 1.5)."""
    answers = (
        [answer for answer in question.answers if not is_blank(answer)]
        if question is not None and question.is_enabled
        else []
    )
    if condition.operator == "exists":
        return bool(answers) is (value(condition.answer) in (True, "true"))
    if condition.operator == "=":
        return any(same(answer, condition.answer) for answer in answers)
    if condition.operator == "!=":
        return not any(same(answer, condition.answer) for answer in answers)
    fits = _ORDERS.get(condition.operator)
    if fits is None:
        return False
    orders = [compared(answer, condition.answer) for answer in answers]
    return any(order is not None and fits(order) for order in orders)
