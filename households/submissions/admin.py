"""Admin page of everything that families sent, whatever kind it is: what nobody has seen stands on top, and
above all what suggests danger.

To look at only. Each row leads to the thing itself, on the pages of its slice: a slice has an address that
takes a submission's number.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from households.staff_pages import MemberOwnedAdmin, moment
from households.submissions.models import Submission
from households.submissions.refiling_admin import refile_page

Status = Submission.Status


_PAGES = {
    Submission.Kind.DOCUMENT: "admin:documents_document_of",
    Submission.Kind.DEMOGRAPHICS: "admin:demographics_detailchange_of",
    Submission.Kind.HISTORY: "admin:history_entrychange_of",
    Submission.Kind.FORM: "admin:intake_questionnaireresponse_of",
}


# What is looked at part by part, with the model of the parts.
_PARTS = {
    Submission.Kind.DEMOGRAPHICS: "demographics.detailchange",
    Submission.Kind.HISTORY: "history.entrychange",
}


def address_of(submission: Submission) -> str:
    """The staff's page of the thing that was sent."""
    return reverse(_PAGES[Submission.Kind(submission.kind)], args=[submission.pk])


class StatusFilter(admin.SimpleListFilter):
    """Without a choice: everything but what the family took back."""

    title = gettext_lazy("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(status.value, str(status.label)) for status in Status]

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[Submission]
    ) -> models.QuerySet[Submission]:
        chosen = self.value()
        if chosen in Status.values:
            return queryset.filter(status=chosen)
        return queryset.exclude(status=Status.WITHDRAWN)


@admin.register(Submission)
class SubmissionAdmin(MemberOwnedAdmin):
    list_display = ("thing", "born", "what", "urgent", "sent", "filled_in", "status", "handled_by")
    list_display_links = None
    list_filter = (StatusFilter, "kind")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Submission | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Submission]:
        """With the titles of the forms among them: a submission does not know its form."""
        forms = apps.get_model("intake.questionnaireresponse")._default_manager
        of_this = forms.filter(submission=models.OuterRef("pk"))
        title = of_this.values("version__questionnaire__title")[:1]
        rows = super().get_queryset(request).select_related("handled_by")
        return rows.annotate(form_title=models.Subquery(title))

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        unseen = {"status": Status.RECEIVED}
        first = models.Case(
            models.When(is_urgent=True, then=0, **unseen),
            models.When(then=1, **unseen),
            default=2,
        )
        return [first, "-sent_at", "-pk"]

    @admin.display(description=gettext_lazy("urgent"))
    def urgent(self, submission: Submission) -> str:
        if not submission.is_urgent:
            return ""
        return format_html('<strong class="portal-danger">{}</strong>', _("DANGER"))

    @admin.display(description=gettext_lazy("person"), ordering="member__last_name_key")
    def thing(self, submission: Submission) -> str:
        return format_html(
            '<a href="{}">{}</a>', address_of(submission), submission.member.full_name
        )

    @admin.display(description=gettext_lazy("what"), ordering="kind")
    def what(self, submission: Submission) -> str:
        """In the words of the page that it leads to."""
        if title := getattr(submission, "form_title", None):
            return str(title)
        model = _PARTS.get(Submission.Kind(submission.kind))
        if model is None:
            return str(submission.get_kind_display()).capitalize()
        admin_of: Any = self.admin_site.get_model_admin(apps.get_model(model))
        return str(admin_of.page_title(submission))

    @admin.display(description=gettext_lazy("filled in by"))
    def filled_in(self, submission: Submission) -> str:
        return submission.filler

    @admin.display(description=gettext_lazy("sent"), ordering="sent_at")
    def sent(self, submission: Submission) -> str:
        return moment(submission.sent_at)

    def get_urls(self) -> list[URLPattern]:
        refile = self.own_path("<int:pk>/refile/", self._refile, "GET, HEAD, POST")
        return [refile, *super().get_urls()]

    def _refile(self, request: HttpRequest, pk: int) -> HttpResponse:
        return refile_page(self, request, pk)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        title = {"title": _("What families sent")}
        return super().changelist_view(request, {**title, **(extra_context or {})})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """There is nothing to see but the thing itself."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        submission = self.get_object(request, object_id)
        if submission is None:
            raise Http404
        return HttpResponseRedirect(address_of(submission))
