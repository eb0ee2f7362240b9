"""A chapter as plain text, to be copied into another record system: one fact a line.

Pasted into a spreadsheet it stays text: no line begins like a formula, and nothing jumps to a next cell
(SECURITY IN-07).
"""

from __future__ import annotations

from households.record.cleaning import one_line
from households.record.words import Chapter, Item

_BEGINS_A_FORMULA = ("=", "+", "-", "@")


def plain_text(chapter: Chapter) -> str:
    head = [chapter.title, *filter(None, [chapter.answer, chapter.said])]
    blocks = [head, *(_lines(item) for item in chapter.items)]
    return "\n\n".join("\n".join(_safe(line) for line in block) for block in blocks) + "\n"


def _lines(item: Item) -> list[str]:
    lines = [f"{item.label}: {item.title}", *(f"{label}: {value}" for label, value in item.lines)]
    return [*lines, *filter(None, [item.said])]


def _safe(line: str) -> str:
    line = one_line(line)
    return f"'{line}" if line.startswith(_BEGINS_A_FORMULA) else line
