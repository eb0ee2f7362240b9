"""Admin pages of staff accounts, their groups, and the audit."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import BaseUserCreationForm
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.urls import path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe
from django_otp.plugins.otp_totp.admin import TOTPDevice
from django_tasks_db.admin import DBTaskResult

from accounts import practice_file
from accounts.audit import Action, record
from accounts.audit.browsing import between_days, json_lines, on_days
from accounts.audit.models import AuditEvent
from accounts.audit.words import sentence
from accounts.emails import usable_email_key
from accounts.models import OWNERS, HouseholdAccount, StaffAccount
from accounts.staff import second_factor
from accounts.staff import sessions as staff_sessions
from accounts.staff_pages import PortalChangeList, PortalModelAdmin, VersionedForm

# The queue's own pages show the addresses that mails go to, to everybody who may see the queue.
admin.site.unregister(DBTaskResult)
# Their pages show the secrets of everybody's apps.
admin.site.unregister(TOTPDevice)
admin.site.unregister(Group)


class OwnersOnly(PortalModelAdmin):
    """Who may do what is for owners to change, whatever permissions somebody has: anybody else could give
    themselves more (SECURITY AD-06). Auditors look."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_owner

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_owner


class StaffAddForm(BaseUserCreationForm):
    class Meta:
        model = StaffAccount
        fields = ("email", "name")

    def clean_email(self) -> str:
        return usable_email_key(self.cleaned_data["email"])


class StaffForm(VersionedForm):
    class Meta:
        model = StaffAccount
        fields = ("email", "name", "is_active", "groups")
        widgets: ClassVar = {"groups": forms.CheckboxSelectMultiple}
        labels: ClassVar = {"groups": gettext_lazy("roles")}
        help_texts: ClassVar = {
            "groups": gettext_lazy(
                "Front desk: people, logins, documents and requests; no history, no clinical answers. "
                "Clinician: all about patients, and forms. Auditor: reads everything, changes nothing. "
                "Owner: everything, also staff accounts and settings."
            ),
            "is_active": gettext_lazy(
                "Take the tick away when somebody leaves. Their past entries stay."
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Whoever has the flag has the role: the page shows one tick for both.
        staff = kwargs.get("instance")
        if staff is not None and staff.is_superuser:
            groups = [*staff.groups.all(), *Group.objects.filter(name=OWNERS)]
            kwargs["initial"] = {"groups": groups, **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)

    def clean_email(self) -> str:
        return usable_email_key(self.cleaned_data["email"])

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        groups = self.cleaned_data.get("groups", ())
        self.instance.is_superuser = any(group.name == OWNERS for group in groups)
        stays_owner = self.instance.is_superuser and self.cleaned_data.get("is_active")
        owners = StaffAccount.owners()
        if not stays_owner and list(owners.values_list("pk", flat=True)) == [self.instance.pk]:
            raise ValidationError(
                _("This is the only owner who may sign in. Make somebody else an owner first.")
            )
        return cleaned


@admin.register(StaffAccount)
class StaffAccountAdmin(OwnersOnly, UserAdmin):
    form = StaffForm
    add_form = StaffAddForm
    add_form_template = None
    list_display = ("email", "name", "is_active", "roles", "last_login")
    list_filter = ("is_active",)
    search_fields = ("email", "name")
    search_help_text = gettext_lazy("Email or name")
    ordering = ("email",)
    # Ticks, not Django's two-box picker: that one has labels a screen reader does not get.
    filter_horizontal = ()
    readonly_fields = ("password_page", "second_factor_page", "last_login", "created_at")
    fieldsets = (
        (None, {"fields": ("email", "name", "password_page", "second_factor_page")}),
        (
            gettext_lazy("What this person may do"),
            {"fields": ("is_active", "groups")},
        ),
        (gettext_lazy("Times"), {"fields": ("last_login", "created_at")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "name", "password1", "password2")}),)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[StaffAccount]:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description=gettext_lazy("roles"))
    def roles(self, staff: StaffAccount) -> str:
        names = {group.name for group in staff.groups.all()}
        return ", ".join(sorted(names | ({OWNERS} if staff.is_owner else set())))

    @admin.display(description=gettext_lazy("password"))
    def password_page(self, staff: StaffAccount) -> str:
        return format_html(
            '<a href="{}">{}</a>',
            reverse("admin:auth_user_password_change", args=[staff.pk]),
            _("Set a new password for this person"),
        )

    @admin.display(description=gettext_lazy("second factor"))
    def second_factor_page(self, staff: StaffAccount) -> str:
        if second_factor.device_of(staff) is None:
            state = _("No app is set up yet.")
        else:
            left = second_factor.recovery_codes_left(staff)
            state = _("An app is set up; recovery codes left: %(left)d.") % {"left": left}
        return format_html(
            '{} <a href="{}">{}</a>',
            state,
            reverse("admin:accounts_staffaccount_second_factor", args=[staff.pk]),
            _("Phone lost, or a browser left open?"),
        )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "is_active" in form.changed_data:
            # So that no session of theirs opens anything when they may sign in again.
            staff_sessions.sign_ins_end(request=request, staff=obj)

    def user_change_password(
        self,
        request: HttpRequest,
        id: str,  # noqa: A002  (the name in Django's address)
        form_url: str = "",
    ) -> HttpResponse:
        if id == str(request.user.pk) and self.has_change_permission(request):
            # Your own is changed on the page that asks for the current one (SECURITY R-AU-12).
            return HttpResponseRedirect(reverse("admin:password_change"))
        with transaction.atomic():
            response = super().user_change_password(request, id, form_url)
            if request.method == "POST" and response.status_code == 302:
                # Nothing goes on by the old one, and nobody waits for the guesses at it.
                staff = StaffAccount.objects.get(pk=id)
                staff_sessions.sign_ins_end(request=request, staff=staff)
                second_factor.pauses_lift(staff)
        return response


