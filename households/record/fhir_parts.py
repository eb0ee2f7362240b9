"""What FHIR R4 resources are put together from: ids, references, codes, dates.

Every id is a urn:uuid. What has a public_id has that one; the others have one that is always the same for
the same thing, so that a second export names everything as the first one did.
"""

from __future__ import annotations

import datetime
import uuid
from typing import Any

from django.utils import timezone

from households.record.cleaning import clean, one_line
from households.record.partial_dates import fhir_date, is_later
from households.record.reading import Record
from households.submissions.models import Submission

Json = dict[str, Any]

HL7 = "http://terminology.hl7.org/CodeSystem"
EXTENSION = "http://hl7.org/fhir/StructureDefinition"
LOINC = "http://loinc.org"

_ABSENT: Json = {"url": f"{EXTENSION}/data-absent-reason", "valueCode": "unknown"}
ABSENT: Json = {"extension": [_ABSENT]}


# --- ids ------------------------------------------------------------------------------


def made_id(of: uuid.UUID, *words: object) -> uuid.UUID:
    """The id of something of `of` that has no row of its own."""
    return uuid.uuid5(of, "|".join(str(word) for word in words))


def practice_id() -> uuid.UUID:
    """There is one practice in a portal."""
    return uuid.uuid5(uuid.NAMESPACE_URL, "urn:kinchart:practice")


def to(resource_id: uuid.UUID, display: str = "") -> Json:
    return {"reference": f"urn:uuid:{resource_id}", "display": one_line(display)}


def named(display: str) -> Json | None:
    """A reference to somebody or something of which only a name is known."""
    return {"display": one_line(display)} if one_line(display) else None


def resource(kind: str, resource_id: uuid.UUID, **elements: Any) -> Json:
    """A resource without its empty elements: FHIR has none."""
    return {"resourceType": kind, "id": str(resource_id), **_filled(elements)}


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        filled = {name: _filled(part) for name, part in value.items()}
        return {name: part for name, part in filled.items() if part not in (None, "", [], {})}
    if isinstance(value, list):
        return [part for part in map(_filled, value) if part not in (None, "", [], {})]
    return clean(value) if isinstance(value, str) else value


# --- codes ----------------------------------------------------------------------------


def concept(text: object = "", system: str = "", code: str = "", display: str = "") -> Json:
    """A CodeableConcept: the family's own words beside the code, where there is one."""
    coding = [{"system": system, "code": code, "display": display}] if code else []
    return {"coding": coding, "text": clean(text)}


def hl7(system: str, code: str, text: object = "") -> Json:
    return concept(text, f"{HL7}/{system}", code)


# --- dates ----------------------------------------------------------------------------


def instant(at: datetime.datetime) -> str:
    """With the practice's time zone, to the second."""
    return timezone.localtime(at).isoformat(timespec="seconds")


def at_or_text(name: str, kept: str, *, as_text: bool = True) -> Json:
    """The elements of `name`[x] for an approximate date: onsetDateTime, or onsetString where the column
    holds something else. With `as_text` False the type has no string, and the text is for a note."""
    if day := fhir_date(kept):
        return {f"{name}DateTime": day}
    if as_text and one_line(kept):
        return {f"{name}String": one_line(kept)}
    return {}


def at_or_unknown(name: str, kept: str, *, as_text: bool = True) -> Json:
    """The same, where readers expect the element: it says that the date is not known."""
    return at_or_text(name, kept, as_text=as_text) or {f"_{name}DateTime": ABSENT}


def period(since: str, until: str) -> Json:
    """A Period of approximate dates; one that would end before it begins only begins."""
    start, end = fhir_date(since), fhir_date(until)
    if start and end and is_later(start, end):
        end = ""
    return {"start": start, "end": end} if start or end else {}


def what_period_leaves_out(since: str, until: str) -> list[str]:
    """The kept texts that period() could not take, for a note."""
    taken = period(since, until).values()
    return [
        one_line(kept) for kept in (since, until) if kept.strip() and fhir_date(kept) not in taken
    ]


def notes(*texts: object) -> list[Json]:
    return [{"text": clean(text)} for text in texts if clean(text)]


# --- who said so ----------------------------------------------------------------------


def filler_id(record: Record, submission: Submission) -> uuid.UUID:
    """The patient, or the person who typed, as they said: nobody guesses which contact on file that is."""
    if submission.filled_in_by == "patient":
        return record.member.public_id
    return made_id(
        record.member.public_id, "filler", submission.filled_in_by, submission.filled_in_name
    )


def said_by(record: Record, submission_pk: int | None) -> Json | None:
    """Who filled it in; None when nobody said."""
    submission = record.submission(submission_pk)
    if submission is None or not submission.filled_in_by:
        return None
    return to(filler_id(record, submission), submission.filler)


def said_at(record: Record, submission_pk: int | None) -> str:
    submission = record.submission(submission_pk)
    return instant(submission.sent_at) if submission is not None else ""
