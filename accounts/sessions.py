"""Household sessions: who is signed in, in this browser, now (SECURITY R-SE-1 to R-SE-6).

A sign-in mints a random token. The browser keeps it in a cookie, the database keeps its hash in a row that
says whose it is and when it was last used. Nothing else is stored in a session, so there is nothing that a
slow parallel request could write back. Staff have Django's own sessions under another cookie.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import timedelta
from ipaddress import IPv6Address, ip_address
from typing import Any, TypeAlias

from django.conf import settings
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts import audit, practice_file
from accounts.compiled import Compiled
from accounts.models import (
    HouseholdAccount,
    HouseholdSession,
    longest_idle,
    longest_session,
)
from accounts.requests import PortalRequest

End = HouseholdSession.End
# Any request: middleware is what makes it a PortalRequest.
GetResponse: TypeAlias = Callable[[Any], HttpResponse]


def household_session(get_response: GetResponse) -> GetResponse:
    """Middleware. Sets on every request:

    `client_address`: the client's address, or None;
    `household_session`: the open session, with its account, or None;
    `idle_seconds`: how long an unused session lasts, for the page's warning; 0 when not signed in;
    `ended_session`: the session of this browser's cookie that is over now, or None. It still says to whom
    a page that was open belonged, so that typed text can be kept for them.
    """

    def middleware(request: PortalRequest) -> HttpResponse:
        request.client_address = client_address(request)
        request.household_session = request.ended_session = None
        request.idle_seconds = 0
        token = request.COOKIES.get(settings.FAMILY_COOKIE)
        if token and not request.path.startswith("/admin/"):
            _resolve(request, token)
        return get_response(request)

    return middleware


def is_signed_in(request: HttpRequest) -> bool:
    """Whether this browser's cookie is of an open session at this moment. One query, and nothing is
    changed. Before a form is taken in; whoever acts on the form asks the middleware's session."""
    token = request.COOKIES.get(settings.FAMILY_COOKIE)
    session = _of_cookie(token) if token else None
    return session is not None and not _why_over(session)


def _of_cookie(token: str) -> HouseholdSession | None:
    return next(iter(_of_token(_hash(token))), None)


_of_token = Compiled(
    lambda token_hash: HouseholdSession.objects.select_related("account").filter(
        token_hash=token_hash
    ),
    str,
)


def _resolve(request: PortalRequest, token: str) -> None:
    session = _of_cookie(token)
    if session is None:
        return
    over = _why_over(session)
    if over:
        request.ended_session = session
        if session.ended_at is None:
            end(HouseholdSession.objects.filter(pk=session.pk), over, request=request)
            session.end = over
        return
    request.household_session = session
    idle_seconds = session.longest_idle.total_seconds()
    request.idle_seconds = int(idle_seconds)
    if nobody_asked(request):
        return
    now = timezone.now()
    # Written at most every few seconds: a page with pictures is one use, not twenty.
    if (now - session.last_seen_at).total_seconds() > min(30, idle_seconds / 20):
        HouseholdSession.objects.filter(pk=session.pk, ended_at=None).update(last_seen_at=now)


def nobody_asked(request: HttpRequest) -> bool:
    """Whether a page or the browser asks by itself: it is no use of the session (R-SE-3). A page that
    says "stay signed in" posts."""
    return request.method in {"GET", "HEAD"} and (
        "prefetch" in request.META.get("HTTP_SEC_PURPOSE", "")
        or request.META.get("HTTP_SEC_FETCH_DEST") == "empty"
        or request.path in {"/healthz", "/readyz"}
    )


def _why_over(session: HouseholdSession) -> str:
    now = timezone.now()
    if session.ended_at is not None:
        return session.end
    if not session.account.is_active:
        return End.PAUSED
    if now - session.signed_in_at >= session.longest:
        return End.TOO_OLD
    if now - session.last_seen_at >= session.longest_idle:
        return End.IDLE
    return ""