@admin.register(Group)
class StaffGroupAdmin(OwnersOnly, GroupAdmin):
    form = forms.ModelForm
    records_views = False
    filter_horizontal = ()
    formfield_overrides: ClassVar = {
        models.ManyToManyField: {"widget": forms.CheckboxSelectMultiple}
    }

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The owners' own group is looked at only: its people may do everything, whatever is ticked."""
        is_owners = obj is not None and obj.name == OWNERS
        return super().has_change_permission(request, obj) and not is_owners

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_owners = obj is not None and obj.name == OWNERS
        return request.user.is_owner and not is_owners

    def log_deletions(self, request: HttpRequest, queryset: models.QuerySet[Group]) -> Any:
        for group in queryset:
            self._record(request, Action.STAFF_CHANGE, "deleted", group)
        return super().log_deletions(request, queryset)


# --- the audit ------------------------------------------------------------------------


class OneFilter(admin.SimpleListFilter):
    """The entries of one row, by its number in the address: there is nothing to choose from, so it stands in
    the side bar only where a link has set it."""

    column = ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        number = self.number()
        return [] if number is None else [(str(number), self.named(number))]

    def number(self) -> int | None:
        return _number(self.used_parameters.get(self.parameter_name))

    def named(self, number: int) -> str:
        return str(number)

    def has_output(self) -> bool:
        return self.parameter_name in self.used_parameters

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[AuditEvent]
    ) -> models.QuerySet[AuditEvent]:
        if not self.has_output():
            return queryset
        number = self.number()
        return queryset.none() if number is None else queryset.filter(**{self.column: number})


class PersonFilter(OneFilter):
    title, parameter_name, column = gettext_lazy("person"), "member", "member_id"

    def named(self, number: int) -> str:
        return practice_file.ask().names_of([number]).get(number, str(number))


class LoginFilter(OneFilter):
    title, parameter_name, column = gettext_lazy("household account"), "account", "account_id"

    def named(self, number: int) -> str:
        found = HouseholdAccount.objects.filter(pk=number)
        return found.values_list("email_key", flat=True).first() or str(number)


