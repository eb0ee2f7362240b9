"""What was sent for the wrong person is moved to the right one (PRODUCT H4).

This is where a child would be hurt: a paper, an answer or an allergy that stays with the wrong person, or is
put over what the right one has. So a move is planned first, in words (`plan_of`), staff confirm that plan and
no other, and it is carried out whole or not at all, with locked rows, a trail (Refiling) and the audit of
both people. What cannot be moved without guessing is refused, with what to do instead.

How one kind of thing moves, its slice says: a module with `plan`, `lock` and `move` (Mover). Slices are known
here by their names only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol, cast

from django.db import models, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _

from accounts import audit
from households.models import Member
from households.submissions.models import Refiling, Submission
from households.submissions.sight import (
    CLINICAL_DOCUMENT,
    kinds_decided_by,
    sees_clinical_answers,
)

Status = Submission.Status
# Nobody's household has more people; an office's own address on unrelated patients might.
_MOST_PEOPLE = 100


@dataclass
class Plan:
    """What moving one thing to one person would do. `why_not`: why it cannot be, and what to do instead, as
    a sentence for staff; "" when it can. `happens`: what will happen, a sentence each. `marks`: what else
    must be as it was when staff read this, such as ids and states; nobody reads them."""

    why_not: str = ""
    happens: list[str] = field(default_factory=list)
    marks: list[Any] = field(default_factory=list)
    # What goes with it: other submissions, of any kind.
    along: list[Submission] = field(default_factory=list)


class Mover(Protocol):
    """What a slice says of moving its things. `submission.member` is whose it is now."""

    def plan(self, submission: Submission, to: Member) -> Plan:
        """Only reads."""

    def lock(self, submission: Submission, to: Member) -> None:
        """Hold every row of the slice that the move reads or writes, in the order in which the slice takes
        them elsewhere. The submissions are locked afterwards, by whoever calls."""

    def move(self, moving: Moving, submission: Submission) -> None:
        """Carry it out, inside the transaction. Each submission goes through `moving`."""


_MOVERS = {
    Submission.Kind.DOCUMENT: "households.documents.refiling",
    Submission.Kind.DEMOGRAPHICS: "households.demographics.refiling",
    Submission.Kind.HISTORY: "households.history.refiling",
    Submission.Kind.FORM: "households.intake.refiling",
}


class ChangedMeanwhile(Exception):
    """It is not as the plan said that staff confirmed. Nothing is moved."""


class Refused(Exception):
    """It cannot be moved; the text says why. Nothing is moved."""


def may_refile(user: Any, submission: Submission) -> bool:
    """Whether this staff member may move this thing, to people of the same household: only what they may
    read and decide on, so no history and no clinical form at the front desk."""
    if not user.has_perms(["submissions.refile_submission", "households.view_member"]):
        return False
    if submission.kind not in kinds_decided_by(user):
        return False
    if sees_clinical_answers(user):
        return True
    if submission.kind != Submission.Kind.FORM:
        return submission.about != CLINICAL_DOCUMENT
    return not _slice(Submission.Kind.FORM).is_clinical(submission)


def others_in_household(member: Member) -> models.QuerySet[Member]:
    """Everybody else on file under the same email, also those whom the login does not open."""
    if not member.email_key:
        return Member.objects.none()
    on_email = Member.objects.filter(email_key=member.email_key)
    # Whose slice comes first is no matter: a look-up in it asks the whole household.
    return on_email.exclude(pk=member.pk)


def listed_people(people: models.QuerySet[Member]) -> list[Member]:
    """As many of them as a page can show."""
    return list(people[:_MOST_PEOPLE])


def is_across(submission: Submission, to: Member) -> bool:
    """Whether another household would see it."""
    key = submission.member.email_key
    return not key or key != to.email_key


# --- the plan -------------------------------------------------------------------------


def plan_of(submission: Submission, to: Member) -> Plan:
    """What moving `submission` to `to` would do, as things stand now."""
    if why_not := _never(submission):
        return Plan(why_not=why_not)
    plan = _mover(submission).plan(submission, to)
    if not plan.why_not and submission.kind == Submission.Kind.DOCUMENT:
        intake: Any = _slice(Submission.Kind.FORM)
        plan.why_not = intake.why_not_alone(submission)
    return plan


def fingerprint_of(submission: Submission, to: Member, plan: Plan) -> str:
    """What staff confirm: this plan, for these two people, of this thing as it stands."""
    along = [[one.pk, one.status] for one in plan.along]
    about = [
        *(submission.pk, submission.member_id, submission.status, to.pk),
        *(submission.member.email_key, to.email_key),
        *(plan.why_not, plan.happens, plan.marks, along),
    ]
    text = json.dumps(about, default=str, sort_keys=True)
    return salted_hmac("refiling.confirmed", text, algorithm="sha256").hexdigest()


def _never(submission: Submission) -> str:
    if submission.refilings_away.exists():
        return _("It was moved before. What is still here is its past, which stays.")
    if submission.status == Status.WITHDRAWN:
        return _("The family took it back. There is nothing to move.")
    if submission.status == Status.RETURNED:
        return _(
            "It was returned to the family, who were asked to send it again. If the practice keeps it after "
            "all, file it first; then it can be moved."
        )
    return ""


def _mover(submission: Submission) -> Mover:
    return cast("Mover", _slice(Submission.Kind(submission.kind)))


def _slice(kind: Submission.Kind) -> Any:
    return import_module(_MOVERS[kind])


# --- moving ---------------------------------------------------------------------------


@dataclass
class Moving:
    """One move as it is carried out. Slices put each submission through it, the thing itself first."""

    request: HttpRequest
    from_member: Member
    to: Member
    reason: str
    at: Any = field(default_factory=timezone.now)
    _trail: list[Refiling] = field(default_factory=list)

    def submission_moves(
        self, submission: Submission, *, status: Status, was: dict[str, Any] | None = None
    ) -> None:
        """The envelope is the other person's from now on, in `status`: one that it has already, RECEIVED (as
        if it had just come) or SEEN. Who filled it in was said of another person, so it is not said any
        more; `was` is what else it said before."""
        said = self._said(submission) | (was or {})
        columns: dict[str, Any] = {"member": self.to, "moved_at": self.at}
        columns |= {"filled_in_by": "", "filled_in_name": "", "sent_under": None}
        if status != submission.status:
            undone = dict.fromkeys(["filed_at", "partly_at", "returned_at"])
            seen = {"seen_at": self.at if status == Status.SEEN else None, "reason": ""}
            columns |= {"status": status, **undone, **seen, "handled_by": self.request.user}
        rows = Submission.objects.for_member(self.from_member).filter(pk=submission.pk)
        if rows.update(**columns) != 1:
            raise ChangedMeanwhile
        self._note(submission, None, said)

    def submission_is_copied(
        self, submission: Submission, was: dict[str, Any] | None = None
    ) -> Submission:
        """A new envelope for the other person, as if it had just come; the one there is stays with the person
        it was sent for, and nobody has to look at it any more."""
        copy = Submission.objects.create(
            member=self.to,
            kind=submission.kind,
            about=submission.about,
            is_urgent=submission.is_urgent,
            sent_at=submission.sent_at,
            sent_by=submission.sent_by,
            sent_in=submission.sent_in,
            assigned_to=submission.assigned_to,
            moved_at=self.at,
        )
        said = self._said(submission) | (was or {})
        left = Submission.objects.for_member(self.from_member).filter(pk=submission.pk)
        left.update(status=Status.FILED, moved_at=self.at, handled_by=self.request.user)
        self._note(copy, submission, said)
        return copy

    def _said(self, submission: Submission) -> dict[str, Any]:
        said = {"status": submission.status, "seen_at": submission.seen_at}
        said |= {"filed_at": submission.filed_at, "partly_at": submission.partly_at}
        said |= {
            "filled_in_by": submission.filled_in_by,
            "filled_in_name": submission.filled_in_name,
        }
        # As text, as JSON carries it.
        return {name: str(value) for name, value in said.items() if value not in (None, "")}

    def _note(self, submission: Submission, left: Submission | None, was: dict[str, Any]) -> None:
        self._trail.append(
            Refiling(
                member=self.to,
                from_member=self.from_member,
                submission=submission,
                left=left,
                staff_id=cast("int", self.request.user.pk),
                reason=self.reason,
                is_across=self.is_across,
                was=was,
                at=self.at,
            )
        )

    @property
    def is_across(self) -> bool:
        key = self.from_member.email_key
        return not key or key != self.to.email_key

    def written(self) -> Refiling:
        """Write the trail and the audit of both people. Returns the row of the thing itself."""
        first = self._trail[0]
        for refiling in self._trail:
            refiling.along_with = None if refiling is first else first
            refiling.save()
            self._record(refiling)
        return first

    def _record(self, refiling: Refiling) -> None:
        there = refiling.submission
        ways = (
            ("refiled-away", self.from_member, refiling.left or there),
            ("refiled-here", self.to, there),
        )
        for outcome, member, submission in ways:
            audit.record(
                audit.Action.STAFF_CHANGE,
                f"{outcome}-across" if self.is_across else outcome,
                request=self.request,
                member_id=member.pk,
                object_type=submission.kind,
                object_id=submission.public_id,
            )


def submission_refile(
    *, request: HttpRequest, submission: Submission, to: Member, reason: str, confirmed: str
) -> Refiling:
    """Move `submission` to `to`, with all that belongs to it, in one transaction. `confirmed` is the
    fingerprint of the plan that staff read; `reason` is theirs and not for the family. Of two moves at once,
    or a move and anything else that happens to the same thing, one is first and the other is told.

    Raises ChangedMeanwhile or Refused; then nothing is moved.
    """
    with transaction.atomic():
        mover = _mover(submission)
        mover.lock(submission, to)
        along = plan_of(submission, to).along
        now = _locked(submission, along)
        plan = plan_of(now, to)
        if not constant_time_compare(confirmed, fingerprint_of(now, to, plan)):
            raise ChangedMeanwhile
        if plan.why_not:
            raise Refused(plan.why_not)
        moving = Moving(request=request, from_member=now.member, to=to, reason=reason)
        mover.move(moving, now)
        return moving.written()


def _locked(submission: Submission, along: Sequence[Submission]) -> Submission:
    """The submissions as they are now, in one order for everybody; the one that is moved is returned."""
    theirs = Submission.objects.for_member(submission.member)
    rows = theirs.filter(pk__in={submission.pk, *(one.pk for one in along)})
    locked = {one.pk: one for one in rows.select_for_update().order_by("pk")}
    if submission.pk not in locked:
        raise ChangedMeanwhile
    now = locked[submission.pk]
    # Their names and emails are in the plan.
    now.member = Member.objects.get(pk=now.member_id)
    return now
