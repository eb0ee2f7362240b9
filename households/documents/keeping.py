"""Keeping a document's file and its row together or not at all (SECURITY R-UP-6). The other way round is
letting_go.py.

The file goes first, then the row: a row in the database always has its file. What ends in between leaves at
most a file that no row names, which `manage.py sweep_files` finds.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils.translation import gettext as _

from households.documents.models import Document
from households.documents.receiving import ReceivedFile

logger = logging.getLogger(__name__)


@contextmanager
def kept_together(document: Document, file: ReceivedFile) -> Iterator[None]:
    """Put `file` into the storage as the bytes of the unsaved `document`, and run the block, which saves
    the row, in a transaction. When it does not come through, the file goes again.

    Raises ValidationError, for the family to read, when the storage does not take the file.
    """
    try:
        document.file.save(document.name, file, save=False)
    except OSError as error:
        # The text of an error with a number has the path in it.
        logger.error("a file could not be stored: %s", error.strerror or error)
        raise ValidationError(
            _(
                "The portal cannot store files at the moment, so this one was not kept. Send it again in "
                "an hour. If that does not help, call the practice."
            )
        ) from None
    name, storage = str(document.file.name), document.file.storage
    line = None
    try:
        with transaction.atomic():
            yield
            line = connection.connection
    except BaseException:
        # The line to the database can break while it commits: Django drops it then, and nobody here knows
        # whether the row stands. Rather a file without a row than a row without its file.
        if line is None or connection.connection is line:
            with contextlib.suppress(OSError):
                storage.delete(name)
        raise
