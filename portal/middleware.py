"""What every answer carries, whichever room made it."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse


def answer_headers(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """No page is kept by a browser or proxy (SECURITY R-SE-7), errors and redirects included; it loads
    nothing from elsewhere and no other site may embed it (R-SE-8). Style sheet and scripts are answered
    before this and may be kept."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers["Cache-Control"] = "no-store"
        # A file of a family has a stricter policy of its own.
        response.headers.setdefault("Content-Security-Policy", settings.CONTENT_SECURITY_POLICY)
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers["Permissions-Policy"] = (
            "camera=(), geolocation=(), interest-cohort=(), microphone=(), payment=(), usb=()"
        )
        return response

    return middleware
