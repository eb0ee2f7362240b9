"""The family's door: sign in and out, set up or reset the password, this login's own page."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.middleware.csrf import rotate_token
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from accounts import actions, activity, audit, doors, links, passwords, sessions, throttle
from accounts.access import public, sign_in_needed, with_next
from accounts.emails import email_key, email_mark
from accounts.forms import (
    LinkRequestForm,
    NewPasswordForm,
    PasswordChangeForm,
    SignInForm,
)
from accounts.models import HouseholdSession
from accounts.requests import PortalRequest, SignedInRequest, page_number, posted

# The opened link's token, kept by the browser for the one page that needs it, so that no address has it.
_LINK_COOKIE = f"{settings.FAMILY_COOKIE}-link"
_LINK_COOKIE_SECONDS = 3600


@public
@require_http_methods(["GET", "HEAD", "POST"])
def login(request: PortalRequest) -> HttpResponse:
    """Email and password. One message for every cause (UX LOG-2)."""
    next_page = own_page(request.POST.get("next") or request.GET.get("next"))
    if request.method != "POST":
        if request.household_session is not None:
            return redirect("home")
        ended = request.ended_session
        context = {
            "form": SignInForm(),
            "next": next_page,
            "why_ended": ended.end if ended is not None else "",
        }
        return render(request, "accounts/login.html", context)

    form = SignInForm(request.POST)
    if not form.is_valid():
        return _login_again(request, form, next_page)
    try:
        outcome = doors.household_sign_in(
            request, form.cleaned_data["email"], form.cleaned_data["password"]
        )
    except passwords.TooBusy:
        return _busy(request)
    if isinstance(outcome, doors.Paused):
        return paused(request, "sign-in", outcome.seconds)
    if isinstance(outcome, doors.Refused):
        return _login_refused(request, form, next_page)

    response = redirect(with_next("who", next_page))
    before = request.household_session or request.ended_session
    if before is None or before.account_id != outcome.pk:
        # Forms that another household, or nobody, had open in this browser are void now. The same
        # family's pages from before an idle sign-out still reach the gate, which keeps their text.
        rotate_token(request)
    with transaction.atomic():
        started = sessions.start(request, response, outcome)
        if started:
            doors.forget_attempts(request, outcome)
        audit.record(
            audit.Action.SIGN_IN,
            "ok" if started else "password-changed",
            request=request,
            account_id=outcome.pk,
        )
    return response if started else _login_refused(request, form, next_page)


def _login_refused(request: PortalRequest, form: SignInForm, next_page: str) -> HttpResponse:
    form.add_error(
        None,
        _(
            "That email and password do not match our records. Check both, or choose a new password with "
            "the link below."
        ),
    )
    return _login_again(request, form, next_page)


def _login_again(request: PortalRequest, form: SignInForm, next_page: str) -> HttpResponse:
    context = {"form": form, "next": next_page, "why_ended": ""}
    return render(request, "accounts/login.html", context, status=422)


@public
@require_POST
def logout(request: PortalRequest) -> HttpResponse:
    """Sign out. Also where the session is over already: nobody wants an error for leaving."""
    with transaction.atomic():
        if request.household_session is not None:
            sessions.end(
                HouseholdSession.objects.filter(pk=request.household_session.pk),
                HouseholdSession.End.SIGNED_OUT,
                request=request,
            )
    sessions.say_no_more(request)
    messages.success(request, _("You are signed out."))
    response = redirect("login")
    sessions.forget(response)
    return response


@public
@require_http_methods(["GET", "HEAD", "POST"])
def password_request(request: PortalRequest) -> HttpResponse:
    """First time here, or forgot your password: the same answer in the same time for every address. The
    typed address only goes into the queue (R-AU-8)."""
    if request.method != "POST":
        return render(request, "accounts/password_request.html", {"form": LinkRequestForm()})
    form = LinkRequestForm(request.POST)
    if not form.is_valid():
        return render(request, "accounts/password_request.html", {"form": form}, status=422)
    key = email_key(form.cleaned_data["email"])
    mark = email_mark(key)
    by_address = throttle.count(throttle.LINK_ADDRESS, sessions.address_group(request))
    if not by_address.admitted:
        audit.record(
            audit.Action.THROTTLE, "link", request=request, object_type="email", object_id=mark
        )
        return paused(request, "link", by_address.seconds)
    by_email = throttle.count(throttle.LINK_MAIL, key)
    with transaction.atomic():
        if by_email.admitted:
            links.send_password_link.enqueue(key)
        audit.record(
            audit.Action.LINK_REQUEST,
            "asked" if by_email.admitted else "too-many",
            request=request,
            object_type="email",
            object_id=mark,
        )
    return redirect("password_sent")


@public
@require_safe
def password_sent(request: PortalRequest) -> HttpResponse:
    context = {"link_hours": max(1, settings.LINK_SECONDS // 3600)}
    return render(request, "accounts/password_sent.html", context)


@public
@require_safe
def password_open(request: PortalRequest, token: str) -> HttpResponse:
    """Where the mailed link leads. Changes nothing, so that mail scanners may follow it; moves the token
    out of the address, which histories and proxies would keep."""
    response = _without_referrer(redirect("password_choose"))
    response.set_cookie(
        _LINK_COOKIE,
        token if links.TOKEN.fullmatch(token) else "damaged",
        max_age=_LINK_COOKIE_SECONDS,
        secure=settings.PORTAL_HTTPS,
        httponly=True,
        samesite="Lax",
    )
    return response


@public
@require_http_methods(["GET", "HEAD", "POST"])
def password_choose(request: PortalRequest) -> HttpResponse:
    """Choose the password, for the holder of an open link. Does not sign in (R-AU-10)."""
    link = links.find(request.COOKIES.get(_LINK_COOKIE, ""))
    why_over = links.why_over(link)
    audit.record(
        audit.Action.LINK_OPEN,
        why_over or "ok",
        request=request,
        account_id=link.account_id if link else None,
        object_type="link" if link else "",
        object_id=link.pk if link else "",
    )
    if link is None or why_over:
        return _link_over(request)
    form = NewPasswordForm(posted(request), account=link.account)
    if request.method != "POST" or not form.is_valid():
        status = 200
        if request.method == "POST":
            status = 422
            audit.record(
                audit.Action.PASSWORD_SET,
                "not-accepted",
                request=request,
                account_id=link.account_id,
            )
        context = {"form": form, "password_min": settings.PASSWORD_MIN}
        page = render(request, "accounts/password_choose.html", context, status=status)
        return _without_referrer(page)
    try:
        hashed = passwords.hashed(form.cleaned_data["new_password1"])
    except passwords.TooBusy:
        return _busy(request)
    if not actions.password_set(request=request, link=link, hashed=hashed):
        return _link_over(request)
    messages.success(request, _("Your password is set. Sign in with it."))
    response = redirect("login")
    response.delete_cookie(_LINK_COOKIE, samesite="Lax")
    sessions.forget(response)
    return response


def _link_over(request: PortalRequest) -> HttpResponse:
    """A link that was used, has expired or never was: a plain page that offers a fresh one at once."""
    context = {"form": LinkRequestForm()}
    return _without_referrer(
        render(request, "accounts/password_link_over.html", context, status=410)
    )


def _without_referrer(response: HttpResponse) -> HttpResponse:
    """No page that a mailed link led to says where its visitor came from (R-AU-9)."""
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@sign_in_needed
@require_http_methods(["GET", "HEAD", "POST"])
def password_change(request: SignedInRequest) -> HttpResponse:
    """A new password for whoever knows the old one; guessing it is slowed like signing in (R-AU-12)."""
    account = request.household_session.account
    form = PasswordChangeForm(posted(request), account=account)
    if request.method == "POST" and form.is_valid():
        verdict = throttle.count(throttle.PASSWORD_CHANGE, account.email_key)
        if not verdict.admitted:
            audit.record(audit.Action.THROTTLE, "password-change", request=request)
            return paused(request, "password-change", verdict.seconds)
        try:
            right, _outdated = passwords.matches(
                form.cleaned_data["old_password"], account.password
            )
            hashed = passwords.hashed(form.cleaned_data["new_password1"]) if right else ""
        except passwords.TooBusy:
            throttle.forgive(throttle.PASSWORD_CHANGE, account.email_key)
            return _busy(request)
        if right and actions.password_change(request=request, hashed=hashed):
            throttle.clear(throttle.PASSWORD_CHANGE, account.email_key)
            messages.success(
                request, _("Your password is changed. Other browsers were signed out.")
            )
            response = redirect("account")
            sessions.clear_browser(response)
            return response
        audit.record(audit.Action.PASSWORD_CHANGE, "wrong-password", request=request)
        form.add_error("old_password", _("That is not the current password. Type it again."))
    status = 422 if request.method == "POST" else 200
    context = {"form": form, "password_min": settings.PASSWORD_MIN}
    return render(request, "accounts/password_change.html", context, status=status)


@sign_in_needed
@require_safe
def account(request: SignedInRequest) -> HttpResponse:
    """This login: where it is and was signed in, and what happened with it lately."""
    session = request.household_session
    number = page_number(request, activity.MOST_PAGES)
    happened = activity.activity_of(session.account, number)
    audit.record(audit.Action.VIEW, "ok", request=request, object_type="login")
    sessions_shown = list(sessions.of_account(session.account))
    browsers = {one.pk: one.browser for one in sessions_shown}
    context = {
        "email": session.account.email_key,
        "sessions": sessions_shown,
        "lines": [(line, browsers.get(line.session_id or 0, "")) for line in happened.lines],
        "newer": number - 1,
        "older": number + 1 if happened.there_is_more else 0,
    }
    return render(request, "accounts/account.html", context)


@sign_in_needed
@require_POST
def account_end_others(request: SignedInRequest) -> HttpResponse:
    """Sign every other browser of this login out."""
    session = request.household_session
    with transaction.atomic():
        sessions.end(
            session.account.sessions.exclude(pk=session.pk),
            HouseholdSession.End.FAMILY,
            request=request,
        )
    messages.success(request, _("All other browsers are signed out."))
    return redirect("account")


@sign_in_needed
@require_POST
def account_end_session(request: SignedInRequest, key: str) -> HttpResponse:
    """Sign one browser of this login out; this one too, if it is asked for."""
    own = sessions.of_account(request.household_session.account)
    session = next((one for one in own if one.public_key == key), None)
    if session is None:
        raise Http404
    if session == request.household_session:
        return logout(request)
    with transaction.atomic():
        sessions.end(
            HouseholdSession.objects.filter(pk=session.pk),
            HouseholdSession.End.FAMILY,
            request=request,
        )
    messages.success(request, _("That browser is signed out."))
    return redirect("account")


@sign_in_needed
@require_POST
def session_stay(request: SignedInRequest) -> HttpResponse:
    """ "Stay signed in": being asked for is all it takes, the middleware noted the use."""
    return HttpResponse(status=204)


def paused(request: PortalRequest, door: str, seconds: int) -> HttpResponse:
    """Too many attempts: how long, and what still works (UX LOG-3, WRONG-3)."""
    seconds = max(1, seconds)
    context = {"door": door, "seconds": seconds, "minutes": -(-seconds // 60)}
    response = render(request, "accounts/paused.html", context, status=429)
    response.headers["Retry-After"] = str(seconds)
    return response


def _busy(request: PortalRequest) -> HttpResponse:
    response = render(request, "accounts/busy.html", status=503)
    response.headers["Retry-After"] = "10"
    return response


def own_page(address: str | None) -> str:
    """`address` if it is a path of this portal, else "" (R-SE-9)."""
    if address and address.startswith("/") and url_has_allowed_host_and_scheme(address, None):
        return address
    return ""
