"""Forgetting a document's bytes: withdrawn, joined into another, or found harmful. The row stays and tells
what was there."""

from __future__ import annotations

from django.db import transaction

from households.documents import renditions
from households.documents.models import Document


def let_go(document: Document) -> None:
    """Forget the bytes and the pictures of `document`; they leave the storage when the transaction is
    through, so that nothing is lost when it is not. Call inside the transaction of what happened."""
    storage = document.file.storage
    names = [document.file.name, renditions.thumbnail_name(document)]
    names += [
        renditions.page_name(document, number) for number in range(1, document.pages_pictured + 1)
    ]
    Document.objects.for_member(document.member).filter(pk=document.pk).update(file="")
    document.file = ""

    def remove() -> None:
        for name in names:
            if name:
                storage.delete(name)

    transaction.on_commit(remove)
