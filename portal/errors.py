"""Pages for what went wrong. Each says what happened, what is safe and what to do next; none shows how
the portal is built."""

from __future__ import annotations

import re

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from accounts.requests import PortalRequest

_NOT_SHOWN_AGAIN = re.compile(r"csrfmiddlewaretoken|sending_id|next|keep_only|again|.*password.*")


def bad_request(request: HttpRequest, exception: Exception | None) -> HttpResponse:
    return render(request, "errors/400.html", status=400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "errors/403.html", status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "errors/404.html", status=404)


def too_large(request: HttpRequest) -> HttpResponse:
    return render(request, "errors/413.html", status=413)


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
    typed = [
        value
        for name, value in request.POST.items()
        if not _NOT_SHOWN_AGAIN.fullmatch(name) and str(value).strip()
    ]
    return render(request, "errors/403_csrf.html", {"typed": typed}, status=403)
