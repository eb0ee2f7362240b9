"""How fast a 25 MB document is downloaded through its real address, with the gate, the session and the audit
entry, as a ratio to a front server that sends the raw file to the same client. The client saves it, as does
everybody who downloads; what a client that keeps nothing sees is told beside it, without a limit.

nginx is the front server. Where it is not installed, a loop of sendfile(2) stands in for it, which has less
to do: the ratio comes out lower, and the output says so.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import shutil
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

from tests import nginx
from tests.real_portal import free_port

ROUNDS = 21
TRIES = 3
# The least that has to be reached.
LIMITS = {"download / raw file": 0.80, "download through nginx / raw file": 0.80}

_RAW = """\
server {{
    listen 127.0.0.1:{port};
    access_log off;
    sendfile on;
    location /raw/ {{ alias {folder}/; }}
}}
"""
_FRONT = """\
server {{
    listen 127.0.0.1:{port};
    access_log off;
    location / {{
        proxy_pass http://127.0.0.1:{portal};
        proxy_set_header Host $http_host;
    }}
    location /files/ {{
        internal;
        alias {files}/;
        sendfile on;
    }}
}}
"""


def measure(portal: int, telling: int, path: str, cookie: str, stored: Path) -> dict[str, float]:
    """Figures of downloads.

    `portal` and `telling` are ports of two portals on one data folder; the second was started with
    PORTAL_SENDFILE=X-Accel-Redirect. `path` is a document's address, `cookie` the header of a session that
    may open it, `stored` the file in PORTAL_DATA/files/documents.
    """
    size = stored.stat().st_size
    with _fronted(stored, telling) as (raw, front), tempfile.TemporaryDirectory() as folder:
        wanted = {"raw": (raw, f"/raw/{stored.name}"), "portal": (portal, path)}
        if front:
            wanted["nginx"] = (front, path)
        ways = {"saved": Path(folder, "download"), "dropped": None}
        rounds: dict[tuple[str, str], list[float]] = {}
        for each in range(-2, ROUNDS):  # the first two warm up
            for way, name in itertools.product(ways, wanted):
                port, address = wanted[name]
                # The fastest of a few: other work of the machine slows one, seldom all.
                seconds = min(
                    _fetch(port, address, cookie, size, ways[way]) for _try in range(TRIES)
                )
                if each >= 0:
                    rounds.setdefault((way, name), []).append(seconds)
    taken = {which: statistics.median(seconds) for which, seconds in rounds.items()}
    speed = {which: size / 1e6 / seconds for which, seconds in taken.items()}
    by = "nginx" if front else "a sendfile(2) loop, since nginx is not installed"
    figures = {}
    for way in ways:
        fronted = f", through nginx {speed[way, 'nginx']:.0f} MB/s" if front else ""
        print(
            f"download of {size / 1e6:.0f} MB, {way}: {speed[way, 'portal']:.0f} MB/s{fronted}; "
            f"the raw file by {by} {speed[way, 'raw']:.0f} MB/s"
        )
        figures |= {
            f"download by {name}, {way}, MB/s": round(speed[way, name], 1) for name in wanted
        }
    own = taken["dropped", "portal"] - taken["dropped", "raw"]
    figures["download, ms longer than the raw file"] = round(own * 1000, 2)
    ratio = {which: speed[which] / speed[which[0], "raw"] for which in speed}
    figures["download / raw file"] = round(ratio["saved", "portal"], 3)
    figures["download / raw file, dropped"] = round(ratio["dropped", "portal"], 3)
    if front:
        figures["download through nginx / raw file"] = round(ratio["saved", "nginx"], 3)
        figures["download through nginx / raw file, dropped"] = round(ratio["dropped", "nginx"], 3)
    return figures


def _fetch(port: int, path: str, cookie: str, size: int, saved: Path | None) -> float:
    """Seconds from the request to the last byte, for a client that saves what comes, or drops it. It takes in
    16 KB at a time, as curl does."""
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
    )
    buffer = memoryview(bytearray(16 * 1024))
    with (
        socket.create_connection(("127.0.0.1", port), timeout=60) as line,
        saved.open("wb", buffering=0) if saved else nullcontext() as file,
    ):
        start = time.perf_counter()
        line.sendall(request.encode())
        head, body = b"", b""
        while not body and b"\r\n\r\n" not in head:
            head += line.recv(2048)
        head, _, body = head.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        received = len(body)
        if file:
            file.write(body)
        while received < size and (piece := line.recv_into(buffer)):
            received += piece
            if file:
                file.write(buffer[:piece])
        seconds = time.perf_counter() - start
    assert received == size, (received, size)
    return seconds


@contextmanager
def _fronted(stored: Path, telling: int) -> Iterator[tuple[int, int]]:
    """The ports of a server with the raw file and of one in front of the portal (0: there is none)."""
    raw, front = free_port(), free_port()
    with ExitStack() as stack:
        if not nginx.NGINX:
            loop = multiprocessing.get_context("fork").Process(
                target=_send_for_ever, args=(raw, stored), daemon=True
            )
            loop.start()
            stack.callback(loop.terminate)
            time.sleep(0.5)
            yield raw, 0
            return
        folder = Path(tempfile.mkdtemp(prefix="bench-nginx-"))
        stack.callback(shutil.rmtree, folder)
        servers = _RAW.format(port=raw, folder=stored.parent) + _FRONT.format(
            port=front, portal=telling, files=stored.parent.parent
        )
        # As whoever runs the bench: its data folder is nobody else's to read.
        stack.enter_context(nginx.running_nginx(folder, servers, as_worker=False))
        yield raw, front


def _send_for_ever(port: int, stored: Path) -> None:
    size = stored.stat().st_size
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n".encode()
    with socket.create_server(("127.0.0.1", port)) as listener, stored.open("rb") as file:
        while True:
            line, _address = listener.accept()
            with line:
                line.recv(65536)
                line.sendall(head)
                place = 0
                while place < size:
                    place += os.sendfile(line.fileno(), file.fileno(), place, size - place)
