"""The kinds of questions, in the words of a practice, and what they are in FHIR."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from django.utils.translation import gettext_lazy as _

HIDDEN = "http://hl7.org/fhir/StructureDefinition/questionnaire-hidden"
ORDINAL = "http://hl7.org/fhir/StructureDefinition/ordinalValue"
EXCLUSIVE = "http://hl7.org/fhir/StructureDefinition/questionnaire-optionExclusive"
MIN_VALUE = "http://hl7.org/fhir/StructureDefinition/minValue"
MAX_VALUE = "http://hl7.org/fhir/StructureDefinition/maxValue"
MAX_OCCURS = "http://hl7.org/fhir/StructureDefinition/questionnaire-maxOccurs"
UNIT = "http://hl7.org/fhir/StructureDefinition/questionnaire-unit"
DISPLAY_CATEGORY = "http://hl7.org/fhir/StructureDefinition/questionnaire-displayCategory"
CALCULATED = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-calculatedExpression"
DANGER = "urn:kinchart:danger"
SCORE = "urn:kinchart:score"

Item = dict[str, Any]
Definition = dict[str, Any]


class CannotBuild(Exception):
    """What was asked for cannot be; the sentence says what to do instead."""


class Kind(StrEnum):
    SECTION = "section"
    SHORT = "short-text"
    LONG = "long-text"
    YES_NO = "yes-no"
    ONE = "choose-one"
    ONE_OR_OWN = "choose-or-write"
    SEVERAL = "choose-several"
    NUMBER = "number"
    DECIMAL = "decimal-number"
    DATE = "date"
    TIME = "time"
    DATE_TIME = "date-and-time"
    FILE = "file"
    READ = "text-to-read"
    SCORE = "score"


# What staff call it, when to take it, and its type in FHIR.
WORDS: dict[Kind, tuple[Any, Any, str]] = {
    Kind.SHORT: (_("Short text"), _("One line: a name, a street, a reason."), "string"),
    Kind.LONG: (_("Long text"), _("Several lines."), "text"),
    Kind.YES_NO: (_("Yes or no"), _("Two answers, Yes and No."), "boolean"),
    Kind.ONE: (_("Choose one"), _("One answer out of your list."), "choice"),
    Kind.ONE_OR_OWN: (
        _("Choose one or write in"),
        _("One answer out of your list, or the family's own words."),
        "open-choice",
    ),
    Kind.SEVERAL: (_("Choose several"), _("As many of your list as fit."), "choice"),
    Kind.NUMBER: (_("Number"), _("A whole number: how many, how often."), "integer"),
    Kind.DECIMAL: (
        _("Decimal number with unit"),
        _("A measure: 37.5 °C, 12.4 kg."),
        "decimal",
    ),
    Kind.DATE: (_("Date"), _("A day in the calendar."), "date"),
    Kind.TIME: (_("Time"), _("A time of day."), "time"),
    Kind.DATE_TIME: (_("Date and time"), _("A day and a time of day."), "dateTime"),
    Kind.FILE: (_("File or photo"), _("A picture of a paper, or a PDF."), "attachment"),
    Kind.READ: (_("Text to read"), _("No answer: an explanation or a heading."), "display"),
    Kind.SCORE: (
        _("Score"),
        _("Adds up the numbers of other questions by itself, when all of them are answered."),
        "decimal",
    ),
    Kind.SECTION: (_("Section"), _("Questions that belong together, under a title."), "group"),
}
CHOOSING = (Kind.ONE, Kind.ONE_OR_OWN, Kind.SEVERAL)
# What a question may become without losing anything.
SISTERS = (CHOOSING, (Kind.SHORT, Kind.LONG))

_OF_TYPE = {WORDS[kind][2]: kind for kind in Kind if kind not in (Kind.SEVERAL, Kind.SCORE)}


def kind_of(item: Item) -> Kind | None:
    """None for what the builder does not make: such an item keeps everything but its words."""
    kind = _OF_TYPE.get(item.get("type", ""))
    if kind is Kind.DECIMAL and extension(item, SCORE):
        return Kind.SCORE
    if kind is Kind.ONE and item.get("repeats"):
        return Kind.SEVERAL
    if kind is Kind.ONE_OR_OWN and item.get("repeats"):
        return None
    return kind


def word_for(item: Item) -> Any:
    kind = kind_of(item)
    return WORDS[kind][0] if kind else _("Another kind, from the imported file")


def extension(element: Item, url: str) -> Item | None:
    return next((one for one in element.get("extension", []) if one.get("url") == url), None)


def extension_value(element: Item, url: str) -> Any:
    """The value of the first extension of this address; None without one."""
    found = extension(element, url) or {}
    return next((value for name, value in found.items() if name.startswith("value")), None)


def set_extension(element: Item, url: str, new: Item | None) -> None:
    """Replace in its place, add at the end, or take away (None). `new` is without its url."""
    extensions = element.get("extension", [])
    at = next((n for n, one in enumerate(extensions) if one.get("url") == url), len(extensions))
    made = [] if new is None else [{"url": url, **new}]
    extensions = [*extensions[:at], *made, *extensions[at + 1 :]]
    set_or_drop(element, "extension", extensions)


def set_or_drop(element: Item, name: str, value: Any) -> None:
    """FHIR has no empty values: what says nothing is not there."""
    if value in (None, "", [], False):
        element.pop(name, None)
    else:
        element[name] = value
