"""When a calculated value says something: not while the instrument is answered in part (FORMS.md 6, goal 6).

A score is a calculated item that adds up weights of choices, or a sum of numbers; its questions are those
whose link ids its expressions name. Its own rule allows a part where it counts the answers itself
(`count()`), or where the form says so (urn:kinchart:partial-score). A body mass index needs no rule: it is
empty until height and weight are there.
"""

from __future__ import annotations

from collections.abc import Iterable

from households.intake.engine.extensions import WEIGHTS
from households.intake.engine.parts import Definition, Expression, Item
from households.intake.engine.syntax import Parsed, parse

_NUMBERS = ("integer", "decimal", "quantity")


def questions_of(definition: Definition, item: Item) -> frozenset[str]:
    """The link ids of the questions that must be answered before this calculated item counts."""
    found: dict[str, frozenset[str]] = definition.derived.setdefault("scores", {})
    if item.link_id not in found:
        found[item.link_id] = frozenset(_questions(definition, item, set()))
    return found[item.link_id]


def _questions(definition: Definition, item: Item, seen: set[str]) -> set[str]:
    if item.calculated is None or item.may_be_partial or item.link_id in seen:
        return set()
    seen.add(item.link_id)
    parts = list(_closure(item.calculated, item, definition))
    functions = {function for part in parts for function in part.functions}
    literals = {literal for part in parts for literal in part.literals}
    if "count" in functions:
        return set()
    named = list(_named(definition, literals, is_prefix="startsWith" in functions))
    questions: set[str] = set()
    if functions & {"weight", "ordinal"} or literals & set(WEIGHTS):
        weighted = [each for each in named if _is_weighted(each)]
        if not weighted:
            weighted = [each for each in definition.walk() if _is_weighted(each)]
        questions |= {each.link_id for each in weighted}
    if "sum" in functions:
        questions |= {
            each.link_id
            for each in named
            if each.type in _NUMBERS and not each.is_calculated and not _is_repeated(each)
        }
    for other in named:
        questions |= _questions(definition, other, seen)
    return questions - {item.link_id}


def _closure(expression: Expression, item: Item, definition: Definition) -> Iterable[Parsed]:
    """The expression and the variables that it names, and those that they name."""
    variables: dict[str, list[str]] = {}
    scope: Item | None = item
    while scope is not None:
        for each in scope.variables:
            variables.setdefault(each.name, []).append(each.text)
        scope = scope.parent
    for each in definition.variables:
        variables.setdefault(each.name, []).append(each.text)
    ahead, seen = [expression.text], set()
    while ahead:
        written = ahead.pop()
        parsed = parse(written)
        if parsed is None or written in seen:
            continue
        seen.add(written)
        yield parsed
        ahead += [text for name in parsed.variables for text in variables.get(name, ())]


def _named(definition: Definition, literals: Iterable[str], *, is_prefix: bool) -> Iterable[Item]:
    """The items with these link ids, and what is in them."""
    for item in definition.walk():
        line: Item | None = item
        while line is not None:
            link_id = line.link_id
            if link_id in literals or (
                is_prefix and any(literal and link_id.startswith(literal) for literal in literals)
            ):
                yield item
                break
            line = line.parent


def _is_weighted(item: Item) -> bool:
    return any(option.weight is not None for option in item.options)


def _is_repeated(item: Item) -> bool:
    line: Item | None = item
    while line is not None:
        if line.repeats:
            return True
        line = line.parent
    return False
