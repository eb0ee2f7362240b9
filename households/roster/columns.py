"""The one table of column names: what each field is called in the files of other systems."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from households.models import Member
from households.roster.report import UnreadableFile, printable

# The contract's own name first, then OpenEMR's, then what spreadsheets say. Compared without case,
# blanks and punctuation: "E-mail" is "email", "Date of Birth" is "date_of_birth".
ALIASES: dict[str, tuple[str, ...]] = {
    "patient_id": ("patient_id", "pid", "patient number", "patient no"),
    "mrn": (
        "mrn", "pubpid", "medical record number", "medical record no", "record number",
        "chart number", "chart no", "chart",
    ),
    "first_name": ("first_name", "fname", "first", "given name", "legal first name", "forename"),
    "middle_name": ("middle_name", "mname", "middle", "middle initial", "mi"),
    "last_name": ("last_name", "lname", "last", "surname", "family name", "legal last name"),
    "suffix": ("suffix", "name suffix"),
    "preferred_name": ("preferred_name", "preferred first name", "nickname", "goes by"),
    "date_of_birth": ("date_of_birth", "dob", "birth date", "birthday"),
    "sex": ("sex", "gender", "legal sex", "administrative sex"),
    "email": ("email", "email address", "primary email", "primary email address"),
    "mobile_phone": ("mobile_phone", "phone_cell", "cell phone", "mobile", "cell", "mobile number"),
    "home_phone": ("home_phone", "phone_home", "home number", "home telephone"),
    "address_1": ("address_1", "street", "street address", "address line 1"),
    "address_2": ("address_2", "street_line_2", "address line 2"),
    "city": ("city", "town"),
    "state": ("state", "province"),
    "postal_code": ("postal_code", "zip", "zip code", "postcode"),
    "preferred_language": ("preferred_language", "language"),
    "relationship_to_household": ("relationship_to_household", "relationship"),
    "guarantor_id": ("guarantor_id", "guarantor patient id"),
    "status": ("status", "patient status"),
    "last_visit": ("last_visit", "last visit date", "date of last visit"),
    # Two that stand for several fields; csv_rows takes them apart.
    "full_name": ("patient name", "full name", "name"),
    "full_address": ("address", "full address", "mailing address"),
}  # fmt: skip

FIELDS = tuple(name for name in ALIASES if not name.startswith("full_"))
DATES = ("date_of_birth", "last_visit")
LIMITS: dict[str, int] = {
    field.name: field.max_length
    for field in Member._meta.fields
    if field.name in FIELDS and field.max_length
}
# Two columns for one of these would be a guess about who somebody is or who may open the chart.
_NEVER_TWICE = {
    "patient_id",
    "mrn",
    "first_name",
    "last_name",
    "full_name",
    "date_of_birth",
    "email",
    "status",
}


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


_FIELD_OF = {_plain(alias): name for name, aliases in ALIASES.items() for alias in aliases}


@dataclass
class Header:
    """Which cell holds which field; `ignored` are the columns that are not used, as the file names them."""

    width: int
    cells: dict[str, int] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)


def recognised(names: list[str]) -> int:
    """How many of these are names of a column that we know."""
    return sum(_plain(name) in _FIELD_OF for name in names)


def read_header(names: list[str]) -> Header:
    """Map a header row to fields. Raises UnreadableFile when an essential column is missing or doubled."""
    header = Header(width=len(names))
    for index, name in enumerate(names):
        found = _FIELD_OF.get(_plain(name))
        if found is None:
            if name.strip():
                header.ignored.append(printable(name))
        elif found not in header.cells:
            header.cells[found] = index
        elif found in _NEVER_TWICE:
            raise UnreadableFile(
                f"Two columns stand for {found}: “{printable(names[header.cells[found]])}” and "
                f"“{printable(name)}”. Keep one of them."
            )
        else:
            header.ignored.append(printable(name))
    if "full_address" in header.cells and {"city", "postal_code"} & header.cells.keys():
        # "Address" beside "City" is the street.
        header.cells.setdefault("address_1", header.cells.pop("full_address"))
    missing = _missing({*header.cells})
    if missing:
        found_names = ", ".join(printable(name) for name in names if name.strip())
        raise UnreadableFile(
            f"The first line does not name every column that is needed. Missing: {'; '.join(missing)}. "
            f"Columns found: {found_names or 'none'}."
        )
    return header


def _missing(found: set[str]) -> list[str]:
    def accepted(name: str) -> str:
        return f"{name} (also: {', '.join(ALIASES[name][1:])})"

    missing = []
    has_name = "first_name" in found or "full_name" in found
    if not has_name:
        missing.append(
            f"{accepted('first_name')}, or full_name (called: {', '.join(ALIASES['full_name'])})"
        )
    if "date_of_birth" not in found:
        missing.append(accepted("date_of_birth"))
    # A list with neither key is told apart by whole name and birth date, so it needs the last name too.
    if not found & {"patient_id", "mrn"} and not found & {"last_name", "full_name"}:
        missing.append(f"{accepted('patient_id')}, or {accepted('mrn')}")
    return missing
