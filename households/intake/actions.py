"""What changes a filled form. Each is atomic, with its audit entry in the same transaction; the row of the
response is locked first, so that of two browsers one waits for the other."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import audit
from households.intake.definitions import definition_of, sha256_of
from households.intake.engine.checking import Problem
from households.intake.engine.evaluation import add_instance, begin, put, remove_instance
from households.intake.filling import Change, Filling, base_of, patient_of
from households.intake.models import QuestionnaireResponse, QuestionnaireVersion, Signature
from households.models import Member
from households.requests import MemberRequest
from households.submissions.actions import submission_begin
from households.submissions.models import Submission

Decision = Signature.Decision


class IsSent(Exception):
    """It is no draft any more. Nothing is saved."""


class MovedMeanwhile(Exception):
    """It is another person's now: the practice moved it. Nothing is saved."""


class ChangedMeanwhile(Exception):
    """The draft is not as the page showed it. Nothing is sent."""


class HasProblems(Exception):
    """It cannot be sent like this. Nothing is sent."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__()
        self.problems = problems


@dataclass(frozen=True)
class Conflict:
    """Somebody else answered the same question meanwhile. Of one that is gone, `theirs` is None."""

    change: Change
    theirs: list[dict[str, Any]] | None


@dataclass(frozen=True)
class Saved:
    filling: Filling
    conflicts: list[Conflict] = field(default_factory=list)


@dataclass(frozen=True)
class Signed:
    """What whoever signs said: `text` as it stood on the page, to the letter."""

    text: str
    typed_name: str
    relationship: str
    decision: Signature.Decision = Decision.ACCEPTED


# --- the draft ------------------------------------------------------------------------


def response_begin(
    *, request: MemberRequest, member: Member, version: QuestionnaireVersion
) -> QuestionnaireResponse:
    """A draft of this version; the one that is there, if there is one (also begun at the same moment)."""
    patient = patient_of(member)
    items = begin(definition_of(version), patient=patient, now=timezone.now())
    return _draft(request, member, version, "begin", items=items)


def response_correct(
    *, request: MemberRequest, member: Member, response: QuestionnaireResponse
) -> QuestionnaireResponse:
    """A draft that begins with what was sent; `response` itself stays as it is. Raises MovedMeanwhile."""
    with transaction.atomic():
        still = QuestionnaireResponse.objects.for_member(member).filter(pk=response.pk)
        # Held, so that it is not moved to another person while its answers are copied for this one.
        if not still.select_for_update().values_list("pk"):
            raise MovedMeanwhile
        return _draft(
            request,
            member,
            response.version,
            "correct",
            items=response.items,
            corrects=response,
            pages_done=response.pages_done,
        )


def _draft(
    request: MemberRequest,
    member: Member,
    version: QuestionnaireVersion,
    outcome: str,
    **columns: Any,
) -> QuestionnaireResponse:
    drafts = QuestionnaireResponse.objects.for_member(member).drafts().filter(version=version)
    if standing := drafts.first():
        return standing
    try:
        with transaction.atomic():
            draft = QuestionnaireResponse.objects.create(member=member, version=version, **columns)
            _record(request, draft, outcome)
    except IntegrityError:
        # The same was begun at the same moment.
        if (standing := drafts.first()) is None:
            raise
        return standing
    return draft


def response_save(
    *,
    request: MemberRequest,
    member: Member,
    response: QuestionnaireResponse,
    changes: Sequence[Change],
    add: str = "",
    remove: str = "",
) -> Saved:
    """Put the answers of a page into the draft, and evaluate it. `add` and `remove` are the paths of
    repeating groups, which one is added to and which one goes.

    Another browser may have saved meanwhile: what it answered and this page did not touch stays as it
    answered it; where both answered the same question, nothing is saved of that question. Raises IsSent.
    """
    with transaction.atomic():
        draft = _draft_locked(member, response)
        before = Filling(draft, patient=patient_of(member))
        answers, conflicts = _merged(before, changes)
        definition = before.definition
        items = put(definition, draft.items, answers) if answers else draft.items
        if not conflicts:
            items = add_instance(definition, items, add) if add else items
            items = remove_instance(definition, items, remove) if remove else items
        if items == draft.items:
            return Saved(before, conflicts)
        draft.items = items
        after = Filling(draft, patient=patient_of(member))
        draft.revision += 1
        draft.saved_at = timezone.now()
        draft.danger = sorted(after.filled.dangers)
        draft.save(update_fields=["items", "revision", "saved_at", "danger"])
        _record(request, draft, "draft")
    return Saved(after, conflicts)


def _merged(
    filling: Filling, changes: Sequence[Change]
) -> tuple[Mapping[str, list[dict[str, Any]]], list[Conflict]]:
    answers: dict[str, list[dict[str, Any]]] = {}
    conflicts = []
    for change in changes:
        node = filling.filled.node(change.path)
        was_touched = base_of(change.answers) != change.base
        if not was_touched or (node is not None and node.answers == change.answers):
            continue
        if node is None:
            conflicts.append(Conflict(change, None))
        elif base_of(node.answers) != change.base:
            conflicts.append(Conflict(change, node.answers))
        else:
            answers[change.path] = change.answers
    return answers, conflicts


def response_page_done(*, member: Member, response: QuestionnaireResponse, page: str) -> None:
    """A page was passed with Continue."""
    if page in response.pages_done:
        return
    with transaction.atomic():
        draft = _draft_locked(member, response)
        draft.pages_done = [*draft.pages_done, page]
        draft.save(update_fields=["pages_done"])
    response.pages_done = draft.pages_done


def draft_discard(
    *, request: MemberRequest, member: Member, response: QuestionnaireResponse
) -> None:
    """The family does not want to send it. Raises IsSent when it went meanwhile."""
    with transaction.atomic():
        draft = _draft_locked(member, response)
        _record(request, draft, "discard")
        draft.delete()


def _draft_locked(member: Member, response: QuestionnaireResponse) -> QuestionnaireResponse:
    rows = QuestionnaireResponse.objects.for_member(member).filter(pk=response.pk)
    draft = rows.select_related("version__questionnaire").select_for_update(of=("self",)).first()
    if draft is None or not draft.is_draft:
        raise IsSent
    return draft


# --- sending --------------------------------------------------------------------------


def response_send(
    *,
    request: MemberRequest,
    member: Member,
    response: QuestionnaireResponse,
    revision: int | None,
    sending_id: uuid.UUID,
    signed: Signed | None = None,
) -> QuestionnaireResponse:
    """Freeze the draft and send it to the practice. The same page sent twice, also at the same moment,
    sends once; the answer is what was sent.

    Raises IsSent when another page sent it, ChangedMeanwhile when it is not in the `revision` that the page
    showed, HasProblems when an answer is missing or wrong.
    """
    with transaction.atomic():
        rows = QuestionnaireResponse.objects.for_member(member)
        if first := rows.filter(sending_id=sending_id).exclude(submission=None).first():
            return first
        try:
            draft = _draft_locked(member, response)
        except IsSent:
            if first := rows.filter(sending_id=sending_id).exclude(submission=None).first():
                return first
            raise
        if draft.revision != revision:
            raise ChangedMeanwhile
        filling = Filling(draft, patient=patient_of(member))
        if filling.problems:
            raise HasProblems(filling.problems)
        _freeze(draft, filling, sending_id)
        draft.submission = submission_begin(
            request=request,
            member=member,
            kind=Submission.Kind.FORM,
            is_urgent=bool(draft.danger),
        )
        draft.save()
        if signed is not None:
            _sign(member, draft, signed)
        _record(request, draft, "ok")
    return draft


def _freeze(draft: QuestionnaireResponse, filling: Filling, sending_id: uuid.UUID) -> None:
    draft.items = filling.filled.items(with_disabled=False)
    draft.sha256 = sha256_of(draft.items)
    draft.scores = filling.filled.scores
    draft.danger = sorted(filling.filled.dangers)
    draft.sending_id = sending_id
    draft.revision += 1
    draft.saved_at = timezone.now()


def _sign(member: Member, draft: QuestionnaireResponse, signed: Signed) -> None:
    Signature.objects.create(
        member=member,
        response=draft,
        decision=signed.decision,
        text=signed.text,
        text_sha256=hashlib.sha256(signed.text.encode()).hexdigest(),
        typed_name=signed.typed_name,
        relationship=signed.relationship,
    )


def _record(request: MemberRequest, response: QuestionnaireResponse, outcome: str) -> None:
    audit.record(
        audit.Action.SEND,
        outcome,
        request=request,
        object_type="form",
        object_id=response.public_id,
    )
