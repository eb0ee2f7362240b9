"""How a part of the medical history moves to another person. What a family says there counts at once, so it
is already on the list of the wrong one: there it becomes entered by mistake, or what it was before, with its
past; the right one gets the same as an entry of their own, reported by the family, for the practice to see.

Nothing is put over what the right person has, and "None" is never said of a list that has entries.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from households.history.models import (
    MODEL_OF,
    MODELS,
    Entry,
    EntryChange,
    Fact,
    Section,
    SectionState,
)
from households.history.sections import applies_to, make_states
from households.history.topics import QUESTIONS
from households.history.words import title_of
from households.models import Member
from households.submissions.models import Submission
from households.submissions.refiling import Moving, Plan

Action = EntryChange.Action
Answer = SectionState.Answer
Decision = EntryChange.Decision
Status = Entry.Status
_LOOKED_AT = {Decision.ACCEPTED, Decision.EDITED}


@dataclass(frozen=True)
class _Net:
    """What one submission made of one entry, all its changes together."""

    first: EntryChange
    last: EntryChange

    @property
    def is_new(self) -> bool:
        return not self.first.before

    @property
    def says_something(self) -> bool:
        """Whether there is anything for the right person: what was a mistake is nothing."""
        return self.last.values.get("status") != Status.ERROR

    @property
    def title(self) -> str:
        return title_of(self.last.as_entry())


def plan(submission: Submission, to: Member) -> Plan:
    changes = _changes(submission)
    if not changes:
        text = _(
            "With this the family said that nothing has changed for %(from)s. Nobody can say that of another "
            "person."
        )
        return Plan(why_not=text % {"from": submission.member.full_name})
    section = Section(submission.about)
    nets = _nets(changes)
    marks: list[Any] = [[one.pk, one.decision] for one in changes]
    marks += [[str(entry.public_id), entry.version] for entry in _entries_of(submission, nets)]
    state = _state(to, section)
    # It is made when it is locked, as not asked.
    marks.append([Answer.NOT_ASKED, 0] if state is None else [state.answer, state.version])
    names = {
        "from": submission.member.full_name,
        "to": to.full_name,
        "topic": str(section.label),
    }
    if why_not := _why_not(submission, to, section, changes, names):
        return Plan(why_not=why_not, marks=marks)
    happens = [line for net in nets for line in _of_entry(net, names)]
    said = _answered(changes, nets)
    if said:
        happens.append(
            _(
                "“%(answer)s” of the topic “%(topic)s” is said of %(to)s, and is to be answered again for "
                "%(from)s."
            )
            % {**names, "answer": str(Answer(said).label)}
        )
    elif state is not None and state.answer in {Answer.NONE, Answer.NOT_SURE}:
        happens.append(
            _(
                "The family has said “%(answer)s” of this topic for %(to)s. With an entry that does not hold "
                "any more. Ask them."
            )
            % {**names, "answer": str(Answer(state.answer).label)}
        )
    if any(change.decision in _LOOKED_AT for change in changes):
        happens.append(
            _(
                "It was accepted for %(from)s. What you have put into other systems for %(from)s stays there "
                "until you take it out."
            )
            % names
        )
    return Plan(happens=happens, marks=marks)


def _of_entry(net: _Net, names: dict[str, str]) -> Iterable[str]:
    about = {**names, "what": net.title}
    if net.is_new and not net.says_something:
        return
    if net.is_new:
        yield _("%(what)s: on the list of %(from)s it is marked as entered by mistake.") % about
    else:
        yield _("%(what)s: on the list of %(from)s it is again as it was before.") % about
    if net.says_something:
        yield (
            _(
                "%(what)s: %(to)s gets it as an entry of their own, reported by the family, for you to look "
                "at."
            )
            % about
        )
    else:
        yield _("%(what)s: nothing is changed on the list of %(to)s.") % about


def _why_not(
    submission: Submission,
    to: Member,
    section: Section,
    changes: list[EntryChange],
    names: dict[str, str],
) -> str:
    if not applies_to(to, section):
        return _("%(to)s is not asked the topic “%(topic)s”. Return it to the family.") % names
    nets = _nets(changes)
    if any(_was_changed_later(submission, net) for net in nets):
        return (
            _(
                "Some of it was changed again in something that came later. Move that first, or return both."
            )
            % names
        )
    if not any(net.says_something or not net.is_new for net in nets) and not _answered(
        changes, nets
    ):
        return _("The family has taken all of it off again. There is nothing to move.")
    if _answered(changes, nets) and _entries(to, section).filter(status=Status.ACTIVE).exists():
        return (
            _(
                "%(to)s has current entries in this topic: “None” or “Not sure” cannot be said of them. "
                "Return it to the family."
            )
            % names
        )
    if section in QUESTIONS:
        topics = [net.last.values["topic"] for net in nets if net.says_something]
        theirs = Fact.objects.for_member(to).filter(topic__in=topics).exclude(status=Status.ERROR)
        if theirs.exists():
            return (
                _(
                    "%(to)s has answers of their own to some of these questions, which nothing may be put "
                    "over. Return this to the family: they can answer for %(to)s in the right chart."
                )
                % names
            )
    return ""


def lock(submission: Submission, to: Member) -> None:
    """As in saving: the states, the changes, the entries."""
    section = submission.about
    people = [submission.member, to]
    for member in people:
        if section in Section.values:
            make_states(member, [Section(section)])
    for member in sorted(people, key=lambda one: one.pk):
        states = SectionState.objects.for_member(member).filter(section=section)
        list(states.select_for_update())
    changes = EntryChange.objects.for_member(submission.member).filter(submission=submission)
    list(changes.select_for_update().order_by("pk"))
    waiting = EntryChange.objects.for_member(to).waiting().filter(section=section)
    list(waiting.select_for_update().order_by("pk"))


def move(moving: Moving, submission: Submission) -> None:
    changes = _changes(submission)
    nets = _nets(changes)
    section = Section(submission.about)
    copy = moving.submission_is_copied(submission)
    theirs = EntryChange.objects.for_member(moving.from_member).filter(submission=submission)
    theirs.waiting().update(
        decision=Decision.REPLACED, decided_at=moving.at, decided_by=moving.request.user
    )
    for net in nets:
        if net.is_new and not net.says_something:
            continue
        _put_back(moving, submission, net)
        if net.says_something:
            _report(moving, copy, net)
    said = _answered(changes, nets)
    if said:
        _say(moving, copy, section, said)
    _reckon(moving.from_member, section, let_go=submission)
    _reckon(moving.to, section, said=said)


# --- the wrong person -----------------------------------------------------------------


def _put_back(moving: Moving, submission: Submission, net: _Net) -> None:
    """The entry of the wrong person is a mistake, or as it was before; its past says that the practice made
    it so."""
    entry = _entry_locked(moving.from_member, net)
    before = entry.values()
    after = {**before, "status": Status.ERROR.value} if net.is_new else net.first.before
    for name in entry.columns():
        if name in after:
            setattr(entry, name, after[name])
    entry.version += 1
    entry.is_confirmed = not net.is_new and _was_looked_at(moving.from_member, net)
    entry.save()
    EntryChange.objects.create(
        member=moving.from_member,
        submission=submission,
        sending_id=uuid.uuid4(),
        section=submission.about,
        action=Action.ERROR if net.is_new else Action.CHANGED,
        entry_type=net.last.entry_type,
        entry=entry.public_id,
        version=entry.version,
        before=before,
        values=entry.values(),
        decision=Decision.ACCEPTED,
        decided_at=moving.at,
        decided_by_id=moving.request.user.pk,
    )


def _entry_locked(member: Member, net: _Net) -> Entry:
    rows = MODELS[net.last.entry_type].objects.for_member(member).select_for_update()
    assert net.last.entry is not None  # it is of an entry
    entry: Entry = rows.get(public_id=net.last.entry)
    return entry


def _was_looked_at(member: Member, net: _Net) -> bool:
    """Whether the practice had confirmed the state that the entry goes back to."""
    earlier = EntryChange.objects.for_member(member).filter(
        entry=net.first.entry, pk__lt=net.first.pk
    )
    last = earlier.order_by("-pk").first()
    return last is not None and last.decision in _LOOKED_AT


# --- the right person -----------------------------------------------------------------


def _report(moving: Moving, copy: Submission, net: _Net) -> None:
    """The same entry, as new for this person. An answer that was taken away once comes back in its row."""
    model = MODELS[net.last.entry_type]
    values = net.last.values
    entry: Entry | None = None
    before: dict[str, Any] = {}
    if model is Fact:
        rows = Fact.objects.for_member(moving.to).select_for_update()
        entry = rows.filter(topic=values["topic"]).first()
    if entry is None:
        entry = model(member=moving.to, version=0, recorded_in=copy, **values)
    else:
        before = entry.values()
        for name in entry.columns():
            if name in values:
                setattr(entry, name, values[name])
    entry.version += 1
    entry.changed_in, entry.is_confirmed = copy, False
    entry.save()
    EntryChange.objects.create(
        member=moving.to,
        submission=copy,
        sending_id=uuid.uuid4(),
        proposed_at=net.last.proposed_at,
        section=net.last.section,
        action=Action.CHANGED if before else Action.ADDED,
        entry_type=net.last.entry_type,
        entry=entry.public_id,
        version=entry.version,
        before=before,
        values=entry.values(),
    )


def _say(moving: Moving, copy: Submission, section: Section, answer: str) -> None:
    state = _state(moving.to, section)
    assert state is not None  # it was made when it was locked
    EntryChange.objects.create(
        member=moving.to,
        submission=copy,
        sending_id=uuid.uuid4(),
        section=section,
        action=Action.ANSWERED,
        version=state.version + 1,
        before={"answer": state.answer},
        values={"answer": answer},
    )


# --- the topic as a whole -------------------------------------------------------------


def _reckon(
    member: Member, section: Section, *, said: str = "", let_go: Submission | None = None
) -> None:
    """What is known of the topic now. Where all that was there was a mistake, that says nothing about what is
    so: it is to be answered again. Nobody of the family has confirmed it by this; what was confirmed in the
    submission that is `let_go` was not."""
    state = _state(member, section)
    assert state is not None  # it was made when it was locked
    if said:
        state.answer = said
    elif _entries(member, section).exclude(status=Status.ERROR).exists():
        state.answer = Answer.ENTRIES
    else:
        state.answer = Answer.NOT_ASKED
    if let_go is not None and state.confirmed_in_id == let_go.pk:
        state.confirmed_at = state.confirmed_in = None
    # Whoever has the topic open is to see this before saying anything about it.
    state.version += 1
    state.save()


def _state(member: Member, section: Section) -> SectionState | None:
    found: SectionState | None = (
        SectionState.objects.for_member(member).filter(section=section).first()
    )
    return found


def _entries(member: Member, section: Section) -> QuerySet[Any]:
    if section in MODEL_OF:
        rows: QuerySet[Any] = MODEL_OF[section].objects.for_member(member)
        return rows
    facts: QuerySet[Any] = Fact.objects.for_member(member).filter(of_section=section)
    return facts


# --- what was sent --------------------------------------------------------------------


def _changes(submission: Submission) -> list[EntryChange]:
    theirs = EntryChange.objects.for_member(submission.member)
    return list(theirs.filter(submission=submission).order_by("pk"))


def _nets(changes: Iterable[EntryChange]) -> list[_Net]:
    together: dict[uuid.UUID, list[EntryChange]] = {}
    for change in changes:
        if change.entry is not None:
            together.setdefault(change.entry, []).append(change)
    return [_Net(parts[0], parts[-1]) for parts in together.values()]


def _answered(changes: list[EntryChange], nets: Iterable[_Net]) -> str:
    """ "None" or "not sure", where that is what the submission left of the topic as a whole; "" otherwise."""
    if any(net.says_something for net in nets):
        return ""
    said = [one.values["answer"] for one in changes if one.entry is None and "answer" in one.values]
    return str(said[-1]) if said else ""


def _was_changed_later(submission: Submission, net: _Net) -> bool:
    later = EntryChange.objects.for_member(submission.member).filter(
        entry=net.last.entry, pk__gt=net.last.pk
    )
    return bool(later.exists())


def _entries_of(submission: Submission, nets: Iterable[_Net]) -> Iterable[Entry]:
    for net in nets:
        rows = MODELS[net.last.entry_type].objects.for_member(submission.member)
        yield from rows.filter(public_id__in=[net.last.entry])
