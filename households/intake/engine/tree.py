"""The answers to one form as a tree that follows the form: every question has its place in it, answered or
not, and every instance of a repeating group its own.

Paths: `2-0.1` is the second item (counted from 0, so 1) in the first instance (0) of the third item, a group;
`2-0.1-3.0` is the first item under the fourth answer to that question. They hold while nothing is added or
removed before them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from households.intake.engine.answers import bare, is_blank
from households.intake.engine.extensions import objects, text
from households.intake.engine.items import Definition, Item, Option

# Of one repeating group in one place, whatever a browser posts.
MOST_INSTANCES = 100
MOST_ANSWERS = 500


@dataclass(eq=False)
class Node:
    """One question, text or instance of a group in one filled form."""

    item: Item = field(repr=False)
    path: str
    parent: Node | None = field(default=None, repr=False)
    # Of a repeating group: which one, from 0.
    instance: int = 0
    # Under a question: to which of its answers this belongs.
    under: int = 0
    # Without the questions under them; those are nodes.
    answers: list[dict] = field(default_factory=list)
    children: list[Node] = field(default_factory=list, repr=False)
    is_enabled: bool = True
    # Choices that an expression of the form gives or takes away; None where the item's own hold.
    own_options: tuple[Option, ...] | None = None
    # Limits that an expression gives.
    own_min_value: dict | None = None
    own_max_value: dict | None = None

    @property
    def min_value(self) -> dict | None:
        return self.own_min_value or self.item.min_value

    @property
    def max_value(self) -> dict | None:
        return self.own_max_value or self.item.max_value

    @property
    def options(self) -> tuple[Option, ...]:
        return self.item.options if self.own_options is None else self.own_options

    def walk(self) -> Iterator[Node]:
        yield self
        for child in self.children:
            yield from child.walk()

    def ancestors(self) -> Iterator[Node]:
        """The nearest first."""
        node = self.parent
        while node is not None:
            yield node
            node = node.parent

    @property
    def is_answered(self) -> bool:
        return any(not is_blank(answer) for answer in self.answers)

    @property
    def has_answers(self) -> bool:
        """Here or below."""
        return any(node.is_answered for node in self.walk())


def grow(definition: Definition, items: object) -> list[Node]:
    """The tree of these QuestionnaireResponse items. What the form does not have is left out."""
    return _level(definition.items, objects(items), None, "", 0)


def _level(
    level: tuple[Item, ...], items: list[dict], parent: Node | None, prefix: str, under: int
) -> list[Node]:
    by_link_id: dict[str, list[dict]] = {}
    for each in items:
        by_link_id.setdefault(text(each.get("linkId")), []).append(each)
    nodes: list[Node] = []
    for place, item in enumerate(level):
        # pop: of two items with one linkId in one place the first has the answers.
        found = by_link_id.pop(item.link_id, [])
        path = f"{prefix}{place}"
        if item.type == "group":
            nodes += _instances(item, found, parent, path, under)
        else:
            nodes.append(_question(item, found, parent, path, under))
    return nodes


def _instances(
    item: Item, found: list[dict], parent: Node | None, path: str, under: int
) -> list[Node]:
    if not item.repeats:
        # A group that may not repeat and yet does: its answers, together.
        found = [{"item": [inner for each in found for inner in objects(each.get("item"))]}]
    nodes: list[Node] = []
    for instance, each in enumerate(found[:MOST_INSTANCES] or [{}]):
        node = Node(item, f"{path}-{instance}", parent, instance, under)
        node.children = _level(item.children, objects(each.get("item")), node, f"{node.path}.", 0)
        nodes.append(node)
    return nodes


def _question(item: Item, found: list[dict], parent: Node | None, path: str, under: int) -> Node:
    node = Node(item, path, parent, 0, under)
    answers = [answer for each in found for answer in objects(each.get("answer"))][:MOST_ANSWERS]
    # An answer without a value only holds what is answered under a question that nobody answered.
    valued = [answer for answer in answers if not is_blank(answer)]
    node.answers = [bare(answer) for answer in valued]
    if item.children:
        # R4 lets that stand under the item itself, too.
        loose = [inner for each in found for inner in objects(each.get("item"))]
        below = [objects(answer.get("item")) for answer in valued or answers[:1]] or [[]]
        below[0] = below[0] + loose
        for number, inner in enumerate(below):
            node.children += _level(item.children, inner, node, f"{path}-{number}.", number)
    return node


# Back to FHIR ---------------------------------------------------------------------------------------


def shed(nodes: list[Node], *, with_disabled: bool) -> list[dict]:
    """QuestionnaireResponse items. A draft (with_disabled) keeps what is switched off, and the empty
    instances that somebody added to a repeating group; else only what is enabled and says something."""
    items: list[dict] = []
    counts: dict[str, int] = {}
    for node in nodes:
        counts[node.item.link_id] = counts.get(node.item.link_id, 0) + 1
    for node in nodes:
        if not with_disabled and not node.is_enabled:
            continue
        is_kept = with_disabled and node.item.repeats and counts[node.item.link_id] > 1
        if node.item.type == "group":
            inner = shed(node.children, with_disabled=with_disabled)
            if inner or is_kept:
                items.append(_element(node.item, "item", inner))
        elif node.item.is_question:
            answers = _answers(node, with_disabled=with_disabled)
            if answers:
                items.append(_element(node.item, "answer", answers))
    return items


def _answers(node: Node, *, with_disabled: bool) -> list[dict]:
    answers: list[dict] = []
    for number, answer in enumerate(node.answers or [{}]):
        inner = shed(
            [child for child in node.children if child.under == number], with_disabled=with_disabled
        )
        if answer or inner:
            answers.append({**answer, "item": inner} if inner else answer)
    return answers


def _element(item: Item, key: str, inner: list[dict]) -> dict:
    element: dict = {"linkId": item.link_id}
    if item.text:
        element["text"] = item.text
    return {**element, key: inner} if inner else element


# Changing -------------------------------------------------------------------------------------------


def put(definition: Definition, items: list[dict], changes: Mapping[str, list[dict]]) -> list[dict]:
    """`items` with these answers at these paths; an empty list takes the answers away.

    Unknown paths, groups, and what is read-only or calculated are passed over: what a browser posts there
    says nothing (FORMS.md 1.5).
    """
    nodes = grow(definition, items)
    for node in _all(nodes):
        is_given = node.item.is_question and not (node.item.read_only or node.item.is_calculated)
        if is_given and node.path in changes:
            _answer(node, [bare(answer) for answer in changes[node.path]])
    return shed(nodes, with_disabled=True)


def _answer(node: Node, answers: list[dict]) -> None:
    """What was answered under a choice stays with that choice, else with its place in the list."""
    answers = [answer for answer in answers if not is_blank(answer)][:MOST_ANSWERS]
    if node.children:
        numbers: dict[int, int] = {}
        for number, answer in enumerate(answers):
            if answer in node.answers and (old := node.answers.index(answer)) not in numbers:
                numbers[old] = number
        for number in range(max(1, len(answers))):
            if number not in numbers.values() and number not in numbers:
                numbers[number] = number
        node.children = sorted(
            (child for child in node.children if child.under in numbers),
            key=lambda child: numbers[child.under],
        )
        for child in node.children:
            child.under = numbers[child.under]
    node.answers = answers


def add_instance(definition: Definition, items: list[dict], path: str) -> list[dict]:
    """`items` with one more, empty instance of the repeating group at this path, after the last one."""
    nodes = grow(definition, items)
    node = next((node for node in _all(nodes) if node.path == path), None)
    if node is None or node.item.type != "group" or not node.item.repeats:
        return items
    siblings = node.parent.children if node.parent else nodes
    last = max(
        place
        for place, other in enumerate(siblings)
        if other.item is node.item and other.under == node.under
    )
    if siblings[last].instance + 1 < MOST_INSTANCES:
        added = Node(node.item, "", node.parent, 1, node.under)
        added.children = _level(node.item.children, [], added, "", 0)
        start([added])
        siblings.insert(last + 1, added)
    return shed(nodes, with_disabled=True)


def remove_instance(definition: Definition, items: list[dict], path: str) -> list[dict]:
    """`items` without the instance of the repeating group at this path; the only one is emptied."""
    nodes = grow(definition, items)
    node = next((node for node in _all(nodes) if node.path == path), None)
    if node is None or node.item.type != "group" or not node.item.repeats:
        return items
    (node.parent.children if node.parent else nodes).remove(node)
    return shed(nodes, with_disabled=True)


def start(nodes: list[Node]) -> None:
    """Gives every question the answers that the form starts with (initial, initialSelected)."""
    for node in _all(nodes):
        item = node.item
        chosen = [option.answer for option in item.options if option.is_selected]
        answers = [*chosen, *(each for each in item.initial if each not in chosen)]
        if answers and item.is_question:
            node.answers = [dict(each) for each in (answers if item.repeats else answers[:1])]


def _all(nodes: list[Node]) -> list[Node]:
    return [node for top in nodes for node in top.walk()]
