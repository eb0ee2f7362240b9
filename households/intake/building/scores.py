"""Scores: the numbers of some questions added up, and what the sum means to staff.

A score is a decimal item with a calculatedExpression (SDC) that any FHIRPath engine works out, and an
extension of ours that says what it is made of and what its bands are called.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from households.intake.building.choices import read_number, weight_in, written_number
from households.intake.building.kinds import (
    CALCULATED,
    HIDDEN,
    ORDINAL,
    SCORE,
    CannotBuild,
    Definition,
    Item,
    Kind,
    extension,
    extension_value,
    kind_of,
    set_extension,
)
from households.intake.building.structure import Row, name_of, rows_of
from households.intake.engine.extensions import number

MOST_BANDS = 20
_BAND = re.compile(
    r"(?P<low>[-−]?\d+(?:\.\d+)?)(?:\s*(?:-|–|to)\s*(?P<high>[-−]?\d+(?:\.\d+)?)|(?P<open>\s*\+))?"
    r"[\s:=,]+(?P<says>\S.*)"
)


@dataclass(frozen=True)
class Band:
    """From `low` to `high`, both included; without end where `high` is None."""

    low: Decimal
    high: Decimal | None
    says: str

    def __str__(self) -> str:
        if self.high is None:
            return f"{self.low:f}+ {self.says}"
        if self.high == self.low:
            return f"{self.low:f} {self.says}"
        return f"{self.low:f}-{self.high:f} {self.says}"


def counted_for(definition: Definition, score: Item | None = None) -> list[Row]:
    """The questions whose numbers a score can add up: numbers, and choices that all have one, each asked
    once. A number that is itself added up from others is none."""
    return [
        row
        for row in rows_of(definition)
        if row.item is not score and not row.repeated_in and not why_not_counted(row.item)
    ]


def why_not_counted(item: Item) -> str:
    """Why a score cannot add up the answers to this; "" when it can."""
    kind = kind_of(item)
    if kind in (Kind.NUMBER, Kind.DECIMAL):
        return _("It is worked out from others.") if extension(item, CALCULATED) else ""
    if kind not in (Kind.ONE, Kind.SEVERAL):
        return _("Its answers have no number.")
    options = item.get("answerOption", [])
    if options and all(weight_in(option) is not None for option in options):
        return ""
    return _("Not every choice has a number.")


def members_of(score: Item) -> list[str]:
    """The link ids of the questions that a score adds up."""
    return [one["valueString"] for one in _parts(score) if one.get("url") == "question"]


def bands_of(score: Item) -> list[Band]:
    """What staff call the sums, lowest first."""
    bands = []
    for part in _parts(score):
        values = {one["url"]: one for one in part.get("extension", [])}
        low = number(values.get("low", {}).get("valueDecimal"))
        if part.get("url") == "band" and low is not None:
            high = number(values.get("high", {}).get("valueDecimal"))
            bands.append(Band(low, high, values.get("says", {}).get("valueString", "")))
    return bands


def band_of(score: Item, value: Any) -> str:
    """What staff call this sum; "" outside every band, or for an item that is no score of the builder's."""
    worth = number(value)
    for band in bands_of(score):
        if worth is not None and band.low <= worth and (band.high is None or worth <= band.high):
            return band.says
    return ""


def _parts(score: Item) -> list[Item]:
    return (extension(score, SCORE) or {}).get("extension", [])


