"""The forms of a record in FHIR: QuestionnaireResponse for what was answered, Consent for what was accepted
or declined. What the practice returned, or whose signature it voided, never leaves as completed or active.
"""

from __future__ import annotations

import base64
import datetime
import re
import uuid
from typing import Any

from django.utils import timezone

from households.intake.models import QuestionnaireResponse, Signature
from households.record.cleaning import clean, one_line
from households.record.fhir_parts import (
    EXTENSION,
    LOINC,
    Json,
    concept,
    filler_id,
    instant,
    made_id,
    resource,
    to,
)
from households.record.fhir_people import to_patient, to_practice
from households.record.filled_forms import (
    is_voided,
    signature_of,
    stands,
    submission_of,
)
from households.record.reading import Record

# What a signature is for (ASTM E1762, which FHIR names for Signature.type).
_PURPOSES = "urn:iso-astm:E1762-95:2013"
_AUTHORS = {"code": "1.2.840.10065.1.12.1.1", "display": "Author's Signature"}
_CONSENTS = {"code": "1.2.840.10065.1.12.1.7", "display": "Consent Signature"}

_TO_THE_MINUTE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
_TIME_TO_THE_MINUTE = re.compile(r"\d\d:\d\d")


def forms(record: Record) -> list[Json]:
    found = []
    for response in record.responses:
        found.append(questionnaire_response(record, response))
        if is_consent(response):
            found.append(_consent(record, response))
    return found


def is_consent(response: QuestionnaireResponse) -> bool:
    """Whether there is a Consent beside the answers: its text was accepted or declined, and signed."""
    is_one = response.version.questionnaire.is_consent
    return is_one and signature_of(response) is not None


def canonical(response: QuestionnaireResponse) -> str:
    version = response.version
    return f"{version.questionnaire.url}|{version.version or version.number}"


# --- answers --------------------------------------------------------------------------


def questionnaire_response(record: Record, response: QuestionnaireResponse) -> Json:
    submission = submission_of(response)
    signature = signature_of(response)
    source: Json | None = None
    if submission.filled_in_by:
        source = to(filler_id(record, submission), submission.filler)
    signed = [] if signature is None or is_voided(response) else [_signed(record, signature)]
    return resource(
        "QuestionnaireResponse",
        response.public_id,
        extension=signed,
        questionnaire=canonical(response),
        status=_status(response),
        subject=to_patient(record),
        authored=instant(submission.sent_at),
        source=source,
        item=[_item(item) for item in response.items],
    )


def _status(response: QuestionnaireResponse) -> str:
    if not stands(response):
        return "stopped"
    return "amended" if response.corrects_id is not None else "completed"


def _item(item: Any) -> Any:
    """As the engine keeps it, in the spelling that R4 asks for: moments to the second, with a time zone."""
    if isinstance(item, list):
        return [_item(each) for each in item]
    if not isinstance(item, dict):
        return item
    return {key: _spelled(key, _item(value)) for key, value in item.items()}


def _spelled(key: str, value: Any) -> Any:
    if key == "valueDateTime" and isinstance(value, str) and _TO_THE_MINUTE.match(value):
        return _moment(value)
    if key == "valueTime" and isinstance(value, str) and _TIME_TO_THE_MINUTE.fullmatch(value):
        return f"{value}:00"
    return value


def _moment(value: str) -> str:
    try:
        at = datetime.datetime.fromisoformat(value)
    except ValueError:
        return value
    if at.tzinfo is None:
        at = at.replace(tzinfo=timezone.get_current_timezone())
    return at.isoformat(timespec="seconds" if not at.microsecond else "milliseconds")


def _signed(record: Record, signature: Signature) -> Json:
    is_consent = signature.response.version.questionnaire.is_consent
    purpose = {"system": _PURPOSES, **(_CONSENTS if is_consent else _AUTHORS)}
    return {
        "url": f"{EXTENSION}/questionnaireresponse-signature",
        "valueSignature": {
            "type": [purpose],
            "when": instant(signature.signed_at),
            "who": _signer(signature),
            "onBehalfOf": to_patient(record),
            # A typed name is what there is: no picture, no certificate.
            "sigFormat": "text/plain",
            "data": _packed(clean(signature.typed_name)),
        },
    }


def _signer(signature: Signature) -> Json:
    """By the name that was typed: nobody guesses which contact on file that is."""
    name, relationship = one_line(signature.typed_name), one_line(signature.relationship)
    return {"display": f"{name} ({relationship})" if relationship else name}


def _packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


# --- consents -------------------------------------------------------------------------


def _consent(record: Record, response: QuestionnaireResponse) -> Json:
    signature = signature_of(response)
    assert signature is not None  # is_consent() says so
    accepted = signature.decision == Signature.Decision.ACCEPTED
    digest = bytes.fromhex(signature.text_sha256)
    packed = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    title = one_line(response.version.questionnaire.title)
    text = signature.text.encode("utf-8", "replace")
    return resource(
        "Consent",
        signature.public_id,
        status="inactive" if not stands(response) else "active" if accepted else "rejected",
        scope=concept(title),
        category=[concept("", LOINC, "59284-0", "Consent Document")],
        patient=to_patient(record),
        dateTime=instant(signature.signed_at),
        performer=[_signer(signature)],
        organization=[to_practice(record)],
        # The text as it stood on the page, and its name that anybody can compute again (RFC 6920).
        sourceAttachment={
            "contentType": "text/plain; charset=utf-8",
            "data": base64.b64encode(text).decode(),
            "size": len(text),
            "title": title,
        },
        policy=[{"uri": canonical(response)}, {"uri": f"ni:///sha-256;{packed}"}],
        provision={
            "type": "permit" if accepted else "deny",
            "data": [{"meaning": "related", "reference": to(response.public_id)}],
        },
    )


def voidings(record: Record) -> list[Json]:
    """A Provenance of the practice's for each signature that it voided, with the reason."""
    return [
        resource(
            "Provenance",
            made_id(signature.public_id, "voided"),
            target=[to(one) for one in _targets(response, signature)],
            recorded=instant(signature.voided_at),
            activity=concept("The practice voided the signature"),
            reason=[concept(one_line(signature.void_reason))],
            agent=[{"who": to_practice(record)}],
        )
        for response in record.responses
        for signature in [signature_of(response)]
        if signature is not None and signature.voided_at is not None
    ]


def _targets(response: QuestionnaireResponse, signature: Signature) -> list[uuid.UUID]:
    return [response.public_id, *([signature.public_id] if is_consent(response) else [])]


def sent_pairs(record: Record) -> list[tuple[int | None, uuid.UUID]]:
    """Which resource came in which submission, for who said so."""
    pairs: list[tuple[int | None, uuid.UUID]] = []
    for response in record.responses:
        pairs.append((response.submission_id, response.public_id))
        signature = signature_of(response)
        if signature is not None and is_consent(response):
            pairs.append((response.submission_id, signature.public_id))
    return pairs


def corrected_by(record: Record) -> dict[int, uuid.UUID]:
    """By the submission of a correction, the response that it corrects, where that is here."""
    there = {one.pk: one.public_id for one in record.responses}
    return {
        one.submission_id: there[one.corrects_id]
        for one in record.responses
        if one.submission_id is not None and one.corrects_id in there
    }
