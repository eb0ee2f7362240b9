"""`manage.py import_roster FILE`: the practice's patient list into the portal."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from households.roster.report import AccessChange, Report, Severity, UnreadableFile
from households.roster.roster_import import import_roster

# What matters most stands last: a terminal shows the end of a long report.
_HEADINGS = {
    Severity.NOTE: "Notes (taken in, nothing to do)",
    Severity.WARNING: "Warnings (taken in; somebody should look)",
    Severity.REFUSED: "Refused (not taken in)",
}


class Command(BaseCommand):
    help = (
        "Takes in the practice's patient list: CSV, a FHIR R4 bulk export (Patient.ndjson) or HL7 v2 ADT "
        "messages. Exit status: 0 every row went in, 1 some were refused, 2 the file cannot be read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE")
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="say what would happen, write nothing",
        )
        parser.add_argument(
            "--date-format",
            metavar="FORMAT",
            help="the order of this file's dates where it is not year first, for example MM/DD/YYYY",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # A terminal that does not know “ must not stop us.
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        bars = _Bars()
        try:
            report = import_roster(
                options["file"],
                dry_run=options["dry_run"],
                date_format=options["date_format"],
                progress=bars.start if sys.stderr.isatty() else None,
            )
        except UnreadableFile as error:
            report = Report(source="", dry_run=options["dry_run"])
            self._end(report, problem=str(error), status=2)
        except DatabaseError as error:
            raise CommandError(
                f"The database refused ({type(error).__name__}). Nothing was imported. Is it set up "
                "(manage.py migrate) and free?",
                returncode=2,
            ) from error
        finally:
            bars.close()
        self._print(report)
        if report.refused:
            rows = "1 row is" if report.refused == 1 else f"{report.refused} rows are"
            others = "would go" if report.dry_run else "went"
            problem = f"{rows} refused; the reasons are above. The others {others} in."
            self._end(report, problem=problem, status=1)
        self._end(report)

    def _end(self, report: Report, *, problem: str = "", status: int = 0) -> None:
        """The summary is the last line, whatever went before; what went wrong goes to stderr before it."""
        if problem:
            self.stdout.flush()
            self.stderr.write(f"\n{problem}")
            self.stderr.flush()
        self.stdout.write(report.summary)
        if status:
            sys.exit(status)

    def _print(self, report: Report) -> None:
        self.stdout.write(f"Read as {report.source}.")
        for severity, heading in _HEADINGS.items():
            entries = [entry for entry in report.entries if entry.severity is severity]
            if entries:
                self.stdout.write(f"\n{heading}:")
            for entry in entries:
                who = f"  {entry.patient_id}" if entry.patient_id else ""
                self.stdout.write(f"  line {entry.line}{who}  {entry.kind}: {entry.message}")
        if report.access_changes:
            self.stdout.write("\nPortal access:")
        for change in report.access_changes:
            self.stdout.write(f"  line {change.line}  {change.patient_id}  {_in_words(change)}")
        kinds = report.kinds()
        if kinds:
            self.stdout.write("\nBy kind:")
        for severity in _HEADINGS:
            for kind, count in sorted((k, n) for (of, k), n in kinds.items() if of is severity):
                self.stdout.write(f"  {severity} {kind}: {count}")
        if report.dry_run:
            self.stdout.write("\nDry run: nothing was written.")


def _in_words(change: AccessChange) -> str:
    words = []
    if change.loses:
        words.append(f"{change.loses} loses access ({_others(change.others_left)} on that email)")
    if change.gains:
        words.append(f"{change.gains} gains access ({_others(change.others_joined)} on that email)")
    if change.open_charts:
        words.append(f"open in {_counted(change.open_charts, 'browser')} now: closed")
    if change.open_sessions:
        words.append(f"{_counted(change.open_sessions, 'session')} of the old login: ended")
    return "; ".join(words)


def _others(count: int) -> str:
    return {0: "nobody else", 1: "1 other"}.get(count, f"{count} others")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


class _Bars:
    """A bar on the terminal for what goes on now."""

    def __init__(self) -> None:
        self._bar: Any = None

    def start(self, what: str, expected: int) -> Callable[[int], Any]:
        from tqdm import tqdm

        self.close()
        self._bar = tqdm(total=expected, desc=what, unit=" rows", leave=False)
        return self._bar.update

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
