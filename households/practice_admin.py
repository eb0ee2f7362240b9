"""Admin page of the practice's settings."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy

from accounts.staff_pages import PortalModelAdmin
from households.models import Practice


class PracticeAdmin(PortalModelAdmin):
    records_views = False
    fieldsets = (
        (
            None,
            {"fields": ("name", "phone", "hours", "address", "sender", "time_zone")},
        ),
        (gettext_lazy("How the portal behaves"), {"fields": ("one_tap_switching", "crisis_text")}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Practice | None:
        """The one row; before anybody edited it, its defaults, which the first save writes."""
        if object_id != "1":
            return None
        return super().get_object(request, object_id, from_field) or Practice.load()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return HttpResponseRedirect(reverse("admin:households_practice_change", args=[1]))
