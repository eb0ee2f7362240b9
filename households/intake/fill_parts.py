"""What the pages have in common on which a form is filled in."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from households.binding import member_url
from households.intake.filling import (
    Filling,
    patient_of,
    response_or_404,
)
from households.models import Member
from households.requests import MemberRequest


def filling_of(member: Member, public_id: uuid.UUID) -> Filling:
    return Filling(response_or_404(member, public_id), patient=patient_of(member))


def sent_already(request: MemberRequest, public_id: uuid.UUID) -> HttpResponse:
    messages.warning(
        request, _("These answers were sent already. To change them, correct them here.")
    )
    return redirect(member_url(request, "form_detail", public_id=public_id))


def inside(request: MemberRequest) -> str:
    """The page inside the chart, under which typed text is kept."""
    return request.path.removeprefix(member_url(request, "overview"))
