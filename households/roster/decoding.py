"""Bytes to text. Says what a file is when it is not text."""

from __future__ import annotations

import codecs
import re

from households.roster.report import UnreadableFile

LARGEST_MB = 100

_SAVE_AS_CSV = "Open it in the program it came from and save it as “CSV UTF-8”."
_NOT_TEXT = {
    b"PK\x03\x04": "an Excel workbook or a ZIP archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a gzip archive",
    b"SQLite format 3": "a database",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
}
_UTF8_PAIR = re.compile(rb"[\xc3-\xf4][\x80-\xbf]+")


def decode(data: bytes) -> tuple[str, str]:
    """The text and the name of its encoding: UTF-8, UTF-16 with its mark, else Windows-1252.

    Bytes that are nothing in that encoding become lone surrogates, so that their line can be refused and
    the others go in. Raises UnreadableFile for what is empty, too large or not text at all.
    """
    if len(data) > LARGEST_MB * 1024 * 1024:
        raise UnreadableFile(f"The file is larger than {LARGEST_MB} MB. Split it.")
    for start, name in _NOT_TEXT.items():
        if data.startswith(start):
            raise UnreadableFile(f"This is {name}, not a text file. {_SAVE_AS_CSV}")
    text, encoding = _decode(data)
    if not text.strip():
        raise UnreadableFile("The file is empty.")
    sample = text[:65536]
    if sample.count("\x00") * 10 > len(sample):
        raise UnreadableFile(
            f"This is not a text file, or it is UTF-16 without its mark at the start. {_SAVE_AS_CSV}"
        )
    odd = sum(ord(character) < 32 and character not in "\t\r\n\x0b\x0c\x1c" for character in sample)
    if odd * 10 > len(sample):
        raise UnreadableFile(f"This is not a text file. {_SAVE_AS_CSV}")
    return text, encoding


def _decode(data: bytes) -> tuple[str, str]:
    if data.startswith(codecs.BOM_UTF8):
        return data[3:].decode("utf-8", "surrogateescape"), "UTF-8"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return data.decode("utf-16"), "UTF-16"
        except UnicodeDecodeError:
            raise UnreadableFile(f"This is damaged UTF-16 text. {_SAVE_AS_CSV}") from None
    try:
        return data.decode("utf-8"), "UTF-8"
    except UnicodeDecodeError:
        pass
    # One broken byte must not turn every accent of a UTF-8 file into two wrong letters.
    good = len(_UTF8_PAIR.findall(data))
    broken = sum(
        "\udc80" <= letter <= "\udcff" for letter in data.decode("utf-8", "surrogateescape")
    )
    if good > broken:
        return data.decode("utf-8", "surrogateescape"), "UTF-8 (damaged)"
    return data.decode("cp1252", "surrogateescape"), "Windows-1252"
