"""What an import would do: who is new, who changes, whose access moves. Reads, and writes nothing."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import Count

from accounts.emails import email_key
from accounts.models import HouseholdSession
from households.close_emails import provider_meant
from households.matching import name_key
from households.models import Binding, Member, adult_age_now, plain_value
from households.roster import names, on_file
from households.roster.cleaning import NAME_FIELDS, CleanRow
from households.roster.columns import FIELDS
from households.roster.household_checks import Person, check_households
from households.roster.on_file import Known, OnFile, Unclear
from households.roster.report import AccessChange, Entry, Severity, printable

CHUNK = 500
# Facts that a chart was chosen by, or that say whether it may be opened (R-WP-3, R-WP-12).
IDENTITY = ("first_name", "preferred_name", "date_of_birth", "status", "email_key")
KEYS = Member.DERIVED
_ON_MEMBER = tuple(name for name in FIELDS if name != "patient_id")


@dataclass(slots=True)
class Change:
    """`member` bears every value as it shall be; only the fields the row speaks about are written."""

    pk: int
    member: Member
    fields: frozenset[str]
    touches_identity: bool


@dataclass
class Plan:
    stamp: tuple[object, ...]
    adult_age: int
    # How many people each email will have.
    people_on: Counter[str] = field(default_factory=Counter)
    created: list[Member] = field(default_factory=list)
    # Members whose noted values are over, with those that are left: the list has caught up.
    caught_up: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    unchanged: int = 0
    refused: int = 0
    entries: list[Entry] = field(default_factory=list)
    access_changes: list[AccessChange] = field(default_factory=list)
    # Patient ids, for the audit: whose access moved, and who came to a household that is on file.
    moved: list[str] = field(default_factory=list)
    joined: list[str] = field(default_factory=list)

    def digest(self) -> str:
        """Of everything that would be written and of whose access moves: equal for two plans that do the
        same, however often somebody else was saved between them."""
        written = hashlib.sha256()
        for member in self.created:
            written.update(repr(_values_of(member)).encode("utf-8", "surrogatepass"))
        for change in self.changes:
            values = [(name, getattr(change.member, name)) for name in sorted(change.fields)]
            written.update(repr((change.pk, values)).encode("utf-8", "surrogatepass"))
        # Not which browsers have a chart open: that comes and goes, and is no part of what is agreed to.
        access = [replace(one, open_charts=0, open_sessions=0) for one in self.access_changes]
        others = (self.caught_up, self.unchanged, self.refused, access)
        written.update(repr((others, self.moved, self.joined)).encode("utf-8", "surrogatepass"))
        return written.hexdigest()

    def refuse(self, row: CleanRow, kind: str, message: str) -> None:
        self.entries.append(
            Entry(Severity.REFUSED, kind, row.line, printable(row.patient_id), message)
        )
        self.refused += 1


def _values_of(member: Member) -> list[Any]:
    return [getattr(member, name) for name in FIELDS]


def make_plan(rows: list[CleanRow], practice_emails: set[str]) -> Plan:
    """Compare rows with what is on file now. `practice_emails` are keys of the practice's own addresses."""
    known_now = on_file.load()
    plan = Plan(known_now.stamp, adult_age=adult_age_now())
    people: dict[str, Person] = {}
    pairs = _told_apart(rows, known_now, plan)
    plan.people_on = _people_on(pairs, known_now)
    for chunk in _chunks(pairs):
        stored = {
            values.pop("pk"): values
            for values in Member.objects.filter(
                pk__in=[known.pk for _, known in chunk if known]
            ).values("pk", "patient_id", "list_values", *_ON_MEMBER, *KEYS)
        }
        for row, known in chunk:
            if known is None:
                member = _create(row, plan)
            else:
                member = _change(row, known.pk, stored[known.pk], plan)
            people[member.patient_id] = _person(member, row, known)
    _check_result(people, known_now, practice_emails, plan)
    return plan


