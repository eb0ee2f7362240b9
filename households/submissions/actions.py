"""The steps of a submission. Each is one conditional UPDATE with its audit entry, so that of two people who
act at once one is told that it was too late (SECURITY R-RE-2). Call inside the transaction of what the
step does to the thing itself.
"""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts import audit
from households import binding as bindings
from households.models import Member
from households.requests import MemberRequest
from households.submissions.models import Proposal, ProposalQuerySet, Submission

Status = Submission.Status
Decision = Proposal.Decision
_KEPT = {Decision.ACCEPTED, Decision.EDITED}


def submission_begin(
    *,
    request: MemberRequest,
    member: Member,
    kind: Submission.Kind,
    about: str = "",
    waits: bool = True,
    is_urgent: bool = False,
) -> Submission:
    """The envelope of one thing that the family sends for `member` now. The slice records the sending.
    Where it needs nobody at the practice, `waits` is False: it is filed as it comes."""
    bindings.note_sending(request.binding)
    now = timezone.now()
    return Submission.objects.create(
        member=member,
        kind=kind,
        about=about,
        is_urgent=is_urgent,
        status=Status.RECEIVED if waits else Status.FILED,
        sent_at=now,
        filed_at=None if waits else now,
        sent_by=request.household_session.account,
        sent_in=request.household_session,
        sent_under=request.binding,
        filled_in_by=request.binding.filled_in_by,
        filled_in_name=request.binding.filled_in_name,
    )


def submission_continue(
    *, request: MemberRequest, member: Member, kind: Submission.Kind, about: str = ""
) -> Submission:
    """The envelope that is already on its way, or a new one: what is sent page by page under one choice of
    the person comes to the practice as one thing, until somebody there has seen it."""
    open_one = Submission.objects.for_member(member).filter(
        kind=kind, about=about, status=Status.RECEIVED, sent_under=request.binding
    )
    # Locked, so that nobody sees it as whole while another page is put in.
    standing = open_one.select_for_update().order_by("pk").first()
    return standing or submission_begin(request=request, member=member, kind=kind, about=about)


def submissions_filled_in(*, request: MemberRequest, member: Member, by: str, name: str) -> None:
    """The family says who fills in what is sent under this choice of the person (PRODUCT B6): what was
    sent before it was said is stamped too."""
    with transaction.atomic():
        bindings.note_who_fills_in(request.binding, by=by, name=name)
        sent = Submission.objects.for_member(member).filter(sent_under=request.binding)
        sent.filter(filled_in_by="").update(filled_in_by=by, filled_in_name=name)
        audit.record(audit.Action.SEND, "filled-in-by", request=request, object_type="submission")


def submission_withdraw(*, request: MemberRequest, submission: Submission, why: str = "ok") -> bool:
    """The family takes it back; `why` is the audit's word. False, and nothing happens, once the practice has
    seen it."""
    with transaction.atomic():
        changed = _step(submission, {Status.RECEIVED}, Status.WITHDRAWN, "withdrawn_at")
        if changed:
            audit.record(
                audit.Action.WITHDRAW,
                why,
                request=request,
                object_type=submission.kind,
                object_id=submission.public_id,
            )
    return changed


def submission_see(*, request: HttpRequest, submission: Submission) -> bool:
    """Somebody at the practice has opened it. False when it was seen before, or taken back."""
    return _by_staff(request, submission, {Status.RECEIVED}, Status.SEEN, "seen_at")


def submission_file(*, request: HttpRequest, submission: Submission) -> bool:
    """The practice keeps it. False when that was done before, or the family took it back."""
    before = {Status.RECEIVED, Status.SEEN, Status.RETURNED, Status.PARTLY}
    return _by_staff(request, submission, before, Status.FILED, "filed_at")


def submission_return(*, request: HttpRequest, submission: Submission, reason: str) -> bool:
    """The practice asks the family to send it again; `reason` is shown to them and may not be empty.
    False when the family took it back meanwhile."""
    before = {Status.RECEIVED, Status.SEEN, Status.FILED}
    return _by_staff(request, submission, before, Status.RETURNED, "returned_at", reason=reason)


def submission_accept_partly(*, request: HttpRequest, submission: Submission) -> bool:
    """The practice keeps some of it and asks for the rest again; why stands with each part."""
    before = {Status.RECEIVED, Status.SEEN, Status.FILED, Status.RETURNED}
    return _by_staff(request, submission, before, Status.PARTLY, "partly_at")


def submission_assign(
    *, request: HttpRequest, submission: Submission, to: int | None, instead_of: int | None
) -> bool:
    """One of the staff, by number, takes care of it, or with None nobody in particular. False, and nothing
    happens, when by now somebody else has it than `instead_of`, or the family took it back."""
    still = Submission.objects.for_member(submission.member).filter(
        pk=submission.pk, assigned_to=instead_of
    )
    with transaction.atomic():
        if to == instead_of or not still.kept().update(assigned_to=to):
            return False
        submission.assigned_to_id = to
        audit.record(
            audit.Action.STAFF_CHANGE,
            "given-back" if to is None else "assigned",
            request=request,
            member_id=submission.member_id,
            object_type=submission.kind,
            object_id=submission.public_id,
        )
    return True


