"""The pages of one entry of the history: adding it, changing it, saying that it is over or was a mistake, and
its past. Of a topic that is hidden from this login only the page that adds is there."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from households import kept
from households.history import actions
from households.history.forms import FORMS, EndForm, PageForm
from households.history.models import Entry, EntryChange
from households.history.pages import (
    conflict_page,
    entry_or_404,
    latest_change,
    let_typed_go,
    nothing_different,
    posted_again,
    record_view,
    say_saved,
    side_by_side,
    topic_context,
    topic_or_404,
    typed_before,
)
from households.history.question_views import questions_answer
from households.history.sections import (
    Topic,
)
from households.history.words import (
    details_of,
    lines_of,
    title_of,
)
from households.models import Member
from households.requests import MemberRequest


@require_http_methods(["GET", "HEAD", "POST"])
def entry_add(request: MemberRequest, member: Member, section: str) -> HttpResponse:
    """A new entry of a list; of a topic that is questions, their page."""
    topic = topic_or_404(request, member, section)
    if topic.has_questions:
        return questions_answer(request, member, topic)
    page = f"history/{topic.section}/add/"
    if request.method != "POST":
        typed, was_deleted = typed_before(request, member, topic, page)
        form = FORMS[topic.model](initial=typed, member=member)
        return _entry_page(
            request, member, topic, form, typed=typed, was_deleted=was_deleted, version=None
        )
    if "let_go" in request.POST:
        return let_typed_go(request, member, page)
    form = FORMS[topic.model](request.POST, member=member)
    if not form.is_valid():
        return _entry_page(request, member, topic, form, status=422, version=None)
    sending_id, _seen = PageForm.read(request.POST)
    try:
        actions.entry_add(
            request=request,
            member=member,
            section=topic.section,
            values=form.cleaned_data,
            sending_id=sending_id,
            is_hidden=topic.is_hidden,
        )
    except actions.ListIsFull:
        text = _(
            "This list has %(count)d entries, as many as it takes. Call the practice to add to it."
        )
        form.add_error(None, text % {"count": actions.MOST_ENTRIES})
        return _entry_page(request, member, topic, form, status=422, version=None)
    kept.let_go(request.household_session.account, member, page)
    return say_saved(request, member, topic, stay=True)


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
    record_view(request, entry.public_id if entry else topic.section)
    context = {
        **topic_context(member, topic),
        "entry": entry,
        "title": title_of(entry) if entry else "",
        "change": latest_change(member, entry) if entry else None,
        "form": form,
        "page": PageForm(posted_again(request), initial={"version": version}),
        "page_url": request.path,
        "kept": bool(typed),
        "was_deleted": was_deleted,
    }
    return render(request, "households/history/entry.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def entry_change(
    request: MemberRequest, member: Member, section: str, public_id: uuid.UUID
) -> HttpResponse:
    """Correct what an entry says. The practice sees old and new."""
    topic, entry = entry_or_404(request, member, section, public_id)
    if topic.has_questions:
        raise Http404
    page = f"history/{topic.section}/{public_id}/"
    form_of = FORMS[topic.model]
    if request.method != "POST":
        typed, _was_deleted = typed_before(request, member, topic, page)
        # Typed text is about the state that it was typed over.
        _sending_id, seen = PageForm.read(typed)
        version = entry.version if seen is None else seen
        form = form_of(initial={**entry.values(), **typed}, member=member)
        return _entry_page(request, member, topic, form, entry=entry, typed=typed, version=version)
    if "let_go" in request.POST:
        return let_typed_go(request, member, page)
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
    topic, entry = entry_or_404(request, member, section, public_id)
    if topic.has_questions:
        raise Http404
    page = f"history/{topic.section}/{public_id}/end/"
    about: dict[str, Any] = {"entry": entry, "section": topic.section, "member": member}
    if request.method != "POST":
        typed, _was_deleted = typed_before(request, member, topic, page)
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
    record_view(request, entry.public_id)
    context = {
        **topic_context(member, topic),
        "entry": entry,
        "title": title_of(entry),
        "details": details_of(entry),
        "form": form,
        "page": PageForm(posted_again(request), initial={"version": entry.version}),
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
        return conflict_page(
            request,
            member,
            topic,
            rows=side_by_side(entry, mine),
            posted={
                name: request.POST[name] for name in [*values, "status"] if name in request.POST
            },
            version=entry.version,
            entry=entry,
        )
    if page:
        kept.let_go(request.household_session.account, member, page)
    if not changed:
        return nothing_different(request, topic)
    return say_saved(request, member, topic, stay=True)


@require_safe
def entry_past(
    request: MemberRequest, member: Member, section: str, public_id: uuid.UUID
) -> HttpResponse:
    """Every state that an entry had, latest first: when, who filled it in, what the practice said."""
    topic, entry = entry_or_404(request, member, section, public_id)
    record_view(request, public_id)
    changes = EntryChange.objects.for_member(member).filter(
        section=topic.section, entry=entry.public_id
    )
    context = {
        **topic_context(member, topic),
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
