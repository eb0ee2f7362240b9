"""Admin pages of staff accounts, their groups, and the audit."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import BaseUserCreationForm
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_otp.plugins.otp_totp.admin import TOTPDevice
from django_tasks_db.admin import DBTaskResult

from accounts import second_factor, staff_sessions
from accounts.audit import Action
from accounts.audit.models import AuditEvent
from accounts.emails import usable_email_key
from accounts.models import OWNERS, StaffAccount
from accounts.staff_pages import PortalModelAdmin, VersionedForm

# The queue's own pages show the addresses that mails go to, to everybody who may see the queue.
admin.site.unregister(DBTaskResult)
# Their pages show the secrets of everybody's apps.
admin.site.unregister(TOTPDevice)
admin.site.unregister(Group)


class OwnersOnly(PortalModelAdmin):
    """Who may do what is for owners to change, whatever permissions somebody has: anybody else could give
    themselves more (SECURITY AD-06). Auditors look."""

    records_views = False

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


class ActionFilter(admin.SimpleListFilter):
    title = gettext_lazy("action")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(action.value, action.value) for action in Action]

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[AuditEvent]
    ) -> models.QuerySet[AuditEvent]:
        return queryset.filter(action=self.value()) if self.value() else queryset


@admin.register(AuditEvent)
class AuditEventAdmin(PortalModelAdmin):
    """To read, for everybody who may; to change, for nobody. The database refuses it as well."""

    form = forms.ModelForm
    records_views = False
    list_display = (
        "at",
        "action",
        "outcome",
        "staff_id",
        "account_id",
        "session_id",
        "member_id",
        "object_type",
        "object_id",
        "client_address",
    )
    list_filter = (ActionFilter,)
    ordering = ("-pk",)
    sortable_by = ()
    search_fields = ("member_id",)
    search_help_text = gettext_lazy(
        "The number of a household account, a member or a staff account, as in the address of its page. "
        "Entries of a household cannot tell which person of the family it was."
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

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
