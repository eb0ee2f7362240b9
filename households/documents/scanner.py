"""Asking the virus scanner, a ClamAV daemon at PORTAL_SCANNER (SECURITY R-UP-5).

The daemon is never believed beyond two exact answers: whatever is neither OK nor FOUND means "not scanned",
and the file waits. It is first asked whether it is there at all, so that a hanging one costs a family two
seconds; it may then take its time over a large file. While it is not there, it is asked every ten seconds
and not for each file.

The words on the wire are those of clamd(8).
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.core.files import File

from households.documents.models import Document

Scan = Document.Scan
logger = logging.getLogger(__name__)

_THERE_SECONDS = 2.0
# For a file of 25 MB: 35 seconds until the answer has to be there.
_SCAN_SECONDS = 10.0
_SCAN_SECONDS_PER_MB = 1.0
_SILENCE_SECONDS = 10.0
_PIECE = 256 * 1024
_LONGEST_REPLY = 1024


class NotScannedError(Exception):
    """The scanner is not there, or did not say what it thinks of a file. The text names the cause."""


def scan(file: BinaryIO | File) -> Document.Scan:
    """What the scanner says of the file, which is read from where it stands to its end: CLEAN, FOUND, or
    WAITING when it does not say either; OFF where no scanner is set up. Raises nothing."""
    if settings.SCANNER is None:
        return Scan.OFF
    if _is_silent():
        return Scan.WAITING
    try:
        _look_whether_it_is_there()
    except NotScannedError as error:
        _warn_once("does not answer (%s)", error)
        _remember_silence()
        return Scan.WAITING
    try:
        verdict = _verdict(file)
    except NotScannedError as error:
        # It is there, and this file is the trouble: no other has to wait for it.
        _warn_once("did not take one (%s). Is its StreamMaxLength below PORTAL_FILE_MB?", error)
        return Scan.WAITING
    _forget_outage()
    return verdict


def _look_whether_it_is_there() -> None:
    if _ask([b"zPING\0"], _THERE_SECONDS) != b"PONG\0":
        raise NotScannedError("PING was not answered with PONG")


def _verdict(file: BinaryIO | File) -> Document.Scan:
    reply = _ask(_instream(file), _SCAN_SECONDS)
    if reply == b"stream: OK\0":
        return Scan.CLEAN
    if reply.startswith(b"stream: ") and reply.endswith(b" FOUND\0"):
        return Scan.FOUND
    # What it answered stays out of the log: it can be anything.
    raise NotScannedError("an answer that is no verdict" if reply else "closed without an answer")


def _instream(file: BinaryIO | File) -> Iterator[bytes]:
    """INSTREAM: each piece behind its length in four bytes, and a piece of length nothing at the end."""
    yield b"zINSTREAM\0"
    while piece := file.read(_PIECE):
        yield len(piece).to_bytes(4, "big") + piece
    yield bytes(4)


def _ask(pieces: Iterable[bytes], seconds: float) -> bytes:
    """Send all `pieces` and read the reply, which ends with a zero byte when it is whole. There are
    `seconds` for it, and some more for every megabyte.

    Raises NotScannedError when the daemon cannot be reached, closes early or is too slow.
    """
    ends_at = time.monotonic() + seconds
    reply = b""
    try:
        with _connection() as daemon:
            for piece in pieces:
                ends_at += len(piece) / 1e6 * _SCAN_SECONDS_PER_MB
                daemon.settimeout(_until(ends_at))
                daemon.sendall(piece)
            while len(reply) < _LONGEST_REPLY and not reply.endswith(b"\0"):
                daemon.settimeout(_until(ends_at))
                got = daemon.recv(_LONGEST_REPLY)
                if not got:
                    break
                reply += got
    except OSError as error:
        # Over its StreamMaxLength the daemon closes, and the pipe breaks.
        raise NotScannedError(error.strerror or str(error) or "too slow") from None
    return reply


def _connection() -> socket.socket:
    address = settings.SCANNER
    assert address is not None  # scan() has looked
    if isinstance(address, tuple):
        return socket.create_connection(address, timeout=_THERE_SECONDS)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(_THERE_SECONDS)
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


def _until(ends_at: float) -> float:
    left = ends_at - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


# --- an outage ------------------------------------------------------------------------


def _outage_file() -> Path:
    """There from the first failure until the next verdict; as old as the latest silence. A file, because
    web workers and background worker share it without a query. What goes wrong with it, a full disk or
    another process that was quicker, costs a line too many in the log and no upload."""
    return settings.DATA / "scanner-outage"


def _is_silent() -> bool:
    """Whether the scanner was not there a moment ago, so that asking again is not worth the wait yet."""
    with contextlib.suppress(OSError):
        return abs(time.time() - _outage_file().stat().st_mtime) < _SILENCE_SECONDS
    return False


def _remember_silence() -> None:
    with contextlib.suppress(OSError):
        _outage_file().touch(mode=0o600)


def _forget_outage() -> None:
    with contextlib.suppress(OSError):
        _outage_file().unlink(missing_ok=True)


def _warn_once(what: str, error: NotScannedError) -> None:
    """One line in the log until the scanner gives a verdict again, from whichever process is first."""
    try:
        _outage_file().touch(mode=0o600, exist_ok=False)
        # Not the moment of a silence, unless the caller makes it one.
        os.utime(_outage_file(), (0, 0))
    except FileExistsError:
        return
    except OSError:
        pass
    logger.warning(
        # The words are fixed, nothing of a person.
        f"Nobody can open the files that wait for the virus scanner: it {what}",  # noqa: G004
        error,
    )
