"""FHIRPath in forms, worked out by fhirpathpy inside bounds (SECURITY: an imported form is foreign code).

An expression can run for ever (`repeat`), or blow up (`power`, `aggregate($total & $total)`), and the library
has no limits of its own. Signals do not work in worker threads, so the limits are in the functions: the table
below wraps every function and operator of the library. Each call, and each element that a `where` or a
`select` looks at, reads the clock (CPU time of this thread); each result is measured before it goes on. What
happens between two readings is bounded, because expressions are short (syntax.py), and strings, numbers and
collections are small; what the library does in time that grows with the square, is done here in another way.

The library also gets repairs here (FORMS.md 2.3): sum, min and max over what is read from a resource,
weight() and ordinal(), patterns by RE2, powers with fractions, rounding half up, `$this` after an inner
`where`, and today() of the practice instead of the machine.
"""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, cast

import fhirpathpy
from fhirpathpy.engine import do_eval, util
from fhirpathpy.engine.evaluators import evaluators
from fhirpathpy.engine.invocations import invocation_registry
from fhirpathpy.engine.invocations.navigation import create_reduce_children
from fhirpathpy.engine.nodes import FP_Quantity, FP_Type, ResourceNode, TypeInfo

from households.intake.engine import patterns
from households.intake.engine.extensions import weight_of
from households.intake.engine.shortcuts import KEPT, MEMBER, WITH
from households.intake.engine.syntax import parse

# CPU seconds for all expressions of one form together.
BUDGET = 0.8
MOST_NODES = 20_000
LONGEST_TEXT = 100_000
LARGEST_NUMBER = Decimal(10) ** 100


class Failure(Exception):
    """The expression has no value: it is wrong, asks for what nobody knows, or is too much."""


class OutOfTime(Failure):
    pass


class Clock:
    """Time for the expressions of one form, and the time that they are told it is."""

    def __init__(self, now: datetime.datetime, seconds: float = BUDGET) -> None:
        self.now = now
        self._ends = time.thread_time() + seconds
        # The values of KEPT parts, those that change with the answers apart.
        self.kept: dict[bool, dict[str, list]] = {True: {}, False: {}}

    def look(self) -> None:
        if time.thread_time() > self._ends:
            raise OutOfTime


def work_out(
    expression: str, focus: ResourceNode, variables: Mapping[str, Any], clock: Clock
) -> list[Any]:
    """The values, as JSON has them (numbers as Decimal or int). Raises Failure and nothing else."""
    parsed = parse(expression)
    if parsed is None:
        raise Failure
    clock.look()
    context = {
        "dataRoot": [focus],
        "vars": variables,
        "model": _MODEL,
        "userInvocationTable": _TABLE,
        "clock": clock,
    }
    try:
        return [_plain(each) for each in util.arraify(do_eval(context, [focus], parsed.tree))]
    except Failure:
        raise
    except Exception as problem:  # the library raises whatever it comes upon
        raise Failure from problem


def node(data: Any, path: str) -> ResourceNode:
    """JSON as the library reads it; `path` is its place in a resource: "QuestionnaireResponse.item"."""
    return ResourceNode.create_node(data, path)


def exact(data: Any) -> Any:
    """JSON with its floats as decimals, so that 0.1 is 0.1."""
    if isinstance(data, float):
        return Decimal(str(data))
    if isinstance(data, dict):
        return {key: exact(held) for key, held in data.items()}
    return [exact(each) for each in data] if isinstance(data, list) else data


def _plain(value: Any) -> Any:
    value = util.get_data(value)
    if isinstance(value, FP_Quantity):
        unit = str(value.unit or "").strip("'")
        return {"value": value.value, **({"unit": unit, "code": unit} if unit else {})}
    return str(value) if isinstance(value, FP_Type) else value


# The model of R4 ------------------------------------------------------------------------------------


def _read_model() -> dict[str, dict]:
    """fhirpathpy.models reads all four releases of FHIR into memory; one is enough."""
    folder = Path(fhirpathpy.__file__).parent / "models" / "r4"
    return {each.stem: json.loads(each.read_text("utf-8")) for each in folder.glob("*.json")}


