"""The table in level2.toml, read."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

PATH = Path(__file__).parent / "level2.toml"


@dataclass(frozen=True)
class Line:
    """One line of the standard: `out` says why the portal has no such thing, `open` what is not so yet."""

    id: str
    level: int
    what: str
    tests: tuple[str, ...] = field(default=())
    by: str = ""
    out: str = ""
    open: str = ""


def chapters(text: str | None = None) -> dict[str, list[Line]]:
    """The lines of each chapter, in the order of the file."""
    found = {}
    for chapter, table in tomllib.loads(text if text is not None else PATH.read_text()).items():
        title = table.pop("title")
        found[f"{chapter} {title}"] = [
            Line(id=name, **{**row, "tests": tuple(row.get("tests", ()))})
            for name, row in table.items()
        ]
    return found
