"""What every request has to pass and every answer carries, whichever room makes it."""

from collections.abc import Callable
from typing import TypeAlias

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from whitenoise.middleware import WhiteNoiseFileResponse

from accounts.sessions import is_signed_in
from accounts.staff.door import is_signed_in as is_staff_signed_in
from households.documents.receiving import LettingGoHandler, ReceivedFile, is_want_of_room
from portal import errors
from portal.logs import begin_request

GetResponse: TypeAlias = Callable[[HttpRequest], HttpResponse]
METHODS = ("GET", "HEAD", "POST")

_SAME_FOR_ALL = {
    "Content-Security-Policy": settings.CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": settings.SECURE_CROSS_ORIGIN_OPENER_POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "camera=(), geolocation=(), interest-cohort=(), microphone=(), payment=(), usb=()"
    ),
    "Referrer-Policy": settings.SECURE_REFERRER_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def every_answer(get_response: GetResponse) -> GetResponse:
    """Middleware, outside of all others: what any of them answers, and what Django makes of an error in
    one, gets its headers here. Nothing in it can fail."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request.request_id = request_id = begin_request(request)  # type: ignore[attr-defined] # see PortalRequest
        response = get_response(request)
        _add_headers(response)
        response.headers["X-Request-ID"] = request_id
        return response

    return middleware


def every_request(get_response: GetResponse) -> GetResponse:
    """Middleware, one layer for all that a request has to pass: each layer costs every page."""

    def middleware(request: HttpRequest) -> HttpResponse:
        return (
            _refuse_method(request)
            or _refuse_nul(request)
            or _take_in_body(request)
            or get_response(request)
        )

    # Where Django takes an exception of a view to.
    # Django looks for it on the function.
    middleware.process_exception = _no_room  # type: ignore[attr-defined]
    return middleware


def _add_headers(response: HttpResponse) -> None:
    """No page is kept by a browser or proxy (SECURITY R-SE-7), errors and redirects included; it loads
    nothing from elsewhere and no other site may embed it (R-SE-8). Style sheets and scripts may be kept, as
    WhiteNoise says; so may the practice's logo, which says so."""
    if isinstance(response, WhiteNoiseFileResponse):
        response.headers.setdefault("Cache-Control", "no-store")  # what it refuses
    elif not getattr(response, "may_be_kept", False):
        response.headers["Cache-Control"] = "no-store"
    # A file of a family has a stricter policy of its own, and a mailed link's page tells nobody.
    for name, value in _SAME_FOR_ALL.items():
        response.headers.setdefault(name, value)


def _refuse_method(request: HttpRequest) -> HttpResponse | None:
    """Three methods are known here; any other gets nowhere, whoever asks. Django's own pages would take a PUT
    for a GET (SECURITY R-AZ-7)."""
    if request.method in METHODS:
        return None
    return HttpResponseNotAllowed(METHODS)


def _refuse_nul(request: HttpRequest) -> HttpResponse | None:
    """A NUL in an address's question or in a cookie, where only a program writes one, is a 400 here: no
    look-up with it ever succeeds, and PostgreSQL fails on it. Forms refuse theirs field by field."""
    # How a cookie spells it: RFC 6265 allows no NUL, but Python reads a quoted \\000 as one.
    if "%00" in request.META["QUERY_STRING"] or "\\000" in request.META.get("HTTP_COOKIE", ""):
        return errors.bad_request(request, None)
    return None


def _take_in_body(request: HttpRequest) -> HttpResponse | None:
    """Take in the whole form before anybody asks who sends it.

    An upload takes minutes on a bad line. What is asked before it is in, such as whether the session is
    open and what the password is, may not hold any more when the form is acted on. Only this is asked
    before, so that nobody fills the disk: a form that claims to be larger than any of ours is turned away
    unread, and of somebody who is not signed in no file is kept, only what was typed.
    """
    if request.method != "POST":
        return None
    if int(request.META.get("CONTENT_LENGTH") or 0) > _most_bytes(request.path):
        return errors.too_large(request)
    if request.content_type == "multipart/form-data" and not _may_send_files(request):
        request.upload_handlers = [LettingGoHandler(request)]
    try:
        files = _files(request)
    except UnreadablePostError:
        return None  # a line that broke is the matter of Django's CSRF check
    except RequestDataTooBig:
        return errors.too_large(request)
    except (SuspiciousOperation, MultiPartParserError) as error:
        return errors.bad_request(request, error)
    if any(isinstance(file, ReceivedFile) and file.found_no_room for file in files):
        return errors.no_room(request)
    return None


def _files(request: HttpRequest) -> list[UploadedFile]:
    try:
        return [file for _, files in request.FILES.lists() for file in files]
    except BaseException:
        # Django closes those that were in already, and leaves this one to the garbage collector.
        for handler in request.upload_handlers:
            handler.upload_interrupted()
        raise


def _most_bytes(path: str) -> int:
    """Files are sent on pages of a chart, and by staff."""
    most: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if path.startswith(("/for/", "/admin/")):
        most += settings.FILES_AT_ONCE * settings.FILE_MB * 1024 * 1024
    return most


def _may_send_files(request: HttpRequest) -> bool:
    """Whether to keep files until somebody asks in earnest who sends them."""
    if request.path.startswith("/admin/"):
        return is_staff_signed_in(request)
    return is_signed_in(request)


def _no_room(request: HttpRequest, exception: Exception) -> HttpResponse | None:
    return errors.no_room(request) if is_want_of_room(exception) else None
