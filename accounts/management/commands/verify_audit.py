"""`manage.py verify_audit`: whether the audit is what was written."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection

from accounts.audit import anchor, verifying
from accounts.audit.actions import anchor_anew

_MOST_SHOWN = 1000


class Command(BaseCommand):
    help = (
        "Reads the whole audit and tells of every entry that was changed, removed, moved or put in behind "
        "the portal's back, also at the end. Exit status: 0 all is as it was written; 1 something is not; 2 "
        "the database, the key or the anchor cannot be read."
    )
    requires_migrations_checks = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--quiet", action="store_true", help="say nothing when all is well")
        parser.add_argument(
            "--anchor-anew",
            action="store_true",
            help="if the chain holds, let the anchor begin anew with the entries there are: after a restore, "
            "or when the anchor was lost and you know why. The audit records it",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found: Counter[verifying.Kind] = Counter()
        verification = verifying.Verification(connection)
        try:
            for finding in verification.findings():
                found[finding.kind] += 1
                if found.total() <= _MOST_SHOWN:
                    self.stdout.write(f"{finding.kind}: {finding.text}")
            if found.total() > _MOST_SHOWN:
                self.stdout.write(f"… and {found.total() - _MOST_SHOWN} more.")
            if options["anchor_anew"]:
                self._begin_anew(found)
                found.clear()
        except (OSError, ImproperlyConfigured) as error:
            raise CommandError(
                f"The audit's key or its anchor cannot be read: {error}", returncode=2
            ) from error
        except DatabaseError as error:
            raise CommandError(
                f"The database did not let it read on behind {verification.count} entries: {error}",
                returncode=2,
            ) from error
        if not options["quiet"] or found:
            self.stdout.write(_counts(verification, found))
        if found:
            sys.exit(1)

    def _begin_anew(self, found: Counter[verifying.Kind]) -> None:
        if found[verifying.Kind.CHANGED] or found[verifying.Kind.REMOVED]:
            raise CommandError(
                "The anchor was left as it is: the chain itself does not hold.", returncode=1
            )
        anchor_anew()
        self.stdout.write(f"The anchor at {anchor.path()} begins anew.")


def _counts(verification: verifying.Verification, found: Counter[verifying.Kind]) -> str:
    read = f"{verification.count} entries in {verification.lanes} lanes"
    behind = (
        f" ({verification.behind} newer than the anchor, as after a kill; their chain holds)"
        if verification.behind
        else ""
    )
    if not found:
        return f"{read}{behind}: all as they were written."
    return f"{read}{behind}: {', '.join(f'{kind} {count}' for kind, count in found.items())}."
