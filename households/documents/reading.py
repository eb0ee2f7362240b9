"""Asking the program that reads files, file_reader.py, from the processes of the portal.

Each web process keeps one program for checking uploads, started with the first; pictures and joined PDFs,
which take long, get a program of their own for the time. A program that does not answer in time is ended.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from households.documents.file_reader import Refused

__all__ = ["Facts", "Refused", "check", "join", "logo", "show"]

logger = logging.getLogger(__name__)

CHECK_SECONDS = 20.0
PICTURE_SECONDS = 120.0
_GOODBYE_SECONDS = 2.0
_PROGRAM = Path(__file__).with_name("file_reader.py")


@dataclass(frozen=True)
class Facts:
    """What a whole file says of itself. Width and height are in pixels, as stored; 0 for a PDF."""

    pages: int
    width: int
    height: int


def check(path: Path, content_type: str, *, seconds: float = CHECK_SECONDS) -> Facts:
    """Read the whole file. Raises Refused; a file whose parser crashed or took too long is unreadable."""
    request = {"do": "check", "path": str(path), "content_type": content_type}
    return Facts(**_ask_kept(request, seconds))


def show(
    path: Path,
    content_type: str,
    folder: Path,
    most_pages: int,
    *,
    seconds: float = PICTURE_SECONDS,
) -> int:
    """Write thumbnail.jpg and 1.jpg, 2.jpg … into `folder`. Returns how many pages have a picture; of a
    PDF that draws slowly, those drawn in half the time. Raises Refused."""
    request = {
        "do": "show",
        "path": str(path),
        "content_type": content_type,
        "folder": str(folder),
        "most_pages": most_pages,
        "draws_for": seconds / 2,
    }
    return int(_ask_new(request, seconds))


def join(photos: Sequence[tuple[Path, str]], to: Path, *, seconds: float = PICTURE_SECONDS) -> int:
    """Write a PDF to `to` with one page for each photo (path, type), in this order. Returns how many.
    Raises Refused."""
    request = {
        "do": "join",
        "photos": [(str(path), content_type) for path, content_type in photos],
        "to": str(to),
    }
    return int(_ask_new(request, seconds))


def logo(
    path: Path, content_type: str, to: Path, *, seconds: float = CHECK_SECONDS
) -> tuple[int, int]:
    """Write the picture to `to` as a small PNG of our own making. Returns its width and height. Raises
    Refused."""
    request = {"do": "logo", "path": str(path), "content_type": content_type, "to": str(to)}
    width, height = _ask_new(request, seconds)
    return int(width), int(height)


# --- the programs ---------------------------------------------------------------------


class _Silent(Exception):
    """The program did not answer in time, or not in its language."""


class _Ended(_Silent):
    """The program is not there any more."""


class _Program:
    """One running program. For one thread at a time."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            # Isolated: nothing from the environment or the current folder decides what is imported.
            [sys.executable, "-I", str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            # No secrets of the portal. One heap: each further one would count against its memory.
            env={"PATH": os.defpath, "LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "1"},
            cwd="/",
            # Ctrl-C is for the portal; and what the program forked is ended with it.
            start_new_session=True,
        )

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The program's answer. Raises _Silent, and the program is of no further use then."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        until = time.monotonic() + seconds
        # The fork that reads ends itself first, even where this process is gone by then.
        line = json.dumps({**request, "seconds": seconds * 0.9}) + "\n"
        answer = b""
        try:
            self.process.stdin.write(line.encode())
            waiting = select.poll()
            waiting.register(self.process.stdout, select.POLLIN)
            while not answer.endswith(b"\n"):
                if not waiting.poll(max(0, until - time.monotonic()) * 1000):
                    raise _Silent("no answer in time")
                part = self.process.stdout.read(4096)
                if not part:
                    raise _Ended("it ended")
                answer += part
            return json.loads(answer)
        except OSError as error:
            raise _Ended("it ended") from error
        except ValueError as error:
            raise _Silent("no JSON") from error

    def end(self) -> None:
        """End the program and whatever it started, and wait until it is gone."""
        self._close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_GOODBYE_SECONDS)

    def forget(self) -> None:
        """In a fork of the process that started it: the program is not ours here."""
        self._close()
        self.process.returncode = 0

    def _close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


_lock = threading.Lock()
_kept: _Program | None = None


def _ask_kept(request: dict[str, Any], seconds: float) -> Any:
    """One file at a time in each web process, which also bounds the memory of all of them together."""
    global _kept
    with _lock:
        while True:
            is_new = _kept is None
            _kept = _kept or _Program()
            try:
                return _result(_kept.ask(request, seconds), request)
            except _Silent as silent:
                _end_kept()
                # One that was kept may have been ended since, by the system or by hand. It was not this
                # file: reading ends a fork, not the program.
                if is_new or not isinstance(silent, _Ended):
                    raise _refused(silent, request) from None


def _ask_new(request: dict[str, Any], seconds: float) -> Any:
    program = _Program()
    try:
        return _result(program.ask(request, seconds), request)
    except _Silent as silent:
        raise _refused(silent, request) from None
    finally:
        program.end()


def _result(answer: dict[str, Any], request: dict[str, Any]) -> Any:
    if "done" in answer:
        return answer["done"]
    refused = Refused(answer["refused"], answer["detail"])
    if refused.code == "unreadable" and refused.detail:
        logger.warning("Reading a file to %s it failed: %s", request["do"], refused.detail)
    raise refused


def _refused(silent: _Silent, request: dict[str, Any]) -> Refused:
    logger.warning("The program that reads a file to %s it: %s", request["do"], silent)
    return Refused("unreadable", str(silent))


def _end_kept() -> None:
    global _kept
    if _kept is not None:
        _kept.end()
        _kept = None


def _forget_after_fork() -> None:
    """A web process is a fork; what its parent started stays the parent's, and is not held open here."""
    global _kept, _lock
    _lock = threading.Lock()
    if _kept is not None:
        _kept.forget()
        _kept = None


atexit.register(_end_kept)
os.register_at_fork(after_in_child=_forget_after_fork)
