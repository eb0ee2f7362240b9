"""What the pages of the history have in common: whose topic or entry it is, what every one of them shows, two
answers side by side, and where to go once something is saved."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from accounts import audit
from households import kept
from households.binding import member_url
from households.history.forms import AnswerForm, PageForm
from households.history.models import Entry, EntryChange, Fact
from households.history.sections import (
    Topic,
    decisions_to_know,
    topic_of,
)
from households.history.words import (
    details_of,
    lines_of,
    title_of,
)
from households.models import Member
from households.requests import MemberRequest
from households.submissions.models import Proposal

Decision = Proposal.Decision


def form_of_answer(member: Member, topic: Topic, posted: Any = None, **kwargs: Any) -> AnswerForm:
    return AnswerForm(posted, section=topic.section, member=member, **kwargs)


def returned_of_topic(member: Member, topic: Topic) -> EntryChange | None:
    """The answer of the section as a whole, where it came back and was not answered anew."""
    if topic.is_hidden:
        return None
    rows = EntryChange.objects.for_member(member).filter(section=topic.section, entry=None)
    return rows.filter(decision=Decision.RETURNED).latest_of_each().first()


def side_by_side(theirs: Entry, mine: Entry) -> list[tuple[str, str, str]]:
    """Label, what is there now and what was typed, of everything that differs."""
    rows = []
    if theirs.status != mine.status:
        rows.append((_("Status"), theirs.get_status_display(), mine.get_status_display()))
    for (_name, label, there), (_same, _label, typed) in zip(
        lines_of(theirs), lines_of(mine), strict=True
    ):
        if there != typed:
            rows.append((label, there, typed))
    return rows


def conflict_page(
    request: MemberRequest,
    member: Member,
    topic: Topic,
    *,
    rows: list[tuple[str, str, str]],
    posted: dict[str, str],
    version: int | None,
    entry: Entry | None = None,
) -> HttpResponse:
    """Nothing was saved; `posted` with the present `version` saves it all the same."""
    audit.record(audit.Action.SEND, "changed-meanwhile", request=request, object_type="history")
    context = {
        **topic_context(member, topic),
        "rows": rows,
        "title": title_of(entry) if entry else topic.title,
        "details": details_of(entry) if entry else (),
        "posted": posted,
        "page": PageForm(initial={"version": version}),
        "page_url": request.path,
    }
    return render(request, "households/history/conflict.html", context, status=409)


def topic_or_404(request: MemberRequest, member: Member, section: str) -> Topic:
    topic = topic_of(member, request.household_session.account, section)
    if topic is None:
        raise Http404
    return topic


def entry_or_404(
    request: MemberRequest, member: Member, section: str, public_id: uuid.UUID
) -> tuple[Topic, Any]:
    """An entry of this member in this section, where it is shown back."""
    topic = topic_or_404(request, member, section)
    if topic.is_hidden:
        raise Http404
    if topic.has_questions:
        facts = Fact.objects.for_member(member).filter(of_section=topic.section)
        return topic, get_object_or_404(facts, public_id=public_id)
    return topic, get_object_or_404(topic.model.objects.for_member(member), public_id=public_id)


def latest_change(member: Member, entry: Entry) -> EntryChange | None:
    rows = EntryChange.objects.for_member(member).filter(entry=entry.public_id)
    return rows.order_by("-pk").first()


def topic_context(member: Member, topic: Topic) -> dict[str, Any]:
    name = {"name": member.called}
    return {
        "topic": topic,
        "words": {
            part: str(getattr(topic.words, part)) % name
            for part in ("asks", "none", "add", "ended", "notice")
        },
        "came_back": topic.is_hidden and _came_back(member, topic),
    }


def _came_back(member: Member, topic: Topic) -> bool:
    """Whether the practice returned something of a topic of which it is not shown what, or why."""
    decisions = decisions_to_know(member, [topic.section])
    return Decision.RETURNED in decisions.get(topic.section, ())


def page_showing(topic: Topic) -> PageForm:
    """Of what is hidden not even how often it changed."""
    return PageForm(initial={"version": None if topic.is_hidden else topic.version})


def posted_again(request: MemberRequest) -> Any:
    """What a page that is shown again keeps of the form, its id too."""
    return request.POST if request.method == "POST" else None


def record_view(request: MemberRequest, thing: object) -> None:
    audit.record(
        audit.Action.VIEW, "ok", request=request, object_type="history", object_id=str(thing)
    )


def typed_before(
    request: MemberRequest, member: Member, topic: Topic, page: str
) -> tuple[dict[str, str], bool]:
    """What was typed on `page` and not sent, and whether it was deleted instead: of a topic that is not
    shown back, neither is that."""
    account = request.household_session.account
    typed = kept.on_page(account, member, page)
    if typed and topic.is_hidden:
        kept.let_go(account, member, page)
        return {}, True
    return typed, False


def let_typed_go(request: MemberRequest, member: Member, page: str) -> HttpResponse:
    kept.let_go(request.household_session.account, member, page)
    messages.success(request, _("What you typed is deleted."))
    return redirect(request.path)


def nothing_different(request: MemberRequest, topic: Topic) -> HttpResponse:
    messages.success(request, _("Nothing was different, so nothing was sent."))
    return redirect(member_url(request, "history_topic", section=topic.section))


def say_saved(
    request: MemberRequest, member: Member, topic: Topic, *, stay: bool = False
) -> HttpResponse:
    """`stay` goes back to the topic, where more can be added; else on to the list of topics."""
    name = {"name": member.called}
    if topic.is_hidden:
        text = _("Sent to %(name)s's chart. It is kept private and not shown here again.") % name
    else:
        text = _("Saved in %(name)s's chart. The practice looks at it next.") % name
    messages.success(request, text)
    if stay:
        return redirect(member_url(request, "history_topic", section=topic.section))
    return redirect(member_url(request, "history"))
