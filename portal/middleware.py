"""What every request has to pass and every answer carries, whichever room makes it."""

import contextlib
from collections.abc import Callable
from typing import TypeAlias

from django.conf import settings
from django.core.exceptions import BadRequest, RequestDataTooBig
from django.http import HttpRequest, HttpResponse, UnreadablePostError

from portal import errors

GetResponse: TypeAlias = Callable[[HttpRequest], HttpResponse]


def answer_headers(get_response: GetResponse) -> GetResponse:
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


def refuse_nul(get_response: GetResponse) -> GetResponse:
    """A NUL in an address's question or in a cookie, where only a program writes one, is a 400 here: no
    look-up with it ever succeeds, and PostgreSQL fails on it. Forms refuse theirs field by field."""

    def middleware(request: HttpRequest) -> HttpResponse:
        # How a cookie spells it: RFC 6265 allows no NUL, but Python reads a quoted \000 as one.
        if "%00" in request.META["QUERY_STRING"] or "\\000" in request.META.get("HTTP_COOKIE", ""):
            raise BadRequest("NUL")
        return get_response(request)

    return middleware


def body_first(get_response: GetResponse) -> GetResponse:
    """Take in the whole form before anybody asks who sends it.

    An upload takes minutes on a bad line. What is asked before it is in, such as whether the session is
    open and what the password is, may not hold any more when the form is acted on. A form that claims to
    be larger than any of ours is turned away unread, so that nobody fills the disk.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.method == "POST":
            if int(request.META.get("CONTENT_LENGTH") or 0) > _most_bytes(request.path):
                return errors.too_large(request)
            try:
                # A line that broke is Django's CSRF check's matter.
                with contextlib.suppress(UnreadablePostError):
                    _ = request.POST
            except RequestDataTooBig:
                return errors.too_large(request)
        return get_response(request)

    return middleware


def _most_bytes(path: str) -> int:
    """Files are sent on pages of a chart only."""
    most: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if path.startswith("/for/"):
        most += settings.DATA_UPLOAD_MAX_NUMBER_FILES * settings.FILE_MB * 1024 * 1024
    return most
