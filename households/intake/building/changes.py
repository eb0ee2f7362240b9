"""The changes that staff make to a form, each as one function: a definition in, the changed one out.

Each raises CannotBuild rather than leave a form in which something names what is not there, or is decided by
a question that comes later.
"""

from __future__ import annotations

from collections.abc import Collection
from copy import deepcopy
from typing import Any

from django.utils.translation import gettext as _

from households.intake.building import naming, scores, structure
from households.intake.building.conditions import (
    added_condition,
    follow_choices,
    refuse_lost_choices,
    refuse_too_early,
)
from households.intake.building.kinds import CHOOSING, CannotBuild, Definition, Item, Kind, kind_of
from households.intake.building.parts import WrongPart, new_item, write_parts
from households.intake.building.structure import Place, row_or_refuse


def begun(url: str, title: str, section: str) -> Definition:
    """A form of one section without questions."""
    item = new_item(Kind.SECTION, structure.new_link_id(Kind.SECTION))
    return {
        "resourceType": "Questionnaire",
        "url": url,
        "title": title,
        "status": "draft",
        "subjectType": ["Patient"],
        "item": [{**item, "text": section}],
    }


def with_title(definition: Definition, title: str, description: str) -> Definition:
    changed = {**deepcopy(definition), "title": title}
    if description:
        changed["description"] = description
    else:
        changed.pop("description", None)
    return changed


def with_item(
    definition: Definition, kind: Kind, link_id: str, place: Place, parts: dict[str, Any]
) -> Definition:
    """With a new item. Raises WrongPart for what was typed wrongly."""
    item = new_item(kind, link_id)
    write_parts(item, kind, parts)
    if kind in CHOOSING and "answerOption" not in item:
        raise WrongPart("choices", _("Write at least one choice."))
    return _checked(definition, structure.added(definition, item, place))


def with_parts(
    definition: Definition,
    link_id: str,
    parts: dict[str, Any],
    dropped_conditions: Collection[int] = (),
) -> Definition:
    """With an item changed; `dropped_conditions` are positions in its enableWhen. Raises WrongPart."""
    changed = deepcopy(definition)
    item = row_or_refuse(changed, link_id).item
    write_parts(item, kind_of(item), parts)
    if dropped_conditions:
        left = [
            one for at, one in enumerate(item.get("enableWhen", [])) if at not in dropped_conditions
        ]
        naming.set_conditions(item, left)
    return _checked(definition, changed)


def with_condition(definition: Definition, link_id: str, condition: Item) -> Definition:
    changed = deepcopy(definition)
    added_condition(changed, link_id, condition)
    return _checked(definition, changed)


def with_step(definition: Definition, link_id: str, step: int) -> Definition:
    """One place up (-1) or down (1)."""
    return _checked(definition, structure.moved_by_one(definition, link_id, step))


def with_move(definition: Definition, link_id: str, place: Place) -> Definition:
    return _checked(definition, structure.moved_to(definition, link_id, place))


def with_copy(definition: Definition, link_id: str) -> tuple[Definition, str]:
    """With a copy right after the original; also the link id of the copy."""
    changed, new = structure.copied(definition, link_id, naming.rename_inside)
    return _checked(definition, changed), new


def without_item(definition: Definition, link_id: str, *, also_what_names_it: bool) -> Definition:
    """Raises CannotBuild when something names it and that is not to go too, or cannot."""
    row = row_or_refuse(definition, link_id)
    gone, namings = naming.gone_with(definition, link_id)
    names = {"item": structure.name_of(row.item)}
    if any(one.how == "expression" for one in namings):
        raise CannotBuild(
            _("“%(item)s” cannot be deleted: an expression from the imported file works with it.")
            % names
        )
    if not also_what_names_it and (namings or gone != structure.link_ids_under(row.item)):
        raise CannotBuild(
            _("“%(item)s” is used elsewhere in the form. Nothing was deleted.") % names
        )
    if gone >= {one.link_id for one in structure.rows_of(definition)}:
        raise CannotBuild(_("A form needs something in it. Add another section first."))
    return _checked(definition, naming.without(definition, gone))


def _checked(before: Definition, after: Definition) -> Definition:
    """Changes and gives back `after`."""
    scores.refresh(after)
    refuse_lost_choices(before, after)
    refuse_too_early(before, after)
    follow_choices(after)
    return after


__all__ = ["WrongPart"]
