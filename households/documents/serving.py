"""How files leave the portal: to families and to staff, whole, in part or only asked about.

Whoever calls has asked whether this visitor may have the document. Here is decided whether anybody may, and
that no browser makes more of the bytes than a file of their type (SECURITY R-UP-4).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.core.files import File
from django.core.files.storage import FileSystemStorage, Storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header, parse_etags

from households.documents.models import Document

_log = logging.getLogger(__name__)

_ONE_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)", re.IGNORECASE)
# deploy/nginx.conf maps it to PORTAL_DATA/files, for the portal's answers only.
_NGINX_LOCATION = "/files/"


def document_response(
    request: HttpRequest, document: Document, *, as_attachment: bool
) -> HttpResponseBase:
    """The document as it was sent. Raises Http404 when nobody may open it, or when it is not there."""
    _refuse_unopenable(document)
    return file_response(
        request,
        storage=document.file.storage,
        name=document.file.name or "",
        size=document.size,
        content_type=document.content_type,
        sha256=document.sha256,
        filename=document.name,
        as_attachment=as_attachment,
    )


@contextmanager
def handing_out(response: HttpResponseBase) -> Iterator[None]:
    """What has to succeed before the file goes: where it does not, the file is closed again."""
    try:
        yield
    except BaseException:
        response.close()
        raise


def picture_response(request: HttpRequest, document: Document, name: str) -> HttpResponseBase:
    """A picture of one of its pages; `name` is the picture's in the storage (renditions.py). Raises Http404
    when nobody may open the document, or when the picture is not there."""
    _refuse_unopenable(document)
    return file_response(
        request,
        storage=document.file.storage,
        name=name,
        content_type="image/jpeg",
        filename=f"{PurePath(document.name).stem} {PurePath(name).name}",
        as_attachment=False,
    )


def file_response(
    request: HttpRequest,
    *,
    storage: Storage,
    name: str,
    content_type: str,
    filename: str,
    as_attachment: bool,
    size: int | None = None,
    sha256: str = "",
) -> HttpResponseBase:
    """The answer to a GET or HEAD for the file `name` of `storage`: 200, 206, 304, 412 or 416 (RFC 9110).
    `filename` is what a browser saves it as; `size` and `sha256` are what the file was when it was kept.

    Raises Http404, and says so in the log, when it is not there or not of that size any more.
    """
    size = _size_in_storage(storage, name, size)
    etag = f'"{sha256}"' if sha256 else ""
    headers = {
        "Content-Type": content_type,
        "Content-Disposition": _disposition(filename, as_attachment=as_attachment),
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
        "Accept-Ranges": "bytes",
    }
    if etag:
        headers["ETag"] = etag
    if status := _failed_precondition(request, etag):
        length = size if status == 304 else 0  # of a 304: what the 200 would have had
        return HttpResponse(status=status, headers={**headers, "Content-Length": str(length)})
    if request.method == "HEAD":  # a Range is for GET only (RFC 9110, 14.2)
        return HttpResponse(headers={**headers, "Content-Length": str(size)})

    part = _asked_part(request, etag, size)
    if part is not None and not part:
        return HttpResponse(status=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    if path := _path_for_front_server(storage, name):
        # It looks at the Range itself, and says itself that it does.
        del headers["Accept-Ranges"]
        return HttpResponse(headers={**headers, settings.SENDFILE: path})
    status = 200
    if part is not None:
        status = 206
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    part = range(size) if part is None else part
    headers["Content-Length"] = str(len(part))
    try:
        file = storage.open(name, "rb")
    except FileNotFoundError:  # withdrawn this moment
        raise Http404 from None
    return _FileInPieces(_Part(file, part), status=status, headers=headers)


def _refuse_unopenable(document: Document) -> None:
    """A file in quarantine is opened by nobody, whoever calls (SECURITY R-UP-5)."""
    if not document.may_be_opened:
        raise Http404


def _size_in_storage(storage: Storage, name: str, expected: int | None) -> int:
    try:
        size: int = storage.size(name)
    except FileNotFoundError:
        size = -1
    if size < 0 or size != (size if expected is None else expected):
        what = "is missing" if size < 0 else f"has {size} bytes instead of {expected}"
        # Which one is not for the log, whose lines leave out everything that looks like a key.
        _log.warning("A kept file %s. `manage.py sweep_files --checksums` names it.", what)
        raise Http404
    return size


def _disposition(filename: str, *, as_attachment: bool) -> str:
    """RFC 6266. Whatever a name holds that is not to be seen would break the header, or turn its text
    around; names are cleaned when they are kept, and here no name is believed."""
    shown = "".join(c for c in filename if c.isprintable()).strip()
    return content_disposition_header(as_attachment, shown or "document") or ""


# --- what is asked for (RFC 9110, 13 and 14) ------------------------------------------


def _failed_precondition(request: HttpRequest, etag: str) -> int:
    """412 or 304 instead of the file (13.2.2); 0 to go on. Dates are not compared: we name none."""
    if_match = parse_etags(request.headers.get("If-Match", ""))
    if if_match and not {"*", etag} & {*if_match}:
        return 412
    seen = {tag.removeprefix("W/") for tag in parse_etags(request.headers.get("If-None-Match", ""))}
    return 304 if {"*", etag} & seen else 0


def _asked_part(request: HttpRequest, etag: str, size: int) -> range | None:
    """The bytes of a GET's Range: none of them when it lies behind the end, None for the whole file.

    What cannot be read is no range (14.2). Several ranges are answered with the whole file, as 14.2 allows:
    no viewer of papers needs parts in one answer, and a flood of them then costs nothing.
    """
    if request.headers.get("If-Range", etag) != etag:
        return None
    found = _ONE_RANGE.fullmatch(request.headers.get("Range", "").strip())
    if found is None or found[0].endswith("=-") or not size:
        return None
    if not found[1]:
        return range(size - min(_number(found[2]), size), size)
    first, last = _number(found[1]), _number(found[2]) if found[2] else size
    if last < first and found[2]:
        return None
    return range(min(first, size), min(last + 1, size))


def _number(digits: str) -> int:
    """Where it has more digits than the size of any file: one that is larger than that. Python refuses to
    read thousands of digits."""
    digits = digits.lstrip("0")
    return int(digits or 0) if len(digits) < 19 else 10**18


# --- how the bytes go -----------------------------------------------------------------


class _FileInPieces(FileResponse):
    block_size = 64 * 1024

    def set_headers(self, filelike: Any) -> None:
        pass  # they are known; Django would read on to the end of the file for them


class _Part:
    """These bytes of an open file and no others, as a file. The web server sends a file that has a
    descriptor by sendfile(2): from where it stands, as many bytes as Content-Length says."""

    def __init__(self, file: File, part: range) -> None:
        file.seek(part.start)
        self._left = len(part)
        self._read, self.seek, self.close = file.read, file.seek, file.close
        self.fileno = file.fileno

    def read(self, size: int) -> bytes:
        data = self._read(min(size, self._left))
        self._left -= len(data)
        return data


def _path_for_front_server(storage: Storage, name: str) -> str:
    """What PORTAL_SENDFILE's header says; "" where the portal sends the bytes."""
    if not settings.SENDFILE or not isinstance(storage, FileSystemStorage):
        return ""
    is_nginx = settings.SENDFILE == "X-Accel-Redirect"
    return quote(f"{_NGINX_LOCATION}{name}" if is_nginx else storage.path(name))
