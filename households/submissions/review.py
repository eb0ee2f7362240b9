"""The staff's page of one thing that a family sent to be looked at part by part: old and new side by side,
accept, correct and accept, return with a reason. A slice says what its proposals are about (ReviewAdmin).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts import audit
from households.staff_pages import moment, name_and_birth_date, person_line, shown_as_anothers
from households.submissions.actions import (
    proposal_decide,
    submission_see,
    submission_settle,
)
from households.submissions.inbox import on_the_way
from households.submissions.inbox_bar import (
    SentThingAdmin,
    one_line,
    text_head,
    to_the_next,
)
from households.submissions.models import Proposal, Submission
from households.submissions.staff_forms import ReturnForm

Decision = Proposal.Decision


@dataclass(frozen=True)
class Line:
    """One value of a proposal, in words: as it was when the family typed, as it is on file now, as they
    want it, and as the practice corrected it ("" while it has not)."""

    label: str
    before: str
    now: str
    after: str
    corrected: str = ""

    @property
    def changed_meanwhile(self) -> bool:
        return self.now != self.before


class ReviewAdmin(SentThingAdmin):
    """A list of proposals, and the page of the submission that they came in. A subclass says in its four
    methods what a proposal of its slice is, and what accepting one does."""

    list_display = ("person_name", "born", "what", "proposed", "decision")
    list_filter = ("decision",)
    quick_reasons: ClassVar[Sequence[tuple[str, Any]]] = ()
    submission_kind: ClassVar[Submission.Kind]
    buttons: ClassVar = {"accept": "_accept", "return": "_return"}

    # --- what a slice says ------------------------------------------------------------

    def title_of(self, proposal: Any) -> str:
        """What it is about, as a heading: "Address"."""
        raise NotImplementedError  # every subclass says it

    def lines_of(self, proposal: Any) -> list[Line]:
        """Its values, in the order in which they are read."""
        raise NotImplementedError  # every subclass says it

    def edit_form(self, proposal: Any, data: Any = None) -> forms.Form | None:
        """A form of its values, to correct them before they are accepted. `cleaned_data` goes to accept().
        None where there is nothing to correct."""
        raise NotImplementedError  # every subclass says it

    def accept(
        self, request: HttpRequest, proposal: Any, edited: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Put it on file, corrected where `edited` is given; in a transaction, before the decision is
        written. Returns the proposal's own columns that go with the decision."""
        raise NotImplementedError  # every subclass says it

    def prepared(self, proposals: list[Any]) -> list[Any]:
        """The proposals of one submission before their lines are asked for: what all of them need of the
        file is read here, once."""
        return proposals

    def why_not(self, proposal: Any) -> str:
        """Why it cannot be accepted on this page, as a sentence for staff; "" when it can."""
        return ""

    # --- the list ---------------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return super().get_queryset(request).select_related("submission")

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        """What waits is first, as its word is the last of the alphabet: each slice has an index of that."""
        return ["-decision", "-proposed_at", "-pk"]

    @admin.display(description=gettext_lazy("what"))
    def what(self, proposal: Any) -> str:
        return self.title_of(proposal)

    @admin.display(description=gettext_lazy("sent"), ordering="proposed_at")
    def proposed(self, proposal: Any) -> str:
        return moment(proposal.proposed_at)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """A proposal is looked at with all that came with it."""
        if not self.has_view_permission(request) or request.method == "POST":
            raise PermissionDenied
        proposal = self.get_object(request, object_id)
        if proposal is None:
            raise Http404
        return self._to_submission(proposal)

    # --- the page of a submission -----------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        return [
            self.own_path("of/<int:submission_pk>/", self._of),
            self.own_path("of/<int:submission_pk>/accept-all/", self._accept_all, "POST"),
            self.own_path("<int:pk>/edit/", self._edit, "GET, HEAD, POST"),
            *super().get_urls(),
        ]

    def _of(self, request: HttpRequest, submission_pk: int) -> HttpResponse:
        """Everything that came together. Who may decide has seen it by opening the page."""
        submission = self._submission_or_404(request, submission_pk)
        if self.has_change_permission(request) and request.method == "GET":
            with transaction.atomic():
                if not submission_see(request=request, submission=submission):
                    submission.refresh_from_db()
        self._record_look(request, submission)
        return self._page(request, submission)

    def _page(
        self, request: HttpRequest, submission: Submission, *, status: int = 200, **more: Any
    ) -> HttpResponse:
        proposals = self.prepared(list(self._proposals(request, submission)))
        may_decide = self.has_change_permission(request)
        waiting = sum(proposal.waits for proposal in proposals)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": self.page_title(submission),
            "subtitle": self.about(submission),
            "person": person_line(submission.member),
            "submission": submission,
            "steps": [(word, moment(at)) for word, at in submission.steps],
            "parts": [self._part(proposal, may_decide) for proposal in proposals],
            "waiting": waiting,
            "bar": self.bar(request, submission, may_file=not waiting),
            "whose": name_and_birth_date(submission.member),
            "accept_all_url": self._url("of_accept_all", submission.pk),
            "may_decide": may_decide,
            **more,
        }
        template = "admin/submissions/review.html"
        return TemplateResponse(request, template, context, status=status)

    def page_title(self, submission: Submission) -> str:
        return str(submission.get_kind_display()).capitalize()

    def text_of(self, request: HttpRequest, submission: Submission) -> str:
        lines = text_head(submission, self.page_title(submission))
        for proposal in self.prepared(list(self._proposals(request, submission))):
            decision = proposal.get_decision_display()
            lines += ["", f"{one_line(self.title_of(proposal)).upper()} ({decision})"]
            lines += [_line_in_words(line) for line in self.lines_of(proposal)]
            if proposal.reason:
                lines.append(_("Returned, because: %(reason)s") % {"reason": proposal.reason})
        if len(lines) == len(text_head(submission, "")):
            lines += ["", _("Looked through and confirmed: nothing has changed.")]
        return "\n".join(lines) + "\n"

    def left_alone(
        self, request: HttpRequest, submissions: Sequence[Submission], *, filing: bool
    ) -> set[int]:
        """Nothing is filed while a change in it waits for a decision."""
        if not filing:
            return set()
        waiting = self.model._default_manager.waiting().filter(submission__in=submissions)
        return {*waiting.values_list("submission_id", flat=True)}

    def _part(self, proposal: Any, may_decide: bool) -> dict[str, Any]:
        lines = self.lines_of(proposal)
        why_not = self.why_not(proposal)
        offered = may_decide and proposal.waits
        return {
            "proposal": proposal,
            "title": self.title_of(proposal),
            "lines": lines,
            "changed_meanwhile": offered and any(line.changed_meanwhile for line in lines),
            "on_file": self._on_file(lines),
            "why_not": why_not if offered else "",
            "offer_accept": offered and not why_not,
            "offer_edit": offered and not why_not and self.edit_form(proposal) is not None,
            "offer_return": offered,
            "return_form": self._return_form(proposal) if offered else None,
            "accept_url": self._url("accept", proposal.pk),
            "edit_url": self._url("edit", proposal.pk),
            "return_url": self._url("return", proposal.pk),
            "decided": moment(proposal.decided_at),
        }

    def _on_file(self, lines: Sequence[Line]) -> str:
        """What the page shows as on file, so that accepting it means what was seen (SECURITY R-RE-2)."""
        on_file = repr([line.now for line in lines])
        return salted_hmac("review.on_file", on_file, algorithm="sha256").hexdigest()

    def _return_form(self, proposal: Any, data: Any = None) -> ReturnForm:
        form = type("Return", (ReturnForm,), {"quick_reasons": self.quick_reasons})
        return form(data, auto_id=f"id_{proposal.pk}_%s")

    # --- buttons ----------------------------------------------------------------------

    def _accept(self, request: HttpRequest, proposal: Any) -> HttpResponse:
        if not self._is_as_shown(request, proposal):
            return self._to_submission(proposal)
        return self._do_accept(request, proposal)

    def _do_accept(
        self, request: HttpRequest, proposal: Any, edited: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self._held(proposal) or self.why_not(proposal):
            self._say_too_late(request)
            return self._to_submission(proposal)
        columns: dict[str, Any] = self.accept(request, proposal, edited)
        decision = Decision.ACCEPTED if edited is None else Decision.EDITED
        self._decide(request, proposal, decision, _("Accepted. It is on file now."), **columns)
        return self._to_submission(proposal)

    def _return(self, request: HttpRequest, proposal: Any) -> HttpResponse:
        form = self._return_form(proposal, request.POST)
        if not form.is_valid():
            return self.form_page(
                request,
                proposal.member,
                form,
                title=_("Return with a reason"),
                button=_("Return it to the family"),
                back=on_the_way(request, self._url("of", proposal.submission_id)),
            )
        text = _("Returned. The family reads the reason.")
        reason = form.cleaned_data["reason"]
        self._decide(request, proposal, Decision.RETURNED, text, reason=reason)
        return self._to_submission(proposal)

    def _edit(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Correct what the family typed, then accept it so."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        with transaction.atomic():
            proposal = self.row_or_404(request, pk)
            if shown_as_anothers(request, proposal.member_id):
                return self._to_submission(proposal)
            form = self.edit_form(proposal, request.POST if request.method == "POST" else None)
            if form is None or not proposal.waits or self.why_not(proposal):
                self._say_too_late(request)
                return self._to_submission(proposal)
            if request.method == "POST" and form.is_valid():
                return self._do_accept(request, proposal, form.cleaned_data)
            return self.form_page(
                request,
                proposal.member,
                form,
                title=_("Correct and accept: %(what)s") % {"what": self.title_of(proposal)},
                button=_("Accept it so"),
                back=on_the_way(request, self._url("of", proposal.submission_id)),
            )

    def _accept_all(self, request: HttpRequest, submission_pk: int) -> HttpResponse:
        """Accept every part of it that waits and is on file as it was when the family typed. With `then_next`
        the next thing of the inbox is opened, unless a part is left."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        accepted = left = 0
        with transaction.atomic():
            submission = self._submission_or_404(request, submission_pk)
            if shown_as_anothers(request, submission.member_id):
                return HttpResponseRedirect(self._url("of", submission.pk))
            for proposal in self._proposals(request, submission):
                if not proposal.waits:
                    continue
                lines = self.lines_of(proposal)
                is_as_typed = not any(line.changed_meanwhile for line in lines)
                if self.why_not(proposal) or not is_as_typed or not self._held(proposal):
                    left += 1
                    continue
                columns: dict[str, Any] = self.accept(request, proposal)
                accepted += proposal_decide(
                    request=request, proposal=proposal, decision=Decision.ACCEPTED, **columns
                )
            self._settle(request, submission)
        text = ngettext("%(count)d part accepted.", "%(count)d parts accepted.", accepted)
        self.message_user(request, text % {"count": accepted}, messages.SUCCESS)
        if left:
            text = _("What was changed on file meanwhile, or needs another page, is left as it is.")
            self.message_user(request, text, messages.WARNING)
        elif request.POST.get("then_next"):
            return to_the_next(request, submission)
        return HttpResponseRedirect(self._url("of", submission.pk))

    def _decide(
        self,
        request: HttpRequest,
        proposal: Any,
        decision: Proposal.Decision,
        text: str,
        **columns: Any,
    ) -> None:
        if not proposal_decide(request=request, proposal=proposal, decision=decision, **columns):
            self._say_too_late(request)
            return
        self._settle(request, proposal.submission)
        self.message_user(request, text, messages.SUCCESS)

    def _settle(self, request: HttpRequest, submission: Submission) -> None:
        theirs = self.model._default_manager.for_member(submission.member)
        submission_settle(request=request, submission=submission, proposals=theirs)

    def _held(self, proposal: Any) -> bool:
        """Whether it still waits, and is this person's. Nobody decides on it or moves it to another person
        until the transaction ends: what is accepted next goes on this person's file."""
        rows = self.model._default_manager.for_member(proposal.member).filter(pk=proposal.pk)
        still = rows.filter(decision=Decision.WAITING).select_for_update()
        return bool(still.values_list("pk"))

    def _is_as_shown(self, request: HttpRequest, proposal: Any) -> bool:
        now = self._on_file(self.lines_of(proposal))
        if constant_time_compare(request.POST.get("on_file", ""), now):
            return True
        text = _(
            "Nothing was accepted: what is on file was changed after you opened the page. Compare again."
        )
        self.message_user(request, text, messages.WARNING)
        return False

    def _say_too_late(self, request: HttpRequest) -> None:
        text = _("Nothing was changed: that was decided before, or the family sent another one.")
        self.message_user(request, text, messages.WARNING)

    # --- what is asked for ------------------------------------------------------------

    def _submission_or_404(self, request: HttpRequest, pk: int) -> Submission:
        if not self.has_view_permission(request) or pk.bit_length() > 63:
            raise PermissionDenied
        rows = Submission._default_manager.select_related(
            "member", "handled_by", "sent_by", "assigned_to"
        )
        return get_object_or_404(rows, pk=pk, kind=self.submission_kind)

    def _proposals(self, request: HttpRequest, submission: Submission) -> models.QuerySet[Any]:
        rows = self.get_queryset(request).select_related("decided_by")
        return rows.filter(submission=submission).order_by("pk")

    def _record_look(self, request: HttpRequest, submission: Submission) -> None:
        audit.record(
            audit.Action.STAFF_VIEW,
            "ok",
            request=request,
            member_id=submission.member_id,
            object_type=submission.kind,
            object_id=submission.public_id,
        )

    def _to_submission(self, proposal: Any) -> HttpResponseRedirect:
        return HttpResponseRedirect(self._url("of", proposal.submission_id))

    def _url(self, words: str, pk: int) -> str:
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_{words}"
        return reverse(name, args=[pk])


def _line_in_words(line: Line) -> str:
    """ "Street: 1 Elm Road (on file when they wrote: 9 Oak Lane)"."""
    before, after = one_line(line.before) or "–", one_line(line.after) or "–"
    said = f"{line.label}: {after}"
    if after != before:
        said += " " + _("(on file when they wrote: %(before)s)") % {"before": before}
    if line.corrected:
        said += " " + _("(corrected to: %(words)s)") % {"words": one_line(line.corrected)}
    return said
