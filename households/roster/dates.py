"""Dates as rosters write them: year first, or the one order that staff name. Never guessed."""

from __future__ import annotations

import datetime
import re
import unicodedata

from households.roster.report import Severity, UnreadableFile, printable

OLDEST_YEARS = 130
# What systems store for "not known": their zero dates.
PLACEHOLDERS = {
    "1900-01-01",
    "1899-12-30",
    "1899-12-31",
    "1800-01-01",
    "1753-01-01",
    "0001-01-01",
}

_YEAR_FIRST = re.compile(
    r"(?P<Y>\d{4})([-/.])(?P<M>\d{1,2})\2(?P<D>\d{1,2})|(?P<Y2>\d{4})(?P<M2>\d\d)(?P<D2>\d\d)",
    re.ASCII,
)
_MIDNIGHT = re.compile(r"[T ]0?0:00(:00(\.0+)?)?$")
_US = re.compile(r"(0?[1-9]|1[0-2])[/-]\d{1,2}[/-]\d{4}")
_TWO_DIGIT_YEAR = re.compile(r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2}")
_TOKENS = re.compile(r"%[Yymd]|YYYY|yyyy|MM?|mm?|DD?|dd?|YY|yy")
_FIX = (
    "Dates are read year first (2016-04-27). If every date in this file has another order, name it, for "
    "example --date-format MM/DD/YYYY; or correct this row."
)


class BadDate(ValueError):
    """A date that cannot be used. `severity` says whether its row may go in without it."""

    def __init__(self, kind: str, message: str, severity: Severity = Severity.REFUSED) -> None:
        super().__init__(message)
        self.kind = kind
        self.severity = severity


class DateOrder:
    """The orders in which one file's dates are read: year first, and the format that staff named."""

    def __init__(self, date_format: str | None = None) -> None:
        """Raises UnreadableFile for a format that does not name year, month and day once each."""
        self._patterns = [_YEAR_FIRST]
        if date_format is not None:
            named = _pattern(date_format)
            # 2016/04/05 or 20120112 could be either; then only the named order is read.
            alone = re.fullmatch(r"[%YMDymd]*", date_format.strip()) or named.pattern.startswith(
                "(?P<Y>"
            )
            self._patterns = [named] if alone else [_YEAR_FIRST, named]

    def read(self, typed: str) -> datetime.date:
        """Raises BadDate; never takes a date in an order that was not named."""
        text = _MIDNIGHT.sub("", unicodedata.normalize("NFKC", typed).strip())
        for pattern in self._patterns:
            found = pattern.fullmatch(text)
            if found:
                return _date(found)
        if re.fullmatch(r"\d{4}([-/.]?\d{2})?", text):
            raise BadDate("partial_dob", "The date is not complete.", Severity.WARNING)
        if _US.fullmatch(text):
            raise BadDate("us_format_dob", f"The date does not start with the year. {_FIX}")
        if _TWO_DIGIT_YEAR.fullmatch(text):
            raise BadDate("unreadable_dob", f"A year of two digits can be two years. {_FIX}")
        raise BadDate("unreadable_dob", f"This is not a date that can be read. {_FIX}")


def date_of_birth(typed: str, order: DateOrder, today: datetime.date) -> datetime.date:
    """A birth date. Raises BadDate with the kind of fault; see DateOrder.read."""
    if re.fullmatch(r"0{4}([-/.])00\1000?", typed.strip()) or typed.strip() == "0000-00-00":
        raise BadDate("placeholder_dob", _placeholder("0000-00-00"), Severity.WARNING)
    date = order.read(typed)
    if date.isoformat() in PLACEHOLDERS:
        raise BadDate("placeholder_dob", _placeholder(date.isoformat()), Severity.WARNING)
    if date > today:
        raise BadDate("future_dob", "The date of birth is in the future. Check the year.")
    if date.year < today.year - OLDEST_YEARS:
        raise BadDate(
            "impossible_dob",
            f"That is more than {OLDEST_YEARS} years ago. Check the year.",
        )
    return date


def _placeholder(date: str) -> str:
    return (
        f"{date} stands for “not known”: taken in without a date of birth, so nobody can choose this "
        "person in the portal until it is on file."
    )


def _date(found: re.Match[str]) -> datetime.date:
    parts = found.groupdict()
    year, month, day = (int(parts[name] or parts[f"{name}2"]) for name in "YMD")
    try:
        return datetime.date(year, month, day)
    except ValueError:
        raise BadDate(
            "impossible_dob", "There is no such day. Check the month and the day."
        ) from None


def _pattern(date_format: str) -> re.Pattern[str]:
    """ "MM/DD/YYYY", "%m/%d/%Y" or "DD.MM.YYYY" as a pattern."""
    wanted = date_format.strip().replace("%-", "%")
    # Without separators only the width says where the month ends.
    digits = r"\d{1,2}" if re.search(r"[^%YMDymd]", wanted) else r"\d\d"
    kinds: list[str] = []
    pieces: list[str] = []
    end = 0
    for token in [*_TOKENS.finditer(wanted), None]:
        between = wanted[end : token.start()] if token else wanted[end:]
        if re.search(r"[\w%]", between):
            kinds.append("?")
        pieces.append(re.escape(between))
        if token:
            end = token.end()
            kind = token[0].lstrip("%")[0].upper()
            kinds.append("?" if token[0] in {"YY", "yy", "%y"} else kind)
            pieces.append(r"(?P<Y>\d{4})" if kind == "Y" else f"(?P<{kind}>{digits})")
    if sorted(kinds) != ["D", "M", "Y"]:
        raise UnreadableFile(
            f"--date-format “{printable(date_format)}” is not understood. Name a year of four digits, the "
            "month and the day once each, like MM/DD/YYYY, DD.MM.YYYY or %m/%d/%Y."
        )
    return re.compile("".join(pieces) + "(?P<Y2>)(?P<M2>)(?P<D2>)", re.ASCII)