def _told_apart(
    rows: list[CleanRow], known_now: OnFile, plan: Plan
) -> list[tuple[CleanRow, Known | None]]:
    """Each row with the member it is about. Rows of which that cannot be said are refused."""
    pairs: list[tuple[CleanRow, Known | None]] = []
    for row in rows:
        try:
            pairs.append((row, on_file.find(row, known_now)))
        except Unclear as error:
            plan.refuse(row, error.kind, str(error))
    # By another key, two rows may be about one member, or a new id be one that is taken.
    targets = Counter(known.patient_id if known else row.patient_id for row, known in pairs)
    for row, known in pairs:
        target = known.patient_id if known else row.patient_id
        if targets[target] > 1:
            plan.refuse(
                row,
                "same_id_conflicting_rows",
                f"Several rows are about {printable(target)}. Keep one.",
            )
    return [
        (row, known)
        for row, known in pairs
        if targets[known.patient_id if known else row.patient_id] == 1
    ]


def _people_on(pairs: list[tuple[CleanRow, Known | None]], known_now: OnFile) -> Counter[str]:
    in_file = {known.pk for _row, known in pairs if known}
    people_on = Counter(
        known.email_key for known in known_now.by_patient_id.values() if known.pk not in in_file
    )
    for row, known in pairs:
        typed = row.values.get("email")
        people_on[known.email_key if typed is None and known else email_key(typed or "")] += 1
    return people_on


def _chunks(pairs: list[Any]) -> Iterator[list[Any]]:
    iterator = iter(pairs)
    while chunk := list(itertools.islice(iterator, CHUNK)):
        yield chunk


def _create(row: CleanRow, plan: Plan) -> Member:
    values = {name: value for name, value in row.values.items() if name != "patient_id"}
    member = Member(patient_id=row.patient_id, **values)
    member.set_keys(plan.adult_age, plan.people_on)
    plan.created.append(member)
    for name, kind in (("date_of_birth", "missing_dob"), ("email", "missing_email")):
        if name not in values:
            plan.entries.append(
                Entry(
                    Severity.WARNING, kind, row.line, printable(row.patient_id),
                    f"A new patient without {name}: nobody can choose this person in the portal.",
                )
            )  # fmt: skip
    return member


def _change(row: CleanRow, pk: int, stored: dict[str, Any], plan: Plan) -> Member:
    values = {
        name: value
        for name, value in row.values.items()
        # A name with lost letters never replaces a whole one.
        if not (name in NAME_FIELDS and names.has_lost_letters(value) and stored[name])
    }
    noted = stored["list_values"]
    # What is newer here than in the list stays; what the list itself has changed since then comes in.
    newer = {name for name, value in values.items() if _is_newer_here(name, value, stored)}
    values = {name: value for name, value in values.items() if name not in newer}
    left = {name: value for name, value in noted.items() if name not in values}
    # Without its pk and public id: it is written by its patient_id, see applying.
    member = Member(**{**stored, **values, "list_values": left})
    member.set_keys(plan.adult_age, plan.people_on)
    if newer:
        plan.entries.append(
            Entry(
                Severity.NOTE, "newer_on_file", row.line, printable(row.patient_id),
                f"Changed here since the list said it, and kept: {', '.join(sorted(newer))}. Change it in "
                "the practice's system too.",
            )
        )  # fmt: skip
    if row.patient_id != stored["patient_id"] and row.key and row.key[0] == "id":
        plan.entries.append(
            Entry(
                Severity.NOTE, "known_under_other_id", row.line, printable(row.patient_id),
                f"On file as {printable(stored['patient_id'])}: same record number, name and date of birth.",
            )
        )  # fmt: skip
    if all(stored[name] == value for name, value in values.items()):
        plan.unchanged += 1
        if left != noted:
            plan.caught_up.append((pk, left))
    else:
        touches = any(stored[name] != getattr(member, name) for name in IDENTITY)
        written = {*values, "list_values"} if left != noted else values
        plan.changes.append(Change(pk, member, frozenset(written), touches))
    return member


def _is_newer_here(name: str, value: Any, stored: dict[str, Any]) -> bool:
    """Whether the list still says what it said before somebody put something else on file."""
    noted = stored["list_values"]
    return name in noted and noted[name] == plain_value(value) and stored[name] != value


def _person(member: Member, row: CleanRow, known: Known | None) -> Person:
    return Person(
        line=row.line,
        patient_id=member.patient_id,
        first_name=member.first_name,
        preferred_name=member.preferred_name,
        last_name_key=member.last_name_key,
        date_of_birth=member.date_of_birth,
        email=member.email,
        email_key=member.email_key,
        address=name_key(member.address_1),
        has_access=bool(member.email_key)
        and member.status == Member.Status.ACTIVE
        and not member.waits_for_consent
        and (known is None or known.portal_access),
    )