_MODEL = _read_model()
RESOURCE_TYPES = frozenset(
    name
    for name, parent in _MODEL["type2Parent"].items()
    if parent in ("DomainResource", "Resource") and name != "DomainResource"
)
# The library sets it at the first "is" of whichever thread; set once, it is the same for all.
setattr(TypeInfo, "model", _MODEL)  # noqa: B010 # its type says None
_THEIRS: dict[str, dict[str, Any]] = dict(cast("dict[str, Any]", invocation_registry))


# Bounds ---------------------------------------------------------------------------------------------


def _bounded(result: Any) -> Any:
    for each in _few(result):
        if isinstance(each, str) and len(each) > LONGEST_TEXT:
            raise Failure
        if isinstance(each, int | Decimal) and not -LARGEST_NUMBER < each < LARGEST_NUMBER:
            raise Failure
    return result


def _few(result: Any) -> list[Any]:
    if not isinstance(result, list):
        return [result]
    # In a long list stands what was measured before.
    return result if len(_measured(result)) < 50 else []


def _measured(found: list) -> list:
    if len(found) > MOST_NODES:
        raise Failure
    return found


def _gathered(context: dict, parts: Iterable[Any]) -> list:
    """One after the other, under the clock; the library adds lists up in time that grows with the square."""
    found: list = []
    for part in parts:
        context["clock"].look()
        found += util.arraify(part)
        _measured(found)
    return found


def _watched(context: dict, expression: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """What is asked of each element: under the clock, and with `$this` as before when it is done."""
    clock = context["clock"]

    def ask(element: Any) -> Any:
        clock.look()
        before = {name: context[name] for name in ("$this", "$index") if name in context}
        try:
            return expression(element)
        finally:
            for name in ("$this", "$index"):
                context.pop(name, None)
            context.update(before)

    return ask


def _wrapped(entry: dict) -> dict:
    function = entry["fn"]

    def call(context: dict, *arguments: Any) -> Any:
        context["clock"].look()
        return _bounded(
            function(
                context,
                *(_watched(context, each) if callable(each) else each for each in arguments),
            )
        )

    return {**entry, "fn": call}


# Shortcuts ------------------------------------------------------------------------------------------


def _kept(context: dict, data: Any, tree: dict) -> list:
    kept = context["clock"].kept[tree["changes"]]
    if tree["key"] not in kept:
        kept[tree["key"]] = util.arraify(do_eval(context, data, tree["children"][0]))
    # A copy: the library changes lists in place.
    return list(kept[tree["key"]])


def _with(context: dict, data: Any, tree: dict) -> list:
    context["clock"].look()
    found = []
    for each in data:
        held = util.get_data(each)
        held = held.get(tree["member"]) if isinstance(held, dict) else None
        if held == tree["word"]:
            found.append(each)
        elif held is not None and not isinstance(held, str):
            # Not what this is for: the long way.
            return util.arraify(do_eval(context, data, tree["children"][0]))
    return found


def _member(context: dict, data: Any, tree: dict) -> list:
    step = tree["children"][0]
    if len(data) < 20:
        return _measured(do_eval(context, data, step))
    return _gathered(context, (do_eval(context, [each], step) for each in data))


# More kinds of nodes; those of the library stay as they are.
evaluators[KEPT] = _kept
evaluators[WITH] = _with
evaluators[MEMBER] = _member


# Functions of our own -------------------------------------------------------------------------------


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
            _measured(next_ahead)
        found = _measured(found + next_ahead)
        ahead = next_ahead
    return found


def _select(context: dict, elements: list, ask: Callable[[Any], Any]) -> list:
    def asked() -> Iterator[Any]:
        for index, each in enumerate(elements):
            context["$index"] = index
            yield ask(each)

    return _gathered(context, asked())


def _descendants(context: dict, elements: list) -> list:
    add = create_reduce_children(context, False)
    found: list = []
    ahead = elements
    while ahead:
        ahead = _gathered(context, (add([], each) for each in ahead))
        found = _measured(found + ahead)
    return found


def _children(context: dict, elements: list) -> list:
    add = create_reduce_children(context, True)
    return _gathered(context, (add([], each) for each in elements))


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
_TABLE = {name: _wrapped(entry) for name, entry in {**_THEIRS, **_OURS}.items()}
