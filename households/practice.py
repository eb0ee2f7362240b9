"""The practice of a request."""

from __future__ import annotations

import zoneinfo

from django.http import HttpResponse
from django.utils import timezone

from accounts.sessions import GetResponse
from households.models import Practice
from households.requests import PracticeRequest

_WITHOUT_PRACTICE = ("/healthz", "/readyz")


def practice_of_request(get_response: GetResponse) -> GetResponse:
    """Middleware. Sets `request.practice` and makes the practice's time zone the one that dates are shown
    and compared in: a child born today is born today where the practice is."""

    def middleware(request: PracticeRequest) -> HttpResponse:
        if request.path in _WITHOUT_PRACTICE:
            return get_response(request)
        request.practice = Practice.remembered()
        with timezone.override(zoneinfo.ZoneInfo(request.practice.time_zone)):
            return get_response(request)

    return middleware
