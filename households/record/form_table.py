"""What everybody answered to one form, for the practice: a table for spreadsheets (CSV), and FHIR line by
line (NDJSON). Both are made row by row as they are sent, so that the size of the practice needs no memory.
"""

from __future__ import annotations

import csv
import datetime
import json
import re
from collections.abc import Iterator
from typing import Any

from django.utils import timezone

from households.intake.definitions import definition_of
from households.intake.engine.answers import words_of
from households.intake.engine.items import Definition, Item
from households.intake.models import Questionnaire, QuestionnaireResponse, QuestionnaireVersion
from households.models import Practice
from households.record.cleaning import clean, one_line
from households.record.fhir_forms import questionnaire_response
from households.record.filled_forms import scores_of, signature_of, submission_of
from households.record.reading import bare_record

_AT_ONCE = 200
_SCORES = "Scores"
# Spreadsheets run what begins like this (OWASP, CSV injection), also behind blanks and in wide letters.
_BEGINS_A_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


class _Line:
    """What csv writes to: each row is handed on as it comes."""

    def write(self, text: str) -> str:
        return text


def csv_lines(questionnaire: Questionnaire, zone: datetime.tzinfo) -> Iterator[str]:
    """One row for each response, one column for each question. `zone` is the practice's: what is sent piece
    by piece goes out when the request is over."""
    with timezone.override(zone):
        definitions = _definitions(questionnaire)
        questions = _questions(definitions)
        writer = csv.writer(_Line())
        # Excel takes a file for its country's letters without this mark.
        yield "\ufeff" + _row(writer, [*_FACTS, *_headers(questions), _SCORES])
        for response in _responses(questionnaire):
            answers = dict(_answers(response.items))
            definition = definitions[response.version_id]
            yield _row(
                writer,
                [
                    *_facts(response),
                    *(_cell(definition, link_id, answers) for link_id in questions),
                    "; ".join(f"{name}: {value}" for name, value in scores_of(response)),
                ],
            )


def ndjson_lines(
    questionnaire: Questionnaire, practice: Practice, zone: datetime.tzinfo
) -> Iterator[str]:
    """One QuestionnaireResponse a line, as FHIR's bulk export has it."""
    with timezone.override(zone):
        for response in _responses(questionnaire):
            one = questionnaire_response(bare_record(response.member, practice), response)
            one["subject"]["identifier"] = {"value": response.member.patient_id}
            yield json.dumps(one, ensure_ascii=False) + "\n"


def _responses(questionnaire: Questionnaire) -> Iterator[QuestionnaireResponse]:
    rows = (
        QuestionnaireResponse.objects.of_form(questionnaire)
        .select_related("member", "submission", "signature", "version__questionnaire")
        .defer("version__definition", "version__report")
        .order_by("submission__sent_at", "pk")
    )
    return rows.iterator(chunk_size=_AT_ONCE)


# --- columns --------------------------------------------------------------------------

_FACTS = (
    *("Response", "Patient id", "Name", "Date of birth", "Sent", "Filled in by", "Status"),
    *("Version", "Decision", "Signed by"),
)


def _facts(response: QuestionnaireResponse) -> list[str]:
    member, submission = response.member, submission_of(response)
    signature = signature_of(response)
    born = member.date_of_birth
    return [
        str(response.public_id),
        member.patient_id,
        member.full_name,
        born.isoformat() if born else "",
        timezone.localtime(submission.sent_at).isoformat(timespec="seconds"),
        submission.filler,
        str(submission.get_status_display()),
        str(response.version.number),
        str(signature.get_decision_display()) if signature is not None else "",
        signature.typed_name if signature is not None else "",
    ]


def _definitions(questionnaire: Questionnaire) -> dict[int, Definition]:
    """By version, the newest first; a draft has no answers."""
    versions = QuestionnaireVersion.objects.filter(questionnaire=questionnaire).exclude(
        status=QuestionnaireVersion.Status.DRAFT
    )
    return {version.pk: definition_of(version) for version in versions.order_by("-number")}


def _questions(definitions: dict[int, Definition]) -> dict[str, Item]:
    """As the newest version asks them, in its order; behind them those that only older ones asked."""
    found: dict[str, Item] = {}
    for definition in definitions.values():
        for item in _walk(definition.items):
            if item.is_question:
                found.setdefault(item.link_id, item)
    return found


def _walk(items: Any) -> Iterator[Item]:
    for item in items:
        yield item
        yield from _walk(item.children)


def _headers(questions: dict[str, Item]) -> list[str]:
    """The question; with its link id where another column is called the same."""
    texts = [
        one_line(f"{item.prefix} {item.text}") or link_id for link_id, item in questions.items()
    ]
    return [
        text if [*texts, *_FACTS, _SCORES].count(text) == 1 else f"{text} [{link_id}]"
        for text, link_id in zip(texts, questions, strict=True)
    ]


# --- answers --------------------------------------------------------------------------


def _answers(items: Any) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """By link id; what a repeating group holds several times, together."""
    together: dict[str, list[dict[str, Any]]] = {}
    open_items = [*items] if isinstance(items, list) else []
    while open_items:
        item = open_items.pop(0)
        if not isinstance(item, dict):
            continue
        given = [answer for answer in item.get("answer", []) if isinstance(answer, dict)]
        if given:
            together.setdefault(str(item.get("linkId")), []).extend(given)
        inside = [*item.get("item", []), *(each for one in given for each in one.get("item", []))]
        open_items = [*inside, *open_items]
    yield from together.items()


def _cell(definition: Definition, link_id: str, answers: dict[str, list[dict[str, Any]]]) -> str:
    item = definition.by_link_id.get(link_id)
    if item is None or link_id not in answers:
        return ""
    return "; ".join(words_of(item, answers[link_id]))


def _row(writer: Any, cells: list[str]) -> str:
    line: str = writer.writerow([safe(cell) for cell in cells])
    return line


def safe(cell: str) -> str:
    """As text in every spreadsheet: what begins like a formula gets a mark before it, a number does not."""
    text = clean(cell)
    if text.startswith(_BEGINS_A_FORMULA) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text