def read_bands(typed: str) -> list[Band]:
    """One band a line: "10-14 moderate". CannotBuild names the line that is wrong or overlaps."""
    bands: list[Band] = []
    for at, raw in enumerate(typed.splitlines(), 1):
        words = " ".join(raw.split())
        if not words:
            continue
        found = _BAND.fullmatch(words)
        if found is None:
            raise CannotBuild(
                _("Line %(at)d: write it like “10-14 moderate” or “15+ severe”.") % {"at": at}
            )
        low = read_number(found["low"], at)
        high = None if found["open"] else read_number(found["high"] or found["low"], at)
        if high is not None and high < low:
            raise CannotBuild(
                _("Line %(at)d: write the smaller number first, like “10-14”.") % {"at": at}
            )
        bands.append(Band(low, high, found["says"][:200]))
    bands.sort(key=lambda band: band.low)
    for one, next_one in itertools.pairwise(bands):
        if one.high is None or next_one.low <= one.high:
            raise CannotBuild(
                _("“%(one)s” and “%(other)s” overlap. Let each begin after the other ends.")
                % {"one": one, "other": next_one}
            )
    if len(bands) > MOST_BANDS:
        raise CannotBuild(_("A score can have %(most)d lines here.") % {"most": MOST_BANDS})
    return bands


def set_score(score: Item, members: Iterable[str], bands: list[Band], *, is_shown: bool) -> None:
    """Changes the item. `refresh` writes the expression, which depends on the questions."""
    parts: list[Item] = [{"url": "question", "valueString": link_id} for link_id in members]
    for band in bands:
        values: list[Item] = [{"url": "low", "valueDecimal": written_number(band.low)}]
        if band.high is not None:
            values.append({"url": "high", "valueDecimal": written_number(band.high)})
        values.append({"url": "says", "valueString": band.says})
        parts.append({"url": "band", "extension": values})
    set_extension(score, SCORE, {"extension": parts})
    set_extension(score, HIDDEN, None if is_shown else {"valueBoolean": True})
    score["readOnly"] = True


def is_shown(score: Item) -> bool:
    return extension_value(score, HIDDEN) is not True


def refresh(definition: Definition) -> None:
    """Writes the expression of every score anew. Raises CannotBuild where a question cannot be added up any
    more."""
    rows = {row.link_id: row for row in rows_of(definition)}
    for row in rows.values():
        if kind_of(row.item) is not Kind.SCORE:
            continue
        members = [rows[link_id] for link_id in members_of(row.item) if link_id in rows]
        for member in members:
            _refuse_uncountable(row.item, member)
        made = {"language": "text/fhirpath", "expression": expression_for(members)}
        if members:
            set_extension(row.item, CALCULATED, {"valueExpression": made})


def _refuse_uncountable(score: Item, member: Row) -> None:
    names = {"score": name_of(score), "question": name_of(member.item)}
    if member.repeated_in:
        raise CannotBuild(
            _(
                "The score “%(score)s” adds up “%(question)s”, so that cannot be in a section that is given "
                "several times."
            )
            % names
        )
    if why := why_not_counted(member.item):
        raise CannotBuild(
            _(
                "The score “%(score)s” adds up “%(question)s”. %(why)s Give each choice a number, or take "
                "the question out of the score first."
            )
            % {**names, "why": why}
        )


def expression_for(members: list[Row]) -> str:
    """FHIRPath: nothing until every question is answered, then the sum. `sum()` comes last, over one kind of
    number at a time, since engines differ in what they make of mixed or empty ones."""
    chosen = [row.link_id for row in members if row.item["type"] == "choice"]
    numbers = [row.link_id for row in members if row.item["type"] != "choice"]
    sums = []
    if chosen:
        weights = f"answer.value.extension.where(url = '{ORDINAL}').value"
        sums.append(f"{_items(chosen)}.{weights}.sum()")
    if numbers:
        sums.append(f"{_items(numbers)}.answer.value.sum()")
    answered = f"{_items([*chosen, *numbers])}.where(answer.exists()).count()"
    return f"iif({answered} = {len(members)}, {' + '.join(sums)}, {{}})"


def _items(link_ids: list[str]) -> str:
    names = " | ".join(f"'{_escaped(link_id)}'" for link_id in link_ids)
    return f"%resource.item.descendants().where(linkId in ({names}))"


def _escaped(link_id: str) -> str:
    return link_id.replace("\\", "\\\\").replace("'", "\\'")
