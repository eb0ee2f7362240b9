"""Taking files in: streamed to the disk and hashed in the same pass, never whole in memory.

Every upload of the portal comes through `ReceivingHandler` (FILE_UPLOAD_HANDLERS), staff's too. A file over
the limit is let go as soon as it is over; the form and the other files go on.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from typing import IO, Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler


class ReceivedFile(UploadedFile):
    """A file in UPLOADING that is gone when it is closed, unless it was moved into the storage."""

    def __init__(self, file: IO[bytes], name: str, content_type: str, charset: Any, extra: Any):
        super().__init__(file, name, content_type, 0, charset, extra)
        self.sha256 = ""
        self.is_too_large = False

    def temporary_file_path(self) -> str:
        """Where it lies; Django's storage moves it from there instead of copying."""
        return str(self.file.name)

    def close(self) -> None:
        try:
            return self.file.close()
        except FileNotFoundError:
            pass  # moved into the storage


class ReceivingHandler(FileUploadHandler):
    chunk_size = 256 * 1024

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.digest = hashlib.sha256()
        self.size = 0
        file = tempfile.NamedTemporaryFile(suffix=".upload", dir=settings.UPLOADING)  # noqa: SIM115
        self.received = ReceivedFile(
            file, self.file_name, self.content_type, self.charset, self.content_type_extra
        )

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.size += len(raw_data)
        if self.size > settings.FILE_MB * 1024 * 1024:
            if not self.received.is_too_large:
                self.received.is_too_large = True
                self.received.file.truncate(0)
            return
        self.received.file.write(raw_data)
        self.digest.update(raw_data)

    def file_complete(self, file_size: int) -> ReceivedFile:
        self.received.file.flush()
        os.fsync(self.received.file.fileno())  # what is acknowledged outlives a power cut
        self.received.file.seek(0)
        self.received.size = self.size
        self.received.sha256 = self.digest.hexdigest()
        return self.received

    def upload_interrupted(self) -> None:
        if hasattr(self, "received"):
            self.received.close()
