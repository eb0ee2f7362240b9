"""A record in words: chapters of items of labelled lines. What is printed and what is copied is made of
this; FHIR has its own way (fhir_bundle.py).

Every text here is clean and on one line, except a value of several lines, whose lines stay.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from households.demographics import fields, languages, phones, places
from households.demographics.models import Details
from households.documents.models import Document
from households.history import models as history
from households.history.models import Entry, Section, SectionState
from households.intake.models import QuestionnaireResponse
from households.models import Member
from households.record.cleaning import clean, one_line
from households.record.fact_words import answer, labels, question
from households.record.filled_forms import (
    facts_of,
    sections_in_words,
    signature_lines,
    signature_of,
    that_count,
)
from households.record.partial_dates import shown_date
from households.record.reading import Record, SectionRecord
from households.submissions.models import Submission

Line = tuple[str, str]


@dataclass(frozen=True)
class Item:
    """One entry. `label` says what its title is: "Substance", "Name"."""

    label: str
    title: str
    lines: list[Line]
    # Who said so and when, and whether the practice has confirmed it.
    said: str = ""


@dataclass(frozen=True)
class Chapter:
    """`slug` is a word for addresses of the page; `answer` what is known of the whole, where that is more
    than its items say; `said` when it was last confirmed, and by whom."""

    slug: str
    title: str
    items: list[Item]
    answer: str = ""
    said: str = ""


def chapters_of(record: Record) -> list[Chapter]:
    chapters = [_details(record), _contacts(record), _coverages(record)]
    chapters += [_section(record, section) for section in record.sections]
    chapters += [form_chapter(response) for response in that_count(record.responses)]
    if record.documents:
        chapters.append(_documents(record))
    return chapters


def born_words(member: Member) -> str:
    born = _day(member.date_of_birth)
    return _("born %(day)s") % {"day": born} if born else _("birth date not on file")


def withheld_words(withheld: Sequence[Section]) -> str:
    """The one line that says what is left out, and why; "" when nothing is."""
    if not withheld:
        return ""
    topics = ", ".join(str(section.label) for section in withheld)
    return _(
        "Left out, because this login is shared and the practice keeps these topics private: %(topics)s. "
        "The practice can give them to you."
    ) % {"topics": topics}


# --- details --------------------------------------------------------------------------


def _details(record: Record) -> Chapter:
    member, details = record.member, record.details or Details()
    address = [
        member.address_1,
        member.address_2,
        " ".join(filter(None, [member.city, member.state, member.postal_code])),
        places.country_name(details.country) if details.country else "",
    ]
    lines = [
        (_("Preferred name"), member.preferred_name),
        (_("Pronouns"), details.pronouns),
        (_("Date of birth"), _day(member.date_of_birth)),
        (_("Sex on file"), _in_words(fields.SEXES, member.sex)),
        (_("Gender identity"), details.gender_identity),
        (_("Record number"), member.mrn),
        (_("Address"), "\n".join(filter(None, address))),
        (_("Mobile phone"), _phone(member.mobile_phone, details.mobile_may)),
        (_("Home phone"), _phone(member.home_phone, details.home_may)),
        (_("Work phone"), _phone(details.work_phone, details.work_may)),
        (_("Email"), member.email),
        (_("Best way to reach"), details.get_contact_by_display()),
        (_("About reaching"), details.contact_note),
        (_("Language"), languages.say(member.preferred_language)),
        (_("Interpreter needed"), details.get_interpreter_display()),
        (_("Marital status"), details.get_marital_status_display()),
        (_("Occupation"), details.occupation),
        (_("Race"), ", ".join(race_words(details))),
        (_("Ethnicity"), ethnicity_words(details)),
        (_("Primary care doctor"), _joined(details.doctor_name, details.doctor_practice)),
        (_("Phone of the doctor"), phones.say(details.doctor_phone)),
        (_("Pharmacy"), _joined(details.pharmacy_name, details.pharmacy_address)),
        (_("Phone of the pharmacy"), phones.say(details.pharmacy_phone)),
    ]
    return Chapter(
        slug="details",
        title=_("Personal details"),
        items=[Item(_("Name"), one_line(member.full_name), _lines(lines))],
        said=_confirmed(record, details.confirmed_at, details.confirmed_in_id),
    )


def race_words(details: Details) -> list[str]:
    return [_in_words(fields.RACES, word) for word in _list(details.race)]


def ethnicity_words(details: Details) -> str:
    return _in_words(fields.ETHNICITIES, details.ethnicity)


def _in_words(choices: Iterable[tuple[str, object]], kept: str) -> str:
    """What is on file in other words is said as it is."""
    return str(dict(choices).get(kept, kept))


def _phone(number: str, may: Any) -> str:
    allowed = ", ".join(_in_words(fields.MAY, word) for word in _list(may))
    shown = phones.say(number)
    return f"{shown} ({allowed})" if number and allowed else shown


def _contacts(record: Record) -> Chapter:
    items = [
        _item(
            _("Name"),
            contact.name,
            [
                (_("Relationship"), contact.get_relationship_display()),
                (_("Guardian"), _("Yes") if contact.is_guardian else ""),
                (_("Emergency contact"), _("Yes") if contact.is_emergency else ""),
                (_("Phone"), phones.say(contact.phone)),
                (_("Other phone"), phones.say(contact.other_phone)),
            ],
        )
        for contact in record.contacts
        if contact.ended_at is None
    ]
    return Chapter("contacts", _("Family and emergency contacts"), items, _nothing_on_file(items))


def _coverages(record: Record) -> Chapter:
    items = [
        _item(
            coverage.get_rank_display(),
            coverage.payer,
            [
                (_("Plan"), coverage.plan),
                (_("Member number"), coverage.member_number),
                (_("Group number"), coverage.group_number),
                (_("Policy of"), coverage.get_subscriber_display()),
                (_("Name on the policy"), coverage.subscriber_name),
            ],
        )
        for coverage in record.coverages
        if coverage.ended_at is None
    ]
    return Chapter("insurance", _("Insurance"), items, _nothing_on_file(items))


def _nothing_on_file(items: Sequence[Item]) -> str:
    return "" if items else _("Nothing on file")


# --- history --------------------------------------------------------------------------


def _section(record: Record, section: SectionRecord) -> Chapter:
    state = section.state
    return Chapter(
        slug=section.section.value,
        title=str(section.section.label),
        items=[_entry(record, entry) for entry in section.listed],
        answer=_answer_words(section),
        said=_confirmed(record, state.confirmed_at, state.confirmed_in_id) if state else "",
    )


def _answer_words(section: SectionRecord) -> str:
    match section.answer:
        case SectionState.Answer.NOT_ASKED:
            return _("Not asked")
        case SectionState.Answer.NONE:
            return _("None known now") if section.listed else _("None known")
        case SectionState.Answer.NOT_SURE:
            return _("Not sure")
    return "" if section.listed else _("Nothing listed now")


def _entry(record: Record, entry: Entry) -> Item:
    describe = _DESCRIBED[type(entry)]
    item = describe(entry)
    lines = [*item.lines, (_("Note"), clean(entry.note))]
    if entry.status == Entry.Status.ENDED:
        lines.insert(0, (_("Status"), str(Entry.Status.ENDED.label)))
    return Item(item.label, item.title, [line for line in lines if line[1]], _said(record, entry))


def _allergy(one: history.Allergy) -> Item:
    return _item(
        _("Substance"),
        one.substance,
        [
            (_("What it is"), one.get_category_display()),
            (_("Kind"), one.get_kind_display()),
            (_("Reaction"), one.reaction),
            (_("How severe"), one.get_severity_display()),
            (_("Since"), shown_date(one.since)),
        ],
    )


def _medication(one: history.Medication) -> Item:
    return _item(
        _("Medicine or supplement"),
        one.name,
        [
            (_("Kind"), one.get_kind_display()),
            (_("Strength"), one.strength),
            (_("Dose"), one.dose),
            (_("How often"), one.how_often),
            (_("How it is taken"), one.route),
            (_("Reason"), one.reason),
            (_("Since"), shown_date(one.since)),
            (_("Until"), shown_date(one.until)),
            (_("Still taking it"), one.get_taking_display()),
            (_("Prescribed by"), one.prescriber),
        ],
    )


def _condition(one: history.Condition) -> Item:
    return _item(
        _("Health problem"),
        one.name,
        [
            (_("Since"), shown_date(one.since)),
            (_("Until"), shown_date(one.until)),
            (_("Treated by"), one.treated_by),
        ],
    )


def _procedure(one: history.Procedure) -> Item:
    return _item(
        one.get_kind_display(),
        one.what,
        [
            (_("When"), shown_date(one.happened)),
            (_("Where"), one.where),
            (_("By whom"), one.who),
            (_("Problem with anesthesia"), one.get_anaesthesia_problem_display()),
        ],
    )


def _family_condition(one: history.FamilyCondition) -> Item:
    return _item(
        _("Relative"),
        one.get_relative_display(),
        [
            (_("Health problem"), one.condition),
            (_("Age when it began"), _number(one.age_at_onset)),
            (_("Has died"), one.get_deceased_display()),
            (_("Age at death"), _number(one.age_at_death)),
        ],
    )


def _immunization(one: history.Immunization) -> Item:
    return _item(
        _("Vaccine"),
        one.vaccine,
        [
            (_("When"), shown_date(one.given)),
            (_("Where"), one.where),
            (_("Lot number"), one.lot_number),
        ],
    )


def screening_name(one: history.Screening) -> str:
    return one.what or str(one.get_kind_display())


def _screening(one: history.Screening) -> Item:
    return _item(
        _("Check-up"),
        screening_name(one),
        [
            (_("Kind"), one.get_kind_display() if one.what else ""),
            (_("When"), shown_date(one.happened)),
            (_("Result"), one.result),
        ],
    )


def _fact(one: history.Fact) -> Item:
    more, since, until = labels(one)
    return _item(
        _("Question"),
        question(one),
        [
            (_("Answer"), answer(one)),
            (more or _("More"), one.detail),
            (since or _("Since"), shown_date(one.since)),
            (until or _("Until"), shown_date(one.until)),
        ],
    )


def _practitioner(one: history.Practitioner) -> Item:
    return _item(
        _("Name"),
        one.name,
        [(_("What they do"), one.role), (_("Where"), one.where), (_("Phone"), one.phone)],
    )


def _goal(one: history.Goal) -> Item:
    return _item(one.get_kind_display(), one.text, [])


_DESCRIBED: dict[type[Entry], Callable[[Any], Item]] = {
    history.Allergy: _allergy,
    history.Medication: _medication,
    history.Condition: _condition,
    history.Procedure: _procedure,
    history.FamilyCondition: _family_condition,
    history.Immunization: _immunization,
    history.Screening: _screening,
    history.Fact: _fact,
    history.Practitioner: _practitioner,
    history.Goal: _goal,
}


# --- forms ----------------------------------------------------------------------------


def form_chapter(response: QuestionnaireResponse) -> Chapter:
    """One filled form: what became of it, its sections with what was answered, and who signed."""
    items = [Item(_("Form"), _title(response), facts_of(response))]
    for section in sections_in_words(response):
        for part in section.parts:
            rows = [(label, "\n".join(words)) for label, words in part.rows if words]
            # A part that repeats is called as its section, with its number.
            above = "" if part.title.startswith(section.title) else section.title
            title = ": ".join(filter(None, [above, part.title]))
            if rows:
                items.append(Item(_("Section"), title, rows))
    signature = signature_of(response)
    if signature is not None:
        lines = [(_("Text"), clean(signature.text)), *signature_lines(response)]
        items.append(Item(_("Signature"), one_line(signature.typed_name), lines))
    title = _("Form: %(title)s") % {"title": _title(response)}
    return Chapter(f"form-{response.public_id}", title, items)


def _title(response: QuestionnaireResponse) -> str:
    return one_line(response.version.questionnaire.title)


# --- papers ---------------------------------------------------------------------------


def _documents(record: Record) -> Chapter:
    items = [
        _item(
            _("File"),
            document.name,
            [
                (_("Kind"), document.kind.name if document.kind else ""),
                (_("From"), _sender_words(document)),
                (_("Sent"), _day(document.sent_at)),
                (_("Status"), document.status_words),
                (_("Pages"), str(document.pages)),
                (_("Note"), document.note),
            ],
        )
        for document in record.documents
    ]
    return Chapter("documents", _("Documents"), items)


def _sender_words(document: Document) -> str:
    if document.is_from_practice:
        return _("the practice")
    return document.submission.filler or _("the family") if document.submission else ""


# --- who said so ----------------------------------------------------------------------


def _said(record: Record, entry: Entry) -> str:
    submission = record.submission(entry.changed_in_id)
    words = {"who": _filler(submission), "day": _day(submission.sent_at if submission else None)}
    if entry.is_confirmed:
        return _("Reported by %(who)s, %(day)s. Confirmed by the practice.") % words
    return _("Reported by %(who)s, %(day)s. Not yet confirmed by the practice.") % words


def _confirmed(record: Record, at: datetime.datetime | None, submission: int | None) -> str:
    if at is None:
        return ""
    words = {"who": _filler(record.submission(submission)), "day": _day(at)}
    return _("Last confirmed %(day)s by %(who)s.") % words


def _filler(submission: Submission | None) -> str:
    filler = submission.filler if submission is not None else ""
    return one_line(filler) or _("the family")


# --- lines ----------------------------------------------------------------------------


def _item(label: object, title: object, lines: Iterable[tuple[str, object]]) -> Item:
    return Item(str(label), one_line(title), _lines(lines))


def _lines(lines: Iterable[tuple[str, object]]) -> list[Line]:
    """Those that say something."""
    cleaned = [(label, clean(value)) for label, value in lines]
    return [line for line in cleaned if line[1]]


def _joined(*parts: str) -> str:
    return ", ".join(filter(None, parts))


def _number(number: int | None) -> str:
    return "" if number is None else str(number)


def _list(words: Any) -> list[Any]:
    return words if isinstance(words, list) else []


def _day(at: datetime.date | None) -> str:
    if isinstance(at, datetime.datetime):
        at = timezone.localdate(at)
    return f"{at.year:04}/{at.month:02}/{at.day:02}" if at else ""
