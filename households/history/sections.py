"""Which topics a person is asked, what is known of each, and which are not shown back.

A topic that the practice marked private is write-only where several people share the login (PRODUCT E):
whoever shows anything of the history asks here first.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.db.models import Count, Value

from accounts.models import HouseholdAccount
from households.history.models import (
    MODEL_OF,
    Entry,
    EntryChange,
    Section,
    SectionSetting,
    SectionState,
)
from households.history.topics import QUESTIONS, WORDS, Words
from households.models import Member
from households.submissions.models import Proposal

Answer = SectionState.Answer
Decision = Proposal.Decision

_ADULT = 18
_PREGNANCY_AGES = range(8, 61)
_MALE = {"m", "male"}


@dataclass(frozen=True)
class Topic:
    """One section of one member: what the practice wants of it, and what is known. `is_hidden` is whether
    what was sent is not shown back to this login."""

    section: Section
    is_hidden: bool
    answer: str
    version: int
    confirmed_at: datetime.datetime | None

    @property
    def title(self) -> str:
        return str(self.section.label)

    @property
    def words(self) -> Words:
        return WORDS[self.section]

    @property
    def is_answered(self) -> bool:
        return self.answer != Answer.NOT_ASKED

    @property
    def has_questions(self) -> bool:
        """It is a page of questions, not a list of entries."""
        return self.section in QUESTIONS

    @property
    def model(self) -> type[Entry]:
        return MODEL_OF[self.section]


# --- which are asked ------------------------------------------------------------------


def applies_to(member: Member, section: str) -> bool:
    """Whether it makes sense for this person. A sex on file that says nothing clear is no reason to leave a
    question out: the family says so then."""
    age = member.age
    if section == Section.BIRTH:
        return age is not None and age < _ADULT
    if section == Section.PREGNANCY:
        return age in _PREGNANCY_AGES and member.sex.strip().casefold() not in _MALE
    return True


def topics_of(member: Member, account: HouseholdAccount) -> list[Topic]:
    """Those that this person is asked, in order. Makes their states at the first look."""
    private, asked = _private_and_asked()
    hidden = private if private and is_shared(account) else frozenset()
    states = _states(member)
    return [
        Topic(section, section in hidden, state.answer, state.version, state.confirmed_at)
        for section in Section
        if section in asked and applies_to(member, section)
        for state in [states[section]]
    ]


def topic_of(member: Member, account: HouseholdAccount, section: str) -> Topic | None:
    """The one with this name; None where there is none, or this person is not asked it."""
    if section not in Section.values:
        return None
    return next((one for one in topics_of(member, account) if one.section == section), None)


def _private_and_asked() -> tuple[frozenset[str], frozenset[str]]:
    rows = SectionSetting.objects.values_list("section", "is_private", "is_asked")
    private, asked = set(), set()
    for section, is_private, is_asked in rows:
        if is_private:
            private.add(section)
        if is_asked:
            asked.add(section)
    return frozenset(private), frozenset(asked)


def _states(member: Member) -> dict[str, SectionState]:
    rows = SectionState.objects.for_member(member)
    states = {state.section: state for state in rows}
    if missing := [section for section in Section if section not in states]:
        make_states(member, missing)
        states = {state.section: state for state in rows.all()}
    return states


def make_states(member: Member, sections: Iterable[Section]) -> None:
    """Each as not asked. Another request may have made them at the same moment."""
    rows = [SectionState(member=member, section=section) for section in sections]
    SectionState.objects.for_member(member).bulk_create(rows, ignore_conflicts=True)


# --- which are not shown back ---------------------------------------------------------


def hidden_sections(account: HouseholdAccount) -> frozenset[str]:
    """Those of which nothing is shown to this login."""
    private, _asked = _private_and_asked()
    return private if private and is_shared(account) else frozenset()


def is_shared(account: HouseholdAccount) -> bool:
    """Whether somebody else could be reading."""
    return len(Member.objects.in_household_of(account).values_list("pk")[:2]) > 1


# --- counts ---------------------------------------------------------------------------


def current_counts(member: Member) -> dict[str, int]:
    """How many current entries each list of this person has, in one query."""
    counts = [
        model.objects.for_member(member)
        .filter(status=Entry.Status.ACTIVE)
        .order_by()
        .values("member")
        .annotate(section_=Value(str(section)), count=Count("pk"))
        .values_list("section_", "count")
        for section, model in MODEL_OF.items()
    ]
    return dict(counts[0].union(*counts[1:], all=True))


def decisions_to_know(member: Member, hidden: Collection[str] = ()) -> dict[str, set[str]]:
    """What of each section waits for the practice or came back from it. Of those that are hidden only what
    became of the last thing sent: which entry or question it is about is not to be told."""
    known: dict[str, set[str]] = {}
    rows = EntryChange.objects.for_member(member).latest_of_each().exclude(section__in=hidden)
    rows = rows.filter(decision__in=[Decision.WAITING, Decision.RETURNED])
    for section, decision in rows.order_by().values_list("section", "decision").distinct():
        known.setdefault(section, set()).add(decision)
    return known | (_decisions_on_the_last(member, hidden) if hidden else {})


def _decisions_on_the_last(member: Member, sections: Collection[str]) -> dict[str, set[str]]:
    last: dict[str, tuple[int, set[str]]] = {}
    rows = EntryChange.objects.for_member(member).filter(section__in=sections).order_by("pk")
    for section, submission, decision in rows.values_list("section", "submission", "decision"):
        if section not in last or last[section][0] != submission:
            last[section] = (submission, set())
        last[section][1].add(decision)
    return {section: decisions for section, (_submission, decisions) in last.items()}
