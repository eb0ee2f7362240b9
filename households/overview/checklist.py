"""The checklist of a member's home: what there is to do, to carry on, to correct, and what is done."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from households.binding import member_url
from households.intake.asking import DONE, IN_PROGRESS, OPEN
from households.overview.document_rows import DocumentRow, RequestRow
from households.overview.form_rows import VOIDED, FormRow
from households.overview.standing import Standing
from households.requests import MemberRequest
from households.templatetags.portal_tags import portal_date

Task = dict[str, object]

# How long a document or form that was asked for stays on the list as done.
_STAYS_DONE = datetime.timedelta(days=30)
# After that, what was confirmed is to be looked through again.
_STAYS_CONFIRMED = datetime.timedelta(days=365)


def tasks_of(
    request: MemberRequest,
    *,
    asked: Sequence[RequestRow],
    documents: Sequence[DocumentRow],
    forms: Sequence[FormRow],
    standing: Standing,
    missing: int,
) -> list[Task]:
    """What the practice waits for first. Each task has a title, the page to go to, a status for the style
    sheet with its words, and whether it is done: None where there is nothing to do."""
    sent = [document for document in documents if document.status]
    shared = [document for document in documents if not document.status]
    return [
        *_by_day(_to_answer(request, asked, sent), _to_fill_in(request, forms)),
        *_to_send_again(request, asked, sent),
        *_to_open(request, shared),
        _details_task(request, standing, missing),
        *_history_task(request, standing),
        _forms_task(request, standing),
        _documents_task(request, sent),
    ]


def page_of(request: MemberRequest, document: DocumentRow) -> str:
    return member_url(request, "document_detail", public_id=document.public_id)


def _by_day(papers: Sequence[Task], forms: Sequence[Task]) -> list[Task]:
    """Papers and forms that the practice asks for, together by the day they are due; then those that are
    done."""
    return sorted([*papers, *forms], key=lambda task: (bool(task["done"]), _due(task)))


def _due(task: Task) -> datetime.date:
    due_on = task.get("due_on")
    if task["done"] or not isinstance(due_on, datetime.date):
        return datetime.date.max
    return due_on


# --- details and history --------------------------------------------------------------


def _details_task(request: MemberRequest, standing: Standing, missing: int) -> Task:
    task: Task = {
        "title": _("Details"),
        "url": member_url(request, "demographics"),
    }
    if standing.returned:
        return {**task, **_returned()}
    if not _is_fresh(standing.confirmed_at):
        return {**task, **_to_confirm(standing.confirmed_at)}
    if missing:
        words = ngettext(
            "The practice needs %(count)d more answer",
            "The practice needs %(count)d more answers",
            missing,
        )
        words %= {"count": missing}
        return {**task, "status": "not-started", "status_words": words, "done": False}
    if standing.waiting:
        count = standing.waiting
        words = ngettext(
            "%(count)d change waits for the practice",
            "%(count)d changes wait for the practice",
            count,
        )
        return {**task, "status": "sent", "status_words": words % {"count": count}, "done": True}
    return {**task, **_confirmed(standing.confirmed_at)}


def _history_task(request: MemberRequest, standing: Standing) -> list[Task]:
    """None where the practice asks no topic."""
    task: Task = {"title": _("Medical history"), "url": member_url(request, "history")}
    if standing.topics_returned:
        return [{**task, **_returned()}]
    if standing.topics_answered < standing.topics_asked:
        numbers = {"answered": standing.topics_answered, "asked": standing.topics_asked}
        status = "in-progress" if standing.topics_answered else "not-started"
        words = _("%(answered)d of %(asked)d topics answered") % numbers
        if not standing.topics_answered:
            words = _("Not started")
        return [{**task, "status": status, "status_words": words, "done": False}]
    if not standing.topics_asked:
        return []
    if not _is_fresh(standing.topics_oldest_at):
        return [{**task, **_to_confirm(standing.topics_oldest_at)}]
    return [{**task, **_confirmed(standing.topics_confirmed_at)}]


def _is_fresh(confirmed_at: datetime.datetime | None) -> bool:
    return confirmed_at is not None and timezone.now() - confirmed_at < _STAYS_CONFIRMED


def _confirmed(at: datetime.datetime | None) -> Task:
    return {
        "status": "done",
        "status_words": _("Confirmed %(day)s") % {"day": _day(at)},
        "done": True,
    }


def _to_confirm(last: datetime.datetime | None) -> Task:
    """Never confirmed, or so long ago that it is to be looked through again."""
    if last is None:
        words = _("Not confirmed yet")
    else:
        words = _("Look again: last confirmed %(day)s") % {"day": _day(last)}
    return {"status": "not-started", "status_words": words, "done": False}


def _returned() -> Task:
    return {
        "status": "returned",
        "status_words": _("Returned: look at it again"),
        "done": False,
    }


def _day(at: datetime.datetime | None) -> str:
    return portal_date(timezone.localdate(at)) if at else ""


# --- forms ----------------------------------------------------------------------------


def _to_fill_in(request: MemberRequest, forms: Iterable[FormRow]) -> list[Task]:
    """The forms that the practice asks for or wants again, and those that are begun, one line each; after
    them those that are done, for a while."""
    found = []
    for form in forms:
        task: Task = {
            "title": form.title,
            "url": _form_page(request, form),
            "status": form.state,
            "due_on": form.due_on,
            "done": False,
        }
        if form.state == DONE:
            assert form.sent_at is not None  # that is what makes it done
            if timezone.now() - form.sent_at >= _STAYS_DONE:
                continue
            words = _("Sent %(day)s") % {"day": _day(form.sent_at)}
            task |= {"status_words": words, "done": True}
        elif form.state == IN_PROGRESS:
            task |= {"status_words": _begun(form.due_on)}
        elif form.state == OPEN:
            status = "asked" if form.due_on else "not-started"
            task |= {"status": status, "status_words": _("To fill in")}
        elif form.state == VOIDED:
            task |= {"status": "returned", "status_words": _("To be signed again")}
        else:
            task |= _returned()
        found.append(task)
    return found


def _begun(due_on: datetime.date | None) -> str:
    if due_on is None:
        return _("Begun: carry on")
    return _("Begun: carry on. Due %(day)s") % {"day": portal_date(due_on)}


def _forms_task(request: MemberRequest, standing: Standing) -> Task:
    """A place to look for forms, and nothing to do: it does not count."""
    return {
        "title": _("Forms"),
        "url": member_url(request, "forms"),
        **_sent_so_far(len(standing.forms.titles)),
    }


def _form_page(request: MemberRequest, form: FormRow) -> str:
    if form.response is not None:
        return member_url(request, "form_detail", public_id=form.response)
    return member_url(request, "form_start", questionnaire_id=form.form)


# --- documents ------------------------------------------------------------------------


def _to_answer(
    request: MemberRequest, requests: Iterable[RequestRow], sent: Sequence[DocumentRow]
) -> list[Task]:
    """The papers that the practice asks for, one line each; after them those that are done, for a while."""
    answered = {
        document.request: document.sent_at for document in reversed(sent) if document.stands
    }
    returned = {document.request for document in sent if not document.stands}
    to_do, done = [], []
    for asked in requests:
        task: Task = {
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
    request: MemberRequest, requests: Iterable[RequestRow], sent: Sequence[DocumentRow]
) -> list[Task]:
    """What the practice returned and nothing stands for, unless the line of its request says so."""
    settled = {document.sending_id for document in sent if document.stands}
    answered = {document.request for document in sent if document.stands and document.request}
    answered |= {asked.pk for asked in requests}
    return [
        {
            "title": document.label,
            "url": member_url(request, "document_again", public_id=document.public_id),
            "status": "returned",
            "status_words": _("Returned: send it again"),
            "done": False,
        }
        for document in sent
        if not document.stands
        and document.public_id not in settled
        and document.request not in answered
    ]


def _to_open(request: MemberRequest, shared: Iterable[DocumentRow]) -> list[Task]:
    return [
        {
            "title": document.label,
            "url": page_of(request, document),
            "status": "new",
            "status_words": _("New from the practice"),
            "done": False,
        }
        for document in shared
        if not document.opened_at
    ]


def _documents_task(request: MemberRequest, sent: Sequence[DocumentRow]) -> Task:
    """A place to send to, and nothing to do: it does not count."""
    return {
        "title": _("Documents"),
        "url": member_url(request, "documents"),
        **_sent_so_far(len(sent)),
    }


def _sent_so_far(count: int) -> Task:
    words = ngettext("%(count)d sent", "%(count)d sent", count) % {"count": count}
    return {
        "status": "sent",
        "status_words": words if count else _("Nothing sent yet"),
        "done": None,
    }
