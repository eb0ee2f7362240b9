"""Admin pages of the practice and of members. Household accounts are in household_admin.py."""

from __future__ import annotations

import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import audit
from accounts.actions import ensure_accounts
from accounts.models import HouseholdAccount
from accounts.staff_pages import PortalModelAdmin, VersionedForm
from households.binding import end_for_members
from households.email_change import EmailChange, opened_by
from households.household_admin import HouseholdAccountAdmin
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


# --- practice -------------------------------------------------------------------------


@admin.register(Practice)
class PracticeAdmin(PortalModelAdmin):
    records_views = False
    fieldsets = (
        (
            None,
            {"fields": ("name", "phone", "hours", "address", "sender", "time_zone")},
        ),
        (gettext_lazy("How the portal behaves"), {"fields": ("one_tap_switching",)}),
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
            context["documents_query"] = f"{obj.patient_id} {year_first(obj.date_of_birth)}"
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
