"""The tree of a form: what stands where, and moving, copying and taking away."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass

from django.utils.translation import gettext as _

from households.intake.building.kinds import (
    DISPLAY_CATEGORY,
    CannotBuild,
    Definition,
    Item,
    Kind,
    extension_value,
    kind_of,
)

MOST_ITEMS = 300
DEEPEST_SECTION = 2
MADE_HERE = re.compile(r"[qs]-[0-9a-f]{8}")


@dataclass(frozen=True)
class Row:
    """An item where it stands. `siblings` are the items that can trade places with it."""

    item: Item
    parents: tuple[Item, ...]
    siblings: tuple[Item, ...]

    @property
    def link_id(self) -> str:
        return self.item.get("linkId", "")

    @property
    def depth(self) -> int:
        return len(self.parents)

    @property
    def is_section(self) -> bool:
        return self.item.get("type") == "group"

    @property
    def is_empty_section(self) -> bool:
        return self.is_section and not _rows_in(self.item, (self.item,))

    @property
    def is_first(self) -> bool:
        return self.siblings[0] is self.item

    @property
    def is_last(self) -> bool:
        return self.siblings[-1] is self.item

    @property
    def repeated_in(self) -> str:
        """The link id of the section that is given several times and holds this; "" without one."""
        repeated = [one["linkId"] for one in self.parents if one.get("repeats")]
        return repeated[-1] if repeated else ""


def help_of(item: Item) -> Item | None:
    """The text under a question that helps to answer it: its first display item marked as instructions."""
    return next((child for child in item.get("item", []) if _is_help(child)), None)


def _is_help(child: Item) -> bool:
    if child.get("type") != "display":
        return False
    category = extension_value(child, DISPLAY_CATEGORY) or {}
    codes = {coding.get("code") for coding in category.get("coding", [])}
    return bool(codes & {"instructions", "help"})


def rows_of(definition: Definition) -> list[Row]:
    """Every item in the order of the form; the help of an item is part of it and no row."""
    return list(_rows(definition, ()))


def _rows(parent: Item, parents: tuple[Item, ...]) -> Iterator[Row]:
    for row in _rows_in(parent, parents):
        yield row
        yield from _rows(row.item, (*parents, row.item))


def _rows_in(parent: Item, parents: tuple[Item, ...]) -> list[Row]:
    helping = help_of(parent) if parents else None
    siblings = tuple(child for child in parent.get("item", []) if child is not helping)
    return [Row(child, parents, siblings) for child in siblings]


def empty_sections(definition: Definition) -> list[Row]:
    """Sections that ask nothing: fine while somebody builds, and nothing for a family (que-1)."""
    return [row for row in rows_of(definition) if row.is_empty_section]


def row_of(definition: Definition, link_id: str) -> Row | None:
    return next((row for row in rows_of(definition) if row.link_id == link_id), None)


def row_or_refuse(definition: Definition, link_id: str) -> Row:
    """Raises CannotBuild where it is not in the form any more."""
    row = row_of(definition, link_id)
    if row is None:
        raise CannotBuild(_("This is not in the form any more: somebody took it away."))
    return row


def name_of(item: Item) -> str:
    """How staff recognise it, in one line."""
    text = " ".join(item.get("text", "").split()) or item.get("linkId", "") or _("without a text")
    return text if len(text) <= 90 else f"{text[:88]}…"


def new_link_id(kind: Kind) -> str:
    """Never used before, so that an answer to a question that is gone is not taken for another's."""
    return f"{'s' if kind is Kind.SECTION else 'q'}-{secrets.token_hex(4)}"


def link_ids_under(item: Item) -> set[str]:
    below = [link_ids_under(child) for child in item.get("item", [])]
    return {item.get("linkId", "")}.union(*below)


# --- places ---------------------------------------------------------------------------

# "in <link id>": first in this section ("in " alone: first in the form). "after <link id>": next to it.
Place = str


def end_of(definition: Definition, section: str) -> Place:
    """The place after everything that a section ("" for the form) holds."""
    row = row_of(definition, section)
    parent = row.item if row else definition
    rows = [one for one in rows_of(definition) if (one.parents[-1:] or (definition,))[0] is parent]
    return f"after {rows[-1].link_id}" if rows else f"in {section}"


def place_of(row: Row) -> Place:
    """Where it stands now."""
    at = _position(list(row.siblings), row.item)
    if at:
        return f"after {row.siblings[at - 1]['linkId']}"
    return f"in {row.parents[-1]['linkId'] if row.parents else ''}"


def places_for(definition: Definition, moved: Item) -> list[tuple[Place, str, int]]:
    """Where an item may stand, from top to bottom: the place, in words, and how deep."""
    fits_in = DEEPEST_SECTION - _height(moved) if moved.get("type") == "group" else DEEPEST_SECTION
    start = ("in ", _("First in the form"), 0)
    return [start, *_places(definition, (), link_ids_under(moved), fits_in)]


