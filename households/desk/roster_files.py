"""Where a patient list lies until it is decided, and how far the worker has come with it.

In a folder of PORTAL_DATA for the portal's own login only, under a random key and without its name: it holds
everybody's name, birth date and address. How far the worker is stands in a small file beside it, not in the
database: there, what is written inside the import's one transaction is seen by nobody until it is over.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings

from households.documents.receiving import ReceivedFile

# How often the worker says how far it is.
_SECONDS = 0.5


class Changed(Exception):
    """The file is gone, or its bytes are not those that were sent."""


@dataclass(frozen=True)
class Progress:
    """What the worker is doing, and how many of how many rows are done; `expected` is roughly right."""

    doing: str
    done: int
    expected: int


def keep(file: ReceivedFile, key: uuid.UUID) -> None:
    """Move an uploaded file to where it waits. Its bytes lie safe on the disk then."""
    if not file.sha256:  # which waits for the disk
        raise ValueError("A file that was let go cannot be kept.")
    kept = path_of(key)
    kept.parent.mkdir(mode=0o700, exist_ok=True)
    Path(file.temporary_file_path()).rename(kept)
    kept.chmod(0o600)
    _sync_folder(kept.parent)


def path_of(key: uuid.UUID) -> Path:
    return _folder() / f"{key.hex}.list"


def bytes_of(key: uuid.UUID, sha256: str) -> BinaryIO:
    """The list to read, which is the very one that was sent. Raises Changed."""
    try:
        data = path_of(key).read_bytes()
    except OSError:
        raise Changed from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise Changed
    return io.BytesIO(data)


def remove(key: uuid.UUID) -> None:
    """The list and what stands beside it are gone; that they were gone before is no matter."""
    path_of(key).unlink(missing_ok=True)
    _progress_of(key).unlink(missing_ok=True)


def keys_on_disk() -> list[tuple[uuid.UUID, float]]:
    """Every list there, with how many seconds ago it was written."""
    found = []
    for path in _folder().glob("*.list"):
        with contextlib.suppress(OSError, ValueError):
            found.append((uuid.UUID(hex=path.stem), time.time() - path.stat().st_mtime))
    return found


# --- how far the worker is ------------------------------------------------------------


def tell_progress(key: uuid.UUID) -> Callable[[str, int], Callable[[int], Any]]:
    """The function that an import tells its progress to (roster_import.Progress)."""

    def start(doing: str, expected: int) -> Callable[[int], Any]:
        done, told = 0, 0.0

        def step(more: int) -> None:
            nonlocal done, told
            done += more
            now = time.monotonic()
            if now - told >= _SECONDS:
                told = now
                _write(key, Progress(doing, done, expected))

        step(0)
        return step

    return start


def progress(key: uuid.UUID) -> Progress | None:
    """How far it was half a second ago; None before it began."""
    try:
        return Progress(**json.loads(_progress_of(key).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def forget_progress(key: uuid.UUID) -> None:
    _progress_of(key).unlink(missing_ok=True)


def _write(key: uuid.UUID, now: Progress) -> None:
    whole = _progress_of(key)
    part = whole.with_suffix(".part")
    # A disk that is full stops no import on behalf of its progress.
    with contextlib.suppress(OSError):
        part.write_text(json.dumps(vars(now)))
        part.replace(whole)


def _progress_of(key: uuid.UUID) -> Path:
    return _folder() / f"{key.hex}.progress"


def _folder() -> Path:
    return Path(settings.DATA) / "rosters"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