class StaffFilter(OneFilter):
    title, parameter_name, column = gettext_lazy("staff account"), "staff", "staff_id"

    def named(self, number: int) -> str:
        return str(StaffAccount.objects.filter(pk=number).first() or number)


class ActionFilter(admin.SimpleListFilter):
    title = gettext_lazy("action")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(action.value, action.value) for action in Action]

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[AuditEvent]
    ) -> models.QuerySet[AuditEvent]:
        return queryset.filter(action=self.value()) if self.value() else queryset


class DayFilter(admin.SimpleListFilter):
    """From one day to another, both included, in two boxes of its own form."""

    title = gettext_lazy("day")
    parameter_name = "from"
    template = "admin/audit/days.html"

    def __init__(self, request: HttpRequest, params: Any, model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        until = params.pop("until", None)
        if until:
            self.used_parameters["until"] = until[-1]

    def expected_parameters(self) -> list[str]:
        return ["from", "until"]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return []

    def has_output(self) -> bool:
        return True

    def day(self, name: str) -> datetime.date | None:
        return _day(self.used_parameters.get(name) or "")

    def choices(self, changelist: Any) -> Iterator[Any]:
        kept = {
            name: value
            for name, value in changelist.get_filters_params().items()
            if name not in {"from", "until", "p"}
        }
        yield {
            "from": self.used_parameters.get("from", ""),
            "until": self.used_parameters.get("until", ""),
            "kept": [(name, one) for name, values in kept.items() for one in values],
            "search": changelist.params.get("q", ""),
        }

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[AuditEvent]
    ) -> models.QuerySet[AuditEvent]:
        return between_days(queryset, self.day("from"), self.day("until"))


class AuditChangeList(PortalChangeList):
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = named(self.result_list)  # type: ignore[assignment] # only ever looped over


def named(events: Iterable[AuditEvent]) -> list[AuditEvent]:
    """The entries with the names of who and whom they are about, in three queries however many there are."""
    entries = list(events)
    staff = StaffAccount.objects.in_bulk({one.staff_id for one in entries if one.staff_id})
    accounts = HouseholdAccount.objects.in_bulk(
        {one.account_id for one in entries if one.account_id}
    )
    members = practice_file.ask().names_of({one.member_id for one in entries if one.member_id})
    for one in entries:
        one.named = Named(  # type: ignore[attr-defined] # for the pages below
            staff=str(staff.get(one.staff_id) or ""),
            account=getattr(accounts.get(one.account_id), "email_key", ""),
            member=members.get(one.member_id or 0, ""),
        )
    return entries


@dataclass(frozen=True)
class Named:
    """ "" for nobody, and for whoever is not on file any more."""

    staff: str
    account: str
    member: str


