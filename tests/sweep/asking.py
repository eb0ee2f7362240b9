"""One request, and what came of it."""

from __future__ import annotations

import copy
import re
from typing import Any

from django.test import Client

KNOWN = ("get", "head", "post")
UNKNOWN = ("put", "patch", "delete", "options", "trace", "propfind", "evil")


def call(client: Client, method: str, address: str, body: bytes = b"", **headers: Any) -> Any:
    """The answer, with its bytes read. The browser keeps the cookies that it had."""
    cookies = copy.deepcopy(client.cookies)
    headers.setdefault("content_type", "application/x-www-form-urlencoded")
    answer = client.generic(method.upper(), address, body, **headers)
    client.cookies = cookies
    answer.bytes = b"".join(answer) if answer.streaming else answer.content
    return answer


_NEW_EACH_TIME = re.compile(rb'name="csrfmiddlewaretoken" value="\w+"')


def shown(answer: Any) -> bytes:
    """The page without what is new each time."""
    request_id = answer.headers.get("X-Request-ID", "")
    page = answer.bytes.replace(request_id.encode(), b"") if request_id else answer.bytes
    return _NEW_EACH_TIME.sub(b"", page)
