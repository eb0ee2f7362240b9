"""`manage.py export_member PATIENT_ID`: one member's record as a file."""

from __future__ import annotations

import sys
import zoneinfo
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from accounts import audit
from accounts.new_file import new_file
from households.models import Member, Practice
from households.record.exporting import Format, write_record
from households.record.reading import record_of


class Command(BaseCommand):
    help = (
        "Writes one member's whole record to a new file: a FHIR R4 Bundle, a PDF to print, or a zip of both "
        "with the papers. Exit status: 0 all of it is there; 1 something is not, and is named, or nothing "
        "was written."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "patient_id", metavar="PATIENT_ID", help="the practice system's key for this patient"
        )
        parser.add_argument("--format", required=True, choices=[how.value for how in Format])
        parser.add_argument(
            "--to", required=True, metavar="FILE", help="a file that is not there yet"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        how, target = Format(options["format"]), Path(options["to"])
        try:
            member = Member.objects.filter(patient_id=options["patient_id"]).first()
            if member is None:
                raise CommandError(
                    f"There is no patient with the id “{options['patient_id']}”. Nothing was written."
                )
            practice = Practice.load()
            with (
                timezone.override(zoneinfo.ZoneInfo(practice.time_zone)),
                new_file(target) as file,
            ):
                left_out = write_record(record_of(member, practice=practice), how, file)
                size = file.tell()
                # Before the file has its name: what cannot be recorded does not leave.
                audit.record(
                    audit.Action.EXPORT,
                    "incomplete" if any(one.is_fault for one in left_out) else "ok",
                    member_id=member.pk,
                    object_type="record",
                    object_id=how.value,
                )
        except DatabaseError as error:
            raise CommandError(
                f"The database refused ({type(error).__name__}). Nothing was written. Is it set up "
                "(manage.py migrate) and free?"
            ) from error
        for one in left_out:
            # Not by its name, which is the family's own: this line may go to a log.
            self.stdout.write(f"left out or damaged: document {one.document.public_id}: {one.why}")
        self.stdout.write(f"{target}: {how.value}, {size} bytes")
        if any(one.is_fault for one in left_out):
            sys.exit(1)
