"""What a log line may say: what happened and where in the code, never to whom (SECURITY R-AL-2, R-SE-10).

Django, the web server and libraries put addresses, typed values and exception texts into their messages.
Here a request becomes its route, an exception its type and place, and whatever looks like an email
address or a token is left out.
"""

from __future__ import annotations

import logging
import re
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


class LineFormatter(logging.Formatter):
    """One line per record: time, level, logger, message, and for an exception its type and the last
    places it passed through."""

    def format(self, record: logging.LogRecord) -> str:
        request = getattr(record, "request", None)
        text = (
            _of_request(record, request)
            if isinstance(request, HttpRequest)
            else _of_message(record)
        )
        line = f"{self.formatTime(record)} {record.levelname} {record.name} {text}"
        if record.exc_info and record.exc_info[1] is not None:
            line += f" {_of_exception(record.exc_info[1])}"
        # A typed line break must not forge a second line.
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


class ServerLogger(Logger):  # type: ignore[misc]  # gunicorn comes without types
    """gunicorn's own log, with our lines."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(LineFormatter())


def _of_request(record: logging.LogRecord, request: HttpRequest) -> str:
    match = request.resolver_match
    route = f"/{match.route}" if match is not None else "(no such page)"
    status = getattr(record, "status_code", "")
    return " ".join(filter(None, [str(status), request.method, route]))


def _of_message(record: logging.LogRecord) -> str:
    text = _OF_THE_WEB_SERVER.sub(r"\1", record.getMessage())
    return _TOKEN.sub("[…]", _EMAIL.sub("[email]", text))


def _of_exception(error: BaseException) -> str:
    places = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{_short(code.co_filename)}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    text = f"{type(error).__name__} in {' > '.join(places[-_PLACES:]) or 'an unknown place'}"
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return f"{text}, after {_of_exception(cause)}" if cause is not None else text


def _short(file: str) -> str:
    path = Path(file)
    if path.is_relative_to(_ROOT) and "site-packages" not in path.parts:
        return str(path.relative_to(_ROOT))
    return "/".join(path.parts[-2:])
