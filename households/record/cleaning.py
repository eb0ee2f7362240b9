"""What families and staff typed, fit for files that other programs read: as text, and as nothing else."""

from __future__ import annotations

import re

# Control characters, halves of characters and what is no character: no JSON, PDF or XML may hold them.
_NO_TEXT = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
    "|["
    + "".join(
        f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000)
    )
    + "]"
)
# They turn round the text that follows, up to the end of the paragraph: "10 mg" could read "gm 01".
# The marks that right-to-left languages are written with (LRM, RLM) only touch their neighbours and stay.
_TURNS_TEXT = re.compile("[\u202a-\u202e\u2066-\u2069]")
_NEW_LINE = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")


def clean(text: object) -> str:
    """`text` with its lines, without what no reader should see or run; "" for None."""
    if text is None:
        return ""
    lines = _NEW_LINE.sub("\n", str(text))
    return _NO_TEXT.sub(" ", _TURNS_TEXT.sub("", lines)).strip()


def one_line(text: object) -> str:
    return " ".join(clean(text).split())
