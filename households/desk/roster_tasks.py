"""What the background worker does with a patient list: read it and report, import it, throw it away.

Each is harmless when it is done twice, as after a worker that was killed: a step that is over finds another
state and does nothing. The import writes its report in its own transaction, so that either both are there
or neither, and a second start never reports "unchanged" what the first one changed.
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from datetime import timedelta
from itertools import islice
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django_tasks import task

from accounts import audit
from households.desk import roster_files
from households.desk.models import RosterImport, RosterLine
from households.roster.report import NotAsAgreed, Report, Severity, UnreadableFile
from households.roster.roster_import import import_roster

State = RosterImport.State
Kind = RosterLine.Kind
KEPT_DAYS = 7
# A file without a row belongs to an upload that broke, or to one that is just coming in.
_STRAY_SECONDS = 3600
_CHUNK = 500
_LONGEST = {"patient_id": 80, "word": 40}


@task()
def check_list(pk: int) -> str:
    """Say what the list would do. Returns the state that it leaves, in a word."""
    row = RosterImport.objects.filter(pk=pk, state=State.CHECKING).first()
    if row is None:
        return "over"

    def kept(report: Report) -> None:
        _finish(row, State.CHECKED, report)

    return _work(row, dry_run=True, kept=kept)


@task()
def import_list(pk: int) -> str:
    """Do what was agreed to, and nothing else. Returns the state that it leaves, in a word."""
    row = RosterImport.objects.filter(pk=pk, state=State.IMPORTING).first()
    if row is None:
        return "over"

    def kept(report: Report) -> None:
        _finish(row, State.IMPORTED, report)

    return _work(row, dry_run=False, kept=kept)


@task()
def clear_old_lists() -> str:
    """Throw away the files of lists that nobody decided on for a week, and those that were left over."""
    for row in RosterImport.objects.filter(
        state__in=RosterImport.OPEN, uploaded_at__lt=timezone.now() - timedelta(days=KEPT_DAYS)
    ).exclude(state=State.IMPORTING):
        _end(row, State.DROPPED, _("Nobody decided on it for a week."))
    kept = set(
        RosterImport.objects.filter(state__in=RosterImport.OPEN).values_list("file_key", flat=True)
    )
    for key, seconds in roster_files.keys_on_disk():
        if key not in kept and seconds > _STRAY_SECONDS:
            roster_files.remove(key)
    return "cleared"


def remove_file(row: RosterImport) -> None:
    """The list is decided: nobody's data lies about any longer than that."""
    roster_files.remove(row.file_key)
    RosterImport.objects.filter(pk=row.pk).update(file_gone_at=timezone.now())


# --- the work -------------------------------------------------------------------------


def _work(row: RosterImport, *, dry_run: bool, kept: Callable[[Report], None]) -> str:
    try:
        file = roster_files.bytes_of(row.file_key, row.sha256)
        report = import_roster(
            file,
            dry_run=dry_run,
            date_format=row.date_format or None,
            progress=roster_files.tell_progress(row.file_key),
            staff_id=row.decided_by_id,
            agreed=row.plan_digest,
            also=kept,
        )
        if dry_run:
            with transaction.atomic():
                kept(report)
    except roster_files.Changed:
        text = _("The file does not lie here any more as it was sent. Send it again.")
        return _end(row, State.UNREADABLE, text)
    except NotAsAgreed:
        return _check_again(row)
    except UnreadableFile as error:
        if dry_run:
            return _end(row, State.UNREADABLE, str(error))
        # It could be read before: somebody keeps changing patients. Whoever confirmed may do it again.
        _leave(row, State.CHECKED, problem=str(error))
        return str(State.CHECKED)
    finally:
        roster_files.forget_progress(row.file_key)
    if dry_run:
        return str(State.CHECKED)
    remove_file(row)
    return str(State.IMPORTED)


def _check_again(row: RosterImport) -> str:
    """Patients changed since the report: nobody has agreed to what it would do now."""
    with transaction.atomic():
        task_id = uuid.UUID(check_list.enqueue(row.pk).id)
        _leave(row, State.CHECKING, checked_again=True, task_id=task_id)
        _record(row, "checked-again", row.decided_by_id)
    return str(State.CHECKING)


def _end(row: RosterImport, state: RosterImport.State, problem: str) -> str:
    with transaction.atomic():
        _leave(row, state, problem=problem, finished_at=timezone.now())
        _record(row, str(state), None)
    remove_file(row)
    return str(state)


def _leave(row: RosterImport, state: RosterImport.State, **fields: Any) -> None:
    """To another state, unless it has left its own meanwhile."""
    RosterImport.objects.filter(pk=row.pk, state=row.state).update(state=state, **fields)


def _record(row: RosterImport, outcome: str, staff_id: int | None) -> None:
    audit.record(
        audit.Action.ROSTER_IMPORT,
        outcome,
        staff_id=staff_id,
        object_type="rosterimport",
        object_id=row.pk,
    )


# --- the report -----------------------------------------------------------------------


def _finish(row: RosterImport, state: RosterImport.State, report: Report) -> None:
    """Keep the report in place of the one before. Call inside a transaction."""
    RosterLine.objects.filter(roster_import=row).delete()
    lines = _lines_of(row, report)
    while chunk := list(islice(lines, _CHUNK)):
        RosterLine.objects.bulk_create(chunk)
    reasons: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for (severity, word), count in report.kinds().most_common():
        reasons[str(severity)][word] = count
    left = RosterImport.objects.filter(pk=row.pk, state=row.state).update(
        state=state,
        source=report.source[:200],
        problem="",
        plan_digest=report.plan_digest,
        created=report.created,
        changed=report.changed,
        unchanged=report.unchanged,
        refused=report.refused,
        reasons=reasons,
        finished_at=timezone.now(),
    )
    if not left:
        raise RuntimeError("The list left its state while it was worked on.")
    _record(row, str(state), row.decided_by_id or row.uploaded_by_id)


def _lines_of(row: RosterImport, report: Report) -> Iterator[RosterLine]:
    """Numbered from 1 within each kind, so that a page of them is a range of an index."""
    numbers: Counter[str] = Counter()
    for kind, line, patient_id, word, message, facts in [*_entries(report), *_changes(report)]:
        numbers[kind] += 1
        yield RosterLine(
            roster_import=row,
            kind=kind,
            number=numbers[kind],
            line=max(0, line),
            patient_id=patient_id[: _LONGEST["patient_id"]],
            word=word[: _LONGEST["word"]],
            message=_storable(message),
            facts=facts,
        )


_KINDS = {
    Severity.REFUSED: Kind.REFUSED,
    Severity.WARNING: Kind.WARNING,
    Severity.NOTE: Kind.NOTE,
}


def _entries(report: Report) -> Iterable[tuple[str, int, str, str, str, dict[str, Any]]]:
    for entry in report.entries:
        patient_id = _storable(entry.patient_id)
        yield _KINDS[entry.severity], entry.line, patient_id, entry.kind, entry.message, {}


def _changes(report: Report) -> Iterable[tuple[str, int, str, str, str, dict[str, Any]]]:
    for change in report.access_changes:
        facts = asdict(change)
        yield Kind.ACCESS, facts.pop("line"), _storable(facts.pop("patient_id")), "", "", facts


def _storable(text: str) -> str:
    """Without what a database refuses: NUL, and halves of letters that a broken file holds."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
