"""What an import did, or would do: for the terminal and for the admin page alike."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class UnreadableFile(Exception):
    """The file as a whole cannot be read; nothing was imported. Its text says why and what to do."""


class NotAsAgreed(Exception):
    """Patients on file changed since the report that was agreed to: the same file would now do something
    else. Nothing was imported."""


class Severity(StrEnum):
    REFUSED = "refused"  # the row stays out
    WARNING = "warning"  # the row goes in; somebody should look
    NOTE = "note"  # the row goes in; this is what was seen or tidied


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing seen at one line. `kind` is a fixed word, so that a reader can count; `message` names the
    reason, and as little of the person as it can: the line and the patient id lead to the rest."""

    severity: Severity
    kind: str
    line: int
    patient_id: str
    message: str


@dataclass(frozen=True, slots=True)
class AccessChange:
    """Somebody whose chart is opened by another login than before, or by none.

    `loses` and `gains` are emails, "" for none; `others_left` and `others_joined` count who else is in the
    household that they leave and in the one they come to. `open_charts`: browsers that have the chart open
    now, and lose it; `open_sessions`: those of the login that then opens nobody, which end.
    """

    line: int
    patient_id: str
    loses: str
    others_left: int
    gains: str
    others_joined: int
    open_charts: int = 0
    open_sessions: int = 0


@dataclass
class Report:
    """Counts of people (created, changed, unchanged) and of rows (refused), and everything that was seen."""

    source: str
    dry_run: bool
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: int = 0
    entries: list[Entry] = field(default_factory=list)
    access_changes: list[AccessChange] = field(default_factory=list)
    # Of what was, or would be, written (planning.py).
    plan_digest: str = ""

    @property
    def summary(self) -> str:
        return (
            f"created {self.created}, changed {self.changed}, "
            f"unchanged {self.unchanged}, refused {self.refused}"
        )

    def of_kind(self, kind: str) -> list[Entry]:
        return [entry for entry in self.entries if entry.kind == kind]

    def kinds(self) -> Counter[tuple[Severity, str]]:
        return Counter((entry.severity, entry.kind) for entry in self.entries)


def printable(text: str, longest: int = 64) -> str:
    """Text from a file, safe on a terminal: control, invisible and broken characters are written out.

    >>> printable("P1\\x1b[2J")
    'P1\\\\x1b[2J'
    """
    shown = text if len(text) <= longest else text[: longest - 1] + "…"
    if shown.isprintable():
        return shown
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in shown
    )
