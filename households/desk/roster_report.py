"""The report of a patient list as staff read it: a page of its lines, the same as a file to keep."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from households.desk.models import RosterImport, RosterLine
from households.models import Member

Kind = RosterLine.Kind
ON_A_PAGE = 100
_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_KIND_NAMES = {
    Kind.REFUSED: "refused",
    Kind.ACCESS: "portal access",
    Kind.WARNING: "warning",
    Kind.NOTE: "note",
}


@dataclass(frozen=True)
class ShownLine:
    """One line of the report. `member` is who is on file under its patient id now, if anybody is."""

    line: int
    patient_id: str
    member: Member | None
    word: str
    message: str


def how_many(row: RosterImport) -> dict[str, int]:
    """Lines of each kind. They are numbered from 1, so the last number is their count."""
    found = {}
    for kind in Kind:
        last = RosterLine.objects.filter(roster_import=row, kind=kind).order_by("-number")
        found[str(kind)] = last.values_list("number", flat=True).first() or 0
    return found


def lines_of(row: RosterImport, kind: str, page: int) -> list[ShownLine]:
    """The lines of one kind, `page` counting from 1."""
    first = (page - 1) * ON_A_PAGE
    found = list(
        RosterLine.objects.filter(
            roster_import=row, kind=kind, number__gt=first, number__lte=first + ON_A_PAGE
        ).order_by("number")
    )
    ids = {line.patient_id for line in found if line.patient_id}
    members = {member.patient_id: member for member in Member.objects.filter(patient_id__in=ids)}
    return [
        ShownLine(
            line.line, line.patient_id, members.get(line.patient_id), line.word, message_of(line)
        )
        for line in found
    ]


def message_of(line: RosterLine) -> str:
    return access_in_words(line.facts) if line.kind == Kind.ACCESS else line.message


def access_in_words(facts: dict[str, Any]) -> str:
    """Who loses and who gains, for one person: "old@x.org loses access (nobody else is on that email)"."""
    words = []
    if facts.get("loses"):
        text = _("%(email)s loses access (%(others)s)")
        words.append(
            text % {"email": facts["loses"], "others": _others(facts.get("others_left", 0))}
        )
    if facts.get("gains"):
        text = _("%(email)s gains access (%(others)s)")
        words.append(
            text % {"email": facts["gains"], "others": _others(facts.get("others_joined", 0))}
        )
    if charts := facts.get("open_charts"):
        text = ngettext(
            "open in %(count)d browser now: closed",
            "open in %(count)d browsers now: closed",
            charts,
        )
        words.append(text % {"count": charts})
    if sessions := facts.get("open_sessions"):
        text = ngettext(
            "%(count)d session of the old login: ended",
            "%(count)d sessions of the old login: ended",
            sessions,
        )
        words.append(text % {"count": sessions})
    return "; ".join(words)


def _others(count: int) -> str:
    if not count:
        return _("nobody else is on that email")
    text = ngettext("%(count)d other is on that email", "%(count)d others are on that email", count)
    return text % {"count": count}


# --- files to keep --------------------------------------------------------------------


def csv_lines(row: RosterImport) -> Iterator[str]:
    """With a mark at its start, so that spreadsheets read the letters right."""
    yield "\ufeff" + _as_csv("What", "Line", "Patient id", "Reason", "Message")
    for line in _all_lines(row):
        kind = _KIND_NAMES[Kind(line.kind)]
        yield _as_csv(kind, str(line.line or ""), line.patient_id, line.word, message_of(line))


def text_lines(row: RosterImport) -> Iterator[str]:
    """As the command line prints it, with who sent and who confirmed above it."""
    yield f"{row.file_name}\nSHA-256 {row.sha256}\n"
    yield f"Sent {row.uploaded_at:%Y-%m-%d %H:%M} UTC by staff account {row.uploaded_by_id}.\n"
    if row.decided_at and row.decided_by_id:
        decided = _state_word(row)
        yield f"{decided} {row.decided_at:%Y-%m-%d %H:%M} UTC by staff account {row.decided_by_id}.\n"
    if row.source:
        yield f"Read as {row.source}.\n"
    if row.problem:
        yield f"{row.problem}\n"
    heading = ""
    for line in _all_lines(row):
        if line.kind != heading:
            heading = line.kind
            yield f"\n{_KIND_NAMES[Kind(line.kind)].capitalize()}:\n"
        parts = [f"line {line.line}" if line.line else "", line.patient_id, line.word]
        yield f"  {'  '.join(filter(None, parts))}: {message_of(line)}\n"
    if row.state != RosterImport.State.IMPORTED:
        yield "\nNothing of this is on file.\n"
    yield (
        f"\ncreated {row.created}, changed {row.changed}, "
        f"unchanged {row.unchanged}, refused {row.refused}\n"
    )


def _state_word(row: RosterImport) -> str:
    return "Confirmed" if row.state != RosterImport.State.DROPPED else "Not imported, decided"


def _all_lines(row: RosterImport) -> Iterator[RosterLine]:
    for kind in Kind:
        yield from (
            RosterLine.objects.filter(roster_import=row, kind=kind)
            .order_by("number")
            .iterator(chunk_size=1000)
        )


def _as_csv(*cells: str) -> str:
    """What begins like a formula gets a mark before it: ids and names come from somebody else's file."""
    line = io.StringIO()
    csv.writer(line).writerow(
        [f"'{cell}" if cell.startswith(_BEGINS_A_FORMULA) else cell for cell in cells]
    )
    return line.getvalue()
