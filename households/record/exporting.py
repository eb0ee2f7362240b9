"""The formats that a record leaves in, for a file on the disk and for a browser."""

from __future__ import annotations

from enum import StrEnum
from typing import IO

from django.http import FileResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from households.record.archive import LeftOut, write_zip
from households.record.fhir_bundle import record_json
from households.record.reading import Record
from households.record.typesetting import record_pdf


class Format(StrEnum):
    FHIR = "fhir"
    PDF = "pdf"
    ZIP = "zip"


_TYPES = {
    Format.FHIR: ("application/fhir+json", "json"),
    Format.PDF: ("application/pdf", "pdf"),
    Format.ZIP: ("application/zip", "zip"),
}


def write_record(record: Record, how: Format, out: IO[bytes]) -> list[LeftOut]:
    """Returns which papers are not in it as they were sent."""
    if how is Format.ZIP:
        return write_zip(record, out)
    out.write(record_json(record) if how is Format.FHIR else record_pdf(record))
    return []


def record_response(record: Record, how: Format, file: IO[bytes]) -> HttpResponseBase:
    """The record as a file to keep, written to `file` on its way. Nothing of it is ever a page of the
    portal (SECURITY R-UP-4), and its name says nothing about anybody."""
    write_record(record, how, file)
    file.seek(0)
    content_type, ending = _TYPES[how]
    day = timezone.localdate(record.made_at)
    headers = {
        "Content-Disposition": f'attachment; filename="record-{day:%Y-%m-%d}.{ending}"',
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    return FileResponse(file, content_type=content_type, headers=headers)
