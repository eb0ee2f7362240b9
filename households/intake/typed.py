"""What was typed into the boxes of a question, as FHIR answers.

Only what cannot be read at all is refused here, with how to type it: what is required, and what the limits
are, the engine decides for the whole page (engine/checking.py).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from households.history import partial_date
from households.intake.engine.evaluation import Node
from households.intake.inputs import (
    OTHER,
    box,
    key_of,
    may_be_partial,
    only_unit,
    unit_key,
    unit_words,
)

_LONGEST_LINE = 5_000
_LONGEST_TEXT = 50_000
_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,15})?", re.ASCII)
_COMMA = re.compile(r"[+-]?\d{1,15},\d{1,2}", re.ASCII)
# FHIR R4: integer is 32 bits, signed.
_INTEGERS = range(-(2**31), 2**31)
_TIME = re.compile(
    r"(\d{1,2})(?:[:.](\d{2}))?(?::(\d{2}))?\s*(?:([ap])\.?\s?m\.?)?", re.ASCII | re.I
)


class Unreadable(ValueError):
    """What was typed into the box called `name` is no answer. Its text says how to type it."""

    def __init__(self, name: str, says: str) -> None:
        super().__init__(says)
        self.name = name


def answers_from(node: Node, typed: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The FHIR answers that stand in the boxes of a question; none when they are empty.

    Raises Unreadable, which names the box and says how to type it.
    """
    item = node.item
    value = typed.get(box(node), "")
    if item.type == "boolean":
        return [{"valueBoolean": value == "true"}] if value in {"true", "false"} else []
    if node.options and item.type != "quantity":
        return _chosen(node, typed)
    if item.type == "quantity":
        return _quantity(node, typed)
    if item.type == "dateTime" and not item.repeats:
        return _date_and_time(node, typed)
    if item.type == "text":
        return _texts(node, [value])
    lines = value.splitlines() if item.repeats else [value]
    return [answer for line in lines if line.strip() for answer in _one(node, line.strip())]


def _one(node: Node, text: str) -> list[dict[str, Any]]:
    """The answer that one line says."""
    item = node.item
    if item.type == "integer":
        return [{"valueInteger": _whole(node, text)}]
    if item.type == "decimal":
        return [{"valueDecimal": _number(node, text)}]
    if item.type == "date":
        return [{"valueDate": _date(node, text)}]
    if item.type == "dateTime":
        day, _blank, time = text.partition(" ")
        return [{"valueDateTime": _moment(node, day, time.strip(), "v")}]
    if item.type == "time":
        return [{"valueTime": _time(node, text, "v")}]
    if item.type == "url":
        return [{"valueUri": _short(node, text)}]
    if item.type == "choice":
        # Its list is not on file: a Coding may be words alone (FHIR R4 Coding.display).
        return [{"valueCoding": {"display": _short(node, text)}}]
    if item.type == "reference":
        return [{"valueReference": {"display": _short(node, text)}}]
    return _texts(node, [text])


def _texts(node: Node, texts: list[str]) -> list[dict[str, Any]]:
    return [{"valueString": _short(node, text)} for text in texts if text]


def _short(node: Node, text: str) -> str:
    most = _LONGEST_TEXT if node.item.type == "text" else _LONGEST_LINE
    if len(text) > most:
        raise Unreadable(
            box(node),
            _("This can have %(most)d characters; it has %(count)d. Make it shorter.")
            % {"most": most, "count": len(text)},
        )
    # FHIR R4 string: no control characters but tab and line break.
    return "".join(
        one
        for one in text.replace("\r\n", "\n")
        if one in "\t\n" or unicodedata.category(one) != "Cc"
    )


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace("−", "-").replace(" ", "").strip()


def _number(node: Node, text: str, part: str = "v") -> int | float:
    plain = _plain(text) if len(text) < 60 else ""
    if _COMMA.fullmatch(plain):
        plain = plain.replace(",", ".")
    if not _NUMBER.fullmatch(plain):
        raise Unreadable(
            box(node, part), _("Type a number in digits, for example 70 or 70.5, and nothing else.")
        )
    number = Decimal(plain)
    return int(number) if number == number.to_integral_value() else float(number)


