"""Admin pages of documents: to look at, to file or return, and to share with one person.

Whose a document is stands on every page, beside its pictures too. Requests are in request_admin.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts import audit
from accounts.requests import posted
from accounts.staff_pages import PortalModelAdmin
from households.documents.actions import document_share, document_unshare
from households.documents.models import Document, DocumentKind, DocumentRequest
from households.documents.quarantine import waiting
from households.documents.renditions import page_name
from households.documents.request_admin import DocumentRequestAdmin
from households.documents.serving import document_response, handing_out, picture_response
from households.documents.staff_forms import ReturnDocumentForm, ShareForm
from households.staff_pages import moment, name_and_birth_date, person_line
from households.submissions.actions import submission_file, submission_return, submission_see
from households.submissions.inbox import on_the_way
from households.submissions.inbox_bar import SentThingAdmin, one_line, text_head
from households.submissions.models import Submission
from households.submissions.sight import CLINICAL_DOCUMENT, sees_clinical_answers

Status = Submission.Status

admin.site.register(DocumentRequest, DocumentRequestAdmin)


class StatusFilter(admin.SimpleListFilter):
    """Without a choice: everything but what the family took back, which only its own choice lists."""

    title = gettext_lazy("status")
    parameter_name = "status"
    _shared: ClassVar = {
        "new": models.Q(unshared_at=None, opened_at=None),
        "opened": models.Q(unshared_at=None, opened_at__isnull=False),
        "ended": models.Q(unshared_at__isnull=False),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            *((status.value, str(status.label)) for status in Status),
            ("new", _("Shared, not opened")),
            ("opened", _("Shared, opened")),
            ("ended", _("No longer shared")),
        ]

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[Document]
    ) -> models.QuerySet[Document]:
        chosen = self.value() or ""
        if chosen in self._shared:
            return queryset.filter(self._shared[chosen], sender=Document.Sender.PRACTICE)
        if chosen in Status.values:
            return queryset.filter(submission__status=chosen)
        return queryset.exclude(submission__status=Status.WITHDRAWN)


@admin.register(Document)
class DocumentAdmin(SentThingAdmin):
    form = forms.ModelForm
    change_form_template = "admin/documents/document/change_form.html"
    list_display = (
        "person_name",
        "born",
        "name",
        "state",
        "sent",
        "kind",
        "sender",
        "amount",
    )
    list_display_links = ("person_name", "name")
    list_filter = (StatusFilter, "kind", "sender", "scan")
    actions = ("mark_seen", "mark_filed")
    buttons: ClassVar = {"file": "_file", "return": "_return", "unshare": "_unshare"}

    # --- who may do what --------------------------------------------------------------

    def has_change_permission(self, request: HttpRequest, obj: Document | None = None) -> bool:
        """To file, return and stop sharing. What was sent stays as it was sent."""
        return super().has_change_permission(request, obj)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Document]:
        rows = super().get_queryset(request).select_related("submission__assigned_to", "kind")
        if not sees_clinical_answers(request.user):
            rows = rows.exclude(submission__about=CLINICAL_DOCUMENT)
        return rows

    # --- the list ---------------------------------------------------------------------

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        in_quarantine, since = waiting()
        context = {
            "title": _("Documents"),
            "in_quarantine": in_quarantine,
            "waiting_since": moment(since),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    @admin.display(description=gettext_lazy("sent"), ordering="sent_at")
    def sent(self, document: Document) -> str:
        return moment(document.sent_at)

    @admin.display(description=gettext_lazy("size"), ordering="size")
    def amount(self, document: Document) -> str:
        pages = ngettext("%(count)d page", "%(count)d pages", document.pages) % {
            "count": document.pages
        }
        return f"{pages}, {filesizeformat(document.size)}"

    @admin.display(description=gettext_lazy("status"), ordering="submission__status")
    def state(self, document: Document) -> str:
        if document.unshared_at:
            return _("No longer shared")
        if document.file and document.scan == Document.Scan.WAITING:
            return f"{document.status_words} ({document.get_scan_display()})"
        return document.status_words

    @admin.action(description=gettext_lazy("Mark as seen"), permissions=["change"])
    def mark_seen(self, request: HttpRequest, documents: models.QuerySet[Document]) -> None:
        self._step_all(request, documents, submission_see, _("marked as seen"))

    @admin.action(description=gettext_lazy("Mark as filed"), permissions=["change"])
    def mark_filed(self, request: HttpRequest, documents: models.QuerySet[Document]) -> None:
        self._step_all(request, documents, submission_file, _("marked as filed"))

    def _step_all(
        self,
        request: HttpRequest,
        documents: models.QuerySet[Document],
        step: Callable[..., bool],
        done: str,
    ) -> None:
        chosen = list(documents)
        changed = sum(
            step(request=request, submission=document.submission)
            for document in chosen
            # Many at once are those that wait for the practice: what was returned waits for the family.
            if document.status in {Status.RECEIVED, Status.SEEN} and document.may_be_opened
        )
        counted = ngettext("%(count)d document %(done)s.", "%(count)d documents %(done)s.", changed)
        text = counted % {"count": changed, "done": done}
        self.message_user(request, text, messages.SUCCESS if changed else messages.WARNING)
        if left := len(chosen) - changed:
            text = ngettext(
                "%(count)d was left as it is: done before, returned, taken back, shared by "
                "the practice, or waiting for the virus scanner.",
                "%(count)d were left as they are: done before, returned, taken back, shared by "
                "the practice, or waiting for the virus scanner.",
                left,
            )
            self.message_user(request, text % {"count": left}, messages.WARNING)

    # --- one document -----------------------------------------------------------------

    def get_fieldsets(self, request: HttpRequest, obj: Document | None = None) -> Any:
        """Every fact there is, first what its pages are read with; those that did not happen to this
        document are left out."""
        if obj is None:
            return []
        first = ["name", "kind", "note", "state"]
        facts = ["person_link", "born"]
        if obj.submission is None:
            facts += ["sharer"]
            facts += ["opened"] if obj.opened_at else []
            facts += ["unshared"] if obj.unshared_at else []
        else:
            first += ["filled_in"]
            first += ["reason"] if obj.submission.reason else []
            first += ["answers"] if obj.request_id else []
            facts += ["steps", "login"]
            facts += ["handler"] if obj.submission.handled_by_id else []
            facts += ["joined"] if obj.joined_into_id else []
        facts += ["content_type", "amount", "scan", "checksum"]
        return [(None, {"fields": first}), (_("More about it"), {"fields": facts})]

    def get_fields(self, request: HttpRequest, obj: Document | None = None) -> list[str]:
        return [
            fact for _title, part in self.get_fieldsets(request, obj) for fact in part["fields"]
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Document | None = None) -> list[str]:
        return self.get_fields(request, obj)

    @admin.display(description=gettext_lazy("what became of it"))
    def steps(self, document: Document) -> str:
        return format_html_join(
            ", ", "{} {}", ((word, moment(at)) for word, at in document.submission.steps)
        )

    @admin.display(description=gettext_lazy("reason for the family"))
    def reason(self, document: Document) -> str:
        return document.submission.reason

    @admin.display(description=gettext_lazy("filled in by"))
    def filled_in(self, document: Document) -> str:
        return document.submission.filler or _("nobody said")

    @admin.display(description=gettext_lazy("sent from the login"))
    def login(self, document: Document) -> str:
        return document.submission.sent_by.email_key

    @admin.display(description=gettext_lazy("last handled by"))
    def handler(self, document: Document) -> str:
        return str(document.submission.handled_by or "")

    @admin.display(description=gettext_lazy("sent for the request"))
    def answers(self, document: Document) -> str:
        return document.request.what

    @admin.display(description=gettext_lazy("now a page of"))
    def joined(self, document: Document) -> str:
        address = reverse("admin:documents_document_change", args=[document.joined_into_id])
        return format_html('<a href="{}">{}</a>', address, document.joined_into.name)

    @admin.display(description=gettext_lazy("shared"))
    def sharer(self, document: Document) -> str:
        return f"{moment(document.sent_at)}, {document.shared_by}"

    @admin.display(description=gettext_lazy("opened by the family"))
    def opened(self, document: Document) -> str:
        return moment(document.opened_at)

    @admin.display(description=gettext_lazy("no longer shared since"))
    def unshared(self, document: Document) -> str:
        return moment(document.unshared_at)

    @admin.display(description=gettext_lazy("checksum (SHA-256)"))
    def checksum(self, document: Document) -> str:
        return document.sha256

    def text_of(self, request: HttpRequest, submission: Submission) -> str:
        document = self.row_or_404(request, submission.pk, "submission_id")
        facts = [
            (_("Kind"), document.kind.name if document.kind else ""),
            (_("Note"), document.note),
            (_("File"), f"{document.name} ({self.amount(document)})"),
            (_("Checksum (SHA-256)"), document.sha256),
        ]
        lines = [f"{label}: {one_line(value)}" for label, value in facts if value]
        head = text_head(submission, _("Document: %(name)s") % {"name": document.name})
        return "\n".join([*head, "", *lines]) + "\n"

    def left_alone(
        self, request: HttpRequest, submissions: Sequence[Submission], *, filing: bool
    ) -> set[int]:
        """What nobody can open."""
        documents = Document._default_manager.filter(submission__in=submissions)
        return {one.submission_id for one in documents if not one.may_be_opened}

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if request.method == "POST":  # nothing on the page can be edited
            raise PermissionDenied
        return super().changeform_view(request, object_id, form_url, extra_context)

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.to_choose_person(request, _("Share a document"))

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        *args: Any,
        obj: Document | None = None,
        **kwargs: Any,
    ) -> HttpResponse:
        assert obj is not None  # there is no page to add one
        may_change = self.has_change_permission(request, obj)
        if may_change and obj.may_be_opened and request.method == "GET":
            self._see(request, obj)
        status = obj.submission.status if obj.submission is not None else ""
        handled = may_change and obj.may_be_opened and bool(status)
        context |= {
            "title": _("Document"),
            "person": person_line(obj.member),
            "whose": name_and_birth_date(obj.member),
            "bar": self._bar(request, obj, may_file=handled),
            "page_numbers": range(1, obj.pages_pictured + 1) if obj.may_be_opened else (),
            "offer_return": handled and status != Status.RETURNED,
            "offer_unshare": may_change and obj.is_from_practice and obj.unshared_at is None,
            "return_form": ReturnDocumentForm(),
        }
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def _bar(
        self, request: HttpRequest, document: Document, *, may_file: bool
    ) -> dict[str, Any] | None:
        """None for what the practice shared: that is in no inbox."""
        if document.submission is None:
            return None
        file_url = reverse("admin:documents_document_file", args=[document.pk])
        return self.bar(request, document.submission, may_file=may_file, file_url=file_url)

    def _see(self, request: HttpRequest, document: Document) -> None:
        """Who may file a document has seen it by opening its page; the family reads the date. Who may
        only look leaves no mark, and what nobody can open nobody has seen."""
        submission = document.submission
        if submission is None or submission.status != Status.RECEIVED:
            return
        if not submission_see(request=request, submission=submission):
            # Taken back, or seen by somebody else, since the page was asked for.
            document.refresh_from_db()

    # --- its bytes --------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        return [
            self.own_path("<int:pk>/download/", self._download),
            self.own_path("<int:pk>/pages/<int:number>/", self._page),
            self.own_path("share/<int:member_pk>/", self._share, "GET, HEAD, POST"),
            self.own_path("of/<int:submission_pk>/", self._of_submission),
            *super().get_urls(),
        ]

    def _download(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The bytes, as a file to keep and never as a page (SECURITY R-UP-4)."""
        document = self._to_look_at(request, pk)
        response = document_response(request, document, as_attachment=True)
        with handing_out(response):
            self._record(request, audit.Action.DOWNLOAD, "ok", document)
        return response

    def _page(self, request: HttpRequest, pk: int, number: int) -> HttpResponseBase:
        """The picture of one page. Not in the audit: the document's page, which shows it, is."""
        document = self._to_look_at(request, pk)
        return picture_response(request, document, page_name(document, number))

    def _of_submission(self, request: HttpRequest, submission_pk: int) -> HttpResponse:
        """From the list of everything that was sent to this document."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self.to_its_page(self.row_or_404(request, submission_pk, "submission_id"))

    def _to_look_at(self, request: HttpRequest, pk: int) -> Document:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self.row_or_404(request, pk)

    # --- buttons ----------------------------------------------------------------------

    def _file(self, request: HttpRequest, document: Document) -> None:
        if self._can_be_handled(request, document):
            done = submission_file(request=request, submission=document.submission)
            self._tell(request, document, done, _("Filed. The family reads it with today's date."))

    def _return(self, request: HttpRequest, document: Document) -> HttpResponse | None:
        if not self._can_be_handled(request, document):
            return None
        form = ReturnDocumentForm(request.POST)
        if not form.is_valid():
            page = reverse("admin:documents_document_change", args=[document.pk])
            page = on_the_way(request, page)
            return self.form_page(
                request,
                document.member,
                form,
                title=_("Return a document"),
                button=_("Return it to the family"),
                back=page,
            )
        done = submission_return(
            request=request, submission=document.submission, reason=form.cleaned_data["reason"]
        )
        self._tell(request, document, done, _("Returned. The family reads the reason."))
        return None

    def _can_be_handled(self, request: HttpRequest, document: Document) -> bool:
        """What nobody can open, nobody files or returns."""
        if document.submission is not None and document.may_be_opened:
            return True
        self._tell(request, document, False, "")
        return False

    def _tell(self, request: HttpRequest, document: Document, done: bool, text: str) -> None:
        if done:
            self.message_user(request, text, messages.SUCCESS)
            return
        if document.submission is None:
            text = _("Nothing was changed: the practice shared this document.")
        else:
            document.submission.refresh_from_db()
            if document.submission.status == Status.WITHDRAWN:
                text = _("Nothing was changed: the family took this document back meanwhile.")
            elif not document.may_be_opened:
                text = _("Nothing was changed: nobody can open this document.")
            else:
                text = _("Nothing was changed: that was done before.")
        self.message_user(request, text, messages.WARNING)

    def _unshare(self, request: HttpRequest, document: Document) -> None:
        if document_unshare(request=request, document=document):
            text = _("No longer shared: the family does not see it any more.")
            self.message_user(request, text, messages.SUCCESS)
        else:
            text = _("Nothing was changed: this document is not shared.")
            self.message_user(request, text, messages.WARNING)

    # --- sharing ----------------------------------------------------------------------

    def _share(self, request: HttpRequest, member_pk: int) -> HttpResponse:
        """A paper for one person: new on their page until the family opens it."""
        member = self.person_or_404(request, member_pk)
        form = ShareForm(posted(request), request.FILES or None)
        if request.method == "POST" and form.is_valid():
            try:
                document = document_share(
                    request=request,
                    member=member,
                    file=form.cleaned_data["file"],
                    sending_id=form.cleaned_data["sending_id"],
                    name=form.file_name(),
                    note=form.cleaned_data["note"],
                    kind=form.cleaned_data["kind"],
                )
            except ValidationError as error:
                form.add_error("file", error)
            else:
                text = _("Shared. The family sees it as new until they open it.")
                self.message_user(request, text, messages.SUCCESS)
                return self.to_its_page(document)
        return self.form_page(
            request, member, form, title=_("Share a document"), button=_("Share it with the family")
        )


@admin.register(DocumentKind)
class DocumentKindAdmin(PortalModelAdmin):
    """The practice's own list. What is not wanted any more is no longer offered; nothing is deleted."""

    records_views = False
    list_display = ("name", "position", "is_offered")
    fields = ("name", "position", "is_offered")
