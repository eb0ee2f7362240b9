"""One member's record, gathered: what is on file, what is known of each section of the history, and which
papers there are. Always the same number of queries, each of them through the member.

"None known", "not sure" and "not asked" are answers, and stay three: nothing here makes "none" of an
absence.
"""

from __future__ import annotations

import datetime
import uuid
from copy import copy
from dataclasses import dataclass

from django.db import models
from django.utils import timezone
from django.utils.functional import cached_property

from accounts.models import HouseholdAccount
from households.demographics.fields import CONTACTS, FIELDS, Field, OnFile
from households.demographics.models import (
    Contact,
    Coverage,
    DetailChange,
    Details,
    FieldSetting,
)
from households.documents.models import Document
from households.history.models import (
    ENTRY_MODELS,
    Entry,
    EntryChange,
    Fact,
    Section,
    SectionSetting,
    SectionState,
)
from households.history.sections import applies_to, hidden_sections
from households.intake.models import QuestionnaireResponse
from households.models import Member, Practice
from households.submissions.models import Proposal, Submission
from households.submissions.sight import CLINICAL_DOCUMENT

Answer = SectionState.Answer

_ACCEPTED = (Proposal.Decision.ACCEPTED, Proposal.Decision.EDITED)


@dataclass(frozen=True)
class Acceptance:
    """Somebody at the practice looked at what a submission said of `about` and accepted it. Of the history,
    `about` is the public id of an entry, or the word of a section; of the details, the public id of a
    contact as text, or "" for the member's own."""

    submission: int
    about: uuid.UUID | str
    version: int
    at: datetime.datetime


@dataclass(frozen=True)
class SectionRecord:
    """One section of the history. `entries` are all there are, those entered by mistake too."""

    section: Section
    state: SectionState | None
    entries: list[Entry]

    @cached_property
    def listed(self) -> list[Entry]:
        """What a reader is shown: current ones first, nothing that was entered by mistake."""
        valid = [entry for entry in self.entries if entry.status != Entry.Status.ERROR]
        return sorted(valid, key=lambda entry: (entry.status != Entry.Status.ACTIVE, entry.pk))

    @property
    def has_current(self) -> bool:
        return any(entry.status == Entry.Status.ACTIVE for entry in self.entries)

    @property
    def answer(self) -> Answer:
        """What is known of it. An entry that stands is stronger than "none" or "not asked": it came in
        while this was read."""
        said = Answer.NOT_ASKED if self.state is None else Answer(self.state.answer)
        if said in {Answer.NONE, Answer.NOT_ASKED} and self.has_current:
            return Answer.ENTRIES
        return said


@dataclass(frozen=True)
class Record:
    member: Member
    practice: Practice
    made_at: datetime.datetime
    details: Details | None
    contacts: list[Contact]
    coverages: list[Coverage]
    sections: list[SectionRecord]
    # Topics that are private in this household and so are left out, whatever is in them.
    withheld: list[Section]
    documents: list[Document]
    # The forms that were sent and not taken back, the first one first.
    responses: list[QuestionnaireResponse]
    submissions: dict[int, Submission]
    accepted_details: list[Acceptance]
    accepted_history: list[Acceptance]

    def submission(self, pk: int | None) -> Submission | None:
        return None if pk is None else self.submissions.get(pk)


def record_of(
    member: Member,
    *,
    practice: Practice,
    for_login: HouseholdAccount | None = None,
    with_history: bool = True,
    with_documents: bool = True,
    with_forms: bool = True,
    with_clinical: bool = True,
) -> Record:
    """Everything of `member`. `for_login` is the family's login that will read it: topics that are private
    in its household are left out, and details that the practice hides from families. Without
    `with_history`, `with_documents` and `with_forms` the record has none at all; without `with_clinical` it
    has no forms but those that the front desk may read, and none of the papers in the others."""
    settings = {setting.section: setting for setting in SectionSetting.objects.all()}
    withheld = withheld_from(for_login) if with_history else []
    sections = _sections(member, settings, withheld) if with_history else []
    shown_documents = (
        Document.objects.for_member(member).shown_to_family().order_by("sent_at", "pk")
    )
    if not with_clinical:
        shown_documents = shown_documents.exclude(submission__about=CLINICAL_DOCUMENT)
    on_file = OnFile(
        member=copy(member),  # the request's own stays as it is
        details=Details.objects.for_member(member).first() or Details(member=member),
        contacts=list(Contact.objects.for_member(member)),
        coverages=list(Coverage.objects.for_member(member)),
    )
    hidden = _hidden_fields() if for_login is not None else set()
    for field in FIELDS.values():
        if field.key in hidden and not field.is_request:
            _empty(on_file, field)
    return Record(
        member=on_file.member,
        practice=practice,
        made_at=timezone.now(),
        details=on_file.details if on_file.details.pk else None,
        contacts=[] if CONTACTS.key in hidden else [*on_file.contacts],
        coverages=[one for one in on_file.coverages if f"{one.rank}_insurance" not in hidden],
        sections=sections,
        withheld=withheld,
        documents=list(shown_documents) if with_documents else [],
        responses=list(sent_forms(member, with_clinical=with_clinical)) if with_forms else [],
        submissions={one.pk: one for one in Submission.objects.for_member(member)},
        accepted_details=_accepted_details(member),
        accepted_history=_accepted_history(member) if with_history else [],
    )


