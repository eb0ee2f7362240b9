"""Who is asked what, now: the rules in force and the requests to one person, less what was answered.

Nothing of it is stored. So who comes on file later is asked what "everyone" is asked, a birthday asks by
itself, and a form that the practice returns, or whose signature it voids, is asked again by that alone.

The latest form that the family sent and did not take back decides. An older one does not stand in for one
that the practice returned: it wants the later one put right.
"""

from __future__ import annotations

import calendar
import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db.models import BooleanField, Q, Value
from django.utils import timezone

from households.intake.models import (
    Ask,
    Asking,
    MemberAsk,
    QuestionnaireResponse,
    QuestionnaireVersion,
)
from households.models import Member
from households.submissions.models import Submission

OPEN, IN_PROGRESS, RETURNED, SENT, DONE = "open", "in-progress", "returned", "sent", "done"
_ANSWERED = (SENT, DONE)


class Rule(NamedTuple):
    """A request that is in force for the member, by the names of its columns."""

    questionnaire_id: int
    again: str
    months: int | None
    due_on: datetime.date | None
    why: str
    asked_at: datetime.datetime
    # Put to this one person, by somebody who knew what had been sent.
    is_personal: bool


class Sent(NamedTuple):
    """What counts of a response that was sent and not taken back. `response` is the row itself, for whoever
    needs it."""

    version_id: int
    sent_at: datetime.datetime
    status: str
    voided_at: datetime.datetime | None
    response: Any = None

    @property
    def is_returned(self) -> bool:
        return self.status == Submission.Status.RETURNED

    @property
    def stands(self) -> bool:
        """The practice has it, or will look at it; and its signature, where it has one, counts."""
        return not self.is_returned and self.voided_at is None


class Verdict(NamedTuple):
    """What the rules and what was sent say of one form together. `latest` is the latest that stands, `again`
    the one that the practice wants put right or signed again, before anything else."""

    is_answered: bool
    due_on: datetime.date | None
    why: str
    latest: Sent | None
    again: Sent | None

    @property
    def state(self) -> str:
        if not self.is_answered:
            return RETURNED if self.again is not None and self.again.is_returned else OPEN
        assert self.latest is not None  # that is what makes it answered
        return SENT if self.latest.status == Submission.Status.RECEIVED else DONE


@dataclass(frozen=True)
class Asked:
    """One form that one member is asked, or was asked and has answered.

    `state` is "open", "in-progress" (a draft is there), "returned", "sent" (nobody at the practice has seen
    it) or "done". `latest` is the latest response that stands; `again` the one that the practice returned or
    whose signature it voided, where nothing was sent since.
    """

    questionnaire: Any
    version: QuestionnaireVersion
    why: str
    due_on: datetime.date | None
    state: str
    draft: QuestionnaireResponse | None = None
    latest: QuestionnaireResponse | None = None
    again: QuestionnaireResponse | None = None

    @property
    def is_answered(self) -> bool:
        return self.state in _ANSWERED

    @property
    def reason(self) -> str:
        """Why the practice wants it again, in its words for the family; "" where it does not."""
        if self.again is None:
            return ""
        signature = getattr(self.again, "signature", None)
        voided = signature.void_reason if signature is not None else ""
        returned = self.again.submission.reason if self.again.submission else ""
        return voided or returned


def asked_of(member: Member, today: datetime.date) -> list[Asked]:
    """What `member` is asked on `today` (the practice's), each form once: first what is to do, by the day it
    is due, then what is answered, the latest first. Three queries. The versions come without their
    definitions (definitions.definition_of) and the responses without their answers, which are read when
    somebody asks for them."""
    rules: dict[int, list[Rule]] = {}
    for rule in rules_for(member, today):
        rules.setdefault(rule.questionnaire_id, []).append(rule)
    responses: dict[int, list[QuestionnaireResponse]] = {}
    for response in _responses(member):
        responses.setdefault(response.version.questionnaire_id, []).append(response)
    versions = (
        QuestionnaireVersion.objects.filter(
            questionnaire__in={*rules, *responses}, status=QuestionnaireVersion.Status.PUBLISHED
        )
        .select_related("questionnaire")
        .defer("definition", "report")
    )
    asked = [
        _asked(
            member,
            version,
            rules.get(version.questionnaire_id, []),
            responses.get(version.questionnaire_id, []),
            today,
        )
        for version in versions
    ]
    return sorted((one for one in asked if one is not None), key=_order)


