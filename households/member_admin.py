"""Admin pages of members: the practice's file, and what a change of it opens and closes."""

from __future__ import annotations

import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import audit
from accounts.models import HouseholdAccount
from accounts.staff_pages import VersionedForm
from households.binding import end_for_members
from households.email_change import EmailChange
from households.email_preview import NeedsConfirmation, confirm, preview_page
from households.matching import InvalidDate, date_of_birth
from households.models import AlsoCalled, Member
from households.staff_pages import FindsPeople, name_and_birth_date, year_first

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
    # What has an index.
    sortable_by = ("name", "born")
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
            pk = needed.change.after.pk
            back = f"admin:households_member_{'change' if pk else 'changelist'}"
            url = reverse(back, args=[pk] if pk else [])
            return preview_page(request, self.admin_site, needed.change, back=url)

    def save_model(self, request: HttpRequest, obj: Member, form: Any, change: bool) -> None:
        obj.set_keys()
        before = Member.objects.get(pk=obj.pk) if change else None
        if before is not None:
            changed = [name for name in form.changed_data if hasattr(before, name)]
            obj.note_list_values({name: getattr(before, name) for name in changed})
        email_change = EmailChange(before, obj)
        confirm(request, email_change)
        ended = len(email_change.ended_sessions)
        super().save_model(request, obj, form, change)
        if change and IDENTITY & set(form.changed_data):
            end_for_members([obj])
        email_change.settle(request)
        if email_change.needs_confirmation:
            outcome = "email-join-confirmed" if email_change.joins else "email-change-confirmed"
            self._record(request, audit.Action.STAFF_CHANGE, outcome, obj)
        if email_change.leaves:
            # Without names: a message waits in a cookie until it is shown.
            text = _(
                "The login of the old email no longer opens this chart. It still opens the others "
                "on that email."
            )
            self.message_user(request, text, messages.WARNING)
        elif ended:
            text = _("The login of the old email opens nobody any more. It was signed out.")
            self.message_user(request, text, messages.WARNING)
