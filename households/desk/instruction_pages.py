"""The instructions for families as staff hand them out: as text to copy and as a sheet to print, in general
and for one household (PRODUCT H5). The words are those of the public help page (households/instructions.py).
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts import audit
from accounts.models import HouseholdAccount
from accounts.qr_codes import qr_code
from households.instructions import as_text, instructions


def staff_paths(site: AdminSite) -> list[URLPattern]:
    """For the staff site, which mounts them."""

    def page(request: HttpRequest) -> HttpResponse:
        return _page(site, request, None)

    def page_of(request: HttpRequest, pk: int) -> HttpResponse:
        return _page(site, request, _account_or_404(request, pk))

    def handout(request: HttpRequest) -> HttpResponse:
        return _handout(request, None)

    def handout_of(request: HttpRequest, pk: int) -> HttpResponse:
        return _handout(request, _account_or_404(request, pk))

    household = "accounts/householdaccount/<int:pk>"
    return [
        path(route, site.admin_view(require_safe(view)), name=name)
        for route, view, name in (
            ("help-text/", page, "help_text"),
            ("help-text/handout/", handout, "help_handout"),
            (f"{household}/instructions/", page_of, "accounts_householdaccount_instructions"),
            (f"{household}/handout/", handout_of, "accounts_householdaccount_handout"),
        )
    ]


def _page(site: AdminSite, request: HttpRequest, account: HouseholdAccount | None) -> HttpResponse:
    _record(request, account, "instructions")
    text = as_text(_parts(request, account))
    context = {
        **site.each_context(request),
        "title": _("Instructions for this family") if account else _("Instructions for families"),
        "subtitle": account.email_key if account else "",
        "account": account,
        "text": text,
        "rows": text.count("\n") + 6,
        "handout_url": _handout_url(account),
    }
    return TemplateResponse(request, "admin/help_text.html", context)


def _handout(request: HttpRequest, account: HouseholdAccount | None) -> HttpResponse:
    _record(request, account, "handout")
    parts = _parts(request, account)
    if account:
        back = reverse("admin:accounts_householdaccount_instructions", args=[account.pk])
    else:
        back = reverse("admin:help_text")
    context = {
        "title": parts[0].line,
        "parts": parts,
        "portal_url": settings.PORTAL_URL,
        "qr": qr_code(settings.PORTAL_URL),
        "back": back,
    }
    return TemplateResponse(request, "admin/desk/handout.html", context)


def _parts(request: HttpRequest, account: HouseholdAccount | None) -> list[Any]:
    practice = request.practice  # type: ignore[attr-defined] # set by the middleware
    return instructions(practice, email=account.email_key if account else "")


def _handout_url(account: HouseholdAccount | None) -> str:
    if account:
        return reverse("admin:accounts_householdaccount_handout", args=[account.pk])
    return reverse("admin:help_handout")


def _account_or_404(request: HttpRequest, pk: int) -> HouseholdAccount:
    user: Any = request.user
    if not user.has_perm("accounts.view_householdaccount"):
        raise PermissionDenied
    if pk.bit_length() > 63:  # databases refuse it in their own ways
        raise Http404
    return get_object_or_404(HouseholdAccount, pk=pk)


def _record(request: HttpRequest, account: HouseholdAccount | None, what: str) -> None:
    """The general sheet is public; one that names a family's email is not."""
    if account is not None:
        audit.record(
            audit.Action.STAFF_VIEW,
            "ok",
            request=request,
            account_id=account.pk,
            object_type=what,
            object_id=account.pk,
        )
