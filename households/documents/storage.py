"""Where files lie when they lie on this machine's disk: PORTAL_DATA/files.

What the storage has taken is on the disk when `save` returns, its name included, so that a row that names
it never outlives it in a power cut (SECURITY R-RE-1). What it could not take leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from django.core.files import File
from django.core.files.storage import FileSystemStorage


class LocalFiles(FileSystemStorage):
    """Django's own, which neither waits for the disk nor clears up after itself."""

    def _save(self, name: str, content: File) -> str:
        path = Path(self.path(name))
        try:
            folders_to_sync = [path.parent, *self._missing_above(path.parent)]
            kept: str = super()._save(name, content)  # type: ignore[misc]  # not in the types
            # Received files come here by a rename and are on the disk by now; others were written now.
            for each in (Path(self.path(kept)), *folders_to_sync):
                _sync(each)
        except BaseException:
            # A copy that stopped halfway. No other file has this name: it was free a moment ago.
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            raise
        return kept

    def url(self, name: str | None) -> str:
        raise ValueError("No file of a family has an address of its own: the portal hands it out.")

    def _missing_above(self, folder: Path) -> list[Path]:
        """The folders that will get a new folder in them when `folder` is made."""
        above = []
        while not folder.exists():
            folder = folder.parent
            above.append(folder)
        return above


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
