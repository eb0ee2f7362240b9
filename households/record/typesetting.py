"""A record, or one form of it, as a PDF for paper: tagged for screen readers, on Letter paper, in fonts that
come along.

What was typed reaches record.typ and form.typ as data and is set as text. Libertinus, which comes along,
knows Latin letters with every mark, Greek and Cyrillic; for other scripts the machine's own fonts are used.
Where none of them has a letter, the PDF says so and comes out all the same.
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

from households.intake.models import QuestionnaireResponse
from households.models import Member, Practice
from households.record.cleaning import clean, one_line
from households.record.filled_forms import (
    facts_of,
    moment_words,
    sections_in_words,
    signature_lines,
    signature_of,
    submission_of,
)
from households.record.reading import Record
from households.record.words import Item, born_words, chapters_of, withheld_words

_HERE = Path(__file__).parent
_LONGEST_IN_HEADER = 60
_LONG = 1500  # characters: under half a page


def record_pdf(record: Record) -> bytes:
    return _printed("record.typ", _shown(record))


def form_pdf(response: QuestionnaireResponse, practice: Practice) -> bytes:
    """One form that was sent: its answers, or the text of a consent, and who signed. The same bytes each
    time, while nothing becomes of it and nobody changes the names on it."""
    return _printed("form.typ", _shown_form(response, practice))


def _printed(template: str, shown: dict[str, Any]) -> bytes:
    import typst

    try:
        # PDF/UA refuses a letter that no font has; nothing else here can break it.
        return _typeset(template, shown, pdf_standards="ua-1")
    except typst.TypstError:
        shown["notes"].append(
            _(
                "Some letters in this file have no font on the computer that made it and show as boxes. "
                "The file for another system has them all."
            )
        )
        return _typeset(template, shown, pdf_standards=[])


def _typeset(template: str, shown: dict[str, Any], **how: Any) -> bytes:
    data: bytes = _compiler().compile(
        input=(_HERE / template).read_bytes(),
        format="pdf",
        sys_inputs={"record": json.dumps(shown)},
        **how,
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

    return typst.Compiler(root=_HERE, font_paths=_fonts())


def _shown(record: Record) -> dict[str, Any]:
    name = one_line(record.member.full_name)
    made = timezone.localtime(record.made_at)
    return {
        **_frame(record.member, record.practice),
        "title": _("Health record of %(name)s") % {"name": name},
        "made": _("Made %(at)s") % {"at": f"{made:%Y/%m/%d, %H:%M}"},
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


def _frame(member: Member, practice: Practice) -> dict[str, Any]:
    """What stands on every page."""
    name = one_line(member.full_name)
    return {
        "language": (get_language() or "en").partition("-")[0],
        "short_name": textwrap.shorten(name, _LONGEST_IN_HEADER, placeholder="…")
        if " " in name
        else name[:_LONGEST_IN_HEADER],
        "born": born_words(member),
        "practice": one_line(practice.name)[:_LONGEST_IN_HEADER],
        "page_words": _("Page {page} of {pages}"),
    }


def _shown_form(response: QuestionnaireResponse, practice: Practice) -> dict[str, Any]:
    member, signature = response.member, signature_of(response)
    sent = moment_words(submission_of(response).sent_at)
    paragraphs = clean(signature.text).split("\n\n") if signature is not None else []
    title = one_line(response.version.questionnaire.title)
    return {
        **_frame(member, practice),
        "title": title,
        "about": one_line(member.full_name),
        "made": _("Sent %(at)s") % {"at": sent},
        "notes": [],
        "facts": facts_of(response),
        "not_given": _("Not given"),
        "sections": [
            {
                "title": _("Answers") if section.title == title else section.title,
                "parts": [{"title": part.title, "rows": part.rows} for part in section.parts],
            }
            for section in sections_in_words(response)
        ],
        "signature_title": _("Signature"),
        "text": [paragraph.strip() for paragraph in paragraphs if paragraph.strip()],
        "signature": signature_lines(response),
    }


def _length(item: Item) -> int:
    return len(item.title) + sum(
        60 + len(value) + 60 * value.count("\n") for _label, value in item.lines
    )