def rules_for(member: Member, today: datetime.date) -> list[Rule]:
    """The requests in force that are put to `member`, whether answered or not. One query."""
    columns = Rule._fields[:-1]
    of_many = (
        Ask.objects.filter(is_put_to(member, today), ended_at=None)
        .order_by()
        .annotate(is_personal=Value(False, output_field=BooleanField()))
        .values_list(*columns, "is_personal")
    )
    of_one = (
        MemberAsk.objects.for_member(member)
        .filter(ended_at=None)
        .order_by()
        .annotate(is_personal=Value(True, output_field=BooleanField()))
        .values_list(*columns, "is_personal")
    )
    return [Rule(*row) for row in of_many.union(of_one, all=True)]


def is_put_to(member: Member, today: datetime.date) -> Q:
    """The rules of `Ask` that mean this member. Nobody's age is guessed: who has no birth date on file is
    of no age, and who has no email is on nobody's."""
    put = Q(whom=Ask.Whom.EVERYONE)
    age = member.age_on(today)
    if age is not None:
        put |= (
            Q(whom=Ask.Whom.AGES)
            & (Q(age_from=None) | Q(age_from__lte=age))
            & (Q(age_to=None) | Q(age_to__gte=age))
        )
    if member.email_key:
        put |= Q(whom=Ask.Whom.HOUSEHOLD, email_key=member.email_key)
    return put


def _responses(member: Member) -> list[QuestionnaireResponse]:
    """Drafts and what was sent and not taken back, the latest first."""
    rows = (
        QuestionnaireResponse.objects.for_member(member)
        .exclude(submission__status=Submission.Status.WITHDRAWN)
        .select_related("version", "submission", "signature")
        .defer("items", "version__definition", "version__report", "signature__text")
        .order_by()
    )
    return sorted(rows, key=lambda one: (_sent_at(one), one.pk), reverse=True)


def _sent_at(response: QuestionnaireResponse) -> datetime.datetime:
    return response.submission.sent_at if response.submission else response.saved_at


def _asked(
    member: Member,
    version: QuestionnaireVersion,
    rules: Sequence[Rule],
    responses: Sequence[QuestionnaireResponse],
    today: datetime.date,
) -> Asked | None:
    sent = [
        Sent(
            one.version_id,
            one.submission.sent_at,
            one.submission.status,
            _voided_at(one),
            one,
        )
        for one in responses
        if one.submission is not None
    ]
    verdict = verdict_on(
        rules,
        sent,
        version_id=version.pk,
        published_at=version.published_at,
        on_file_since=member.created_at,
        today=today,
    )
    if verdict is None:
        return None
    draft = draft_of([one for one in responses if one.is_draft], version.pk)
    state = IN_PROGRESS if draft is not None and not verdict.is_answered else verdict.state
    return Asked(
        questionnaire=version.questionnaire,
        version=version,
        why=verdict.why,
        due_on=verdict.due_on,
        state=state,
        draft=draft,
        latest=verdict.latest.response if verdict.latest else None,
        again=verdict.again.response if verdict.again else None,
    )


def _voided_at(response: QuestionnaireResponse) -> datetime.datetime | None:
    signature = getattr(response, "signature", None)
    return None if signature is None else signature.voided_at


