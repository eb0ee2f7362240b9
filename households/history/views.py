"""The list of topics of a member's medical history, and the page of one topic. Every view gets the member
from the gate, and asks for everything through that member.

Of a topic that is hidden from this login (sections.py) only the pages that send are there, and they show
nothing that was sent.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from accounts import audit
from households import kept
from households.binding import member_url
from households.history import actions
from households.history.forms import AnswerForm, PageForm
from households.history.models import Entry, EntryChange, Fact, SectionState
from households.history.pages import (
    conflict_page,
    form_of_answer,
    page_showing,
    record_view,
    returned_of_topic,
    say_saved,
    topic_context,
    topic_or_404,
    typed_before,
)
from households.history.question_views import questions_page
from households.history.sections import (
    Topic,
    current_counts,
    decisions_to_know,
    topics_of,
)
from households.history.words import (
    answer_in_words,
    details_of,
    title_of,
)
from households.models import Member
from households.requests import MemberRequest
from households.submissions.models import Proposal

Answer = SectionState.Answer
Decision = Proposal.Decision


@require_safe
def topic_list(request: MemberRequest, member: Member) -> HttpResponse:
    """The topics that this person is asked, each with what is known of it."""
    topics = topics_of(member, request.household_session.account)
    counts = current_counts(member)
    hidden = [topic.section for topic in topics if topic.is_hidden]
    decisions = decisions_to_know(member, hidden)
    audit.record(audit.Action.VIEW, "ok", request=request, object_type="history")
    context = {
        "rows": [
            {
                "topic": topic,
                "url": member_url(request, "history_topic", section=topic.section),
                "state": _state_in_words(topic, counts.get(topic.section, 0)),
                "waits": Decision.WAITING in decisions.get(topic.section, ()),
                "is_returned": Decision.RETURNED in decisions.get(topic.section, ()),
            }
            for topic in topics
        ],
        "answered": sum(topic.is_answered for topic in topics),
        "total": len(topics),
    }
    return render(request, "households/history/topics.html", context)


def _state_in_words(topic: Topic, count: int) -> str:
    if topic.is_hidden and topic.is_answered:
        return _("Answered, and kept private")
    if topic.answer != Answer.ENTRIES:
        return str(Answer(topic.answer).label)
    if topic.has_questions:
        return _("Answered")
    if not count:
        return _("Nothing current")
    return ngettext("%(count)d entry", "%(count)d entries", count) % {"count": count}


@require_http_methods(["GET", "HEAD", "POST"])
def topic_detail(request: MemberRequest, member: Member, section: str) -> HttpResponse:
    """What is known of one topic. Here "none", "not sure" and "nothing has changed" are said."""
    topic = topic_or_404(request, member, section)
    page = f"history/{topic.section}/"
    if request.method != "POST":
        typed, _was_deleted = typed_before(request, member, topic, page)
        return _topic_page(request, member, topic, form_of_answer(member, topic, initial=typed))
    kept.let_go(request.household_session.account, member, page)
    sending_id, version = PageForm.read(request.POST)
    if "confirm" in request.POST and not topic.is_hidden:
        return _confirm(request, member, topic, sending_id, version)
    form = form_of_answer(member, topic, request.POST)
    if not form.is_valid():
        return _topic_page(request, member, topic, form, status=422)
    answer = form.cleaned_data["answer"]
    if answer == Answer.ENTRIES:
        return redirect(member_url(request, "entry_add", section=topic.section))
    try:
        actions.section_answer(
            request=request,
            member=member,
            section=topic.section,
            answer=answer,
            version=version,
            sending_id=sending_id,
            is_hidden=topic.is_hidden,
        )
    except actions.HasCurrentEntries:
        audit.record(audit.Action.SEND, "refused", request=request, object_type="history")
        form.add_error("answer", _has_current(topic))
        return _topic_page(request, member, topic, form, status=422)
    except actions.ChangedMeanwhile:
        mine = answer_in_words(answer, topic.section, member)
        return _topic_conflict(request, member, topic, {"answer": answer}, mine)
    return say_saved(request, member, topic)


def _confirm(
    request: MemberRequest,
    member: Member,
    topic: Topic,
    sending_id: uuid.UUID,
    version: int | None,
) -> HttpResponse:
    try:
        actions.section_confirm(
            request=request,
            member=member,
            section=topic.section,
            version=version,
            sending_id=sending_id,
        )
    except actions.ChangedMeanwhile:
        if not topic.is_answered:
            return _topic_page(request, member, topic, form_of_answer(member, topic), status=422)
        mine = _("Nothing has changed")
        return _topic_conflict(request, member, topic, {"confirm": "1"}, mine)
    messages.success(request, _("Noted: nothing has changed."))
    return redirect(member_url(request, "history"))


def _has_current(topic: Topic) -> str:
    if topic.has_questions:
        return _(
            "There are answers on this page. Take them away first: choose “No answer” at each."
        )
    return _(
        "There are entries in this list. First say of each that it is over or was entered by mistake."
    )


def _topic_page(
    request: MemberRequest, member: Member, topic: Topic, form: AnswerForm, status: int = 200
) -> HttpResponse:
    if topic.has_questions and (topic.is_hidden or not topic.is_answered):
        return questions_page(request, member, topic, answer_form=form, status=status)
    record_view(request, topic.section)
    entries = _entries(member, topic)
    current = [one for one in entries if one.entry.status == Entry.Status.ACTIVE]
    confirmed_at = topic.confirmed_at
    context = {
        **topic_context(member, topic),
        # Whoever said something today goes on saying, rather than that nothing has changed.
        "said_today": confirmed_at and timezone.localdate(confirmed_at) == timezone.localdate(),
        "instead": form.instead_of(topic.answer),
        "answer": answer_in_words(topic.answer, topic.section, member),
        "current": current,
        "over": [one for one in entries if one.entry.status == Entry.Status.ENDED],
        "mistaken": [one for one in entries if one.entry.status == Entry.Status.ERROR],
        "returned": returned_of_topic(member, topic),
        "asks_answer": not current,
        "shows_list": topic.is_answered and not topic.is_hidden,
        "form": form,
        "page": page_showing(topic),
    }
    return render(request, "households/history/topic.html", context, status=status)


@dataclass(frozen=True)
class _Listed:
    """An entry as it stands in a list, with what the practice says about its present state."""

    entry: Entry
    title: str
    details: list[tuple[str, str]]
    change: EntryChange | None


def _entries(member: Member, topic: Topic) -> list[_Listed]:
    if topic.is_hidden:
        return []
    changes = {
        change.entry: change
        for change in EntryChange.objects.for_member(member)
        .filter(section=topic.section)
        .exclude(entry=None)
        .latest_of_each()
    }
    return [
        _Listed(
            entry,
            title_of(entry),
            details_of(entry),
            changes.get(entry.public_id),
        )
        for entry in _rows(member, topic)
    ]


def _rows(member: Member, topic: Topic) -> Iterable[Entry]:
    if topic.has_questions:
        return Fact.objects.for_member(member).filter(of_section=topic.section)
    return topic.model.objects.for_member(member)


def _topic_conflict(
    request: MemberRequest, member: Member, topic: Topic, posted: dict[str, str], mine: str
) -> HttpResponse:
    topic = topic_or_404(request, member, topic.section)
    listed = [
        one.title for one in _entries(member, topic) if one.entry.status == Entry.Status.ACTIVE
    ]
    theirs = "; ".join(listed) or answer_in_words(topic.answer, topic.section, member)
    return conflict_page(
        request,
        member,
        topic,
        rows=[(_("Your answer"), theirs, mine)],
        posted=posted,
        version=topic.version,
    )
