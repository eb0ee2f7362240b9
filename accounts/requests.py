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
