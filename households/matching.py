"""Whose chart is meant: a first name and a date of birth, inside one household.

Exact after forgiving how a name is written; never a guess by likeness, prefix or sound: Ana and Anna are
sisters. The rules and their truth table came with the project (tests/data/matching_cases.jsonl).
Pure functions: no database, no request.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from django.utils.translation import gettext as _

LONGEST_NAME = 200
LONGEST_DATE = 100

# Letters that Unicode does not decompose, and what people type for them.
_FOLDED_LETTERS = str.maketrans(
    {
        "ø": "o", "ł": "l", "đ": "d", "ı": "i", "ħ": "h", "ß": "ss",
        "æ": "ae", "œ": "oe", "þ": "th", "ð": "d",
    }
)  # fmt: skip
# A mark after a letter of these scripts is an accent or a vowel point; after others it is a letter.
_SCRIPTS_WITH_ACCENTS = ("LATIN", "GREEK", "CYRILLIC", "ARABIC", "HEBREW")
# Apostrophes and what phones and keyboards type instead: grave, acute, primes, okina, half rings.
_APOSTROPHES = "'`´‘’‚‛′‵ʹʻʼʽʾʿˈˊˋ՚׳ꞌ＇"
_DATE = re.compile(r"(\d{4})([/.-])(\d{1,2})\2(\d{1,2})|(\d{4})(\d{2})(\d{2})", re.ASCII)


class InvalidDate(ValueError):
    """Not a date of birth as asked for. Its text says the fix."""


@dataclass(frozen=True)
class NoMatch:
    pass


@dataclass(frozen=True)
class Ambiguous:
    """Two or more people match equally; nobody is chosen."""


class Person(Protocol):
    first_name: str
    preferred_name: str

    def also_called_names(self) -> Sequence[str]: ...


AnyPerson = TypeVar("AnyPerson", bound=Person)


def name_key(name: str) -> str:
    """The name as it is compared: letters and digits only, case, accents and separators gone.

    "" when nothing is left; an empty key never equals anything.

    >>> name_key(" D’Ângelo-Ray ")
    'dangeloray'
    """
    text = unicodedata.normalize("NFKC", name[:LONGEST_NAME])
    text = text.replace("İ", "i").replace("ı", "i").casefold()
    text = unicodedata.normalize("NFD", text).translate(_FOLDED_LETTERS)
    kept: list[str] = []
    accented = False
    for character in text:
        category = unicodedata.category(character)
        if category in {"Mn", "Me"}:
            if not accented:
                kept.append(character)
        elif not _is_ignored(character, category):
            accented = unicodedata.name(character, "").startswith(_SCRIPTS_WITH_ACCENTS)
            kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept))


def _is_ignored(character: str, category: str) -> bool:
    return (
        category in {"Cf", "Cc", "Pd"}
        or character.isspace()
        or character in _APOSTROPHES
        or character in "-.·・־"
    )


def first_word(name: str) -> str:
    """The first blank-separated word of several given names, "" when there is only one."""
    words = unicodedata.normalize("NFKC", name).split()
    return words[0] if len(words) > 1 else ""


def date_of_birth(typed: str, today: datetime.date) -> datetime.date:
    """Read YYYY/MM/DD. Separators / - or . or none with eight digits; full-width digits and blanks around
    are forgiven. Never another order. Raises InvalidDate with what to type instead.
    """
    text = unicodedata.normalize("NFKC", typed).strip() if len(typed) <= LONGEST_DATE else ""
    found = _DATE.fullmatch(text)
    if not found:
        raise InvalidDate(
            _("Type the date of birth year first, like this: 2016/04/27 for April 27, 2016.")
        )
    year, month, day = (
        int(part) for part in (found[1] or found[5], found[3] or found[6], found[4] or found[7])
    )
    try:
        date = datetime.date(year, month, day)
    except ValueError:
        raise InvalidDate(
            _("There is no such day. Check the month and the day: year first, like 2016/04/27.")
        ) from None
    if date > today:
        raise InvalidDate(
            _("That date is in the future. Check the year: year first, like 2016/04/27.")
        )
    return date


def choose(people: Sequence[AnyPerson], typed_name: str) -> AnyPerson | NoMatch | Ambiguous:
    """Which of `people` (of one household, all born on the typed date) is meant.

    First the whole legal given names, the preferred name and the "also called" names; only where none of
    those is equal, the first of several legal given names.
    """
    key = name_key(typed_name) if len(typed_name) <= LONGEST_NAME else ""
    if not key:
        return NoMatch()
    for names_of in (_whole_names, _first_given_name):
        found = [
            person for person in people if key in {name_key(name) for name in names_of(person)}
        ]
        if len(found) == 1:
            return found[0]
        if found:
            return Ambiguous()
    return NoMatch()


def _whole_names(person: Person) -> list[str]:
    return [person.first_name, person.preferred_name, *person.also_called_names()]


def _first_given_name(person: Person) -> list[str]:
    return [first_word(person.first_name)]
