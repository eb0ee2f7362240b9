"""Admin page of the practice's settings (PRODUCT H9), what a family would see of them before they are saved,
and the practice's logo."""

from __future__ import annotations

import zoneinfo
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from accounts.emails import usable_email_key
from accounts.staff_pages import PortalModelAdmin, VersionedForm
from households.demographics.models import FieldSetting
from households.demographics.phones import InvalidPhone, tidy
from households.desk.logos import MOST_KB, logo_remove, logo_set
from households.documents.models import DocumentKind
from households.history.models import SectionSetting
from households.instructions import as_text, instructions
from households.models import Practice

# What a practice in the United States looks for first; the others follow by their continent.
_FIRST_ZONES = (
    *("America/New_York", "America/Chicago", "America/Denver", "America/Phoenix"),
    *("America/Los_Angeles", "America/Anchorage", "Pacific/Honolulu", "America/Puerto_Rico"),
)
_CONTINENTS = ("Africa", "America", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


def time_zones(kept: str) -> list[tuple[Any, Any]]:
    """Choices for a select. The one that is kept stands among them, also one of the old names."""
    known = zoneinfo.available_timezones()
    others = sorted(
        {name for name in known if name.partition("/")[0] in _CONTINENTS} - {*_FIRST_ZONES}
    )
    groups = [
        (_("United States"), [(name, name) for name in _FIRST_ZONES if name in known]),
        (_("Elsewhere"), [(name, name) for name in others]),
    ]
    if kept in known and kept not in {*_FIRST_ZONES, *others}:
        groups.append((_("Now"), [(kept, kept)]))
    return groups


class PracticeForm(VersionedForm):
    languages = forms.MultipleChoiceField(
        label=gettext_lazy("Languages"),
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy(
            "In which families can read the portal. Of those that it is translated to."
        ),
        error_messages={"required": gettext_lazy("Choose at least one language.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Staff who may only look get no boxes.
        if "languages" in self.fields:
            self.fields["languages"].choices = settings.LANGUAGES  # type: ignore[attr-defined] # it has
        if "time_zone" in self.fields:
            self.fields["time_zone"] = forms.ChoiceField(
                label=self.fields["time_zone"].label,
                choices=time_zones(self.instance.time_zone),
                help_text=_("Dates and times on every page are those of this place."),
                error_messages={
                    "invalid_choice": _("There is no such time zone. Choose one of the list.")
                },
            )

    def clean_phone(self) -> str:
        typed = " ".join(self.cleaned_data["phone"].split())
        try:
            if typed:
                tidy(typed)
        except InvalidPhone:
            text = _("No phone can be called by this. Type it with its area code: (617) 555-0123")
            raise ValidationError(text) from None
        return typed

    def clean_sender(self) -> str:
        sender: str = self.cleaned_data["sender"].strip()
        usable_email_key(sender)
        return sender

    def clean_idle_minutes(self) -> int | None:
        return self._shorter("idle_minutes", settings.IDLE_SECONDS / 60, "PORTAL_IDLE_SECONDS")

    def clean_longest_hours(self) -> int | None:
        return self._shorter(
            "longest_hours", settings.ABSOLUTE_SECONDS / 3600, "PORTAL_ABSOLUTE_SECONDS"
        )

    def _shorter(self, name: str, most: float, variable: str) -> int | None:
        value: int | None = self.cleaned_data[name]
        if value is not None and value > most:
            text = _("At most %(most)g: whoever runs the portal has set that (%(variable)s).")
            raise ValidationError(text % {"most": most, "variable": variable}, code="too-long")
        return value

    def clean_name(self) -> str:
        name = " ".join(self.cleaned_data["name"].split())
        if not name.isprintable():
            raise ValidationError(_("The name has a character that cannot be shown. Type it anew."))
        return name


class LogoForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("Picture"),
        allow_empty_file=True,  # the check says what is wrong with it
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg,image/webp"}),
        error_messages={"required": gettext_lazy("Choose the picture.")},
    )
    use_required_attribute = False


class PracticeAdmin(PortalModelAdmin):
    form = PracticeForm
    change_form_template = "admin/households/practice/change_form.html"
    records_views = False
    fieldsets = (
        (
            gettext_lazy("What families see"),
            {"fields": ("name", "phone", "hours", "address", "sender")},
        ),
        (gettext_lazy("Place and language"), {"fields": ("time_zone", "languages")}),
        (gettext_lazy("How the portal behaves"), {"fields": ("one_tap_switching", "crisis_text")}),
        (
            gettext_lazy("Ages"),
            {"fields": ("adult_age", "announced_ages", "announced_days_ahead")},
        ),
        (gettext_lazy("Time-outs"), {"fields": ("idle_minutes", "longest_hours")}),
        (gettext_lazy("Mail to staff"), {"fields": ("digest_hour",)}),
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
        return _to_settings()

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        logo = require_http_methods(["GET", "HEAD", "POST"])(self._logo)
        return [
            path("preview/", wrap(require_POST(self._preview)), name="households_practice_preview"),
            path("logo/", wrap(logo), name="households_practice_logo"),
            *super().get_urls(),
        ]

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        *args: Any,
        obj: Any = None,
        **kwargs: Any,
    ) -> HttpResponse:
        context["title"] = _("Practice settings")
        context["choices"] = _choices(request)
        context["time_outs"] = _time_outs()
        context["may_change"] = self.has_change_permission(request, obj)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        sends_as = settings.EMAIL_CONFIG.get("EMAIL_HOST_USER") or ""
        domain = sends_as.rpartition("@")[2].lower()
        if "@" in sends_as and domain != obj.sender.rpartition("@")[2].lower():
            text = _(
                "Mail is sent through an account of %(domain)s (EMAIL_URL), and the sender is another "
                "domain's. Such mail often ends as spam: send a link to yourself and look."
            )
            self.message_user(request, text % {"domain": domain}, messages.WARNING)

    # --- what a family would see ------------------------------------------------------

    def _preview(self, request: HttpRequest) -> HttpResponse:
        """A page of the families' with what is typed and not saved. Nothing is written."""
        practice = Practice.load()
        if not self.has_change_permission(request, practice):
            raise PermissionDenied
        form = self.get_form(request, practice, change=True)(request.POST, instance=practice)
        if form.is_valid():
            problems = []
        else:
            problems = [
                f"{form[name].label}: {text}" if name in form.fields else str(text)
                for name, texts in form.errors.items()
                for text in texts
            ]
        # From here on the page is made of what was typed, header and footer too.
        request.practice = practice  # type: ignore[attr-defined] # as the middleware sets it
        facts = {"name": practice.name, "phone": practice.phone, "sender": practice.sender}
        mail = {
            "practice": facts,
            "link": f"{settings.PORTAL_URL}/password/…",
            "hours": max(1, settings.LINK_SECONDS // 3600),
            "has_password": False,
        }
        help_text = as_text(instructions(practice))
        context = {
            "problems": problems,
            "typed": [
                (name, value)
                for name, values in request.POST.lists()
                for value in values
                if name != "csrfmiddlewaretoken"
            ],
            "subject": render_to_string("accounts/mail/password_link_subject.txt", mail).strip(),
            "mail": render_to_string("accounts/mail/password_link.txt", mail).strip(),
            "help_text": help_text,
            "settings_url": _settings_url(),
        }
        return TemplateResponse(request, "admin/households/practice/preview.html", context)

    # --- the logo ---------------------------------------------------------------------

    def _logo(self, request: HttpRequest) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        form, status = LogoForm(), 200
        if request.method == "POST" and "remove" in request.POST:
            logo_remove(request=request)
            self.message_user(request, _("The logo is removed."), messages.SUCCESS)
            return HttpResponseRedirect(request.path)
        if request.method == "POST":
            form = LogoForm(request.POST, request.FILES)
            if form.is_valid():
                try:
                    logo_set(request=request, file=form.cleaned_data["file"])
                except ValidationError as error:
                    form.add_error("file", error)
                else:
                    text = _("This is the logo now. Look at it below.")
                    self.message_user(request, text, messages.SUCCESS)
                    return HttpResponseRedirect(request.path)
            status = 422
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Logo"),
            "form": form,
            "practice": Practice.load(),
            "most_kb": MOST_KB,
            "settings_url": _settings_url(),
        }
        return TemplateResponse(
            request, "admin/households/practice/logo.html", context, status=status
        )


def _settings_url() -> str:
    return reverse("admin:households_practice_change", args=[1])


def _to_settings() -> HttpResponseRedirect:
    return HttpResponseRedirect(_settings_url())


def _choices(request: HttpRequest) -> list[dict[str, Any]]:
    """The lists of what families are asked, each with how it is set now. Short lists, counted whole."""
    user: Any = request.user
    shown = list(FieldSetting.objects.values_list("shown", flat=True))
    sections = list(SectionSetting.objects.values_list("is_asked", "is_private"))
    kinds = list(DocumentKind.objects.values_list("is_offered", flat=True))
    lists = (
        (
            "demographics.view_fieldsetting",
            "admin:demographics_fieldsetting_changelist",
            _("Fields of the details"),
            _("%(hidden)d of %(all)d hidden, %(required)d required")
            % {
                "hidden": shown.count(FieldSetting.Shown.HIDDEN),
                "all": len(shown),
                "required": shown.count(FieldSetting.Shown.REQUIRED),
            },
        ),
        (
            "history.view_sectionsetting",
            "admin:history_sectionsetting_changelist",
            _("Topics of the history"),
            _("%(hidden)d of %(all)d not asked, %(private)d private")
            % {
                "hidden": sum(not is_asked for is_asked, _private in sections),
                "all": len(sections),
                "private": sum(is_private for _asked, is_private in sections),
            },
        ),
        (
            "documents.view_documentkind",
            "admin:documents_documentkind_changelist",
            _("Kinds of documents"),
            _("%(hidden)d of %(all)d not offered")
            % {"hidden": kinds.count(False), "all": len(kinds)},
        ),
    )
    return [
        {"url": reverse(address) if user.has_perm(permission) else "", "title": title, "says": says}
        for permission, address, title, says in lists
    ]


def _time_outs() -> list[tuple[str, str, str]]:
    """What whoever runs the portal has set, and by which variable. The practice can only shorten it."""
    minutes, hours = _("%(n)g minutes"), _("%(n)g hours")
    return [
        (
            _("A sign-in that nobody uses ends after"),
            minutes % {"n": settings.IDLE_SECONDS / 60},
            "PORTAL_IDLE_SECONDS",
        ),
        (
            _("Any sign-in of a family ends after"),
            hours % {"n": round(settings.ABSOLUTE_SECONDS / 3600, 2)},
            "PORTAL_ABSOLUTE_SECONDS",
        ),
        (
            _("Any sign-in of staff ends after"),
            hours % {"n": round(settings.STAFF_ABSOLUTE_SECONDS / 3600, 2)},
            "PORTAL_STAFF_ABSOLUTE_SECONDS",
        ),
        (
            _("A mailed link works for"),
            hours % {"n": round(settings.LINK_SECONDS / 3600, 2)},
            "PORTAL_LINK_SECONDS",
        ),
    ]
