"""The staff's pages that move what was sent for the wrong person to the right one, and the trail of it.

First to whom and why; then what will happen, in words; then it is done. To another household only an owner of
the practice moves anything, and says so twice.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import audit
from accounts.staff_pages import LONGEST_SEARCH
from households.models import Member
from households.search import people_found
from households.staff_pages import MemberOwnedAdmin, moment, name_and_birth_date, person_line
from households.submissions.inbox_bar import address_of
from households.submissions.models import Refiling, Submission
from households.submissions.refiling import (
    ChangedMeanwhile,
    Plan,
    Refused,
    fingerprint_of,
    is_across,
    listed_people,
    may_refile,
    others_in_household,
    plan_of,
    submission_refile,
)
from households.submissions.sight import seen_by, sees_clinical_answers
from households.submissions.staff_forms import RefileForm

_MOST_FOUND = 20


# --- moving ---------------------------------------------------------------------------


def refile_page(model_admin: MemberOwnedAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """All steps of moving one thing, at one address; which step it is, the button says."""
    submission = _submission_or_404(request, pk)
    pages = _RefilePages(model_admin, request, submission)
    if request.method != "POST":
        return pages.choose(RefileForm(people=pages.people))
    if "search" in request.POST:
        return pages.search()
    return pages.go_on()


def _submission_or_404(request: HttpRequest, pk: int) -> Submission:
    if pk.bit_length() > 63:
        raise Http404
    submission = get_object_or_404(
        Submission._default_manager.select_related("member"),  # staff see everybody's
        pk=pk,
    )
    if not may_refile(request.user, submission):
        raise PermissionDenied
    return submission


class _RefilePages:
    def __init__(
        self, model_admin: MemberOwnedAdmin, request: HttpRequest, submission: Submission
    ) -> None:
        self._admin, self._request, self._submission = model_admin, request, submission
        self.people = listed_people(others_in_household(submission.member))

    @property
    def _is_owner(self) -> bool:
        return bool(getattr(self._request.user, "is_owner", False))

    # --- to whom ----------------------------------------------------------------------

    def choose(
        self,
        form: RefileForm,
        *,
        found: list[Member] | None = None,
        nobody_found: bool = False,
        status: int = 200,
    ) -> HttpResponse:
        self._record("refile")
        context = {
            "title": _("Wrong person: move it"),
            "form": form,
            "offers_search": self._is_owner,
            "found": found,
            "nobody_found": nobody_found,
            "nobody_else": not self.people,
        }
        return self._page("admin/submissions/refile.html", context, status=status)

    def search(self) -> HttpResponse:
        """An owner of the practice looks for somebody of another household."""
        if not self._is_owner:
            raise PermissionDenied
        words = self._request.POST.get("words", "").replace("\0", "").strip()[:LONGEST_SEARCH]
        found: list[Member] = []
        if words:
            others = Member.objects.filter(people_found(words)).exclude(
                pk=self._submission.member_id
            )
            found = list(others[:_MOST_FOUND])
        if not found:
            return self.choose(RefileForm(people=self.people), nobody_found=True)
        return self.choose(RefileForm(people=found), found=found)

    def _to(self) -> Member:
        """The person that was posted, asked for among those that this staff member may choose from. Raises
        Http404 for anybody else."""
        posted = self._request.POST.get("to", "")
        if not posted.isascii() or not posted.isdigit() or len(posted) > 18:
            raise Http404
        people = others_in_household(self._submission.member)
        if self._is_owner:
            people = Member.objects.exclude(pk=self._submission.member_id)
        return get_object_or_404(people, pk=int(posted))

    # --- what will happen, and doing it -----------------------------------------------

    def go_on(self) -> HttpResponse:
        if not self._request.POST.get("to"):
            return self.choose(RefileForm(self._request.POST, people=self.people), status=422)
        to = self._to()
        across = is_across(self._submission, to)
        form = RefileForm(self._request.POST, people=[to] if across else self.people)
        if not form.is_valid():
            return self.choose(form, found=[to] if across else None, status=422)
        plan = plan_of(self._submission, to)
        confirmed = self._request.POST.get("confirmed", "")
        if not confirmed or plan.why_not:
            return self._preview(form, to, plan)
        now = fingerprint_of(self._submission, to, plan)
        if not constant_time_compare(confirmed, now):
            return self._preview(form, to, plan, changed=True)
        if across and not self._is_said_twice(now):
            return self._preview(form, to, plan, again=True)
        return self._move(form, to, confirmed)

    def _is_said_twice(self, fingerprint: str) -> bool:
        sure = self._request.POST.get("sure") == "on"
        again = self._request.POST.get("again", "")
        return sure and constant_time_compare(again, self._second(fingerprint))

    def _second(self, fingerprint: str) -> str:
        """What only the second question of the same plan holds, for the same member of the staff."""
        return salted_hmac(
            "refiling.again", f"{fingerprint} {self._request.user.pk}", algorithm="sha256"
        ).hexdigest()

    def _preview(
        self,
        form: RefileForm,
        to: Member,
        plan: Plan,
        *,
        changed: bool = False,
        again: bool = False,
    ) -> HttpResponse:
        self._record("refile-preview")
        self._record("refile-preview", to)
        fingerprint = fingerprint_of(self._submission, to, plan)
        across = is_across(self._submission, to)
        context = {
            "title": _("Move it: what will happen"),
            "to": to,
            "to_line": person_line(to),
            "reason": form.cleaned_data["reason"],
            "plan": plan,
            "confirmed": fingerprint,
            "again": self._second(fingerprint) if again else "",
            "not_sure": again and "again" in self._request.POST,
            "changed": changed,
            "across": across,
            "from_email": self._submission.member.email_key or _("no email"),
            "to_email": to.email_key or _("no email"),
        }
        status = 409 if changed else 422 if plan.why_not else 200
        return self._page("admin/submissions/refile_preview.html", context, status=status)

    def _move(self, form: RefileForm, to: Member, confirmed: str) -> HttpResponse:
        try:
            refiling = submission_refile(
                request=self._request,
                submission=self._submission,
                to=to,
                reason=form.cleaned_data["reason"],
                confirmed=confirmed,
            )
        except (ChangedMeanwhile, Refused):
            # Somebody was quicker: it may not even be this person's any more.
            self._submission = _submission_or_404(self._request, self._submission.pk)
            if self._submission.member_id == to.pk:
                return self._was_moved()
            return self._preview(form, to, plan_of(self._submission, to), changed=True)
        text = _("Moved. It stands in the inbox under the person you chose.")
        self._admin.message_user(self._request, text, messages.SUCCESS)
        return HttpResponseRedirect(
            reverse("admin:submissions_refiling_change", args=[refiling.pk])
        )

    def _was_moved(self) -> HttpResponse:
        text = _("Nothing was changed: somebody else moved it there a moment ago.")
        self._admin.message_user(self._request, text, messages.WARNING)
        return HttpResponseRedirect(address_of(self._submission))

    # --- parts ------------------------------------------------------------------------

    def _page(self, template: str, context: dict[str, Any], *, status: int) -> HttpResponse:
        submission = self._submission
        context = {
            **self._admin.admin_site.each_context(self._request),
            "opts": self._admin.opts,
            "subtitle": name_and_birth_date(submission.member),
            "person": person_line(submission.member),
            "submission": submission,
            "kind": submission.get_kind_display(),
            "sent": moment(submission.sent_at),
            "back": address_of(submission),
            **context,
        }
        return TemplateResponse(self._request, template, context, status=status)

    def _record(self, outcome: str, member: Member | None = None) -> None:
        audit.record(
            audit.Action.STAFF_VIEW,
            outcome,
            request=self._request,
            member_id=self._submission.member_id if member is None else member.pk,
            object_type=self._submission.kind,
            object_id=self._submission.public_id,
        )


# --- the trail ------------------------------------------------------------------------


@admin.register(Refiling)
class RefilingAdmin(MemberOwnedAdmin):
    """What was moved, to be read. A thing that went along with another stands on the other's page."""

    list_display = ("at_moment", "what", "from_name", "person_name", "staff", "is_across")
    list_filter = ("is_across",)
    _facts = ("what", "came_from", "went_to", "by", "reason", "said_of", "parts")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Refiling | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Refiling]:
        """Of what this person may know of: a reason may say what stands in it."""
        rows = super().get_queryset(request).filter(along_with=None)
        rows = rows.filter(seen_by(request.user, "submission__"))
        if not sees_clinical_answers(request.user):
            responses = apps.get_model("intake.questionnaireresponse")._default_manager
            of_this = responses.filter(submission=models.OuterRef("submission"))
            rows = rows.exclude(
                models.Exists(of_this.filter(version__questionnaire__is_clinical=True))
            )
        return rows.select_related("from_member", "staff", "submission", "left")

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        """Of either person."""
        if not search_term.strip():
            return queryset, False
        found = Member.objects.filter(people_found(search_term)).order_by()
        people = [*found.values_list("pk", flat=True)[: self.paginator.most]]
        either = models.Q(member__in=people) | models.Q(from_member__in=people)
        return queryset.filter(either), False

    def get_fields(self, request: HttpRequest, obj: Refiling | None = None) -> Any:
        return self._facts

    def get_readonly_fields(self, request: HttpRequest, obj: Refiling | None = None) -> Any:
        return self._facts

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        title = {"title": _("Moved to another person")}
        return super().changelist_view(request, {**title, **(extra_context or {})})

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        refiling = kwargs["obj"]
        audit.record(
            audit.Action.STAFF_VIEW,
            "ok",
            request=request,
            member_id=refiling.from_member_id,
            object_type="refiling",
            object_id=refiling.pk,
        )
        context |= {"title": _("Moved to another person")}
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description=gettext_lazy("moved"), ordering="at")
    def at_moment(self, refiling: Refiling) -> str:
        return moment(refiling.at)

    @admin.display(description=gettext_lazy("what"))
    def what(self, refiling: Refiling) -> str:
        return str(refiling.submission.get_kind_display()).capitalize()

    @admin.display(description=gettext_lazy("from"), ordering="from_member__last_name_key")
    def from_name(self, refiling: Refiling) -> str:
        return refiling.from_member.full_name

    @admin.display(description=gettext_lazy("from"))
    def came_from(self, refiling: Refiling) -> str:
        return self._person(refiling.from_member, refiling.left)

    @admin.display(description=gettext_lazy("to"))
    def went_to(self, refiling: Refiling) -> str:
        return self._person(refiling.member, refiling.submission)

    def _person(self, member: Member, submission: Submission | None) -> str:
        """The person, with a link to the thing where they have it now."""
        about = name_and_birth_date(member)
        if submission is None or submission.member_id != member.pk:
            return about
        return format_html(
            '{} – <a href="{}">{}</a>', about, address_of(submission), _("Open what was sent")
        )

    @admin.display(description=gettext_lazy("moved by"))
    def by(self, refiling: Refiling) -> str:
        return f"{refiling.staff}, {moment(refiling.at)}"

    @admin.display(description=gettext_lazy("filled in, as said there, by"))
    def said_of(self, refiling: Refiling) -> str:
        return refiling.filler or _("nobody said")

    @admin.display(description=gettext_lazy("what went with it"))
    def parts(self, refiling: Refiling) -> str:
        kinds = [
            str(one.submission.get_kind_display())
            for one in refiling.parts.select_related("submission")
        ]
        return ", ".join(kinds) or "–"
