"""How fast the portal takes a file in, through its real page, with everything that belongs to keeping it:
checks, syncing, row, audit entry. As a ratio to one thread that writes and hashes the same bytes on the same
disk; and to one that also waits until they lie safe on it (fsync), as the portal does.
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
TRIES = 3
SIZES_MB = (10, 25)
PIECE = 64 * 1024  # Django's
# The least that has to be reached, against a thread with the same duty: the bytes lie on the disk, and not in
# memory that a power cut takes. Without that duty the ratio is printed, and has no limit: waiting for the
# disk alone takes longer than writing to memory and hashing. What every sending costs, large or small (its
# page, a program that reads the file, three waits for the disk), is half the time of 10 MB.
LIMITS = {
    "upload of 10 MB / write, hash and fsync": 0.4,
    "upload of 25 MB / write, hash and fsync": 0.5,
}


def measure(post: Callable[[bytes, str], int], folder: Path) -> dict[str, float]:
    """Figures of uploads. `post` sends a form's body with its content type to the documents page and
    returns the answer's status; `folder` lies on the disk where the portal keeps files."""
    figures: dict[str, float] = {}
    for size in SIZES_MB:
        paper = large_pdf(size * 1024 * 1024)
        upload = f"upload of {size} MB"
        ways: dict[str, Callable[[], float]] = {
            "write and hash": lambda: _write_and_hash(folder, paper, sync=False),  # noqa: B023 # called in this very round
            "write, hash and fsync": lambda: _write_and_hash(folder, paper, sync=True),  # noqa: B023 # called in this very round
            upload: lambda: _send(post, paper),  # noqa: B023 # called in this very round
        }
        rounds: dict[str, list[float]] = {name: [] for name in ways}
        for each in range(-1, ROUNDS):  # the first warms up
            for name, way in ways.items():
                # The fastest of a few: other work of the machine slows one, seldom all.
                seconds = min(way() for _try in range(TRIES))
                if each >= 0:
                    rounds[name].append(seconds)
        median = {name: statistics.median(seconds) for name, seconds in rounds.items()}
        speed = {name: len(paper) / 1e6 / seconds for name, seconds in median.items()}
        print(", ".join(f"{name} {value:.0f} MB/s" for name, value in reversed(speed.items())))
        print(f"{upload} / write and hash, in memory {speed[upload] / speed['write and hash']:.2f}")
        for name, value in speed.items():
            if name != upload:
                figures[f"{upload} / {name}"] = round(speed[upload] / value, 3)
            figures[f"{name}, {size} MB, MB/s"] = round(value, 1)
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
