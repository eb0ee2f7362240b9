"""How fast the portal takes a file in, through its real page, with everything that belongs to keeping it:
checks, row, audit entry. As a ratio to one thread that writes and hashes the same bytes on the same disk.
"""

from __future__ import annotations

import hashlib
import io
import os
import statistics
import time
import uuid
from collections.abc import Callable
from pathlib import Path

ROUNDS = 9
SIZES_MB = (10, 25)
PIECE = 64 * 1024


def measure(post: Callable[[bytes, str], int], folder: Path) -> dict[str, float]:
    """Figures of uploads. `post` sends a form's body with its content type to the documents page and
    returns the answer's status; `folder` lies on the disk where the portal keeps files."""
    figures: dict[str, float] = {}
    for size in SIZES_MB:
        paper = large_pdf(size * 1024 * 1024)
        rounds: dict[str, list[float]] = {"portal": [], "plain": [], "synced": []}
        for _round in range(ROUNDS):
            rounds["plain"].append(_write_and_hash(folder, paper, sync=False))
            rounds["synced"].append(_write_and_hash(folder, paper, sync=True))
            rounds["portal"].append(_send(post, paper))
        speed = {
            name: len(paper) / 1e6 / statistics.median(seconds) for name, seconds in rounds.items()
        }
        print(
            f"upload of {size} MB: {speed['portal']:.0f} MB/s; write and hash {speed['plain']:.0f} MB/s, "
            f"with fsync, as the portal does, {speed['synced']:.0f} MB/s"
        )
        for name, value in speed.items():
            figures[f"{name} {size} MB, MB/s"] = round(value, 1)
        for name in ("plain", "synced"):
            ratio = round(speed["portal"] / speed[name], 3)
            figures[f"upload of {size} MB / {name} write and hash"] = ratio
    return figures


def large_pdf(size: int) -> bytes:
    """A scanned page as a PDF of exactly `size` bytes: one picture that cannot be made smaller."""
    width = 500
    height = (size - 10_000) // width
    height += (size - len(_scan(width, height))) // width
    pdf = _scan(width, height)
    return pdf + b"\n" * (size - len(pdf))


def _scan(width: int, height: int) -> bytes:
    import pikepdf

    pdf = pikepdf.new()
    picture = pdf.make_stream(
        os.urandom(width * height),
        Type=pikepdf.Name.XObject,
        Subtype=pikepdf.Name.Image,
        Width=width,
        Height=height,
        ColorSpace=pikepdf.Name.DeviceGray,
        BitsPerComponent=8,
    )
    page = pdf.add_blank_page(page_size=(612, 792))
    page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Scan=picture))
    page.Contents = pdf.make_stream(b"q 612 0 0 792 0 0 cm /Scan Do Q")
    data = io.BytesIO()
    pdf.save(data)
    return data.getvalue()


def _write_and_hash(folder: Path, paper: bytes, *, sync: bool) -> float:
    """Seconds in which one thread writes and hashes, in Django's pieces: the least there is to do."""
    digest = hashlib.sha256()
    path = folder / "paper"
    start = time.perf_counter()
    with memoryview(paper) as view, path.open("wb", buffering=0) as file:
        for place in range(0, len(view), PIECE):
            piece = view[place : place + PIECE]
            digest.update(piece)
            file.write(piece)
        if sync:
            os.fsync(file.fileno())
    seconds = time.perf_counter() - start
    path.unlink()
    return seconds


def _send(post: Callable[[bytes, str], int], paper: bytes) -> float:
    """Seconds from the first byte of the form to the whole answer."""
    edge = uuid.uuid4().hex
    head = (
        f'--{edge}\r\nContent-Disposition: form-data; name="sending_id"\r\n\r\n{uuid.uuid4()}\r\n'
        f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="scan.pdf"\r\n'
        "Content-Type: application/pdf\r\n\r\n"
    )
    body = b"".join([head.encode(), paper, f"\r\n--{edge}--\r\n".encode()])
    start = time.perf_counter()
    status = post(body, f"multipart/form-data; boundary={edge}")
    seconds = time.perf_counter() - start
    assert status == 302, status
    return seconds
