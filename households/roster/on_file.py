"""Who is on file now, as far as an import must know, and which of them a row is about.

Never by likeness. A patient id tells by itself; a record number where it is on file once; name and date of
birth only in a list that has neither, and then only within the same email.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from dataclasses import dataclass, field

from django.db.models import Count, Max

from accounts.emails import email_key
from households.matching import name_key
from households.models import Member, database_today
from households.roster import names
from households.roster.cleaning import CleanRow

_COLUMNS = (
    "pk", "patient_id", "mrn", "first_name", "preferred_name", "first_name_key", "last_name_key",
    "date_of_birth", "email", "email_key", "address_1", "status", "portal_access",
    "consent_needed_from",
)  # fmt: skip


class Unclear(Exception):
    """It cannot be said whom the row is about. `kind` and the text go into the report."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Known:
    pk: int
    patient_id: str
    mrn: str
    first_name: str
    preferred_name: str
    first_name_key: str
    last_name_key: str
    date_of_birth: datetime.date | None
    email: str
    email_key: str
    address_1: str
    status: str
    portal_access: bool
    consent_needed_from: datetime.date | None

    @property
    def has_access(self) -> bool:
        needed = self.consent_needed_from
        return (
            bool(self.email_key)
            and self.portal_access
            and self.status == Member.Status.ACTIVE
            and (needed is None or needed > database_today())
        )


@dataclass
class OnFile:
    stamp: tuple[object, ...]
    by_patient_id: dict[str, Known] = field(default_factory=dict)
    by_mrn: dict[str, list[Known]] = field(default_factory=lambda: defaultdict(list))
    by_person: dict[tuple[object, ...], list[Known]] = field(
        default_factory=lambda: defaultdict(list)
    )
    by_email: dict[str, list[Known]] = field(default_factory=lambda: defaultdict(list))


def stamp() -> tuple[object, ...]:
    """Changes whenever a member is added, saved or taken away."""
    return tuple(Member.objects.aggregate(Count("pk"), Max("pk"), Max("updated_at")).values())


def load() -> OnFile:
    """One query for all: households must be seen whole, the people missing from the file included."""
    on_file = OnFile(stamp())
    for values in Member.objects.order_by("pk").values_list(*_COLUMNS).iterator(chunk_size=2000):
        known = Known(*values)
        on_file.by_patient_id[known.patient_id] = known
        if known.mrn:
            on_file.by_mrn[known.mrn].append(known)
        on_file.by_person[
            _person(known.first_name_key, known.last_name_key, known.date_of_birth)
        ].append(known)
        if known.email_key:
            on_file.by_email[known.email_key].append(known)
    return on_file


def find(row: CleanRow, on_file: OnFile) -> Known | None:
    """The member that the row is about, None for a new one. Raises Unclear."""
    assert row.key is not None
    kind, key = row.key
    if kind == "id":
        known = on_file.by_patient_id.get(key) or _by_number_and_person(row, on_file)
    elif kind == "mrn":
        known = _by_number(key, on_file)
    else:
        known = _by_person_and_email(row, on_file)
    if known and _is_somebody_else(row, known):
        raise Unclear(
            "different_person",
            f"{known.patient_id} is on file with another first name, last name and date of birth. If it is "
            "the same person, correct the file of that person first.",
        )
    return known


def _by_number(mrn: str, on_file: OnFile) -> Known | None:
    found = on_file.by_mrn.get(mrn, [])
    if len(found) > 1:
        raise Unclear(
            "same_record_number",
            f"{len(found)} people on file have this record number.",
        )
    if not found and mrn in on_file.by_patient_id:
        raise Unclear(
            "same_record_number",
            "This record number is the patient id of somebody else who is on file.",
        )
    return found[0] if found else None


def _by_number_and_person(row: CleanRow, on_file: OnFile) -> Known | None:
    """The practice's system changed, and its ids with it: the record number, the name and the date of
    birth together still tell the person."""
    found = on_file.by_mrn.get(row.values.get("mrn", ""), [])
    if len(found) == 1 and row.values.get("date_of_birth") and person(row) == _person_of(found[0]):
        return found[0]
    return None


def _by_person_and_email(row: CleanRow, on_file: OnFile) -> Known | None:
    found = on_file.by_person.get(person(row), [])
    key = email_key(row.values.get("email", ""))
    same = [known for known in found if email_key(known.email) == key]
    if len(same) == 1 and len(found) == 1:
        return same[0]
    if found:
        raise Unclear(
            "not_told_apart",
            "Somebody with this name and date of birth is on file with another email, or twice. A list "
            "without patient ids or record numbers cannot say whether it is the same person. Add them, or "
            "change the email in admin.",
        )
    if names.has_lost_letters(row.values["first_name"] + row.values.get("last_name", "")) and any(
        known.date_of_birth == row.values["date_of_birth"]
        for known in on_file.by_email.get(key, [])
    ):
        raise Unclear(
            "lost_letters",
            "A letter of the name was lost, and somebody on file with this email has the same date of birth. "
            "Save the list as UTF-8.",
        )
    return None


def _is_somebody_else(row: CleanRow, known: Known) -> bool:
    """Nothing agrees: an id that was given to another person, or the list of another practice."""
    values = row.values
    return bool(
        known.date_of_birth
        and values.get("date_of_birth")
        and known.date_of_birth != values["date_of_birth"]
        and known.first_name_key != name_key(values["first_name"])
        and "last_name" in values
        and known.last_name_key != name_key(values["last_name"])
    )


def person(row: CleanRow) -> tuple[object, ...]:
    values = row.values
    return _person(
        name_key(values["first_name"]),
        name_key(values.get("last_name", "")),
        values.get("date_of_birth"),
    )


def _person_of(known: Known) -> tuple[object, ...]:
    return _person(known.first_name_key, known.last_name_key, known.date_of_birth)


def _person(
    first_name_key: str, last_name_key: str, date_of_birth: datetime.date | None
) -> tuple[object, ...]:
    return (first_name_key, last_name_key, date_of_birth)
