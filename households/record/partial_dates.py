"""Approximate dates as they are kept: YYYY, YYYY-MM or YYYY-MM-DD, which is how FHIR writes them too.

A column holds ten characters of anything. What is no date is never made one: it stays text.
"""

from __future__ import annotations

import datetime
import re

_PARTIAL = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")


def fhir_date(kept: str) -> str:
    """`kept` where it is a date; "" where it is not."""
    found = _PARTIAL.fullmatch(kept.strip())
    if found is None:
        return ""
    try:
        datetime.date(int(found[1]), int(found[2] or 1), int(found[3] or 1))
    except ValueError:
        return ""
    return found[0]


def shown_date(kept: str) -> str:
    """Year first with slashes, as everywhere in the portal; other text as it is."""
    return fhir_date(kept).replace("-", "/") or kept


def is_later(one: str, other: str) -> bool:
    """Whether `one` is after `other`, both as fhir_date() gives them, as far as both are known."""
    known = min(len(one), len(other))
    return one[:known] > other[:known]
