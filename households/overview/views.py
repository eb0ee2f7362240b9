"""A member's home. It may read every slice; no slice reads it.

It is the page that is opened most, and building a statement costs more than reading a few rows too many: so
it asks for a member's rows as plainly as can be, and sorts them out here.
"""

from __future__ import annotations

import datetime
import heapq
import uuid
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from accounts import audit
from households import kept
from households.binding import member_url
from households.documents.models import STANDING, Document, DocumentRequest
from households.models import Member
from households.requests import MemberRequest
from households.submissions.models import Submission
from households.templatetags.portal_tags import portal_date

_RECENT = 5
# How long a paper that was asked for stays on the list as done.
_STAYS_DONE = datetime.timedelta(days=30)
_Task = dict[str, object]


class _Asked(NamedTuple):
    """What is read of a request, by the names of its columns below."""

    pk: int
    public_id: uuid.UUID
    what: str
    due_on: datetime.date | None
    expires_on: datetime.date | None
    closed_at: datetime.datetime | None


class _Paper(NamedTuple):
    """What is read of a document; the last five are its submission's, None of what the practice shares."""

    public_id: uuid.UUID
    name: str
    kind: str | None
    request: int | None
    sending_id: uuid.UUID
    sent_at: datetime.datetime
    opened_at: datetime.datetime | None
    unshared_at: datetime.datetime | None
    status: str | None
    seen_at: datetime.datetime | None
    filed_at: datetime.datetime | None
    returned_at: datetime.datetime | None

    @property
    def label(self) -> str:
        return self.kind or self.name

    @property
    def is_shown(self) -> bool:
        return not self.unshared_at and self.status != Submission.Status.WITHDRAWN

    @property
    def stands(self) -> bool:
        return self.status in STANDING


_COLUMNS_OF_ASKED = _Asked._fields
_COLUMNS_OF_PAPER = (
    *["public_id", "name", "kind__name", "request", "sending_id", "sent_at", "opened_at"],
    *["unshared_at", "submission__status", "submission__seen_at", "submission__filed_at"],
    *["submission__returned_at"],
)


@require_safe
def overview(request: MemberRequest, member: Member) -> HttpResponse:
    """What is to do, what the practice shared, what happened lately, what was typed and not sent."""
    asked = _asked_for(member)
    papers = _papers(member)
    audit.record(audit.Action.VIEW, "ok", request=request, object_type="overview")
    sent = [paper for paper in papers if paper.status]
    shared = [paper for paper in papers if not paper.status]
    tasks = [
        *_to_answer(request, asked, sent),
        *_to_send_again(request, asked, sent),
        *_to_open(request, shared),
        _documents_task(request, sent),
    ]
    context = {
        "member": member,
        "tasks": tasks,
        "done_count": sum(bool(task["done"]) for task in tasks),
        "total": len(tasks),
        "today": timezone.localdate(),
        "recent": heapq.nlargest(_RECENT, _events(papers)),
        "shared": [(_page_of(request, paper), paper) for paper in shared[:_RECENT]],
        "kept": _kept(request, member),
    }
    return render(request, "households/overview/home.html", context)


def _asked_for(member: Member) -> list[_Asked]:
    """The requests in force (as DocumentRequest.is_in_force), the first one due first."""
    today = timezone.localdate()
    rows = DocumentRequest.objects.for_member(member).order_by().values_list(*_COLUMNS_OF_ASKED)
    requests = [_Asked(*row) for row in rows]
    in_force = [
        one
        for one in requests
        if one.closed_at is None and (one.expires_on is None or one.expires_on >= today)
    ]
    return sorted(in_force, key=lambda one: (one.due_on or datetime.date.max, one.pk))


def _papers(member: Member) -> list[_Paper]:
    """What was sent and shared, latest first, without what was taken back."""
    rows = Document.objects.for_member(member).order_by().values_list(*_COLUMNS_OF_PAPER)
    papers = [_Paper(*row) for row in rows]
    return sorted(
        (paper for paper in papers if paper.is_shown), key=lambda one: one.sent_at, reverse=True
    )


