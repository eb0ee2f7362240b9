"""gunicorn's threaded worker, for clients that stop halfway and for requests that cannot be read.

Whoever exposes the portal puts a proxy in front of it, which keeps most of this away; a phone that loses
its line during an upload still reaches here through many of them.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import select
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from gunicorn import util
from gunicorn.http.body import LengthReader
from gunicorn.http.errors import NoMoreData
from gunicorn.workers.gthread import TConn, ThreadWorker

from portal.logs import note_lost_thread
from portal.turns import Turns

# The longest silence in the middle of a request or an answer.
LONGEST_SILENCE_SECONDS = 20
# A client that never falls silent but sends next to nothing is let go too: the worst mobile line is faster.
LONGEST_CRAWL_SECONDS = 60
LEAST_BYTES_A_SECOND = 500
# Shorter waits are not worth waiting aside.
_MOMENT_SECONDS = 0.02
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
    thread for good: this gives up after a while. Whoever waits for more than a moment waits aside."""

    turns: Turns
    slow_since = 0.0
    slow_bytes = 0

    def setblocking(self, flag: bool) -> None:
        self.settimeout(LONGEST_SILENCE_SECONDS if flag else 0)

    def begin_request(self) -> None:
        self.slow_since, self.slow_bytes = 0.0, 0

    def recv(self, size: int, flags: int = 0) -> bytes:
        if not self.gettimeout():
            return super().recv(size, flags)
        with contextlib.suppress(BlockingIOError):
            return os.read(self.fileno(), size)  # does not ask first whether there is something
        if not self.slow_since and self._has_more(_MOMENT_SECONDS):
            return super().recv(size, flags)
        self.slow_since = self.slow_since or time.monotonic()
        with self.turns.aside():
            received = super().recv(size, flags)
        self.slow_bytes += len(received)
        seconds = time.monotonic() - self.slow_since
        if seconds > LONGEST_CRAWL_SECONDS and self.slow_bytes < seconds * LEAST_BYTES_A_SECOND:
            raise ConnectionResetError("too slow")
        return received

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """gunicorn always says the count. Whoever takes a file as fast as it comes has it before it pays to
        go aside, which gives up the connection to the database."""
        sent, rest = 0, count or 0
        while rest and self._is_ready(select.POLLOUT, _MOMENT_SECONDS):
            with suppress(BlockingIOError):
                piece = os.sendfile(self.fileno(), file.fileno(), offset + sent, rest)
                sent, rest = sent + piece, rest - piece
                if not piece:
                    return sent  # the file has become shorter
        if not rest:
            return sent
        with self.turns.aside():
            return sent + super().sendfile(file, offset + sent, rest)

    def _has_more(self, seconds: float) -> bool:
        return self._is_ready(select.POLLIN, seconds)

    def _is_ready(self, event: int, seconds: float) -> bool:
        waiting = select.poll()
        waiting.register(self, event)
        return bool(waiting.poll(seconds * 1000))


class PortalWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn comes without types
    def init_process(self) -> None:
        self.closing = ThreadPoolExecutor(max_workers=8)
        threading.excepthook = note_lost_thread
        super().init_process()

    def get_thread_pool(self) -> Turns:
        return Turns(self.cfg.threads)

    def handle(self, conn: Any) -> Any:
        """In a context of its own: the next request on this thread has another id in its log lines."""
        return contextvars.copy_context().run(super().handle, conn)

    def enqueue_req(self, conn: Any) -> None:
        if not isinstance(conn.sock, Line):
            conn.sock = Line(fileno=conn.sock.detach())
            conn.sock.turns = self.tpool
            conn.close = partial(self._close, conn.sock)
            # A new connection whose client says nothing yet goes back to the poller, not after seconds.
            conn.wait_for_data = lambda _seconds: TConn.wait_for_data(conn, _MOMENT_SECONDS)
        conn.sock.begin_request()
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
    data: bytes = body.unreader.take_buffered()  # what came together with the head
    if len(data) > size:
        body.unreader.unread(data[size:])
        data = data[:size]
    pieces = [data] if data else []  # a single piece is joined without a copy
    missing = size - len(data)
    while missing:
        piece = body.unreader.sock.recv(missing)
        if not piece:
            raise NoMoreData
        pieces.append(piece)
        missing -= len(piece)
    body.length -= size
    return b"".join(pieces)


util.write_error = _answer_unreadable
LengthReader.read = _read_body
