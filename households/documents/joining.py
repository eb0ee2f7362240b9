"""Several photos of one paper made one PDF, on the way to being kept like any other file."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from households.documents import reading
from households.documents.models import Document
from households.documents.receiving import ReceivedFile

MOST_PHOTOS = 20


@contextmanager
def joined_file(photos: Sequence[Document]) -> Iterator[ReceivedFile]:
    """One PDF of the photos, a page each, in this order; named after the first of them. It lies in
    UPLOADING and is gone at the end, unless it was moved into the storage.

    Raises ValidationError when a picture is gone or cannot be read.
    """
    with tempfile.TemporaryDirectory(suffix=".upload", dir=settings.UPLOADING) as folder:
        path = Path(folder, "joined.pdf")
        try:
            pictures = [
                (_on_disk(photo, Path(folder, str(number))), str(photo.content_type))
                for number, photo in enumerate(photos)
            ]
            reading.join(pictures, path)
        except (reading.Refused, FileNotFoundError):
            raise ValidationError(
                _(
                    "The photos could not be made one PDF. Nothing was changed: they stay as they are, "
                    "and the practice has them."
                )
            ) from None
        with path.open("rb") as opened:
            os.fsync(opened.fileno())  # what is acknowledged outlives a power cut
            name = f"{PurePath(photos[0].name).stem}.pdf"
            file = ReceivedFile(opened, name, Document.ContentType.PDF, None, None)
            file.size = path.stat().st_size
            file.sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
            opened.seek(0)
            yield file


def _on_disk(photo: Document, copy: Path) -> Path:
    """Where the photo's bytes lie on this machine: fetched to `copy` where they are stored elsewhere."""
    try:
        return Path(photo.file.storage.path(photo.file.name or ""))
    except NotImplementedError:
        with photo.file.open("rb") as stored, copy.open("wb") as ours:
            shutil.copyfileobj(stored, ours)
        return copy
