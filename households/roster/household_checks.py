"""What becomes of the households: who cannot be told apart, and who shares an email that is no household's.

Pure: works on people as they will be on file after the import.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from households.matching import name_key
from households.roster.on_file import Known
from households.roster.report import Entry, Severity, printable

# A household has one or two addresses; an email with this many is an office's, or made up.
UNRELATED = 3


@dataclass(frozen=True, slots=True)
class Person:
    """`line` is None for somebody on file whom the import does not speak about."""

    line: int | None
    patient_id: str
    first_name: str
    preferred_name: str
    last_name_key: str
    date_of_birth: datetime.date | None
    email: str
    email_key: str
    address: str
    has_access: bool

    @classmethod
    def of(cls, known: Known) -> Person:
        return cls(
            line=None,
            patient_id=known.patient_id,
            first_name=known.first_name,
            preferred_name=known.preferred_name,
            last_name_key=known.last_name_key,
            date_of_birth=known.date_of_birth,
            email=known.email,
            email_key=known.email_key,
            address=name_key(known.address_1),
            has_access=known.has_access,
        )

    @property
    def names(self) -> set[str]:
        return {name_key(self.first_name), name_key(self.preferred_name)} - {""}


def check_households(
    households: dict[str, list[Person]], practice_emails: set[str]
) -> Iterator[Entry]:
    for key, people in households.items():
        if all(person.line is None for person in people):
            continue
        yield from _check_email(people, is_own=key in practice_emails)
        # Who cannot be opened stands in nobody's way.
        with_access = [person for person in people if person.has_access]
        yield from _check_same_birth_date(with_access)
        yield from _check_same_first_name(with_access)


def _entry(person: Person, severity: Severity, kind: str, message: str) -> Iterator[Entry]:
    if person.line is not None:
        yield Entry(severity, kind, person.line, printable(person.patient_id), message)


def _ids(people: Iterable[Person], but: Person) -> str:
    others = islice((one for one in people if one is not but), 10)
    return ", ".join(printable(one.patient_id) for one in others)


def _check_email(people: list[Person], *, is_own: bool) -> Iterator[Entry]:
    last_names = {person.last_name_key for person in people}
    addresses = {person.address for person in people if person.address}
    if not is_own and (len(last_names) < UNRELATED or len(addresses) < UNRELATED):
        return
    reason = (
        "It is the practice's own or a staff member's"
        if is_own
        else f"{len(people)} people with {len(last_names)} last names and {len(addresses)} addresses have it"
    )
    for person in people:
        yield from _entry(
            person,
            Severity.WARNING,
            "office_email_shared_by_unrelated",
            f"An email that is no household's. {reason}: whoever reads its mail can open all their "
            "charts. Take it off these patients.",
        )


def _check_same_birth_date(people: list[Person]) -> Iterator[Entry]:
    by_date: dict[datetime.date, list[Person]] = defaultdict(list)
    for person in people:
        if person.date_of_birth:
            by_date[person.date_of_birth].append(person)
    for same_date in by_date.values():
        for person in same_date:
            others = [one for one in same_date if one is not person]
            equal = [one for one in others if one.names & person.names]
            twice = [one for one in equal if one.last_name_key == person.last_name_key]
            if twice:
                yield from _entry(
                    person,
                    Severity.WARNING,
                    "same_person_two_ids",
                    f"Same name and date of birth as {_ids(twice, person)} in the household: perhaps one "
                    "person under two ids. Until one of them goes, neither can be chosen.",
                )
            elif equal:
                yield from _entry(
                    person,
                    Severity.WARNING,
                    "ambiguous_same_first_and_dob",
                    f"Same first name and date of birth as {_ids(equal, person)} in the household: "
                    "neither can be chosen. Give one of them a preferred name.",
                )
            elif others:
                yield from _entry(
                    person,
                    Severity.NOTE,
                    "twins",
                    f"Same date of birth as {_ids(others, person)} in the household; the first name tells "
                    "them apart.",
                )


def _check_same_first_name(people: list[Person]) -> Iterator[Entry]:
    by_name: dict[str, list[Person]] = defaultdict(list)
    for person in people:
        by_name[name_key(person.first_name)].append(person)
    for same_name in by_name.values():
        for person in same_name:
            others = [
                one
                for one in same_name
                if one.date_of_birth
                and person.date_of_birth
                and one.date_of_birth != person.date_of_birth
            ]
            if others:
                yield from _entry(
                    person,
                    Severity.NOTE,
                    "same_first_name_in_household",
                    f"Same first name as {_ids(others, person)} in the household; the date of birth tells "
                    "them apart.",
                )
