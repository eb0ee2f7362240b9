"""How far an expression may go: the clock, and the sizes (expressions.py says why)."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from fhirpathpy.engine import util

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


def bounded(result: Any) -> Any:
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
    return result if len(measured(result)) < 50 else []


def measured(found: list) -> list:
    if len(found) > MOST_NODES:
        raise Failure
    return found


def gathered(context: dict, parts: Iterable[Any]) -> list:
    """One after the other, under the clock; the library adds lists up in time that grows with the square."""
    found: list = []
    for part in parts:
        context["clock"].look()
        found += util.arraify(part)
        measured(found)
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


def wrapped(entry: dict) -> dict:
    function = entry["fn"]

    def call(context: dict, *arguments: Any) -> Any:
        context["clock"].look()
        return bounded(
            function(
                context,
                *(_watched(context, each) if callable(each) else each for each in arguments),
            )
        )

    return {**entry, "fn": call}
