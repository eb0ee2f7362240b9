"""The files that answer a question of a form: they become documents of the member, as safe as any other."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts import audit
from households.binding import member_url
from households.documents.actions import document_receive, shown_name
from households.documents.checks import check
from households.intake import actions, inputs
from households.intake.engine.evaluation import Node
from households.intake.fill_parts import filling_of, sent_already
from households.intake.filling import (
    Change,
    Filling,
    base_of,
)
from households.intake.forms import (
    FilesForm,
)
from households.intake.pages import FilledPage
from households.models import Member
from households.requests import MemberRequest
from households.submissions.sight import CLINICAL_DOCUMENT


def asks_file(filling: Filling, path: str) -> Node:
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
    filling = filling_of(member, public_id)
    if not filling.response.is_draft:
        return sent_already(request, public_id)
    node = asks_file(filling, path)
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
            return sent_already(request, public_id)
        status = 422
    audit.record(audit.Action.VIEW, "ok", request=request, object_type="form", object_id=public_id)
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
                about=CLINICAL_DOCUMENT if filling.questionnaire.is_clinical else "",
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
    node = asks_file(filling_of(member, filling.response.public_id), path)
    there = node.answers if node.item.repeats else []
    urls = {answer["valueAttachment"]["url"] for answer in answers}
    there = [one for one in there if one.get("valueAttachment", {}).get("url") not in urls]
    actions.response_save(
        request=request,
        member=member,
        response=filling.response,
        changes=[Change(node.path, [*there, *answers], base_of(node.answers))],
    )


def take_file(
    request: MemberRequest, member: Member, filling: Filling, posted: str
) -> HttpResponse:
    """Take a file out of the answers. The document that it is stays with the practice."""
    path, _blank, public_id = posted.partition(" ")
    node = asks_file(filling, path)
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
