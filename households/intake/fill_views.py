"""Filling in a form, a page at a time."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts import audit
from households import kept
from households.binding import member_url
from households.intake import actions, inputs
from households.intake.blocks import blocks_of
from households.intake.engine.answers import words_of
from households.intake.engine.evaluation import Node
from households.intake.file_views import asks_file, take_file
from households.intake.fill_parts import filling_of, inside, sent_already
from households.intake.filling import (
    Filling,
    base_of,
)
from households.intake.forms import (
    SHOWN,
    PageForm,
    ReadPage,
    shown_of,
)
from households.intake.pages import FilledPage, name_of
from households.models import Member
from households.requests import MemberRequest


@require_http_methods(["GET", "HEAD", "POST"])
def form_page(
    request: MemberRequest, member: Member, public_id: uuid.UUID, page: str
) -> HttpResponse:
    """One section. Whatever can be read is saved whenever a button is pressed; Continue goes on when nothing
    on the page is missing or wrong."""
    filling = filling_of(member, public_id)
    if not filling.response.is_draft:
        return _sent_meanwhile(request, filling)
    if page not in {name_of(item.link_id) for item in filling.definition.walk()}:
        raise Http404
    if request.method != "POST":
        shown = filling.page(page)
        if shown is None:
            # The answers leave nothing to ask here: on to the first open page.
            return redirect(member_url(request, "form_detail", public_id=public_id))
        return _page_as_kept(request, member, filling, shown)
    if "let_go" in request.POST:
        kept.let_go(request.household_session.account, member, inside(request))
        messages.success(request, _("What you typed is deleted."))
        return redirect(request.get_full_path())
    try:
        return _save(request, member, filling, page)
    except actions.IsSent:
        return _sent_meanwhile(request, filling_of(member, public_id))


def _sent_meanwhile(request: MemberRequest, filling: Filling) -> HttpResponse:
    """Another browser sent it while this page was open. What differs from what was sent is shown, so that it
    can be copied into a correction."""
    nodes = {node.path: node for node in filling.filled.walk()}
    read = ReadPage(request.POST, nodes)
    rows = [
        (inputs.label_of(nodes[change.path].item), ", ".join(words))
        for change in read.changes
        if (words := words_of(nodes[change.path].item, change.answers))
        and words != words_of(nodes[change.path].item, nodes[change.path].answers)
    ]
    rows += [
        (
            inputs.label_of(nodes[path].item),
            " ".join(map(str, filter(None, read.typed[path].values()))),
        )
        for path in read.unreadable
    ]
    if not rows:
        return sent_already(request, filling.response.public_id)
    audit.record(audit.Action.SEND, "changed-meanwhile", request=request, object_type="form")
    context = {
        "questionnaire": filling.questionnaire,
        "response": filling.response,
        "rows": rows,
    }
    return render(request, "households/intake/sent_meanwhile.html", context, status=409)


def _save(request: MemberRequest, member: Member, before: Filling, page: str) -> HttpResponse:
    nodes = {node.path: node for node in before.filled.walk()}
    read = ReadPage(request.POST, nodes)
    pressed = _pressed(request, read)
    saved = actions.response_save(
        request=request,
        member=member,
        response=before.response,
        changes=read.changes,
        add=pressed.get("add", ""),
        remove=pressed.get("remove", ""),
    )
    filling = saved.filling
    if saved.conflicts:
        return _conflict_page(request, filling, page, saved.conflicts, nodes)
    kept.let_go(request.household_session.account, member, inside(request))
    shown = filling.page(page)
    if shown is None:
        return _go_on(request, filling, page)
    if read.unreadable:
        return _page_wrong(request, filling, shown, read)
    if {"add", "remove"} & pressed.keys():
        return redirect(request.get_full_path())
    if "take" in pressed:
        return take_file(request, member, filling, pressed["take"])
    if "file" in pressed:
        url = member_url(
            request,
            "form_file",
            public_id=filling.response.public_id,
            path=asks_file(filling, pressed["file"]).path,
        )
        return redirect(url)
    if "later" in pressed:
        messages.success(request, _("Saved. You can come back to it here, on any device."))
        return redirect(member_url(request, "forms"))
    new = [node for node in shown.questions() if _is_new(node, read.bases)]
    if filling.problems_on(shown) and not all(
        problem.path in {node.path for node in new} for problem in filling.problems_on(shown)
    ):
        return _page_wrong(request, filling, shown, read)
    if new:
        return _page(request, filling, shown, PageForm(shown.questions()), new=new)
    actions.response_page_done(member=member, response=filling.response, page=page)
    return _go_on(request, filling, page)


def _pressed(request: MemberRequest, read: ReadPage) -> dict[str, str]:
    """Which button, with its path. What cannot be read in an entry that goes away is no matter."""
    buttons = ("add", "remove", "file", "take", "later")
    pressed = {name: request.POST[name] for name in buttons if name in request.POST}
    if path := pressed.get("remove"):
        for wrong in [*read.unreadable]:
            if wrong.startswith(f"{path}."):
                del read.unreadable[wrong]
    if read.unreadable:
        # The page comes back first, as it is: paths move when entries come and go.
        pressed.pop("add", None)
        pressed.pop("remove", None)
    return pressed


def _is_new(node: Node, shown: Mapping[str, str]) -> bool:
    """Asked since the page was shown, because of an answer on it."""
    return node.path not in shown and inputs.is_typed(node) and not node.is_answered


def _go_on(request: MemberRequest, filling: Filling, page: str) -> HttpResponse:
    public_id = filling.response.public_id
    following = filling.after(page)
    if "check" in request.GET or following is None:
        return redirect(member_url(request, "form_check", public_id=public_id))
    return redirect(member_url(request, "form_page", public_id=public_id, page=following.name))


# --- showing it -----------------------------------------------------------------------


def _page_as_kept(
    request: MemberRequest, member: Member, filling: Filling, shown: FilledPage
) -> HttpResponse:
    """The page as it is saved, or with what was typed on it when it could not be saved."""
    typed = kept.on_page(request.household_session.account, member, inside(request))
    bases = shown_of(str(typed.get(SHOWN, "")))
    boxes = {
        name: typed.get(name, "")
        for path in bases
        if (node := filling.filled.node(path)) is not None and inputs.is_typed(node)
        for name in inputs.fields_of(node)
    }
    form = PageForm(shown.questions(), boxes, bases)
    return _page(request, filling, shown, form, is_kept=bool(typed))


def _page_wrong(
    request: MemberRequest, filling: Filling, shown: FilledPage, read: ReadPage
) -> HttpResponse:
    """The page with what is wrong beside it; what could not be read stands as it was typed."""
    typed = {name: value for path in read.unreadable for name, value in read.typed[path].items()}
    bases = {path: read.bases[path] for path in read.unreadable}
    form = PageForm(shown.questions(), typed, bases)
    wrong: dict[str, list[str]] = {}
    for path, unreadable in read.unreadable.items():
        form.say(path, str(unreadable), unreadable.name)
    for problem in filling.problems_on(shown):
        node = filling.filled.node(problem.path)
        is_new = node is not None and _is_new(node, read.bases)
        if problem.path in read.unreadable or is_new:
            continue
        says = filling.says(problem)
        form.say(problem.path, says)
        if problem.path not in form.boxes:
            wrong.setdefault(problem.path, []).append(says)
    return _page(request, filling, shown, form, wrong=wrong, status=422)


def _page(
    request: MemberRequest,
    filling: Filling,
    shown: FilledPage,
    form: PageForm,
    *,
    wrong: dict[str, list[str]] | None = None,
    new: list[Node] | None = None,
    is_kept: bool = False,
    status: int = 200,
) -> HttpResponse:
    response = filling.response
    audit.record(
        audit.Action.VIEW, "ok", request=request, object_type="form", object_id=response.public_id
    )
    before = filling.before(shown.name)
    here = {shown.name, before.name if before else ""}
    context = {
        "questionnaire": filling.questionnaire,
        "response": response,
        "shown": shown,
        "form": form,
        "blocks": blocks_of(shown, form, wrong or {}),
        "new": [form[name] for node in new or () for name in form.boxes.get(node.path, ())[:1]],
        "before": before,
        "is_check": "check" in request.GET,
        "danger": bool(here & filling.dangerous_pages),
        "kept": is_kept,
        "page_url": request.get_full_path(),
        "all_optional": form.all_optional,
    }
    return render(request, "households/intake/page.html", context, status=status)


def _conflict_page(
    request: MemberRequest,
    filling: Filling,
    page: str,
    conflicts: list[actions.Conflict],
    nodes: Mapping[str, Node],
) -> HttpResponse:
    """Two answers to the same question, side by side. What nobody else touched is saved."""
    audit.record(audit.Action.SEND, "changed-meanwhile", request=request, object_type="form")
    posted: list[tuple[str, str]] = []
    rows = []
    for conflict in conflicts:
        node = nodes[conflict.change.path]
        label = inputs.label_of(node.item)
        mine = words_of(node.item, conflict.change.answers)
        theirs = words_of(node.item, conflict.theirs or [])
        rows.append((label, theirs, mine, conflict.theirs is None))
        if conflict.theirs is not None:
            for name in inputs.fields_of(node):
                posted += [(name, value) for value in request.POST.getlist(name)]
            posted.append((SHOWN, f"{node.path}:{base_of(conflict.theirs)}"))
    context = {
        "questionnaire": filling.questionnaire,
        "rows": rows,
        "posted": [one for one in posted if one[0] != SHOWN],
        "shown": " ".join(value for name, value in posted if name == SHOWN),
        "page_url": request.get_full_path(),
        # What is typed here is saved nowhere yet: a question that can mean danger is enough.
        "danger": bool(filling.filled.dangers)
        or any(_may_mean_danger(nodes[conflict.change.path]) for conflict in conflicts),
    }
    return render(request, "households/intake/conflict.html", context, status=409)


def _may_mean_danger(node: Node) -> bool:
    return node.item.danger_weight is not None or node.item.is_danger_if_yes
