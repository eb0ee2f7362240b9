"""gunicorn's threaded worker, for clients that stop halfway and for requests that cannot be read.

Whoever exposes the portal puts a proxy in front of it, which keeps most of this away; a phone that loses
its line during an upload still reaches here through many of them.
"""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from gunicorn import util
from gunicorn.http.body import LengthReader
from gunicorn.http.errors import NoMoreData
from gunicorn.workers.gthread import ThreadWorker

# The longest silence in the middle of a request or an answer.
LONGEST_SILENCE_SECONDS = 20
_GOODBYE_SECONDS = 1
_ERROR = """\
HTTP/1.1 {status} {reason}\r
Connection: close\r
Content-Type: text/plain; charset=utf-8\r
Content-Length: {length}\r
Cache-Control: no-store\r
Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r
Cross-Origin-Resource-Policy: same-origin\r
Referrer-Policy: no-referrer\r
X-Content-Type-Options: nosniff\r
\r
{body}"""


class Line(socket.socket):
    """A client's connection. Where gunicorn waits for a client without end, a dead one would hold a
    thread for good: this gives up after a while."""

    def setblocking(self, flag: bool) -> None:
        self.settimeout(LONGEST_SILENCE_SECONDS if flag else 0)


class PortalWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn comes without types
    def init_process(self) -> None:
        self.closing = ThreadPoolExecutor(max_workers=8)
        super().init_process()

    def enqueue_req(self, conn: Any) -> None:
        if not isinstance(conn.sock, Line):
            conn.sock = Line(fileno=conn.sock.detach())
            conn.close = partial(self._close, conn.sock)
        super().enqueue_req(conn)

    def _close(self, line: Line, graceful: bool = False) -> None:
        """gunicorn says goodbye on the thread that accepts connections: a few clients that never hang up
        would keep everybody else out."""
        if graceful:
            self.closing.submit(util.close_graceful, line, _GOODBYE_SECONDS)
        else:
            util.close(line)


def _answer_unreadable(sock: socket.socket, status: int, reason: str, _message: str) -> None:
    """Instead of gunicorn's page, which repeats what was sent and has none of our headers."""
    body = f"{status} {reason}\n"
    answer = _ERROR.format(status=status, reason=reason, length=len(body), body=body)
    util.write_nonblock(sock, answer.encode("latin-1"))


def _read_body(body: LengthReader, size: int) -> bytes:
    """What gunicorn's own does, but for two things.

    Where a line breaks gunicorn hands on what came, and Django takes it for the whole form: half a note, or
    the first of two files, would be kept as if the family had sent just that. And it reads ahead, and
    copies what it has too much of at each further read: a fifth of the time of a large upload.
    """
    size = min(size, body.length)
    data: bytes = body.unreader.read(size)
    if len(data) < size:
        raise NoMoreData
    body.length -= size
    return data


util.write_error = _answer_unreadable
LengthReader.read = _read_body
