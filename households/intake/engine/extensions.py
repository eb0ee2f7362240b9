"""Reading FHIR JSON that nobody vouches for: every reader takes anything and gives its kind or nothing.

Real questionnaires carry numbers as strings, objects where a list belongs, and extensions without a value
(FORMS.md 1.3). The import names that; the engine must only not fall over it.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

FHIR = "http://hl7.org/fhir/StructureDefinition/"
SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"

# The weight of a choice: in R4, and as R5 and SDC call it.
WEIGHTS = (
    FHIR + "ordinalValue",
    FHIR + "itemWeight",
    "http://hl7.org/fhir/StructureDefinition/questionnaire-ordinalValue",
)


def as_list(value: object) -> list[Any]:
    """A list as it is, one thing as a list of one, nothing as none."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def objects(value: object) -> list[dict]:
    return [each for each in as_list(value) if isinstance(each, dict)]


def text(value: object) -> str:
    return value if isinstance(value, str) else ""


def truth(value: object) -> bool:
    return value is True or value == "true"


def number(value: object) -> Decimal | None:
    """A JSON number, or the same written as a string; never NaN, infinity or true."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        read = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return read if read.is_finite() else None


def whole(value: object) -> int | None:
    read = number(value)
    # The bound also keeps int() of 1E+999999 from being worked out.
    return int(read) if read is not None and abs(read) < 10**12 else None


def all_of(element: dict, url: str) -> Iterator[dict]:
    """The extensions of this address, modifiers included."""
    for key in ("extension", "modifierExtension"):
        for each in objects(element.get(key)):
            if each.get("url") == url:
                yield each


def first(element: dict, *urls: str) -> dict | None:
    return next((each for url in urls for each in all_of(element, url)), None)


def value_key(element: dict) -> str:
    """The name of its value[x]: "valueInteger"; empty where it has none."""
    return next((key for key in element if key.startswith("value")), "")


def value(element: dict | None) -> Any:
    """Its value[x], whatever the type."""
    return element.get(value_key(element)) if element else None


def value_of(element: dict, *urls: str) -> Any:
    """The value of the first extension with one of these addresses."""
    return value(first(element, *urls))


def codes_of(concept: object) -> list[str]:
    """The codes of a CodeableConcept, a Coding or a plain code."""
    if isinstance(concept, str):
        return [concept]
    codings = [
        coding
        for each in objects(concept)
        for coding in (objects(each["coding"]) if "coding" in each else [each])
    ]
    return [text(coding.get("code")) for coding in codings if coding.get("code")]


def weight_of(*elements: object) -> Decimal | None:
    """The weight that the first of these (an option, its Coding, a concept) carries."""
    for element in elements:
        if isinstance(element, dict):
            found = number(value_of(element, *WEIGHTS))
            if found is not None:
                return found
    return None
