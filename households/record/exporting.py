"""The formats that a record leaves in, for a file on the disk and for a browser."""

from __future__ import annotations

from enum import StrEnum
from typing import IO

from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from households.intake.models import QuestionnaireResponse
from households.models import Practice
from households.record.archive import LeftOut, write_zip
from households.record.fhir_bundle import record_json, response_json
from households.record.filled_forms import submission_of
from households.record.plain_text import plain_text
from households.record.reading import Record, bare_record
from households.record.typesetting import form_pdf, record_pdf
from households.record.words import form_chapter


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
    name = f"record-{day:%Y-%m-%d}.{ending}"
    return FileResponse(file, content_type=content_type, headers=headers_of(name))


def headers_of(name: str) -> dict[str, str]:
    """Of a file to keep: nothing of it is ever a page of the portal."""
    return {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


# --- one form -------------------------------------------------------------------------


class FormFormat(StrEnum):
    PDF = "pdf"
    FHIR = "fhir"
    TEXT = "txt"


_FORM_TYPES = {
    FormFormat.PDF: ("application/pdf", "pdf"),
    FormFormat.FHIR: ("application/fhir+json", "json"),
    FormFormat.TEXT: ("text/plain; charset=utf-8", "txt"),
}


def form_file(response: QuestionnaireResponse, practice: Practice, how: FormFormat) -> HttpResponse:
    """One form that was sent, as a file to keep. Its name says nothing of what was asked."""
    match how:
        case FormFormat.PDF:
            data = form_pdf(response, practice)
        case FormFormat.FHIR:
            record = bare_record(response.member, practice)
            data = response_json(record, response)
        case FormFormat.TEXT:
            data = plain_text(form_chapter(response)).encode()
    content_type, ending = _FORM_TYPES[how]
    day = timezone.localdate(submission_of(response).sent_at)
    headers = headers_of(f"form-{day:%Y-%m-%d}.{ending}")
    return HttpResponse(data, content_type=content_type, headers=headers)