def _check_result(
    people: dict[str, Person], known_now: OnFile, practice_emails: set[str], plan: Plan
) -> None:
    """Look at the households as they will be: the people of the file, and those on file who are not in it."""
    households: dict[str, list[Person]] = defaultdict(list)
    for person in people.values():
        if person.email_key:
            households[person.email_key].append(person)
    for key, members in known_now.by_email.items():
        for known in members:
            if known.patient_id not in people:
                households[key].append(Person.of(known))
    plan.entries += check_households(households, practice_emails)
    with_access = {
        key: sum(one.has_access for one in members) for key, members in households.items()
    }
    stayed = {
        key: [known.patient_id for known in members if _email_key_of(known, people) == key]
        for key, members in known_now.by_email.items()
    }
    for person in people.values():
        on_file = known_now.by_patient_id.get(person.patient_id)
        before = on_file.email_key if on_file and on_file.has_access else ""
        after = person.email_key if person.has_access else ""
        if before == after:
            continue
        if on_file:
            plan.access_changes.append(
                AccessChange(
                    line=person.line or 0,
                    patient_id=printable(person.patient_id),
                    loses=before,
                    others_left=with_access.get(before, 0),
                    gains=after,
                    others_joined=with_access.get(after, 1) - 1 if after else 0,
                )
            )
            plan.moved.append(person.patient_id)
        if after:
            _check_join(person, stayed.get(after, []), plan)
        if person.email_key and (on_file is None or on_file.email_key != person.email_key):
            _check_domain(person, plan)
    _count_what_closes(known_now, plan)


def _count_what_closes(known_now: OnFile, plan: Plan) -> None:
    """R-WP-12: what the families of those whose access moves have open at this moment."""
    pks = [known_now.by_patient_id[patient_id].pk for patient_id in plan.moved]
    emptied = {change.loses for change in plan.access_changes if not change.others_left} - {""}
    charts: Counter[int] = Counter()
    signed_in: Counter[str] = Counter()
    open_ones = HouseholdSession.objects.open()
    for chunk in _chunks(sorted(pks)):
        bound = Binding.objects.filter(member__in=chunk, ended_at=None, session__in=open_ones)
        charts.update(dict(bound.values_list("member").annotate(n=Count("pk"))))
    for keys in _chunks(sorted(emptied)):
        theirs = open_ones.filter(account__email_key__in=keys).order_by()
        signed_in.update(dict(theirs.values_list("account__email_key").annotate(n=Count("pk"))))
    plan.access_changes = [
        replace(
            change,
            open_charts=charts[pk],
            open_sessions=0 if change.others_left else signed_in[change.loses],
        )
        for change, pk in zip(plan.access_changes, pks, strict=True)
    ]


def _check_domain(person: Person, plan: Plan) -> None:
    """AD-05: a slip in a provider's name would make a household that gets no mail."""
    domain = person.email_key.rpartition("@")[2]
    meant = provider_meant(domain)
    if meant and person.line is not None:
        plan.entries.append(
            Entry(
                Severity.WARNING, "email_domain_slip", person.line, printable(person.patient_id),
                f"{printable(domain)} looks like a slip. Is {printable(meant)} meant?",
            )
        )  # fmt: skip


def _email_key_of(known: Known, people: dict[str, Person]) -> str:
    person = people.get(known.patient_id)
    return person.email_key if person else known.email_key


def _check_join(person: Person, there: list[str], plan: Plan) -> None:
    """R-WP-11: an email that already belongs to a household shows whom it would join."""
    others = len(there) - (person.patient_id in there)
    if not others:
        return
    shown = [printable(patient_id) for patient_id in there[:11] if patient_id != person.patient_id]
    plan.joined.append(person.patient_id)
    plan.entries.append(
        Entry(
            Severity.WARNING,
            "email_join",
            person.line or 0,
            printable(person.patient_id),
            f"Comes to a household on file by this email and shares one login with {others}: "
            f"{', '.join(shown[:10])}. Check that they belong together.",
        )
    )