def _places(
    parent: Item, parents: tuple[Item, ...], taken: set[str], fits_in: int
) -> Iterator[tuple[Place, str, int]]:
    depth = len(parents)
    for row in _rows_in(parent, parents):
        if row.link_id in taken:
            continue
        if row.is_section and depth < fits_in:
            words = _("First in “%(name)s”") % {"name": name_of(row.item)}
            yield f"in {row.link_id}", words, depth + 1
        if row.is_section:
            yield from _places(row.item, (*parents, row.item), taken, fits_in)
        if depth <= fits_in:
            words = _("After “%(name)s”") % {"name": name_of(row.item)}
            yield f"after {row.link_id}", words, depth


def _height(item: Item) -> int:
    """How many levels of sections an item is: 0 for a question."""
    if item.get("type") != "group":
        return 0
    return 1 + max((_height(child) for child in item.get("item", [])), default=0)


def put(definition: Definition, item: Item, place: Place) -> None:
    """Changes the definition. Raises CannotBuild for a place that is not there or not allowed."""
    if place not in {one[0] for one in places_for(definition, item)}:
        raise CannotBuild(_("Choose another place: this one is not there any more, or too deep."))
    where, _blank, link_id = place.partition(" ")
    row = row_of(definition, link_id)
    if where == "in":
        parent = row.item if row else definition
        helping = help_of(parent) if row else None
        items = parent.setdefault("item", [])
        items.insert(1 if helping is not None and items[0] is helping else 0, item)
        return
    assert row is not None  # it is one of the places
    items = _items_around(definition, row)
    items.insert(_position(items, row.item) + 1, item)


def _items_around(definition: Definition, row: Row) -> list[Item]:
    return (row.parents[-1] if row.parents else definition)["item"]


def _position(items: list[Item], item: Item) -> int:
    return next(at for at, one in enumerate(items) if one is item)


# --- moving, taking away, copying -----------------------------------------------------


def take_out(definition: Definition, row: Row) -> None:
    """Changes the definition; a parent that holds nothing any more has no `item` (FHIR ele-1)."""
    items = _items_around(definition, row)
    del items[_position(items, row.item)]
    if not items:
        del (row.parents[-1] if row.parents else definition)["item"]


def moved_by_one(definition: Definition, link_id: str, step: int) -> Definition:
    """One place up (-1) or down (1) among those beside it; at the end it stays."""
    definition = deepcopy(definition)
    row = row_or_refuse(definition, link_id)
    at = _position(list(row.siblings), row.item) + step
    if 0 <= at < len(row.siblings):
        items = _items_around(definition, row)
        one, other = _position(items, row.item), _position(items, row.siblings[at])
        items[one], items[other] = items[other], items[one]
    return definition


def moved_to(definition: Definition, link_id: str, place: Place) -> Definition:
    definition = deepcopy(definition)
    row = row_or_refuse(definition, link_id)
    if place not in {one[0] for one in places_for(definition, row.item)}:
        raise CannotBuild(_("Choose another place: this one is not there any more, or too deep."))
    # Holds its old place until it has the new one, so that no section is empty in between.
    marker: Item = {"linkId": new_link_id(Kind.READ), "type": "display"}
    items = _items_around(definition, row)
    items[_position(items, row.item)] = marker
    put(definition, row.item, place)
    take_out(definition, next(one for one in rows_of(definition) if one.item is marker))
    return definition


def added(definition: Definition, item: Item, place: Place) -> Definition:
    """Raises CannotBuild when the form is full. An item that is there already is not added twice."""
    definition = deepcopy(definition)
    if row_of(definition, item["linkId"]):
        return definition
    refuse_too_many(definition, 1)
    put(definition, item, place)
    return definition


def refuse_too_many(definition: Definition, more: int) -> None:
    if len(rows_of(definition)) + more > MOST_ITEMS:
        raise CannotBuild(
            _(
                "A form can have %(most)d questions and sections. Delete some that are not needed, or "
                "make a second form for the rest."
            )
            % {"most": MOST_ITEMS}
        )


def copied(
    definition: Definition, link_id: str, renamed: Callable[[Item, dict[str, str]], None]
) -> tuple[Definition, str]:
    """A copy right after the original, and its link id. `renamed` makes what names questions inside the
    copy name the copies."""
    definition = deepcopy(definition)
    row = row_or_refuse(definition, link_id)
    copy = deepcopy(row.item)
    refuse_too_many(definition, len(link_ids_under(copy)))
    names: dict[str, str] = {}
    _give_new_link_ids(copy, names)
    renamed(copy, names)
    if copy.get("text"):
        copy["text"] = _("%(text)s (copy)") % {"text": copy["text"]}
    items = _items_around(definition, row)
    items.insert(_position(items, row.item) + 1, copy)
    return definition, copy["linkId"]


def _give_new_link_ids(item: Item, names: dict[str, str]) -> None:
    item.pop("id", None)  # an id stands once in a resource
    old, new = item.get("linkId", ""), new_link_id(kind_of(item) or Kind.SHORT)
    names[old] = item["linkId"] = new
    for child in item.get("item", []):
        _give_new_link_ids(child, names)
