"""The second factor of somebody who has one: their own page, on which they move to another phone and make new
recovery codes, and the owner's button for a colleague whose phone is lost."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.passwords import TooBusy
from accounts.requests import posted
from accounts.staff import second_factor, sign_in
from accounts.staff.door import too_many_attempts
from accounts.staff.door_pages import app_facts
from accounts.staff.forms import BothForm, SetUpForm
from accounts.staff.sessions_pages import owners_staff_or_404

_reads_and_posts = require_http_methods(["GET", "HEAD", "POST"])


def staff_paths(site: AdminSite) -> list[URLPattern]:
    """For the staff site, which mounts them."""

    def own(request: HttpRequest) -> HttpResponse:
        return _own_page(site, request)

    def app(request: HttpRequest) -> HttpResponse:
        return _app_page(site, request)

    def codes(request: HttpRequest) -> HttpResponse:
        return _codes_page(site, request)

    def of_another(request: HttpRequest, pk: int) -> HttpResponse:
        return _removal_page(site, request, pk)

    of_staff = "accounts/staffaccount/<int:pk>"
    return [
        path(route, site.admin_view(_reads_and_posts(view)), name=name)
        for route, view, name in (
            ("second-factor/", own, "second_factor"),
            ("second-factor/app/", app, "second_factor_app"),
            ("second-factor/codes/", codes, "second_factor_codes"),
            (f"{of_staff}/second-factor/", of_another, "accounts_staffaccount_second_factor"),
        )
    ]


# --- one's own ------------------------------------------------------------------------


def _own_page(site: AdminSite, request: HttpRequest) -> HttpResponse:
    staff: Any = request.user
    device = second_factor.device_of(staff)
    form = BothForm(request, staff, device.pk if device else 0, posted(request))
    if form.is_valid():
        another_app = "app" in request.POST
        sign_in.renewal_begin(request, app=another_app)
        name = "second_factor_app" if another_app else "second_factor_codes"
        return HttpResponseRedirect(reverse(f"admin:{name}"))
    context = {
        **site.each_context(request),
        "title": _("Second factor"),
        "form": form,
        "device": device,
        "codes_left": second_factor.recovery_codes_left(staff),
        "codes_made": second_factor.RECOVERY_CODES,
    }
    response = TemplateResponse(request, "admin/second_factor.html", context)
    return too_many_attempts(response, form)


def _app_page(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """Another app in place of the one there is, which opens nothing from the moment that this one does."""
    staff: Any = request.user
    renewal = sign_in.renewal(request)
    if renewal is None or not renewal.secret:
        return HttpResponseRedirect(reverse("admin:second_factor"))
    device = second_factor.device_of(staff)
    form = SetUpForm(
        request, staff, device.pk if device else 0, posted(request), secret=renewal.secret
    )
    try:
        valid = form.is_valid()
    except second_factor.ChangedMeanwhile:
        return HttpResponseRedirect(reverse("admin:second_factor"))
    if valid:
        sign_in.renewal_end(request)
        sign_in.stay(request, staff)
        messages.success(
            request,
            _(
                "The new app is set up. The old one opens nothing any more, and other browsers are out."
            ),
        )
        return HttpResponseRedirect(reverse("admin:second_factor"))
    context = {
        **site.each_context(request),
        "title": _("Set up another app"),
        "form": form,
        **app_facts(request, renewal.secret, staff),
    }
    response = TemplateResponse(request, "admin/second_factor_app.html", context)
    return too_many_attempts(response, form)


def _codes_page(site: AdminSite, request: HttpRequest) -> HttpResponse:
    staff: Any = request.user
    renewal = sign_in.renewal(request)
    if renewal is None or not renewal.codes:
        return HttpResponseRedirect(reverse("admin:second_factor"))
    busy = False
    if request.method == "POST":
        try:
            second_factor.recovery_codes_keep(request=request, staff=staff, codes=renewal.codes)
        except TooBusy:
            busy = True
        else:
            sign_in.renewal_end(request)
            messages.success(request, _("The new recovery codes are good now, and only they."))
            return HttpResponseRedirect(reverse("admin:second_factor"))
    context = {
        **site.each_context(request),
        "title": _("New recovery codes"),
        "codes_text": "\n".join(renewal.codes),
        "busy": busy,
    }
    return TemplateResponse(request, "admin/second_factor_codes.html", context)


# --- somebody else's ------------------------------------------------------------------


def _removal_page(site: AdminSite, request: HttpRequest, pk: int) -> HttpResponse:
    """An owner removes the second factor of a colleague."""
    staff = owners_staff_or_404(request, pk)
    if staff.pk == request.user.pk:
        # One's own asks for the password and a code.
        return HttpResponseRedirect(reverse("admin:second_factor"))
    back = reverse("admin:accounts_staffaccount_change", args=[staff.pk])
    if "remove" in request.POST:
        second_factor.second_factor_remove(request=request, staff=staff)
        text = _(
            "The second factor of %(name)s is removed, and they are signed out everywhere. At the next "
            "sign-in they set up an app anew."
        )
        messages.success(request, text % {"name": staff})
        return HttpResponseRedirect(back)
    context = {
        **site.each_context(request),
        "title": _("Second factor of a colleague"),
        "subtitle": str(staff),
        "staff": staff,
        "device": second_factor.device_of(staff),
        "codes_left": second_factor.recovery_codes_left(staff),
        "back": back,
    }
    return TemplateResponse(request, "admin/second_factor_of.html", context)
