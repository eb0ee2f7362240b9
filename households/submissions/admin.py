"""The inbox: everything that families sent, whatever kind it is, as one list for staff. What nobody has seen
stands on top, and above all what suggests danger.

Each row leads to the thing itself, on the pages of its slice; a kind whose pages somebody may not open is not
in their inbox (inbox.py). What is done with many at once, and with one from the bar on its page, is here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.apps import apps
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts import audit
from accounts.staff_pages import PortalChangeList
from households.staff_pages import MemberOwnedAdmin, moment, person_line, shown_as_anothers
from households.submissions.actions import submission_assign, submission_file, submission_see
from households.submissions.inbox import (
    IN_ORDER,
    MODELS,
    OPEN,
    kinds_in_inbox,
    on_the_way,
    walk_query,
    with_assigned,
    with_danger,
    with_kind,
    with_status,
)
from households.submissions.inbox_bar import address_of, to_the_next, to_the_previous
from households.submissions.models import InboxPlace, Submission, SubmissionQuerySet
from households.submissions.refiling_admin import refile_page
from households.submissions.sight import kinds_decided_by, seen_by, sees_clinical_answers

Status = Submission.Status
Kind = Submission.Kind

# What is looked at part by part: its page has a title of its own.
_IN_PARTS = (Kind.DEMOGRAPHICS, Kind.HISTORY)
_MOST_AT_ONCE = 200
_ON_THE_START_PAGE = 20


# --- the list's choices ---------------------------------------------------------------


class ChoiceFilter(admin.SimpleListFilter):
    """One of the list's choices. Where `standard` has words, they say what is listed without a choice."""

    standard: Any = ""

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return self.narrow(queryset, self.value() or "", request)

    def narrow(self, rows: Any, chosen: str, request: HttpRequest) -> Any:
        raise NotImplementedError  # every filter says it

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        for number, choice in enumerate(super().choices(changelist)):
            words = {"display": self.standard} if number == 0 and self.standard else {}
            yield {**choice, **words}


class StatusFilter(ChoiceFilter):
    title = gettext_lazy("status")
    parameter_name = "status"
    standard = gettext_lazy("To do (unseen and seen)")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        words = {status.value: status.label for status in Status}
        words[Status.RECEIVED] = gettext_lazy("Unseen")
        return [*words.items(), ("all", gettext_lazy("All but withdrawn"))]

    def narrow(self, rows: Any, chosen: str, request: HttpRequest) -> Any:
        return with_status(rows, chosen or OPEN)


class KindFilter(ChoiceFilter):
    title = gettext_lazy("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(kind.value, kind.label) for kind in kinds_in_inbox(request.user)]

    def narrow(self, rows: Any, chosen: str, request: HttpRequest) -> Any:
        return with_kind(rows, chosen)


class AssignedFilter(ChoiceFilter):
    title = gettext_lazy("assigned to")
    parameter_name = "assigned"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("me", gettext_lazy("Me")),
            ("nobody", gettext_lazy("Nobody")),
            ("somebody", gettext_lazy("Somebody")),
        ]

    def narrow(self, rows: Any, chosen: str, request: HttpRequest) -> Any:
        return with_assigned(rows, chosen, request.user)


class DangerFilter(ChoiceFilter):
    title = gettext_lazy("danger")
    parameter_name = "urgent"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", gettext_lazy("Answers that suggest danger"))]

    def narrow(self, rows: Any, chosen: str, request: HttpRequest) -> Any:
        return with_danger(rows, chosen)


