"""Rows of a FHIR R4 bulk export: one Patient resource a line.

Relatives (RelatedPerson) are no patients: they are counted and left out; whoever shares a login shares the
email of the Patient.
"""

from __future__ import annotations

import datetime
import io
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from households.roster.report import Entry, Severity, UnreadableFile, printable
from households.roster.rows import BrokenRow, Row, Source

_NOT_LEGAL = {"usual", "nickname", "old", "anonymous", "temp", "maiden"}


def fhir_source(text: str, encoding: str) -> Source:
    """Raises UnreadableFile for a file of relatives or other resources only, and for a FHIR Bundle."""
    lines = [
        (number, line)
        for number, line in enumerate(io.StringIO(text, newline=""), 1)
        if line.strip()
    ]
    _refuse_other_shapes(lines)
    source = Source(
        label=f"FHIR R4 bulk export, {encoding}",
        rows=iter(()),
        expected=len(lines),
        own_dates=True,
    )
    source.rows = _rows(lines, source.entries)
    return source


def _refuse_other_shapes(lines: list[tuple[int, str]]) -> None:
    types: Counter[str] = Counter()
    for _, line in lines:
        try:
            resource = json.loads(line)
        except (ValueError, RecursionError):
            if not types and _is_one_object("".join(line for _, line in lines)):
                raise UnreadableFile(
                    "This is one JSON object over several lines. A bulk export has one Patient a line."
                ) from None
            return  # a broken line may be a patient; _rows says so
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        if kind == "Patient":
            return
        types[str(kind)] += 1
    found = ", ".join(f"{count} {printable(kind)}" for kind, count in types.most_common(5))
    raise UnreadableFile(
        f"No patient is in this file; it has: {found}. Import the file of Patient resources, one a line "
        "(Patient.ndjson)."
    )


def _is_one_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _rows(lines: list[tuple[int, str]], entries: list[Entry]) -> Iterator[Row | BrokenRow]:
    others: dict[str, list[int]] = {}
    for number, line in lines:
        try:
            resource = json.loads(line)
        except (ValueError, RecursionError):
            yield BrokenRow(number, "unreadable_line", "The line is not JSON.")
            continue
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        if kind is None:
            yield BrokenRow(number, "unreadable_line", "The line is not a FHIR resource.")
        elif kind == "Patient":
            yield _row(number, resource)
        else:
            others.setdefault(str(kind), []).append(number)
    for kind, numbers in others.items():
        entries.append(
            Entry(
                Severity.NOTE,
                "related_person" if kind == "RelatedPerson" else "other_resource",
                numbers[0],
                "",
                f"{len(numbers)} lines are {printable(kind)}, not patients: not imported. Whoever shares a "
                "login shares the email of the Patient.",
            )
        )


def _row(number: int, resource: dict[str, Any]) -> Row | BrokenRow:
    # 25 MB and half a second: only where it is used.
    from fhir.resources.R4B.patient import Patient
    from pydantic import ValidationError

    # Birth dates have kinds of faults of their own, told by the cleaning.
    born = resource.pop("birthDate", "")
    try:
        Patient.model_validate(resource)
    except ValidationError as error:
        faults = {".".join(str(part) for part in fault["loc"]) for fault in error.errors()}
        places = printable(", ".join(sorted(faults)) or "the resource", 200)
        return BrokenRow(
            number,
            "invalid_resource",
            f"The Patient is not valid FHIR R4 at: {places}.",
            str(resource.get("id", "")),
        )
    except (ValueError, TypeError, RecursionError):
        return BrokenRow(number, "invalid_resource", "The Patient is not valid FHIR R4.")
    return Row(number, {**_values(resource), "date_of_birth": str(born or "")})


def _values(resource: dict[str, Any]) -> dict[str, str]:
    addresses: list[dict[str, Any]] = resource.get("address", [])
    address = next((one for one in addresses if one.get("use") != "old"), {})
    street = address.get("line", [])
    values = {
        "patient_id": resource.get("id", ""),
        "mrn": _record_number(resource),
        **_names(resource.get("name", ())),
        "sex": resource.get("gender", ""),
        **_telecoms([one for one in resource.get("telecom", ()) if _current(one)]),
        "address_1": street[0] if street else "",
        "address_2": ", ".join(filter(None, street[1:])),
        "city": address.get("city", ""),
        "state": address.get("state", ""),
        "postal_code": address.get("postalCode", ""),
        "preferred_language": _language(resource.get("communication", ())),
    }
    if resource.get("deceasedBoolean") or resource.get("deceasedDateTime"):
        values["status"] = "deceased"
    elif "active" in resource:
        values["status"] = "active" if resource["active"] else "inactive"
    return {name: value or "" for name, value in values.items()}


def _record_number(resource: dict[str, Any]) -> str:
    for identifier in resource.get("identifier", ()):
        codes = {coding.get("code") for coding in identifier.get("type", {}).get("coding", ())}
        if "MR" in codes and identifier.get("use") != "old":
            return identifier.get("value", "")
    return ""


def _names(names: list[dict[str, Any]]) -> dict[str, str]:
    """Legal name: use "official", else the first that is not marked as another. Preferred: "usual"."""
    by_use: dict[str, dict[str, Any]] = {}
    for name in names:
        if _current(name):
            by_use.setdefault(name.get("use", ""), name)
    others = [name for use, name in by_use.items() if use not in _NOT_LEGAL]
    legal = by_use.get("official") or next(iter(others), None) or by_use.get("usual", {})
    preferred = by_use.get("usual") or by_use.get("nickname") or {}
    given = [one for one in legal.get("given", ()) if one]
    return {
        "first_name": given[0] if given else "",
        "middle_name": " ".join(given[1:]),
        "last_name": legal.get("family", ""),
        "suffix": " ".join(filter(None, legal.get("suffix", ()))),
        "preferred_name": " ".join(filter(None, preferred.get("given", ())))
        if preferred is not legal
        else "",
    }


def _current(item: dict[str, Any]) -> bool:
    ended = item.get("period", {}).get("end", "")
    return item.get("use") != "old" and not (
        ended and str(ended) < datetime.date.today().isoformat()
    )


def _telecoms(telecoms: list[dict[str, Any]]) -> dict[str, str]:
    def of(system: str, *uses: str) -> str:
        return next(
            (
                one.get("value", "")
                for one in telecoms
                if one.get("system") == system and one.get("use", "home") in uses
            ),
            "",
        )

    emails = [one for one in telecoms if one.get("system") == "email" and one.get("value")]
    ranked = sorted({one["rank"] for one in emails if "rank" in one})
    if ranked:
        emails = [one for one in emails if one.get("rank") == ranked[0]]
    return {
        # Two of the same rank: no word which is the primary one, so no access (see cleaning).
        "email": "; ".join(dict.fromkeys(one["value"] for one in emails)),
        "mobile_phone": of("phone", "mobile"),
        "home_phone": of("phone", "home"),
    }


def _language(communication: list[dict[str, Any]]) -> str:
    best = sorted(communication, key=lambda one: not one.get("preferred"))
    for one in best[:1]:
        for coding in one.get("language", {}).get("coding", ()):
            return coding.get("code", "")
    return ""
