"""QR codes as the path of an SVG, which a page can hold without a script, a style or another address."""

from __future__ import annotations

from dataclasses import dataclass

import segno

# ISO/IEC 18004: four modules of white around it. M: an eighth of it may be dirty or torn.
_QUIET = 4
_ERRORS = "m"


@dataclass(frozen=True)
class QrCode:
    """A square of `size` modules, its black ones as the path of an SVG."""

    size: int
    path: str


def qr_code(text: str) -> QrCode:
    rows = list(segno.make(text, error=_ERRORS, micro=False).matrix_iter(border=_QUIET))
    pieces = [
        f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, black in enumerate(row) if black
    ]
    return QrCode(len(rows), "".join(pieces))
