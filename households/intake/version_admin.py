"""Admin pages of one version of a form: what it asks, what its import had to say, and the buttons that
publish, retire, begin anew and discard. Forms and the import are in definition_admin.py."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.text import slugify
from django.utils.translation import gettext as _

from accounts import audit
from households.intake.definition_admin import FormsAdmin, by_level
from households.intake.engine.findings import walk
from households.intake.engine.lint import looked
from households.intake.importing import missing_lists
from households.intake.models import (
    Questionnaire,
    QuestionnaireResponse,
    QuestionnaireVersion,
    ValueSet,
)
from households.intake.publishing import (
    draft_discard,
    draft_from,
    refusals,
    version_publish,
    version_retire,
)
from households.staff_pages import moment

Status = QuestionnaireVersion.Status


def _findings_now(version: QuestionnaireVersion) -> list[dict[str, str]]:
    """What the import repaired, and what is different as the version and the lists on file are now."""
    on_file = set(ValueSet.objects.values_list("url", flat=True))
    now = [finding.as_json() for finding in looked(version.definition, on_file)]
    return [*(one for one in version.report if one.get("level") != "warn"), *now]


@admin.register(QuestionnaireVersion)
class QuestionnaireVersionAdmin(FormsAdmin):
    """Reached from its form: a version is looked at, published, retired; what it asks changes in the
    builder, as long as it is a draft."""

    form = forms.ModelForm  # type: ignore[assignment] # nothing on the page can be edited
    change_form_template = "admin/intake/version.html"
    buttons: ClassVar = {
        "publish": "_publish",
        "retire": "_retire",
        "draft": "_draft",
        "discard": "_discard",
    }

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        return {}  # not in the index: the list of forms is

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[QuestionnaireVersion]:
        return super().get_queryset(request).select_related("questionnaire")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        return HttpResponseRedirect(reverse("admin:intake_questionnaire_changelist"))

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

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        *args: Any,
        obj: Any = None,
        **kwargs: Any,
    ) -> HttpResponse:
        questionnaire = obj.questionnaire
        items = [item for item, _parent in walk(obj.definition.get("item"))]
        others = questionnaire.versions.exclude(pk=obj.pk)
        why_not = refusals(obj) if obj.status == Status.DRAFT else []
        context |= {
            "title": _("%(title)s, version %(number)d")
            % {"title": questionnaire.title, "number": obj.number},
            "subtitle": "",
            "questionnaire": questionnaire,
            "groups": by_level(_findings_now(obj)),
            "missing_lists": missing_lists(obj.definition),
            "published": moment(obj.published_at),
            "made": moment(obj.created_at),
            "question_count": sum(
                1 for item in items if item.get("type") not in ("group", "display")
            ),
            "text_count": sum(1 for item in items if item.get("type") in ("group", "display")),
            "sent_count": QuestionnaireResponse.objects.filter(version=obj)
            .exclude(submission=None)
            .count(),
            "why_not": why_not,
            "has_draft": others.filter(status=Status.DRAFT).exists(),
            "stands_published": others.filter(status=Status.PUBLISHED).first(),
            "may_change": self.has_change_permission(request, obj),
        }
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        return [self.own_path("<int:pk>/export/", self._export), *super().get_urls()]

    def _export(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        version = self.row_or_404(request, pk)
        self._record(request, audit.Action.EXPORT, "ok", version)
        name = slugify(version.questionnaire.title)[:60] or "form"
        return self.as_file(request, version.definition, f"{name}-{version.number}")

    # --- buttons ----------------------------------------------------------------------

    def _as_seen(self, request: HttpRequest, version: QuestionnaireVersion) -> QuestionnaireVersion:
        """The version at the revision that stood on the page when the button was pressed."""
        seen = request.POST.get("revision", "")
        version.revision = int(seen) if seen.isdecimal() and len(seen) < 9 else 0
        return version

    def _publish(self, request: HttpRequest, version: QuestionnaireVersion) -> HttpResponse:
        why_not = refusals(version)
        if why_not and version.status == Status.DRAFT:
            text = _("Not published: %(why)s") % {"why": " ".join(why_not)}
            self.message_user(request, text, messages.ERROR)
        else:
            done = version_publish(request=request, version=self._as_seen(request, version))
            self.tell(request, done, _("Published. It is frozen now, and families are asked it."))
        return self.to_page(QuestionnaireVersion, version)

    def _retire(self, request: HttpRequest, version: QuestionnaireVersion) -> HttpResponse:
        done = version_retire(request=request, version=version)
        self.tell(request, done, _("Retired. Nobody is asked it any more; what was sent stays."))
        return self.to_page(QuestionnaireVersion, version)

    def _draft(self, request: HttpRequest, version: QuestionnaireVersion) -> HttpResponse:
        draft = draft_from(request=request, version=version)
        text = _("A new draft. Families see the published version until you publish this one.")
        self.tell(request, draft is not None, text)
        return self.to_page(QuestionnaireVersion, draft or version)

    def _discard(self, request: HttpRequest, version: QuestionnaireVersion) -> HttpResponse:
        questionnaire = version.questionnaire
        done = draft_discard(request=request, version=self._as_seen(request, version))
        self.tell(request, done, _("The draft is gone."))
        if not done:
            return self.to_page(QuestionnaireVersion, version)
        if Questionnaire.objects.filter(pk=questionnaire.pk).exists():
            return self.to_page(Questionnaire, questionnaire)
        return HttpResponseRedirect(reverse("admin:intake_questionnaire_changelist"))
