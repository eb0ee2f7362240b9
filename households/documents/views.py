"""A member's documents, both ways: list, send, look at, download, take back, join. Every view gets the
member from the gate, and asks for everything through that member."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, Q
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from accounts import audit
from accounts.compiled import Compiled
from households import kept
from households.binding import member_url
from households.documents import actions, renditions
from households.documents.forms import DocumentsForm, JoinForm, posted_photos
from households.documents.joining import MOST_PHOTOS
from households.documents.models import STANDING, Document, DocumentKind, DocumentRequest
from households.documents.sending import send, sent_sentence
from households.documents.serving import document_response, handing_out, picture_response
from households.models import Member
from households.requests import MemberRequest
from households.submissions.models import Submission

_LISTED = 50
_LISTED_TO_JOIN = 60


# --- pages that send ------------------------------------------------------------------


@dataclass(frozen=True)
class _Errand:
    """A page with the form that sends: `page` is its address inside the chart, under which typed text is
    kept; `shown` asks for what else the page shows, after the files were taken. What is sent from it is of
    `kind`, or of one of `kinds`, and answers `asked`; `warning` is said once it was sent."""

    page: str
    template: str
    shown: Callable[[], dict[str, object]]
    kinds: Sequence[DocumentKind] = ()
    kind: DocumentKind | None = None
    asked: DocumentRequest | None = None
    sending_id: uuid.UUID | None = None
    warning: str = ""


@require_http_methods(["GET", "HEAD", "POST"])
def document_list(request: MemberRequest, member: Member) -> HttpResponse:
    """What the practice asks for, the form that sends, what the practice shares, and what was sent."""
    number = _page_number(request)
    errand = _Errand(
        page="documents/",
        template="households/documents/list.html",
        shown=lambda: _listed(member, number),
        kinds=list(DocumentKind.objects.filter(is_offered=True)),
    )
    return _on_errand(request, member, errand)


@require_http_methods(["GET", "HEAD", "POST"])
def request_answer(request: MemberRequest, member: Member, public_id: uuid.UUID) -> HttpResponse:
    """A paper that the practice asks for. What is sent from an old page when it is not asked for any more
    is taken all the same, as a document like any other."""
    asked = get_object_or_404(
        DocumentRequest.objects.for_member(member).select_related("kind"), public_id=public_id
    )
    in_force = asked.is_in_force(timezone.localdate())

    def shown() -> dict[str, object]:
        theirs = Document.objects.for_member(member).sent().filter(request=asked)
        sent = list(_knowing_if_settled(member, theirs))
        return {
            "asked": asked,
            "in_force": in_force,
            "today": timezone.localdate(),
            "documents": sent,
            "answered": asked.is_answered_by(sent),
        }

    errand = _Errand(
        page=f"documents/requests/{public_id}/",
        template="households/documents/request.html",
        shown=shown,
        kind=asked.kind,
        asked=asked if in_force else None,
        warning=""
        if in_force
        else _(
            "The practice does not ask for this document any more. It has what you sent all the same."
        ),
    )
    return _on_errand(request, member, errand)


@require_http_methods(["GET", "HEAD", "POST"])
def document_again(request: MemberRequest, member: Member, public_id: uuid.UUID) -> HttpResponse:
    """Send a returned document again: to the request that it was for, if that stands."""
    returned = get_object_or_404(
        Document.objects.for_member(member).sent().select_related("request"), public_id=public_id
    )
    asked = returned.request
    if asked is not None and not asked.is_in_force(timezone.localdate()):
        asked = None
    if request.method != "POST":
        if returned.status != Submission.Status.RETURNED:
            return redirect(member_url(request, "document_detail", public_id=public_id))
        if asked is not None:
            return redirect(member_url(request, "request_answer", public_id=asked.public_id))
    errand = _Errand(
        page=f"documents/{public_id}/again/",
        template="households/documents/again.html",
        shown=lambda: {"document": returned},
        kind=returned.kind,
        asked=asked,
        sending_id=returned.public_id,
    )
    return _on_errand(request, member, errand)


def _on_errand(request: MemberRequest, member: Member, errand: _Errand) -> HttpResponse:
    """Show the page, or take what it sends. Each file has its own result; what is sent stays sent, and
    what was typed stays typed while a file is not."""
    account = request.household_session.account
    if request.method != "POST":
        typed = kept.on_page(account, member, errand.page)
        form = DocumentsForm(initial=typed or _named_kind(request, errand), kinds=errand.kinds)
        return _errand_page(request, errand, form, kept=bool(typed))
    if "let_go" in request.POST:
        kept.let_go(account, member, errand.page)
        messages.success(request, _("What you typed is deleted."))
        return redirect(request.path)

    form = DocumentsForm(request.POST, request.FILES, kinds=errand.kinds)
    if not form.is_valid():
        return _errand_page(request, errand, form, status=422)
    results = send(
        request=request,
        member=member,
        files=form.cleaned_data["files"],
        sending_id=errand.sending_id or form.cleaned_data["sending_id"],
        note=form.cleaned_data["note"],
        kind=errand.kind or form.cleaned_data.get("kind"),
        asked=errand.asked,
    )
    documents = [result.document for result in results if result.document is not None]
    if len(documents) < len(results):
        return _errand_page(request, errand, form, results=results, status=422)
    kept.let_go(account, member, errand.page)
    messages.success(request, sent_sentence(documents, member))
    if errand.warning:
        messages.warning(request, errand.warning)
    if form.cleaned_data["join"]:
        return _to_joining(request, member, documents)
    return redirect(member_url(request, "documents"))


def _named_kind(request: MemberRequest, errand: _Errand) -> dict[str, int]:
    """The kind that the page before named in the address, where it is one of those to choose from."""
    name = request.GET.get("kind", "")
    named = next((kind for kind in errand.kinds if kind.name == name), None)
    return {} if named is None else {"kind": named.pk}


def _errand_page(
    request: MemberRequest,
    errand: _Errand,
    form: DocumentsForm,
    *,
    results: Iterable[object] = (),
    kept: bool = False,
    status: int = 200,
) -> HttpResponse:
    audit.record(audit.Action.VIEW, "ok", request=request, object_type="documents")
    context = {
        "form": form,
        "results": results,
        "kept": kept,
        "page_url": request.path,
        **errand.shown(),
    }
    return render(request, errand.template, context, status=status)


def _listed(member: Member, number: int) -> dict[str, object]:
    """What stands on page `number` of the list; the requests and the form stand on the first only."""
    part = slice((number - 1) * _LISTED, number * _LISTED + 1)
    sent = list(_knowing_if_settled(member, Document.objects.for_member(member).sent())[part])
    shared = list(Document.objects.for_member(member).shared()[part])
    today = timezone.localdate()
    asked = DocumentRequest.objects.for_member(member).in_force(today).unanswered()
    return {
        "requests": asked if number == 1 else [],
        "today": today,
        "documents": sent[:_LISTED],
        "shared": shared[:_LISTED],
        "number": number,
        "older": number + 1 if max(len(sent), len(shared)) > _LISTED else None,
        "newer": number - 1,
        "can_join": sum(document.may_be_joined for document in sent) > 1,
    }


def _page_number(request: MemberRequest) -> int:
    given = request.GET.get("page", "")
    return max(1, int(given)) if given.isascii() and given.isdigit() and len(given) < 5 else 1


def _knowing_if_settled(member: Member, documents: Any) -> Any:
    """`documents`, each with `settled`: whether another one stands that was sent instead of it, on its own
    page or for the same request."""
    instead = Document.objects.for_member(member).filter(
        Q(sending_id=OuterRef("public_id")) | Q(request=OuterRef("request")),
        submission__status__in=STANDING,
    )
    return documents.annotate(settled=Exists(instead))


# --- looking at one -------------------------------------------------------------------


@require_safe
def document_detail(request: MemberRequest, member: Member, public_id: uuid.UUID) -> HttpResponse:
    """One document: what became of it, and pictures of its pages, which no browser can run."""
    shown = Document.objects.for_member(member).shown_to_family()
    document = get_object_or_404(_knowing_if_settled(member, shown), public_id=public_id)
    audit.record(
        audit.Action.VIEW, "ok", request=request, object_type="document", object_id=public_id
    )
    _note_opening(request, document)
    numbers = range(1, document.pages_pictured + 1) if _has_pictures(document) else ()
    context = {
        "document": document,
        "numbers": numbers,
        "shortened": bool(numbers) and document.pages > document.pages_pictured,
    }
    return render(request, "households/documents/detail.html", context)


@require_safe
def document_file(request: MemberRequest, member: Member, public_id: uuid.UUID) -> HttpResponseBase:
    """The bytes as they were sent, always as a file to keep and never as a page (R-UP-4)."""
    document = _to_send(member, public_id)
    response = document_response(request, document, as_attachment=True)
    with handing_out(response):
        audit.record(
            audit.Action.DOWNLOAD,
            "ok",
            request=request,
            object_type="document",
            object_id=public_id,
        )
        _note_opening(request, document)
    return response


# Pictures have no entries of their own in the audit: the page that shows them has one, and an entry for
# each thumbnail of a list would bury it.


@require_safe
def document_thumbnail(
    request: MemberRequest, member: Member, public_id: uuid.UUID
) -> HttpResponseBase:
    document = _pictured(member, public_id)
    return picture_response(request, document, renditions.thumbnail_name(document))


@require_safe
def document_page(
    request: MemberRequest, member: Member, public_id: uuid.UUID, number: int
) -> HttpResponseBase:
    document = _pictured(member, public_id)
    if not 1 <= number <= document.pages_pictured:
        raise Http404
    return picture_response(request, document, renditions.page_name(document, number))


def _to_send(member: Member, public_id: uuid.UUID) -> Document:
    """Without its submission, kind and request: bytes need none of them, and they are a tenth of the cost."""
    for document in _shown_to_family(member.pk, public_id):
        return document
    raise Http404


_shown_to_family = Compiled(
    lambda member, public_id: (
        Document.objects.for_member(member)
        .shown_to_family()
        .select_related(None)
        .filter(public_id=public_id)
    ),
    int,
    uuid.UUID,
)


def _pictured(member: Member, public_id: uuid.UUID) -> Document:
    document = _to_send(member, public_id)
    if not _has_pictures(document):
        raise Http404
    return document


def _has_pictures(document: Document) -> bool:
    return document.may_be_opened and document.pictures == Document.Pictures.READY


def _note_opening(request: MemberRequest, document: Document) -> None:
    # A HEAD is not somebody looking, and what nobody may open was not opened.
    if request.method == "GET" and document.may_be_opened:
        actions.document_opened(request=request, document=document)


# --- taking back ----------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
def document_withdraw(request: MemberRequest, member: Member, public_id: uuid.UUID) -> HttpResponse:
    """Ask once, then take a document back, unless the practice has seen it."""
    theirs = Document.objects.for_member(member).filter(sender=Document.Sender.FAMILY)
    theirs = theirs.select_related("submission", "kind")
    document = get_object_or_404(theirs, public_id=public_id)
    withdrawn = document.status == Submission.Status.WITHDRAWN
    if request.method != "POST":
        if withdrawn:
            raise Http404
    # Pressed twice, it is taken back once, and the second answer says so too.
    elif withdrawn or actions.document_withdraw(request=request, document=document):
        messages.success(request, _("The document is taken back. The practice will not see it."))
        return redirect(member_url(request, "documents"))
    else:
        # Seen meanwhile; or not this person's any more, where the practice moved it.
        document = get_object_or_404(theirs.all(), public_id=public_id)
    too_late = not document.may_be_withdrawn
    audit.record(
        audit.Action.VIEW, "ok", request=request, object_type="document", object_id=public_id
    )
    context = {"document": document, "too_late": too_late}
    status = 422 if too_late and request.method == "POST" else 200
    return render(request, "households/documents/withdraw.html", context, status=status)


# --- photos of one paper --------------------------------------------------------------


def _to_joining(
    request: MemberRequest, member: Member, documents: Iterable[Document]
) -> HttpResponse:
    sent = [document.pk for document in documents]
    photos = list(Document.objects.for_member(member).joinable().filter(pk__in=sent))
    if not photos:
        messages.warning(
            request, _("Only photos can be joined, once the virus scanner has seen them.")
        )
        return redirect(member_url(request, "documents"))
    # Those of this sending that were sent before a mistake was put right come too.
    return redirect(f"{member_url(request, 'document_join')}?sending={photos[0].sending_id}")


@require_http_methods(["GET", "HEAD", "POST"])
def document_join(request: MemberRequest, member: Member) -> HttpResponse:
    """Number photos that the practice has not seen yet, and make one PDF of them."""
    photos = list(Document.objects.for_member(member).joinable()[:_LISTED_TO_JOIN])
    sending = request.GET.get("sending", "")
    first = sorted(
        (photo for photo in photos if str(photo.sending_id) == sending),
        key=lambda photo: photo.pk,  # as they came, which is as they were chosen
    )[:MOST_PHOTOS]
    photos = [*first, *(photo for photo in photos if photo not in first)]
    if request.method != "POST":
        return _join_page(request, JoinForm(photos=photos, first=first))
    form = JoinForm(request.POST, photos=photos)
    joined = None
    if form.is_valid():
        try:
            joined = actions.document_join(
                request=request, member=member, photos=form.cleaned_data["photos"]
            )
        except ValidationError as error:
            audit.record(audit.Action.SEND, "refused", request=request, object_type="document")
            form.add_error(None, error)
    else:
        # Pressed twice, the first press has taken the photos.
        posted = Document.objects.for_member(member).filter(
            public_id__in=posted_photos(request.POST), joined_into__isnull=False
        )
        joined = actions.document_joined(member=member, photos=posted)
    if joined is None:
        return _join_page(request, form, status=422)
    messages.success(
        request,
        ngettext(
            "%(count)d photo was joined to one PDF in %(name)s's chart.",
            "%(count)d photos were joined to one PDF in %(name)s's chart.",
            joined.pages,
        )
        % {"count": joined.pages, "name": member.called},
    )
    return redirect(member_url(request, "documents"))


def _join_page(request: MemberRequest, form: JoinForm, status: int = 200) -> HttpResponse:
    audit.record(audit.Action.VIEW, "ok", request=request, object_type="documents")
    context = {"form": form, "most": MOST_PHOTOS, "page_url": request.get_full_path()}
    return render(request, "households/documents/join.html", context, status=status)
