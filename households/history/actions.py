"""What changes the history. Each writes the entry, what became of it (EntryChange), the envelope it goes to
the practice in, and the audit, all of them or nothing.

Everything a family saves in one section takes turns on the row of the section's state. Locks are always taken
in the order state, changes (the oldest first), entry, envelope; the practice begins at the changes.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts import audit
from households.history.models import (
    MODEL_OF,
    Entry,
    EntryChange,
    Fact,
    Section,
    SectionState,
)
from households.history.sections import make_states
from households.models import Member
from households.requests import MemberRequest
from households.submissions.actions import (
    submission_begin,
    submission_continue,
    submission_run_out,
)
from households.submissions.models import Proposal, Submission

Action = EntryChange.Action
Answer = SectionState.Answer
Decision = Proposal.Decision
Status = Entry.Status
# Of one list, those that are over and mistaken included: nobody has more, and a page holds them all.
MOST_ENTRIES = 100
_ACTIONS = {Status.ENDED.value: Action.ENDED, Status.ERROR.value: Action.ERROR}


class ChangedMeanwhile(Exception):
    """Somebody else changed the same thing after the page was opened. Nothing is saved."""


class HasCurrentEntries(Exception):
    """ "None" and "not sure" cannot be said of a list that has current entries. Nothing is saved."""


class ListIsFull(Exception):
    """The list has MOST_ENTRIES. Nothing is saved."""


# --- entries --------------------------------------------------------------------------


def entry_add(
    *,
    request: MemberRequest,
    member: Member,
    section: Section,
    values: Mapping[str, Any],
    sending_id: uuid.UUID,
    is_hidden: bool,
) -> None:
    """A new entry of a list. The same page sent twice, also at the same moment, adds it once.

    Raises ListIsFull; not where nothing is shown back (`is_hidden`): that would tell how many there are to
    whoever tries.
    """
    model = MODEL_OF[section]
    with transaction.atomic():
        state = _state_locked(member, section)
        page = _page(sending_id, section, "", values)
        if _sent_before(member, page):
            return
        if not is_hidden and model.objects.for_member(member).count() >= MOST_ENTRIES:
            raise ListIsFull
        waiting = _waiting_locked(member, section)
        _replace_waiting(waiting)
        entry = model(member=member, **values)
        _write(request, state, member, entry, Action.ADDED, page, before={})
        _run_out(request, member, waiting)


def entry_change(
    *,
    request: MemberRequest,
    member: Member,
    entry: Entry,
    section: Section,
    values: Mapping[str, Any],
    version: int | None,
    sending_id: uuid.UUID,
) -> bool:
    """The entry says `values` from now on; what they leave out stays. False, and nothing happens, when it
    says them already.

    Raises ChangedMeanwhile when it is not in the `version` that the page showed.
    """
    with transaction.atomic():
        state = _state_locked(member, section)
        page = _page(sending_id, section, str(entry.public_id), values)
        if _sent_before(member, page):
            return True
        waiting = _waiting_locked(member, section, entry.public_id)
        entry = _locked(member, entry)
        before = entry.values()
        if all(before[name] == value for name, value in values.items()):
            return False
        if entry.version != version:
            raise ChangedMeanwhile
        _replace_waiting(waiting)
        _set(entry, values)
        entry.version += 1
        action = _ACTIONS.get(values.get("status", ""), Action.CHANGED)
        _write(request, state, member, entry, action, page, before=before)
        _run_out(request, member, waiting)
    return True


# --- the questions of a topic ---------------------------------------------------------


def facts_save(
    *,
    request: MemberRequest,
    member: Member,
    section: Section,
    answers: Mapping[str, Mapping[str, str]],
    versions: Mapping[str, int],
    sending_id: uuid.UUID,
    is_hidden: bool,
) -> tuple[int, list[str]]:
    """Record the answers that changed, question by question: how many, and which could not be recorded
    because somebody else changed the same one after the page was opened.

    Where nothing is shown back (`is_hidden`) an empty answer says nothing, a later one stands, and one that
    is as it was is recorded too: whoever shares the login must not find out by trying.
    """
    saved, conflicts = 0, []
    replaced: list[EntryChange] = []
    with transaction.atomic():
        state = _state_locked(member, section)
        waiting = _all_waiting_locked(member, section)
        theirs = Fact.objects.for_member(member).filter(of_section=section)
        facts = {fact.topic: fact for fact in theirs.select_for_update()}
        for topic, answer in answers.items():
            is_empty = not any(answer.values())
            fact = facts.get(topic)
            if is_empty and (is_hidden or fact is None):
                continue
            page = _page(sending_id, section, topic, answer)
            if _sent_before(member, page):
                saved += 1
                continue
            before = fact.values() if fact else {}
            after = _answered_with(before, answer, is_empty)
            if fact is None:
                fact = Fact(member=member, of_section=section, topic=topic, version=0)
            elif is_hidden:
                pass
            elif all(before[name] == value for name, value in after.items()):
                continue
            elif fact.version != versions.get(topic):
                if not _shown_then(member, fact, versions.get(topic), after):
                    conflicts.append(topic)
                continue
            replaced += waiting.get(fact.public_id, [])
            _replace_waiting(waiting.get(fact.public_id, []))
            _set(fact, after)
            fact.version += 1
            action = Action.ERROR if is_empty else Action.CHANGED if before else Action.ADDED
            _write(request, state, member, fact, action, page, before=before)
            saved += 1
        if saved:
            replaced += waiting.get(None, [])
            _replace_waiting(waiting.get(None, []))
            _run_out(request, member, replaced)
    return saved, conflicts


def _answered_with(
    before: Mapping[str, Any], answer: Mapping[str, str], is_empty: bool
) -> dict[str, Any]:
    """An answer that is taken away leaves what it was, as entered by mistake."""
    if is_empty:
        return {"status": Status.ERROR.value}
    return {**answer, "status": Status.ACTIVE.value}


def _shown_then(member: Member, fact: Fact, version: int | None, after: Mapping[str, Any]) -> bool:
    """Whether the page only sends back what it showed: nobody there touched this question."""
    shown = (
        EntryChange.objects.for_member(member)
        .filter(entry=fact.public_id, version=version or 0)
        .values_list("values", flat=True)
        .first()
    )
    if shown is None:
        return not version and after["status"] == Status.ERROR
    return all(shown.get(name) == value for name, value in after.items())


# --- the section as a whole -----------------------------------------------------------


def section_answer(
    *,
    request: MemberRequest,
    member: Member,
    section: Section,
    answer: str,
    version: int | None,
    sending_id: uuid.UUID,
    is_hidden: bool,
) -> None:
    """ "None" or "not sure". Said again, it is confirmed.

    Raises HasCurrentEntries, or ChangedMeanwhile when the section is not as the page showed it. Where
    nothing is shown back (`is_hidden`) neither may tell what is there: the practice sorts it out.
    """
    with transaction.atomic():
        state = _state_locked(member, section)
        page = _page(sending_id, section, "", {"answer": answer})
        if _sent_before(member, page) or state.sending_id == sending_id:
            return
        has_current = _entries(member, section).filter(status=Status.ACTIVE).exists()
        if not is_hidden:
            if state.answer == answer:
                _confirm(request, member, state, sending_id)
                return
            if state.version != version:
                raise ChangedMeanwhile
            if has_current:
                raise HasCurrentEntries
        waiting = _waiting_locked(member, section)
        _replace_waiting(waiting)
        submission = _envelope(request, member, section)
        before = state.answer
        if not has_current:
            state.answer = answer
        _touch(state, submission)
        _record(
            request,
            EntryChange(
                member=member,
                submission=submission,
                sending_id=page,
                section=section,
                action=Action.ANSWERED,
                version=state.version,
                before={"answer": before},
                values={"answer": answer},
            ),
        )
        _run_out(request, member, waiting)


def section_confirm(
    *,
    request: MemberRequest,
    member: Member,
    section: Section,
    version: int | None,
    sending_id: uuid.UUID,
) -> None:
    """ "Nothing has changed". The practice has nothing to do about it.

    Raises ChangedMeanwhile when something has, after the page was opened.
    """
    with transaction.atomic():
        state = _state_locked(member, section)
        if state.sending_id == sending_id:
            return
        if state.version != version or state.answer == Answer.NOT_ASKED:
            raise ChangedMeanwhile
        _confirm(request, member, state, sending_id)


def _confirm(
    request: MemberRequest, member: Member, state: SectionState, sending_id: uuid.UUID
) -> None:
    submission = submission_begin(
        request=request,
        member=member,
        kind=Submission.Kind.HISTORY,
        about=state.section,
        waits=False,
    )
    state.confirmed_at, state.confirmed_in = submission.sent_at, submission
    state.sending_id = sending_id
    state.save(update_fields=["confirmed_at", "confirmed_in", "sending_id"])
    audit.record(
        audit.Action.SEND,
        "confirmed",
        request=request,
        object_type="history",
        object_id=submission.public_id,
    )


# --- the practice ---------------------------------------------------------------------


def change_accept(*, change: EntryChange, edited: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the family sent, or what the practice corrected it to, stands and is confirmed. Returns the
    change's own columns that go with the decision. Call inside the transaction of the decision."""
    member = change.member
    if not change.entry_type:
        return {}
    entry = _locked(member, change.as_entry())
    after = {**change.values, **(edited or {})}
    if entry.values() != after:
        _set(entry, after)
        entry.version += 1
        # Whoever has the list open is to see this before saying that nothing has changed. A family that
        # is saving right now holds the row, and counts up itself.
        states = SectionState.objects.for_member(member).filter(section=change.section)
        for state in states.select_for_update(skip_locked=True):
            state.version += 1
            state.save(update_fields=["version"])
    entry.is_confirmed = True
    entry.save()
    return {} if edited is None else {"edited_values": after}


