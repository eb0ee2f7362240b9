"""The pictures of a document's pages, which are what a browser is shown.

They are JPEG, upright, without location or any other data of the camera, made by the background worker. A
document's pictures lie beside each other in the storage under names made from the document's own.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.core.files import File
from django.utils import timezone
from django_tasks import task

from households.documents import reading
from households.documents.models import Document

MOST_PAGES_PICTURED = 30
# While the storage does not answer; `manage.py sweep_files` asks again for what was given up.
RETRY_AFTER_MINUTES = (1, 5, 30, 120)

logger = logging.getLogger(__name__)


def thumbnail_name(document: Document) -> str:
    """The storage name of the small picture of the first page."""
    return f"{_folder(document)}/thumbnail.jpg"


def page_name(document: Document, number: int) -> str:
    """The storage name of the picture of page `number`, counted from 1."""
    return f"{_folder(document)}/{number}.jpg"


def _folder(document: Document) -> str:
    return (document.file.name or "").replace("documents/", "pictures/", 1)


def _names(document: Document, pages: int) -> list[str]:
    return [
        thumbnail_name(document),
        *(page_name(document, number) for number in range(1, pages + 1)),
    ]


@task()
def make_pictures(document_id: int, tries: int = 0) -> str:
    """Make the pictures of a document, anew if there are some. Returns what became of it, in a word:
    "made"; "failed", then only the file itself can be had; "later", when the storage does not answer;
    "gone" or "closed", when there is nothing to make them of."""
    document = Document.objects.for_worker(document_id).first()
    if document is None or not document.file:
        return "gone"
    if not document.may_be_opened:
        return "closed"
    with tempfile.TemporaryDirectory(suffix=".pictures", dir=settings.UPLOADING) as folder:
        try:
            pages = _draw(document, Path(folder))
            _store(document, Path(folder), pages)
        except (reading.Refused, FileNotFoundError):
            return "failed" if _settle(document, Document.Pictures.FAILED) else "gone"
        except OSError as error:
            return _try_again(document, tries, error)
    if not _settle(document, Document.Pictures.READY, pages):
        # Withdrawn while they were made; letting_go.py did not know of them.
        for name in _names(document, pages):
            document.file.storage.delete(name)
        return "gone"
    return "made"


def _draw(document: Document, folder: Path) -> int:
    return reading.show(
        _on_disk(document, folder / "original"),
        document.content_type,
        folder,
        MOST_PAGES_PICTURED,
    )


def _on_disk(document: Document, copy: Path) -> Path:
    """Where the bytes lie on this machine: fetched to `copy` where they are stored elsewhere."""
    try:
        return Path(document.file.path)
    except NotImplementedError:
        with document.file.open("rb") as stored, copy.open("wb") as ours:
            shutil.copyfileobj(stored, ours)
        return copy


def _store(document: Document, folder: Path, pages: int) -> None:
    storage = document.file.storage
    for name in _names(document, pages):
        storage.delete(name)  # or the storage would keep both, the new one under another name
        with (folder / Path(name).name).open("rb") as picture:
            storage.save(name, File(picture))


def _settle(document: Document, pictures: Document.Pictures, pages: int = 0) -> bool:
    """Write what came of it, in one statement, unless the document was withdrawn meanwhile."""
    still_there = Document.objects.for_worker(document.pk).filter(file=document.file.name)
    return bool(still_there.update(pictures=pictures, pages_pictured=pages))


def _try_again(document: Document, tries: int, error: OSError) -> str:
    # The text of an error with a number has the path in it.
    logger.warning("Pictures could not be made: %s", error.strerror or error)
    if tries >= len(RETRY_AFTER_MINUTES):
        return "gave-up"
    wait = timedelta(minutes=RETRY_AFTER_MINUTES[tries])
    make_pictures.using(run_after=timezone.now() + wait).enqueue(document.pk, tries + 1)
    return "later"
