"""Alive and ready, for whatever watches the portal (SECURITY R-RE-4). Neither says more than a word."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

from django.conf import settings
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from accounts.access import public
from accounts.audit import anchor

logger = logging.getLogger(__name__)
# True once every migration was seen applied: this code does not change while it runs.
_migrated = False


@public
@require_safe
def health_live(request: HttpRequest) -> HttpResponse:
    """This process answers. Asks no database, so that a lost one does not get every worker restarted."""
    return HttpResponse("ok\n", content_type="text/plain")


@public
@require_safe
def health_ready(request: HttpRequest) -> HttpResponse:
    """The database answers, its tables are this code's, and files can be written, the audit's anchor among
    them; otherwise 503."""
    try:
        _ask_database()
        _write_files()
    except (Error, OSError, RuntimeError) as error:
        logger.warning("not ready: %s", type(error).__name__)
        return HttpResponse("not ready\n", status=503, content_type="text/plain")
    return HttpResponse("ok\n", content_type="text/plain")


def _ask_database() -> None:
    global _migrated
    if _migrated:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise RuntimeError("migrations are missing")
    _migrated = True


def _write_files() -> None:
    folders = [settings.UPLOADING]
    if isinstance(default_storage, FileSystemStorage):
        folders.append(Path(default_storage.location))
    else:
        default_storage.listdir("ready")  # a store elsewhere has to answer, and know the bucket
    for folder in folders:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"ready?")
            file.flush()
    if not anchor.is_writable():
        raise OSError("the audit's anchor cannot be written")
