"""Reading the audit: by day, without an index of its own for that, and as one file."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from typing import Any

from django.db.models import Max, Min, QuerySet
from django.utils import timezone

from accounts.audit.models import AuditEvent

# Entries are numbered as they are written, which is nearly as their times are.
_NEARLY = datetime.timedelta(hours=1)
_AT_ONCE = 2000
_PROBES = 32


def _begin(day: datetime.date) -> datetime.datetime:
    """Midnight where the reader is."""
    return timezone.make_aware(datetime.datetime.combine(day, datetime.time.min))


def on_days(
    rows: QuerySet[AuditEvent], since: datetime.date | None, until: datetime.date | None
) -> QuerySet[AuditEvent]:
    """The entries from the day `since` to the day `until`, both included; from the first and to the last
    where they are None."""
    if since is not None:
        rows = rows.filter(at__gte=_begin(since))
    if until is not None and until < datetime.date.max:
        rows = rows.filter(at__lt=_begin(until + datetime.timedelta(days=1)))
    return rows


def between_days(
    rows: QuerySet[AuditEvent], since: datetime.date | None, until: datetime.date | None
) -> QuerySet[AuditEvent]:
    """As on_days, found at once among millions: by their numbers first. Where somebody set the machine's
    clock by more than an hour, entries of that time may be missing; a file of all (json_lines) has them."""
    if since is not None and since > datetime.date.min:
        rows = rows.filter(pk__gte=_first_after(_begin(since) - _NEARLY))
    if until is not None and until < datetime.date.max - datetime.timedelta(days=1):
        end = _begin(until + datetime.timedelta(days=1)) + _NEARLY
        rows = rows.filter(pk__lt=_first_after(end))
    return on_days(rows, since, until)


def _first_after(moment: datetime.datetime) -> int:
    """The number of the first entry at `moment` or later: five look-ups by number among a million."""
    ends = AuditEvent.objects.aggregate(low=Min("pk"), high=Max("pk"))
    if ends["low"] is None:
        return 0
    low, high = ends["low"], ends["high"] + 1
    while low < high:
        probes = range(low, high, max(1, (high - low) // _PROBES))
        rows = AuditEvent.objects.filter(pk__in=probes).order_by("pk").values_list("pk", "at")
        found = list(rows) or list(
            AuditEvent.objects.filter(pk__gte=low, pk__lt=high)
            .order_by("pk")
            .values_list("pk", "at")[:1]
        )
        if not found:
            return high
        high = next((pk for pk, at in found if at >= moment), high)
        low = max([low, *(pk + 1 for pk, at in found if at < moment and pk < high)])
    return low


def json_lines(rows: QuerySet[AuditEvent]) -> Iterator[bytes]:
    """One entry a line, the oldest first, by its columns' names: what was there when this was called. Holds a
    few at a time, however many there are."""
    last = AuditEvent.objects.aggregate(last=Max("pk"))["last"] or 0
    return _lines(rows.filter(pk__lte=last).order_by("pk"))


def _lines(rows: QuerySet[AuditEvent]) -> Iterator[bytes]:
    columns = [field.attname for field in AuditEvent._meta.concrete_fields]
    last = 0
    while True:
        some = list(rows.filter(pk__gt=last).values_list(*columns)[:_AT_ONCE])
        for row in some:
            yield (json.dumps(dict(zip(columns, map(_as_json, row), strict=True))) + "\n").encode()
        if len(some) < _AT_ONCE:
            return
        last = some[-1][0]


def _as_json(value: Any) -> Any:
    """Moments in UTC, to the microsecond; bytes as hexadecimal digits."""
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat(timespec="microseconds")
    return value.hex() if isinstance(value, bytes | memoryview) else value
