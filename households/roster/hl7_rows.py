"""Rows of HL7 v2 ADT messages (2.3 to 2.8): who was added or changed, from the PID segment.

A field that a message leaves empty is not spoken about, and `""` empties it: HL7's own rule (v2.5.1
chapter 2.5.3). Telephone numbers and emails share PID-13, so that a valued PID-13 speaks of both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from households.roster.report import printable
from households.roster.rows import BrokenRow, Row, Source

# Add and update a person; admit, register and update a patient. The others move or merge people.
EVENTS = {"A28", "A31", "A01", "A04", "A08"}

_START = re.compile(r"^MSH(?=\W)", re.MULTILINE)
_MLLP = str.maketrans("", "", "\x0b\x1c")


def hl7_source(text: str, encoding: str) -> Source:
    text = text.translate(_MLLP).replace("\r\n", "\n").replace("\r", "\n")
    starts = [found.start() for found in _START.finditer(text)]
    return Source(
        label=f"HL7 v2 messages, {encoding}",
        rows=_rows(text, starts),
        expected=len(starts),
        own_dates=True,
    )


def _rows(text: str, starts: list[int]) -> Iterator[Row | BrokenRow]:
    line, counted = 1, 0
    if text[: starts[0]].strip() and not text[: starts[0]].lstrip().startswith(("FHS", "BHS")):
        yield BrokenRow(1, "unreadable_line", "This is not the start of an HL7 message.")
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        line += text.count("\n", counted, start)
        counted = start
        yield _row(line, text[start:end])


def _row(line: int, message_text: str) -> Row | BrokenRow:
    import hl7

    segments = [segment.strip() for segment in message_text.split("\n") if segment.strip()]
    try:
        message = hl7.parse("\r".join(segments))
        header = message.segment("MSH")
        kind, event = _part(_first(header, 9), 1), _part(_first(header, 9), 2)
        if kind != "ADT" or event not in EVENTS:
            return BrokenRow(
                line,
                "unsupported_message",
                f"A message of type {printable(kind)}^{printable(event)} adds or changes no person. "
                f"Read are ADT {', '.join(sorted(EVENTS))}.",
            )
        if len(message.segments("PID")) != 1:
            raise ValueError
        return Row(line, _values(message, message.segment("PID")))
    except Exception:  # a stranger's bytes in a library: whatever it raises, they are unreadable
        return BrokenRow(
            line,
            "unreadable_line",
            "This HL7 message is damaged: it has no readable PID segment.",
        )


def _values(message: Any, pid: Any) -> dict[str, str]:
    """The fields that this message speaks about."""
    values: dict[str, str] = {}
    for repetition in _repetitions(pid, 3):
        name = {"PI": "patient_id", "MR": "mrn"}.get(_part(repetition, 5))
        if name:
            values.setdefault(name, _part(repetition, 1))
    if not values and _repetitions(pid, 3):
        values["patient_id"] = _part(_repetitions(pid, 3)[0], 1)
    values |= _names(pid)
    if _speaks(pid, 7):
        values["date_of_birth"] = _date(_part(_first(pid, 7), 1))
    if _speaks(pid, 8):
        values["sex"] = _part(_first(pid, 8), 1)
    if _speaks(pid, 11):
        address = _first(pid, 11)
        for position, name in enumerate(
            ("address_1", "address_2", "city", "state", "postal_code"), start=1
        ):
            values[name] = _part(address, position)
    if _speaks(pid, 13):
        values |= _telecoms(_repetitions(pid, 13))
    if _speaks(pid, 15):
        values["preferred_language"] = _part(_first(pid, 15), 1)
    if _part(_first(pid, 30), 1) == "Y" or _part(_first(pid, 29), 1):
        values["status"] = "deceased"
    if any("\\" in value for value in values.values()):
        values = {name: str(message.unescape(value)) for name, value in values.items()}
    return values


def _names(pid: Any) -> dict[str, str]:
    """Legal name (type L, or the first without a type), and the nickname (type N) as the preferred name."""
    if not _speaks(pid, 5):
        return {}
    by_type: dict[str, Any] = {}
    for repetition in _repetitions(pid, 5):
        by_type.setdefault(_part(repetition, 7), repetition)
    legal = by_type.get("L", by_type.get("", _first(pid, 5)))
    nickname = by_type.get("N", "")
    return {
        "last_name": _part(legal, 1),
        "first_name": _part(legal, 2),
        "middle_name": _part(legal, 3),
        "suffix": _part(legal, 4),
        "preferred_name": _part(nickname, 2) if nickname is not legal else "",
    }


def _telecoms(repetitions: list[Any]) -> dict[str, str]:
    emails: list[str] = []
    phones = {"CP": "", "PH": ""}
    for repetition in repetitions:
        use, equipment = _part(repetition, 2), _part(repetition, 3)
        if use == "NET" or equipment == "Internet":
            emails.append(_part(repetition, 4) or _part(repetition, 1))
        elif equipment in phones or not equipment:
            number = _part(repetition, 12) or _part(repetition, 1)
            if not number and _part(repetition, 7):
                number = f"({_part(repetition, 6)}) {_part(repetition, 7)}"
            phones[equipment or "PH"] = phones[equipment or "PH"] or number
    return {
        # Two addresses and no word which is the primary one: kept as typed, and no access (see cleaning).
        "email": "; ".join(dict.fromkeys(filter(None, emails))),
        "mobile_phone": phones["CP"],
        "home_phone": phones["PH"],
    }


def _date(stamp: str) -> str:
    found = re.match(r"(\d{4})(\d\d)(\d\d)", stamp)
    return "-".join(found.groups()) if found else stamp


def _repetitions(segment: Any, number: int) -> list[Any]:
    try:
        return list(segment[number])
    except (IndexError, KeyError):
        return []


def _first(segment: Any, number: int) -> Any:
    return next(iter(_repetitions(segment, number)), "")


def _speaks(segment: Any, number: int) -> bool:
    return any(str(repetition).strip() for repetition in _repetitions(segment, number))


def _part(repetition: Any, number: int) -> str:
    """Component `number`, its first subcomponent; "" where there is none or HL7's `""`."""
    if isinstance(repetition, str):
        text = repetition if number == 1 else ""
    else:
        component = repetition[number - 1] if len(repetition) >= number else ""
        text = (
            component if isinstance(component, str) else str(component[0]) if len(component) else ""
        )
    return "" if text == '""' else text
