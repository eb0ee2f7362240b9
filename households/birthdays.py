"""On which day somebody reaches an age, and who reaches it in a stretch of days.

Born on February 29, they reach it on March 1 of a year that has no such day: the first day on which the
portal's pages call them that age (`Member.age_on`). Pure functions: no database, no request.
"""

from __future__ import annotations

import datetime
import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

# The practice may set the age of an adult in between: 18 nearly everywhere, 19 or 21 in some states.
YOUNGEST_ADULT, OLDEST_ADULT = 16, 25
_MOST_AGES, _OLDEST = 10, 120
_DAY = datetime.timedelta(days=1)


def birthday_at(born: datetime.date, age: int) -> datetime.date:
    """The first day on which somebody born then is `age` years old.

    >>> birthday_at(datetime.date(2008, 2, 29), 18)
    datetime.date(2026, 3, 1)
    """
    try:
        return born.replace(year=born.year + age)
    except ValueError:
        return datetime.date(born.year + age, 3, 1)


def born_to_reach(
    age: int, first: datetime.date, last: datetime.date
) -> tuple[datetime.date, datetime.date]:
    """The first and the last birth date of those who reach `age` from the day `first` to the day `last`."""
    earliest = _same_day(first, first.year - age)
    while birthday_at(earliest - _DAY, age) >= first:
        earliest -= _DAY
    while birthday_at(earliest, age) < first:
        earliest += _DAY
    latest = _same_day(last, last.year - age)
    while birthday_at(latest + _DAY, age) <= last:
        latest += _DAY
    while birthday_at(latest, age) > last:
        latest -= _DAY
    return earliest, latest


def _same_day(day: datetime.date, year: int) -> datetime.date:
    try:
        return day.replace(year=year)
    except ValueError:
        return datetime.date(year, 3, 1)


def ages_in(text: str) -> list[int]:
    """The ages in "12, 13, 18", each once, youngest first. Raises ValidationError, with words for staff, for
    anything else."""
    parts = [part for part in re.split(r"[,;\s]+", text.strip()) if part]
    if not all(re.fullmatch(r"[0-9]{1,3}", part, re.ASCII) for part in parts):
        raise ValidationError(_("Type whole numbers with commas between them, like 12, 13, 18."))
    ages = sorted({int(part) for part in parts})
    if len(ages) > _MOST_AGES or any(not 1 <= age <= _OLDEST for age in ages):
        text = _("Type at most %(most)d ages, each from 1 to %(oldest)d.")
        raise ValidationError(text % {"most": _MOST_AGES, "oldest": _OLDEST})
    return ages


def check_ages(text: str) -> None:
    """The validator of a field that holds such a list."""
    ages_in(text)
