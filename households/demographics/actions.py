"""What a family does to a member's details: propose a change, take it back, confirm everything.

Each is one transaction that holds the member's row, so that changes to one member take turns: what was
compared is what is changed (SECURITY R-RE-2). What is put on file, here or by staff, goes through
put_on_file().
"""

from __future__ import annotations

import json
import uuid
from enum import StrEnum

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts import audit
from households.demographics.fields import Field, OnFile, Values
from households.demographics.models import DetailChange, Details, FieldSetting
from households.demographics.standing import AllStanding, Standing, standing_of
from households.models import Member
from households.requests import MemberRequest
from households.submissions.actions import (
    submission_begin,
    submission_continue,
    submission_run_out,
)
from households.submissions.models import Submission

Decision = DetailChange.Decision
_KIND = Submission.Kind.DEMOGRAPHICS
# Of what there can be several of, such as contacts.
MOST_ROWS = 100


class Sent(StrEnum):
    """What became of a change that the family sent."""

    WAITING = "waiting"
    ON_FILE = "on-file"
    TAKEN_BACK = "taken-back"
    NOTHING_NEW = "nothing-new"


class ChangedMeanwhile(Exception):
    """Something else stands there than what the family saw; nothing was done."""

    def __init__(self, standing: Standing) -> None:
        self.standing = standing


class TooMany(Exception):
    """There are MOST_ROWS of them already; nothing was done."""


class LastOne(Exception):
    """The practice needs at least one of them; nothing was done."""


def member_locked(member: Member) -> Member:
    """The member as on file now, to be changed by nobody else until the transaction ends."""
    # Rows that point at the member may be written meanwhile.
    return Member.objects.select_for_update(no_key=True).get(pk=member.pk)


def put_on_file(*, member: Member, field: Field, values: Values, row: str = "") -> set[str]:
    """Write `values` of `field`. `member` is locked. Returns the member's own columns that are changed."""
    return field.write(OnFile.of(member), values, row)


def change_propose(
    *,
    request: MemberRequest,
    member: Member,
    field: Field,
    setting: FieldSetting,
    values: Values,
    seen: str,
    sending_id: uuid.UUID,
    row: str = "",
) -> Sent:
    """The family wants `values` in `field`; `seen` is the fingerprint of what they saw there. What waited
    for the same is replaced. The same page sent twice, also at the same moment, sends it once; brought back
    by the browser and sent with something else on it, it is another one.

    Raises ChangedMeanwhile, TooMany for one more, or LastOne where the practice needs one and it would be
    taken off.
    """
    page = _page(sending_id, field, row, values, seen)
    try:
        with transaction.atomic():
            return _propose(request, member, field, setting, values, seen, page, row)
    except IntegrityError:
        before = _sent_before(member, page)
        if before is None:
            raise
        return before


def _propose(
    request: MemberRequest,
    member: Member,
    field: Field,
    setting: FieldSetting,
    values: Values,
    seen: str,
    page: uuid.UUID,
    row: str,
) -> Sent:
    # In the order in which staff lock them: the change, the member, the submission.
    theirs = DetailChange.objects.for_member(member)
    list(theirs.waiting().filter(field=field.key, row=row).select_for_update())
    member = member_locked(member)
    if (before := _sent_before(member, page)) is not None:
        return before
    if theirs.filter(sending_id=page).exists():
        page = uuid.uuid4()  # it was sent, and does not count any more
    standing = standing_of(member, field, row)
    is_as_seen = constant_time_compare(standing.fingerprint, seen)
    waiting = standing.waiting
    if not is_as_seen and waiting is None and field.same(values, standing.on_file):
        # Pressed twice, it is taken back once, and the second answer says so too.
        was_taken_back = standing.change is not None and standing.change.taken_back_at
        return Sent.TAKEN_BACK if was_taken_back else Sent.NOTHING_NEW
    if not is_as_seen:
        raise ChangedMeanwhile(standing)
    values = field.spelled_as(standing.on_file, values)
    if field.same(values, standing.standing_values):
        return Sent.NOTHING_NEW
    is_one_more = field.repeats and standing.change is None and not standing.on_file
    if is_one_more and len(AllStanding.of(member).of_field(field)) >= MOST_ROWS:
        raise TooMany
    if field.repeats and setting.is_required and not values:
        others = AllStanding.of(member).of_field(field)
        if not any(one.row != row and field.is_answered(one.standing_values) for one in others):
            raise LastOne
    if waiting is not None and field.same(values, standing.on_file) and _not_seen(waiting):
        _take_back(request, member, waiting)
        return Sent.TAKEN_BACK
    if waiting is not None:
        _replace(member, waiting)
    by_itself = setting.accepts_itself and not field.never_by_itself
    if by_itself:
        put_on_file(member=member, field=field, values=values, row=row)
        submission = submission_begin(request=request, member=member, kind=_KIND, waits=False)
    else:
        submission = submission_continue(request=request, member=member, kind=_KIND)
    change = DetailChange.objects.create(
        member=member,
        submission=submission,
        sending_id=page,
        field=field.key,
        row=row,
        before=standing.on_file,
        values=values,
        decision=Decision.ACCEPTED if by_itself else Decision.WAITING,
        decided_at=timezone.now() if by_itself else None,
    )
    if waiting is not None:
        submission_run_out(submission=waiting.submission, proposals=theirs)
    audit.record(
        audit.Action.SEND,
        "accepted-by-itself" if by_itself else "ok",
        request=request,
        object_type=_KIND.value,
        object_id=change.public_id,
    )
    return Sent.ON_FILE if by_itself else Sent.WAITING


