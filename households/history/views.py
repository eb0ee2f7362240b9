"""A member's medical history: the list of topics, one page for each, and the pages of an entry. Every view
gets the member from the gate, and asks for everything through that member.

Of a topic that is hidden from this login (sections.py) only the pages that send are there, and they show
nothing that was sent.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from accounts import audit
from households import kept
from households.binding import member_url
from households.history import actions
from households.history.forms import FORMS, AnswerForm, EndForm, PageForm, QuestionsForm
from households.history.models import Entry, EntryChange, Fact, SectionState
from households.history.sections import (
    Topic,
    current_counts,
    decisions_to_know,
    topic_of,
    topics_of,
)
from households.history.words import (
    answer_in_words,
    details_of,
    lines_of,
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


# --- one topic ------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
def topic_detail(request: MemberRequest, member: Member, section: str) -> HttpResponse:
    """What is known of one topic. Here "none", "not sure" and "nothing has changed" are said."""
    topic = _topic_or_404(request, member, section)
    page = f"history/{topic.section}/"
    if request.method != "POST":
        typed, _was_deleted = _typed_before(request, member, topic, page)
        return _topic_page(request, member, topic, _answer_form(member, topic, initial=typed))
    kept.let_go(request.household_session.account, member, page)
    sending_id, version = PageForm.read(request.POST)
    if "confirm" in request.POST and not topic.is_hidden:
        return _confirm(request, member, topic, sending_id, version)
    form = _answer_form(member, topic, request.POST)
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
    return _saved(request, member, topic)


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
            return _topic_page(request, member, topic, _answer_form(member, topic), status=422)
        mine = _("Nothing has changed")
        return _topic_conflict(request, member, topic, {"confirm": "1"}, mine)
    messages.success(request, _("Noted: nothing has changed."))
    return redirect(member_url(request, "history"))


def _answer_form(member: Member, topic: Topic, posted: Any = None, **kwargs: Any) -> AnswerForm:
    return AnswerForm(posted, section=topic.section, member=member, **kwargs)


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
        return _questions_page(request, member, topic, answer_form=form, status=status)
    _record_view(request, topic.section)
    entries = _entries(member, topic)
    current = [one for one in entries if one.entry.status == Entry.Status.ACTIVE]
    confirmed_at = topic.confirmed_at
    context = {
        **_about(member, topic),
        # Whoever said something today goes on saying, rather than that nothing has changed.
        "said_today": confirmed_at and timezone.localdate(confirmed_at) == timezone.localdate(),
        "instead": form.instead_of(topic.answer),
        "answer": answer_in_words(topic.answer, topic.section, member),
        "current": current,
        "over": [one for one in entries if one.entry.status == Entry.Status.ENDED],
        "mistaken": [one for one in entries if one.entry.status == Entry.Status.ERROR],
        "returned": _returned(member, topic),
        "asks_answer": not current,
        "shows_list": topic.is_answered and not topic.is_hidden,
        "form": form,
        "page": _page_showing(topic),
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


def _returned(member: Member, topic: Topic) -> EntryChange | None:
    """The answer of the section as a whole, where it came back and was not answered anew."""
    if topic.is_hidden:
        return None
    rows = EntryChange.objects.for_member(member).filter(section=topic.section, entry=None)
    return rows.filter(decision=Decision.RETURNED).latest_of_each().first()


def _topic_conflict(
    request: MemberRequest, member: Member, topic: Topic, posted: dict[str, str], mine: str
) -> HttpResponse:
    topic = _topic_or_404(request, member, topic.section)
    listed = [
        one.title for one in _entries(member, topic) if one.entry.status == Entry.Status.ACTIVE
    ]
    theirs = "; ".join(listed) or answer_in_words(topic.answer, topic.section, member)
    return _conflict_page(
        request,
        member,
        topic,
        rows=[(_("Your answer"), theirs, mine)],
        posted=posted,
        version=topic.version,
    )


# --- adding ---------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
def entry_add(request: MemberRequest, member: Member, section: str) -> HttpResponse:
    """A new entry of a list; of a topic that is questions, their page."""
    topic = _topic_or_404(request, member, section)
    if topic.has_questions:
        return _questions_answer(request, member, topic)
    page = f"history/{topic.section}/add/"
    if request.method != "POST":
        typed, was_deleted = _typed_before(request, member, topic, page)
        form = FORMS[topic.model](initial=typed, member=member)
        return _entry_page(
            request, member, topic, form, typed=typed, was_deleted=was_deleted, version=None
        )
    if "let_go" in request.POST:
        return _let_go(request, member, page)
    form = FORMS[topic.model](request.POST, member=member)
    if not form.is_valid():
        return _entry_page(request, member, topic, form, status=422, version=None)
    sending_id, _version = PageForm.read(request.POST)
    actions.entry_add(
        request=request,
        member=member,
        section=topic.section,
        values=form.cleaned_data,
        sending_id=sending_id,
    )
    kept.let_go(request.household_session.account, member, page)
    return _saved(request, member, topic, stay=True)


def _entry_page(
    request: MemberRequest,
    member: Member,
    topic: Topic,
    form: forms.Form,
    *,
    version: int | None,
    entry: Entry | None = None,
    typed: Any = None,
    was_deleted: bool = False,
    status: int = 200,
) -> HttpResponse:
    _record_view(request, entry.public_id if entry else topic.section)
    context = {
        **_about(member, topic),
        "entry": entry,
        "title": title_of(entry) if entry else "",
        "change": _latest_change(member, entry) if entry else None,
        "form": form,
        "page": PageForm(_posted(request), initial={"version": version}),
        "page_url": request.path,
        "kept": bool(typed),
        "was_deleted": was_deleted,
    }
    return render(request, "households/history/entry.html", context, status=status)


# --- the questions of a topic ---------------------------------------------------------


def _questions_answer(request: MemberRequest, member: Member, topic: Topic) -> HttpResponse:
    page = f"history/{topic.section}/add/"
    if request.method != "POST":
        return _questions_page(request, member, topic)
    if "let_go" in request.POST:
        return _let_go(request, member, page)
    form = _questions_form(member, topic, request.POST)
    if not form.is_valid():
        return _questions_page(request, member, topic, form=form, status=422)
    answers = form.answers()
    says_nothing = not any(any(answer.values()) for answer in answers.values())
    if says_nothing and (topic.is_hidden or not topic.is_answered):
        form.add_error(None, _("Answer at least one question, or choose one of the answers below."))
        return _questions_page(request, member, topic, form=form, status=422)
    sending_id, _version = PageForm.read(request.POST)
    saved, conflicts = actions.facts_save(
        request=request,
        member=member,
        section=topic.section,
        answers=answers,
        versions=form.versions(),
        sending_id=sending_id,
        is_hidden=topic.is_hidden,
    )
    if conflicts:
        return _questions_conflict(request, member, topic, form, conflicts)
    kept.let_go(request.household_session.account, member, page)
    if not saved:
        return _nothing_different(request, topic)
    return _saved(request, member, topic)


def _questions_form(
    member: Member, topic: Topic, posted: Any = None, **kwargs: Any
) -> QuestionsForm:
    facts: Iterable[Fact] = ()
    if not topic.is_hidden:
        facts = Fact.objects.for_member(member).filter(of_section=topic.section)
    return QuestionsForm(posted, section=topic.section, member=member, facts=facts, **kwargs)


def _questions_page(
    request: MemberRequest,
    member: Member,
    topic: Topic,
    *,
    form: QuestionsForm | None = None,
    answer_form: AnswerForm | None = None,
    status: int = 200,
) -> HttpResponse:
    """The questions, and the answer that stands for all of them."""
    _record_view(request, topic.section)
    typed: dict[str, str] = {}
    was_deleted = False
    if form is None:
        typed, was_deleted = _typed_before(request, member, topic, f"history/{topic.section}/add/")
        form = _questions_form(member, topic, initial=typed)
    answer_form = answer_form or _answer_form(member, topic)
    context = {
        **_about(member, topic),
        "questions": form,
        "page_url": member_url(request, "entry_add", section=topic.section),
        "answer_form": answer_form,
        "asks_answer": topic.is_hidden or topic.answer != Answer.ENTRIES,
        # The one whose errors stand on top.
        "form": answer_form if answer_form.errors else form,
        "sent": PageForm(_posted(request) if form.is_bound else None),
        "page": _page_showing(topic),
        "returned": _returned(member, topic),
        "kept": bool(typed),
        "was_deleted": was_deleted,
    }
    return render(request, "households/history/questions.html", context, status=status)


def _questions_conflict(
    request: MemberRequest, member: Member, topic: Topic, form: QuestionsForm, topics: list[str]
) -> HttpResponse:
    facts = {
        fact.topic: fact
        for fact in Fact.objects.for_member(member).filter(of_section=topic.section)
    }
    rows: list[tuple[str, str, str]] = []
    posted: dict[str, str] = {}
    for name in topics:
        fact = facts[name]
        there = fact if fact.status == Entry.Status.ACTIVE else Fact(topic=name)
        rows += _side_by_side(there, Fact(topic=name, **form.answers()[name]))
        posted |= {
            key: request.POST[key]
            for key in form.fields
            if (key == name or key.startswith(f"{name}-")) and key in request.POST
        }
        posted[f"{name}-version"] = str(fact.version)
    return _conflict_page(request, member, topic, rows=rows, posted=posted, version=None)


# --- one entry ------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
def entry_change(
    request: MemberRequest, member: Member, section: str, public_id: uuid.UUID
) -> HttpResponse:
    """Correct what an entry says. The practice sees old and new."""
    topic, entry = _entry_or_404(request, member, section, public_id)
    if topic.has_questions:
        raise Http404
    page = f"history/{topic.section}/{public_id}/"
    form_of = FORMS[topic.model]
    if request.method != "POST":
        typed, _was_deleted = _typed_before(request, member, topic, page)
        # Typed text is about the state that it was typed over.
        _sending_id, seen = PageForm.read(typed)
        version = entry.version if seen is None else seen
        form = form_of(initial={**entry.values(), **typed}, member=member)
        return _entry_page(request, member, topic, form, entry=entry, typed=typed, version=version)
    if "let_go" in request.POST:
        return _let_go(request, member, page)
    form = form_of(request.POST, member=member)
    if not form.is_valid():
        return _entry_page(
            request, member, topic, form, entry=entry, version=entry.version, status=422
        )
    return _entry_save(request, member, topic, entry, form.cleaned_data, page)


@require_http_methods(["GET", "HEAD", "POST"])
def entry_end(
    request: MemberRequest, member: Member, section: str, public_id: uuid.UUID
) -> HttpResponse:
    """Ask once, then mark an entry as over, as a mistake, or as current again. It is never deleted."""
    topic, entry = _entry_or_404(request, member, section, public_id)
    if topic.has_questions:
        raise Http404
    page = f"history/{topic.section}/{public_id}/end/"
    about: dict[str, Any] = {"entry": entry, "section": topic.section, "member": member}
    if request.method != "POST":
        typed, _was_deleted = _typed_before(request, member, topic, page)
        return _end_page(request, member, topic, entry, EndForm(initial=typed, **about))
    form = EndForm(request.POST, **about)
    if not form.is_valid():
        return _end_page(request, member, topic, entry, form, status=422)
    status, until = form.cleaned_data["status"], form.cleaned_data.get("until", "")
    values = {"status": status, **_with_status(entry, status, until)}
    return _entry_save(request, member, topic, entry, values, page)


def _with_status(entry: Entry, status: str, until: str) -> dict[str, Any]:
    """What changes with it: a medicine that is over is not taken, and what is current has no end."""
    columns, more = entry.columns(), {}
    if status == Entry.Status.ENDED:
        more = {"taking": "no", **({"until": until} if until else {})}
    elif status == Entry.Status.ACTIVE:
        more = {"taking": "", "until": ""}
    return {name: value for name, value in more.items() if name in columns}


def _end_page(
    request: MemberRequest,
    member: Member,
    topic: Topic,
    entry: Entry,
    form: EndForm,
    status: int = 200,
) -> HttpResponse:
    _record_view(request, entry.public_id)
    context = {
        **_about(member, topic),
        "entry": entry,
        "title": title_of(entry),
        "details": details_of(entry),
        "form": form,
        "page": PageForm(_posted(request), initial={"version": entry.version}),
    }
    return render(request, "households/history/end.html", context, status=status)


def _entry_save(
    request: MemberRequest,
    member: Member,
    topic: Topic,
    entry: Entry,
    values: dict[str, Any],
    page: str = "",
) -> HttpResponse:
    sending_id, version = PageForm.read(request.POST)
    try:
        changed = actions.entry_change(
            request=request,
            member=member,
            entry=entry,
            section=topic.section,
            values=values,
            version=version,
            sending_id=sending_id,
        )
    except actions.ChangedMeanwhile:
        entry.refresh_from_db()
        mine = type(entry)(**{**entry.values(), **values})
        return _conflict_page(
            request,
            member,
            topic,
            rows=_side_by_side(entry, mine),
            posted={
                name: request.POST[name] for name in [*values, "status"] if name in request.POST
            },
            version=entry.version,
            entry=entry,
        )
    if page:
        kept.let_go(request.household_session.account, member, page)
    if not changed:
        return _nothing_different(request, topic)
    return _saved(request, member, topic, stay=True)


@require_safe
def entry_past(
    request: MemberRequest, member: Member, section: str, public_id: uuid.UUID
) -> HttpResponse:
    """Every state that an entry had, latest first: when, who filled it in, what the practice said."""
    topic, entry = _entry_or_404(request, member, section, public_id)
    _record_view(request, public_id)
    changes = EntryChange.objects.for_member(member).filter(
        section=topic.section, entry=entry.public_id
    )
    context = {
        **_about(member, topic),
        "entry": entry,
        "title": title_of(entry),
        "states": [
            {
                "change": change,
                "lines": _lines_of_state(change),
                "corrected": change.edited_values is not None
                and _lines_of_state(change, change.edited_values),
            }
            for change in changes.select_related("submission").order_by("-pk")
        ],
    }
    return render(request, "households/history/past.html", context)


def _lines_of_state(
    change: EntryChange, values: dict[str, Any] | None = None
) -> list[tuple[str, str]]:
    entry = change.as_entry(values)
    return [(label, shown) for _name, label, shown in lines_of(entry) if shown]


# --- two answers to one thing ---------------------------------------------------------


def _side_by_side(theirs: Entry, mine: Entry) -> list[tuple[str, str, str]]:
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


def _conflict_page(
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
        **_about(member, topic),
        "rows": rows,
        "title": title_of(entry) if entry else topic.title,
        "details": details_of(entry) if entry else (),
        "posted": posted,
        "page": PageForm(initial={"version": version}),
        "page_url": request.path,
    }
    return render(request, "households/history/conflict.html", context, status=409)


# --- parts ----------------------------------------------------------------------------


def _topic_or_404(request: MemberRequest, member: Member, section: str) -> Topic:
    topic = topic_of(member, request.household_session.account, section)
    if topic is None:
        raise Http404
    return topic


def _entry_or_404(
    request: MemberRequest, member: Member, section: str, public_id: uuid.UUID
) -> tuple[Topic, Any]:
    """An entry of this member in this section, where it is shown back."""
    topic = _topic_or_404(request, member, section)
    if topic.is_hidden:
        raise Http404
    if topic.has_questions:
        facts = Fact.objects.for_member(member).filter(of_section=topic.section)
        return topic, get_object_or_404(facts, public_id=public_id)
    return topic, get_object_or_404(topic.model.objects.for_member(member), public_id=public_id)


def _latest_change(member: Member, entry: Entry) -> EntryChange | None:
    rows = EntryChange.objects.for_member(member).filter(entry=entry.public_id)
    return rows.order_by("-pk").first()


def _about(member: Member, topic: Topic) -> dict[str, Any]:
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


def _page_showing(topic: Topic) -> PageForm:
    """Of what is hidden not even how often it changed."""
    return PageForm(initial={"version": None if topic.is_hidden else topic.version})


def _posted(request: MemberRequest) -> Any:
    """What a page that is shown again keeps of the form, its id too."""
    return request.POST if request.method == "POST" else None


def _record_view(request: MemberRequest, thing: object) -> None:
    audit.record(
        audit.Action.VIEW, "ok", request=request, object_type="history", object_id=str(thing)
    )


def _typed_before(
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


def _let_go(request: MemberRequest, member: Member, page: str) -> HttpResponse:
    kept.let_go(request.household_session.account, member, page)
    messages.success(request, _("What you typed is deleted."))
    return redirect(request.path)


def _nothing_different(request: MemberRequest, topic: Topic) -> HttpResponse:
    messages.success(request, _("Nothing was different, so nothing was sent."))
    return redirect(member_url(request, "history_topic", section=topic.section))


def _saved(
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
