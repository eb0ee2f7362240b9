"""Admin pages of the rules by which families are asked to fill in a form. Requests to one person are in
member_ask_admin.py."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import connection, models, transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from accounts.staff_pages import PortalModelAdmin
from households.intake.ask_forms import AskChangeForm, AskForm
from households.intake.models import Ask, Asking, QuestionnaireVersion
from households.models import Member
from households.staff_pages import moment, year_first

# Nobody needs to know it better, and counting everybody takes a large practice's list too long.
MOST_COUNTED = 1000


class AskingAdmin(PortalModelAdmin):
    """What both lists show of a request."""

    @admin.display(description=gettext_lazy("form"), ordering="questionnaire__title")
    def form_title(self, asking: Any) -> str:
        return asking.questionnaire.title

    @admin.display(description=gettext_lazy("how often"), ordering="again")
    def how_often(self, asking: Any) -> str:
        if asking.again == Asking.Again.MONTHS:
            words = ngettext("every month", "every %(count)d months", asking.months)
            return words % {"count": asking.months}
        return str(asking.get_again_display())

    @admin.display(description=gettext_lazy("due"), ordering="due_on")
    def due(self, asking: Any) -> str:
        return year_first(asking.due_on)

    @admin.display(description=gettext_lazy("asked"), ordering="asked_at")
    def asked(self, asking: Any) -> str:
        return f"{moment(asking.asked_at)}, {asking.asked_by or _('the portal')}"

    @admin.display(description=gettext_lazy("ended"))
    def ended(self, asking: Any) -> str:
        return moment(asking.ended_at)

    def _end(self, request: HttpRequest, asking: Any) -> None:
        """The row is locked by now: of two who press at once, one is told that it was ended before."""
        if asking.ended_at:
            text = _("Nothing was changed: it was ended before.")
            self.message_user(request, text, messages.WARNING)
            return
        asking.ended_at = timezone.now()
        asking.save(update_fields=["ended_at"])
        self.log_change(request, asking, "ended")
        text = _("Ended. Nobody is asked by it any more; what was sent stays.")
        self.message_user(request, text, messages.SUCCESS)


class StateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("asked", _("asked now")), ("ended", _("ended"))]

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[Any]
    ) -> models.QuerySet[Any]:
        if self.value() in {"asked", "ended"}:
            return queryset.filter(ended_at__isnull=self.value() == "asked")
        return queryset


# --- of many, by a rule ---------------------------------------------------------------


class AskAdmin(AskingAdmin):
    form = AskChangeForm
    change_form_template = "admin/intake/asking.html"
    list_display = ("form_title", "who", "people", "how_often", "due", "state", "asked")
    list_display_links = ("form_title",)
    list_filter = (StateFilter, "whom", "questionnaire")
    _asked = ("again", "months", "due_on", "why")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Ask]:
        rows = super().get_queryset(request)
        published = QuestionnaireVersion.objects.filter(
            questionnaire=models.OuterRef("questionnaire"),
            status=QuestionnaireVersion.Status.PUBLISHED,
        )
        return rows.select_related("questionnaire", "asked_by").annotate(
            is_published=models.Exists(published)
        )

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        return [models.F("ended_at").asc(nulls_first=True), "-asked_at", "-pk"]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        shown = super().get_changelist_instance(request)
        counted = people_of(shown.result_list, timezone.localdate())
        for ask in shown.result_list:
            ask.people_asked = counted.get(ask.pk, 0)
        return shown

    @admin.display(description=gettext_lazy("whom"))
    def who(self, ask: Ask) -> str:
        if ask.whom == Ask.Whom.HOUSEHOLD:
            return ask.email_key
        if ask.whom == Ask.Whom.AGES:
            return ages_in_words(ask)
        return str(ask.get_whom_display())

    @admin.display(description=gettext_lazy("people it means today"))
    def people(self, ask: Ask) -> str:
        if not hasattr(ask, "people_asked"):  # its own page
            # A count for the column of this list.
            ask.people_asked = people_of([ask], timezone.localdate()).get(ask.pk, 0)  # type: ignore[attr-defined]
        if ask.people_asked >= MOST_COUNTED:
            return _("%(count)d or more") % {"count": MOST_COUNTED}
        return str(ask.people_asked)

    @admin.display(description=gettext_lazy("state"))
    def state(self, ask: Any) -> str:
        if ask.ended_at:
            return _("ended")
        return _("asked now") if ask.is_published else _("nobody: the form is not published")

    # --- one rule ---------------------------------------------------------------------

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = AskForm
        return super().get_form(request, obj, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Ask | None = None) -> Any:
        if obj is None:
            whom = ("questionnaire", "whom", "email", "age_from", "age_to")
            return [(None, {"fields": [*whom, *self._asked]})]
        return super().get_fieldsets(request, obj)

    def get_fields(self, request: HttpRequest, obj: Ask | None = None) -> list[str]:
        return ["form_title", "who", "people", *self._asked, "state", "asked", "ended"]

    def get_readonly_fields(self, request: HttpRequest, obj: Ask | None = None) -> list[str]:
        if obj is None:
            return []
        return ["form_title", "who", "people", "state", "asked", "ended"]

    def about(self, obj: Any) -> str:
        return f"{obj.questionnaire.title}: {self.who(obj)}"

    def save_model(self, request: HttpRequest, obj: Ask, form: Any, change: bool) -> None:
        if not change:
            obj.asked_by = request.user  # type: ignore[assignment] # staff, on every page of admin
        super().save_model(request, obj, form, change)

    def get_urls(self) -> list[URLPattern]:
        end = self.admin_site.admin_view(require_POST(self._end_view))
        return [path("<int:pk>/end/", end, name="intake_ask_end"), *super().get_urls()]

    def _end_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        with transaction.atomic():
            ask = get_object_or_404(self.get_queryset(request), pk=pk if pk < 2**63 else 0)
            self._end(request, ask)
        return HttpResponseRedirect(reverse("admin:intake_ask_change", args=[ask.pk]))


def ages_in_words(ask: Ask) -> str:
    words = {"first": ask.age_from, "last": ask.age_to}
    if ask.age_to is None:
        return _("age %(first)s and older") % words
    if ask.age_from is None:
        return _("age %(last)s and younger") % words
    return _("age %(first)s to %(last)s") % words


def people_of(asks: Sequence[Ask], today: datetime.date) -> dict[int, int]:
    """How many people with portal access each rule means, by its number, counted up to MOST_COUNTED and no
    further. One query."""
    people = Member.objects.with_portal_access().order_by().values("pk")
    parts: list[str] = []
    params: list[Any] = []
    for ask in asks:
        meant = people
        if ask.whom == Ask.Whom.HOUSEHOLD:
            meant = people.filter(email_key=ask.email_key)
        elif ask.whom == Ask.Whom.AGES:
            meant = people.filter(of_age(ask, today))
        sql, given = meant[:MOST_COUNTED].query.get_compiler(connection=connection).as_sql()
        # A count that stops is nothing that a queryset could be asked for, beside others.
        parts.append(f"(SELECT COUNT(*) FROM ({sql}) AS counted)")  # noqa: S608 # Django wrote it
        params += given
    if not parts:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(parts)}", params)
        return dict(zip((ask.pk for ask in asks), cursor.fetchone(), strict=True))


def of_age(ask: Ask, today: datetime.date) -> Q:
    """Member.age_on(), as a question to the database."""
    born = Q(date_of_birth__isnull=False)
    if ask.age_from is not None:
        born &= Q(date_of_birth__lte=years_before(today, ask.age_from))
    if ask.age_to is not None:
        born &= Q(date_of_birth__gt=years_before(today, ask.age_to + 1))
    return born


def years_before(day: datetime.date, years: int) -> datetime.date:
    """The last birth date with which somebody is that old on `day`."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # 29 February, in a year that has none
        return day.replace(year=day.year - years, day=28)


admin.site.register(Ask, AskAdmin)