def _whole(node: Node, text: str) -> int:
    plain = _plain(text) if len(text) < 60 else ""
    number = _NUMBER.fullmatch(plain) and Decimal(plain)
    if (not number and number != 0) or number != number.to_integral_value():
        raise Unreadable(
            box(node), _("Type a whole number in digits, for example 4, and nothing else.")
        )
    if int(number) not in _INTEGERS:
        raise Unreadable(box(node), _("That number is too large. Check the digits."))
    return int(number)


def _date(node: Node, text: str, part: str = "v") -> str:
    try:
        date = partial_date.read(text, today=timezone.localdate(), may_be_ahead=True)
    except partial_date.InvalidDate as error:
        if may_be_partial(node.item):
            raise Unreadable(box(node, part), str(error)) from None
        date = ""
    if len(date) < 10 and not (date and may_be_partial(node.item)):
        raise Unreadable(
            box(node, part),
            _("Type the date year first, then the month and the day, like this: 2016/04/27."),
        )
    return date


def _time(node: Node, text: str, part: str) -> str:
    found = _TIME.fullmatch(unicodedata.normalize("NFKC", text).strip()) if len(text) < 30 else None
    hours, minutes, seconds = (int(found[at] or 0) for at in (1, 2, 3)) if found else (99, 0, 0)
    if found and found[4] and 1 <= hours <= 12:
        hours = hours % 12 + (12 if found[4].lower() == "p" else 0)
    elif found and (found[4] or found[2] is None):
        hours = 99
    if hours > 23 or minutes > 59 or seconds > 59:
        raise Unreadable(box(node, part), _("Type the time like this: 14:30, or 2:30 pm."))
    return f"{hours:02}:{minutes:02}:{seconds:02}"


def _date_and_time(node: Node, typed: Mapping[str, Any]) -> list[dict[str, Any]]:
    day, time = typed.get(box(node), ""), typed.get(box(node, "t"), "")
    if not day and not time:
        return []
    if not day:
        raise Unreadable(box(node), _("Type the day too, year first, like this: 2016/04/27."))
    return [{"valueDateTime": _moment(node, day, time, "t")}]


def _moment(node: Node, day: str, time: str, part: str) -> str:
    date = _date(node, day)
    if not time:
        return date
    at = parse_datetime(f"{date}T{_time(node, time, part)}") if len(date) == 10 else None
    if at is None:
        raise Unreadable(box(node), _("Type the whole day: year, month and day."))
    return timezone.make_aware(at).isoformat()


def _chosen(node: Node, typed: Mapping[str, Any]) -> list[dict[str, Any]]:
    item = node.item
    by_key = {key_of(option): option.answer for option in node.options}
    value = typed.get(box(node), "")
    keys = value if isinstance(value, list) else [value]
    written = [line.strip() for line in typed.get(box(node, "o"), "").splitlines() if line.strip()]
    unknown = [key for key in keys if key and key not in by_key and key != OTHER]
    if unknown:
        raise Unreadable(box(node), _("Choose one of these. The list has changed."))
    chosen = [_bare(by_key[key]) for key in keys if key in by_key]
    if item.repeats:
        return [*chosen, *({"valueString": _short(node, text)} for text in written)]
    if chosen and written:
        raise Unreadable(
            box(node, "o"),
            _("Choose one, or choose “Other” and write it in: only one answer fits here."),
        )
    if OTHER in keys and not written:
        raise Unreadable(box(node, "o"), _("Write in what it is."))
    return chosen or [{"valueString": _short(node, text)} for text in written[:1]]


def _bare(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a choice: the answer itself."""
    return {kind: value for kind, value in answer.items() if kind.startswith("value")}


def _quantity(node: Node, typed: Mapping[str, Any]) -> list[dict[str, Any]]:
    item = node.item
    value, said = typed.get(box(node), ""), typed.get(box(node, "u"), "")
    if not value:
        if said and len(item.units) <= 1:
            raise Unreadable(box(node), _("Type how much it is, in digits."))
        return []
    quantity: dict[str, Any] = {"value": _number(node, value)}
    unit = only_unit(item)
    if len(item.units) > 1:
        unit = next((one for one in item.units if unit_key(one) == said), None)
        if unit is None:
            raise Unreadable(box(node, "u"), _("Choose the unit too."))
    if unit is not None:
        quantity |= {"unit": unit_words(unit)}
        quantity |= {key: unit[key] for key in ("system", "code") if unit.get(key)}
    elif said:
        quantity["unit"] = _short(node, said)
    return [{"valueQuantity": quantity}]
