"""What stands in a lock file (`requirements/*.txt`): each package, its version, its hashes, who asked for it.

Run from the project's folder; knows neither Django nor the portal.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Locked:
    """One package of a lock file. `wanted_by` are names of packages, and the project's own if it asked."""

    name: str
    version: str
    hashes: tuple[str, ...]
    wanted_by: tuple[str, ...]


def project() -> dict[str, Any]:
    """The [project] table of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def normal(name: str) -> str:
    """One spelling of a package's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read(path: Path) -> list[Locked]:
    """The packages of a file that pip-compile wrote, by name. Raises ValueError at a line that is no pin."""
    found = []
    entry: list[str] = []
    for line in [*path.read_text().splitlines(), "end"]:
        if line[:1] in {"", "#"}:
            continue
        if line[0] != " ":  # the next package begins
            if entry:
                found.append(_locked(entry))
            entry = []
        entry.append(line)
    return sorted(found, key=lambda locked: locked.name)


def _locked(entry: list[str]) -> Locked:
    pin = re.match(r"([A-Za-z0-9][\w.-]*)==([^\s;\\]+)", entry[0])
    if not pin:
        raise ValueError(f"“{entry[0]}” is not a name and a version")
    comments = " ".join(line.strip().lstrip("#").strip() for line in entry if "#" in line)
    asked = comments.removeprefix("via").replace("-c requirements/run.txt", "")
    return Locked(
        name=normal(pin[1]),
        version=pin[2],
        hashes=tuple(sorted(re.findall(r"--hash=sha256:([0-9a-f]{64})", " ".join(entry)))),
        wanted_by=tuple(sorted(set(re.sub(r"\([^)]*\)", "", asked).split()))),
    )