def submission_return_unasked(*, submission: Submission, reason: str) -> bool:
    """The portal itself asks the family to send it again: nobody at the practice did, so nobody has seen
    it and nobody handled it. The slice records why. False when it was returned or taken back before."""
    before = {Status.RECEIVED, Status.SEEN, Status.FILED}
    return _step(
        submission, before, Status.RETURNED, "returned_at", handled_by_id=None, reason=reason
    )


def _by_staff(
    request: HttpRequest,
    submission: Submission,
    before: set[Status],
    after: Status,
    at: str,
    reason: str = "",
) -> bool:
    with transaction.atomic():
        changed = _step(submission, before, after, at, handled_by_id=request.user.pk, reason=reason)
        if changed:
            # Filed or returned without a look is seen too.
            unseen = Submission.objects.for_member(submission.member).filter(
                pk=submission.pk, seen_at=None
            )
            unseen.update(seen_at=getattr(submission, at))
            audit.record(
                audit.Action.STAFF_CHANGE,
                str(after),
                request=request,
                member_id=submission.member_id,
                object_type=submission.kind,
                object_id=submission.public_id,
            )
    return changed


def _step(
    submission: Submission, before: set[Status], after: Status, at: str, **values: object
) -> bool:
    now = timezone.now()
    values = {"status": after, at: now, **values}
    still = Submission.objects.for_member(submission.member).filter(
        pk=submission.pk, status__in=before
    )
    if not still.update(**values):
        return False
    for name, value in values.items():
        setattr(submission, name, value)
    return True


# --- proposals ------------------------------------------------------------------------


def proposal_decide(
    *,
    request: HttpRequest,
    proposal: Proposal,
    decision: Proposal.Decision,
    reason: str = "",
    **values: object,
) -> bool:
    """What the practice says to one change; `values` are columns of its slice that go with it. False, and
    nothing happens, when it was decided before or the family replaced it meanwhile. Call inside the
    transaction of what the decision does, and settle the submission after the last one."""
    now = timezone.now()
    columns: dict[str, object] = {
        "decision": decision,
        "decided_at": now,
        "decided_by_id": request.user.pk,
        "reason": reason,
        **values,
    }
    rows = type(proposal)._default_manager.filter(member=proposal.member_id)
    if not rows.filter(pk=proposal.pk, decision=Decision.WAITING).update(**columns):
        return False
    for name, value in columns.items():
        setattr(proposal, name, value)
    audit.record(
        audit.Action.STAFF_CHANGE,
        str(decision),
        request=request,
        member_id=proposal.member_id,
        object_type=proposal.submission.kind,
        object_id=proposal.public_id,
    )
    return True


def submission_settle(
    *, request: HttpRequest, submission: Submission, proposals: ProposalQuerySet
) -> None:
    """What becomes of the envelope when the practice has decided on the last of its `proposals`: filed,
    returned, or accepted in part. While one waits, nothing."""
    outcome, reason = _outcome(submission, proposals)
    if outcome is Status.RETURNED:
        submission_return(request=request, submission=submission, reason=reason)
    elif outcome is Status.PARTLY:
        submission_accept_partly(request=request, submission=submission)
    elif outcome is not None:
        submission_file(request=request, submission=submission)


def submission_run_out(*, submission: Submission, proposals: ProposalQuerySet) -> None:
    """The family replaced or took back one of its `proposals` itself. Where none waits any more, nobody at
    the practice has anything left to decide on: it is taken back, or stands as it was decided."""
    outcome, reason = _outcome(submission, proposals)
    if outcome is Status.WITHDRAWN:
        # In the audit it is what the family did: a part sent anew, or taken back.
        if _step(submission, {Status.RECEIVED}, Status.WITHDRAWN, "withdrawn_at"):
            return
        # Seen, and for nothing: somebody looked at what does not count any more.
        outcome = Status.FILED
    if outcome is not None:
        undecided = {Status.RECEIVED, Status.SEEN}
        _step(submission, undecided, outcome, f"{outcome}_at", reason=reason)


def _outcome(submission: Submission, proposals: ProposalQuerySet) -> tuple[Status | None, str]:
    """What the decisions on all of its parts make of it, with the reason of a return; None while one of
    them waits. Where the family itself replaced all of them, it is as if it had taken it back."""
    parts = [*proposals.filter(submission=submission).order_by("pk")]
    if any(part.waits for part in parts):
        return None, ""
    reasons = [part.reason for part in parts if part.decision == Decision.RETURNED]
    kept = any(part.decision in _KEPT for part in parts)
    if reasons:
        return (Status.PARTLY, "") if kept else (Status.RETURNED, reasons[0])
    return (Status.FILED if kept else Status.WITHDRAWN), ""
