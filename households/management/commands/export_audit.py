"""`manage.py export_audit`: the audit as one file."""

from __future__ import annotations

import datetime
import zoneinfo
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.db.models import QuerySet
from django.utils import timezone

from accounts import audit
from accounts.audit.browsing import json_lines, on_days
from accounts.audit.models import AuditEvent
from accounts.emails import email_key
from accounts.models import HouseholdAccount
from accounts.new_file import new_file
from households.models import Member, Practice


class Command(BaseCommand):
    help = (
        "Writes the audit to a new file, which only you can read: one entry a line, the oldest first, each a "
        "JSON object. `at` is in UTC; `action`, `outcome` and `object_type` are fixed words "
        "(accounts/audit/words.py); `staff_id`, `account_id`, `session_id`, `member_id` and `object_id` are "
        "the numbers and public ids of rows; `client_address` is where the request came from. Every other "
        "column is there under its name, so that what holds the entries together can be checked elsewhere "
        "too. Exit status: 0 all of it is there; 1 nothing was written."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--to", required=True, metavar="FILE", help="a file that is not there yet"
        )
        parser.add_argument(
            "--from", type=_day, dest="since", metavar="DAY", help="the first day, as 2026-11-27"
        )
        parser.add_argument("--until", type=_day, metavar="DAY", help="the last day, itself too")
        parser.add_argument(
            "--member",
            metavar="PATIENT_ID",
            help="only what is about this patient, by the practice system's key",
        )
        parser.add_argument("--account", metavar="EMAIL", help="only what is about this login")

    def handle(self, *args: Any, **options: Any) -> None:
        target, since, until = Path(options["to"]), options["since"], options["until"]
        if since and until and until < since:
            raise CommandError("--until is a day before --from. Nothing was written.")
        try:
            member, account = _member(options["member"]), _account(options["account"])
            with (
                timezone.override(zoneinfo.ZoneInfo(Practice.load().time_zone)),
                new_file(target) as file,
            ):
                count = 0
                for line in json_lines(on_days(_rows(member, account), since, until)):
                    file.write(line)
                    count += 1
                size = file.tell()
                # Before the file has its name: what cannot be recorded does not leave.
                audit.record(
                    audit.Action.EXPORT,
                    "ndjson",
                    member_id=None if member is None else member.pk,
                    account_id=None if account is None else account.pk,
                    object_type="auditevent",
                )
        except DatabaseError as error:
            raise CommandError(
                f"The database refused ({type(error).__name__}). Nothing was written. Is it set up "
                "(manage.py migrate) and free?"
            ) from error
        self.stdout.write(f"{target}: {count} entries, {size} bytes")


def _rows(member: Member | None, account: HouseholdAccount | None) -> QuerySet[AuditEvent]:
    rows = AuditEvent.objects.all()
    if member is not None:
        rows = rows.filter(member_id=member.pk)
    return rows if account is None else rows.filter(account_id=account.pk)


def _member(patient_id: str | None) -> Member | None:
    if patient_id is None:
        return None
    member = Member.objects.filter(patient_id=patient_id).first()
    if member is None:
        raise CommandError(f"There is no patient with the id “{patient_id}”. Nothing was written.")
    return member


def _account(email: str | None) -> HouseholdAccount | None:
    if email is None:
        return None
    account = HouseholdAccount.objects.filter(email_key=email_key(email)).first()
    if account is None:
        raise CommandError("There is no login with that email. Nothing was written.")
    return account


def _day(typed: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(typed)
    except ValueError:
        raise ArgumentTypeError(f"“{typed}” is not a day such as 2026-11-27") from None
