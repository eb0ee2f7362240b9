"""A record as a PDF for paper: tagged for screen readers, on Letter paper, in fonts that come along.

What was typed reaches record.typ as data and is set as text. Libertinus, which comes along, knows Latin
letters with every mark, Greek and Cyrillic; for other scripts the machine's own fonts are used. Where none
of them has a letter, the PDF says so and comes out all the same.
"""

from __future__ import annotations

import json
import textwrap
from functools import cache
from pathlib import Path
from typing import Any

from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from households.record.cleaning import one_line
from households.record.reading import Record
from households.record.words import Item, born_words, chapters_of, withheld_words

_TEMPLATE = Path(__file__).with_name("record.typ")
_LONGEST_IN_HEADER = 60
_LONG = 1500  # characters: under half a page


def record_pdf(record: Record) -> bytes:
    import typst

    shown = _shown(record)
    try:
        # PDF/UA refuses a letter that no font has; nothing else here can break it.
        return _typeset(shown, pdf_standards="ua-1")
    except typst.TypstError:
        shown["notes"].append(
            _(
                "Some letters in this file have no font on the computer that made it and show as boxes. "
                "The file for another system has them all."
            )
        )
        return _typeset(shown, pdf_standards=[])


def _typeset(shown: dict[str, Any], **how: Any) -> bytes:
    data: bytes = _compiler().compile(
        input=_TEMPLATE.read_bytes(), format="pdf", sys_inputs={"record": json.dumps(shown)}, **how
    )
    return data


@cache
def _fonts() -> Any:
    """Looked for once: reading the machine's font folders takes longer than a page."""
    import typst

    return typst.Fonts()


def _compiler() -> Any:
    """A new one each time: it keeps the data that it was given last."""
    import typst

    return typst.Compiler(root=_TEMPLATE.parent, font_paths=_fonts())


def _shown(record: Record) -> dict[str, Any]:
    name = one_line(record.member.full_name)
    made = timezone.localtime(record.made_at)
    return {
        "language": (get_language() or "en").partition("-")[0],
        "title": _("Health record of %(name)s") % {"name": name},
        "short_name": textwrap.shorten(name, _LONGEST_IN_HEADER, placeholder="…")
        if " " in name
        else name[:_LONGEST_IN_HEADER],
        "born": born_words(record),
        "practice": one_line(record.practice.name)[:_LONGEST_IN_HEADER],
        "made": _("Made %(at)s") % {"at": f"{made:%Y/%m/%d, %H:%M}"},
        "page_words": _("Page {page} of {pages}"),
        "notes": list(filter(None, [withheld_words(record.withheld)])),
        "chapters": [
            {
                "title": chapter.title,
                "answer": chapter.answer,
                "said": chapter.said,
                "items": [
                    {
                        "label": item.label,
                        "title": item.title,
                        "lines": item.lines,
                        "said": item.said,
                        "is_long": _length(item) > _LONG,
                    }
                    for item in chapter.items
                ],
            }
            for chapter in chapters_of(record)
        ],
    }


def _length(item: Item) -> int:
    return len(item.title) + sum(
        60 + len(value) + 60 * value.count("\n") for _label, value in item.lines
    )
