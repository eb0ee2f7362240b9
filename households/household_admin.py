"""Admin pages of household accounts: whom a login opens and why not, links, sessions, pauses (PRODUCT H2).

The people of a login are asked of the members on file, here as everywhere; the account knows nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts import sessions, throttle
from accounts.emails import email_key
from accounts.links import send_password_link
from accounts.models import HouseholdAccount, HouseholdSession, PasswordLink
from accounts.staff_pages import PortalModelAdmin
from households.models import Member
from households.portal_access import why_closed
from households.search import starts_with

_LATEST = 10


def state_of(account: HouseholdAccount, people: int) -> str:
    """One word or two on whether a family can get in with this login."""
    if not account.is_active:
        return _("paused")
    if not people:
        return _("nobody on file")
    return _("ready") if account.has_password else _("never set up")


def state_of_link(link: PasswordLink) -> str:
    if link.used_at:
        return _("used")
    if link.ended_at:
        return _("ended")
    return _("open") if link.expires_at > timezone.now() else _("expired")


class StateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"
    _ways: ClassVar = {
        "never": models.Q(is_active=True, password="", people__gt=0),
        "ready": models.Q(is_active=True, people__gt=0) & ~models.Q(password=""),
        "paused": models.Q(is_active=False),
        "nobody": models.Q(is_active=True, people=0),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("never", _("never set up")),
            ("ready", _("ready")),
            ("paused", _("paused")),
            ("nobody", _("nobody on file")),
        ]

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[HouseholdAccount]
    ) -> models.QuerySet[HouseholdAccount]:
        way = self._ways.get(self.value() or "")
        return queryset if way is None else queryset.filter(way)


class HouseholdAccountAdmin(PortalModelAdmin):
    """Accounts come from the members' emails: there is none to add, and none to delete."""

    change_form_template = "admin/accounts/householdaccount/change_form.html"
    list_display = ("email_key", "state", "people", "last_sign_in_at")
    list_filter = (StateFilter,)
    search_fields = ("email_key",)
    search_help_text = gettext_lazy("The beginning of the email")
    readonly_fields = ("email_key", "state", "password_set_at", "last_sign_in_at")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "email_key",
                    "state",
                    "is_active",
                    "password_set_at",
                    "last_sign_in_at",
                )
            },
        ),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[HouseholdAccount]:
        on_email = Member.objects.with_portal_access().filter(
            email_key=models.OuterRef("email_key")
        )
        counted = on_email.order_by().values("email_key").annotate(n=models.Count("pk")).values("n")
        people = Coalesce(models.Subquery(counted), 0)
        return super().get_queryset(request).annotate(people=people)

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        typed = email_key(search_term)
        return (queryset.filter(starts_with("email_key", typed)) if typed else queryset), False

    @admin.display(description=gettext_lazy("state"))
    def state(self, account: HouseholdAccount) -> str:
        return state_of(account, account.people)

    @admin.display(description=gettext_lazy("people it opens"), ordering="people")
    def people(self, account: HouseholdAccount) -> int:
        return account.people

    def about(self, obj: HouseholdAccount) -> str:
        return obj.email_key

    def audit_ids(self, obj: HouseholdAccount) -> dict[str, int]:
        return {"account_id": obj.pk}

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        *args: Any,
        obj: Any = None,
        **kwargs: Any,
    ) -> HttpResponse:
        context["people"] = [
            (member, why_closed(member))
            for member in Member.objects.filter(email_key=obj.email_key)
        ]
        context["open_sessions"] = obj.sessions.open()[:_LATEST]
        context["links"] = [(link, state_of_link(link)) for link in obj.links.all()[:_LATEST]]
        context["pause_seconds"] = max(
            throttle.pause_of(throttle.SIGN_IN, obj.email_key),
            throttle.pause_of(throttle.PICK, str(obj.pk)),
        )
        context["may_change"] = self.has_change_permission(request, obj)
        context["may_open_members"] = request.user.has_perm("households.view_member")
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    # --- buttons ----------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        buttons = {
            "send-link": self._send_link,
            "end-sessions": self._end_sessions,
            "lift-pause": self._lift_pause,
        }
        ours = [
            path(
                f"<int:pk>/{name}/",
                self.admin_site.admin_view(require_POST(self._button(press))),
                name=f"accounts_householdaccount_{name.replace('-', '_')}",
            )
            for name, press in buttons.items()
        ]
        return [*ours, *super().get_urls()]

    def _button(
        self, press: Callable[[HttpRequest, HouseholdAccount], str]
    ) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, pk: int) -> HttpResponse:
            if not self.has_change_permission(request):
                raise PermissionDenied
            if pk.bit_length() > 63:
                raise Http404
            with transaction.atomic():
                account = get_object_or_404(self.get_queryset(request), pk=pk)
                self.log_change(request, account, press(request, account))
            return HttpResponseRedirect(
                reverse("admin:accounts_householdaccount_change", args=[account.pk])
            )

        return view

    def _send_link(self, request: HttpRequest, account: HouseholdAccount) -> str:
        if not account.is_active or not account.people:
            text = _("No link is sent: this login is paused, or it opens nobody.")
            self.message_user(request, text, messages.WARNING)
            return "link-refused"
        send_password_link.enqueue(account.email_key)
        self.message_user(request, _("The mail with the link is on its way."), messages.SUCCESS)
        return "link-sent"

    def _end_sessions(self, request: HttpRequest, account: HouseholdAccount) -> str:
        still_open = HouseholdSession.objects.filter(account=account).open()
        sessions.end(still_open, HouseholdSession.End.STAFF, request=request)
        self.message_user(request, _("All sessions of this login are ended."), messages.SUCCESS)
        return "sessions-ended"

    def _lift_pause(self, request: HttpRequest, account: HouseholdAccount) -> str:
        throttle.clear(throttle.SIGN_IN, account.email_key)
        throttle.clear(throttle.PICK, str(account.pk))
        self.message_user(request, _("The family can try again now."), messages.SUCCESS)
        return "pause-lifted"
