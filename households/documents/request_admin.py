"""Admin pages of what the practice asks families for: asking, changing, closing."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.requests import posted
from households.documents.models import STANDING, DocumentRequest
from households.documents.staff_forms import AskForm, RequestForm
from households.staff_pages import MemberOwnedAdmin, moment, year_first


def state_of(asked: DocumentRequest) -> str:
    """Whether the family is still asked. Its documents and their submissions were fetched with it."""
    if asked.closed_at:
        return _("closed")
    if asked.is_answered_by(asked.documents.all()):
        return _("answered")
    if asked.expires_on and asked.expires_on < timezone.localdate():
        return _("expired")
    if asked.due_on and asked.due_on < timezone.localdate():
        return _("open, overdue")
    return _("open")


class StateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("open", _("open")),
            ("answered", _("answered")),
            ("expired", _("expired")),
            ("closed", _("closed")),
        ]

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[DocumentRequest]
    ) -> models.QuerySet[DocumentRequest]:
        not_closed = queryset.filter(closed_at=None)
        match self.value():
            case "open":
                # Our queryset, which the types of admin forget.
                return not_closed.in_force(timezone.localdate()).unanswered()  # type: ignore[attr-defined]
            case "answered":
                answered = not_closed.filter(documents__submission__status__in=STANDING)
                return queryset.filter(pk__in=answered.order_by().values("pk"))
            case "expired":
                over = not_closed.filter(expires_on__lt=timezone.localdate())
                # Our queryset, which the types of admin forget.
                return over.unanswered()  # type: ignore[attr-defined]
            case "closed":
                return queryset.exclude(closed_at=None)
        return queryset


class DocumentRequestAdmin(MemberOwnedAdmin):
    form = RequestForm
    change_form_template = "admin/documents/documentrequest/change_form.html"
    list_display = ("person_name", "born", "what", "due", "state", "asked")
    list_display_links = ("person_name", "what")
    list_filter = (StateFilter, "kind")
    readonly_fields = ("person_link", "born", "state", "sent_for_it", "asked", "closed")
    fieldsets = (
        (None, {"fields": ("person_link", "born", "what", "why", "kind", "due_on", "expires_on")}),
        (gettext_lazy("So far"), {"fields": ("state", "sent_for_it", "asked", "closed")}),
    )
    buttons: ClassVar = {"close": "_close"}

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[DocumentRequest]:
        return (
            super()
            .get_queryset(request)
            .select_related("asked_by")
            .prefetch_related("documents__submission")
        )

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        return ["-asked_at", "-pk"]

    @admin.display(description=gettext_lazy("due"), ordering="due_on")
    def due(self, asked: DocumentRequest) -> str:
        return year_first(asked.due_on)

    @admin.display(description=gettext_lazy("state"))
    def state(self, asked: DocumentRequest) -> str:
        return state_of(asked)

    @admin.display(description=gettext_lazy("asked"), ordering="asked_at")
    def asked(self, asked: DocumentRequest) -> str:
        return f"{moment(asked.asked_at)}, {asked.asked_by or _('the portal')}"

    @admin.display(description=gettext_lazy("closed"))
    def closed(self, asked: DocumentRequest) -> str:
        return moment(asked.closed_at)

    @admin.display(description=gettext_lazy("sent for it"))
    def sent_for_it(self, asked: DocumentRequest) -> str:
        """Each document with a link; what the family took back is not the practice's to see."""
        rows = (
            (
                reverse("admin:documents_document_change", args=[document.pk]),
                document.name,
                document.status_words,
            )
            for document in asked.documents.all()
            if document.stands or document.status == "returned"
        )
        return format_html_join(", ", '<a href="{}">{}</a> ({})', rows) or _("nothing yet")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context["show_save_and_add_another"] = False  # another one is asked for on a person's page
        return super().render_change_form(request, context, *args, **kwargs)

    # --- asking -----------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        ask = self.own_path("ask/<int:member_pk>/", self._ask, "GET, HEAD, POST")
        return [ask, *super().get_urls()]

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.to_choose_person(request, _("Ask for a document"))

    def _ask(self, request: HttpRequest, member_pk: int) -> HttpResponse:
        member = self.person_or_404(request, member_pk)
        form = AskForm(posted(request))
        if request.method == "POST" and form.is_valid():
            # The page's id and the person make the row's: the same page sent twice asks once, and no
            # forged id meets somebody else's row.
            public_id = uuid.uuid5(form.cleaned_data.pop("sending_id"), str(member.public_id))
            with transaction.atomic():
                asked, is_new = DocumentRequest.objects.for_member(member).get_or_create(
                    public_id=public_id,
                    defaults={**form.cleaned_data, "member": member, "asked_by": request.user},
                )
                if is_new:
                    self.log_addition(request, asked, [{"added": {}}])
            text = _("Asked. The family sees it first on this person's page.")
            self.message_user(request, text, messages.SUCCESS)
            return self.to_its_page(asked)
        return self.form_page(
            request, member, form, title=_("Ask for a document"), button=_("Ask the family")
        )

    # --- closing ----------------------------------------------------------------------

    def _close(self, request: HttpRequest, asked: DocumentRequest) -> None:
        """The row is locked by now: of two who press at once, one is told that it was closed before."""
        if asked.closed_at:
            text = _("Nothing was changed: it was closed before.")
            self.message_user(request, text, messages.WARNING)
            return
        asked.closed_at = timezone.now()
        asked.save(update_fields=["closed_at"])
        self.log_change(request, asked, "closed")
        text = _("Closed. The family is not asked any more.")
        self.message_user(request, text, messages.SUCCESS)
