"""The open sign-ins of staff, to be looked through and ended: one's own, and for owners their colleagues'."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import StaffAccount
from accounts.staff import sessions, sign_in

_reads_and_posts = require_http_methods(["GET", "HEAD", "POST"])


def staff_paths(site: AdminSite) -> list[URLPattern]:
    """For the staff site, which mounts them."""

    def own(request: HttpRequest) -> HttpResponse:
        staff: Any = request.user
        return _page(site, request, staff, reverse("admin:sign_ins"))

    def of_another(request: HttpRequest, pk: int) -> HttpResponse:
        staff = owners_staff_or_404(request, pk)
        if staff.pk == request.user.pk:
            return HttpResponseRedirect(reverse("admin:sign_ins"))
        here = reverse("admin:accounts_staffaccount_sign_ins", args=[pk])
        return _page(site, request, staff, here)

    return [
        path("stay/", site.admin_view(require_POST(_stay)), name="stay"),
        path("sign-ins/", site.admin_view(_reads_and_posts(own)), name="sign_ins"),
        path(
            "accounts/staffaccount/<int:pk>/sign-ins/",
            site.admin_view(_reads_and_posts(of_another)),
            name="accounts_staffaccount_sign_ins",
        ),
    ]


def owners_staff_or_404(request: HttpRequest, pk: int) -> StaffAccount:
    """For pages on which owners manage their colleagues. Raises PermissionDenied for everybody else."""
    owner: Any = request.user
    if not owner.is_owner:
        raise PermissionDenied
    if pk.bit_length() > 63:  # databases refuse it in their own ways
        raise Http404
    return get_object_or_404(StaffAccount, pk=pk)


def _stay(request: HttpRequest) -> HttpResponse:
    """ "Stay signed in": being asked for is all it takes, the middleware noted the use."""
    return HttpResponse(status=204)


def _page(site: AdminSite, request: HttpRequest, staff: StaffAccount, here: str) -> HttpResponse:
    is_own = staff.pk == request.user.pk
    if "everywhere" in request.POST:
        sessions.sign_ins_end(request=request, staff=staff)
        if is_own:
            sign_in.stay(request, staff)
            messages.success(request, _("You are signed out in all other browsers."))
        else:
            messages.success(request, _("%(name)s is signed out everywhere.") % {"name": staff})
        return HttpResponseRedirect(here)
    if "session" in request.POST:
        typed = request.POST["session"]
        number = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 19 else 0
        if sessions.session_end(request=request, staff=staff, pk=number):
            messages.success(request, _("That sign-in is ended."))
        else:
            messages.info(request, _("That sign-in was over already."))
        return HttpResponseRedirect(here)
    context = {
        **site.each_context(request),
        "title": _("Your open sign-ins") if is_own else _("Open sign-ins"),
        "subtitle": "" if is_own else str(staff),
        "staff": staff,
        "is_own": is_own,
        "sessions": [*sessions.open_sessions(staff)],
        "this_one": sessions.own(request).first(),
    }
    return TemplateResponse(request, "admin/sign_ins.html", context)
