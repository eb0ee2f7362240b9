"""Small real files, made here."""

from __future__ import annotations

import io

from django.core.files.uploadedfile import SimpleUploadedFile


def png(
    name: str = "card.png", colour: str = "teal", size: tuple[int, int] = (8, 8)
) -> SimpleUploadedFile:
    from PIL import Image

    data = io.BytesIO()
    Image.new("RGB", size, colour).save(data, "PNG")
    return SimpleUploadedFile(name, data.getvalue(), "image/png")


def jpeg(name: str = "photo.jpg", colour: str = "navy") -> SimpleUploadedFile:
    from PIL import Image

    data = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(data, "JPEG")
    return SimpleUploadedFile(name, data.getvalue(), "image/jpeg")


def pdf(name: str = "lab.pdf", pages: int = 1, password: str = "") -> SimpleUploadedFile:
    import pikepdf

    document = pikepdf.new()
    for _page in range(pages):
        document.add_blank_page()
    data = io.BytesIO()
    encryption = pikepdf.Encryption(owner=password, user=password) if password else False
    document.save(data, encryption=encryption)
    return SimpleUploadedFile(name, data.getvalue(), "application/pdf")
