"""The staff door: the password at /admin/ only, throttled like the families' door, and idle sign-out."""

from __future__ import annotations

import time
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.auth.backends import ModelBackend
from django.contrib.sessions.backends.db import SessionStore
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import audit, practice_file, throttle
from accounts.emails import email_key, email_mark
from accounts.models import StaffAccount
from accounts.passwords import TooBusy, normalised, one_of_few
from accounts.requests import PortalRequest
from accounts.sessions import GetResponse, address_group, nobody_asked
from accounts.staff import sessions


class StaffBackend(ModelBackend):
    """Django's own check against staff accounts. Household accounts are another table: they cannot match."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> StaffAccount | None:
        # Django hashes once for an unknown email too, so this bounds both.
        with one_of_few():
            return super().authenticate(
                request,
                username=email_key(username or ""),
                password=normalised(password or ""),
                **kwargs,
            )


def paused(seconds: int) -> ValidationError:
    """What a form says while its door is paused; answered with status 429 (`too_many_attempts`)."""
    minutes = -(-seconds // 60)
    return ValidationError(
        ngettext(
            "Too many attempts. Try again in %(minutes)d minute.",
            "Too many attempts. Try again in %(minutes)d minutes.",
            minutes,
        ),
        code="paused",
        params={"minutes": minutes, "seconds": seconds},
    )


def busy() -> ValidationError:
    return ValidationError(
        _("Too many people are signing in at this moment. Try again in a few seconds."),
        code="busy",
    )


def too_many_attempts(response: HttpResponse, form: forms.BaseForm) -> HttpResponse:
    """The same answer; with 429 and Retry-After where the form says that its door is paused."""
    for error in form.non_field_errors().as_data():
        if error.code == "paused" and error.params:
            response.status_code = 429
            response.headers["Retry-After"] = str(error.params["seconds"])
    return response


class StaffSignInForm(AdminAuthenticationForm):
    """Django's form behind the throttle: counted before the password is checked (R-AU-5)."""

    error_messages = {
        **AdminAuthenticationForm.error_messages,
        "invalid_login": _(
            "That email and password do not match a staff account. Families sign in at the portal."
        ),
    }

    def clean(self) -> dict[str, Any]:
        if not self.cleaned_data.get("username") or not self.cleaned_data.get("password"):
            # Nothing to check: the fields say so. Not an attempt, and above all not a success.
            return self.cleaned_data
        subject = email_key(self.cleaned_data["username"])
        address = address_group(cast(PortalRequest, self.request))
        counters = (
            (throttle.SIGN_IN_ADDRESS, address),
            (throttle.STAFF_SIGN_IN, subject),
        )
        seconds = throttle.admit(*counters)
        if seconds:
            self._record(audit.Action.THROTTLE, "staff-sign-in", subject)
            raise paused(seconds)
        try:
            cleaned = super().clean()
        except TooBusy:
            throttle.take_back(*counters)
            raise busy() from None
        except ValidationError:
            self._record(audit.Action.STAFF_SIGN_IN, "refused", subject)
            throttle.failure_everywhere()
            raise
        # This try was right, so it does not count. The wrong ones before it do, until the second step is
        # done as well (accounts/staff/sign_in.py).
        throttle.take_back(*counters)
        return cleaned

    def _record(self, action: audit.Action, outcome: str, key: str) -> None:
        """With a mark of the email, which tells the tries at one from those at another."""
        audit.record(
            action, outcome, request=self.request, object_type="email", object_id=email_mark(key)
        )


def is_signed_in(request: HttpRequest) -> bool:
    """Whether this browser's cookie is of an open session of staff at this moment. One query, and nothing
    is changed. Before a form is taken in; whoever acts on the form asks `request.user`."""
    session = SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    now = time.time()
    idle = min(session.get("idle", settings.IDLE_SECONDS), settings.IDLE_SECONDS)
    return SESSION_KEY in session and not _is_over(
        now, session.get("began", now), session.get("seen", now), idle
    )


def _is_over(now: float, began: float, seen: float, idle: float) -> bool:
    return now - seen > idle or now - began > settings.STAFF_ABSOLUTE_SECONDS


def _idle_seconds() -> int:
    """How long a sign-in that begins now may be unused."""
    minutes, _hours = practice_file.ask().time_outs()
    return minutes * 60 if minutes else settings.IDLE_SECONDS


def idle_seconds(request: HttpRequest) -> int:
    """How long this sign-in may be unused, for the page's warning."""
    seconds: int = min(request.session.get("idle", settings.IDLE_SECONDS), settings.IDLE_SECONDS)
    return seconds


def end_idle_staff_session(get_response: GetResponse) -> GetResponse:
    """Middleware. Signs staff out after as long without a request as families, and a working day after
    they signed in, however busy (R-SE-3). Django's own limit starts anew whenever the session is written,
    which every search does."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/admin/") and request.user.is_authenticated:
            now = time.time()
            began = request.session.setdefault("began", now)
            seen = request.session.setdefault("seen", now)
            if "idle" not in request.session:
                request.session["idle"] = _idle_seconds()
            idle = idle_seconds(request)
            if _is_over(now, began, seen, idle):
                audit.record(audit.Action.STAFF_SIGN_OUT, "over", request=request)
                sessions.end_own(request)
                logout(request)
            elif not nobody_asked(request) and now - seen > min(30, idle / 20):
                request.session["seen"] = now
                sessions.seen(request)
        return get_response(request)

    return middleware
