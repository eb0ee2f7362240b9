"""Tidying text that front desks and spreadsheets left behind. How a name is spelt is never changed."""

from __future__ import annotations

import re
import unicodedata

# What never belongs in a roster: the file is damaged there.
DAMAGE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_LOST = re.compile(r"[?\ufffd]")
_JOINERS = "\u200c\u200d"
_SUFFIX = re.compile(
    r"(?P<last>.*\S)(?:\s*,\s*|\s+)(?P<suffix>(?:jr|sr|ii|iii|iv|md|phd|jd|do|dds|esq)\.?)",
    re.IGNORECASE,
)
_NOT_AFTER_A_BLANK = {"do", "md", "jd"}
_NEWBORN = re.compile(
    r"(baby|newborn|infant)\s*(boy|girl|male|female|of\s.*)?\s*[a-d1-4]?"
    r"|(boy|girl)\s*[a-d1-4]|(male|female)\s*infant|b[bg]\s*[a-d1-4]?|twin\s*[a-d1-4]",
    re.IGNORECASE,
)


def tidy(raw: str) -> tuple[str, frozenset[str]]:
    """The text in NFC, without blanks around it or doubled, without invisible characters; and what kinds of
    untidiness it had.

    >>> tidy("  Mary   Ann ")
    ('Mary Ann', frozenset({'stray_spaces'}))
    """
    if raw.isascii() and raw.isprintable() and raw == raw.strip() and "  " not in raw:
        return raw, frozenset()
    kinds = set()
    text = unicodedata.normalize("NFC", raw)
    if text != raw:
        kinds.add("nfd")
    seen = _without_invisible(text)
    if seen != text:
        kinds.add("zero_width_in_name")
    plain = re.sub(r"[^\S\n\r\t ]", " ", seen)
    if plain != seen:
        kinds.add("nbsp")
    text = " ".join(plain.split())
    if text != plain:
        kinds.add("stray_spaces")
    return text, frozenset(kinds)


def _without_invisible(text: str) -> str:
    """Joiners stay between letters of the scripts that spell with them (Persian, Hindi)."""
    kept: list[str] = []
    for character in text:
        if unicodedata.category(character) == "Cf" and not (
            character in _JOINERS and kept and kept[-1] > "\u0590"
        ):
            continue
        kept.append(character)
    return "".join(kept)


def split_suffix(last_name: str) -> tuple[str, str]:
    """("Weimann", "Jr.") of "Weimann, Jr."; ("Weimann", "") when there is none."""
    found = _SUFFIX.fullmatch(last_name)
    if not found or not found["last"].strip(" ,"):
        return last_name, ""
    if "," not in last_name and found["suffix"].lower() in _NOT_AFTER_A_BLANK:
        return last_name, ""  # "Do" and "Md" are family names too
    return found["last"].rstrip(" ,"), found["suffix"]


def is_suffix(text: str) -> bool:
    return split_suffix(f"x, {text}")[1] == text


def is_newborn_placeholder(first_name: str) -> bool:
    return bool(_NEWBORN.fullmatch(first_name))


def has_lost_letters(name: str) -> bool:
    """A letter that the file's encoding does not have became a question mark."""
    return bool(_LOST.search(name))


def is_formula_or_markup(name: str) -> bool:
    return name.startswith(("=", "+", "-", "@")) or bool(re.search("[<>]", name))


def is_upper_case(first_name: str, last_name: str) -> bool:
    return all(len(name) > 1 and name.isupper() for name in (first_name, last_name))
