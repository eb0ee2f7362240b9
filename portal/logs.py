"""What a log line may say: what happened and where in the code, never to whom (SECURITY R-AL-2, R-SE-10).

Django, the web server and libraries put addresses, typed values and exception texts into their messages.
Here a request becomes its route, an exception its type and places, and whatever looks like an email
address or a token is left out. Each line is one JSON object, for people with grep and for programs.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from django.http import HttpRequest
from gunicorn.glogging import Logger

_ROOT = Path(__file__).resolve().parent.parent
_PLACES = 4
_EMAIL = re.compile(r"[^\s@<>\"'(){}\[\]:;,]+@[^\s@<>\"'(){}\[\]:;,]+")
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
# As long and mixed as the keys and links the portal makes; identifiers in code have no digits.
_TOKEN = re.compile(rf"(?!{_UUID})(?<![\w-])(?=[A-Za-z_-]*\d)[\w-]{{20,}}", re.ASCII)
# What the web server says of a request that it could not read repeats parts of it.
_OF_THE_WEB_SERVER = re.compile(
    r"(Invalid request from ip=[0-9a-f.:]*[0-9a-f]|Error handling request).*", re.DOTALL
)
# A warning's words may hold a value; its place and kind do not.
_OF_A_WARNING = re.compile(r"(?P<place>.+?:\d+): (?P<kind>\w+): .*", re.DOTALL)
# Without vowels, so that a reference read out on the phone is letters and no word.
_LETTERS = str.maketrans("0123456789abcdef", "bcdfghjkmnpqrtvw")

# What is being done here: a request, or the background worker's task of this id.
_doing: ContextVar[HttpRequest | str] = ContextVar("doing", default="")

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}

_logger = logging.getLogger(__name__)


def begin_request(request: HttpRequest) -> str:
    """From here on the lines of this thread are this request's. Returns its id: 16 letters, random, and
    nothing of what the client sent."""
    _doing.set(request)
    return secrets.token_hex(8).translate(_LETTERS)


@contextmanager
def lines_of_task(task_id: str) -> Iterator[None]:
    """The lines inside are this task's of the background worker."""
    before = _doing.set(task_id)
    try:
        yield
    finally:
        _doing.reset(before)


class LineFormatter(logging.Formatter):
    """One JSON object per record. What does not apply to it is left out:

    `at` (UTC), `level`, `logger`; `request_id`, `method`, `route` of the request that it came up in, or
    `task_id`; `status` of the answer; `message`; `error` with its `type` and the last `places` of
    our code it passed through, and the error that it came `after`.
    """

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        facts: dict[str, Any] = {
            "at": at.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
        }
        doing = getattr(record, "request", None)
        is_of_request = isinstance(doing, HttpRequest)
        if not is_of_request:
            doing = _doing.get()
        if isinstance(doing, HttpRequest):
            facts |= _of_request(doing)
            if is_of_request:
                facts.setdefault("route", "(no such page)")
        elif doing:
            facts["task_id"] = doing
        status = getattr(record, "status_code", None)
        if isinstance(status, int):
            facts["status"] = status
        # What Django says of a request is its address, or what is wrong with its headers.
        facts["message"] = _of_status(status) if is_of_request else _of_message(record)
        if record.exc_info and record.exc_info[1] is not None:
            facts["error"] = of_exception(record.exc_info[1])
        # In ASCII: what was typed can forge no line and turn no text around.
        return json.dumps(facts, ensure_ascii=True)


class ServerLogger(Logger):  # type: ignore[misc]  # gunicorn comes without types
    """gunicorn's own log, with our lines."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(LineFormatter())


def note_lost_thread(error: threading.ExceptHookArgs) -> None:
    """`threading.excepthook`: Python's own prints the error with its text."""
    exc_info = (error.exc_type, error.exc_value, error.exc_traceback)
    _logger.error("A thread ended early", exc_info=exc_info)  # type: ignore[arg-type] # the value is there


def _of_request(request: HttpRequest) -> dict[str, str]:
    match = request.resolver_match
    facts = {
        "request_id": getattr(request, "request_id", ""),
        # One of a few, or a word that the client made up.
        "method": request.method if request.method in _METHODS else "other",
        "route": f"/{match.route}" if match is not None else "",
    }
    return {name: str(value) for name, value in facts.items() if value}


def _of_status(status: object) -> str:
    if isinstance(status, int) and status in HTTPStatus._value2member_map_:
        return HTTPStatus(status).phrase
    return "About a request"


def _of_message(record: logging.LogRecord) -> str:
    text = record.getMessage()
    if record.name == "py.warnings":
        found = _OF_A_WARNING.match(text)
        return f"{found['kind']} at {_short_place(found['place'])}" if found else "A warning"
    text = _OF_THE_WEB_SERVER.sub(r"\1", text)
    return _TOKEN.sub("[token]", _EMAIL.sub("[email]", text))


def of_exception(error: BaseException) -> dict[str, Any]:
    """What may be said of an exception anywhere: never its text, which holds values."""
    places: list[str] = []
    last = ""
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        last = f"{_short(code.co_filename)}:{trace.tb_lineno} {code.co_name}"
        if _is_ours(code.co_filename):
            places.append(last)
        trace = trace.tb_next
    # Where it came up, be that in a library, and the way to it through our own code.
    shown = [*places[-_PLACES:], *([last] if last and last not in places[-1:] else [])]
    said: dict[str, Any] = {"type": type(error).__name__, "places": shown}
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        said["after"] = of_exception(cause)
    return said


def _short_place(place: str) -> str:
    file, _, line = place.rpartition(":")
    return f"{_short(file)}:{line}"


def _short(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(_ROOT)) if _is_ours(file) else "/".join(path.parts[-2:])


def _is_ours(file: str) -> bool:
    path = Path(file)
    return path.is_relative_to(_ROOT) and "site-packages" not in path.parts
