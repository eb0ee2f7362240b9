"""Admin pages of the practice and of members, and the base of every page about something of a member's.
Household accounts are in household_admin.py."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import AdminForm
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from accounts import audit
from accounts.actions import ensure_accounts
from accounts.models import HouseholdAccount
from accounts.staff_pages import PortalModelAdmin, VersionedForm
from households.binding import end_for_members
from households.email_change import EmailChange, opened_by
from households.household_admin import HouseholdAccountAdmin, why_closed
from households.matching import InvalidDate, date_of_birth
from households.models import AlsoCalled, Member, Practice
from households.search import people_found

admin.site.register(HouseholdAccount, HouseholdAccountAdmin)


# A change to one of these closes a chart that is open right now (SECURITY R-WP-3, R-WP-12).
IDENTITY = {
    "first_name",
    "middle_name",
    "last_name",
    "suffix",
    "preferred_name",
    "date_of_birth",
    "email",
    "status",
    "portal_access",
}


def year_first(day: datetime.date | None) -> str:
    return "" if day is None else f"{day.year:04}/{day.month:02}/{day.day:02}"


def name_and_birth_date(member: Member) -> str:
    """The two facts that stand on every staff page of a person (UX ADM-2)."""
    called = f" (“{member.preferred_name}”)" if member.preferred_name else ""
    born = year_first(member.date_of_birth) or _("birth date not on file")
    return f"{member.full_name}{called}, {born}"


def person_line(member: Member) -> str:
    """The same with the age, for pages on which pictures scroll by (UX ADM-5)."""
    about, age = name_and_birth_date(member), member.age
    if age is None:
        return about
    years = ngettext("%(about)s, %(age)d year old", "%(about)s, %(age)d years old", age)
    return years % {"about": about, "age": age}


def moment(at: datetime.datetime | None) -> str:
    """A time of day at the practice, year first."""
    return "" if at is None else date_format(timezone.localtime(at), "Y/m/d H:i")


# --- searching people -----------------------------------------------------------------


class FindsPeople(PortalModelAdmin):
    """A list that is searched by its people. `person` is the way from a row to its member."""

    person = ""
    search_fields = ("first_name_key",)
    search_help_text = gettext_lazy(
        "Name (“mia riv” or “rivera, mia”), birth date (2016/04/27), email or record number"
    )

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        people = people_found(search_term)
        if self.person:
            people = (
                Q(**{f"{self.person}__in": Member.objects.filter(people)}) if people else people
            )
        return queryset.filter(people), False


# --- what belongs to one member -------------------------------------------------------


class MemberOwnedAdmin(FindsPeople):
    """Lists and pages of things that belong to one member each: whose they are stands on every one, and
    nobody types or chooses it there. Subclasses name their buttons."""

    person = "member"
    # Words in the address of a POST, and the method behind each: it takes the request and the row, which
    # is locked, and tells the staff what it did.
    buttons: ClassVar[dict[str, str]] = {}

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return super().get_queryset(request).select_related("member")

    def about(self, obj: Any) -> str:
        return name_and_birth_date(obj.member)

    def audit_ids(self, obj: Any) -> dict[str, int]:
        return {"member_id": obj.member_id}

    @admin.display(description=gettext_lazy("person"), ordering="member__last_name_key")
    def person_name(self, obj: Any) -> str:
        return obj.member.full_name

    @admin.display(description=gettext_lazy("person"))
    def person_link(self, obj: Any) -> str:
        return format_html(
            '<a href="{}">{}</a>',
            reverse("admin:households_member_change", args=[obj.member_id]),
            obj.member.full_name,
        )

    @admin.display(description=gettext_lazy("date of birth"), ordering="member__date_of_birth")
    def born(self, obj: Any) -> str:
        return year_first(obj.member.date_of_birth)

    # --- addresses of our own ---------------------------------------------------------

    def own_path(
        self, route: str, view: Callable[..., HttpResponseBase], methods: str = "GET, HEAD"
    ) -> URLPattern:
        """An address below the list's, for staff. Its name is made of the route's words."""
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

    def row_or_404(self, request: HttpRequest, pk: int, column: str = "pk") -> Any:
        return get_object_or_404(self.get_queryset(request), **{column: _usable(pk)})

    def to_its_page(self, obj: Any) -> HttpResponseRedirect:
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return HttpResponseRedirect(reverse(name, args=[obj.pk]))

    def _button(self, press: Callable[[HttpRequest, Any], HttpResponse | None]) -> Any:
        def view(request: HttpRequest, pk: int) -> HttpResponse:
            if not self.has_change_permission(request):
                raise PermissionDenied
            with transaction.atomic():
                obj = self.row_or_404(request, pk)
                return press(request, obj) or self.to_its_page(obj)

        return view

    # --- a form about one person ------------------------------------------------------

    def person_or_404(self, request: HttpRequest, pk: int) -> Member:
        """The person that a new thing is for, from the address: no form chooses them. Whoever may add it
        and may see the person."""
        if not self.has_add_permission(request) or not request.user.has_perm(
            "households.view_member"
        ):
            raise PermissionDenied
        return get_object_or_404(Member, pk=_usable(pk))

    def to_choose_person(self, request: HttpRequest, tool: str) -> HttpResponse:
        """Where the site's "Add" leads: to the people, on whose page `tool` is the button to press."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        text = _("First open the person. On their page, press “%(tool)s”.") % {"tool": tool}
        self.message_user(request, text, messages.INFO)
        return HttpResponseRedirect(reverse("admin:households_member_changelist"))

    def form_page(
        self,
        request: HttpRequest,
        member: Member,
        form: forms.Form,
        *,
        title: str,
        button: str,
        action: str = "",
        back: str = "",
    ) -> HttpResponse:
        """A page of one form that is about `member`, whose name and birth date stay in sight. `action` is
        where the form goes, `back` where "Cancel" goes: both the address itself and the person's page
        where they are left out."""
        if request.method == "GET":
            audit.record(
                audit.Action.STAFF_VIEW,
                "form",
                request=request,
                member_id=member.pk,
                object_type=self.opts.model_name or "",
            )
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "subtitle": name_and_birth_date(member),
            "person": person_line(member),
            "not_opened": "" if opened_by(member) else why_closed(member),
            "adminform": AdminForm(
                form,  # type: ignore[arg-type] # any form has what it needs
                [(None, {"fields": [*form.fields]})],
                {},
                (),
                self,
            ),
            "button": button,
            "action": action,
            "back": back or reverse("admin:households_member_change", args=[member.pk]),
        }
        return TemplateResponse(request, "admin/person_form.html", context)


