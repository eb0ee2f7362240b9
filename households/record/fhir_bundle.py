"""A record as a FHIR R4 Bundle for another system: a collection of resources, each of them checked against
the library's models before it leaves.

The bytes of papers are not in it: a DocumentReference names each by its title and SHA-256, and in the zip by
where it lies there.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterable, Mapping

from households.documents.models import Document
from households.intake.models import QuestionnaireResponse
from households.record import fhir_forms
from households.record.cleaning import one_line
from households.record.fhir_history import histories, list_id
from households.record.fhir_parts import (
    Json,
    concept,
    filler_id,
    hl7,
    instant,
    made_id,
    resource,
    said_by,
    to,
)
from households.record.fhir_people import people, to_patient, to_practice
from households.record.reading import Acceptance, Record
from households.submissions.models import Submission


class InvalidResource(Exception):
    """A resource is not as FHIR asks: a mistake of ours. Says where, and nothing of what stands there."""


def record_json(record: Record, where: Mapping[uuid.UUID, str] | None = None) -> bytes:
    """`where` are the addresses of papers beside the file, by their public ids."""
    return json.dumps(bundle_of(record, where or {}), ensure_ascii=False, indent=1).encode()


def bundle_of(record: Record, where: Mapping[uuid.UUID, str] | None = None) -> Json:
    """Raises InvalidResource."""
    resources = [*people(record), *histories(record)]
    resources += [_document(record, document, where or {}) for document in record.documents]
    resources += fhir_forms.forms(record)
    resources += _provenances(record, {uuid.UUID(one["id"]) for one in resources})
    resources += fhir_forms.voidings(record)
    for one in resources:
        _refuse_invalid(one)
    bundle = resource(
        "Bundle",
        made_id(record.member.public_id, "bundle", record.made_at),
        type="collection",
        timestamp=instant(record.made_at),
    )
    bundle["entry"] = [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in resources]
    return bundle


def response_json(record: Record, response: QuestionnaireResponse) -> bytes:
    """The answers of one form, alone. Raises InvalidResource."""
    one = fhir_forms.questionnaire_response(record, response)
    _refuse_invalid(one)
    return json.dumps(one, ensure_ascii=False, indent=1).encode()


def _refuse_invalid(one: Json) -> None:
    # Loaded here: it takes half a second and 25 MB, and only those pay who export.
    from fhir.resources.R4B import get_fhir_model_class
    from pydantic import ValidationError

    kind = one["resourceType"]
    try:
        get_fhir_model_class(kind).model_validate(one)
    except ValidationError as error:
        places = {".".join(str(part) for part in each["loc"]) for each in error.errors()}
        raise InvalidResource(f"{kind}: {', '.join(sorted(places))}") from None


# --- papers ---------------------------------------------------------------------------


def _document(record: Record, document: Document, where: Mapping[uuid.UUID, str]) -> Json:
    is_settled = document.is_from_practice or document.status == Submission.Status.FILED
    digest = base64.urlsafe_b64encode(bytes.fromhex(document.sha256)).decode().rstrip("=")
    author = to_practice(record)
    if document.submission is not None:
        author = said_by(record, document.submission.pk) or {}
    return resource(
        "DocumentReference",
        document.public_id,
        # The bytes themselves have a name that anybody can compute (RFC 6920).
        identifier=[{"system": "urn:ietf:rfc:3986", "value": f"ni:///sha-256;{digest}"}],
        status="current",
        docStatus="final" if is_settled else "preliminary",
        type=concept(document.kind.name) if document.kind else None,
        subject=to_patient(record),
        date=instant(document.sent_at),
        author=[author],
        custodian=to_practice(record),
        description=document.note,
        content=[
            {
                "attachment": {
                    "contentType": document.content_type,
                    "url": where.get(document.public_id, ""),
                    "size": document.size,
                    "title": one_line(document.name),
                    "creation": instant(document.sent_at),
                }
            }
        ],
    )


# --- where it comes from --------------------------------------------------------------


def _provenances(record: Record, there: set[uuid.UUID]) -> list[Json]:
    """One for each submission of which something is here: who filled it in. A second one, by the practice,
    for what it accepted of it, as it stands now."""
    sent = _sent(record)
    verified, verified_at = _verified(record)
    corrected = fhir_forms.corrected_by(record)
    found = []
    for submission in record.submissions.values():
        if targets := [one for one in sent.get(submission.pk, []) if one in there]:
            found.append(_author(record, submission, targets, corrected.get(submission.pk)))
        if targets := [one for one in verified.get(submission.pk, []) if one in there]:
            at = verified_at[submission.pk]
            found.append(
                resource(
                    "Provenance",
                    made_id(submission.public_id, "verifier"),
                    target=[to(one) for one in targets],
                    recorded=at,
                    agent=[{"type": _agent("verifier"), "who": to_practice(record)}],
                )
            )
    return found


def _author(
    record: Record,
    submission: Submission,
    targets: list[uuid.UUID],
    corrects: uuid.UUID | None = None,
) -> Json:
    agent: Json = {"type": _agent("author"), "who": {"display": "Somebody at the family's login"}}
    if submission.filled_in_by:
        agent["who"] = to(filler_id(record, submission), submission.filler)
    if submission.filled_in_by != "patient":
        agent["onBehalfOf"] = to_patient(record)
    return resource(
        "Provenance",
        made_id(submission.public_id, "author"),
        target=[to(one) for one in targets],
        recorded=instant(submission.sent_at),
        agent=[agent],
        entity=[{"role": "revision", "what": to(corrects)}] if corrects else [],
    )


def _agent(code: str) -> Json:
    return hl7("provenance-participant-type", code)


def _sent(record: Record) -> dict[int, list[uuid.UUID]]:
    """The resources that came in each submission, or that it changed or confirmed."""
    pairs: list[tuple[int | None, uuid.UUID]] = []
    for section in record.sections:
        for entry in section.entries:
            pairs += [
                (entry.recorded_in_id, entry.public_id),
                (entry.changed_in_id, entry.public_id),
            ]
        if section.state is not None:
            pairs += [
                (section.state.confirmed_in_id, list_id(record, section.section)),
                (section.state.confirmed_in_id, made_id(section.state.public_id, "none")),
            ]
    pairs += [(document.submission_id, document.public_id) for document in record.documents]
    pairs += fhir_forms.sent_pairs(record)
    if record.details is not None:
        pairs.append((record.details.confirmed_in_id, record.member.public_id))
    pairs += [(one.submission, _of_details(record, one)) for one in record.accepted_details]
    return _grouped(pairs)


def _verified(record: Record) -> tuple[dict[int, list[uuid.UUID]], dict[int, str]]:
    """What the practice accepted and stands as it was accepted, by submission; and when it did last."""
    ids: dict[object, tuple[uuid.UUID, int]] = {}
    for section in record.sections:
        for entry in section.entries:
            if entry.is_confirmed:
                ids[entry.public_id] = (entry.public_id, entry.version)
        if section.state is not None:
            ids[section.section] = (list_id(record, section.section), section.state.version)
    accepted = [(one, _of_details(record, one)) for one in record.accepted_details]
    for one in record.accepted_history:
        target, version = ids.get(one.about, (None, 0))
        if target is not None and version == one.version:
            accepted.append((one, target))
    at = {one.submission: instant(one.at) for one, _target in accepted}
    return _grouped([(one.submission, target) for one, target in accepted]), at


def _of_details(record: Record, accepted: Acceptance) -> uuid.UUID:
    """A change of a contact or an insurance is about that one, every other one about the patient."""
    rows = {str(one.public_id): one.public_id for one in [*record.contacts, *record.coverages]}
    return rows.get(str(accepted.about), record.member.public_id)


def _grouped(pairs: Iterable[tuple[int | None, uuid.UUID]]) -> dict[int, list[uuid.UUID]]:
    grouped: dict[int, list[uuid.UUID]] = {}
    for submission, target in pairs:
        if submission is not None and target not in grouped.setdefault(submission, []):
            grouped[submission].append(target)
    return grouped
