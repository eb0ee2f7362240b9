"""Admin page on which the owner says who of the staff gets mail about the inbox, and how often."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.models import StaffAccount
from accounts.staff_pages import PortalModelAdmin
from households.desk.models import StaffMailSubscription
from households.desk.staff_mail import mode_set, sees_inbox
from households.models import Practice

# A practice of more staff than this has other ways to be told.
_MOST = 200
_MODES = (("", gettext_lazy("no mail")), *StaffMailSubscription.Mode.choices)


class StaffMailForm(forms.Form):
    """One row for each of the staff who may see the inbox."""

    use_required_attribute = False

    def __init__(self, *args: Any, staff: list[StaffAccount], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        modes = dict(StaffMailSubscription.objects.values_list("staff_id", "mode"))
        self.staff = {f"mode_{one.pk}": one for one in staff}
        for name, one in self.staff.items():
            self.fields[name] = forms.ChoiceField(
                label=str(one),
                choices=_MODES,
                required=False,
                initial=modes.get(one.pk, ""),
                error_messages={"invalid_choice": _("Choose one of these.")},
            )

    def rows(self) -> list[tuple[StaffAccount, Any]]:
        return [(one, self[name]) for name, one in self.staff.items()]


class StaffMailAdmin(PortalModelAdmin):
    """One page, no rows to open."""

    records_views = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return require_http_methods(["GET", "HEAD", "POST"])(self._page)(request)

    def change_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        raise Http404

    def history_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.change_view(request)

    def _page(self, request: HttpRequest) -> HttpResponse:
        may_change = self.has_change_permission(request)
        if not self.has_view_or_change_permission(request) or (
            request.method == "POST" and not may_change
        ):
            raise PermissionDenied
        active = StaffAccount.objects.filter(is_active=True)[:_MOST]
        staff = [one for one in StaffAccount.with_permissions(active) if sees_inbox(one)]
        form, status = StaffMailForm(staff=staff), 200
        if request.method == "POST":
            form = StaffMailForm(request.POST, staff=staff)
            if form.is_valid():
                return self._save(request, form)
            status = 422
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Mail to staff"),
            "form": form,
            "may_change": may_change,
            "modes": dict(_MODES),
            "practice": Practice.load(),
            "settings_url": reverse("admin:households_practice_change", args=[1]),
        }
        return TemplateResponse(request, "admin/desk/staff_mail.html", context, status=status)

    def _save(self, request: HttpRequest, form: StaffMailForm) -> HttpResponse:
        for name, one in form.staff.items():
            if name in request.POST:  # somebody who came on staff meanwhile is not switched off
                mode_set(request=request, staff=one, mode=form.cleaned_data[name])
        self.message_user(request, _("Saved."), messages.SUCCESS)
        return HttpResponseRedirect(request.path)
