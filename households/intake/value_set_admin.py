"""Admin pages of the lists of choices that forms name. They come with a file (definition_admin.py)."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.text import slugify
from django.utils.translation import gettext_lazy

from accounts import audit
from households.intake.definition_admin import FormsAdmin
from households.intake.engine.listing import value_set_of
from households.intake.models import Questionnaire, ValueSet
from households.staff_pages import moment

_MOST_CHOICES = 500


@admin.register(ValueSet)
class ValueSetAdmin(FormsAdmin):
    change_form_template = "admin/intake/value_set.html"
    change_list_template = "admin/intake/value_sets.html"
    list_display = ("title", "url", "choices", "imported")
    search_fields = ("title", "url")
    search_help_text = gettext_lazy("A part of the title or of the address")
    readonly_fields = ("url", "choices", "imported", "used_by")
    fieldsets = ((None, {"fields": ("title", "url", "choices", "imported", "used_by")}),)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @admin.display(description=gettext_lazy("choices"))
    def choices(self, value_set: ValueSet) -> int:
        return len(value_set.concepts)

    @admin.display(description=gettext_lazy("imported"), ordering="imported_at")
    def imported(self, value_set: ValueSet) -> str:
        return moment(value_set.imported_at)

    @admin.display(description=gettext_lazy("used by"))
    def used_by(self, value_set: ValueSet) -> str:
        """The forms whose versions name it; one query."""
        named = Questionnaire.objects.filter(
            versions__definition__icontains=json.dumps(value_set.url)[1:-1]
        ).distinct()
        return ", ".join(one.title for one in named[:20]) or "–"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"may_import": request.user.has_perm("intake.add_questionnaire")}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        *args: Any,
        obj: Any = None,
        **kwargs: Any,
    ) -> HttpResponse:
        context["title"], context["subtitle"] = obj.title, ""
        context["concepts"] = [
            {
                "words": concept.get("display") or concept.get("code", ""),
                "code": concept.get("code", ""),
                "weight": concept.get("weight", ""),
            }
            for concept in obj.concepts[:_MOST_CHOICES]
        ]
        context["more_concepts"] = max(0, len(obj.concepts) - _MOST_CHOICES)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        return [self.own_path("<int:pk>/export/", self._export), *super().get_urls()]

    def _export(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        value_set = self.row_or_404(request, pk)
        self._record(request, audit.Action.EXPORT, "ok", value_set)
        resource = value_set_of(value_set.url, value_set.title, value_set.concepts)
        return self.as_file(request, resource, slugify(value_set.title)[:60] or "choices")
