"""What names a question: conditions, scores, and expressions that came with an imported file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

from households.intake.building.kinds import (
    SCORE,
    Definition,
    Item,
    Kind,
    extension,
    kind_of,
    set_extension,
)
from households.intake.building.scores import members_of
from households.intake.building.structure import link_ids_under, rows_of


@dataclass(frozen=True)
class Naming:
    """`item` (the form itself where None) names a question by `how`: "condition", "score" or "expression"."""

    item: Item | None
    how: str


def namings_of(definition: Definition, link_ids: set[str]) -> list[Naming]:
    """Everything outside these items that names one of them."""
    found = []
    for row in rows_of(definition):
        if row.link_id in link_ids:
            continue
        if any(one.get("question") in link_ids for one in row.item.get("enableWhen", [])):
            found.append(Naming(row.item, "condition"))
        if link_ids & set(members_of(row.item)):
            found.append(Naming(row.item, "score"))
        elif _expressions_name(row.item, link_ids):
            found.append(Naming(row.item, "expression"))
    if _expressions_name(definition, link_ids):
        found.append(Naming(None, "expression"))
    return found


def _expressions_name(element: Item, link_ids: set[str]) -> bool:
    """Whether an expression on this element itself spells one of these link ids."""
    texts = list(_expressions({name: value for name, value in element.items() if name != "item"}))
    return any(
        re.search(rf"(['\"`]){re.escape(link_id)}\1", text)
        for text in texts
        for link_id in link_ids
    )


def _expressions(node: object) -> Iterator[str]:
    if isinstance(node, list):
        for one in node:
            yield from _expressions(one)
    elif isinstance(node, dict):
        for name, value in node.items():
            if name == "expression" and isinstance(value, str):
                yield value
            else:
                yield from _expressions(value)


def gone_with(definition: Definition, link_id: str) -> tuple[set[str], list[Naming]]:
    """What deleting an item takes along: the link ids of what is deleted (the item, what it holds, the
    scores that add it up and their like), and what else names any of these."""
    row = next(one for one in rows_of(definition) if one.link_id == link_id)
    gone = link_ids_under(row.item)
    while True:
        namings = namings_of(definition, gone)
        scores = {one.item["linkId"] for one in namings if one.item and one.how == "score"}
        if not scores:
            return gone, namings
        gone |= scores


def without(definition: Definition, gone: set[str]) -> Definition:
    """A copy without these items and without the conditions that name them. Sections that would stand
    empty stay: they can be filled again."""
    definition = deepcopy(definition)
    _drop(definition, gone)
    for row in rows_of(definition):
        _drop_conditions(row.item, gone)
    return definition


def _drop(parent: Item, gone: set[str]) -> None:
    items = [child for child in parent.get("item", []) if child.get("linkId") not in gone]
    for child in items:
        _drop(child, gone)
    if "item" in parent:
        parent["item"] = items
        if not items:
            del parent["item"]


def _drop_conditions(item: Item, gone: set[str]) -> None:
    conditions = item.get("enableWhen", [])
    left = [one for one in conditions if one.get("question") not in gone]
    if len(left) != len(conditions):
        set_conditions(item, left)


def set_conditions(item: Item, conditions: list[Item]) -> None:
    """Changes the item; que-12: how conditions join is said where there are several."""
    if conditions:
        item["enableWhen"] = conditions
    else:
        item.pop("enableWhen", None)
    if len(conditions) < 2:
        item.pop("enableBehavior", None)


def rename_inside(copy: Item, names: dict[str, str]) -> None:
    """Changes a copied item: what names something copied names the copy."""
    for row in _with_rows_below(copy):
        for condition in row.get("enableWhen", []):
            condition["question"] = names.get(condition["question"], condition["question"])
        if kind_of(row) is Kind.SCORE:
            parts = deepcopy(extension(row, SCORE) or {}).get("extension", [])
            for part in parts:
                if part.get("url") == "question":
                    part["valueString"] = names.get(part["valueString"], part["valueString"])
            set_extension(row, SCORE, {"extension": parts})


def _with_rows_below(item: Item) -> Iterator[Item]:
    yield item
    for child in item.get("item", []):
        yield from _with_rows_below(child)
