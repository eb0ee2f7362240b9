"""Admin pages of documents: to read and to download, with the person's name and birth date on each."""

from __future__ import annotations

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from accounts import audit
from households.admin import FindsPeople, name_and_birth_date, year_first
from households.documents.models import Document
from households.documents.serving import document_response


@admin.register(Document)
class DocumentAdmin(FindsPeople):
    form = forms.ModelForm
    person = "member"
    list_display = (
        "person_name",
        "born",
        "name",
        "sent_at",
        "content_type",
        "short_size",
        "state",
    )
    list_select_related = ("member", "submission")
    list_filter = ("submission__status", "content_type")
    list_display_links = ("person_name", "name")
    fields = (
        "person_link",
        "born",
        "name",
        "note",
        "content_type",
        "short_size",
        "state",
        "sent_at",
        "download",
    )
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Document | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Document]:
        return super().get_queryset(request).select_related("member", "submission")

    def about(self, obj: Document) -> str:
        return name_and_birth_date(obj.member)

    def audit_ids(self, obj: Document) -> dict[str, int]:
        return {"member_id": obj.member_id}

    @admin.display(description=gettext_lazy("person"), ordering="member__last_name_key")
    def person_name(self, document: Document) -> str:
        return document.member.full_name

    @admin.display(description=gettext_lazy("person"))
    def person_link(self, document: Document) -> str:
        return format_html(
            '<a href="{}">{}</a>',
            reverse("admin:households_member_change", args=[document.member_id]),
            document.member.full_name,
        )

    @admin.display(description=gettext_lazy("date of birth"))
    def born(self, document: Document) -> str:
        return year_first(document.member.date_of_birth)

    @admin.display(description=gettext_lazy("size"), ordering="size")
    def short_size(self, document: Document) -> str:
        return filesizeformat(document.size)

    @admin.display(description=gettext_lazy("status"), ordering="submission__status")
    def state(self, document: Document) -> str:
        return document.status_words

    @admin.display(description=gettext_lazy("file"))
    def download(self, document: Document) -> str:
        return format_html(
            '<a href="{}">{}</a>',
            reverse("admin:documents_document_download", args=[document.pk]),
            _("Download"),
        )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_safe(self._download))
        ours = [path("<int:pk>/download/", view, name="documents_document_download")]
        return [*ours, *super().get_urls()]

    def _download(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The bytes, as a file to keep and never as a page (SECURITY R-UP-4)."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if pk.bit_length() > 63:
            raise Http404
        document = get_object_or_404(self.get_queryset(request), pk=pk)
        response = document_response(request, document, as_attachment=True)
        self._record(request, audit.Action.DOWNLOAD, "ok", document)
        return response