class InboxList(PortalChangeList):
    """Its rows know which list they were opened from."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        query = walk_query(request.GET, timezone.now())
        for submission in self.result_list:
            submission.walk_query = query


# --- the list -------------------------------------------------------------------------


@admin.register(Submission)
class SubmissionAdmin(MemberOwnedAdmin):
    list_display = (
        *("thing", "born", "age", "what", "sent", "status_words"),
        *("filled_in", "household", "assigned"),
    )
    list_display_links = None
    list_filter = (StatusFilter, KindFilter, AssignedFilter, DangerFilter)
    change_list_template = "admin/submissions/change_list.html"
    empty_value_display = ""
    # One order: the one that next and previous follow.
    sortable_by = ()
    actions = ("assign_to_me", "mark_seen", "mark_filed")  # type: ignore[assignment] # "no actions" is what the base says

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Submission | None = None) -> bool:
        return False

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """For the list's actions: whoever may file something of what they see."""
        return bool(kinds_decided_by(request.user))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return InboxList

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Submission]:
        """What this person may know of, with the titles of the forms among them: a submission does not know
        its form."""
        forms = apps.get_model("intake.questionnaireresponse")._default_manager
        of_this = forms.filter(submission=models.OuterRef("pk"))
        if not sees_clinical_answers(request.user):
            of_this = of_this.filter(version__questionnaire__is_clinical=False)
        title = of_this.values("version__questionnaire__title")[:1]
        rows = super().get_queryset(request).filter(seen_by(request.user))
        rows = rows.select_related("assigned_to", "sent_by")
        return rows.annotate(form_title=models.Subquery(title))

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        return [*IN_ORDER]

    @admin.display(description=gettext_lazy("person"))
    def thing(self, submission: Any) -> str:
        address = f"{address_of(submission)}{getattr(submission, 'walk_query', '')}"
        link = format_html('<a href="{}">{}</a>', address, submission.member.full_name)
        is_unseen = submission.status == Status.RECEIVED
        return format_html("<strong>{}</strong>", link) if is_unseen else link

    @admin.display(description=gettext_lazy("age"))
    def age(self, submission: Submission) -> str:
        age = submission.member.age
        return "" if age is None else str(age)

    @admin.display(description=gettext_lazy("what"))
    def what(self, submission: Submission) -> str:
        title = self.title_of(submission)
        if not submission.is_urgent:
            return title
        return format_html('<strong class="portal-danger">{}</strong> {}', _("DANGER"), title)

    @admin.display(description=gettext_lazy("status"))
    def status_words(self, submission: Submission) -> str:
        if submission.status != Status.RECEIVED:
            return submission.get_status_display()
        return format_html("<strong>{}</strong>", _("Unseen"))

    @admin.display(description=gettext_lazy("sent"))
    def sent(self, submission: Submission) -> str:
        return moment(submission.sent_at)

    @admin.display(description=gettext_lazy("filled in by"))
    def filled_in(self, submission: Submission) -> str:
        return submission.filler

    @admin.display(description=gettext_lazy("login"))
    def household(self, submission: Submission) -> str:
        address = reverse("admin:accounts_householdaccount_change", args=[submission.sent_by_id])
        return format_html('<a href="{}">{}</a>', address, submission.sent_by.email_key)

    @admin.display(description=gettext_lazy("assigned to"))
    def assigned(self, submission: Submission) -> str:
        return str(submission.assigned_to or "")

    def title_of(self, submission: Submission) -> str:
        """What it is, in the words of its own page."""
        if title := getattr(submission, "form_title", None):
            return str(title)
        if submission.kind in _IN_PARTS:
            return str(self._admin_of(submission.kind).page_title(submission))
        return str(submission.get_kind_display()).capitalize()

    def _admin_of(self, kind: str) -> Any:
        model = apps.get_model(*MODELS[Kind(kind)])
        return self.admin_site.get_model_admin(model)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        title = {"title": _("Inbox")}
        return super().changelist_view(request, {**title, **(extra_context or {})})

    def unseen(self, request: HttpRequest) -> list[dict[str, Any]]:
        """The first rows of the inbox that nobody has seen, for the start page
        (admin/submissions/unseen.html)."""
        rows = self.get_queryset(request).filter(place__lte=InboxPlace.UNSEEN)
        shown = rows.order_by(*IN_ORDER)[:_ON_THE_START_PAGE]
        query = walk_query({}, timezone.now())
        lines = [
            {
                "address": f"{address_of(one)}{query}",
                "person": one.member.full_name,
                "born": self.born(one),
                "age": self.age(one),
                "what": self.what(one),
                "sent": self.sent(one),
                "filled_in": one.filler,
                "household": self.household(one),
                "assigned": self.assigned(one),
            }
            for one in shown
        ]
        if lines:
            self._record(request, audit.Action.STAFF_VIEW, "start-page")
        return lines

    # --- many at once -----------------------------------------------------------------

    @admin.action(description=gettext_lazy("Assign to me"), permissions=["decide"])
    def assign_to_me(self, request: HttpRequest, rows: SubmissionQuerySet) -> None:
        """What somebody else takes care of stays theirs."""

        def take(submission: Submission) -> bool:
            return submission_assign(
                request=request, submission=submission, to=request.user.pk, instead_of=None
            )

        chosen, decides = self._chosen(rows), kinds_decided_by(request.user)
        done = [take(one) for one in chosen if one.kind in decides]
        self._tell_of_many(
            request,
            chosen,
            sum(done),
            ngettext("%(count)d is yours now.", "%(count)d are yours now.", sum(done)),
            _("assigned to you or to somebody else before, or taken back by the family"),
        )

    @admin.action(description=gettext_lazy("Mark as seen"), permissions=["decide"])
    def mark_seen(self, request: HttpRequest, rows: SubmissionQuerySet) -> None:
        done, chosen = self._step_all(request, rows, submission_see, filing=False)
        self._tell_of_many(
            request,
            chosen,
            done,
            ngettext("%(count)d marked as seen.", "%(count)d marked as seen.", done),
            _(
                "seen before, taken back, waiting for the virus scanner, for a clinician to read, or with an "
                "answer that suggests danger, which somebody has to open"
            ),
        )

    @admin.action(description=gettext_lazy("Mark as filed"), permissions=["decide"])
    def mark_filed(self, request: HttpRequest, rows: SubmissionQuerySet) -> None:
        done, chosen = self._step_all(request, rows, submission_file, filing=True)
        self._tell_of_many(
            request,
            chosen,
            done,
            ngettext("%(count)d marked as filed.", "%(count)d marked as filed.", done),
            _(
                "dealt with before, taken back, waiting for the virus scanner, for a clinician to read, with "
                "changes that somebody has to accept or return, or with an answer that suggests danger, "
                "which somebody has to open"
            ),
        )

    def _chosen(self, rows: SubmissionQuerySet) -> list[Submission]:
        return [*rows.order_by(*IN_ORDER)[:_MOST_AT_ONCE]]

    def _step_all(
        self,
        request: HttpRequest,
        rows: SubmissionQuerySet,
        step: Callable[..., bool],
        *,
        filing: bool,
    ) -> tuple[int, list[Submission]]:
        """Many at once are those that wait for the practice and need no more than a mark; never one that
        suggests danger and that nobody has opened."""
        chosen, decides = self._chosen(rows), kinds_decided_by(request.user)
        waiting = [
            one
            for one in chosen
            if one.status in {Status.RECEIVED, Status.SEEN}
            and not _is_danger_unseen(one)
            and one.kind in decides
        ]
        left = self._left_alone(request, waiting, filing=filing)
        done = [step(request=request, submission=one) for one in waiting if one.pk not in left]
        return sum(done), chosen

    def _left_alone(
        self, request: HttpRequest, submissions: Sequence[Submission], *, filing: bool
    ) -> set[int]:
        left: set[int] = set()
        for kind in Kind:
            of_kind = [one for one in submissions if one.kind == kind]
            if of_kind:
                left |= self._admin_of(kind).left_alone(request, of_kind, filing=filing)
        return left

    def _tell_of_many(
        self, request: HttpRequest, chosen: list[Submission], done: int, said: str, why: str
    ) -> None:
        self.message_user(
            request, said % {"count": done}, messages.SUCCESS if done else messages.WARNING
        )
        if left := len(chosen) - done:
            text = ngettext(
                "%(count)d was left as it is: %(why)s.",
                "%(count)d were left as they are: %(why)s.",
                left,
            )
            self.message_user(request, text % {"count": left, "why": why}, messages.WARNING)
        if len(chosen) == _MOST_AT_ONCE:
            text = _("Up to %(count)d at a time: choose again for the rest.")
            self.message_user(request, text % {"count": _MOST_AT_ONCE}, messages.WARNING)

    # --- the buttons of the bar -------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        return [
            self.own_path("<int:pk>/assign/", self._assign, "POST"),
            self.own_path("<int:pk>/file/", self._file, "POST"),
            self.own_path("<int:pk>/text/", self._text),
            self.own_path("<int:pk>/next/", self._next),
            self.own_path("<int:pk>/previous/", self._previous),
            self.own_path("<int:pk>/refile/", self._refile, "GET, HEAD, POST"),
            *super().get_urls(),
        ]

    def _assign(self, request: HttpRequest, pk: int) -> HttpResponse:
        """To me, or with `to` "nobody" to nobody any more; `has` is who had it on the page that was
        pressed."""
        has = request.POST.get("has", "")
        to = None if request.POST.get("to") == "nobody" else request.user.pk
        with transaction.atomic():
            submission = self._to_decide_on(request, pk)
            holder = int(has) if has.isdecimal() and len(has) < 19 else None
            if submission.assigned_to_id == to:
                pass  # pressed twice
            elif submission_assign(
                request=request, submission=submission, to=to, instead_of=holder
            ):
                text = _("Given back.") if to is None else _("Assigned to you.")
                self.message_user(request, text, messages.SUCCESS)
            else:
                text = _(
                    "Nothing was changed: somebody else took it meanwhile, or the family took it back."
                )
                self.message_user(request, text, messages.WARNING)
        return HttpResponseRedirect(on_the_way(request, address_of(submission)))

    def _file(self, request: HttpRequest, pk: int) -> HttpResponse:
        """File it and go on to what comes after it in the list that it was opened from."""
        with transaction.atomic():
            submission = self._to_decide_on(request, pk)
            if shown_as_anothers(request, submission.member_id):
                return HttpResponseRedirect(on_the_way(request, address_of(submission)))
            waits = _is_danger_unseen(submission) or self._left_alone(
                request, [submission], filing=True
            )
            if waits or not submission_file(request=request, submission=submission):
                text = _(
                    "Nothing was filed: that was done before, the family took it back, or something in "
                    "it waits for a decision."
                )
                self.message_user(request, text, messages.WARNING)
                return HttpResponseRedirect(on_the_way(request, address_of(submission)))
        self.message_user(request, _("Filed."), messages.SUCCESS)
        return to_the_next(request, submission)

    def _to_decide_on(self, request: HttpRequest, pk: int) -> Submission:
        submission = self._seen_or_404(request, pk)
        if submission.kind not in kinds_decided_by(request.user):
            raise PermissionDenied
        return submission

    def _seen_or_404(self, request: HttpRequest, pk: int) -> Submission:
        if not self.has_view_permission(request):
            raise PermissionDenied
        submission: Submission = self.row_or_404(request, pk)
        return submission

    # --- one of them ------------------------------------------------------------------

    def _text(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The whole of it as text in a box."""
        submission = self._seen_or_404(request, pk)
        text = self._admin_of(submission.kind).text_of(request, submission)
        audit.record(
            audit.Action.STAFF_VIEW,
            "text",
            request=request,
            member_id=submission.member_id,
            object_type=submission.kind,
            object_id=submission.public_id,
        )
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("As text: %(what)s") % {"what": self.title_of(submission)},
            "person": person_line(submission.member),
            "back": on_the_way(request, address_of(submission)),
            "text": text,
            "rows": min(text.count("\n") + 2, 30),
        }
        return TemplateResponse(request, "admin/submissions/text.html", context)

    def _next(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Found when the link is followed: the list may have changed since the page was shown."""
        return to_the_next(request, self._seen_or_404(request, pk))

    def _previous(self, request: HttpRequest, pk: int) -> HttpResponse:
        return to_the_previous(request, self._seen_or_404(request, pk))

    def _refile(self, request: HttpRequest, pk: int) -> HttpResponse:
        return refile_page(self, request, pk)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """There is nothing to see but the thing itself."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        submission = self.get_object(request, object_id)
        if submission is None:
            raise Http404
        return HttpResponseRedirect(on_the_way(request, address_of(submission)))


def _is_danger_unseen(submission: Submission) -> bool:
    """Somebody has to open it: a mark from a list is no look."""
    return submission.is_urgent and submission.status == Status.RECEIVED
