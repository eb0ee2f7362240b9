"""What every format's reader gives: rows of named text, and lines that are no row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from households.roster.report import Entry


@dataclass(slots=True)
class Row:
    """One patient as the file says. `values` holds the fields that the file speaks about, "" for empty; what
    it is silent about is not there, and stays as it is on file."""

    line: int
    values: dict[str, str]


@dataclass(slots=True)
class BrokenRow:
    line: int
    kind: str
    message: str
    patient_id: str = ""


@dataclass
class Source:
    """A file that could be opened and told apart.

    `label` says what it was taken for. `entries` is about the file itself; rows may add to it while they
    are read. `expected` is roughly how many rows will come. `has_key` is False for a list that has neither
    patient ids nor record numbers. `own_dates` is True where the format fixes the order of dates.
    """

    label: str
    rows: Iterator[Row | BrokenRow]
    expected: int
    entries: list[Entry] = field(default_factory=list)
    has_key: bool = True
    own_dates: bool = False
