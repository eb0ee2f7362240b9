"""What a value of each FHIR data type may look like (FHIR R4 data types)."""

from __future__ import annotations

import datetime
import re
from typing import Any

from households.intake.engine.expressions import RESOURCE_TYPES
from households.intake.engine.extensions import number, text

_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")
_DATE_TIME = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d))?)?)?")
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d{1,9})?")
_UUID = re.compile(r"urn:uuid:[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_OID = re.compile(r"urn:oid:[0-2](\.(0|[1-9]\d*))+")
_WEB = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^\s\\/?#]+[^\s\\]*")
_OTHER = re.compile(r"(?!urn:(uuid|oid):)[A-Za-z][A-Za-z0-9+.-]+:(?!//)[^\s\\]+")
_RELATIVE = re.compile(r"(?![A-Za-z]+:)[^\s\\]+")
_RESOURCE = re.compile(
    r"(?:https?://\S+/)?([A-Za-z]+)/[A-Za-z0-9.-]{1,64}(/_history/[A-Za-z0-9.-]{1,64})?"
)
_INT32 = 2**31


def fault_of(key: str, held: Any) -> str | None:
    """What is wrong with this value[x], as the kind of a problem (checking.py); None where nothing is."""
    check = _KINDS.get(key)
    return check(held) if check else None


def resource_type_of(reference: str) -> str | None:
    """The type of resource that a literal reference names: "Patient"; empty where it need not say, None
    where it is no reference."""
    if reference.startswith("#") or _UUID.fullmatch(reference) or _OID.fullmatch(reference):
        return ""
    match = _RESOURCE.fullmatch(reference)
    return match[1] if match and match[1] in RESOURCE_TYPES else None


def _is_boolean(held: Any) -> str | None:
    return None if isinstance(held, bool) else "type"


def _is_integer(held: Any) -> str | None:
    is_one = isinstance(held, int) and not isinstance(held, bool) and -_INT32 <= held < _INT32
    return None if is_one else "whole-number"


def _is_decimal(held: Any) -> str | None:
    return None if not isinstance(held, str) and number(held) is not None else "number"


def _is_text(held: Any) -> str | None:
    return None if isinstance(held, str) else "type"


def _is_date(held: Any) -> str | None:
    return None if isinstance(held, str) and _DATE.fullmatch(held) and _exists(held) else "date"


def _is_date_time(held: Any) -> str | None:
    is_one = isinstance(held, str) and _DATE_TIME.fullmatch(held) and _exists(held)
    return None if is_one else "date-time"


def _exists(held: str) -> bool:
    """Whether the calendar and the clock have it; of a year and month alone, whether it has the month."""
    day, _, clock = held.partition("T")
    try:
        datetime.date.fromisoformat((day + "-01-01")[:10])
        return not clock or bool(datetime.datetime.fromisoformat(held[:19]))
    except ValueError:
        return False


def _is_time(held: Any) -> str | None:
    return None if isinstance(held, str) and _TIME.fullmatch(held) else "time"


def _is_address(held: Any) -> str | None:
    forms = (_UUID, _OID, _WEB, _OTHER, _RELATIVE)
    is_one = isinstance(held, str) and any(form.fullmatch(held) for form in forms)
    return None if is_one else "address"


def _is_coding(held: Any) -> str | None:
    is_one = isinstance(held, dict) and (text(held.get("code")) or text(held.get("display")))
    return None if is_one else "coding"


def _is_quantity(held: Any) -> str | None:
    is_one = isinstance(held, dict) and _is_decimal(held.get("value")) is None
    return None if is_one else "number"


def _is_object(held: Any) -> str | None:
    return None if isinstance(held, dict) else "type"


_KINDS = {
    "valueBoolean": _is_boolean,
    "valueInteger": _is_integer,
    "valueDecimal": _is_decimal,
    "valueString": _is_text,
    "valueDate": _is_date,
    "valueDateTime": _is_date_time,
    "valueTime": _is_time,
    "valueUri": _is_address,
    "valueCoding": _is_coding,
    "valueQuantity": _is_quantity,
    "valueAttachment": _is_object,
    "valueReference": _is_object,
}
