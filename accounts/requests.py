"""What a request carries here, for type checkers: the attributes that middleware and gates set.

Never made by hand; a view says in its signature which of them it counts on.
"""

from __future__ import annotations

from django.http import HttpRequest, QueryDict

from accounts.models import HouseholdSession


def posted(request: HttpRequest) -> QueryDict | None:
    """What a form is filled with: what was posted, though it be nothing at all; None before."""
    return request.POST if request.method == "POST" else None


class PortalRequest(HttpRequest):
    """Every request, after accounts.sessions.household_session."""

    request_id: str
    client_address: str | None
    household_session: HouseholdSession | None
    ended_session: HouseholdSession | None
    idle_seconds: int


class SignedInRequest(PortalRequest):
    """Behind accounts.access.sign_in_needed, or the gate."""

    household_session: HouseholdSession


def page_number(request: HttpRequest, most: int) -> int:
    """Which page of a list an address asks for, from 1 to `most`; the first where it says nothing else."""
    given = request.GET.get("page", "")
    return (
        min(most, max(1, int(given)))
        if given.isascii() and given.isdigit() and len(given) < 5
        else 1
    )
