"""What staff decide about a patient list: send it, import it, or not. Each is one transaction with its audit
entry; of two who decide at once, one is told that it was too late."""

from __future__ import annotations

import datetime
import uuid
from enum import StrEnum

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from accounts import audit
from accounts.models import StaffAccount
from households.desk import roster_files, roster_tasks
from households.desk.models import RosterImport
from households.documents.receiving import ReceivedFile

State = RosterImport.State
# Whose worker may be gone.
_WORKED_ON = {State.CHECKING: roster_tasks.check_list, State.IMPORTING: roster_tasks.import_list}
_LONGEST_NAME = 120


class Outcome(StrEnum):
    """What became of a decision, also for the audit."""

    DONE = "done"
    TOO_LATE = "too-late"  # somebody decided before, or the worker is at it
    NOT_READ = "not-read"  # the report is another one than was read
    BUSY = "busy"  # another list is being imported


def list_take_in(
    *, request: HttpRequest, staff: StaffAccount, file: ReceivedFile, date_format: str
) -> RosterImport:
    """Keep a list that staff sent and have it checked. Nothing of it is on file yet."""
    key = uuid.uuid4()
    roster_files.keep(file, key)
    try:
        with transaction.atomic():
            row = RosterImport.objects.create(
                file_key=key,
                file_name=_shown_name(file.name),
                file_bytes=file.size or 0,
                sha256=file.sha256,
                date_format=date_format,
                uploaded_by=staff,
            )
            _enqueue(row)
            # What others left, now; this one, when its time is over.
            roster_tasks.clear_old_lists.enqueue()
            roster_tasks.clear_old_lists.using(
                run_after=timezone.now() + datetime.timedelta(days=roster_tasks.KEPT_DAYS, hours=1)
            ).enqueue()
            _record(request, row, "taken-in")
    except BaseException:
        roster_files.remove(key)
        raise
    return row


def list_confirm(
    *, request: HttpRequest, staff: StaffAccount, row_id: int, plan_digest: str
) -> Outcome:
    """Have the list imported, as the report says that was read: `plan_digest` is that report's."""
    try:
        with transaction.atomic():
            row = RosterImport.objects.select_for_update().get(pk=row_id)
            if row.state != State.CHECKED:
                return Outcome.TOO_LATE
            if row.plan_digest != plan_digest:
                return Outcome.NOT_READ
            row.state, row.problem = State.IMPORTING, ""
            row.decided_by, row.decided_at = staff, timezone.now()
            row.save(update_fields=["state", "problem", "decided_by", "decided_at"])
            _enqueue(row)
            _record(request, row, "confirmed")
    except IntegrityError:  # one_roster_import
        return Outcome.BUSY
    return Outcome.DONE


def list_drop(*, request: HttpRequest, staff: StaffAccount, row_id: int) -> Outcome:
    """Do not import it: the file is thrown away, the report stays."""
    with transaction.atomic():
        row = RosterImport.objects.select_for_update().get(pk=row_id)
        if row.state != State.CHECKED and not is_stopped(row):
            return Outcome.TOO_LATE
        row.state, row.decided_by, row.decided_at = State.DROPPED, staff, timezone.now()
        row.save(update_fields=["state", "decided_by", "decided_at"])
        _record(request, row, "dropped")
    roster_tasks.remove_file(row)
    return Outcome.DONE


def list_start_again(*, request: HttpRequest, row_id: int) -> Outcome:
    """The worker that was at it is gone for good: another one takes it up."""
    with transaction.atomic():
        row = RosterImport.objects.select_for_update().get(pk=row_id)
        if not is_stopped(row):
            return Outcome.TOO_LATE
        _enqueue(row)
        _record(request, row, "started-again")
    return Outcome.DONE


def is_stopped(row: RosterImport) -> bool:
    """Whether it should be worked on, and nobody does or will. A worker that was killed and started anew
    takes its task up by itself; this is for one that fails again and again. Reads the row anew where the task
    is over."""
    if row.state not in _WORKED_ON:
        return False
    alive = DBTaskResult.objects.filter(status__in=["READY", "RUNNING"])
    if row.task_id is not None and alive.filter(pk=row.task_id).exists():
        return False
    # It may have come to its end since the row was read.
    row.refresh_from_db()
    return row.state in _WORKED_ON


def _enqueue(row: RosterImport) -> None:
    row.task_id = uuid.UUID(_WORKED_ON[State(row.state)].enqueue(row.pk).id)
    row.save(update_fields=["task_id"])


def _record(request: HttpRequest, row: RosterImport, outcome: str) -> None:
    audit.record(
        audit.Action.ROSTER_IMPORT,
        outcome,
        request=request,
        object_type="rosterimport",
        object_id=row.pk,
    )


def _shown_name(name: str | None) -> str:
    shown = "".join(one if one.isprintable() else "�" for one in name or "")
    return shown[-_LONGEST_NAME:] or "–"
