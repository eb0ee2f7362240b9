"""How a change of the details moves to another person: what waits is compared anew with what is on file of
the right one. What the practice has let on the wrong person's file is put right there first, by hand: nobody
here guesses what to put in its place."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.utils.translation import gettext as _

from households.demographics.fields import FIELDS, OnFile
from households.demographics.models import DetailChange
from households.models import Member
from households.submissions.models import Submission
from households.submissions.refiling import Moving, Plan

Decision = DetailChange.Decision
_ON_FILE = {Decision.ACCEPTED, Decision.EDITED}


def plan(submission: Submission, to: Member) -> Plan:
    changes = _changes(submission)
    marks = [[change.pk, change.decision, change.field] for change in changes]
    why_not = _why_not(submission, to, changes)
    if why_not:
        return Plan(why_not=why_not, marks=marks)
    names = {"from": submission.member.full_name, "to": to.full_name}
    happens = [
        _(
            "%(field)s: it waits for %(to)s then, beside what is on file of %(to)s. What is on file of "
            "%(from)s stays as it is."
        )
        % {**names, "field": _label(change)}
        for change in changes
        if change.waits
    ]
    happens += [
        _("%(field)s: it came back to the family. From then on %(to)s is asked to put it right.")
        % {**names, "field": _label(change)}
        for change in changes
        if change.decision == Decision.RETURNED
    ]
    if replaced := _replaced_before(submission, changes):
        happens.append(
            _(
                "An earlier change of %(from)s was replaced by this one and does not count any more: "
                "%(fields)s. If that was meant for %(from)s, ask the family to send it again."
            )
            % {**names, "fields": _labels(replaced)}
        )
    return Plan(happens=happens, marks=marks)


def _why_not(submission: Submission, to: Member, changes: list[DetailChange]) -> str:
    names = {"from": submission.member.full_name, "to": to.full_name}
    if not changes:
        return (
            _(
                "With this the family said that all details of %(from)s are correct. Nobody can say that of "
                "another person."
            )
            % names
        )
    on_file = [change for change in changes if change.decision in _ON_FILE]
    if on_file:
        return _(
            "Some of it is on the file of %(from)s already: %(fields)s. First put that right under “Details "
            "on file” of %(from)s. For %(to)s, enter it under “Details on file” there, or ask the family to "
            "send it in the right chart. What still waits here, return to the family."
        ) % {**names, "fields": _labels(on_file)}
    if not any(change.waits for change in changes):
        return _("Nothing of it waits any more. There is nothing to move.")
    if any(one.waits and FIELDS[one.field].repeats and not one.values for one in changes):
        return (
            _(
                "It takes a contact off the list of %(from)s, who is not on the list of %(to)s. Return it to "
                "the family."
            )
            % names
        )
    if newer := _newer_of_theirs(to, changes):
        return _(
            "The family has sent something for %(to)s itself since then, or it waits there: %(fields)s. What "
            "they said of the right person goes first. Decide on that, and return this."
        ) % {**names, "fields": _labels(newer)}
    return ""


def lock(submission: Submission, to: Member) -> None:
    """The changes, the people, and then the submission, as everywhere here."""
    theirs = DetailChange.objects.for_member(submission.member).filter(submission=submission)
    list(theirs.select_for_update().order_by("pk"))
    people = Member.objects.filter(pk__in=[submission.member_id, to.pk])
    list(people.select_for_update(no_key=True).order_by("pk"))


def move(moving: Moving, submission: Submission) -> None:
    on_file = OnFile.of(moving.to)
    theirs = DetailChange.objects.for_member(moving.from_member)
    before = {}
    rows: dict[str, str] = {}
    for change in _changes(submission):
        field = FIELDS[change.field]
        before[str(change.public_id)] = {"before": change.before, "row": change.row}
        # A contact of the one is no contact of the other: it would be a new one.
        row = rows.setdefault(change.row, str(uuid.uuid4())) if field.repeats else ""
        theirs.filter(pk=change.pk).update(
            member=moving.to,
            row=row,
            before=field.read(on_file, row),
            # The page it was sent from was another person's.
            sending_id=uuid.uuid4(),
        )
    status = Submission.Status(submission.status)
    moving.submission_moves(submission, status=status, was={"changes": before})


def _changes(submission: Submission) -> list[DetailChange]:
    theirs = DetailChange.objects.for_member(submission.member)
    return list(theirs.filter(submission=submission).order_by("pk"))


def _newer_of_theirs(to: Member, changes: Iterable[DetailChange]) -> list[DetailChange]:
    """What the family sent for the right person and would stand behind what is moved there, though it is
    newer, or waits. Contacts are no such case: each is somebody else."""
    moving = {one.field: one.pk for one in changes if one.waits and not FIELDS[one.field].repeats}
    sent = DetailChange.objects.for_member(to).filter(field__in=moving).order_by("pk")
    return [one for one in sent if one.waits or one.pk > moving[one.field]]


def _replaced_before(submission: Submission, changes: Iterable[DetailChange]) -> list[DetailChange]:
    """Changes of the same person in another submission that one of these took the place of."""
    found = []
    for change in changes:
        earlier = DetailChange.objects.for_member(submission.member).filter(
            field=change.field, row=change.row, pk__lt=change.pk
        )
        last = earlier.order_by("-pk").first()
        if (
            last is not None
            and last.submission_id != submission.pk
            and last.decision == Decision.REPLACED
            and last.taken_back_at is None
        ):
            found.append(last)
    return found


def _label(change: DetailChange) -> str:
    return str(FIELDS[change.field].label)


def _labels(changes: Iterable[DetailChange]) -> str:
    return ", ".join(dict.fromkeys(_label(change) for change in changes))
