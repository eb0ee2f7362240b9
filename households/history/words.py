"""An entry, a change and an answer in words, for the family's pages and the practice's."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _

from households.history import partial_date
from households.history.forms import FORMS, PartialDateField, fields_of_question
from households.history.models import Entry, EntryChange, Fact, Section, SectionState
from households.history.topics import QUESTION, WORDS
from households.models import Member


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
    return [
        (name, str(field.label), _in_words(field, getattr(entry, name)))
        for name, field in fields_of(entry).items()
    ]


def details_of(entry: Entry) -> list[tuple[str, str]]:
    """What it says besides its title, as label and value."""
    title = title_of(entry)
    return [
        (label.removesuffix("?") if label != title else _("Answer"), shown)
        for _name, label, shown in lines_of(entry)
        if shown and (shown != title)
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
