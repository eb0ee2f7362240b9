"""The page of a topic that is questions and not a list: its answers, and two answers to one question."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from households import kept
from households.binding import member_url
from households.history import actions
from households.history.forms import AnswerForm, PageForm, QuestionsForm
from households.history.models import Entry, Fact, SectionState
from households.history.pages import (
    conflict_page,
    form_of_answer,
    let_typed_go,
    nothing_different,
    page_showing,
    posted_again,
    record_view,
    returned_of_topic,
    say_saved,
    side_by_side,
    topic_context,
    typed_before,
)
from households.history.sections import (
    Topic,
)
from households.models import Member
from households.requests import MemberRequest

Answer = SectionState.Answer


def questions_answer(request: MemberRequest, member: Member, topic: Topic) -> HttpResponse:
    page = f"history/{topic.section}/add/"
    if request.method != "POST":
        return questions_page(request, member, topic)
    if "let_go" in request.POST:
        return let_typed_go(request, member, page)
    form = _questions_form(member, topic, request.POST)
    if not form.is_valid():
        return questions_page(request, member, topic, form=form, status=422)
    answers = form.answers()
    says_nothing = not any(any(answer.values()) for answer in answers.values())
    if says_nothing and (topic.is_hidden or not topic.is_answered):
        form.add_error(None, _("Answer at least one question, or choose one of the answers below."))
        return questions_page(request, member, topic, form=form, status=422)
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
        return nothing_different(request, topic)
    return say_saved(request, member, topic)


def _questions_form(
    member: Member, topic: Topic, posted: Any = None, **kwargs: Any
) -> QuestionsForm:
    facts: Iterable[Fact] = ()
    if not topic.is_hidden:
        facts = Fact.objects.for_member(member).filter(of_section=topic.section)
    return QuestionsForm(posted, section=topic.section, member=member, facts=facts, **kwargs)


def questions_page(
    request: MemberRequest,
    member: Member,
    topic: Topic,
    *,
    form: QuestionsForm | None = None,
    answer_form: AnswerForm | None = None,
    status: int = 200,
) -> HttpResponse:
    """The questions, and the answer that stands for all of them."""
    record_view(request, topic.section)
    typed: dict[str, str] = {}
    was_deleted = False
    if form is None:
        typed, was_deleted = typed_before(request, member, topic, f"history/{topic.section}/add/")
        form = _questions_form(member, topic, initial=typed)
    answer_form = answer_form or form_of_answer(member, topic)
    context = {
        **topic_context(member, topic),
        "questions": form,
        "page_url": member_url(request, "entry_add", section=topic.section),
        "answer_form": answer_form,
        "asks_answer": topic.is_hidden or topic.answer != Answer.ENTRIES,
        # The one whose errors stand on top.
        "form": answer_form if answer_form.errors else form,
        "sent": PageForm(posted_again(request) if form.is_bound else None),
        "page": page_showing(topic),
        "returned": returned_of_topic(member, topic),
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
        rows += side_by_side(there, Fact(topic=name, **form.answers()[name]))
        posted |= {
            key: request.POST[key]
            for key in form.fields
            if (key == name or key.startswith(f"{name}-")) and key in request.POST
        }
        posted[f"{name}-version"] = str(fact.version)
    return conflict_page(request, member, topic, rows=rows, posted=posted, version=None)
