"""The owner's way to what everybody answered to one form: which forms there are, and the two files."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts import audit
from households.intake.models import Questionnaire
from households.record.exporting import headers_of
from households.record.form_table import csv_lines, ndjson_lines

_KINDS = {"csv": "text/csv; charset=utf-8", "ndjson": "application/fhir+ndjson"}


def staff_paths(site: AdminSite) -> list[URLPattern]:
    """For the staff site, which mounts them."""

    def page(request: HttpRequest) -> HttpResponse:
        return _page(site, request)

    view = site.admin_view(require_safe(_download))
    return [
        path("form-answers/", site.admin_view(require_safe(page)), name="form_answers"),
        *(
            path(f"form-answers/<uuid:row>/{kind}/", view, {"kind": kind}, name=f"form_{kind}")
            for kind in _KINDS
        ),
    ]


def _owners_only(request: HttpRequest) -> None:
    """Everybody's answers at once leave the portal here."""
    user: Any = request.user
    if not user.is_owner:
        raise PermissionDenied


def _page(site: AdminSite, request: HttpRequest) -> HttpResponse:
    _owners_only(request)
    audit.record(audit.Action.STAFF_VIEW, "list", request=request, object_type="form-answers")
    forms = Questionnaire.objects.filter(versions__published_at__isnull=False).distinct()
    context = {
        **site.each_context(request),
        "title": _("Answers to a form, to download"),
        "forms": forms.order_by("title", "pk"),
    }
    return TemplateResponse(request, "admin/form_answers.html", context)


def _download(request: HttpRequest, row: uuid.UUID, kind: str) -> HttpResponseBase:
    _owners_only(request)
    questionnaire = get_object_or_404(Questionnaire, public_id=row)
    zone = timezone.get_current_timezone()
    if kind == "csv":
        lines = csv_lines(questionnaire, zone)
    else:
        lines = ndjson_lines(questionnaire, request.practice, zone)  # type: ignore[attr-defined] # set by the middleware
    audit.record(
        audit.Action.EXPORT, kind, request=request, object_type="questionnaire", object_id=row
    )
    name = f"answers-{timezone.localdate():%Y-%m-%d}.{kind}"
    return StreamingHttpResponse(lines, content_type=_KINDS[kind], headers=headers_of(name))