def _usable(pk: int) -> int:
    """Raises Http404 for a number that no row can have; databases refuse it in their own ways."""
    if pk.bit_length() > 63:
        raise Http404
    return pk


# --- practice -------------------------------------------------------------------------


@admin.register(Practice)
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
        return HttpResponseRedirect(reverse("admin:households_practice_change", args=[1]))


# --- members --------------------------------------------------------------------------


class BirthDateField(forms.DateField):
    """Year first and in no other order, like everywhere in the portal (SECURITY R-WP-5)."""

    widget = forms.DateInput(format="%Y/%m/%d")

    def to_python(self, value: Any) -> datetime.date | None:
        if value in self.empty_values or isinstance(value, datetime.date):
            return value or None
        try:
            return date_of_birth(value, timezone.localdate())
        except InvalidDate as error:
            raise ValidationError(str(error), code="invalid") from None


class MemberForm(VersionedForm):
    date_of_birth = BirthDateField(
        required=False,
        label=gettext_lazy("Date of birth"),
        help_text=gettext_lazy("Year first, for example 2016/04/27"),
    )
    last_visit = forms.DateField(
        required=False,
        label=gettext_lazy("Last visit"),
        input_formats=["%Y/%m/%d", "%Y-%m-%d"],
        widget=forms.DateInput(format="%Y/%m/%d"),
    )


class AlsoCalledInline(admin.StackedInline):  # a table would leave its boxes without labels
    model = AlsoCalled
    extra = 1
    verbose_name = gettext_lazy("name")
    verbose_name_plural = gettext_lazy("Also called: the family may type it as the first name")


class NeedsConfirmation(Exception):
    """Raised in the middle of a save, so that its transaction is undone."""

    def __init__(self, change: EmailChange) -> None:
        self.change = change


