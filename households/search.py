"""How staff find people: by the beginnings of names, a birth date, an email or a record number.

Every look-up is a prefix on a normalised, indexed column, so that it costs the same at any size of the
practice (PERFORMANCE, look-ups). Where PostgreSQL has the trigram index (trigram.py), the middle of a name or
an email finds them too.
"""

from __future__ import annotations

import datetime
import re

from django.db import connection
from django.db.models import Q

from accounts.emails import email_key
from households.matching import name_key
from households.trigram import SHORTEST, has_trigrams

_DATE = re.compile(r"\d{4}[/-]\d{1,2}[/-]\d{1,2}", re.ASCII)
_MOST_WORDS = 8


def starts_with(column: str, text: str) -> Q:
    """A prefix look-up that the column's plain index answers. SQLite's LIKE does not use one."""
    if connection.vendor == "sqlite":
        return Q(**{f"{column}__gte": text, f"{column}__lt": f"{text}\U0010ffff"})
    return Q(**{f"{column}__startswith": text})


def contains(column: str, text: str) -> Q:
    """The text anywhere in the column, where an index answers that, and else at its beginning."""
    if len(text) >= SHORTEST and has_trigrams():
        return Q(**{f"{column}__contains": text})
    return starts_with(column, text)


def people_found(typed: str) -> Q:
    """Members by what staff type: "mia riv", "rivera, mia", 2016/04/27, an email, a record number, or a
    name and a date. Every part narrows. Nothing typed finds everybody."""
    words = typed.replace(",", " ").split()[:_MOST_WORDS]
    found = Q()
    names = []
    for word in words:
        if _DATE.fullmatch(word):
            found &= _born_on(word)
        elif "@" in word:
            found &= contains("email_key", email_key(word))
        else:
            names.append(word)
    if len(names) == 1:
        found &= _named(names) | starts_with("mrn", names[0]) | starts_with("patient_id", names[0])
    elif names:
        found &= _named(names)
    return found


def _born_on(word: str) -> Q:
    try:
        return Q(date_of_birth=datetime.date(*(int(part) for part in re.split("[/-]", word))))
    except ValueError:
        return Q(pk__in=[])


def _named(words: list[str]) -> Q:
    """First and last name in either order, each from its beginning; the last name may have several
    words, so every place to cut is tried."""
    found = Q(pk__in=[])
    for cut in range(len(words) + 1):
        one, other = name_key("".join(words[:cut])), name_key("".join(words[cut:]))
        if one and other:
            found |= _called(one) & contains("last_name_key", other)
            found |= contains("last_name_key", one) & _called(other)
        elif one or other:
            found |= _called(one or other) | contains("last_name_key", one or other)
    return found


def _called(key: str) -> Q:
    return contains("first_name_key", key) | contains("preferred_name_key", key)
