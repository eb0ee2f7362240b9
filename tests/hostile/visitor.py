"""A visitor with an own cookie jar who sends what no browser would, and a bare socket for the rest."""

from __future__ import annotations

import http.client
import re
import socket
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import ClassVar
from urllib.parse import urlencode

from tests.real_portal import RealPortal

PASSWORD = "meadow copper violin raft"
STAFF_PASSWORD = "orchard lantern gravel plume"
PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/Resources<<>>/MediaBox[0 0 9 9]>>endobj\n"
    b"xref\n0 4\n0000000000 65535 f \n0000000009 00000 n \n0000000052 00000 n \n0000000101 00000 n \n"
    b"trailer<</Root 1 0 R/Size 4>>\nstartxref\n174\n%%EOF\n"
)


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes
    set_cookies: list[str]

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def location(self) -> str:
        return self.headers.get("Location", "")

    @property
    def plain(self) -> str:
        """The page without what differs on every page: tokens and keys of one use."""
        return re.sub(r'(value|nonce)="[\w-]{36,}"', "", self.text)


class Visitor:
    """One browser. `headers` are sent with everything, such as a proxy's X-Forwarded-For."""

    # Every key and token that any visitor was given: none of them may be in a log.
    secrets: ClassVar[set[str]] = set()

    def __init__(self, portal: RealPortal, **headers: str) -> None:
        self.portal = portal
        self.cookies: dict[str, str] = {}
        self.signed_in_with: list[str] = []
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def copy(self) -> Visitor:
        """Another client with the same cookies, as a thief or a second tab has them."""
        other = Visitor(self.portal)
        other.cookies, other.headers = dict(self.cookies), dict(self.headers)
        return other

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.portal.port, timeout=60)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        connection = self.connect()
        sent = {**self.headers, **(headers or {})}
        if self.cookies and "Cookie" not in sent:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            answer = Answer(
                response.status,
                response.headers,
                response.read(),
                response.headers.get_all("Set-Cookie") or [],
            )
        finally:
            connection.close()
        for line in answer.set_cookies:
            for name, cookie in SimpleCookie(line).items():
                self.cookies[name] = cookie.value
                if len(cookie.value) > 20:
                    self.secrets.add(cookie.value)
                if cookie["max-age"] == "0" or not cookie.value:
                    del self.cookies[name]
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("GET", path, headers=named)

    def post(
        self,
        path: str,
        fields: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        files: Iterable[tuple[str, str, bytes]] = (),
        token: str | None = None,
        **headers: str,
    ) -> Answer:
        """`token` is the form's token: this browser's own unless given."""
        pairs = list(fields.items() if isinstance(fields, Mapping) else fields)
        pairs = [("csrfmiddlewaretoken", self.token() if token is None else token), *pairs]
        body, content_type = encoded(pairs, list(files))
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", path, body, {"Content-Type": content_type, **named})

    def token(self) -> str:
        name = next((name for name in self.cookies if name.endswith("csrf")), None)
        if name is None:
            self.get("/login/")
            name = next(name for name in self.cookies if name.endswith("csrf"))
        return self.cookies[name]

    # --- the steps of the errand ------------------------------------------------------

    def sign_in(self, email: str, password: str = PASSWORD) -> Answer:
        return self.post("/login/", {"email": email, "password": password})

    def signed_in(self, email: str, password: str = PASSWORD) -> Visitor:
        assert self.sign_in(email, password).location == "/who/"
        return self

    def sign_in_as_staff(self) -> Visitor:
        answer = self.post(
            "/admin/login/",
            {"username": "nurse@example.org", "password": STAFF_PASSWORD, "next": "/admin/"},
        )
        assert answer.location == "/admin/login/code/", answer.status
        self.signed_in_with = answer.set_cookies
        answer = self.post("/admin/login/code/", {"otp_token": self.portal.staff_code()})
        assert answer.location == "/admin/", answer.status
        self.signed_in_with += answer.set_cookies
        return self

    def choose(self, first_name: str, date_of_birth: str) -> str:
        """Choose a person; returns the address of their home, "/for/<key>/"."""
        answer = self.post("/who/", {"first_name": first_name, "date_of_birth": date_of_birth})
        assert answer.location.startswith("/for/"), (answer.status, answer.location)
        self.secrets.add(answer.location.split("/")[2])
        return answer.location

    def send_paper(self, home: str, note: str, name: str = "paper.pdf") -> Answer:
        """Send a PDF that is this note's own, so that no two papers are the same."""
        return self.post(
            f"{home}documents/",
            {"note": note, "sending_id": str(uuid.uuid4())},
            [("files", name, PDF + f"%{note}\n".encode())],
        )


def encoded(
    fields: list[tuple[str, str]], files: list[tuple[str, str, bytes]]
) -> tuple[bytes, str]:
    """A form's body and its content type."""
    if not files:
        return urlencode(fields).encode(), "application/x-www-form-urlencoded"
    edge = uuid.uuid4().hex
    parts = [
        f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields
    ]
    for name, file, content in files:
        head = (
            f'--{edge}\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        parts.append(head.encode("utf-8", "surrogateescape") + content + b"\r\n")
    return b"".join([*parts, f"--{edge}--\r\n".encode()]), f"multipart/form-data; boundary={edge}"


class SlowPost:
    """A form whose last bytes are still on their way, as from a phone with a bad line."""

    def __init__(
        self,
        visitor: Visitor,
        path: str,
        fields: Mapping[str, str],
        files: Iterable[tuple[str, str, bytes]] = (),
    ) -> None:
        pairs = [("csrfmiddlewaretoken", visitor.token()), *fields.items()]
        body, content_type = encoded(pairs, list(files))
        cookies = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
        port = visitor.portal.port
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookies}\r\n"
            f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self.wire = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.wire.sendall(head.encode() + body[:-10])
        self.rest = body[-10:]
        time.sleep(0.2)  # it is being read now

    def finish(self) -> tuple[int, str]:
        """Send the rest. Returns the answer's status and where it leads."""
        with self.wire:
            self.wire.sendall(self.rest)
            head = receive(self.wire).partition(b"\r\n\r\n")[0].decode("latin-1")
        found = re.search(r"(?mi)^Location: (\S+)", head)
        return int(head.split()[1]), found[1] if found else ""


def raw(portal: RealPortal, request: bytes, seconds: float = 10) -> bytes:
    """Send these very bytes and return all that comes back until the portal hangs up."""
    with socket.create_connection(("127.0.0.1", portal.port), timeout=seconds) as wire:
        wire.sendall(request)
        return receive(wire)


def receive(wire: socket.socket) -> bytes:
    received = b""
    while piece := wire.recv(65536):
        received += piece
    return received
