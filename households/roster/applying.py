"""The plan into the database: one short transaction, all or nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from django.db import connection, transaction
from django.http import HttpRequest

from accounts import audit
from accounts.actions import ensure_accounts, login_end_if_empty
from households.binding import end_for_members
from households.models import Member
from households.roster import on_file
from households.roster.planning import CHUNK, KEYS, Plan


class Outdated(Exception):
    """Somebody else changed members after the plan was made; nothing was written."""


def apply(
    plan: Plan,
    *,
    file_digest: str,
    request: HttpRequest | None,
    step: Callable[[int], Any],
    staff_id: int | None = None,
    also: Callable[[], Any] = lambda: None,
) -> None:
    """Write the plan and its audit. Raises Outdated, or what the database raises; then nothing is written.

    `step` is told how many people were written. `also` writes what belongs to it, in the same transaction.
    """
    with transaction.atomic():
        if connection.vendor == "postgresql":
            # Readers go on; whoever changes a member waits, as on SQLite. So the plan stays true.
            with connection.cursor() as cursor:
                cursor.execute(f"LOCK TABLE {Member._meta.db_table} IN SHARE ROW EXCLUSIVE MODE")
        if on_file.stamp() != plan.stamp:
            raise Outdated
        for members in _chunks(plan.created):
            Member.objects.bulk_create(members)
            step(len(members))
        _write_changes(plan, step)
        for pk, left in plan.caught_up:
            Member.objects.filter(pk=pk).update(list_values=left)
        # Now, and not before: a chart is chosen by the facts that just changed.
        for pks in _chunks([change.pk for change in plan.changes if change.touches_identity]):
            end_for_members([Member(pk=pk) for pk in pks])
        ensure_accounts(
            {
                member.email_key
                for member in [
                    *plan.created,
                    *(change.member for change in plan.changes),
                ]
                if member.status == Member.Status.ACTIVE
            }
        )
        # After the accounts: a login whose last person went has nobody to be signed in for (R-WP-12).
        for key in sorted({change.loses for change in plan.access_changes} - {""}):
            login_end_if_empty(request=request, email_key=key)
        _record(plan, file_digest, request, staff_id)
        also()


def _chunks(items: list[Any]) -> Iterable[list[Any]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


def _write_changes(plan: Plan, step: Callable[[int], Any]) -> None:
    """By upsert on patient_id: one statement for many rows, where bulk_update builds a CASE for each cell."""
    by_fields: dict[frozenset[str], list[Member]] = defaultdict(list)
    for change in plan.changes:
        by_fields[change.fields].append(change.member)
    for fields, changed in by_fields.items():
        for members in _chunks(changed):
            Member.objects.bulk_create(
                members,
                update_conflicts=True,
                unique_fields=["patient_id"],
                update_fields=[*sorted(fields), *KEYS, "updated_at"],
            )
            step(len(members))


def _record(
    plan: Plan, file_digest: str, request: HttpRequest | None, staff_id: int | None
) -> None:
    audit.record(
        audit.Action.ROSTER_IMPORT,
        "ok",
        request=request,
        staff_id=staff_id,
        object_type="file",
        object_id=file_digest[:40],
    )
    pks: dict[str, int] = {}
    for patient_ids in _chunks(sorted({*plan.moved, *plan.joined})):
        pks |= dict(
            Member.objects.filter(patient_id__in=patient_ids).values_list("patient_id", "pk")
        )
    for outcome, patient_ids in (
        ("access-change", sorted(plan.moved)),
        ("email-join", sorted(plan.joined)),
    ):
        for patient_id in patient_ids:
            audit.record(
                audit.Action.ROSTER_IMPORT,
                outcome,
                request=request,
                staff_id=staff_id,
                member_id=pks[patient_id],
                object_type="file",
                object_id=file_digest[:40],
            )
