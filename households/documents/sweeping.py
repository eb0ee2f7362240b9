"""Finding what does not belong together: files that no row names, rows whose file is gone or is another,
temporary files left behind, and work of the background worker that was lost (SECURITY R-UP-6).

A row is never touched: what it tells is all that is left to tell somebody that a paper was there. Nothing
here knows a family: it speaks of stored names, which the server made up, and of public ids.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from itertools import chain, islice
from pathlib import Path, PurePath

from django.conf import settings
from django.core.files.storage import default_storage as storage
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from households.documents import quarantine, renditions
from households.documents.models import Document

# A file is stored before its row is written. An upload is never in between for this long.
STRAY_AFTER = timedelta(hours=1)
# Nobody's upload takes a day.
TEMPORARY_AFTER = timedelta(days=1)
_DOCUMENTS, _PICTURES = "documents", "pictures"
_AT_ONCE = 1000
_PIECE = 1024 * 1024


class Kind(StrEnum):
    STRAY = "stray"  # a file or folder in the storage that no row names
    MISSING = "missing"  # a row whose file is not in the storage
    CHANGED = "changed"  # a row whose file has other bytes than were sent
    TEMPORARY = "temporary"  # what an upload that broke off, or a killed process, left behind
    NO_PICTURES = "no pictures"  # pictures that are lost, or that no task is going to make
    UNSCANNED = "unscanned"  # it waits for the virus scanner: no fault, but worth saying


@dataclass(frozen=True)
class Finding:
    """One thing: the stored name, what more there is to say, and whether it is all right now."""

    kind: Kind
    name: str
    more: str = ""
    is_mended: bool = False


@dataclass(frozen=True)
class How:
    """How to sweep. `delete` mends what can be mended without losing anything; without it nothing is
    changed. `checksums` reads every file and looks for every picture. `older_than` is the age from which on
    a file without a row counts; the two above unless given."""

    delete: bool = False
    checksums: bool = False
    older_than: timedelta | None = None

    def age(self, usual: timedelta) -> timedelta:
        return usual if self.older_than is None else self.older_than


def sweep(how: How) -> Iterator[Finding]:
    """Walk through temporary files, rows and storage; yield what is wrong as it is found.

    The stored names are held in memory, everything else comes in pieces. Raises OSError when the storage
    does not answer.
    """
    yield from _temporary(how)
    # The listing first: what is stored and sent after it is not in it, and is asked for again below.
    folders, files = _listed(_DOCUMENTS)
    picture_folders, loose = _listed(_PICTURES)
    documents, pictures = {*folders, *files}, {*picture_folders}
    queued = _pictures_queued()
    for row in _rows():
        name = PurePath(row.file.name or "").name
        has_file, has_pictures = name in documents, name in pictures
        documents.discard(name)
        pictures.discard(name)
        finding = _file_of(how, row, has_file)
        if finding is None and row.pk not in queued and _lacks_pictures(how, row, has_pictures):
            if how.delete:
                renditions.make_pictures.enqueue(row.pk)
            finding = Finding(Kind.NO_PICTURES, row.file.name or "", is_mended=how.delete)
        if finding is not None:
            yield finding
    yield from _strays(how, [f"{_DOCUMENTS}/{name}" for name in sorted(documents)])
    yield from _strays(how, [f"{_PICTURES}/{name}" for name in sorted(loose)])
    yield from _stray_pictures(how, sorted(pictures))
    yield from _unscanned(how)


# --- rows -----------------------------------------------------------------------------


def _rows() -> Iterator[Document]:
    """Everybody's, each query for the next thousand: none holds its view of the database for long."""
    last = 0
    while piece := [*Document.objects.with_bytes().filter(pk__gt=last).order_by("pk")[:_AT_ONCE]]:
        yield from piece
        last = piece[-1].pk


def _file_of(how: How, row: Document, is_listed: bool) -> Finding | None:
    name = row.file.name or ""
    if not is_listed and not storage.exists(name):
        kind = Kind.MISSING
    elif how.checksums and not _is_unchanged(row):
        kind = Kind.CHANGED
    else:
        return None
    if not _named([name]):
        return None  # withdrawn meanwhile
    return Finding(kind, name, f"the file of document {row.public_id}")


def _is_unchanged(row: Document) -> bool:
    size, digest = 0, hashlib.sha256()
    try:
        with storage.open(row.file.name or "") as file:
            while piece := file.read(_PIECE):
                size += len(piece)
                digest.update(piece)
    except FileNotFoundError:
        return False
    return (size, digest.hexdigest()) == (row.size, row.sha256)


