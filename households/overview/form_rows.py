"""What a member's home reads of forms: the requests in force, what was begun and what was sent. As a part of
the one statement of standing.py, for the reason given there. What the rows mean, intake/asking.py says."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from households.intake.asking import DONE, IN_PROGRESS, OPEN, Rule, Sent, Verdict, verdict_on
from households.models import Member

# In the columns of standing.py: what, two words, five moments, two ticks, four numbers (the form, a version,
# months, a submission), a day, a title and an id. The form's published version is in the second number and
# since when in the second moment; of a response, the version it answers stands in the third.
PART = """
UNION ALL
SELECT 'asked', rule.again, rule.why, rule.asked_at, version.published_at, NULL, NULL, NULL,
       rule.is_personal, NULL, form.id, version.id, rule.months, NULL, rule.due_on, form.title,
       form.public_id
FROM (
    SELECT questionnaire_id, again, why, asked_at, months, due_on, FALSE AS is_personal
    FROM intake_ask
    WHERE ended_at IS NULL AND (
        whom = 'everyone'
        OR (whom = 'household' AND email_key = %(email_key)s AND email_key <> '')
        OR (whom = 'ages' AND %(age)s >= COALESCE(age_from, 0) AND %(age)s <= COALESCE(age_to, 999))
    )
    UNION ALL
    SELECT questionnaire_id, again, why, asked_at, months, due_on, TRUE
    FROM intake_memberask
    WHERE ended_at IS NULL AND member_id = %(member)s
) AS rule
JOIN intake_questionnaire AS form ON form.id = rule.questionnaire_id
JOIN intake_questionnaireversion AS version
     ON version.questionnaire_id = form.id AND version.status = 'published'
UNION ALL
SELECT 'form', COALESCE(submission.status, ''), '', COALESCE(submission.sent_at, response.saved_at),
       published.published_at, signature.voided_at, NULL, NULL, NULL, NULL, form.id, published.id,
       response.version_id, response.submission_id, NULL, form.title, response.public_id
FROM intake_questionnaireresponse AS response
JOIN intake_questionnaireversion AS version ON version.id = response.version_id
JOIN intake_questionnaire AS form ON form.id = version.questionnaire_id
LEFT JOIN intake_questionnaireversion AS published
       ON published.questionnaire_id = form.id AND published.status = 'published'
LEFT JOIN submissions_submission AS submission ON submission.id = response.submission_id
LEFT JOIN intake_signature AS signature ON signature.response_id = response.id
WHERE response.member_id = %(member)s
  AND (submission.status IS NULL OR submission.status <> 'withdrawn')
"""


# Of a form whose signature the practice voided.
VOIDED = "voided"


class FormRow(NamedTuple):
    """A form on the list. `state` is one of asking.py's, or VOIDED; what is sent is "done" here."""

    title: str
    state: str
    due_on: datetime.date | None
    # To be begun; where there is a response, that is to be opened.
    form: uuid.UUID | None
    response: uuid.UUID | None = None
    sent_at: datetime.datetime | None = None


@dataclass
class _Form:
    title: str = ""
    form: uuid.UUID | None = None
    version_id: int | None = None
    published_at: datetime.datetime | None = None
    rules: list[Rule] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    drafts: list[tuple[bool, datetime.datetime, uuid.UUID]] = field(default_factory=list)


class Forms:
    """Collects the rows of PART."""

    def __init__(self) -> None:
        self._forms: dict[int, _Form] = {}
        # By the submission's number, for what happened lately.
        self.titles: dict[int, str] = {}

    def add(self, row: Sequence[Any], moments: Sequence[datetime.datetime | None]) -> None:
        what, word, about = row[:3]
        number, version_id, third, submission, due_on, title, public_id = row[-7:]
        first, published_at, voided_at = moments[:3]
        assert first is not None  # asked_at, sent_at and saved_at are always there
        one = self._forms.setdefault(number, _Form())
        one.title, one.version_id, one.published_at = title, version_id, published_at
        public_id = uuid.UUID(str(public_id))
        if what == "asked":
            one.form = public_id
            due_on = _day(due_on)
            one.rules.append(Rule(number, word, third, due_on, about, first, bool(row[8])))
            return
        if submission is None:
            one.drafts.append((third == version_id, first, public_id))
            return
        self.titles[submission] = title
        one.sent.append(Sent(third, first, word, voided_at, public_id))

    def rows(self, member: Member, today: datetime.date) -> list[FormRow]:
        """What is to do first, by the day it is due; then what is done, the latest first."""
        found = [
            row
            for one in self._forms.values()
            if one.version_id is not None or one.drafts
            for row in self._rows(one, member, today)
        ]
        return sorted(found, key=_order)

    def _rows(self, one: _Form, member: Member, today: datetime.date) -> Iterable[FormRow]:
        one.sent.sort(key=lambda sent: sent.sent_at, reverse=True)
        verdict = None
        if one.version_id is not None:
            verdict = verdict_on(
                one.rules,
                one.sent,
                version_id=one.version_id,
                published_at=one.published_at,
                on_file_since=member.created_at,
                today=today,
            )
        draft = max(one.drafts)[2] if one.drafts else None
        if draft is not None:
            # Begun, whether somebody asked for it or not: it may be carried on.
            due_on = None if verdict is None or verdict.is_answered else verdict.due_on
            yield FormRow(one.title, IN_PROGRESS, due_on, one.form, draft)
        elif verdict is not None:
            yield _of_verdict(one, verdict)


def _of_verdict(one: _Form, verdict: Verdict) -> FormRow:
    if verdict.is_answered:
        latest = verdict.latest
        assert latest is not None  # that is what makes it answered
        return FormRow(one.title, DONE, None, one.form, latest.response, latest.sent_at)
    if verdict.again is None:
        return FormRow(one.title, OPEN, verdict.due_on, one.form)
    state = verdict.state if verdict.again.is_returned else VOIDED
    return FormRow(one.title, state, verdict.due_on, one.form, verdict.again.response)


def _order(row: FormRow) -> tuple[Any, ...]:
    if row.sent_at is not None:
        return (1, -row.sent_at.timestamp(), row.title)
    return (0, (row.due_on or datetime.date.max).toordinal(), row.title)


def _day(value: Any) -> datetime.date | None:
    """PostgreSQL gives days; SQLite, of a statement in parts, the text that Django keeps."""
    return datetime.date.fromisoformat(value) if isinstance(value, str) else value
