"""Pages for what went wrong. Each says what happened, what is safe and what to do next; none shows how
the portal is built."""

from __future__ import annotations

import logging
import re

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
    return render(request, "errors/507.html", {"typed": _typed(request)}, status=507)


def server_error(request: HttpRequest) -> HttpResponse:
    """Drawn without the database, which may be what failed."""
    return render(None, "errors/500.html", status=500)


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