@admin.register(AuditEvent)
class AuditEventAdmin(PortalModelAdmin):
    """To read, for everybody who may; to change, for nobody. The database refuses it as well. Reading it is
    in it too, once a look."""

    form = forms.ModelForm
    change_list_template = "admin/audit/change_list.html"
    list_display = ("moment", "what", "who", "whom", "client_address", "codes")
    list_filter = (PersonFilter, LoginFilter, StaffFilter, DayFilter, ActionFilter)
    ordering = ("-pk",)
    sortable_by = ()
    search_fields = ("member_id",)
    search_help_text = gettext_lazy(
        "The number of a household account, a member or a staff account, as in the address of its page."
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup == "until" or super().lookup_allowed(lookup, value, request)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return AuditChangeList

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        entry = super().get_object(request, object_id, from_field)
        return entry and named([entry])[0]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        columns = [field.name for field in AuditEvent._meta.concrete_fields if field.name != "at"]
        return ["moment", "utc", "what", "who", "whom", *columns]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return self.get_fields(request, obj)

    def about(self, obj: AuditEvent) -> str:
        return self.what(obj)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        chosen = [(name, request.GET[name]) for name in _CHOSEN if request.GET.get(name)]
        more = {"export_query": f"?{urlencode(chosen)}" if chosen else ""}
        return super().changelist_view(request, {**more, **(extra_context or {})})

    # --- what an entry says -----------------------------------------------------------

    @admin.display(description=gettext_lazy("when"))
    def moment(self, entry: AuditEvent) -> str:
        return date_format(timezone.localtime(entry.at), "Y/m/d H:i:s")

    @admin.display(description=gettext_lazy("when, in UTC"))
    def utc(self, entry: AuditEvent) -> str:
        return entry.at.astimezone(datetime.UTC).isoformat(timespec="microseconds")

    @admin.display(description=gettext_lazy("what"))
    def what(self, entry: AuditEvent) -> str:
        return sentence(entry.action, entry.outcome, entry.object_type)

    @admin.display(description=gettext_lazy("who"))
    def who(self, entry: Any) -> str:
        if entry.staff_id:
            return entry.named.staff or _("staff account %(pk)d") % {"pk": entry.staff_id}
        if entry.account_id:
            login = entry.named.account or str(entry.account_id)
            return _("the login %(email)s") % {"email": login}
        if entry.client_address:
            return _("nobody signed in")
        return _("the portal itself, or a command on its machine")

    @admin.display(description=gettext_lazy("about whom"), empty_value="")
    def whom(self, entry: Any) -> str:
        if not entry.member_id:
            return ""
        return entry.named.member or _("member %(pk)d") % {"pk": entry.member_id}

    @admin.display(description=gettext_lazy("as it is stored"))
    def codes(self, entry: AuditEvent) -> str:
        thing = f"{entry.object_type} {entry.object_id}".strip()
        return " · ".join(part for part in (entry.action, entry.outcome, thing) if part)

    def get_search_results(
        self,
        request: HttpRequest,
        queryset: models.QuerySet[AuditEvent],
        search_term: str,
    ) -> tuple[models.QuerySet[AuditEvent], bool]:
        words = search_term.split()
        if not words:
            return queryset, False
        if len(words) > 1 or not words[0].isascii() or not words[0].isdigit() or len(words[0]) > 18:
            return queryset.none(), False
        number = int(words[0])
        by_number = (
            models.Q(member_id=number) | models.Q(account_id=number) | models.Q(staff_id=number)
        )
        return queryset.filter(by_number), False

    # --- reading it is in it, and taking it away --------------------------------------

    def _record(self, request: HttpRequest, action: Action, outcome: str, obj: Any = None) -> None:
        """Of a list, also whose entries were looked at."""
        record(
            action,
            outcome,
            request=request,
            object_type="auditevent",
            object_id="" if obj is None else obj.pk,
            member_id=_number(request.GET.get("member")) if obj is None else obj.member_id,
            account_id=_number(request.GET.get("account")) if obj is None else obj.account_id,
        )

    def get_urls(self) -> list[Any]:
        export = self.admin_site.admin_view(require_safe(self._export))
        return [path("export/", export, name="audit_auditevent_export"), *super().get_urls()]

    def _export(self, request: HttpRequest) -> HttpResponseBase:
        """What the list's filters leave, all of it, as one file: JSON lines, the oldest first."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = AuditEvent.objects.all()
        for column, name in (
            ("member_id", "member"),
            ("account_id", "account"),
            ("staff_id", "staff"),
        ):
            if name in request.GET:
                rows = rows.filter(**{column: _number(request.GET[name]) or 0})
        if request.GET.get("action"):
            rows = rows.filter(action=request.GET["action"])
        days = [_day(request.GET.get(name, "")) for name in ("from", "until")]
        lines = json_lines(on_days(rows, *days))
        self._record(request, Action.EXPORT, "ndjson")
        return StreamingHttpResponse(
            lines,
            content_type="application/x-ndjson",
            headers={"Content-Disposition": 'attachment; filename="audit.ndjson"'},
        )


_CHOSEN = ("member", "account", "staff", "action", "from", "until")


def _number(typed: str | None) -> int | None:
    """A row's number; None for anything else."""
    typed = typed or ""
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 19 else None


def _day(typed: str) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(typed)
    except ValueError:
        return None
