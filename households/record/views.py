"""The family's way to a record: what it is, and the two files. Every view gets the member from the gate."""

from __future__ import annotations

import io

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts import audit
from households.models import Member
from households.record.exporting import Format, record_response
from households.record.reading import record_of, withheld_from
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


def _download(request: MemberRequest, member: Member, how: Format) -> HttpResponseBase:
    login = request.household_session.account
    record = record_of(member, practice=request.practice, for_login=login)
    response = record_response(record, how, io.BytesIO())
    audit.record(
        audit.Action.EXPORT, "ok", request=request, object_type="record", object_id=how.value
    )
    return response