# --- parts ----------------------------------------------------------------------------


def _state_locked(member: Member, section: Section) -> SectionState:
    rows = SectionState.objects.for_member(member).filter(section=section).select_for_update()
    state = rows.first()
    if state is None:
        # Nobody has looked at the history yet.
        make_states(member, [section])
        state = rows.get()
    return state


def _locked(member: Member, entry: Entry) -> Entry:
    rows = type(entry).objects.for_member(member).select_for_update()
    return rows.get(public_id=entry.public_id)


def _waiting_locked(
    member: Member, section: Section, entry: uuid.UUID | None = None
) -> list[EntryChange]:
    """What waits for the practice, of one entry; without one, of the section as a whole."""
    rows = EntryChange.objects.for_member(member).waiting().filter(section=section, entry=entry)
    return list(rows.select_for_update().order_by("pk"))


def _all_waiting_locked(
    member: Member, section: Section
) -> dict[uuid.UUID | None, list[EntryChange]]:
    waiting: dict[uuid.UUID | None, list[EntryChange]] = {}
    rows = EntryChange.objects.for_member(member).waiting().filter(section=section)
    for change in rows.select_for_update().order_by("pk"):
        waiting.setdefault(change.entry, []).append(change)
    return waiting


def _replace_waiting(waiting: list[EntryChange]) -> None:
    for change in waiting:
        change.decision, change.decided_at = Decision.REPLACED, timezone.now()
        change.save(update_fields=["decision", "decided_at"])


