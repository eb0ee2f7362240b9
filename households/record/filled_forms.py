"""A form that was sent, as a record reads it: what it counts for, and what it says in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from households.intake.engine.extensions import number
from households.intake.filling import Filling, patient_of, sections_of
from households.intake.models import QuestionnaireResponse, Signature
from households.record.cleaning import clean, one_line
from households.submissions.models import Submission

Status = Submission.Status
Line = tuple[str, str]


@dataclass(frozen=True)
class Part:
    """Questions with their answers, under a heading of their own or ("") under the section's."""

    title: str
    rows: list[tuple[str, list[str]]]


@dataclass(frozen=True)
class Section:
    title: str
    parts: list[Part]


def signature_of(response: QuestionnaireResponse) -> Signature | None:
    """Fetched with it, or asked for."""
    return getattr(response, "signature", None)


def submission_of(response: QuestionnaireResponse) -> Submission:
    assert response.submission is not None  # a draft is no record
    return response.submission


def is_returned(response: QuestionnaireResponse) -> bool:
    return submission_of(response).status == Status.RETURNED


def is_voided(response: QuestionnaireResponse) -> bool:
    signature = signature_of(response)
    return signature is not None and signature.voided_at is not None


def stands(response: QuestionnaireResponse) -> bool:
    """The practice has it or will look at it, and its signature counts."""
    return not is_returned(response) and not is_voided(response)


def that_count(responses: Iterable[QuestionnaireResponse]) -> list[QuestionnaireResponse]:
    """Those that stand and that no later one, which stands too, corrects."""
    standing = [one for one in responses if stands(one)]
    corrected = {one.corrects_id for one in standing}
    return [one for one in standing if one.pk not in corrected]


# --- in words -------------------------------------------------------------------------


def sections_in_words(response: QuestionnaireResponse) -> list[Section]:
    """Every question that was asked, also those that were not answered (without words)."""
    filling = Filling(response, patient=patient_of(response.member))
    return [
        Section(
            _joined(section.page.page.above, section.page.title),
            [
                Part(one_line(part.title), [(_text(row.label), _words(row)) for row in part.rows])
                for part in section.parts
                if part.rows
            ],
        )
        for section in sections_of(filling)
    ]


def _words(row: Any) -> list[str]:
    if row.files:
        return [one_line(name) or _("a document") for _id, name in row.files]
    return [words for words in map(clean, row.words) if words]


def _joined(*titles: str) -> str:
    return ": ".join(filter(None, map(one_line, titles)))


def _text(label: str) -> str:
    return one_line(label) or _("Question")


def facts_of(response: QuestionnaireResponse) -> list[Line]:
    """What became of it, who filled it in, and what it scores."""
    submission = submission_of(response)
    facts = [
        (_("Sent"), moment_words(submission.sent_at)),
        (_("Filled in by"), one_line(submission.filler) or _("nobody said")),
        (_("Status"), str(submission.get_status_display())),
    ]
    if is_returned(response):
        facts.append((_("Why it was returned"), clean(submission.reason)))
    if response.corrects_id is not None:
        facts.append((_("Corrects"), _("an earlier one, which is kept")))
    return [*facts, *scores_of(response)]


def scores_of(response: QuestionnaireResponse) -> list[Line]:
    return [
        (one_line(score.get("text")) or _("Score"), _score(score))
        for score in response.scores
        if isinstance(score, dict)
    ]


def _score(score: dict[str, Any]) -> str:
    value = number(score.get("value"))
    words = str(score.get("value")) if value is None else f"{value.normalize():f}"
    return one_line(f"{words} {score.get('unit') or ''}")


def signature_lines(response: QuestionnaireResponse) -> list[Line]:
    """None for what was not signed."""
    signature = signature_of(response)
    if signature is None:
        return []
    lines = [
        (_("Signed by"), one_line(signature.typed_name)),
        (_("Relationship"), one_line(signature.relationship)),
        (_("Signed"), moment_words(signature.signed_at)),
        (_("Checksum of the text (SHA-256)"), signature.text_sha256),
    ]
    if response.version.questionnaire.is_consent:
        lines.insert(0, (_("Decision"), str(signature.get_decision_display())))
    if signature.voided_at is not None:
        reason = {"at": moment_words(signature.voided_at), "why": clean(signature.void_reason)}
        lines.append((_("Voided by the practice"), _("%(at)s: %(why)s") % reason))
    return lines


def moment_words(at: Any) -> str:
    return f"{timezone.localtime(at):%Y/%m/%d, %H:%M %Z}"
