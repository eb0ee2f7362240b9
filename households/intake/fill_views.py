"""Filling in a form: a page at a time, the files of a question, and the page that is checked and sent."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts import audit
from households import kept
from households.binding import member_url
from households.documents.actions import document_receive, shown_name
from households.documents.checks import check
from households.intake import actions, inputs
from households.intake.blocks import blocks_of
from households.intake.engine.answers import words_of
from households.intake.engine.evaluation import Node
from households.intake.filling import (
    Change,
    Filling,
    base_of,
    consent_text,
    patient_of,
    response_or_404,
    sections_of,
)
from households.intake.forms import (
    SHOWN,
    FilesForm,
    PageForm,
    ReadPage,
    SendForm,
    SignForm,
    shown_of,
)
from households.intake.models import Questionnaire, Signature
from households.intake.pages import FilledPage, name_of
from households.models import Member
from households.requests import MemberRequest

# --- a page ---------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
def form_page(
    request: MemberRequest, member: Member, public_id: uuid.UUID, page: str
) -> HttpResponse:
    """One section. Whatever can be read is saved whenever a button is pressed; Continue goes on when nothing
    on the page is missing or wrong."""
    filling = _filling(member, public_id)
    if not filling.response.is_draft:
        return _is_sent(request, public_id)
    if page not in {name_of(item.link_id) for item in filling.definition.walk()}:
        raise Http404
    if request.method != "POST":
        shown = filling.page(page)
        if shown is None:
            # The answers leave nothing to ask here: on to the first open page.
            return redirect(member_url(request, "form_detail", public_id=public_id))
        return _page_as_kept(request, member, filling, shown)
    if "let_go" in request.POST:
        kept.let_go(request.household_session.account, member, _inside(request))
        messages.success(request, _("What you typed is deleted."))
        return redirect(request.get_full_path())
    try:
        return _save(request, member, filling, page)
    except actions.IsSent:
        return _is_sent(request, public_id)


def _filling(member: Member, public_id: uuid.UUID) -> Filling:
    return Filling(response_or_404(member, public_id), patient=patient_of(member))


def _is_sent(request: MemberRequest, public_id: uuid.UUID) -> HttpResponse:
    messages.warning(
        request, _("These answers were sent already. To change them, correct them here.")
    )
    return redirect(member_url(request, "form_detail", public_id=public_id))


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
    kept.let_go(request.household_session.account, member, _inside(request))
    shown = filling.page(page)
    if shown is None:
        return _go_on(request, filling, page)
    if read.unreadable:
        return _page_wrong(request, filling, shown, read)
    if {"add", "remove"} & pressed.keys():
        return redirect(request.get_full_path())
    if "take" in pressed:
        return _take_file(request, member, filling, pressed["take"])
    if "file" in pressed:
        url = member_url(
            request,
            "form_file",
            public_id=filling.response.public_id,
            path=_asks_file(filling, pressed["file"]).path,
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
    typed = kept.on_page(request.household_session.account, member, _inside(request))
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


def _inside(request: MemberRequest) -> str:
    """The page inside the chart, under which typed text is kept."""
    return request.path.removeprefix(member_url(request, "overview"))


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
    }
    return render(request, "households/intake/conflict.html", context, status=409)


# --- files ----------------------------------------------------------------------------


def _asks_file(filling: Filling, path: str) -> Node:
    node = filling.filled.node(path)
    if (
        node is None
        or not node.is_enabled
        or node.item.type != "attachment"
        or node.item.read_only
        or node.item.is_hidden
    ):
        raise Http404
    return node


def _page_with(filling: Filling, path: str) -> FilledPage | None:
    return next(
        (page for page in filling.pages if any(path == node.path for node in page.questions())),
        None,
    )


@require_http_methods(["GET", "HEAD", "POST"])
def form_file(
    request: MemberRequest, member: Member, public_id: uuid.UUID, path: str
) -> HttpResponse:
    """The file that answers a question: it becomes a document of this member, as safe as any other."""
    filling = _filling(member, public_id)
    if not filling.response.is_draft:
        return _is_sent(request, public_id)
    node = _asks_file(filling, path)
    page = _page_with(filling, path)
    back = member_url(request, "form_detail", public_id=public_id)
    if page is not None:
        back = member_url(request, "form_page", public_id=public_id, page=page.name)
    form = FilesForm()
    status = 200
    if request.method == "POST":
        form = FilesForm(request.POST, request.FILES)
        try:
            if form.is_valid() and _take_in(request, member, filling, node, form):
                return redirect(back)
        except actions.IsSent:
            return _is_sent(request, public_id)
        status = 422
    context = {
        "questionnaire": filling.questionnaire,
        "label": inputs.label_of(node.item),
        "form": form,
        "back": back,
        "page_url": request.path,
    }
    return render(request, "households/intake/file.html", context, status=status)


def _take_in(
    request: MemberRequest, member: Member, filling: Filling, node: Node, form: FilesForm
) -> bool:
    """Keep the files as documents, and answer the question with them. Says in `form` what was refused."""
    answers = []
    files = form.cleaned_data["files"]
    if len(files) > 1 and not node.item.repeats:
        form.add_error("files", _("Only one file fits here. Choose one, and send it again."))
        return False
    for file in files:
        try:
            if node.item.max_size and file.size > node.item.max_size:
                raise ValidationError(
                    _("This form takes files up to %(size)s MB. This one is larger.")
                    % {"size": round(node.item.max_size / 1024 / 1024, 1)}
                )
            if node.item.mime_types and not _fits(check(file).content_type, node.item.mime_types):
                raise ValidationError(
                    _("This question takes another type of file: %(types)s.")
                    % {"types": ", ".join(node.item.mime_types)}
                )
            document = document_receive(
                request=request,
                member=member,
                file=file,
                sending_id=form.cleaned_data["sending_id"],
                note=filling.questionnaire.title[:500],
            )
        except ValidationError as error:
            audit.record(audit.Action.SEND, "refused", request=request, object_type="document")
            name = shown_name(file.name or "")
            form.add_error("files", f"{name}: {' '.join(error.messages)}")
            continue
        answers.append(
            {
                "valueAttachment": {
                    "contentType": document.content_type,
                    "url": f"urn:uuid:{document.public_id}",
                    "size": document.size,
                    "title": document.name,
                }
            }
        )
    if answers:
        _answer_with(request, member, filling, node.path, answers)
    return not form.errors


def _fits(content_type: str, wanted: tuple[str, ...]) -> bool:
    kind = content_type.partition("/")[0]
    return any(one in {content_type, f"{kind}/*", "*/*"} for one in wanted)


def _answer_with(
    request: MemberRequest,
    member: Member,
    filling: Filling,
    path: str,
    answers: list[dict[str, Any]],
) -> None:
    """Add the files to those that are there now: an upload takes its time. The one of a question that takes
    one is replaced."""
    node = _asks_file(_filling(member, filling.response.public_id), path)
    there = node.answers if node.item.repeats else []
    urls = {answer["valueAttachment"]["url"] for answer in answers}
    there = [one for one in there if one.get("valueAttachment", {}).get("url") not in urls]
    actions.response_save(
        request=request,
        member=member,
        response=filling.response,
        changes=[Change(node.path, [*there, *answers], base_of(node.answers))],
    )


def _take_file(
    request: MemberRequest, member: Member, filling: Filling, posted: str
) -> HttpResponse:
    """Take a file out of the answers. The document that it is stays with the practice."""
    path, _blank, public_id = posted.partition(" ")
    node = _asks_file(filling, path)
    left = [
        one
        for one in node.answers
        if one.get("valueAttachment", {}).get("url") != f"urn:uuid:{public_id}"
    ]
    actions.response_save(
        request=request,
        member=member,
        response=filling.response,
        changes=[Change(node.path, left, base_of(node.answers))],
    )
    return redirect(request.get_full_path())


# --- checking and sending -------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
def form_check(request: MemberRequest, member: Member, public_id: uuid.UUID) -> HttpResponse:
    """Everything that was answered, by section, with a way to change each; of a consent its text. Here it is
    signed and sent."""
    filling = _filling(member, public_id)
    account = request.household_session.account
    page = _inside(request)
    if not filling.response.is_draft:
        if request.method == "POST":
            # Pressed twice: the second answer is the same.
            return redirect(member_url(request, "form_detail", public_id=public_id))
        return _is_sent(request, public_id)
    is_consent = filling.questionnaire.is_consent
    if request.method != "POST":
        typed = kept.on_page(account, member, page)
        sign = SignForm(initial=typed, is_consent=is_consent) if filling.needs_signature else None
        return _check_page(request, filling, sign, is_kept=bool(typed))
    if "let_go" in request.POST:
        kept.let_go(account, member, page)
        messages.success(request, _("What you typed is deleted."))
        return redirect(request.path)
    sign = SignForm(request.POST, is_consent=is_consent) if filling.needs_signature else None
    if sign is not None and not sign.is_valid():
        return _check_page(request, filling, sign, status=422)
    sending_id, revision = SendForm.read(request.POST)
    try:
        sent = actions.response_send(
            request=request,
            member=member,
            response=filling.response,
            revision=revision,
            sending_id=sending_id,
            signed=_signed(filling, sign),
        )
    except actions.IsSent:
        return _is_sent(request, public_id)
    except actions.ChangedMeanwhile:
        filling = _filling(member, public_id)
        return _check_page(request, filling, sign, is_changed=True, status=409)
    except actions.HasProblems:
        return _check_page(request, filling, sign, shows_problems=True, status=422)
    kept.let_go(account, member, page)
    return redirect(member_url(request, "form_detail", public_id=sent.public_id))


def _signed(filling: Filling, sign: SignForm | None) -> actions.Signed | None:
    if sign is None:
        return None
    decision = sign.cleaned_data.get("decision") or Signature.Decision.ACCEPTED
    return actions.Signed(
        text=signed_text(filling),
        typed_name=sign.cleaned_data["typed_name"],
        relationship=sign.cleaned_data["relationship"],
        decision=Signature.Decision(decision),
    )


def signed_text(filling: Filling) -> str:
    """What is signed, as it stands on the page."""
    if filling.questionnaire.is_consent:
        return consent_text(filling.definition)
    return _("I have checked the answers to “%(title)s”. They are right as far as I know.") % {
        "title": filling.questionnaire.title
    }


def _check_page(
    request: MemberRequest,
    filling: Filling,
    sign: SignForm | None,
    *,
    is_kept: bool = False,
    is_changed: bool = False,
    shows_problems: bool = False,
    status: int = 200,
) -> HttpResponse:
    response = filling.response
    questionnaire: Questionnaire = filling.questionnaire
    audit.record(
        audit.Action.VIEW, "ok", request=request, object_type="form", object_id=response.public_id
    )
    sections = sections_of(filling, with_problems=True)
    context = {
        "questionnaire": questionnaire,
        "response": response,
        "sections": sections,
        "problems": [one for one in sections if one.problems],
        "whole": filling.problems_of_the_whole,
        "shows_problems": shows_problems,
        "is_changed": is_changed,
        "text": signed_text(filling) if sign is not None else "",
        # The form whose errors stand on top.
        "form": sign or SendForm(),
        "sign": sign,
        "send": SendForm(initial={"version": response.revision}),
        "danger": bool(filling.filled.dangers),
        "last": filling.pages[-1] if filling.pages else None,
        "kept": is_kept,
        "page_url": request.path,
        "now": timezone.now(),
    }
    return render(request, "households/intake/check.html", context, status=status)
