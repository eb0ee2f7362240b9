"""Admin pages of forms: the list, a form's settings and versions, the import of files. A version's page is
in version_admin.py, lists of choices are in value_set_admin.py.

Nothing is saved from a file before staff have read its report.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from accounts.staff_pages import PortalModelAdmin
from households.intake.engine.findings import walk
from households.intake.models import (
    Questionnaire,
    QuestionnaireResponse,
    QuestionnaireVersion,
    ValueSet,
)
from households.intake.publishing import (
    Outcome,
    form_keep,
    list_keep,
    outcome_of,
)
from households.intake.staff_forms import ImportForm
from households.intake.starters import starters_add
from households.staff_pages import moment

Status = QuestionnaireVersion.Status
_LEVELS = {
    "refuse": gettext_lazy("Must be put right before it can be used"),
    "repair": gettext_lazy("Put right by the import"),
    "warn": gettext_lazy("Different here from what the file asks for"),
}
_OUTCOMES = {
    Outcome.NEW: gettext_lazy("a new form"),
    Outcome.NEW_VERSION: gettext_lazy("a new draft of a form on file"),
    Outcome.DRAFT_REPLACED: gettext_lazy("takes the place of the draft on file"),
    Outcome.SAME: gettext_lazy("on file already, nothing changes"),
}


def by_level(findings: list[dict[str, str]]) -> list[dict[str, Any]]:
    """A report as its pages show it: worst first, under headings."""
    groups = []
    for level, title in _LEVELS.items():
        of_level = [one for one in findings if one.get("level") == level]
        if of_level:
            groups.append({"level": level, "title": title, "findings": of_level})
    return groups


class FormsAdmin(PortalModelAdmin):
    """Pages of the practice's own: nobody's health is on them, so looking leaves no mark in the audit."""

    records_views = False
    # Words in the address of a POST, and the method behind each.
    buttons: ClassVar[dict[str, str]] = {}

    def own_path(
        self, route: str, view: Callable[..., HttpResponseBase], methods: str = "GET, HEAD"
    ) -> URLPattern:
        words = "_".join(re.findall(r"[a-z]+", re.sub(r"<.*?>", "", route)))
        allowed = require_http_methods(methods.split(", "))(view)
        name = f"{self.opts.app_label}_{self.opts.model_name}_{words}"
        return path(route, self.admin_site.admin_view(allowed), name=name)

    def get_urls(self) -> list[URLPattern]:
        ours = [
            self.own_path(f"<int:pk>/{word}/", self._button(getattr(self, method)), "POST")
            for word, method in self.buttons.items()
        ]
        return [*ours, *super().get_urls()]

    def row_or_404(self, request: HttpRequest, pk: int) -> Any:
        if pk.bit_length() > 63:  # databases refuse it in their own ways
            raise Http404
        return get_object_or_404(self.get_queryset(request), pk=pk)

    def to_page(self, model: type[models.Model], obj: Any) -> HttpResponseRedirect:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
        return HttpResponseRedirect(reverse(name, args=[obj.pk]))

    def _button(self, press: Callable[[HttpRequest, Any], HttpResponse]) -> Any:
        def view(request: HttpRequest, pk: int) -> HttpResponse:
            if not self.has_change_permission(request):
                raise PermissionDenied
            with transaction.atomic():
                return press(request, self.row_or_404(request, pk))

        return view

    def tell(self, request: HttpRequest, done: bool, text: str) -> None:
        if done:
            self.message_user(request, text, messages.SUCCESS)
        else:
            text = _("Nothing was changed: somebody else was here first. This is how it stands.")
            self.message_user(request, text, messages.WARNING)

    def as_file(self, request: HttpRequest, resource: dict[str, Any], name: str) -> HttpResponse:
        text = json.dumps(resource, indent=2, ensure_ascii=False)
        response = HttpResponse(text, content_type="application/fhir+json; charset=utf-8")
        response.headers["Content-Disposition"] = f'attachment; filename="{name}.json"'
        return response


# --- forms ----------------------------------------------------------------------------


@admin.register(Questionnaire)
class QuestionnaireAdmin(FormsAdmin):
    change_form_template = "admin/intake/questionnaire.html"
    change_list_template = "admin/intake/questionnaires.html"
    list_display = (
        *("name", "kind", "published", "versions_kept", "is_offered", "is_clinical", "sent"),
    )
    list_display_links = ("name",)
    list_filter = ("kind", "is_offered")
    search_fields = ("title", "url")
    search_help_text = gettext_lazy("A part of the title or of the address")
    readonly_fields = ("url", "sent")
    _settings = ("title", "kind", "is_offered", "needs_signature", "is_clinical")
    fieldsets = ((None, {"fields": (*_settings, "url", "sent")}),)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Questionnaire]:
        versions = QuestionnaireVersion.objects.filter(
            questionnaire=models.OuterRef("pk")
        ).order_by()
        published = versions.filter(status=Status.PUBLISHED)
        counted = versions.values("questionnaire").annotate(n=models.Count("pk")).values("n")
        responses = (
            QuestionnaireResponse.objects.filter(version__questionnaire=models.OuterRef("pk"))
            .exclude(submission=None)
            .order_by()
            .values("version__questionnaire")
            .annotate(n=models.Count("pk"))
            .values("n")
        )
        return (
            super()
            .get_queryset(request)
            .annotate(
                published_number=models.Subquery(published.values("number")[:1]),
                published_when=models.Subquery(published.values("published_at")[:1]),
                version_count=Coalesce(models.Subquery(counted), 0),
                has_draft=models.Exists(versions.filter(status=Status.DRAFT)),
                sent_count=Coalesce(models.Subquery(responses), 0),
            )
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A form is imported or built; admin's own page to add a row is not used."""
        return False

    def may_import(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("intake.add_questionnaire"))

    @admin.display(description=gettext_lazy("title"), ordering="title")
    def name(self, questionnaire: Questionnaire) -> str:
        return questionnaire.title

    @admin.display(description=gettext_lazy("published"), ordering="published_when")
    def published(self, questionnaire: Any) -> str:
        if questionnaire.published_number is None:
            return _("not published")
        return _("version %(number)d, %(when)s") % {
            "number": questionnaire.published_number,
            "when": moment(questionnaire.published_when),
        }

    @admin.display(description=gettext_lazy("versions"), ordering="version_count")
    def versions_kept(self, questionnaire: Any) -> str:
        count = str(questionnaire.version_count)
        return _("%(count)s, with a draft") % {"count": count} if questionnaire.has_draft else count

    @admin.display(description=gettext_lazy("sent by families"), ordering="sent_count")
    def sent(self, questionnaire: Any) -> int:
        return int(questionnaire.sent_count)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"may_import": self.may_import(request)}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        *args: Any,
        obj: Any = None,
        **kwargs: Any,
    ) -> HttpResponse:
        versions = obj.versions.select_related("published_by").defer("definition", "report")
        context["title"] = obj.title
        context["subtitle"] = ""
        context["versions"] = [
            {
                "version": version,
                "published": moment(version.published_at),
                "made": moment(version.created_at),
            }
            for version in versions
        ]
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    # --- import -----------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        return [
            self.own_path("import/", self._import, "GET, HEAD, POST"),
            self.own_path("starters/", self._add_starters, "POST"),
            *super().get_urls(),
        ]

    def _import(self, request: HttpRequest) -> HttpResponse:
        """First the file, then its report, then, with "Import", what it holds is saved as drafts."""
        if not self.may_import(request):
            raise PermissionDenied
        asked: dict[str, Any] = {"staff_pk": request.user.pk}
        form = ImportForm(**asked)
        context: dict[str, Any] = {"title": _("Import a form")}
        status = 200
        if request.method == "POST":
            form = ImportForm(request.POST, request.FILES, **asked)
            if form.is_valid() and "confirm" in request.POST and form.read().can_be_saved:
                return self._keep(request, form)
            if form.is_valid():
                context |= self._report(form)
                context["kept"] = form.keep()
                form = ImportForm(**asked)
            else:
                status = 422
        context |= {**self.admin_site.each_context(request), "opts": self.opts, "form": form}
        return TemplateResponse(request, "admin/intake/import.html", context, status=status)

    def _report(self, form: ImportForm) -> dict[str, Any]:
        read = form.read()
        forms_read = []
        for one in read.forms:
            outcome = None if one.is_refused else outcome_of(one)[0]
            forms_read.append(
                {
                    "title": one.title,
                    "url": one.url,
                    "count": sum(1 for _each in walk(one.definition.get("item"))),
                    "becomes": _("cannot be imported") if outcome is None else _OUTCOMES[outcome],
                    "is_refused": one.is_refused,
                    "groups": by_level([finding.as_json() for finding in one.findings]),
                }
            )
        return {
            "forms_read": forms_read,
            "lists_read": read.lists,
            "others": sorted(read.others.items()),
            "can_be_saved": read.can_be_saved,
        }

    def _keep(self, request: HttpRequest, form: ImportForm) -> HttpResponse:
        read = form.read()
        with transaction.atomic():
            for each in read.lists:
                if not each.says:
                    list_keep(request=request, read=each)
                    text = _("Imported the list of choices “%(title)s”.") % {"title": each.title}
                    self.message_user(request, text, messages.SUCCESS)
            kept = [
                (one, *form_keep(request=request, form=one))
                for one in read.forms
                if not one.is_refused
            ]
        form.let_go()
        for one, outcome, _version in kept:
            text = _("“%(title)s”: %(outcome)s.") % {
                "title": one.title,
                "outcome": _OUTCOMES[outcome],
            }
            level = messages.INFO if outcome == Outcome.SAME else messages.SUCCESS
            self.message_user(request, text, level)
        if len(kept) == 1:
            return self.to_page(QuestionnaireVersion, kept[0][2])
        model = Questionnaire if kept else ValueSet
        return HttpResponseRedirect(reverse(f"admin:intake_{model._meta.model_name}_changelist"))

    def _add_starters(self, request: HttpRequest) -> HttpResponse:
        if not self.may_import(request):
            raise PermissionDenied
        added = len(starters_add(request=request))
        text = ngettext(
            "Added %(count)d starter form as a draft. Read it and publish what you want to use.",
            "Added %(count)d starter forms as drafts. Read them and publish what you want to use.",
            added,
        )
        if added:
            self.message_user(request, text % {"count": added}, messages.SUCCESS)
        else:
            self.message_user(request, _("All starter forms are on file already."), messages.INFO)
        return HttpResponseRedirect(reverse("admin:intake_questionnaire_changelist"))