def start(
    request: PortalRequest, response: HttpResponse, account: HouseholdAccount
) -> HouseholdSession | None:
    """Sign `account` in, as it was when its password was checked: a new token always, also for the same
    account again (R-SE-2). What was said to whoever used this browser before is not said any more.

    Returns None, with nothing changed, when the password was changed or the login closed in the meantime:
    a session begun by the old password must not outlive it (R-AU-10). Call inside a transaction.
    """
    now = timezone.now()
    as_checked = HouseholdAccount.objects.filter(
        pk=account.pk, password=account.password, is_active=True
    )
    if not as_checked.update(last_sign_in_at=now):
        return None
    if request.household_session is not None:
        end(
            HouseholdSession.objects.filter(pk=request.household_session.pk),
            End.NEW_SIGN_IN,
            request=request,
        )
    token = secrets.token_urlsafe(32)
    idle_minutes, hours = practice_file.ask().time_outs()
    session = HouseholdSession.objects.create(
        idle_limit=timedelta(minutes=idle_minutes) if idle_minutes else longest_idle(),
        age_limit=timedelta(hours=hours) if hours else longest_session(),
        account=account,
        token_hash=_hash(token),
        client_address=request.client_address,
        browser=browser_name(request.headers.get("User-Agent", "")),
        signed_in_at=now,
    )
    say_no_more(request)
    response.set_cookie(
        settings.FAMILY_COOKIE,
        token,
        secure=settings.PORTAL_HTTPS,
        httponly=True,
        samesite="Lax",
    )
    request.household_session = session
    return session


def end(
    sessions: QuerySet[HouseholdSession], why: str, *, request: HttpRequest | None = None
) -> int:
    """End those of `sessions` (a queryset) that are open. Returns how many; each is in the audit."""
    ended = 0
    for session in sessions.filter(ended_at=None):
        ended += HouseholdSession.objects.filter(pk=session.pk, ended_at=None).update(
            ended_at=timezone.now(), end=why
        )
        audit.record(
            audit.Action.SIGN_OUT if why == End.SIGNED_OUT else audit.Action.SESSION_END,
            why,
            request=request,
            account_id=session.account_id,
            session_id=session.pk,
        )
    return ended


def forget(response: HttpResponse) -> None:
    """Take the cookie out of the browser, and what the browser kept of the pages (R-SE-5)."""
    response.delete_cookie(settings.FAMILY_COOKIE, samesite="Lax")
    response.headers["Clear-Site-Data"] = '"cache", "storage"'


def say_no_more(request: PortalRequest) -> None:
    """Drop what waits to be said on this browser's next page: it may name a person of the household that
    used it until now."""
    waiting = messages.get_messages(request)
    if len(waiting):
        list(waiting)  # what was read is not said again


def client_address(request: PortalRequest) -> str | None:
    """The client's address, as told by as many proxies as are trusted and no further (R-AU-7)."""
    hops = [request.META.get("REMOTE_ADDR", "")]
    if settings.TRUSTED_PROXIES:
        forwarded = request.headers.get("X-Forwarded-For", "").split(",")
        hops = [hop.strip() for hop in forwarded][-settings.TRUSTED_PROXIES :][:1] or hops
    try:
        address = ip_address(hops[0])
    except ValueError:
        return None
    # Some proxies write IPv4 addresses as IPv6 ones, which are all in one network of 64 bits.
    return str(getattr(address, "ipv4_mapped", None) or address)


def address_group(request: PortalRequest) -> str:
    """What the throttle counts as one address: an IPv4 address, or an IPv6 network of 64 bits, which is
    what one home or phone has."""
    if request.client_address is None:
        return "unknown"
    address = ip_address(request.client_address)
    if isinstance(address, IPv6Address):
        return str(int(address) >> 64)
    return str(address)


def browser_name(user_agent: str) -> str:
    """A word or two that a person recognises their browser by."""
    browsers = {
        "Edg/": "Edge",
        "SamsungBrowser/": "Samsung Internet",
        "Firefox/": "Firefox",
        "FxiOS/": "Firefox",
        "CriOS/": "Chrome",
        "Chrome/": "Chrome",
        "Safari/": "Safari",
    }
    systems = {
        "iPhone": "iPhone",
        "iPad": "iPad",
        "Android": "Android",
        "Windows": "Windows",
        "Mac OS": "Mac",
        "CrOS": "Chromebook",
        "Linux": "Linux",
    }
    browser = next((name for mark, name in browsers.items() if mark in user_agent), "")
    system = next((name for mark, name in systems.items() if mark in user_agent), "")
    return ", ".join(filter(None, [browser, system]))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
