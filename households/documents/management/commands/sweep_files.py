"""`manage.py sweep_files`: whether every file has its row and every row its file."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections import Counter
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from accounts import audit
from households.documents.sweeping import Finding, How, Kind, sweep
from households.models import Member

_DONE = {Kind.NO_PICTURES: "will be made again", Kind.UNSCANNED: ""}


class Command(BaseCommand):
    help = (
        "Looks for files without a row, rows without their file, temporary files left behind and lost work "
        "of the background worker. Changes nothing without --delete. Exit status: 0 nothing is wrong, or "
        "not any more; 1 something is; 2 the storage or the database did not answer."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--delete",
            action="store_true",
            help="delete stray and temporary files and have lost work done again; never touches a row",
        )
        parser.add_argument(
            "--checksums",
            action="store_true",
            help="read every file and compare it with what was sent: takes as long as reading all of them",
        )
        parser.add_argument(
            "--older-than",
            type=_minutes,
            metavar="MINUTES",
            help="look at files from this age on, instead of an hour (temporary files: a day). "
            "With 0, nobody may be sending anything meanwhile",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        how = How(options["delete"], options["checksums"], options["older_than"])
        found: Counter[Kind] = Counter()
        mended = wrong = 0
        try:
            if how.delete and not Member.objects.exists():
                raise CommandError(
                    "There are no patients in this database, so no file in the storage would have a row. "
                    "Does DATABASE_URL name the right one? Nothing was deleted.",
                    returncode=2,
                )
            for finding in sweep(how):
                self._say(finding)
                found[finding.kind] += 1
                if finding.kind is not Kind.UNSCANNED:
                    mended += finding.is_mended
                    wrong += not finding.is_mended
        except (OSError, DatabaseError) as error:
            raise CommandError(
                f"Stopped: the storage or the database did not answer ({type(error).__name__}). "
                "Run it again when it does.",
                returncode=2,
            ) from error
        if how.delete:
            audit.record(audit.Action.SWEEP, "wrong" if wrong else "ok", object_type="file")
        kinds = [Kind.STRAY, Kind.MISSING, Kind.TEMPORARY, Kind.NO_PICTURES]
        if how.checksums:
            kinds.append(Kind.CHANGED)
        counts = ", ".join(f"{kind} {found[kind]}" for kind in kinds)
        self.stdout.write(f"{counts}; mended {mended}, wrong {wrong}")
        if wrong:
            sys.exit(1)

    def _say(self, finding: Finding) -> None:
        more = f": {finding.more}" if finding.more else ""
        done = _DONE.get(finding.kind, "deleted") if finding.is_mended else ""
        self.stdout.write(f"{finding.kind}: {finding.name}{more}{done and ', '}{done}")


def _minutes(typed: str) -> timedelta:
    try:
        minutes = float(typed)
        if minutes >= 0:
            return timedelta(minutes=minutes)
    except (ValueError, OverflowError):
        pass
    raise ArgumentTypeError(f"“{typed}” is not a number of minutes")
