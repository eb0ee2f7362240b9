"""Whether a file is what it says: extension, first bytes and a full parse have to agree (SECURITY R-UP-1).

No parser is believed alone: all of them forgive junk that a browser might run. The parse itself happens in
another process (reading.py); here is what a person is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from households.documents import reading
from households.documents.file_reader import MOST_PAGES, MOST_PIXELS
from households.documents.models import Document
from households.documents.receiving import ReceivedFile

ContentType = Document.ContentType

_EXTENSIONS = {
    ".pdf": ContentType.PDF,
    ".jpg": ContentType.JPEG,
    ".jpeg": ContentType.JPEG,
    ".png": ContentType.PNG,
    ".heic": ContentType.HEIC,
    ".heif": ContentType.HEIC,
    ".webp": ContentType.WEBP,
}
# As people call them, behind "a".
_NAMES = {
    ContentType.PDF: gettext_lazy("PDF"),
    ContentType.JPEG: gettext_lazy("JPEG photo"),
    ContentType.PNG: gettext_lazy("PNG picture"),
    ContentType.HEIC: gettext_lazy("HEIC photo"),
    ContentType.WEBP: gettext_lazy("WebP picture"),
}
_HEAD = 64
# ISO/IEC 23008-12, annex B: the brands of pictures and bursts coded in HEVC, which is what HEIC means …
_HEVC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
# … and those that say nothing of the coding; an AVIF file has them too.
_ANY_CODING = {b"mif1", b"msf1"}


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
    path = Path(file.temporary_file_path())
    with path.open("rb") as opened:
        head = opened.read(_HEAD)
    content_type = _agreed_type(PurePath(file.name or "").suffix.lower(), head)
    try:
        facts = reading.check(path, content_type)
    except reading.Refused as refused:
        raise ValidationError(_why(refused, content_type)) from None
    return Checked(content_type, facts.pages)


def _agreed_type(extension: str, head: bytes) -> Document.ContentType:
    """The type that the extension and the first bytes both tell. Raises ValidationError."""
    named = _EXTENSIONS.get(extension)
    if named is None:
        raise ValidationError(
            _(
                "Only PDF, JPEG, PNG, HEIC and WebP files can be sent. Take a photo of the paper, "
                "or save it as a PDF."
            )
        )
    if not head:
        raise ValidationError(_("The file is empty. Choose it again, or take a new photo."))
    found = _type_of_first_bytes(head)
    if found is named:
        return named
    if found is None:
        raise ValidationError(
            _("The file is not really a %(type)s. Open it, and save or photograph it again.")
            % {"type": _NAMES[named]}
        )
    raise ValidationError(
        _(
            "The file is not really a %(named)s but a %(found)s. Let its name end in %(extension)s, "
            "and choose it again."
        )
        % {
            "named": _NAMES[named],
            "found": _NAMES[found],
            "extension": next(end for end, its_type in _EXTENSIONS.items() if its_type is found),
        }
    )


def _type_of_first_bytes(head: bytes) -> Document.ContentType | None:
    if head.startswith(b"%PDF-"):
        return ContentType.PDF
    if head.startswith(b"\xff\xd8\xff"):
        return ContentType.JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return ContentType.PNG
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return ContentType.WEBP
    return ContentType.HEIC if _is_heic(head) else None


def _is_heic(head: bytes) -> bool:
    """Whether a file begins with the box `ftyp` of an ISO media file, and one of its brands is HEIC's."""
    if head[4:8] != b"ftyp":
        return False
    box = head[: int.from_bytes(head[:4], "big")]
    major, compatible = box[8:12], {box[at : at + 4] for at in range(16, len(box) - 3, 4)}
    return major in _HEVC_BRANDS or (major in _ANY_CODING and bool(compatible & _HEVC_BRANDS))


def _why(refused: reading.Refused, content_type: Document.ContentType) -> str:
    """One sentence on what is wrong and one on what to do (UX DOC-4)."""
    is_pdf = content_type is ContentType.PDF
    match refused.code:
        case "too-many-pixels":
            return _(
                "The picture has too many pixels: %(most)d million are the limit. Take the photo with a "
                "normal camera setting."
            ) % {"most": MOST_PIXELS // 1_000_000}
        case "animated":
            return _("The picture moves. Send a still picture, or take a photo of the paper.")
        case "too-many-pages":
            return _("The PDF has more than %(most)d pages. Send it in parts.") % {
                "most": MOST_PAGES
            }
        case "no-pages":
            return _("The PDF has no pages. Save or scan it again.")
        case "encrypted":
            return _(
                "The PDF is locked or protected with a password. Save it without the password, "
                "or take photos of the pages, and send that."
            )
        case "active":
            return _("The PDF %(contains)s. %(what_to_do)s") % {
                "contains": _contains(refused.detail),
                "what_to_do": _print_it_anew(),
            }
        case "too-complicated" if is_pdf:
            return _("The PDF is too complicated to be checked. %(what_to_do)s") % {
                "what_to_do": _print_it_anew()
            }
        case "too-complicated":
            return _(
                "The picture takes too much memory to be checked. Take the photo again with a normal "
                "camera setting."
            )
    if is_pdf:
        return _("The PDF cannot be read; it may be damaged. %(what_to_do)s") % {
            "what_to_do": _print_it_anew()
        }
    return _("The picture cannot be read; it may be damaged. Take the photo again.")


def _contains(detail: str) -> str:
    match detail:
        case "script":
            return _("contains a program")
        case "attached-files":
            return _("contains attached files")
        case "form":
            return _("contains a form that sends data or runs by itself")
        case "media":
            return _("contains sound or video")
    return _("opens something else by itself")


def _print_it_anew() -> str:
    return _("Print it to a new PDF, or take photos of the pages, and send that.")
