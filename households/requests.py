"""What a request carries in households, for type checkers; see accounts/requests.py."""

from __future__ import annotations

from accounts.requests import PortalRequest, SignedInRequest
from households.models import Binding, Practice


class PracticeRequest(PortalRequest):
    """Every request, after households.practice.practice_of_request."""

    practice: Practice


class HouseholdRequest(PracticeRequest, SignedInRequest):
    """Behind accounts.access.sign_in_needed. `binding` is there once a person is chosen."""

    binding: Binding


class MemberRequest(HouseholdRequest):
    """Behind the gate: `binding` is the session's open chart."""
