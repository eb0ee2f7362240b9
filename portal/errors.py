"""Pages for what went wrong. Each says what happened, what is safe and what to do next; none shows how
the portal is built."""

from __future__ import annotations

import logging
import re
import sqlite3
import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from accounts.requests import PortalRequest

logger = logging.getLogger(__name__)

# What no person typed, and what nobody is to read.
_NOT_SHOWN_AGAIN = re.compile(
    r"csrfmiddlewaretoken|sending_id|seen|confirmed_before|(.+-)?version|number-.*|next|again"
    r"|keep_only|keep_nothing|let_go|confirm|.*password.*"
)


def bad_request(request: HttpRequest, exception: Exception | None) -> HttpResponse:
    return render(request, "errors/400.html", status=400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "errors/403.html", status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "errors/404.html", status=404)


def too_large(request: HttpRequest) -> HttpResponse:
    return render(request, "errors/413.html", status=413)


def no_room(request: HttpRequest) -> HttpResponse:
    """The disk is full: of this form's files none was kept. Text that was typed is shown, to be copied."""
    logger.error("No room for files: the disk is full, or what this login may use of it")
    context = {"typed": _typed(request), "reference": _reference(request)}
    return render(request, "errors/507.html", context, status=507)


def server_error(request: HttpRequest) -> HttpResponse:
    """Drawn without the database, which may be what failed. Django calls this where it handles the error, of
    a view or of middleware."""
    error = sys.exc_info()[1]
    if error is not None and is_database_away(error):
        return database_away(request)
    return render(None, "errors/500.html", {"reference": _reference(request)}, status=500)


def database_away(request: HttpRequest) -> HttpResponse:
    """The database does not answer, or others hold it for too long: nothing was saved, and it passes."""
    # Only of a form that was read before it failed.
    typed = _typed(request) if "_post" in vars(request) else []
    context = {"reference": _reference(request), "typed": typed}
    response = render(None, "errors/503.html", context, status=503)
    response.headers["Retry-After"] = "30"
    return response


def is_database_away(error: BaseException) -> bool:
    """Whether the database could not be reached or had no turn for us. A mistake of ours is another matter,
    though SQLite calls some of those by the same name."""
    if not isinstance(error, InterfaceError | OperationalError):
        return False
    code = getattr(error.__cause__, "sqlite_errorcode", None)
    return code is None or (code & 0xFF) in _SQLITE_IS_AWAY


_SQLITE_IS_AWAY = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
}


def _reference(request: HttpRequest) -> str:
    """What the practice's technician finds the log's lines by."""
    return getattr(request, "request_id", "")


def csrf_failure(request: PortalRequest, reason: str = "") -> HttpResponse:
    """The page was opened before a sign-in or sign-out in another tab, or by another site.

    Nothing is saved. A second sign-in page of a family that is in already simply goes on. Text that was
    typed is shown again, escaped, so that it can be copied: it is not stored, since nobody can tell
    whether the family or another site wrote it.
    """
    if request.path == reverse("login") and request.household_session is not None:
        return redirect("home")
    return render(request, "errors/403_csrf.html", {"typed": _typed(request)}, status=403)


def _typed(request: HttpRequest) -> list[str]:
    return [
        str(value)
        for name, value in request.POST.items()
        if not _NOT_SHOWN_AGAIN.fullmatch(name) and str(value).strip()
    ]
