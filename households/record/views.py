"""The family's way to a record: what it is, the two files, and each form alone. Every view gets the member
from the gate."""

from __future__ import annotations

import io
import uuid

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from accounts import audit
from households.models import Member
from households.record.exporting import Format, FormFormat, form_file, record_response
from households.record.reading import record_of, sent_forms, withheld_from
from households.record.words import withheld_words
from households.requests import MemberRequest


@require_safe
def record_page(request: MemberRequest, member: Member) -> HttpResponse:
    """What is in the files, and what is not."""
    audit.record(audit.Action.VIEW, "ok", request=request, object_type="record")
    withheld = withheld_words(withheld_from(request.household_session.account))
    return render(request, "households/record/record.html", {"withheld": withheld})


@require_safe
def record_as_pdf(request: MemberRequest, member: Member) -> HttpResponseBase:
    return _download(request, member, Format.PDF)


@require_safe
def record_as_fhir(request: MemberRequest, member: Member) -> HttpResponseBase:
    return _download(request, member, Format.FHIR)


@require_safe
def form_as_pdf(request: MemberRequest, member: Member, public_id: uuid.UUID) -> HttpResponse:
    """One form that was sent for this member and not taken back, or the consent that was signed with it."""
    response = get_object_or_404(sent_forms(member), public_id=public_id)
    file = form_file(response, request.practice, FormFormat.PDF)
    audit.record(
        audit.Action.DOWNLOAD, "ok", request=request, object_type="form", object_id=public_id
    )
    return file


def _download(request: MemberRequest, member: Member, how: Format) -> HttpResponseBase:
    login = request.household_session.account
    record = record_of(member, practice=request.practice, for_login=login)
    response = record_response(record, how, io.BytesIO())
    audit.record(
        audit.Action.EXPORT, "ok", request=request, object_type="record", object_id=how.value
    )
    return response
