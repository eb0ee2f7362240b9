"""An entry, a change and an answer in words, for the family's pages and the practice's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from households.history import partial_date
from households.history.forms import FORMS, PartialDateField, fields_of_question
from households.history.models import (
    Allergy,
    Condition,
    Entry,
    EntryChange,
    Fact,
    FamilyCondition,
    Goal,
    Immunization,
    Medication,
    Practitioner,
    Procedure,
    Screening,
    Section,
    SectionState,
)
from households.history.topics import QUESTION, WORDS
from households.models import Member

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise

# What stands before a value where it is read back: a page asks "How bad was it at worst (severity)?", and
# nobody reads that a second time before every answer.
_NAMES: dict[type[Entry], dict[str, StrOrPromise]] = {
    Allergy: {
        "substance": gettext_lazy("Substance"),
        "category": gettext_lazy("What it is"),
        "kind": gettext_lazy("Kind"),
        "reaction": gettext_lazy("Reaction"),
        "severity": gettext_lazy("How severe"),
        "since": gettext_lazy("Since"),
    },
    Medication: {
        "kind": gettext_lazy("Kind"),
        "dose": gettext_lazy("Dose"),
        "route": gettext_lazy("How it is taken"),
        "reason": gettext_lazy("Reason"),
        "since": gettext_lazy("Since"),
        "until": gettext_lazy("Until"),
        "taking": gettext_lazy("Still taking it"),
        "prescriber": gettext_lazy("Prescribed by"),
    },
    Condition: {
        "name": gettext_lazy("Health problem"),
        "since": gettext_lazy("Since"),
        "until": gettext_lazy("Until"),
        "treated_by": gettext_lazy("Treated by"),
    },
    Procedure: {
        "kind": gettext_lazy("Kind"),
        "what": gettext_lazy("What was done"),
        "happened": gettext_lazy("When"),
        "where": gettext_lazy("Where"),
        "who": gettext_lazy("By whom"),
        "anaesthesia_problem": gettext_lazy("Problem with anesthesia"),
    },
    FamilyCondition: {
        "relative": gettext_lazy("Relative"),
        "condition": gettext_lazy("Health problem"),
        "age_at_onset": gettext_lazy("Age when it began"),
        "deceased": gettext_lazy("Has died"),
        "age_at_death": gettext_lazy("Age at death"),
    },
    Immunization: {
        "vaccine": gettext_lazy("Vaccine"),
        "given": gettext_lazy("When"),
        "where": gettext_lazy("Where"),
        "lot_number": gettext_lazy("Lot number"),
    },
    Screening: {
        "kind": gettext_lazy("Check-up"),
        "what": gettext_lazy("What was checked"),
        "happened": gettext_lazy("When"),
        "result": gettext_lazy("Result"),
    },
    Practitioner: {
        "role": gettext_lazy("What they do"),
        "where": gettext_lazy("Where"),
    },
    Goal: {"kind": gettext_lazy("Kind")},
}
_NOTE = gettext_lazy("Note")
_IN_TITLE = {
    Medication: {"name", "strength"},
    FamilyCondition: {"relative", "condition"},
}


def title_of(entry: Entry) -> str:
    if isinstance(entry, Fact):
        question = QUESTION.get(entry.topic)
        return str(question.asks) if question else entry.topic
    return entry.title


def fields_of(entry: Entry) -> dict[str, forms.Field]:
    """The boxes that fill it, by column, in the order in which they are asked."""
    if isinstance(entry, Fact):
        question = QUESTION.get(entry.topic)
        return fields_of_question(question) if question else {}
    return FORMS[type(entry)].base_fields


def lines_of(entry: Entry) -> list[tuple[str, str, str]]:
    """Column, label and value in words of everything it says; "" for what it does not say."""
    names = {"note": _NOTE, **_NAMES.get(type(entry), {})}
    return [
        (name, str(names.get(name, field.label)), _in_words(field, getattr(entry, name)))
        for name, field in fields_of(entry).items()
    ]


def details_of(entry: Entry) -> list[tuple[str, str]]:
    """What it says besides its title, as label and value."""
    title, in_title = title_of(entry), _IN_TITLE.get(type(entry), set())
    return [
        (label if label != title else _("Answer"), shown)
        for name, label, shown in lines_of(entry)
        if shown and shown != title and name not in in_title
    ]


def answer_in_words(answer: str, section: str, member: Member) -> str:
    """What a section was answered with, as the page asks it."""
    if answer == SectionState.Answer.NONE:
        return str(WORDS[Section(section)].none) % {"name": member.called}
    return str(SectionState.Answer(answer).label)


def change_title(change: EntryChange) -> str:
    """For staff: "Allergies: Penicillin, added"."""
    section, action = change.get_section_display(), change.get_action_display()
    if not change.entry_type:
        return f"{section}: {action}"
    return f"{section}: {title_of(change.as_entry())}, {action.lower()}"


def _in_words(field: forms.Field, value: Any) -> str:
    if value in (None, ""):
        return ""
    if isinstance(field, forms.ChoiceField):
        return next((str(word) for key, word in field.widget.choices if key == value), str(value))
    if isinstance(field, PartialDateField):
        return partial_date.in_words(value)
    return str(value)
