"""The one door of the roster import, for the command and for admin."""

from __future__ import annotations

import datetime
import functools
import hashlib
import zoneinfo
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from django.db import IntegrityError
from django.http import HttpRequest
from django.utils import timezone

from accounts.emails import email_key
from accounts.models import StaffAccount
from households.models import Practice
from households.roster.applying import Outdated, apply
from households.roster.cleaning import CleanRow, clean_broken, clean_row
from households.roster.dates import DateOrder
from households.roster.decoding import LARGEST_MB
from households.roster.planning import Plan, make_plan
from households.roster.reading import read
from households.roster.repeats import settle_repeats
from households.roster.report import NotAsAgreed, Report, UnreadableFile
from households.roster.rows import BrokenRow, Source

ATTEMPTS = 3

# Called with what is being done and how many are coming; gives the function to call with each number done.
Progress = Callable[[str, int], Callable[[int], Any]]


def import_roster(
    file: str | Path | BinaryIO,
    *,
    dry_run: bool = False,
    date_format: str | None = None,
    progress: Progress | None = None,
    request: HttpRequest | None = None,
    today: datetime.date | None = None,
    staff_id: int | None = None,
    agreed: str = "",
    also: Callable[[Report], Any] | None = None,
) -> Report:
    """Take a practice's patient list in; with `dry_run` say what would happen and write nothing.

    `file` is a path or an open binary file. `request` is the staff member's, for the audit. `today` is the
    practice's own day unless given. Nobody is ever taken off: who is missing from the file stays as on file.

    The background worker has no request: it names who of the staff confirmed as `staff_id`, and passes the
    `plan_digest` of the report that they read as `agreed`. `also` is called with the report inside the
    transaction of the import, for what has to be written with it.
    Raises UnreadableFile, with nothing written, when the file as a whole cannot be read; NotAsAgreed, with
    nothing written, when the import would not do what was agreed.
    """
    order = DateOrder(date_format)
    data = _bytes(file)
    source = read(data)
    practice = Practice.load()
    today = today or timezone.localdate(timezone=zoneinfo.ZoneInfo(practice.time_zone))
    rows = _clean(source, DateOrder() if source.own_dates else order, today, progress or _silent)
    going_in = settle_repeats(rows)
    practice_emails = {
        email_key(practice.sender),
        *StaffAccount.objects.values_list("email", flat=True),
    }
    for attempt in range(1, ATTEMPTS + 1):
        plan = make_plan(going_in, practice_emails)
        report = _report(source, rows, plan, dry_run=dry_run)
        if dry_run:
            break
        if agreed and agreed != report.plan_digest:
            raise NotAsAgreed
        step = (progress or _silent)("Writing", len(plan.created) + len(plan.changes))
        try:
            apply(
                plan,
                file_digest=hashlib.sha256(data).hexdigest(),
                request=request,
                step=step,
                staff_id=staff_id,
                also=functools.partial(also, report) if also else _nothing_more,
            )
            break
        except (Outdated, IntegrityError) as error:
            if attempt == ATTEMPTS:
                raise UnreadableFile(
                    "Somebody is changing patients at the same time. Nothing was imported; try again."
                ) from error
    return report


def _report(source: Source, rows: list[CleanRow], plan: Plan, *, dry_run: bool) -> Report:
    entries = [
        *source.entries,
        *(entry for row in rows for entry in row.entries),
        *plan.entries,
    ]
    return Report(
        source=source.label,
        dry_run=dry_run,
        created=len(plan.created),
        changed=len(plan.changes),
        unchanged=plan.unchanged,
        refused=sum(row.refused for row in rows) + plan.refused,
        entries=sorted(entries, key=lambda entry: (entry.line, entry.severity, entry.kind)),
        access_changes=sorted(plan.access_changes, key=lambda change: change.line),
        plan_digest=plan.digest(),
    )


def _nothing_more() -> None:
    """An import from the command line has nothing else to write."""


def _silent(what: str, expected: int) -> Callable[[int], Any]:
    return lambda done: None


def _bytes(file: str | Path | BinaryIO) -> bytes:
    most = LARGEST_MB * 1024 * 1024 + 1
    if not isinstance(file, str | Path):
        return file.read(most)
    try:
        with Path(file).open("rb") as opened:
            return opened.read(most)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise UnreadableFile(f"The file cannot be opened: {reason}.") from None


def _clean(
    source: Source, order: DateOrder, today: datetime.date, progress: Progress
) -> list[CleanRow]:
    step = progress("Reading", source.expected)
    rows = []
    for raw in source.rows:
        if isinstance(raw, BrokenRow):
            rows.append(clean_broken(raw))
        else:
            rows.append(clean_row(raw, order=order, today=today, has_key=source.has_key))
        step(1)
    return rows
