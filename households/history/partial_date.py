"""Approximate dates: a year, a year and a month, or a day. Kept as FHIR writes them (YYYY, YYYY-MM or
YYYY-MM-DD), typed year first and in no other order, shown in words. Pure functions.
"""

from __future__ import annotations

import datetime
import re
import unicodedata

from django.utils.formats import date_format
from django.utils.translation import gettext as _

LONGEST = 60
_TYPED = re.compile(r"(\d{4})(?:([/.-])(\d{1,2})(?:\2(\d{1,2}))?)?|(\d{4})(\d{2})(\d{2})", re.ASCII)


class InvalidDate(ValueError):
    """Not a date as asked for. Its text says the fix."""


def read(
    typed: str,
    *,
    today: datetime.date,
    born: datetime.date | None = None,
    may_be_ahead: bool = False,
) -> str:
    """What is kept of what was typed. Nothing is guessed: a year stays a year.

    Raises InvalidDate with what to type instead, also for a time to come, unless that `may_be_ahead`, and
    for one before the person was born.

    >>> read("2019/4", today=datetime.date(2026, 11, 27))
    '2019-04'
    """
    text = unicodedata.normalize("NFKC", typed).strip() if len(typed) <= LONGEST else ""
    found = _TYPED.fullmatch(text)
    if not found:
        raise InvalidDate(
            _("Type the year first: 2019, or 2019/04 with the month, or 2019/04/27 with the day.")
        )
    year, month, day = (found[1] or found[5], found[3] or found[6], found[4] or found[7])
    parts = tuple(int(part) for part in (year, month, day) if part is not None)
    try:
        datetime.date(*(*parts, 1, 1)[:3])
    except ValueError:
        raise InvalidDate(
            _("There is no such date. Check the month and the day: year first, like 2019/04/27.")
        ) from None
    if not may_be_ahead and parts > _as_exact(today, parts):
        raise InvalidDate(_("That is in the future. Check the year, or leave the box empty."))
    if born is not None and parts < _as_exact(born, parts):
        raise InvalidDate(
            _("That is before the date of birth. Check the year, or leave the box empty.")
        )
    return "-".join(f"{part:0{width}}" for part, width in zip(parts, (4, 2, 2), strict=False))


def is_before(one: str, other: str) -> bool:
    """Whether `one` was surely before `other`: 2019 is not before April 2019."""
    shorter = min(len(one), len(other))
    return one[:shorter] < other[:shorter]


def typed(kept: str) -> str:
    """As families type it: 2019/04."""
    return kept.replace("-", "/")


def in_words(kept: str) -> str:
    """ "2019", "April 2019" or "April 27, 2019"."""
    parts = [int(part) for part in kept.split("-")] if kept else []
    if len(parts) < 2:
        return kept
    day = datetime.date(*(*parts, 1)[:3])
    return date_format(day, "F Y" if len(parts) == 2 else "F j, Y")


def _as_exact(day: datetime.date, parts: tuple[int, ...]) -> tuple[int, ...]:
    """`day` no more exact than `parts` are."""
    return (day.year, day.month, day.day)[: len(parts)]
