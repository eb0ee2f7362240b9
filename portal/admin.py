"""The staff site: Django admin under the practice's name, its index grouped by job."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.apps import AdminConfig
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy


class PortalAdminConfig(AdminConfig):
    default_site = "portal.admin.PortalAdminSite"


# What staff come for, and the models behind it, in this order.
JOBS = (
    (
        "families",
        gettext_lazy("Families"),
        ("households.Member", "accounts.HouseholdAccount", "desk.RosterImport"),
    ),
    (
        "inbox",
        gettext_lazy("Inbox"),
        (
            *("submissions.Submission", "demographics.DetailChange", "history.EntryChange"),
            *("intake.QuestionnaireResponse", "documents.Document", "documents.DocumentRequest"),
            "submissions.Refiling",
        ),
    ),
    (
        "forms",
        gettext_lazy("Forms"),
        (
            *("intake.Questionnaire", "intake.QuestionnaireVersion", "intake.Ask"),
            *("intake.MemberAsk", "intake.Signature", "intake.ValueSet"),
        ),
    ),
    (
        "practice",
        gettext_lazy("Practice"),
        (
            *("households.Practice", "demographics.FieldSetting", "history.SectionSetting"),
            *("documents.DocumentKind", "desk.StaffMailSubscription"),
        ),
    ),
    ("staff", gettext_lazy("Staff"), ("accounts.StaffAccount", "auth.Group")),
    ("audit", gettext_lazy("Audit"), ("audit.AuditEvent",)),
)


class PortalAdminSite(admin.AdminSite):
    # Families have their own door: no link leads from one side to the other.
    site_url = None
    index_title = gettext_lazy("What would you like to do?")

    # --- the frame around every page --------------------------------------------------

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        # Imported here: this module is read before the models are.
        from accounts.staff.door import idle_seconds
        from households.desk.task_pages import may_see_tasks
        from households.desk.tasks import MOST, open_count
        from households.submissions.inbox import waiting_for

        def tasks_waiting() -> str | None:
            if not may_see_tasks(request):
                return None
            count = open_count()
            return f"{MOST - 1}+" if count >= MOST else str(count)

        name = request.practice.name
        return {
            **super().each_context(request),
            "idle_seconds": idle_seconds(request),
            # Counted where a page shows it: the answer to a button has no head.
            "inbox_waiting": SimpleLazyObject(lambda: waiting_for(request.user)),
            "tasks_waiting": SimpleLazyObject(tasks_waiting),
            "site_title": name,
            "site_header": _("%(practice)s: staff") % {"practice": name},
        }

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What waits, then the jobs."""
        # Imported here: this module is read before the models are.
        from households.desk.task_pages import may_see_tasks
        from households.desk.tasks import summary
        from households.submissions.inbox import kinds_in_inbox
        from households.submissions.models import Submission

        context: dict[str, Any] = {"jobs_title": self.index_title, "unseen": None}
        context["tasks"] = summary() if may_see_tasks(request) else None
        is_owner = getattr(request.user, "is_owner", False)
        context["has_no_role"] = not (is_owner or request.user.get_all_permissions())
        if kinds_in_inbox(request.user):
            inbox: Any = self.get_model_admin(Submission)
            context |= {"title": _("Inbox"), "unseen": inbox.unseen(request)}
        return super().index(request, {**context, **(extra_context or {})})

    def get_app_list(
        self, request: HttpRequest, app_label: str | None = None
    ) -> list[dict[str, Any]]:
        """The index and the side bar by job; the page of one app as Django has it."""
        if app_label is not None:
            return super().get_app_list(request, app_label)
        # Imported here: this module is read before the models are.
        from households.household_page import may_look

        shown = {
            model["model"]._meta.label: model
            for app in self._build_app_dict(request).values()
            for model in app["models"]
        }
        if "submissions.Submission" in shown:
            shown["submissions.Submission"]["name"] = _("Inbox")
        jobs = []
        for slug, name, labels in JOBS:
            models = [shown.pop(label) for label in labels if label in shown]
            if slug == "families" and may_look(request):
                models.insert(0, self._household_entry())
            if slug == "practice":
                models.append(self._help_text_entry())
            if slug == "forms" and getattr(request.user, "is_owner", False):
                models.append(self._form_answers_entry())
            jobs.append(_group(slug, name, models))
        jobs.append(_group("more", gettext_lazy("More"), list(shown.values())))
        return [job for job in jobs if job["models"]]

    def _household_entry(self) -> dict[str, Any]:
        return {
            "name": _("“I can't get in”: find a household by email"),
            "object_name": "Household",
            "perms": {},
            "admin_url": reverse("admin:household"),
            "add_url": None,
            "view_only": True,
        }

    def _help_text_entry(self) -> dict[str, Any]:
        return {
            "name": _("Help text for families, to copy"),
            "object_name": "HelpText",
            "perms": {},
            "admin_url": reverse("admin:help_text"),
            "add_url": None,
            "view_only": True,
        }

    def _form_answers_entry(self) -> dict[str, Any]:
        return {
            "name": _("Answers to a form, to download"),
            "object_name": "FormAnswers",
            "perms": {},
            "admin_url": reverse("admin:form_answers"),
            "add_url": None,
            "view_only": True,
        }

    def get_urls(self) -> list[URLPattern | URLResolver]:
        # Imported here: this module is read before the models are.
        from accounts.staff import door_pages, second_factor_pages, sessions_pages
        from households import household_page
        from households.desk import consent_pages, instruction_pages, task_pages
        from households.intake.builder_admin import builder_paths
        from households.record import form_pages, staff_pages

        ours = [*staff_pages.staff_paths(self), *form_pages.staff_paths(self)]
        ours += [*household_page.staff_paths(self), *instruction_pages.staff_paths(self)]
        ours += [*task_pages.staff_paths(self), *consent_pages.staff_paths(self)]
        ours += [*door_pages.staff_paths(self), *second_factor_pages.staff_paths(self)]
        ours += sessions_pages.staff_paths(self)
        return [*ours, *builder_paths(self), *super().get_urls()]

    # --- the staff door ---------------------------------------------------------------

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """In place of Django's, whose page signs in by the password alone."""
        # Imported here: this module is read before the models are.
        from accounts.staff.door_pages import sign_in_page

        return sign_in_page(request, self)

    def logout(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        from accounts import audit
        from accounts.staff import sessions as staff_sessions

        if request.method == "POST" and request.user.is_authenticated:
            staff_sessions.end_own(request)
            audit.record(audit.Action.STAFF_SIGN_OUT, "ok", request=request)
        response = super().logout(request, extra_context)
        if request.method == "POST":
            response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        from accounts import audit, throttle
        from accounts.staff import sessions as staff_sessions

        subject = f"staff {request.user.pk}"
        if request.method == "POST":
            # Outside the transaction: a refused attempt must stay counted.
            verdict = throttle.count(throttle.PASSWORD_CHANGE, subject)
            if not verdict.admitted:
                audit.record(audit.Action.THROTTLE, "staff-password-change", request=request)
                return self._paused(request, verdict.seconds)
        with transaction.atomic():
            response = super().password_change(request, extra_context)
            if request.method == "POST" and response.status_code == 302:
                throttle.clear(throttle.PASSWORD_CHANGE, subject)
                staff_sessions.goes_on(request, request.user)
                audit.record(
                    audit.Action.PASSWORD_CHANGE,
                    "ok",
                    request=request,
                    object_type="staffaccount",
                    object_id=request.user.pk,
                )
        return response

    def _paused(self, request: HttpRequest, seconds: int) -> HttpResponse:
        context = {
            **self.each_context(request),
            "title": _("Too many attempts"),
            "minutes": -(-seconds // 60),
        }
        response = TemplateResponse(request, "admin/paused.html", context, status=429)
        response.headers["Retry-After"] = str(max(1, seconds))
        return response


def _group(slug: str, name: Any, models: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": name,
        "app_label": slug,
        "app_url": f"{reverse('admin:index')}#{slug}",
        "has_module_perms": True,
        "models": models,
    }
