"""Regular expressions out of imported forms, run by RE2: in time that grows with the text alone.

Python's own `re` is never given a foreign pattern: a nested quantifier would hold a worker for minutes.
"""

from __future__ import annotations

import functools

import re2

LONGEST_PATTERN = 1_000
# RE2 spells fewer classes than the Java and PCRE that authors had in mind.
_SPELLINGS = ((r"\h", r"[ \t]"), (r"\R", r"(?:\r\n|\n|\r)"))

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 1 << 20


@functools.lru_cache(maxsize=500)
def _compiled(pattern: str) -> re2._Regexp | None:
    if len(pattern) > LONGEST_PATTERN:
        return None
    for theirs, ours in _SPELLINGS:
        pattern = pattern.replace(theirs, ours)
    try:
        return re2.compile(pattern, options=_OPTIONS)
    except re2.error:
        return None


def is_pattern(pattern: str) -> bool:
    """Whether this is a pattern that can be asked for."""
    return _compiled(pattern) is not None


def fits(pattern: str, typed: str) -> bool:
    """Whether the whole text is as the pattern says (extension regex); true for what is no pattern."""
    compiled = _compiled(pattern)
    return compiled is None or compiled.fullmatch(typed) is not None


def found(pattern: str, searched: str) -> bool:
    """FHIRPath matches(): somewhere in the text. Raises ValueError for what is no pattern."""
    compiled = _compiled(pattern)
    if compiled is None:
        raise ValueError("Not a pattern that RE2 knows.")
    return compiled.search(searched) is not None


def replaced(pattern: str, searched: str, by: str) -> str:
    """FHIRPath replaceMatches(), with `$1` for what a group caught. Raises ValueError as `found` does."""
    compiled = _compiled(pattern)
    if compiled is None:
        raise ValueError("Not a pattern that RE2 knows.")
    pieces: list[str] = []
    end = 0
    for match in compiled.finditer(searched):
        pieces += [searched[end : match.start()], _filled(by, match)]
        end = match.end()
    return "".join([*pieces, searched[end:]])


def _filled(by: str, match: re2._Match) -> str:
    for group in range(min(9, len(match.groups())), -1, -1):
        by = by.replace(f"${group}", match.group(group) or "")
    return by
