"""Admin pages of who was asked, by hand, to fill in a form: one person from their page, or the people ticked
on the list of people."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.helpers import AdminForm
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from accounts import audit
from accounts.requests import posted
from accounts.staff_pages import PortalModelAdmin
from households.intake.ask_admin import AskingAdmin, StateFilter
from households.intake.ask_forms import AskOneForm, MemberAskForm, published_forms
from households.intake.asking import Rule, Sent, Verdict, verdict_on
from households.intake.models import MemberAsk, QuestionnaireResponse, QuestionnaireVersion
from households.member_admin import MemberAdmin
from households.models import Member
from households.staff_pages import MemberOwnedAdmin, name_and_birth_date
from households.submissions.models import Submission

# How many people are asked at once by hand; more are a rule.
MOST_PEOPLE = 200


class MemberAskAdmin(MemberOwnedAdmin, AskingAdmin):
    form = MemberAskForm
    change_form_template = "admin/intake/asking.html"
    list_display = ("person_name", "born", "form_title", "how_often", "due", "state", "asked")
    list_display_links = ("person_name", "form_title")
    list_filter = (StateFilter, "questionnaire")
    readonly_fields = ("person_link", "born", "form_title", "state", "asked", "ended")
    fields = (
        *("person_link", "born", "form_title", "again", "months", "due_on", "why"),
        *("state", "asked", "ended"),
    )
    buttons: ClassVar = {"end": "_end"}

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[MemberAsk]:
        return super().get_queryset(request).select_related("questionnaire", "asked_by")

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        return ["-asked_at", "-pk"]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        shown = super().get_changelist_instance(request)
        states = states_of(shown.result_list, timezone.localdate())
        for ask in shown.result_list:
            ask.state_now = states[ask.pk]
        return shown

    @admin.display(description=gettext_lazy("state"))
    def state(self, ask: Any) -> str:
        if not hasattr(ask, "state_now"):  # its own page
            ask.state_now = states_of([ask], timezone.localdate())[ask.pk]
        return str(ask.state_now)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context["show_save_and_add_another"] = False  # another one is asked on a person's page
        return super().render_change_form(request, context, *args, **kwargs)

    # --- asking -----------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        people = self.admin_site.admin_view(require_POST(self._ask_people))
        return [
            self.own_path("ask/<int:member_pk>/", self._ask, "GET, HEAD, POST"),
            path("ask-people/", people, name="intake_memberask_ask_people"),
            *super().get_urls(),
        ]

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.to_choose_person(request, _("Ask for a form"))

    def _ask(self, request: HttpRequest, member_pk: int) -> HttpResponse:
        member = self.person_or_404(request, member_pk)
        initial = {"questionnaire": request.GET.get("form", "")}
        form = AskOneForm(posted(request), initial=initial)
        if request.method == "POST" and form.is_valid():
            self._ask_all(request, [member], form.cleaned_data)
            asked = MemberAsk.objects.for_member(member).latest("pk")
            text = _("Asked. The family sees it first on this person's page.")
            self.message_user(request, text, messages.SUCCESS)
            return self.to_its_page(asked)
        title = _("Ask for a form")
        return self.form_page(request, member, form, title=title, button=_("Ask the family"))

    def _ask_people(self, request: HttpRequest) -> HttpResponse:
        """Of the people who were ticked on the list of people, in one go."""
        if not self.has_add_permission(request) or not request.user.has_perm(
            "households.view_member"
        ):
            raise PermissionDenied
        chosen = [int(pk) for pk in request.POST.getlist("people") if pk.isascii() and pk.isdigit()]
        people = list(
            Member.objects.filter(pk__in=[pk for pk in chosen if pk < 2**63][:MOST_PEOPLE])
        )
        form = AskOneForm(request.POST)
        if not people or not form.is_valid():
            return people_page(self, request, people, form)
        self._ask_all(request, people, form.cleaned_data)
        text = ngettext(
            "Asked. %(count)d family sees it first on this person's page.",
            "Asked. The families of %(count)d people see it first on their pages.",
            len(people),
        )
        self.message_user(request, text % {"count": len(people)}, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:intake_memberask_changelist"))

    def _ask_all(
        self, request: HttpRequest, people: Iterable[Member], typed: dict[str, Any]
    ) -> None:
        """The page's id and the person make the row's: the same page sent twice asks once, and no forged
        id meets somebody else's row."""
        sending_id = typed.pop("sending_id")
        asks = [
            MemberAsk(
                **typed,
                member=member,
                asked_by=request.user,  # type: ignore[misc] # staff, on every page of admin
                public_id=uuid.uuid5(sending_id, str(member.public_id)),
            )
            for member in people
        ]
        rows = self.model._default_manager
        with transaction.atomic():
            there = {
                *rows.filter(public_id__in=[one.public_id for one in asks]).values_list(
                    "public_id", flat=True
                )
            }
            new = [one for one in asks if one.public_id not in there]
            rows.bulk_create(new)
            for one in new:
                self.log_addition(request, one, [{"added": {}}])


