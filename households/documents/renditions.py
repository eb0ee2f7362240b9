"""The pictures of a document's pages, which are what a browser is shown.

They are JPEG, upright, without location or any other data of the camera, made by the background worker. A
document's pictures lie beside each other in the storage under names made from the document's own.
"""

from __future__ import annotations

from django_tasks import task

from households.documents.models import Document

MOST_PAGES_PICTURED = 30


def thumbnail_name(document: Document) -> str:
    """The storage name of the small picture of the first page."""
    return f"{_folder(document)}/thumbnail.jpg"


def page_name(document: Document, number: int) -> str:
    """The storage name of the picture of page `number`, counted from 1."""
    return f"{_folder(document)}/{number}.jpg"


def _folder(document: Document) -> str:
    return (document.file.name or "").replace("documents/", "pictures/", 1)


def remove(document: Document) -> None:
    """Take the pictures out of the storage."""
    storage = document.file.storage
    for number in range(1, document.pages_pictured + 1):
        storage.delete(page_name(document, number))
    storage.delete(thumbnail_name(document))


@task()
def make_pictures(document_id: int) -> str:
    """Make the pictures of a document. Returns what became of it, in a word."""
    return "not-yet"