def _run_out(request: MemberRequest, member: Member, replaced: Iterable[EntryChange]) -> None:
    """An envelope all of whose parts were replaced by later ones leaves the practice nothing to look at."""
    theirs = EntryChange.objects.for_member(member)
    envelopes = {change.submission_id: change.submission for change in replaced}
    for submission in envelopes.values():
        submission_run_out(submission=submission, proposals=theirs)


def _page(
    sending_id: uuid.UUID, section: Section, thing: str, values: Mapping[str, Any]
) -> uuid.UUID:
    """Which sending this is. A page that was sent, brought back by the browser and sent with something
    else on it is another one: nothing typed may be lost."""
    said = json.dumps([section, thing, dict(values)], sort_keys=True, default=str)
    return uuid.uuid5(sending_id, said)


def _sent_before(member: Member, page: uuid.UUID) -> bool:
    return EntryChange.objects.for_member(member).filter(sending_id=page).exists()


def _entries(member: Member, section: Section) -> Any:
    if section in MODEL_OF:
        return MODEL_OF[section].objects.for_member(member)
    return Fact.objects.for_member(member).filter(of_section=section)


def _set(entry: Entry, values: Mapping[str, Any]) -> None:
    for name in entry.columns():
        if name in values:
            setattr(entry, name, values[name])


def _envelope(request: MemberRequest, member: Member, section: Section) -> Submission:
    return submission_continue(
        request=request, member=member, kind=Submission.Kind.HISTORY, about=section
    )


def _write(
    request: MemberRequest,
    state: SectionState,
    member: Member,
    entry: Entry,
    action: EntryChange.Action,
    page: uuid.UUID,
    *,
    before: dict[str, Any],
) -> None:
    """Save the entry as the family has it now, and what became of it."""
    section = Section(state.section)
    submission = _envelope(request, member, section)
    if entry.pk is None:
        entry.recorded_in = submission
    entry.changed_in, entry.is_confirmed = submission, False
    entry.save()
    # Where all that was there was a mistake, that says nothing about what is so.
    is_something = _entries(member, section).exclude(status=Status.ERROR).exists()
    state.answer = Answer.ENTRIES if is_something else Answer.NOT_ASKED
    _touch(state, submission)
    _record(
        request,
        EntryChange(
            member=member,
            submission=submission,
            sending_id=page,
            section=section,
            action=action,
            entry_type=type(entry).__name__.lower(),
            entry=entry.public_id,
            version=entry.version,
            before=before,
            values=entry.values(),
        ),
    )


def _touch(state: SectionState, submission: Submission) -> None:
    """The family has said something about the section, now."""
    state.version += 1
    state.confirmed_at, state.confirmed_in = timezone.now(), submission
    state.save()


def _record(request: HttpRequest, change: EntryChange) -> None:
    change.save()
    audit.record(
        audit.Action.SEND,
        change.action,
        request=request,
        object_type="history",
        object_id=change.public_id,
    )
