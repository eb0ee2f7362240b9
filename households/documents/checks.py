"""Whether a file is what it says: extension, first bytes and a full parse have to agree (R-UP-1).

No parser is believed alone: Pillow and pikepdf both forgive junk that a browser might run.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import PurePath
from typing import BinaryIO, cast

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files import File
from django.utils.translation import gettext as _

from households.documents.models import Document
from households.documents.receiving import ReceivedFile

ContentType = Document.ContentType

_MOST_PIXELS = 100_000_000
_MOST_PAGES = 2_000
_EXTENSIONS = {
    ".pdf": ContentType.PDF,
    ".jpg": ContentType.JPEG,
    ".jpeg": ContentType.JPEG,
    ".png": ContentType.PNG,
}
_FIRST_BYTES = {
    ContentType.PDF: b"%PDF-",
    ContentType.JPEG: b"\xff\xd8\xff",
    ContentType.PNG: b"\x89PNG\r\n\x1a\n",
}


@dataclass(frozen=True)
class Checked:
    """What is known of a file that may be kept."""

    content_type: Document.ContentType
    pages: int


def check(file: ReceivedFile) -> Checked:
    """Look at a whole uploaded file before it is kept.

    Raises ValidationError that says why the file is refused and what to do.
    """
    if file.is_too_large:
        raise ValidationError(
            _("The file is larger than %(size)d MB. Send it in parts, or take a smaller photo.")
            % {"size": settings.FILE_MB}
        )
    return Checked(content_type_of(file, file.name or ""), 1)


def content_type_of(file: File, name: str) -> Document.ContentType:
    """The type of an uploaded file. Leaves `file` at its start.

    Raises ValidationError that says why the file is refused and what to do.
    """
    content_type = _EXTENSIONS.get(PurePath(name).suffix.lower())
    if content_type is None:
        raise ValidationError(
            _(
                "Only PDF, JPEG and PNG files can be sent. Take a photo of the paper, or save it as a PDF."
            )
        )
    file.seek(0)
    head = file.read(8)
    file.seek(0)
    if not head:
        raise ValidationError(_("The file is empty. Choose it again, or take a new photo."))
    if not head.startswith(_FIRST_BYTES[content_type]):
        raise ValidationError(
            _("The file is not really a %(type)s. Open it, and save or photograph it again.")
            % {"type": content_type.label}
        )
    if content_type is ContentType.PDF:
        _parse_pdf(file)
    else:
        _parse_image(file, content_type)
    file.seek(0)
    return content_type


def _parse_image(file: File, content_type: Document.ContentType) -> None:
    # Imported here: these libraries are large, and only uploads need them.
    from PIL import Image, UnidentifiedImageError

    kind = "JPEG" if content_type is ContentType.JPEG else "PNG"
    unreadable = _("The picture cannot be read; it may be damaged. Take the photo again.")
    too_large = _("The picture has too many pixels. Take the photo with a normal camera setting.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(file, formats=[kind]) as image:
                # From the header, before anything is decoded: a tiny file can claim to be huge.
                if image.width * image.height > _MOST_PIXELS:
                    raise ValidationError(too_large)
                image.load()
    except Image.DecompressionBombError:  # Pillow's own limit, also from the header
        raise ValidationError(too_large) from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        raise ValidationError(unreadable) from None


def _parse_pdf(file: File) -> None:
    import pikepdf

    try:
        with pikepdf.open(cast(BinaryIO, file)) as pdf:
            if not 0 < len(pdf.pages) <= _MOST_PAGES:
                raise ValidationError(
                    _("The PDF has no pages, or more than %(most)d. Send it in parts.")
                    % {"most": _MOST_PAGES}
                )
    except pikepdf.PasswordError:
        raise ValidationError(
            _("The PDF is locked with a password. Save it without the password and send it again.")
        ) from None
    except pikepdf.PdfError:
        raise ValidationError(
            _("The PDF cannot be read; it may be damaged. Save or scan it again.")
        ) from None
