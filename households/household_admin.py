"""Household accounts in admin: the list, and the buttons of the household page (PRODUCT H2).

The people of a login are asked of the members on file, here as everywhere; the account knows nobody.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction
from django.db.models.functions import Coalesce
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts import sessions, throttle
from accounts.emails import email_key
from accounts.links import send_for_staff
from accounts.models import HouseholdAccount, HouseholdSession
from accounts.staff_pages import PortalModelAdmin
from households import fixes
from households.email_change import EmailChange
from households.email_preview import NeedsConfirmation, confirm, preview_page
from households.household_page import Wrong, account_url, household_page
from households.member_admin import BirthDateField
from households.models import Member
from households.search import starts_with
from households.staff_pages import year_first

# A second press of the same button says so and mails nothing.
_ONE_PRESS = timedelta(seconds=20)


def state_of(account: HouseholdAccount, people: int) -> str:
    """One word or two on whether a family can get in with this login."""
    if not account.is_active:
        return _("paused")
    if not people:
        return _("nobody on file")
    return _("ready") if account.has_password else _("never set up")


class StateFilter(admin.SimpleListFilter):
    """Of the states those that many logins have. To find the few with nobody on file, the database would go
    through all of them."""

    title = gettext_lazy("state")
    parameter_name = "state"
    _ways: ClassVar = {
        "never": models.Q(is_active=True, password="", people__gt=0),
        "ready": models.Q(is_active=True, people__gt=0) & ~models.Q(password=""),
        "paused": models.Q(is_active=False),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("never", _("never set up")),
            ("ready", _("ready")),
            ("paused", _("paused")),
        ]

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[HouseholdAccount]
    ) -> models.QuerySet[HouseholdAccount]:
        way = self._ways.get(self.value() or "")
        return queryset if way is None else queryset.filter(way)


class Refused(Exception):
    """A form of the page is not accepted; its transaction is undone."""

    def __init__(self, wrong: Wrong) -> None:
        self.wrong = wrong


class HouseholdAccountAdmin(PortalModelAdmin):
    """Accounts come from the members' emails: there is none to add, and none to delete. The page of one is
    the household page, and everything on it is changed by its buttons."""

    list_display = ("email_key", "state", "people", "last_sign_in_at")
    sortable_by = ("email_key",)
    list_filter = (StateFilter,)
    search_fields = ("email_key",)
    search_help_text = gettext_lazy("The beginning of the email")

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

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        account = self.get_object(request, object_id)
        if account is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return household_page(request, self.admin_site, account.email_key)

    # --- buttons ----------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        of_login = {
            "send-link": self._send_link,
            "lift-pause": self._lift_pause,
            "end-sessions": self._end_sessions,
            "end-session": self._end_session,
            "close-login": self._close_login,
            "open-login": self._open_login,
        }
        of_person = {
            "also-called": self._also_called,
            "birth-date": self._birth_date,
            "portal-access": self._portal_access,
        }
        buttons = {name: self._button(press) for name, press in of_login.items()}
        buttons |= {name: self._person_button(press) for name, press in of_person.items()}
        ours = [
            path(
                f"<int:pk>/{name}/",
                self.admin_site.admin_view(require_POST(view)),
                name=f"accounts_householdaccount_{name.replace('-', '_')}",
            )
            for name, view in buttons.items()
        ]
        return [*ours, *super().get_urls()]

    def _account_or_404(self, request: HttpRequest, pk: int) -> HouseholdAccount:
        if pk.bit_length() > 63:
            raise Http404
        return get_object_or_404(self.get_queryset(request), pk=pk)

    def _button(
        self, press: Callable[[HttpRequest, HouseholdAccount], str]
    ) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, pk: int) -> HttpResponse:
            if not self.has_change_permission(request):
                raise PermissionDenied
            with transaction.atomic():
                account = self._account_or_404(request, pk)
                self.log_change(request, account, press(request, account))
            return HttpResponseRedirect(account_url(account))

        return view

    def _send_link(self, request: HttpRequest, account: HouseholdAccount) -> str:
        if not account.is_active or not account.people:
            text = _("No link is sent: this login is paused, or it opens nobody.")
            self.message_user(request, text, messages.WARNING)
            return "link-refused"
        just_now = account.mails.filter(by_staff=True, queued_at__gt=timezone.now() - _ONE_PRESS)
        if just_now.exists():
            self.message_user(request, _("A link was sent just now. One is enough."), messages.INFO)
            return "link-sent-before"
        send_for_staff(account)
        self.message_user(request, _("The mail with the link is on its way."), messages.SUCCESS)
        return "link-sent"

    def _end_sessions(self, request: HttpRequest, account: HouseholdAccount) -> str:
        still_open = HouseholdSession.objects.filter(account=account).open()
        sessions.end(still_open, HouseholdSession.End.STAFF, request=request)
        self.message_user(request, _("All sessions of this login are ended."), messages.SUCCESS)
        return "sessions-ended"

    def _end_session(self, request: HttpRequest, account: HouseholdAccount) -> str:
        session = _number(request.POST.get("session", ""))
        still_open = HouseholdSession.objects.filter(account=account, pk=session).open()
        if sessions.end(still_open, HouseholdSession.End.STAFF, request=request):
            self.message_user(request, _("That session is ended."), messages.SUCCESS)
            return "session-ended"
        self.message_user(request, _("That session was over already."), messages.INFO)
        return "session-over"

    def _lift_pause(self, request: HttpRequest, account: HouseholdAccount) -> str:
        for rule in (throttle.SIGN_IN, throttle.LINK_MAIL, throttle.PASSWORD_CHANGE):
            throttle.clear(rule, account.email_key)
        throttle.clear(throttle.PICK, str(account.pk))
        self.message_user(request, _("The family can try again now."), messages.SUCCESS)
        return "pause-lifted"

    def _close_login(self, request: HttpRequest, account: HouseholdAccount) -> str:
        HouseholdAccount.objects.filter(pk=account.pk).update(is_active=False)
        sessions.end(
            HouseholdSession.objects.filter(account=account),
            HouseholdSession.End.PAUSED,
            request=request,
        )
        text = _("The login is closed. Nobody can sign in with it, and nobody is signed in.")
        self.message_user(request, text, messages.SUCCESS)
        return "login-closed"

    def _open_login(self, request: HttpRequest, account: HouseholdAccount) -> str:
        HouseholdAccount.objects.filter(pk=account.pk).update(is_active=True)
        self.message_user(
            request, _("The login is open: they can sign in again."), messages.SUCCESS
        )
        return "login-opened"

    # --- buttons about one of the people ----------------------------------------------

    def _person_button(
        self, press: Callable[[HttpRequest, Member], None]
    ) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, pk: int) -> HttpResponse:
            if not self.has_view_or_change_permission(request) or not request.user.has_perm(
                "households.change_member"
            ):
                raise PermissionDenied
            account = None
            try:
                with transaction.atomic():
                    account = self._account_or_404(request, pk)
                    member = _person_or_404(request, account)
                    press(request, member)
            except Refused as refused:
                assert account is not None
                return household_page(
                    request, self.admin_site, account.email_key, wrong=refused.wrong
                )
            except NeedsConfirmation as needed:
                assert account is not None
                back = account_url(account)
                return preview_page(request, self.admin_site, needed.change, back=back)
            return HttpResponseRedirect(account_url(account))

        return view

    def _also_called(self, request: HttpRequest, member: Member) -> None:
        if not request.user.has_perm("households.add_alsocalled"):
            raise PermissionDenied
        name = request.POST.get("name", "").replace("\0", "")
        try:
            added = fixes.also_called_add(request=request, member=member, name=name)
        except ValidationError as error:
            raise Refused(Wrong(member.pk, "name", error.messages[0], name)) from None
        self._say(request, added, _("Added. They can choose this person by that name now."))

    def _birth_date(self, request: HttpRequest, member: Member) -> None:
        typed = request.POST.get("date_of_birth", "")
        if request.POST.get("seen", "") != year_first(member.date_of_birth):
            text = _(
                "Somebody changed the birth date after you opened this page. Nothing of yours is saved. On "
                "file now: %(date)s."
            )
            on_file = year_first(member.date_of_birth) or "–"
            raise Refused(Wrong(member.pk, "date_of_birth", text % {"date": on_file}, typed))
        try:
            born = BirthDateField().clean(typed)
            changed = fixes.date_of_birth_correct(
                request=request, member=member, date_of_birth=born
            )
        except ValidationError as error:
            raise Refused(Wrong(member.pk, "date_of_birth", error.messages[0], typed)) from None
        text = _("The birth date is on file. If the chart was open in a browser, it is closed.")
        self._say(request, changed, text)

    def _portal_access(self, request: HttpRequest, member: Member) -> None:
        on = request.POST.get("on") == "yes"
        if on:
            after = copy.copy(member)
            after.portal_access = True
            confirm(request, EmailChange(member, after))
        changed = fixes.portal_access_set(request=request, member=member, on=on)
        if on:
            text = _("Portal access is on: this login can open the chart.")
        else:
            text = _("Portal access is off: nobody can open the chart in the portal.")
        self._say(request, changed, text)

    def _say(self, request: HttpRequest, done: bool, text: str) -> None:
        if done:
            self.message_user(request, text, messages.SUCCESS)
        else:
            self.message_user(request, _("It was so already: nothing is changed."), messages.INFO)


def _person_or_404(request: HttpRequest, account: HouseholdAccount) -> Member:
    """Of this household only, so that a page that is old changes nobody who has left it."""
    number = _number(request.POST.get("member", ""))
    locked = Member.objects.select_for_update(no_key=True)
    return get_object_or_404(locked, pk=number, email_key=account.email_key)


def _number(typed: str) -> int:
    """A row's number; 0, which no row has, for anything else."""
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 19 else 0
