"""What happened lately in a chart, in words and with dates."""

from __future__ import annotations

import datetime
import heapq
from collections.abc import Iterable, Mapping

from django.utils.translation import gettext as _

from households.history.models import Section
from households.overview.document_rows import DocumentRow
from households.overview.standing import MovedRow, SentRow
from households.submissions.models import Submission

Event = tuple[datetime.datetime, str]
_RECENT = 5


def recent(
    documents: Iterable[DocumentRow],
    sent: Iterable[SentRow],
    moved: Iterable[MovedRow],
    hidden: frozenset[str],
    forms: Mapping[int, str],
) -> list[Event]:
    """The latest first. Of what was moved between charts it is said that it was, and nothing of the other
    person: whoever shares the login reads this. Of the topics in `hidden` it is not said which they are;
    `forms` are the titles of forms by the submission that each was sent in."""
    events = [*_of_documents(documents), *_of_submissions(sent, hidden, forms), *_of_moves(moved)]
    return heapq.nlargest(_RECENT, events)


def _of_submissions(
    rows: Iterable[SentRow], hidden: frozenset[str], forms: Mapping[int, str]
) -> Iterable[Event]:
    for row in rows:
        name = {"name": forms.get(row.submission) or _name_of(row, hidden)}
        if row.filed_at == row.sent_at:
            # It needed nobody: “This is all correct”, or a change that is let in by itself.
            yield row.sent_at, _("Confirmed: %(name)s") % name
            continue
        yield row.sent_at, _("Sent: %(name)s") % name
        if row.seen_at:
            yield row.seen_at, _("Seen by the practice: %(name)s") % name
        if row.filed_at:
            yield row.filed_at, _("Accepted by the practice: %(name)s") % name
        if row.partly_at:
            yield row.partly_at, _("Accepted in part by the practice: %(name)s") % name
        if row.returned_at:
            yield row.returned_at, _("Returned by the practice: %(name)s") % name


def _of_moves(rows: Iterable[MovedRow]) -> Iterable[Event]:
    names = {
        Submission.Kind.DOCUMENT: _("a document"),
        Submission.Kind.DEMOGRAPHICS: _("a change of the details"),
        Submission.Kind.HISTORY: _("a part of the medical history"),
        Submission.Kind.FORM: _("a form"),
    }
    for row in rows:
        name = {"what": names[Submission.Kind(row.kind)]}
        if row.is_here:
            yield row.at, _("Moved here by the practice: %(what)s") % name
        else:
            yield (
                row.at,
                _("Moved by the practice: %(what)s that was sent here by mistake") % name,
            )


def _name_of(row: SentRow, hidden: frozenset[str]) -> str:
    if row.kind == Submission.Kind.DEMOGRAPHICS:
        return _("Details")
    if row.kind == Submission.Kind.FORM:
        return _("A form")
    if row.about in hidden or row.about not in Section.values:
        return _("Medical history")
    return str(Section(row.about).label)


def _of_documents(documents: Iterable[DocumentRow]) -> Iterable[Event]:
    """Everything that happened to the documents, each with its time, in no order."""
    for document in documents:
        label = {"name": document.label}
        if not document.status:
            yield document.sent_at, _("Shared by the practice: %(name)s") % label
            continue
        yield document.sent_at, _("Sent: %(name)s") % label
        if document.seen_at:
            yield document.seen_at, _("Seen by the practice: %(name)s") % label
        if document.filed_at:
            yield document.filed_at, _("Filed by the practice: %(name)s") % label
        if document.returned_at:
            yield document.returned_at, _("Returned by the practice: %(name)s") % label
