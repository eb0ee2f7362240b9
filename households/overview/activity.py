"""What happened in a chart, as the audit has it, in the family's words: its own page, a page at a time.

Whoever may open the chart reads it, so it names nobody. Of the family it says "this family's login", which is
all that is known; of staff "the practice". It says no topic of the history. Of what the practice moved to
another person it says that it was moved, and nothing else, as the home does.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.audit.models import AuditEvent
from accounts.models import HouseholdAccount
from households.demographics.models import DetailChange
from households.documents.models import Document
from households.history.models import EntryChange
from households.intake.models import QuestionnaireResponse
from households.models import Member
from households.submissions.models import Refiling, Submission

ENTRIES = 100
MOST_PAGES = 50

_DOCUMENT, _DETAILS, _HISTORY, _FORM = "document", "demographics", "history", "form"
_HISTORY_CHANGED = gettext_lazy("The medical history was changed")

# By action and outcome, and by what it is about where that makes a difference. What is not here is not said:
# each page that was looked at, what was refused, who of the staff does what.
_FAMILY = {
    ("pick", "ok"): gettext_lazy("The chart was opened"),
    ("view", "copy"): gettext_lazy("Details were looked at, to copy them to another person"),
    ("send", "ok", _DOCUMENT): gettext_lazy("A document was sent"),
    ("send", "joined", _DOCUMENT): gettext_lazy("Photos were joined to one document"),
    ("send", "ok", _DETAILS): gettext_lazy("A change of the details was sent"),
    ("send", "accepted-by-itself", _DETAILS): gettext_lazy("The details were changed"),
    ("send", "confirmed", _DETAILS): gettext_lazy("The details were confirmed"),
    ("send", "added", _HISTORY): _HISTORY_CHANGED,
    ("send", "changed", _HISTORY): _HISTORY_CHANGED,
    ("send", "ended", _HISTORY): _HISTORY_CHANGED,
    ("send", "error", _HISTORY): _HISTORY_CHANGED,
    ("send", "answered", _HISTORY): _HISTORY_CHANGED,
    ("send", "confirmed", _HISTORY): gettext_lazy("The medical history was confirmed"),
    ("send", "begin", _FORM): gettext_lazy("A form was begun"),
    ("send", "correct", _FORM): gettext_lazy("A correction of a form was begun"),
    ("send", "discard", _FORM): gettext_lazy("A form that was begun was deleted"),
    ("send", "ok", _FORM): gettext_lazy("A form was sent"),
    ("withdraw", "ok", _DOCUMENT): gettext_lazy("A document was taken back"),
    ("withdraw", "ok", _DETAILS): gettext_lazy("A change of the details was taken back"),
    ("open", "ok"): gettext_lazy("A document from the practice was opened for the first time"),
    ("download", "ok", _DOCUMENT): gettext_lazy("A document was downloaded"),
    ("download", "ok", _FORM): gettext_lazy("A form was downloaded"),
    ("export", "ok", "record"): gettext_lazy("A copy of the whole record was downloaded"),
}
_KINDS = (_DOCUMENT, _DETAILS, _HISTORY, _FORM)
_NAMES = {
    _DOCUMENT: gettext_lazy("a document"),
    _DETAILS: gettext_lazy("a change of the details"),
    _HISTORY: gettext_lazy("a part of the medical history"),
    _FORM: gettext_lazy("a form"),
}
_DECIDED = {
    "seen": gettext_lazy("Saw %(what)s"),
    "filed": gettext_lazy("Accepted %(what)s"),
    "accepted": gettext_lazy("Accepted %(what)s"),
    "edited": gettext_lazy("Accepted %(what)s with a correction"),
    "partly": gettext_lazy("Accepted a part of what was sent: %(what)s"),
    "returned": gettext_lazy("Returned %(what)s"),
    "refiled-here": gettext_lazy("Moved %(what)s here"),
    "refiled-here-across": gettext_lazy("Moved %(what)s here"),
    "refiled-away": gettext_lazy("Moved %(what)s away that was sent here by mistake"),
    "refiled-away-across": gettext_lazy("Moved %(what)s away that was sent here by mistake"),
}
_EMAIL_CHANGED = gettext_lazy("Changed the email on file")
_ON_FILE_CHANGED = gettext_lazy("Changed what is on file")
_LOOKED = gettext_lazy("Looked at this chart")
_STAFF = {
    ("share", "ok"): gettext_lazy("Shared a document"),
    ("share", "ended"): gettext_lazy("Stopped sharing a document"),
    ("download", "ok"): gettext_lazy("Downloaded a document"),
    ("export", "ok"): gettext_lazy("Made a copy of the record"),
    ("export", "incomplete"): gettext_lazy("Made a copy of the record"),
    ("staff-change", "added", "documentrequest"): gettext_lazy("Asked for a document"),
    ("staff-change", "closed", "documentrequest"): gettext_lazy("Asks for a document no more"),
    ("staff-change", "added", "memberask"): gettext_lazy("Asked for a form"),
    ("staff-change", "ended", "memberask"): gettext_lazy("Asks for a form no more"),
    ("staff-change", "voided"): gettext_lazy("Made a signature void"),
    ("staff-change", "added", "member"): gettext_lazy("Put this person on file"),
    ("staff-change", "changed", "member"): _ON_FILE_CHANGED,
    ("staff-change", "changed", "details"): _ON_FILE_CHANGED,
    ("staff-change", "also-called-added"): gettext_lazy("Added a name to the file"),
    ("staff-change", "birth-date-corrected"): gettext_lazy("Corrected the birth date"),
    ("staff-change", "portal-access-on"): gettext_lazy("Let the portal open this chart"),
    ("staff-change", "portal-access-off"): gettext_lazy("Kept the portal from opening this chart"),
    ("staff-change", "email-change-confirmed"): _EMAIL_CHANGED,
    ("staff-change", "email-join-confirmed"): _EMAIL_CHANGED,
    ("staff-change", "consent-recorded"): gettext_lazy("Noted an adult's consent"),
    ("staff-change", "consent-withdrawn"): gettext_lazy("Noted that a consent is withdrawn"),
    ("roster-import", "access-change"): _EMAIL_CHANGED,
    ("roster-import", "email-join"): _EMAIL_CHANGED,
}
_PORTAL = {
    ("scan", "found"): gettext_lazy("Found something harmful in a file, and did not keep it"),
}


def _all_that_is_said() -> Q:
    """Without the many pages that were looked at and drafts that were saved, a page of this is full."""
    said = Q(action="staff-view") | Q(action="staff-change", outcome__in=[*_DECIDED])
    outcomes: dict[str, set[str]] = {}
    for words in (_FAMILY, _STAFF, _PORTAL):
        for action, outcome, *_thing in words:
            outcomes.setdefault(action, set()).add(outcome)
    for action, some in outcomes.items():
        said |= Q(action=action, outcome__in=sorted(some))
    return said


_SAID = _all_that_is_said()


@dataclass
class Line:
    """`times`: how often it happened on this day, by the same; `at` is the last time."""

    at: datetime.datetime
    who: str
    words: str
    times: int = 1


@dataclass(frozen=True)
class Activity:
    lines: list[Line]
    there_is_more: bool


def activity_of(member: Member, login: HouseholdAccount, page: int = 1) -> Activity:
    """The latest first. `page` counts from 1 to MOST_PAGES."""
    rows = AuditEvent.objects.filter(_SAID, member_id=member.pk)
    gone = _not_theirs_any_more(member)
    if gone is not None:
        rows = rows.exclude(gone)
    start = (page - 1) * ENTRIES
    events = list(rows.order_by("-pk")[start : start + ENTRIES + 1])
    there_is_more = len(events) > ENTRIES and page < MOST_PAGES
    return Activity(_lines(events[:ENTRIES], login), there_is_more)


def _lines(events: Iterable[AuditEvent], login: HouseholdAccount) -> list[Line]:
    """What happened again on one day is said once."""
    lines: dict[tuple[datetime.date, str, str], Line] = {}
    for event in events:
        said = _said(event, login)
        if said is None:
            continue
        key = timezone.localdate(event.at), *said
        if key in lines:
            lines[key].times += 1
        else:
            lines[key] = Line(event.at, *said)
    return list(lines.values())


def _said(event: AuditEvent, login: HouseholdAccount) -> tuple[str, str] | None:
    """Who, and what."""
    if event.staff_id is not None or event.action in {"staff-view", "staff-change"}:
        words, who = _of_staff(event), _("The practice")
    elif event.account_id is not None:
        words = _found(_FAMILY, event)
        is_this_one = event.account_id == login.pk
        who = (
            _("Someone with this family's login")
            if is_this_one
            else _("Someone with another login")
        )
    elif event.action in {"export", "roster-import"}:  # by a command on the practice's machine
        words, who = _of_staff(event), _("The practice")
    else:
        words, who = _found(_PORTAL, event), _("The portal")
    return None if words is None else (who, words)


def _of_staff(event: AuditEvent) -> str | None:
    if event.action == "staff-view":
        return str(_LOOKED)
    if event.action == "staff-change" and event.object_type in _KINDS:
        words = _DECIDED.get(event.outcome)
        return None if words is None else str(words) % {"what": _NAMES[event.object_type]}
    return _found(_STAFF, event)


def _found(words: Mapping[Any, Any], event: AuditEvent) -> str | None:
    key = event.action, event.outcome
    found = words.get((*key, event.object_type), words.get(key))
    return None if found is None else str(found)


def _not_theirs_any_more(member: Member) -> Q | None:
    """The entries about what the practice moved to another person, and did not move back, but for the move
    itself. One query, and four where something was moved."""
    moved = Refiling.objects.away_from(member).values_list("submission_id", "left_id")
    rows = {pk for pair in moved for pk in pair if pk is not None}
    if not rows:
        return None
    left = {pk for _there, pk in moved if pk is not None}
    elsewhere = Q(submission__in=rows) & (~Q(member=member) | Q(submission__in=left))
    submissions = Submission.objects.not_theirs(member, rows, left).values_list(
        "public_id", flat=True
    )
    public = {str(public_id) for public_id in submissions}
    numbers = Q()
    for model, thing in (
        (Document, "document"),
        (QuestionnaireResponse, "questionnaireresponse"),
        (DetailChange, ""),
        (EntryChange, ""),
    ):
        found = list(model._base_manager.filter(elsewhere).values_list("pk", "public_id"))
        public |= {str(public_id) for _pk, public_id in found}
        if thing and found:
            # Staff's own pages record the row's number.
            numbers |= Q(object_type=thing, object_id__in=[str(pk) for pk, _public_id in found])
    about = Q(object_id__in=public) | numbers if numbers else Q(object_id__in=public)
    return about & ~Q(outcome__startswith="refiled-")
