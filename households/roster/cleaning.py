"""One row to clean values: tidied text, real dates, known words; with everything that was seen on the way.

Pure: no database. The file is the truth for the fields it speaks about, an empty one included; only what
cannot be read or cannot be meant keeps a row out.
"""

from __future__ import annotations

import datetime
import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError

from accounts.emails import usable_email_key
from households.matching import name_key
from households.models import Member
from households.roster import names
from households.roster.columns import LIMITS
from households.roster.dates import BadDate, DateOrder, date_of_birth
from households.roster.report import Entry, Severity, printable
from households.roster.rows import BrokenRow, Row

NAME_FIELDS = ("first_name", "middle_name", "last_name", "suffix", "preferred_name")
# Every text column here has one.
LONGEST_KEY: int = Member._meta.get_field("first_name_key").max_length  # type: ignore[assignment]
# Nothing so long is a value; it is not even looked at.
LONGEST_CELL = 5000

_SEX = {
    "m": "M",
    "male": "M",
    "f": "F",
    "female": "F",
    "o": "O",
    "other": "O",
    "u": "U",
    "unknown": "U",
}
_STATUS = {
    "": "active", "active": "active", "a": "active", "inactive": "inactive", "i": "inactive",
    "deceased": "deceased", "d": "deceased", "dead": "deceased",
}  # fmt: skip
_UNTIDY = {
    "stray_spaces": "Blanks around a name or doubled were taken away.",
    "nfd": "Accents written as separate characters were joined to their letters.",
    "zero_width_in_name": "Invisible characters were taken out of a name.",
    "nbsp_compound_first_name": "A non-breaking blank in the first name became a plain one.",
}


@dataclass(slots=True)
class CleanRow:
    """`key` is what the row's patient is told by: ("id", …), ("mrn", …), or ("who", …) of a list without
    either; None when there is no key. `values` are Member fields, without patient_id."""

    line: int
    key: tuple[str, str] | None
    patient_id: str
    values: dict[str, Any]
    entries: list[Entry] = field(default_factory=list)
    refused: bool = False

    def see(self, severity: Severity, kind: str, message: str) -> None:
        self.entries.append(Entry(severity, kind, self.line, printable(self.patient_id), message))

    def refuse(self, kind: str, message: str) -> None:
        self.see(Severity.REFUSED, kind, message)
        self.refused = True

    def warn(self, kind: str, message: str) -> None:
        self.see(Severity.WARNING, kind, message)

    def note(self, kind: str, message: str) -> None:
        self.see(Severity.NOTE, kind, message)


def clean_broken(broken: BrokenRow) -> CleanRow:
    row = CleanRow(broken.line, None, broken.patient_id.strip(), {})
    row.refuse(broken.kind, broken.message)
    return row


def clean_row(raw: Row, *, order: DateOrder, today: datetime.date, has_key: bool) -> CleanRow:
    """What the row says, and what is wrong with it. A refused row has its entries and must not go in."""
    endless = next((name for name, value in raw.values.items() if len(value) > LONGEST_CELL), None)
    if endless:
        row = CleanRow(
            raw.line, None, names.tidy(raw.values.get("patient_id", "")[:LONGEST_CELL])[0], {}
        )
        row.refuse("too_long_value", f"{endless} has {len(raw.values[endless]):,} characters.")
        return row
    damaged = next((name for name, value in raw.values.items() if names.DAMAGE.search(value)), None)
    tidied = {name: names.tidy(value) for name, value in raw.values.items()}
    values: dict[str, Any] = {name: text for name, (text, _) in tidied.items()}
    row = CleanRow(raw.line, None, values.pop("patient_id", ""), values)
    if damaged:
        row.refuse(
            "unreadable_line",
            f"{damaged} holds characters that no roster has (a NUL, a control character, half a letter): "
            "the file is damaged here.",
        )
        return row
    _clean_names(row, {name: tidied[name][1] for name in NAME_FIELDS if name in tidied})
    _clean_dates(row, order, today)
    _clean_email(row, raw.values)
    _clean_words(row)
    _set_key(row, has_key)
    _check_lengths(row)
    return row


