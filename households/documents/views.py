"""A member's papers: list, send, look at, download. Every view gets the member from the gate."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from accounts import audit
from households import kept
from households.binding import member_url
from households.documents.actions import document_receive, shown_name
from households.documents.forms import DocumentsForm
from households.documents.models import Document
from households.documents.serving import document_response
from households.models import Member
from households.requests import MemberRequest

_PAGE = "documents/"


@require_http_methods(["GET", "HEAD", "POST"])
def document_list(request: MemberRequest, member: Member) -> HttpResponse:
    """The papers of this member, and the form that sends more. Each file has its own result."""
    account = request.household_session.account
    if request.method != "POST":
        typed = kept.on_page(account, member, _PAGE)
        return _list_page(request, member, DocumentsForm(initial=typed), kept_text=bool(typed))

    if "let_go" in request.POST:
        kept.let_go(account, member, _PAGE)
        messages.success(request, _("The note is deleted."))
        return redirect(member_url(request, "documents"))

    form = DocumentsForm(request.POST, request.FILES)
    if not form.is_valid():
        return _list_page(request, member, form, status=422)
    results = [_receive(request, member, form, file) for file in form.cleaned_data["files"]]
    sent = [result["name"] for result in results if result["ok"]]
    if len(sent) < len(results):
        return _list_page(request, member, form, results=results, status=422)
    kept.let_go(account, member, _PAGE)
    messages.success(
        request,
        ngettext(
            "%(count)d document was sent to %(name)s's chart.",
            "%(count)d documents were sent to %(name)s's chart.",
            len(sent),
        )
        % {"count": len(sent), "name": member.called},
    )
    return redirect(member_url(request, "documents"))


def _receive(
    request: MemberRequest, member: Member, form: DocumentsForm, file: UploadedFile
) -> dict[str, object]:
    name = shown_name(file.name or "")
    try:
        document_receive(
            request=request,
            member=member,
            file=file,  # type: ignore[arg-type]
            note=form.cleaned_data["note"],
            sending_id=form.cleaned_data["sending_id"],
        )
    except ValidationError as error:
        audit.record(audit.Action.SEND, "refused", request=request, object_type="document")
        return {"name": name, "ok": False, "message": " ".join(error.messages)}
    return {"name": name, "ok": True, "message": _("Sent.")}


def _list_page(
    request: MemberRequest,
    member: Member,
    form: DocumentsForm,
    *,
    results: list[dict[str, object]] | None = None,
    kept_text: bool = False,
    status: int = 200,
) -> HttpResponse:
    audit.record(audit.Action.VIEW, "ok", request=request, object_type="documents")
    context = {
        "member": member,
        "form": form,
        "results": results or [],
        "documents": Document.objects.for_member(member).sent(),
        "kept": kept_text,
    }
    return render(request, "households/documents/list.html", context, status=status)


@require_safe
def document_detail(request: MemberRequest, member: Member, public_id: str) -> HttpResponse:
    document = get_object_or_404(
        Document.objects.for_member(member).shown_to_family(), public_id=public_id
    )
    audit.record(
        audit.Action.VIEW,
        "ok",
        request=request,
        object_type="document",
        object_id=public_id,
    )
    context = {"member": member, "document": document}
    return render(request, "households/documents/detail.html", context)


@require_safe
def document_file(request: MemberRequest, member: Member, public_id: str) -> HttpResponseBase:
    """The bytes. Only pictures are shown in place, and only as what they are (R-UP-4)."""
    document = get_object_or_404(
        Document.objects.for_member(member).shown_to_family(), public_id=public_id
    )
    shown_in_place = "preview" in request.GET and document.is_picture
    response = document_response(request, document, as_attachment=not shown_in_place)
    audit.record(
        audit.Action.DOWNLOAD,
        "ok",
        request=request,
        object_type="document",
        object_id=public_id,
    )
    return response