def _page(sending_id: uuid.UUID, field: Field, row: str, values: Values, seen: str) -> uuid.UUID:
    """Which sending this is: of one page with the same on it."""
    return uuid.uuid5(sending_id, json.dumps([field.key, row, values, seen], sort_keys=True))


def _sent_before(member: Member, page: uuid.UUID) -> Sent | None:
    sent = DetailChange.objects.for_member(member).filter(sending_id=page).first()
    if sent is None or sent.decision == Decision.REPLACED:
        return None
    return Sent.WAITING if sent.decided_by_id or sent.waits else Sent.ON_FILE


def _not_seen(change: DetailChange) -> bool:
    return change.submission.may_be_withdrawn


def _replace(member: Member, change: DetailChange, **columns: object) -> None:
    waiting = DetailChange.objects.for_member(member).waiting().filter(pk=change.pk)
    waiting.update(decision=Decision.REPLACED, decided_at=timezone.now(), **columns)


def change_take_back(*, request: MemberRequest, member: Member, change: DetailChange) -> bool:
    """What is on file stays there. False, and nothing happens, once the practice has seen the change."""
    with transaction.atomic():
        theirs = DetailChange.objects.for_member(member)
        still = theirs.waiting().filter(pk=change.pk).select_for_update().first()
        member_locked(member)
        if still is None or not _not_seen(still):
            return False
        _take_back(request, member, still)
    return True


def _take_back(request: MemberRequest, member: Member, change: DetailChange) -> None:
    _replace(member, change, taken_back_at=timezone.now())
    theirs = DetailChange.objects.for_member(member)
    submission_run_out(submission=change.submission, proposals=theirs)
    audit.record(
        audit.Action.WITHDRAW,
        "ok",
        request=request,
        object_type=_KIND.value,
        object_id=change.public_id,
    )


class Confirmed(StrEnum):
    """What became of “This is all correct”."""

    YES = "yes"
    CHANGED_MEANWHILE = "changed-meanwhile"
    MISSING = "missing"


def details_confirm(
    *, request: MemberRequest, member: Member, seen: str, confirmed_before: str
) -> Confirmed:
    """The family says that all of it is correct: what they saw, whose fingerprint `seen` is. Pressed twice
    from one page, whose last confirmation was at `confirmed_before`, it is said once."""
    with transaction.atomic():
        member = member_locked(member)
        everything = AllStanding.of(member)
        if not constant_time_compare(everything.fingerprint, seen):
            return Confirmed.CHANGED_MEANWHILE
        if everything.missing():
            return Confirmed.MISSING
        details: Details = everything.on_file.details
        if confirmed_mark(details) != confirmed_before:
            return Confirmed.YES
        submission = submission_begin(request=request, member=member, kind=_KIND, waits=False)
        details.confirmed_at = submission.sent_at
        details.confirmed_in = submission
        details.save()
        audit.record(
            audit.Action.SEND,
            "confirmed",
            request=request,
            object_type=_KIND.value,
            object_id=submission.public_id,
        )
    return Confirmed.YES


def confirmed_mark(details: Details) -> str:
    """Which confirmation a page showed, for its form."""
    return "" if details.confirmed_in_id is None else str(details.confirmed_in_id)