def _clean_names(row: CleanRow, untidy: dict[str, frozenset[str]]) -> None:
    values = row.values
    if not values.get("first_name"):
        row.refuse(
            "missing_first_name",
            "There is no first name, and nobody could choose this person.",
        )
        return
    if not values.get("suffix") and values.get("last_name"):
        last_name, suffix = names.split_suffix(values["last_name"])
        if suffix:
            values |= {"last_name": last_name, "suffix": suffix}
            row.note(
                "suffix_in_last_name",
                "The suffix stood in the last name; it was moved to its own field.",
            )
    for kind, message in _UNTIDY.items():
        if any(kind in kinds for kinds in untidy.values()) or (
            kind == "nbsp_compound_first_name" and "nbsp" in untidy.get("first_name", ())
        ):
            row.note(kind, message)
    if not name_key(values["first_name"]):
        row.warn(
            "unusable_first_name",
            "The first name has no letter or digit: nobody can type it.",
        )
    elif names.is_newborn_placeholder(values["first_name"]):
        row.note(
            "newborn_placeholder",
            "The first name stands for a newborn without one yet.",
        )
    if values.get("preferred_name"):
        row.note(
            "preferred_name",
            "The preferred name may be used to choose this person, too.",
        )
    every = [values.get(name, "") for name in NAME_FIELDS]
    if any(names.is_formula_or_markup(name) for name in every):
        row.note(
            "formula_or_markup_in_name",
            "A name looks like a formula or markup; it is kept as plain text.",
        )
    if any(names.has_lost_letters(name) for name in every):
        row.warn(
            "lost_letters",
            "A name has a “?” where a letter was lost when the file was saved. Save it as UTF-8. A name "
            "that is already on file is kept.",
        )
    if names.is_upper_case(values["first_name"], values.get("last_name", "")):
        row.note("upper_case", "The name is in capitals; it is kept as typed.")


def _clean_dates(row: CleanRow, order: DateOrder, today: datetime.date) -> None:
    values = row.values
    if values.get("date_of_birth"):
        try:
            values["date_of_birth"] = date_of_birth(values["date_of_birth"], order, today)
        except BadDate as error:
            row.see(error.severity, error.kind, str(error))
            if error.severity is Severity.REFUSED:
                row.refused = True
            else:
                values["date_of_birth"] = None
    elif "date_of_birth" in values:
        values["date_of_birth"] = None
        row.warn(
            "missing_dob",
            "There is no date of birth: nobody can choose this person in the portal until it is on file.",
        )
    if values.get("last_visit"):
        try:
            values["last_visit"] = order.read(values["last_visit"])
        except BadDate:
            del values["last_visit"]
            row.warn(
                "unreadable_last_visit",
                "The date of the last visit cannot be read; it is left out.",
            )
    elif "last_visit" in values:
        values["last_visit"] = None


def _clean_email(row: CleanRow, raw: dict[str, str]) -> None:
    if "email" not in row.values:
        return
    email = row.values["email"]
    try:
        usable_email_key(email)
    except ValidationError as error:
        addresses = [part for part in re.split(r"[\s,;]+", email) if re.search("[^@]@[^@]", part)]
        kind = "two_emails_in_cell" if len(addresses) > 1 else "invalid_email"
        if error.code == "missing":
            kind = "missing_email"
        row.warn(kind, f"{' '.join(error.messages)} Taken in without portal access.")
        return
    if raw["email"] != raw["email"].strip():
        row.note("email_spaces", "Blanks around the email were taken away.")
    if email != email.lower():
        row.note("email_case", "Capitals in the email make no difference.")


def _clean_words(row: CleanRow) -> None:
    values = row.values
    if "sex" in values:
        values["sex"] = _SEX.get(values["sex"].lower(), values["sex"])
    if "status" in values:
        status = _STATUS.get(values["status"].lower())
        if status is None:
            row.refuse(
                "unknown_status",
                f"The status “{printable(values['status'])}” is not known. It is active, inactive or "
                "deceased; empty is active.",
            )
        else:
            values["status"] = status
            if status != "active":
                row.note(status, f"The patient is {status}: no portal access.")
    address = f"{values.get('address_1', '')}\n{values.get('address_2', '')}"
    if '"' in address and "," in address:
        row.note(
            "quotes_and_commas",
            "Quotation marks and commas in the address were read as text.",
        )


def _set_key(row: CleanRow, has_key: bool) -> None:
    values = row.values
    if row.patient_id:
        row.key = ("id", row.patient_id)
    elif values.get("mrn"):
        row.patient_id = values["mrn"]
        row.key = ("mrn", values["mrn"])
    elif has_key:
        row.refuse("missing_patient_id", "There is neither a patient id nor a record number.")
    elif not isinstance(values["date_of_birth"], datetime.date):
        if not row.refused:
            row.refuse(
                "missing_patient_id",
                "This list has no patient ids and no record numbers, so that people are told by name and "
                "date of birth; and this row has no full date of birth.",
            )
    else:
        who = "|".join(
            [
                name_key(values.get("last_name", "")),
                name_key(values.get("first_name", "")),
                values["date_of_birth"].isoformat(),
            ]
        )
        row.key = ("who", who)
        # Stable between exports as long as name and birth date are, and tells neither.
        row.patient_id = f"by-name-{hashlib.sha256(who.encode()).hexdigest()[:24]}"


def _check_lengths(row: CleanRow) -> None:
    for name, value in [("patient_id", row.patient_id), *row.values.items()]:
        limit = LIMITS.get(name)
        if limit and isinstance(value, str) and len(value) > limit:
            row.refuse(
                "too_long_value",
                f"{name} has {len(value):,} characters; at most {limit} fit.",
            )
    for name in ("first_name", "last_name"):
        if not row.refused and len(name_key(row.values.get(name, ""))) > LONGEST_KEY:
            row.refuse("too_long_value", f"{name} is longer than can be looked up.")