def bare_record(member: Member, practice: Practice) -> Record:
    """Whose it is and nothing else, for one thing of theirs alone. No query."""
    return Record(
        member=member,
        practice=practice,
        made_at=timezone.now(),
        details=None,
        contacts=[],
        coverages=[],
        sections=[],
        withheld=[],
        documents=[],
        responses=[],
        submissions={},
        accepted_details=[],
        accepted_history=[],
    )


def sent_forms(
    member: Member, *, with_clinical: bool = True
) -> models.QuerySet[QuestionnaireResponse]:
    """What was sent and not taken back, with all that is needed to read it. A draft is no record."""
    readable = models.Q() if with_clinical else models.Q(version__questionnaire__is_clinical=False)
    return (
        QuestionnaireResponse.objects.for_member(member)
        .filter(readable)
        .exclude(submission=None)
        .exclude(submission__status=Submission.Status.WITHDRAWN)
        .select_related("member", "submission", "version__questionnaire", "signature")
        .order_by("submission__sent_at", "pk")
    )


def _hidden_fields() -> set[str]:
    hidden = FieldSetting.objects.filter(shown=FieldSetting.Shown.HIDDEN)
    return set(hidden.values_list("field", flat=True))


def _empty(on_file: OnFile, field: Field) -> None:
    """As if nothing stood there. Never saved: these rows are read once, for one file. Who somebody is (the
    fields that are asked for as requests) stands on every page of the portal and is not hidden here."""
    if type(field) is Field:  # the others have rows of their own
        for column in field.columns:
            row = on_file.member if column.on_member else on_file.details
            setattr(row, column.name, column.empty(type(row)))


def withheld_from(login: HouseholdAccount | None) -> list[Section]:
    """The private topics, which are not shown back where several people share a login (PRODUCT E)."""
    hidden = hidden_sections(login) if login is not None else frozenset()
    return [section for section in Section if section in hidden]


def _sections(
    member: Member, settings: dict[str, SectionSetting], withheld: list[Section]
) -> list[SectionRecord]:
    """In the order in which they are asked. A topic that the practice does not ask, or not this
    person, stands here only where something is known of it."""
    states = {state.section: state for state in SectionState.objects.for_member(member)}
    entries: dict[str, list[Entry]] = {section: [] for section in Section}
    for model in ENTRY_MODELS:
        for entry in model.objects.for_member(member):
            entries[section_of(entry)].append(entry)
    found = []
    for section in Section:
        one = SectionRecord(section, states.get(section), entries[section])
        setting = settings.get(section)
        is_asked = (setting is None or setting.is_asked) and applies_to(member, section)
        if section not in withheld and (is_asked or one.entries or one.answer != Answer.NOT_ASKED):
            found.append(one)
    return found


def section_of(entry: Entry) -> Section:
    return Section(entry.of_section) if isinstance(entry, Fact) else entry.section


def _accepted_history(member: Member) -> list[Acceptance]:
    rows = (
        EntryChange.objects.for_member(member)
        .filter(decision__in=_ACCEPTED, decided_by__isnull=False)
        .order_by("decided_at", "pk")
        .values_list("submission_id", "entry", "section", "version", "decided_at")
    )
    return [
        Acceptance(submission, entry or section, version, at)
        for submission, entry, section, version, at in rows
        if at is not None
    ]


def _accepted_details(member: Member) -> list[Acceptance]:
    rows = (
        DetailChange.objects.for_member(member)
        .filter(decision__in=_ACCEPTED, decided_by__isnull=False)
        .order_by("decided_at", "pk")
        .values_list("submission_id", "row", "decided_at")
    )
    return [Acceptance(submission, row, 0, at) for submission, row, at in rows if at is not None]
