"""A real ClamAV daemon with one signature of our own, that of the EICAR test file, and
scanners that are none.

The test file is harmless, and every scanner is agreed to find it. It is put together here, so that none
takes this very module away from a developer.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

CLAMD = shutil.which("clamd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
_BEGINNING = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR"
EICAR = f"{_BEGINNING}-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*".encode()


def infected_pdf(name: str = "lab.pdf") -> SimpleUploadedFile:
    """A PDF that any viewer opens, with the test file in the text of its page."""
    import pikepdf

    document = pikepdf.new()
    document.add_blank_page()
    document.pages[0].Contents = document.make_stream(b"% " + EICAR + b"\n")
    data = io.BytesIO()
    document.save(data, compress_streams=False)
    assert EICAR in data.getvalue()
    return SimpleUploadedFile(name, data.getvalue(), "application/pdf")


class Clamd:
    """The daemon on a Unix socket, or on a port of 127.0.0.1. `options` are lines of clamd.conf(5)."""

    def __init__(self, folder: Path, port: int = 0, **options: str) -> None:
        self.folder = folder
        self.address: str | tuple[str, int] = str(folder / "clamd.ctl")
        place = f"LocalSocket {self.address}"
        if port:
            self.address = ("127.0.0.1", port)
            place = f"TCPAddr 127.0.0.1\nTCPSocket {port}"
        (folder / "signatures").mkdir()
        (folder / "signatures" / "own.ndb").write_text(f"Kinchart.Test:0:*:{EICAR.hex()}\n")
        lines = [f"{name} {value}" for name, value in options.items()]
        (folder / "clamd.conf").write_text(
            f"Foreground yes\nDatabaseDirectory {folder}/signatures\nTemporaryDirectory {folder}\n"
            + "\n".join([place, *lines, ""])
        )

    def start(self) -> None:
        """Start it, and wait until it listens."""
        assert CLAMD is not None
        with (self.folder / "clamd.log").open("ab") as log:
            self.process = subprocess.Popen(
                [CLAMD, "--config-file", str(self.folder / "clamd.conf")], stdout=log, stderr=log
            )
        for _try in range(200):
            assert self.process.poll() is None, (self.folder / "clamd.log").read_text()
            if _listens(self.address):
                return
            time.sleep(0.05)
        raise AssertionError((self.folder / "clamd.log").read_text())

    def stop(self) -> None:
        self.go_on()
        self.process.terminate()
        self.process.wait(20)

    def hang(self) -> None:
        """It still takes calls, the kernel does that, and says nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)


def _listens(address: str | tuple[str, int]) -> bool:
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    with socket.socket(family) as probe:
        return probe.connect_ex(address) == 0


@contextmanager
def running_clamd(port: int = 0, **options: str) -> Iterator[Clamd]:
    """A daemon that has started. Skips the test where ClamAV is missing."""
    if not CLAMD:
        missing = "ClamAV was not found: install the package clamav-daemon."
        # A newcomer's first `make test` passes without; continuous integration installs it.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    # Not pytest's folder: the path of a Unix socket may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="clamd-") as folder:
        daemon = Clamd(Path(folder), port, **options)
        daemon.start()
        try:
            yield daemon
        finally:
            daemon.stop()


@pytest.fixture
def clamd(scanner_set_to: Callable[..., None]) -> Iterator[Clamd]:
    """The daemon, running, and the portal set up to ask it."""
    with running_clamd() as daemon:
        scanner_set_to(daemon.address)
        yield daemon


@pytest.fixture
def scanner_set_to(settings, tmp_path: Path) -> Callable[[object], None]:
    """A function that does what PORTAL_SCANNER does. What is remembered of an outage is this test's own."""
    settings.DATA = tmp_path

    def set_to(address: object) -> None:
        settings.SCANNER = address

    return set_to


@pytest.fixture
def a_while_later(settings) -> Callable[[], None]:
    """A function after which the scanner's latest silence is long ago, and it is asked again."""

    def later() -> None:
        with contextlib.suppress(FileNotFoundError):  # it was not asked yet
            os.utime(settings.DATA / "scanner-outage", (1, 1))

    return later


@contextmanager
def pretender(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of something that says PONG to PING, as the daemon does, and treats each file with
    `answer`, which gets the line after "INSTREAM" has come."""
    with (
        tempfile.TemporaryDirectory(prefix="clamd-") as folder,
        socket.socket(socket.AF_UNIX) as listener,
    ):
        address = f"{folder}/clamd.ctl"
        listener.bind(address)
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    line, _peer = listener.accept()
                except OSError:
                    return
                with line, contextlib.suppress(OSError):
                    word = b""
                    while not word.endswith(b"\0"):
                        word += line.recv(1)
                    if word == b"zPING\0":
                        line.sendall(b"PONG\0")
                    else:
                        answer(line)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield address
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