def _named(names: list[str]) -> set[str]:
    """Those of these stored names that a row has, now."""
    rows = Document.objects.with_bytes().filter(file__in=names)
    return {*rows.values_list("file", flat=True)}


# --- pictures -------------------------------------------------------------------------


def _pictures_queued() -> set[int]:
    """The documents whose pictures a task is going to make."""
    tasks = DBTaskResult.objects.filter(
        task_path=renditions.make_pictures.module_path, status__in=["READY", "RUNNING"]
    )
    return {task["args"][0] for task in tasks.values_list("args_kwargs", flat=True)}


def _lacks_pictures(how: How, row: Document, has_folder: bool) -> bool:
    if not row.may_be_opened or row.pictures == Document.Pictures.FAILED:
        return False
    if row.pictures == Document.Pictures.WAITING:
        return row.sent_at <= timezone.now() - how.age(STRAY_AFTER)
    wanted = [renditions.thumbnail_name(row)]
    if not has_folder:
        return not storage.exists(wanted[0])  # not made since the listing, either
    if not how.checksums:
        return False
    wanted += [renditions.page_name(row, page) for page in range(1, row.pages_pictured + 1)]
    _folders, made = _listed(str(PurePath(wanted[0]).parent))
    return not {PurePath(name).name for name in wanted} <= {*made}


def _stray_pictures(how: How, folders: list[str]) -> Iterator[Finding]:
    """The pictures of documents that are gone. An empty folder, which a withdrawal leaves, is no fault; it
    goes too."""
    for piece in _pieces_of(folders):
        named = _named([f"{_DOCUMENTS}/{folder}" for folder in piece])
        for folder in piece:
            if f"{_DOCUMENTS}/{folder}" in named:
                continue
            name = f"{_PICTURES}/{folder}"
            inside = [f"{name}/{each}" for each in chain(*_listed(name))]
            if all(_is_old(how, each) for each in inside):
                finding = _removed(how, name, [*inside, name])
                if inside or finding.more:
                    yield finding


# --- files ----------------------------------------------------------------------------


def _strays(how: How, names: list[str]) -> Iterator[Finding]:
    for piece in _pieces_of(names):
        named = _named(piece)  # since they were listed
        for name in piece:
            if name not in named and _is_old(how, name):
                yield _removed(how, name, [name])


def _is_old(how: How, name: str) -> bool:
    try:
        return storage.get_modified_time(name) <= timezone.now() - how.age(STRAY_AFTER)
    except FileNotFoundError:
        return False  # gone since it was listed


def _removed(how: How, name: str, names: list[str]) -> Finding:
    if not how.delete:
        return Finding(Kind.STRAY, name)
    try:
        for each in names:
            storage.delete(each)
    except OSError as error:
        return Finding(Kind.STRAY, name, f"cannot be deleted: {error.strerror or error}")
    return Finding(Kind.STRAY, name, is_mended=True)


def _temporary(how: How) -> Iterator[Finding]:
    limit = (timezone.now() - how.age(TEMPORARY_AFTER)).timestamp()
    for path in sorted(Path(settings.UPLOADING).iterdir()):
        try:
            if _newest(path) > limit:
                continue
            if how.delete:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        except FileNotFoundError:
            continue  # its upload has ended meanwhile
        except OSError as error:
            yield Finding(Kind.TEMPORARY, path.name, f"cannot be deleted: {error.strerror}")
        else:
            yield Finding(Kind.TEMPORARY, path.name, is_mended=how.delete)


def _newest(path: Path) -> float:
    """When anything in it was last written, in seconds."""
    inside = path.rglob("*") if path.is_dir() else ()
    return max(each.lstat().st_mtime for each in (path, *inside))


def _unscanned(how: How) -> Iterator[Finding]:
    count, since = quarantine.waiting()
    if count and since:
        if how.delete:
            quarantine.scan_all_again()
        more = f"{count}, the oldest since {since:%Y-%m-%d %H:%M} UTC"
        yield Finding(Kind.UNSCANNED, "documents wait for the virus scanner", more, is_mended=True)


def _listed(folder: str) -> tuple[list[str], list[str]]:
    """The names of the folders and of the files in a folder of the storage; none when it is not there."""
    try:
        return storage.listdir(folder)
    except FileNotFoundError:
        return [], []


def _pieces_of(names: list[str]) -> Iterator[list[str]]:
    rest = iter(names)
    while piece := [*islice(rest, _AT_ONCE)]:
        yield piece