def draft_of(
    drafts: Sequence[QuestionnaireResponse], version_id: int
) -> QuestionnaireResponse | None:
    """The one to carry on: of the version that is asked now, or else the one that was saved last."""
    of_this = [one for one in drafts if one.version_id == version_id]
    return next(iter([*of_this, *drafts]), None)


def _order(asked: Asked) -> tuple[Any, ...]:
    if not asked.is_answered:
        due = asked.due_on or datetime.date.max
        return (0, due, asked.questionnaire.title, asked.questionnaire.pk)
    assert asked.latest is not None
    assert asked.latest.submission is not None
    return (1, -asked.latest.submission.sent_at.timestamp(), "", asked.questionnaire.pk)


# --- the rules and what was sent ------------------------------------------------------


def verdict_on(
    rules: Iterable[Rule],
    sent: Sequence[Sent],
    *,
    version_id: int,
    published_at: datetime.datetime | None,
    on_file_since: datetime.datetime,
    today: datetime.date,
) -> Verdict | None:
    """What is asked of one form whose published version is `version_id`; `sent` is the latest first.
    None when nothing is: no rule, and nothing that the practice wants again."""
    newest = next(iter(sent), None)
    again = newest if newest is not None and not newest.stands else None
    latest = next((one for one in sent if one.stands), None)
    unanswered, answered = [], []
    for rule in rules:
        counts = None if again is not None else _that_counts(rule, sent, version_id, today)
        if counts is None:
            due_on = _due_on(rule, sent, published_at=published_at, on_file_since=on_file_since)
            unanswered.append((due_on or datetime.date.max, rule.asked_at, rule.why, due_on))
        else:
            answered.append((rule.due_on or datetime.date.max, rule.asked_at, rule.why, None))
    if unanswered or answered:
        said = sorted(unanswered or answered)
        why = next((one[2] for one in said if one[2]), "")
        return Verdict(not unanswered, said[0][3], why, latest, again)
    if again is not None:
        return Verdict(False, None, "", latest, again)
    return None


def _that_counts(
    rule: Rule, sent: Sequence[Sent], version_id: int, today: datetime.date
) -> Sent | None:
    """The response that answers `rule`, if there is one."""
    for one in sent:
        if one.stands and _counts(rule, one, version_id, today):
            return one
    return None


def _counts(rule: Rule, one: Sent, version_id: int, today: datetime.date) -> bool:
    if rule.again == Asking.Again.VERSION:
        return one.version_id == version_id
    if rule.again == Asking.Again.MONTHS:
        return today < _asked_again_on(rule, one)
    # Whoever asks one person wants an answer to that; "everyone" means everyone who has not answered.
    return not rule.is_personal or one.sent_at >= rule.asked_at


def _asked_again_on(rule: Rule, one: Sent) -> datetime.date:
    return months_after(timezone.localdate(one.sent_at), rule.months or 1)


def _due_on(
    rule: Rule,
    sent: Sequence[Sent],
    *,
    published_at: datetime.datetime | None,
    on_file_since: datetime.datetime,
) -> datetime.date | None:
    """The day it is due. The rule's own day is of the first time: who has answered before, and is asked
    again, is late only from the day on which it was asked again; nor is anybody late who came on file
    after that day."""
    before = next((one for one in sent if one.stands), None)
    if rule.again == Asking.Again.MONTHS and before is not None:
        return _asked_again_on(rule, before)
    if rule.due_on is None:
        return None
    if rule.again == Asking.Again.VERSION and before is not None and published_at is not None:
        return rule.due_on if rule.due_on >= timezone.localdate(published_at) else None
    is_newer_than_rule = on_file_since > rule.asked_at
    if is_newer_than_rule and rule.due_on < timezone.localdate(on_file_since):
        return None
    return rule.due_on


def months_after(day: datetime.date, months: int) -> datetime.date:
    """The same day of the month, or the month's last where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return datetime.date(year, month + 1, min(day.day, last))
