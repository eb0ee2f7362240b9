"""Forgetting a document's bytes: withdrawn, joined into another, or found harmful. The row stays and tells
what was there."""

from __future__ import annotations

import logging

from django.db import transaction

from households.documents import renditions
from households.documents.models import Document

logger = logging.getLogger(__name__)


def let_go(document: Document) -> None:
    """Forget the bytes and the pictures of `document`; they leave the storage when the transaction is
    through, so that nothing is lost when it is not. Call inside the transaction of what happened."""
    storage = document.file.storage
    row = Document.objects.for_member(document.member).filter(pk=document.pk)
    row.update(file="")
    # Asked now: since `document` was read, the worker may have made pictures. From here on it makes none.
    pages = row.values_list("pages_pictured", flat=True).get()
    names = [document.file.name, renditions.thumbnail_name(document)]
    names += [renditions.page_name(document, number) for number in range(1, pages + 1)]
    document.file = ""

    def remove() -> None:
        for name in filter(None, names):
            try:
                storage.delete(name)
            except OSError as error:
                # It is withdrawn all the same, and `manage.py sweep_files` finds what is left.
                logger.error("a file could not be deleted: %s", error.strerror or error)

    transaction.on_commit(remove)
