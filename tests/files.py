"""Small real files, made here: good ones, and ones made to do harm."""

from __future__ import annotations

import io
import struct
import tempfile
import zlib
from collections.abc import Callable
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile


def png(
    name: str = "card.png", colour: str = "teal", size: tuple[int, int] = (8, 8)
) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, picture("PNG", colour, size), "image/png")


def jpeg(
    name: str = "photo.jpg", colour: str = "navy", size: tuple[int, int] = (8, 8)
) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, picture("JPEG", colour, size), "image/jpeg")


def webp(name: str = "card.webp", colour: str = "plum") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, picture("WEBP", colour), "image/webp")


def heic(name: str = "photo.heic", colour: str = "olive") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, picture("HEIF", colour, (64, 64)), "image/heic")


def pdf(name: str = "lab.pdf", pages: int = 1, password: str = "") -> SimpleUploadedFile:
    import pikepdf

    encryption = pikepdf.Encryption(owner=password, user=password) if password else False
    return SimpleUploadedFile(name, pdf_with(pages=pages, encryption=encryption), "application/pdf")


def received(name: str, data: bytes) -> Any:
    """A file as the portal has it when it was taken in, which is gone when it is closed."""
    from django.conf import settings

    from households.documents.receiving import ReceivedFile

    file = tempfile.NamedTemporaryFile(suffix=".upload", dir=settings.UPLOADING)  # noqa: SIM115 # closed by whoever is handed it
    file.write(data)
    file.flush()
    file.seek(0)
    return ReceivedFile(file, name, "application/octet-stream", None, None)


# --- pictures -------------------------------------------------------------------------


def picture(
    kind: str, colour: Any = "teal", size: tuple[int, int] = (8, 8), mode: str = "RGB", **how: Any
) -> bytes:
    """One colour, as Pillow's format `kind`."""
    from PIL import Image

    _know_heic()
    data = io.BytesIO()
    Image.new(mode, size, colour).save(data, kind, **how)
    return data.getvalue()


def camera_photo(kind: str, orientation: int = 6) -> bytes:
    """As a phone saves it, 160 by 80 pixels: the left half red and the right half blue, where it was
    taken, by whom, and which side is up. With orientation 6 red belongs on top."""
    from PIL import Image

    _know_heic()
    photo = Image.new("RGB", (160, 80), "blue")
    photo.paste("red", (0, 0, 80, 80))
    exif = Image.Exif()
    exif[0x010F] = "Secret Camera Maker"
    exif[0x0112] = orientation
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    data = io.BytesIO()
    how = {"comment": b"secret comment"} if kind == "JPEG" else {}
    photo.save(data, kind, quality=95, exif=exif.tobytes(), xmp=b"<x>secret place</x>", **how)
    return data.getvalue()


def animated(kind: str) -> bytes:
    from PIL import Image

    first, second = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    data = io.BytesIO()
    first.save(data, kind, save_all=True, append_images=[second], duration=100)
    return data.getvalue()


def huge_png() -> bytes:
    """A few bytes that claim 400 million pixels; so do the next three."""
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(bytes(1000)))
        + png_chunk(b"IEND", b"")
    )


def huge_jpeg() -> bytes:
    data = bytearray(picture("JPEG"))
    frame = data.index(b"\xff\xc0") + 5
    data[frame : frame + 4] = struct.pack(">HH", 20_000, 20_000)
    return bytes(data)


def huge_webp() -> bytes:
    small = picture("WEBP")
    canvas = struct.pack("<I", 0) + (19_999).to_bytes(3, "little") * 2
    body = b"WEBP" + b"VP8X" + struct.pack("<I", len(canvas)) + canvas + small[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def huge_heic() -> bytes:
    data = picture("HEIF", size=(64, 64))
    return data.replace(
        b"ispe" + struct.pack(">III", 0, 64, 64), b"ispe" + struct.pack(">III", 0, 20_000, 20_000)
    )


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _know_heic() -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()


# --- PDFs -----------------------------------------------------------------------------


def pdf_with(
    change: Callable[[Any], None] = lambda document: None, pages: int = 1, **how: Any
) -> bytes:
    """A PDF of blank pages, after `change`, which gets the pikepdf document."""
    import pikepdf

    document = pikepdf.new()
    for _page in range(pages):
        document.add_blank_page()
    change(document)
    data = io.BytesIO()
    document.save(data, **how)
    return data.getvalue()


def pdf_of(*objects: bytes) -> bytes:
    """A PDF of these objects, written as they are and numbered from 1; the first one is the catalog."""
    pieces, offsets = [b"%PDF-1.7\n"], []
    at = len(pieces[0])
    for number, each in enumerate(objects, 1):
        offsets.append(at)
        pieces.append(b"%d 0 obj\n%s\nendobj\n" % (number, each))
        at += len(pieces[-1])
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    count = len(objects) + 1
    return b"".join(pieces) + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (count, table, count, at)
    )


def pdf_bomb(megabytes: int) -> bytes:
    """A PDF whose objects lie in a stream that unpacks to so many megabytes of nothing."""
    packer = zlib.compressobj(9)
    packed = packer.compress(b"2 0 3 42 ") + packer.compress(
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >> "
        + b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>"
    )
    for _megabyte in range(megabytes):
        packed += packer.compress(b" " * 1024**2)
    packed += packer.flush()
    data = b"%PDF-1.7\n"
    catalog = len(data)
    data += b"1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
    stream = len(data)
    head = b"<< /Type /ObjStm /N 2 /First 9 /Filter /FlateDecode /Length %d >>" % len(packed)
    data += b"4 0 obj\n%s\nstream\n%s\nendstream\nendobj\n" % (head, packed)
    table = len(data)
    rows = [(0, 0, 255), (1, catalog, 0), (2, 4, 0), (2, 4, 1), (1, stream, 0), (1, table, 0)]
    entries = b"".join(struct.pack(">BIB", *row) for row in rows)
    head = b"<< /Type /XRef /Size 6 /W [1 4 1] /Root 1 0 R /Length %d >>" % len(entries)
    data += b"5 0 obj\n%s\nstream\n%s\nendstream\nendobj\n" % (head, entries)
    return data + b"startxref\n%d\n%%%%EOF\n" % table