def _page_of(request: MemberRequest, paper: _Paper) -> str:
    return member_url(request, "document_detail", public_id=paper.public_id)


# --- the checklist --------------------------------------------------------------------


def _to_answer(
    request: MemberRequest, requests: Iterable[_Asked], sent: Sequence[_Paper]
) -> list[_Task]:
    """The papers that the practice asks for, one line each; after them those that are done, for a while."""
    answered = {paper.request: paper.sent_at for paper in reversed(sent) if paper.stands}
    returned = {paper.request for paper in sent if not paper.stands}
    to_do, done = [], []
    for asked in requests:
        task: _Task = {
            "title": asked.what,
            "url": member_url(request, "request_answer", public_id=asked.public_id),
            "status": "asked",
            "status_words": "",
            "due_on": asked.due_on,
            "done": False,
        }
        answered_at = answered.get(asked.pk)
        if answered_at is None:
            if asked.pk in returned:
                task |= {"status": "returned", "status_words": _("Returned: send it again")}
            to_do.append(task)
        elif timezone.now() - answered_at < _STAYS_DONE:
            words = _("Sent %(day)s") % {"day": portal_date(timezone.localdate(answered_at))}
            done.append({**task, "status": "done", "status_words": words, "done": True})
    return [*to_do, *done]


def _to_send_again(
    request: MemberRequest, requests: Iterable[_Asked], sent: Sequence[_Paper]
) -> list[_Task]:
    """What the practice returned and nothing stands for, unless the line of its request says so."""
    settled = {paper.sending_id for paper in sent if paper.stands}
    answered = {paper.request for paper in sent if paper.stands and paper.request}
    answered |= {asked.pk for asked in requests}
    return [
        {
            "title": paper.label,
            "url": member_url(request, "document_again", public_id=paper.public_id),
            "status": "returned",
            "status_words": _("Returned: send it again"),
            "done": False,
        }
        for paper in sent
        if not paper.stands and paper.public_id not in settled and paper.request not in answered
    ]


def _to_open(request: MemberRequest, shared: Iterable[_Paper]) -> list[_Task]:
    return [
        {
            "title": paper.label,
            "url": _page_of(request, paper),
            "status": "new",
            "status_words": _("New from the practice"),
            "done": False,
        }
        for paper in shared
        if not paper.opened_at
    ]


def _documents_task(request: MemberRequest, sent: Sequence[_Paper]) -> _Task:
    count = len(sent)
    return {
        "title": _("Documents"),
        "url": member_url(request, "documents"),
        "status": "sent" if count else "not-started",
        "status_words": ngettext("%(count)d sent", "%(count)d sent", count) % {"count": count}
        if count
        else _("Nothing sent yet"),
        "done": bool(count),
    }


# --- what happened, what waits --------------------------------------------------------


def _events(papers: Iterable[_Paper]) -> Iterable[tuple[datetime.datetime, str]]:
    """Everything that happened to the documents, each with its time, in no order."""
    for paper in papers:
        label = {"name": paper.label}
        if not paper.status:
            yield paper.sent_at, _("Shared by the practice: %(name)s") % label
            continue
        yield paper.sent_at, _("Sent: %(name)s") % label
        if paper.seen_at:
            yield paper.seen_at, _("Seen by the practice: %(name)s") % label
        if paper.filed_at:
            yield paper.filed_at, _("Filed by the practice: %(name)s") % label
        if paper.returned_at:
            yield paper.returned_at, _("Returned by the practice: %(name)s") % label


def _kept(request: MemberRequest, member: Member) -> list[dict[str, object]]:
    """Text typed for this person that was not sent, with the page to carry on at."""
    home = member_url(request, "overview")
    account = request.household_session.account
    return [
        {"title": _page_title(page), "url": f"{home}{page}", "kept_at": kept_at}
        for page, kept_at in kept.pages(account, member)
    ]


def _page_title(page: str) -> str:
    if page == "documents/":
        return _("Documents")
    if page.startswith("documents/requests/"):
        return _("A document the practice asks for")
    if page.startswith("documents/") and page.endswith("/again/"):
        return _("A document to send again")
    return _("A page")
