"""The staff's way to a record: every section as text to copy into another system, and the files.

Whoever may see a person sees their details here. The history, the papers and the forms are for those who may
see those (PRODUCT H7), and a file of the whole record for those who may see all of it.
"""

from __future__ import annotations

import tempfile
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts import audit
from households.models import Member
from households.record.exporting import Format, FormFormat, form_file, record_response
from households.record.plain_text import plain_text
from households.record.reading import record_of, sent_forms
from households.record.words import chapters_of
from households.staff_pages import name_and_birth_date, person_line
from households.submissions.sight import CLINICAL

_MOST_ROWS = 30
_SEES_FORMS = "intake.view_questionnaireresponse"


def staff_paths(site: AdminSite) -> list[URLPattern]:
    """For the staff site, which mounts them."""

    def page(request: HttpRequest, member_pk: int) -> HttpResponse:
        return _page(site, request, member_pk)

    paths = [path("record/<int:member_pk>/", site.admin_view(require_safe(page)), name="record")]
    for how in Format:
        view = site.admin_view(require_safe(_download))
        route = f"record/<int:member_pk>/{how.value}/"
        paths.append(path(route, view, {"how": how}, name=f"record_{how.value}"))
    for form_how in FormFormat:
        form_view = site.admin_view(require_safe(_form_download))
        route = f"record/<int:member_pk>/form/<int:number>/{form_how.value}/"
        paths.append(
            path(route, form_view, {"how": form_how}, name=f"record_form_{form_how.value}")
        )
    return paths


def _page(site: AdminSite, request: HttpRequest, member_pk: int) -> HttpResponse:
    member = _member_or_404(request, member_pk)
    has_history, has_documents, has_forms, has_clinical = _may_see(request)
    record = record_of(
        member,
        practice=request.practice,  # type: ignore[attr-defined] # set by the middleware
        with_history=has_history,
        with_documents=has_documents,
        with_forms=has_forms,
        with_clinical=has_clinical,
    )
    audit.record(
        audit.Action.STAFF_VIEW, "ok", request=request, member_id=member.pk, object_type="record"
    )
    context = {
        **site.each_context(request),
        "title": _("Record to copy"),
        "subtitle": name_and_birth_date(member),
        "person": person_line(member),
        "back": reverse("admin:households_member_change", args=[member.pk]),
        "member_pk": member.pk,
        "may_download": all(_may_see(request)),
        "has_history": has_history,
        "has_clinical": has_clinical,
        "parts": [
            {"slug": chapter.slug, "title": chapter.title, "text": text, "rows": _rows(text)}
            for chapter in chapters_of(record)
            for text in [plain_text(chapter)]
        ],
    }
    return TemplateResponse(request, "admin/record.html", context)


def _download(request: HttpRequest, member_pk: int, how: Format) -> HttpResponseBase:
    member = _member_or_404(request, member_pk)
    if not all(_may_see(request)):
        raise PermissionDenied
    record = record_of(member, practice=request.practice)  # type: ignore[attr-defined] # set by the middleware
    # Papers lie in it: on the disk and never in memory. It has no name there and ends with the answer.
    file = tempfile.TemporaryFile(dir=settings.UPLOADING)  # noqa: SIM115 # closed with the response
    try:
        response = record_response(record, how, file)
        audit.record(
            audit.Action.EXPORT,
            "ok",
            request=request,
            member_id=member.pk,
            object_type="record",
            object_id=how.value,
        )
    except BaseException:
        file.close()
        raise
    return response


def _form_download(
    request: HttpRequest, member_pk: int, number: int, how: FormFormat
) -> HttpResponse:
    """One form that was sent, by its number; also one that was returned, which says so."""
    member = _member_or_404(request, member_pk)
    if not _has(request, _SEES_FORMS):
        raise PermissionDenied
    if number.bit_length() > 63:
        raise Http404
    readable = sent_forms(member, with_clinical=_has(request, CLINICAL))
    response = get_object_or_404(readable, pk=number)
    file = form_file(response, request.practice, how)  # type: ignore[attr-defined] # set by the middleware
    audit.record(
        audit.Action.EXPORT,
        "ok",
        request=request,
        member_id=member.pk,
        object_type="form",
        object_id=response.public_id,
    )
    return file


def _member_or_404(request: HttpRequest, member_pk: int) -> Member:
    if not _has(request, "households.view_member"):
        raise PermissionDenied
    if member_pk.bit_length() > 63:  # databases refuse it in their own ways
        raise Http404
    return get_object_or_404(Member, pk=member_pk)


def _may_see(request: HttpRequest) -> tuple[bool, bool, bool, bool]:
    """The history; the papers; the forms; the answers of clinical ones."""
    return (
        _has(request, "history.view_entrychange"),
        _has(request, "documents.view_document"),
        _has(request, _SEES_FORMS),
        _has(request, CLINICAL),
    )


def _has(request: HttpRequest, permission: str) -> bool:
    user: Any = request.user
    return bool(user.has_perm(permission))


def _rows(text: str) -> int:
    return min(text.count("\n") + 1, _MOST_ROWS)