@admin.register(Member)
class MemberAdmin(FindsPeople):
    form = MemberForm
    inlines = (AlsoCalledInline,)
    list_display = (
        "name",
        "born",
        "email",
        "mrn",
        "status",
        "portal_access",
    )
    list_filter = ("status", "portal_access")
    list_display_links = ("name",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "first_name",
                    "middle_name",
                    "last_name",
                    "suffix",
                    "preferred_name",
                    "date_of_birth",
                    "sex",
                    "patient_id",
                    "mrn",
                )
            },
        ),
        (gettext_lazy("Portal"), {"fields": ("email", "portal_access", "status")}),
        (
            gettext_lazy("Contact"),
            {
                "fields": (
                    "mobile_phone",
                    "home_phone",
                    "address_1",
                    "address_2",
                    "city",
                    "state",
                    "postal_code",
                    "preferred_language",
                )
            },
        ),
        (
            gettext_lazy("From the practice's system"),
            {"fields": ("relationship_to_household", "guarantor_id", "last_visit")},
        ),
    )

    @admin.display(description=gettext_lazy("name"), ordering="last_name_key")
    def name(self, member: Member) -> str:
        called = f" (“{member.preferred_name}”)" if member.preferred_name else ""
        return f"{member.full_name}{called}"

    @admin.display(description=gettext_lazy("date of birth"), ordering="date_of_birth")
    def born(self, member: Member) -> str:
        return year_first(member.date_of_birth)

    def about(self, obj: Member) -> str:
        return name_and_birth_date(obj)

    def audit_ids(self, obj: Member) -> dict[str, int]:
        return {"member_id": obj.pk}

    def has_ask_forms_permission(self, request: HttpRequest) -> bool:
        """Of the action that intake/ask_admin.py adds to this list."""
        return request.user.has_perm("intake.add_memberask")

    def get_readonly_fields(self, request: HttpRequest, obj: Member | None = None) -> Any:
        # The practice system's key finds this row at the next import: another one would make a twin.
        return () if obj is None else ("patient_id",)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        *args: Any,
        obj: Any = None,
        **kwargs: Any,
    ) -> HttpResponse:
        if obj is not None:
            context["person_query"] = f"{obj.patient_id} {year_first(obj.date_of_birth)}"
            if request.user.has_perm("accounts.view_householdaccount"):
                context["household_account"] = HouseholdAccount.objects.filter(
                    email_key=obj.email_key
                ).first()
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except NeedsConfirmation as needed:
            return self._ask_to_confirm(request, needed.change)

    def save_model(self, request: HttpRequest, obj: Member, form: Any, change: bool) -> None:
        obj.set_keys()
        before = Member.objects.get(pk=obj.pk) if change else None
        if before is not None:
            changed = [name for name in form.changed_data if hasattr(before, name)]
            obj.note_list_values({name: getattr(before, name) for name in changed})
        email_change = EmailChange(before, obj)
        if email_change.needs_confirmation:
            confirmed = request.POST.get("confirmed", "")
            if not constant_time_compare(confirmed, email_change.fingerprint):
                raise NeedsConfirmation(email_change)
        super().save_model(request, obj, form, change)
        ensure_accounts([opened_by(obj)])
        if change and IDENTITY & set(form.changed_data):
            end_for_members([obj])
        if email_change.needs_confirmation:
            self._record(request, audit.Action.STAFF_CHANGE, "email-join-confirmed", obj)
        if email_change.leaves:
            # Without names: a message waits in a cookie until it is shown.
            text = _(
                "The login of the old email no longer opens this chart. It still opens the others "
                "on that email."
            )
            self.message_user(request, text, messages.WARNING)

    def _ask_to_confirm(self, request: HttpRequest, change: EmailChange) -> HttpResponse:
        typed = [
            (name, value)
            for name, values in request.POST.lists()
            if name not in {"csrfmiddlewaretoken", "confirmed"}
            for value in values
        ]
        self._record(request, audit.Action.STAFF_VIEW, "email-join", change.before)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Check who could open this chart"),
            "subtitle": name_and_birth_date(change.after),
            "opts": self.opts,
            "change": change,
            "typed": typed,
        }
        return TemplateResponse(request, "admin/households/member/confirm_email.html", context)
