"""A record as a zip: printed, as FHIR, and with every paper that may be opened, as it was sent.

It is written piece by piece to where it goes, so that a family's papers need no memory. manifest-sha256.txt
names every file in it with its SHA-256, as `sha256sum --check` reads it, and what was left out.
"""

from __future__ import annotations

import hashlib
import re
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import IO
from urllib.parse import quote

from django.utils import timezone

from households.documents.models import Document
from households.record.cleaning import one_line
from households.record.fhir_bundle import record_json
from households.record.reading import Record
from households.record.typesetting import record_pdf

_PIECE = 1024 * 1024
_LONGEST_NAME = 80
# What some system cannot have in a file's name, or takes for a folder.
_NOT_IN_A_NAME = re.compile(r'[\\/:*?"<>|]+')
_ONLY_ON_WINDOWS = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")


@dataclass(frozen=True)
class LeftOut:
    """A paper that is not in the zip as it was sent. `is_fault` when it should be."""

    document: Document
    why: str
    is_fault: bool


def write_zip(record: Record, out: IO[bytes]) -> list[LeftOut]:
    """Write the zip to `out`, which can seek. Returns what is not in it as it was sent."""
    left_out: list[LeftOut] = []
    sums: list[tuple[str, str]] = []
    where: dict[uuid.UUID, str] = {}
    stamp = timezone.localtime(record.made_at).timetuple()[:6]
    with zipfile.ZipFile(out, "w") as archive:
        for document, name in _named(record.documents):
            if not document.may_be_opened:
                left_out.append(LeftOut(document, str(document.get_scan_display()), is_fault=False))
                continue
            path = f"documents/{name}"
            digest = _add_paper(archive, _entry(path, stamp), document)
            if digest is None:
                left_out.append(LeftOut(document, "its file is missing", is_fault=True))
                continue
            if digest != document.sha256:
                why = "its file is not what was sent any more"
                left_out.append(LeftOut(document, why, is_fault=True))
            sums.append((digest, path))
            where[document.public_id] = quote(path)
        for path, data in (
            ("record.json", record_json(record, where)),
            ("record.pdf", record_pdf(record)),
        ):
            archive.writestr(_entry(path, stamp), data, zipfile.ZIP_DEFLATED)
            sums.append((hashlib.sha256(data).hexdigest(), path))
        archive.writestr(_entry("manifest-sha256.txt", stamp), _manifest(sums, left_out))
    return left_out


def _entry(path: str, stamp: tuple[int, ...]) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(path, stamp)  # type: ignore[arg-type] # the first six parts of a time
    info.external_attr = 0o600 << 16
    return info


def _add_paper(archive: zipfile.ZipFile, info: zipfile.ZipInfo, document: Document) -> str | None:
    """The SHA-256 of what went in; None when there is no file any more."""
    try:
        file = document.file.storage.open(document.file.name or "", "rb")
    except FileNotFoundError:
        return None
    digest = hashlib.sha256()
    # Stored: photos and PDFs are packed already.
    info.file_size = document.size
    with (
        file,
        archive.open(info, "w", force_zip64=document.size > zipfile.ZIP64_LIMIT // 2) as target,
    ):
        while piece := file.read(_PIECE):
            digest.update(piece)
            target.write(piece)
    return digest.hexdigest()


def _named(documents: list[Document]) -> Iterator[tuple[Document, str]]:
    """Each with a name of its own that every system can have, also one that takes A for a."""
    taken: set[str] = set()
    for document in documents:
        path = PurePath(_clean_name(document.name))
        name, number = str(path), 1
        while name.casefold() in taken:
            number += 1
            name = f"{path.stem} ({number}){path.suffix}"
        taken.add(name.casefold())
        yield document, name


def _clean_name(name: str) -> str:
    clean = _NOT_IN_A_NAME.sub("-", one_line(name)).strip(". ") or "document"
    if _ONLY_ON_WINDOWS.match(clean):
        clean = f"_{clean}"
    path = PurePath(clean)
    suffix = path.suffix[:10]
    return f"{path.stem[: _LONGEST_NAME - len(suffix)].strip()}{suffix}"


def _manifest(sums: list[tuple[str, str]], left_out: list[LeftOut]) -> str:
    lines = [f"{digest}  {path}" for digest, path in sums]
    lines += [f"# {one_line(one.document.name)}: {one.why}" for one in left_out]
    return "\n".join([*lines, ""])