def states_of(asks: Sequence[MemberAsk], today: datetime.date) -> dict[int, str]:
    """In words, by the request's number: two queries."""
    published = dict(
        QuestionnaireVersion.objects.filter(
            questionnaire__in={ask.questionnaire_id for ask in asks},
            status=QuestionnaireVersion.Status.PUBLISHED,
        ).values_list("questionnaire_id", "pk")
    )
    rows = (
        QuestionnaireResponse.objects.filter(
            member__in={ask.member_id for ask in asks},
            version__questionnaire__in={ask.questionnaire_id for ask in asks},
        )
        .exclude(submission__status=Submission.Status.WITHDRAWN)
        .order_by("-submission__sent_at", "-pk")
        .values_list(
            *("member_id", "version__questionnaire_id", "version_id", "submission__sent_at"),
            *("submission__status", "signature__voided_at"),
        )
    )
    sent: dict[tuple[int, int], list[Sent]] = {}
    begun: set[tuple[int, int]] = set()
    for member, questionnaire, version, sent_at, status, voided_at in rows:
        if sent_at is None:
            begun.add((member, questionnaire))
        else:
            one = Sent(version, sent_at, status, voided_at)
            sent.setdefault((member, questionnaire), []).append(one)
    found = {}
    for ask in asks:
        key = (ask.member_id, ask.questionnaire_id)
        verdict = verdict_on(
            [Rule(*(getattr(ask, name) for name in Rule._fields[:-1]), is_personal=True)],
            sent.get(key, []),
            version_id=published.get(ask.questionnaire_id, 0),
            published_at=None,
            on_file_since=ask.member.created_at,
            today=today,
        )
        assert verdict is not None  # there is a rule
        is_published = ask.questionnaire_id in published
        found[ask.pk] = _state_in_words(ask, verdict, key in begun, is_published, today)
    return found


def _state_in_words(
    ask: MemberAsk, verdict: Verdict, is_begun: bool, is_published: bool, today: datetime.date
) -> str:
    if ask.ended_at:
        return _("ended")
    if verdict.is_answered:
        return _("answered")
    if not is_published:
        return _("nobody: the form is not published")
    state = _("open")
    if is_begun:
        state = _("begun")
    elif verdict.state == "returned":
        state = _("returned")
    if verdict.due_on is not None and verdict.due_on < today:
        return _("%(state)s, overdue") % {"state": state}
    return state


# --- of the people who are ticked -----------------------------------------------------


@admin.action(description=gettext_lazy("Ask for a form"), permissions=["ask_forms"])
def ask_people(
    of_people: MemberAdmin, request: HttpRequest, people: models.QuerySet[Member]
) -> HttpResponse | None:
    chosen = list(people.order_by("pk")[: MOST_PEOPLE + 1])
    if len(chosen) > MOST_PEOPLE:
        text = _(
            "At most %(count)d people can be asked by hand. For more, add a request for everyone or for "
            "an age."
        )
        of_people.message_user(request, text % {"count": MOST_PEOPLE}, messages.WARNING)
        return None
    return people_page(of_people, request, chosen, AskOneForm())


def people_page(
    of_page: PortalModelAdmin, request: HttpRequest, people: Sequence[Member], form: AskOneForm
) -> HttpResponse:
    """Names everybody who is going to be asked, above the form."""
    audit.record(audit.Action.STAFF_VIEW, "form", request=request, object_type="memberask")
    context = {
        **of_page.admin_site.each_context(request),
        "title": _("Ask for a form"),
        "adminform": AdminForm(
            form,  # type: ignore[arg-type] # any form has what it needs
            [(None, {"fields": [*form.fields]})],
            {},
            (),
            of_page,
        ),
        "people": [(member.pk, name_and_birth_date(member)) for member in people],
        "has_forms": published_forms().exists(),
        "action": reverse("admin:intake_memberask_ask_people"),
        "back": reverse("admin:households_member_changelist"),
    }
    return TemplateResponse(request, "admin/intake/ask_people.html", context)


MemberAdmin.actions = [*(MemberAdmin.actions or ()), ask_people]
admin.site.register(MemberAsk, MemberAskAdmin)
