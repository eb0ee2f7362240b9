"""Taking files in: streamed to the disk and hashed in the same pass, never whole in memory.

Every upload of the portal comes through `ReceivingHandler` (FILE_UPLOAD_HANDLERS), staff's too; those of
somebody who is not signed in through `LettingGoHandler`, which keeps nothing. A file that is too large or
one too many is let go while it comes in; the form and the other files go on (SECURITY R-UP-2).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cached_property
from typing import IO, Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile

# Hashing and syncing let other Python run: a piece is hashed while the next one comes in. Each file waits
# for its own piece before, so no more than two are in memory.
_beside = ThreadPoolExecutor(thread_name_prefix="receiving")


class ReceivedFile(UploadedFile):
    """A file in UPLOADING that is gone when it is closed, unless it was moved into the storage."""

    file: IO[bytes]
    is_too_large = False
    is_one_too_many = False
    found_no_room = False
    sealing: Future[str] | None = None

    def __init__(
        self, file: IO[bytes], name: str, content_type: str, charset: Any = None, extra: Any = None
    ):
        super().__init__(file, name, content_type, 0, charset, extra)

    @cached_property
    def sha256(self) -> str:
        """Of its bytes. Waits until they lie safe on the disk, so that nothing is acknowledged that a
        power cut can take. Raises OSError when the disk does not take them."""
        return self.sealing.result() if self.sealing else ""

    @property
    def is_let_go(self) -> bool:
        """Whether none of its bytes were kept."""
        return self.is_too_large or self.is_one_too_many or self.found_no_room

    def temporary_file_path(self) -> str:
        """Where it lies; Django's storage moves it from there instead of copying."""
        return str(self.file.name)

    def close(self) -> None:
        if self.sealing is not None:
            wait([self.sealing])
        with contextlib.suppress(FileNotFoundError):  # moved into the storage
            self.file.close()


class ReceivingHandler(FileUploadHandler):
    # Each piece is handed to another thread: smaller ones cost more time, larger ones more memory.
    chunk_size = 512 * 1024
    files = 0

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.files += 1
        self.size = 0
        self.digest = hashlib.sha256()
        self.hashing: Future[None] | None = None
        self.received = ReceivedFile(
            io.BytesIO(),
            self.file_name or "",
            self.content_type or "",
            self.charset,
            self.content_type_extra,
        )
        if self.files > settings.FILES_AT_ONCE:
            self.received.is_one_too_many = True
            return
        try:
            # Closed by whoever moves or drops it.
            self.received.file = tempfile.NamedTemporaryFile(  # noqa: SIM115
                suffix=".upload", dir=settings.UPLOADING, buffering=0
            )
        except OSError as error:
            self._let_go_for_want_of_room(error)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.size += len(raw_data)
        if self.received.is_let_go:
            return
        if self.size > settings.FILE_MB * 1024 * 1024:
            self.received.is_too_large = True
            self._let_go()
            return
        if self.hashing is not None:
            self.hashing.result()
        self.hashing = _beside.submit(self.digest.update, raw_data)
        try:
            rest = memoryview(raw_data)
            while rest:  # a disk that is almost full takes less than it is given
                rest = rest[self.received.file.write(rest) :]
        except OSError as error:
            self._let_go_for_want_of_room(error)

    def file_complete(self, file_size: int) -> ReceivedFile:
        self.received.size = self.size
        if not self.received.is_let_go:
            self.received.file.seek(0)
            # The checks of the file go on meanwhile.
            self.received.sealing = _beside.submit(_seal, self.received, self.digest, self.hashing)
        return self.received

    def upload_interrupted(self) -> None:
        if hasattr(self, "received"):
            self.received.close()

    def _let_go_for_want_of_room(self, error: OSError) -> None:
        if not is_want_of_room(error):
            raise error
        self.received.found_no_room = True
        self._let_go()

    def _let_go(self) -> None:
        self.received.file.close()
        self.received.file = io.BytesIO()


class LettingGoHandler(FileUploadHandler):
    """For whoever may not send files: they run through, and the rest of the form is read."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        raise SkipFile

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Never called."""

    def file_complete(self, file_size: int) -> None:
        """Never called."""


def is_want_of_room(error: BaseException) -> bool:
    """Whether the disk is full, or what this login may use of it."""
    return isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}


def _seal(received: ReceivedFile, digest: hashlib._Hash, hashing: Future[None] | None) -> str:
    if hashing is not None:
        hashing.result()
    os.fsync(received.file.fileno())
    return digest.hexdigest()
