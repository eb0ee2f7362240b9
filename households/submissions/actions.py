"""The steps of a submission. Each is one conditional UPDATE with its audit entry, so that of two people who
act at once one is told that it was too late (SECURITY R-RE-2). Call inside the transaction of what the
step does to the thing itself.
"""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts import audit
from households.models import Member
from households.requests import MemberRequest
from households.submissions.models import Submission

Status = Submission.Status


def submission_begin(
    *, request: MemberRequest, member: Member, kind: Submission.Kind
) -> Submission:
    """The envelope of one thing that the family sends for `member` now. The slice records the sending."""
    return Submission.objects.create(
        member=member,
        kind=kind,
        sent_by=request.household_session.account,
        sent_in=request.household_session,
    )


def submission_withdraw(*, request: MemberRequest, submission: Submission) -> bool:
    """The family takes it back. False, and nothing happens, once the practice has seen it."""
    with transaction.atomic():
        changed = _step(submission, {Status.RECEIVED}, Status.WITHDRAWN, "withdrawn_at")
        if changed:
            audit.record(
                audit.Action.WITHDRAW,
                "ok",
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
    before = {Status.RECEIVED, Status.SEEN, Status.RETURNED}
    return _by_staff(request, submission, before, Status.FILED, "filed_at")


def submission_return(*, request: HttpRequest, submission: Submission, reason: str) -> bool:
    """The practice asks the family to send it again; `reason` is shown to them and may not be empty.
    False when the family took it back meanwhile."""
    before = {Status.RECEIVED, Status.SEEN, Status.FILED}
    return _by_staff(request, submission, before, Status.RETURNED, "returned_at", reason=reason)


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
