"""The pages of the staff's sign-in: the password, then a code of the app; at the first time the set-up of the
app instead, and the recovery codes (SECURITY R-AU-14, AD-01).

None of them shows anything of a patient, and none is open to somebody without a right password.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from accounts.passwords import TooBusy
from accounts.qr_codes import qr_code
from accounts.requests import posted
from accounts.staff import second_factor, sign_in
from accounts.staff.door import StaffSignInForm, too_many_attempts
from accounts.staff.forms import CodeForm, RecoveryForm, SetUpForm, StaffForm
from accounts.staff.sign_in import HalfWay

# From here on every sign-in says how many recovery codes are left.
_FEW = 3
_reads_and_posts = require_http_methods(["GET", "HEAD", "POST"])


def staff_paths(site: AdminSite) -> list[URLPattern]:
    """For the staff site, which mounts them. Open to those with a right password, and to nobody else."""

    def mounted(view: Callable[[AdminSite, HttpRequest, HalfWay], HttpResponse], name: str) -> Any:
        @_reads_and_posts
        def page(request: HttpRequest) -> HttpResponse:
            was_begun = sign_in.is_begun(request)
            half = sign_in.half_way(request)
            if half is None and was_begun:
                messages.warning(request, _("Sign in again: the first step is over."))
            places = _places_of(half)
            if half is None or name not in places:
                return HttpResponseRedirect(reverse(f"admin:{places[0]}"))
            return view(site, request, half)

        return page

    return [
        path(route, mounted(view, name), name=name)
        for route, view, name in (
            ("login/code/", _code_page, "login_code"),
            ("login/recovery/", _recovery_page, "login_recovery"),
            ("login/set-up/", _set_up_page, "login_set_up"),
            ("login/recovery-codes/", _recovery_codes_page, "login_recovery_codes"),
        )
    ]


def _places_of(half: HalfWay | None) -> list[str]:
    """The names of the pages that are open to somebody who is half way in, where they belong first."""
    if half is None:
        return ["login"]
    if half.passed:
        return ["login_recovery_codes"]
    return ["login_code", "login_recovery"] if half.device else ["login_set_up"]


@_reads_and_posts
def sign_in_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Email and password."""
    if request.method != "POST" and site.has_permission(request):
        return HttpResponseRedirect(reverse("admin:index"))
    form = StaffSignInForm(request, posted(request))
    if form.is_valid():
        half = sign_in.begin(request, form.get_user(), _leads_to(request))
        return HttpResponseRedirect(reverse(f"admin:{_places_of(half)[0]}"))
    context = {
        **site.each_context(request),
        "title": _("Staff sign-in"),
        "app_path": request.get_full_path(),
        "username": request.user.get_username(),
        "next": _leads_to(request),
        "form": form,
    }
    return too_many_attempts(TemplateResponse(request, "admin/login.html", context), form)


def _leads_to(request: HttpRequest) -> str:
    """Where to after the sign-in: a page of this portal, or the first page of staff."""
    asked = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME, "")
    is_ours = url_has_allowed_host_and_scheme(
        asked, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return asked if is_ours else reverse("admin:index")


def _code_page(site: AdminSite, request: HttpRequest, half: HalfWay) -> HttpResponse:
    form = CodeForm(request, half.staff, _id_of(half), posted(request))
    if form.is_valid():
        return _go_on(request, half)
    return _page(site, request, half, form, "admin/login_code.html", _("Enter the code"))


def _recovery_page(site: AdminSite, request: HttpRequest, half: HalfWay) -> HttpResponse:
    form = RecoveryForm(request, half.staff, _id_of(half), posted(request))
    if form.is_valid():
        return _go_on(request, half, by_recovery_code=True)
    title = _("Use a recovery code")
    return _page(site, request, half, form, "admin/login_recovery.html", title)


def _set_up_page(site: AdminSite, request: HttpRequest, half: HalfWay) -> HttpResponse:
    form = SetUpForm(request, half.staff, 0, posted(request), secret=half.secret)
    try:
        valid = form.is_valid()
    except second_factor.ChangedMeanwhile:
        # Another browser with the same password was faster. The mark is no good any more.
        return HttpResponseRedirect(reverse("admin:login_code"))
    if valid:
        sign_in.show_recovery_codes(request, form.device)
        return HttpResponseRedirect(reverse("admin:login_recovery_codes"))
    title = _("Set up your second factor")
    facts = app_facts(request, half.secret, half.staff)
    return _page(site, request, half, form, "admin/login_set_up.html", title, **facts)


def app_facts(request: HttpRequest, secret: str, staff: Any) -> dict[str, Any]:
    """What a page shows of a secret: the QR code, what it says, and what is typed where neither works."""
    practice = request.practice.name  # type: ignore[attr-defined] # set by the middleware
    address = second_factor.address_for_app(secret, staff, practice)
    letters = second_factor.in_base32(secret)
    return {
        "app_address": address,
        "app_name": f"{practice} ({staff.email})",
        "qr": qr_code(address),
        "secret_groups": " ".join(letters[at : at + 4] for at in range(0, len(letters), 4)),
    }


def _recovery_codes_page(site: AdminSite, request: HttpRequest, half: HalfWay) -> HttpResponse:
    busy = False
    if request.method == "POST":
        try:
            second_factor.recovery_codes_keep(request=request, staff=half.staff, codes=half.codes)
        except TooBusy:
            busy = True
        else:
            sign_in.finish(request, half)
            return HttpResponseRedirect(half.leads_to)
    context = {
        **site.each_context(request),
        "title": _("Keep your recovery codes"),
        "codes_text": "\n".join(half.codes),
        "busy": busy,
    }
    return TemplateResponse(request, "admin/login_recovery_codes.html", context)


def _go_on(request: HttpRequest, half: HalfWay, *, by_recovery_code: bool = False) -> HttpResponse:
    """The second step is done: signed in, unless their recovery codes were never shown to them."""
    if half.staff.recovery_codes_due and half.device is not None:
        sign_in.show_recovery_codes(request, half.device)
        return HttpResponseRedirect(reverse("admin:login_recovery_codes"))
    sign_in.finish(request, half)
    left = second_factor.recovery_codes_left(half.staff)
    if by_recovery_code or left <= _FEW:
        _say_how_many(request, left, by_recovery_code=by_recovery_code)
    return HttpResponseRedirect(half.leads_to)


def _say_how_many(request: HttpRequest, left: int, *, by_recovery_code: bool) -> None:
    text = ngettext(
        "You have %(left)d recovery code left. Make new ones on the page “Second factor”.",
        "You have %(left)d recovery codes left. Make new ones on the page “Second factor”.",
        left,
    ) % {"left": left}
    if by_recovery_code:
        text += " " + _("If your phone is lost, set up another one there.")
    messages.warning(request, text)


def _id_of(half: HalfWay) -> int:
    return half.device.pk if half.device else 0


def _page(
    site: AdminSite,
    request: HttpRequest,
    half: HalfWay,
    form: StaffForm,
    template: str,
    title: str,
    **more: Any,
) -> HttpResponse:
    context = {
        **site.each_context(request),
        "title": title,
        "form": form,
        "staff": half.staff,
        **more,
    }
    return too_many_attempts(TemplateResponse(request, template, context), form)
