"""Functions of FHIRPath, as this portal has them: the library's inside bounds, repaired, or our own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, cast

from fhirpathpy.engine import util
from fhirpathpy.engine.invocations import invocation_registry
from fhirpathpy.engine.invocations.navigation import create_reduce_children
from fhirpathpy.engine.nodes import FP_Quantity

from households.intake.engine import patterns
from households.intake.engine.bounds import LONGEST_TEXT, Failure, gathered, measured, wrapped
from households.intake.engine.extensions import weight_of

_THEIRS: dict[str, dict[str, Any]] = dict(cast("dict[str, Any]", invocation_registry))


def _is_true(result: Any) -> bool:
    return util.is_some(result) and util.get_data(util.arraify(result)[0]) is not False


def _matching(context: dict, elements: list, fits: Callable[[Any], Any]) -> Iterator[Any]:
    for index, each in enumerate(elements):
        context["$index"] = index
        if _is_true(fits(each)):
            yield each


def _where(context: dict, elements: list, fits: Callable[[Any], Any]) -> list:
    return list(_matching(context, elements, fits))


def _exists(context: dict, elements: list, fits: Callable[[Any], Any] | None = None) -> bool:
    found = elements if fits is None else _matching(context, elements, fits)
    return any(True for _ in found)


def _repeat(context: dict, elements: list, step: Callable[[Any], Any]) -> list:
    """What is reached more than once is there once: objects by identity, because the same answer in two
    instances of a group is two answers."""
    found: list = []
    seen: set = set()
    ahead = list(elements)
    while ahead:
        next_ahead: list = []
        for each in ahead:
            for reached in step(each):
                data = util.get_data(reached)
                key = id(data) if isinstance(data, dict | list) else _key(data)
                if key not in seen:
                    seen.add(key)
                    next_ahead.append(reached)
            measured(next_ahead)
        found = measured(found + next_ahead)
        ahead = next_ahead
    return found


def _select(context: dict, elements: list, ask: Callable[[Any], Any]) -> list:
    def asked() -> Iterator[Any]:
        for index, each in enumerate(elements):
            context["$index"] = index
            yield ask(each)

    return gathered(context, asked())


def _descendants(context: dict, elements: list) -> list:
    add = create_reduce_children(context, False)
    found: list = []
    ahead = elements
    while ahead:
        ahead = gathered(context, (add([], each) for each in ahead))
        found = measured(found + ahead)
    return found


def _children(context: dict, elements: list) -> list:
    add = create_reduce_children(context, True)
    return gathered(context, (add([], each) for each in elements))


def _key(data: Any) -> Any:
    """What two equal things have in common."""
    if isinstance(data, dict | list):
        return json.dumps(data, sort_keys=True, default=str)
    if util.is_number(data):
        return "number", Decimal(data)
    return type(data).__name__, str(data)


def _keys(context: dict, elements: list) -> Iterator[tuple[Any, Any]]:
    known: dict[int, Any] = {}
    for each in elements:
        context["clock"].look()
        data = util.get_data(each)
        if id(data) not in known:
            known[id(data)] = _key(data)
        yield known[id(data)], each


def _distinct(context: dict, elements: list) -> list:
    found: dict[Any, Any] = {}
    for key, each in _keys(context, elements):
        found.setdefault(key, each)
    return list(found.values())


def _union(context: dict, these: list, those: list) -> list:
    return _distinct(context, these + those)


def _is_distinct(context: dict, elements: list) -> bool:
    return len(_distinct(context, elements)) == len(elements)


def _intersect(context: dict, these: list, those: list) -> list:
    keys = {key for key, _ in _keys(context, those)}
    return _distinct(context, [each for key, each in _keys(context, these) if key in keys])


def _exclude(context: dict, these: list, those: list) -> list:
    keys = {key for key, _ in _keys(context, those)}
    return [each for key, each in _keys(context, these) if key not in keys]


def _is_subset(context: dict, these: list, those: list) -> bool:
    keys = {key for key, _ in _keys(context, those)}
    return all(key in keys for key, _ in _keys(context, these))


def _is_superset(context: dict, these: list, those: list) -> bool:
    return _is_subset(context, those, these)


def _is_in(context: dict, these: list, those: list) -> Any:
    if len(these) > 1:
        raise Failure
    return _is_subset(context, these, those) if these else []


def _contains(context: dict, these: list, those: list) -> Any:
    return _is_in(context, those, these)


def _numbers(elements: list) -> list[Any]:
    found = [util.get_data(each) for each in elements]
    if not all(util.is_number(each) for each in found):
        raise Failure
    return found


def _sum(_: dict, elements: list) -> Any:
    # Empty over nothing: a blank instrument has no score.
    return sum(_numbers(elements)) if elements else []


def _average(_: dict, elements: list) -> Any:
    return Decimal(sum(_numbers(elements))) / len(elements) if elements else []


def _least(_: dict, elements: list) -> Any:
    return _extreme(min, elements)


def _most(_: dict, elements: list) -> Any:
    return _extreme(max, elements)


def _extreme(choose: Callable[[list], Any], elements: list) -> Any:
    held = [util.get_data(each) for each in elements]
    if held and not all(isinstance(each, str) for each in held):
        held = _numbers(elements)
    return choose(held) if held else []


def _weights(_: dict, elements: list) -> list:
    """SDC weight(), ordinal() before: of Codings, or of answers with one."""
    found = []
    for each in elements:
        data = util.get_data(each)
        if isinstance(data, dict):
            weighs = weight_of(data, data.get("valueCoding"))
            if weighs is not None:
                found.append(weighs)
    return found


def _power(_: dict, base: list, exponent: Any) -> Any:
    if not base or util.is_empty(exponent):
        return []
    number, degree = Decimal(_numbers(base)[0]), Decimal(exponent)
    if number < 0 and degree != degree.to_integral_value():
        return []
    return number**degree


def _round(_: dict, elements: list, places: Any = 0) -> Any:
    if not elements:
        return []
    digits = 0 if util.is_empty(places) else int(places)
    if not 0 <= digits <= 20:
        raise Failure
    number = Decimal(_numbers(elements)[0])
    rounded = number.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
    # 100, not 100.00: people read it.
    is_whole = rounded == rounded.to_integral_value()
    return rounded.quantize(Decimal(1)) if is_whole else rounded.normalize()


def _text(elements: list) -> str:
    held = util.get_data(elements[0]) if len(elements) == 1 else None
    if not isinstance(held, str):
        raise Failure
    return held


def _matches(_: dict, elements: list, pattern: Any) -> Any:
    return patterns.found(pattern, _text(elements)) if isinstance(pattern, str) else []


def _replace_matches(_: dict, elements: list, pattern: Any, by: Any) -> Any:
    if not isinstance(pattern, str) or not isinstance(by, str):
        return []
    searched = _text(elements)
    _will_fit(searched, by)
    return patterns.replaced(pattern, searched, by)


def _replace(_: dict, elements: list, old: Any, new: Any) -> Any:
    if not isinstance(old, str) or not isinstance(new, str):
        return []
    searched = _text(elements)
    _will_fit(searched, new)
    return searched.replace(old, new)


def _will_fit(searched: str, by: str) -> None:
    if (len(searched) + 1) * len(by) > 100 * LONGEST_TEXT:
        raise Failure


def _join(_: dict, elements: list, separator: Any = "") -> Any:
    words = [str(util.get_data(each)) for each in elements]
    separator = separator if isinstance(separator, str) else ""
    if sum(len(word) + len(separator) for word in words) > LONGEST_TEXT:
        raise Failure
    return separator.join(words) if words else []


def _in_order(name: str) -> Callable[..., Any]:
    """The library compares everything but quantities."""
    theirs = _THEIRS[name]["fn"]

    def compare(context: dict, one: list, other: list) -> Any:
        mine, yours = _quantity(one), _quantity(other)
        if mine is None or yours is None:
            return theirs(context, one, other)
        if mine[1] != yours[1]:
            raise Failure
        return theirs(context, [mine[0]], [yours[0]])

    return compare


def _quantity(elements: list) -> tuple[Any, str] | None:
    held = util.get_data(elements[0]) if len(elements) == 1 else None
    if isinstance(held, FP_Quantity):
        return held.value, str(held.unit or "").strip("'")
    if isinstance(held, dict) and "value" in held:
        return held["value"], str(held.get("code") or held.get("unit") or "")
    return None


def _with_duration(name: str) -> Callable[..., Any]:
    """Many write `today() - 18 'years'` for `18 years`, and mean that."""
    theirs = _THEIRS[name]["fn"]

    def calculate(context: dict, one: list, other: list) -> Any:
        by = other[0] if len(other) == 1 else None
        if isinstance(by, FP_Quantity) and str(by.unit).strip("'") in _DURATIONS:
            other = [FP_Quantity(by.value, str(by.unit).strip("'"))]
        return theirs(context, one, other)

    return calculate


_DURATIONS = {
    unit + ending
    for unit in ("year", "month", "week", "day", "hour", "minute", "second")
    for ending in ("", "s")
}


def _now(context: dict, _: list) -> str:
    return str(context["clock"].now.isoformat(timespec="seconds"))


def _today(context: dict, _: list) -> str:
    return str(context["clock"].now.date().isoformat())


def _time_of_day(context: dict, _: list) -> str:
    return str(context["clock"].now.time().isoformat(timespec="seconds"))


def _unchanged(_: dict, elements: list, *__: Any) -> list:
    return elements


_OURS: dict[str, dict] = {
    "where": {"fn": _where, "arity": {1: ["Expr"]}},
    "exists": {"fn": _exists, "arity": {0: [], 1: ["Expr"]}},
    "repeat": {"fn": _repeat, "arity": {1: ["Expr"]}},
    "select": {"fn": _select, "arity": {1: ["Expr"]}},
    "descendants": {"fn": _descendants},
    "children": {"fn": _children},
    "distinct": {"fn": _distinct},
    "isDistinct": {"fn": _is_distinct},
    "union": {"fn": _union, "arity": {1: ["AnyAtRoot"]}},
    "|": {"fn": _union, "arity": {2: ["Any", "Any"]}},
    "intersect": {"fn": _intersect, "arity": {1: ["AnyAtRoot"]}},
    "exclude": {"fn": _exclude, "arity": {1: ["AnyAtRoot"]}},
    "subsetOf": {"fn": _is_subset, "arity": {1: ["AnyAtRoot"]}},
    "supersetOf": {"fn": _is_superset, "arity": {1: ["AnyAtRoot"]}},
    "inOp": {"fn": _is_in, "arity": {2: ["Any", "Any"]}},
    "containsOp": {"fn": _contains, "arity": {2: ["Any", "Any"]}},
    "sum": {"fn": _sum},
    "avg": {"fn": _average},
    "min": {"fn": _least},
    "max": {"fn": _most},
    "weight": {"fn": _weights},
    "ordinal": {"fn": _weights},
    "power": {"fn": _power, "arity": {1: ["Number"]}},
    "round": {"fn": _round, "arity": {0: [], 1: ["Number"]}},
    "matches": {"fn": _matches, "arity": {1: ["String"]}, "nullable_input": True},
    "replaceMatches": {
        "fn": _replace_matches,
        "arity": {2: ["String", "String"]},
        "nullable_input": True,
    },
    "replace": {"fn": _replace, "arity": {2: ["String", "String"]}, "nullable_input": True},
    "join": {"fn": _join, "arity": {0: [], 1: ["String"]}},
    "now": {"fn": _now},
    "today": {"fn": _today},
    "timeOfDay": {"fn": _time_of_day},
    # The library prints to standard output: answers would end up in the log.
    "trace": {"fn": _unchanged, "arity": {1: ["String"]}},
}
for _name in ("<", "<=", ">", ">="):
    _OURS[_name] = {**_THEIRS[_name], "fn": _in_order(_name)}
for _name in ("+", "-"):
    _OURS[_name] = {**_THEIRS[_name], "fn": _with_duration(_name)}
# Every function and operator of an expression.
TABLE = {name: wrapped(entry) for name, entry in {**_THEIRS, **_OURS}.items()}
