"""Admin pages of what families sent as forms: dangers first; to be read, filed or returned. And a version of
a form as a family sees it, before it is published.

Whose answers they are stands on every page of them.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from accounts import audit
from households.documents.models import Document
from households.intake.blocks import blocks_of
from households.intake.building.scores import band_of
from households.intake.engine.evaluation import begin, put
from households.intake.filling import Filling, consent_text, patient_of, sections_of
from households.intake.forms import PageForm, ReadPage
from households.intake.models import (
    Questionnaire,
    QuestionnaireResponse,
    QuestionnaireVersion,
)
from households.staff_pages import moment, name_and_birth_date, person_line
from households.submissions.actions import submission_file, submission_return, submission_see
from households.submissions.inbox import on_the_way
from households.submissions.inbox_bar import SentThingAdmin, one_line, text_head
from households.submissions.models import Submission
from households.submissions.sight import sees_clinical_answers
from households.submissions.staff_forms import ReturnForm

Status = Submission.Status


class ReturnFormForm(ReturnForm):
    quick_reasons: ClassVar = (
        (
            "incomplete",
            gettext_lazy("Something important is missing. Correct the form and send it again."),
        ),
        (
            "other-person",
            gettext_lazy("These look like somebody else's answers. Check whose form it is."),
        ),
        (
            "unclear",
            gettext_lazy("We could not understand an answer. Correct it and send it again."),
        ),
    )


class StatusFilter(admin.SimpleListFilter):
    """Without a choice: everything but what the family took back."""

    title = gettext_lazy("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(status.value, str(status.label)) for status in Status]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> Any:
        chosen = self.value()
        if chosen in Status.values:
            return queryset.filter(submission__status=chosen)
        return queryset.exclude(submission__status=Status.WITHDRAWN)


class FormFilter(admin.SimpleListFilter):
    """By form. A clinical one is not to be found out by its answers' absence from a list either."""

    title = gettext_lazy("form")
    parameter_name = "form"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            (str(pk), title) for pk, title in _forms_named_to(request).values_list("pk", "title")
        ]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> Any:
        chosen = self.value() or ""
        if chosen not in {value for value, _title in self.lookup_choices}:
            return queryset.none() if chosen else queryset
        return queryset.filter(version__questionnaire=int(chosen))


def _forms_named_to(request: HttpRequest) -> models.QuerySet[Questionnaire]:
    forms = Questionnaire.objects.order_by("title", "pk")
    return forms if sees_clinical_answers(request.user) else forms.filter(is_clinical=False)


@admin.register(QuestionnaireResponse)
class QuestionnaireResponseAdmin(SentThingAdmin):
    list_display = ("person_name", "born", "form_title", "danger_words", "state", "score", "sent")
    list_display_links = ("person_name", "form_title")
    list_filter = (StatusFilter, FormFilter)
    actions = ("mark_seen", "mark_filed")  # type: ignore[assignment] # "no actions" is what the base says
    buttons: ClassVar = {"file": "_file", "return": "_return"}

    # --- who may do what --------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(
        self, request: HttpRequest, obj: QuestionnaireResponse | None = None
    ) -> bool:
        """Whoever cannot read the answers neither marks them as seen nor files or returns them: an answer
        that suggests danger stays on top until somebody has read it."""
        if obj is not None and obj.is_closed:
            return False
        return super().has_change_permission(request, obj)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """What was sent. What is being filled in is the family's alone. `is_closed` says of each whether
        its answers are kept from whoever asks."""
        rows = super().get_queryset(request).exclude(submission=None)
        rows = rows.select_related("submission__assigned_to", "version__questionnaire")
        is_clinical = models.F("version__questionnaire__is_clinical")
        closed = models.Value(False) if sees_clinical_answers(request.user) else is_clinical
        rows = rows.annotate(is_closed=closed)
        return rows.defer("items", "version__definition", "version__report")

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        return ["submission__place", "-submission__sent_at", "-submission__pk"]

    # --- the list ---------------------------------------------------------------------

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        title = {"title": _("Filled forms")}
        return super().changelist_view(request, {**title, **(extra_context or {})})

    @admin.display(description=gettext_lazy("form"))
    def form_title(self, response: QuestionnaireResponse) -> str:
        return _title_of(response)

    @admin.display(description=gettext_lazy("danger"))
    def danger_words(self, response: QuestionnaireResponse) -> str:
        if not response.danger:
            return ""
        return format_html('<strong class="portal-danger">{}</strong>', _("DANGER"))

    @admin.display(description=gettext_lazy("status"), ordering="submission__status")
    def state(self, response: QuestionnaireResponse) -> str:
        assert response.submission is not None  # drafts are not listed
        return response.submission.get_status_display()

    @admin.display(description=gettext_lazy("scores"))
    def score(self, response: QuestionnaireResponse) -> str:
        if response.is_closed:
            return ""
        return "; ".join(score_words(score) for score in response.scores)

    @admin.display(description=gettext_lazy("sent"), ordering="submission__sent_at")
    def sent(self, response: QuestionnaireResponse) -> str:
        assert response.submission is not None  # drafts are not listed
        return moment(response.submission.sent_at)

    @admin.action(description=gettext_lazy("Mark as seen"), permissions=["change"])
    def mark_seen(self, request: HttpRequest, responses: models.QuerySet[Any]) -> None:
        self._step_all(request, responses, submission_see, _("marked as seen"))

    @admin.action(description=gettext_lazy("Mark as filed"), permissions=["change"])
    def mark_filed(self, request: HttpRequest, responses: models.QuerySet[Any]) -> None:
        self._step_all(request, responses, submission_file, _("marked as filed"))

    def _step_all(
        self,
        request: HttpRequest,
        responses: models.QuerySet[Any],
        step: Callable[..., bool],
        done: str,
    ) -> None:
        """Many at once are those that wait for the practice, and never one that suggests danger, or whose
        answers are closed to whoever pressed: somebody has to open that."""
        chosen = list(responses)
        changed = sum(
            step(request=request, submission=response.submission)
            for response in chosen
            if not response.is_closed
            and response.submission.status in {Status.RECEIVED, Status.SEEN}
            and not (response.danger and response.submission.status == Status.RECEIVED)
        )
        text = ngettext("%(count)d form %(done)s.", "%(count)d forms %(done)s.", changed)
        level = messages.SUCCESS if changed else messages.WARNING
        self.message_user(request, text % {"count": changed, "done": done}, level)
        if left := len(chosen) - changed:
            text = ngettext(
                "%(count)d was left as it is: done before, taken back, for a clinician to read, or with an "
                "answer that suggests danger, which somebody has to open.",
                "%(count)d were left as they are: done before, taken back, for a clinician to read, or with "
                "an answer that suggests danger, which somebody has to open.",
                left,
            )
            self.message_user(request, text % {"count": left}, messages.WARNING)

    # --- one filled form --------------------------------------------------------------

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if request.method not in {"GET", "HEAD"} or not self.has_view_permission(request):
            raise PermissionDenied  # nothing on the page can be edited
        response = self.get_object(request, object_id)
        if response is None:
            raise Http404
        may_change = self.has_change_permission(request, response)
        if may_change and request.method == "GET" and response.submission.status == Status.RECEIVED:
            submission_see(request=request, submission=response.submission)
        if response.is_closed:
            self._record(request, audit.Action.STAFF_VIEW, "closed", response)
            return self._closed_page(request, response)
        self._record(request, audit.Action.STAFF_VIEW, "ok", response)
        return self._page(request, response, may_change)

    def _closed_page(self, request: HttpRequest, response: QuestionnaireResponse) -> HttpResponse:
        """That it came, for whom, when, and whether somebody has to be told at once; nothing of it."""
        submission = response.submission
        assert submission is not None  # drafts are not found
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _title_of(response),
            "subtitle": self.about(response),
            "person": person_line(response.member),
            "submission": submission,
            "bar": self.bar(request, submission, may_file=False, has_text=False),
            "steps": [(word, moment(at)) for word, at in submission.steps],
            "is_dangerous": bool(response.danger),
            "somebody_read_it": submission.status != Status.RECEIVED,
        }
        return TemplateResponse(request, "admin/intake/response_closed.html", context)

    def _page(
        self, request: HttpRequest, response: QuestionnaireResponse, may_change: bool
    ) -> HttpResponse:
        submission = response.submission
        assert submission is not None  # drafts are not found
        response.refresh_from_db(fields=["items"])
        filling = Filling(response, patient=patient_of(response.member))
        sections = sections_of(filling)
        signature = getattr(response, "signature", None)
        scores = [_score_row(filling, score) for score in response.scores]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": response.version.questionnaire.title,
            "subtitle": self.about(response),
            "person": person_line(response.member),
            "response": response,
            "submission": submission,
            "steps": [(word, moment(at)) for word, at in submission.steps],
            "sections": sections,
            "dangers": [row for one in sections for row in one.rows if row.is_dangerous],
            "scores": scores,
            "signature": signature,
            "signed_at": moment(signature.signed_at) if signature else "",
            "files": self._files(request, response, sections),
            "corrects": response.corrects_id,
            "corrected_by": self.get_queryset(request).filter(corrects=response).first(),
            "bar": self.bar(
                request,
                submission,
                may_file=True,
                file_url=reverse("admin:intake_questionnaireresponse_file", args=[response.pk]),
            ),
            "whose": name_and_birth_date(response.member),
            "offer_return": may_change
            and submission.status not in {Status.RETURNED, Status.WITHDRAWN},
            "return_form": ReturnFormForm(),
        }
        return TemplateResponse(request, "admin/intake/response.html", context)

    def text_of(self, request: HttpRequest, submission: Submission) -> str:
        response = self.row_or_404(request, submission.pk, "submission_id")
        if response.is_closed:
            raise PermissionDenied
        response.refresh_from_db(fields=["items"])
        return plain_text(Filling(response, patient=patient_of(response.member)), submission)

    def left_alone(
        self, request: HttpRequest, submissions: Sequence[Submission], *, filing: bool
    ) -> set[int]:
        """What the visitor may not read."""
        closed = self.get_queryset(request).filter(submission__in=submissions, is_closed=True)
        return {*closed.values_list("submission_id", flat=True)}

    def _files(
        self, request: HttpRequest, response: QuestionnaireResponse, sections: list[Any]
    ) -> list[dict[str, Any]]:
        """The documents that are answers: each with the address of its page, and the numbers of those of
        its pages that can be shown here to somebody who may see documents."""
        ids = [one for section in sections for row in section.rows for one, _name in row.files]
        if not ids:
            return []
        documents = Document.objects.for_member(response.member).filter(
            public_id__in=[one for one in ids if _is_uuid(one)]
        )
        user: Any = request.user
        may_see = user.has_perm("documents.view_document") or user.has_perm(
            "documents.change_document"
        )
        return [
            {
                "pk": one.pk,
                "name": one.name,
                "total": one.pages,
                "pages": range(1, one.pages_pictured + 1) if may_see and one.may_be_opened else (),
            }
            for one in documents
        ]

    # --- buttons ----------------------------------------------------------------------

    def row_or_404(self, request: HttpRequest, pk: int, column: str = "pk") -> Any:
        """Raises PermissionDenied where a button is pressed under answers that are closed."""
        response = super().row_or_404(request, pk, column)
        if request.method == "POST" and response.is_closed:
            raise PermissionDenied
        return response

    def _file(self, request: HttpRequest, response: QuestionnaireResponse) -> None:
        # What was sent has one.
        done = submission_file(request=request, submission=response.submission)  # type: ignore[arg-type]
        self._tell(request, done, _("Filed. The family reads it with today's date."))

    def _return(self, request: HttpRequest, response: QuestionnaireResponse) -> HttpResponse | None:
        form = ReturnFormForm(request.POST)
        if not form.is_valid():
            return self.form_page(
                request,
                response.member,
                form,
                title=_("Return a form"),
                button=_("Return it to the family"),
                back=on_the_way(
                    request,
                    reverse("admin:intake_questionnaireresponse_change", args=[response.pk]),
                ),
            )
        done = submission_return(
            request=request,
            submission=response.submission,  # type: ignore[arg-type] # what was sent has one
            reason=form.cleaned_data["reason"],
        )
        self._tell(request, done, _("Returned. The family reads the reason."))
        return None

    def _tell(self, request: HttpRequest, done: bool, text: str) -> None:
        if done:
            self.message_user(request, text, messages.SUCCESS)
        else:
            text = _("Nothing was changed: that was done before, or the family took it back.")
            self.message_user(request, text, messages.WARNING)

    # --- addresses --------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        # Below this list, which may read what families see; the name is what the version's page asks for.
        seen = require_http_methods(["GET", "HEAD", "POST"])(self._preview)
        preview = path(
            "preview/<int:pk>/",
            self.admin_site.admin_view(seen),
            name="intake_questionnaireversion_preview",
        )
        return [
            preview,
            self.own_path("of/<int:submission_pk>/", self._of_submission),
            *super().get_urls(),
        ]

    def _of_submission(self, request: HttpRequest, submission_pk: int) -> HttpResponse:
        """From the list of everything that was sent to this form."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self.to_its_page(self.row_or_404(request, submission_pk, "submission_id"))

    def _preview(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The pages of a version as a family sees them, one below the other. Answers may be tried, and show
        what they bring up; nothing is saved."""
        if not request.user.has_perm("intake.view_questionnaireversion") or pk.bit_length() > 63:
            raise PermissionDenied
        rows = QuestionnaireVersion.objects.select_related("questionnaire")
        version = get_object_or_404(rows, pk=pk)
        filling, wrong = _tried(request, version)
        pages = []
        for page in filling.pages:
            form = PageForm(page.questions())
            for place, says in wrong.items():
                if place in form.boxes:
                    form.say(place, says)
            pages.append({"page": page, "form": form, "blocks": blocks_of(page, form, {})})
        context = {
            "version": version,
            "questionnaire": version.questionnaire,
            "description": filling.definition.description,
            "pages": pages,
            # Each page here is a dict with a form.
            "shown": " ".join(page["form"].shown for page in pages),  # type: ignore[attr-defined]
            "text": consent_text(filling.definition) if version.questionnaire.is_consent else "",
            "danger": bool(filling.filled.dangers),
            "scores": [score_words(score) for score in filling.filled.scores],
            "response": filling.response,
            "page_url": request.path,
        }
        return TemplateResponse(request, "admin/intake/preview.html", context)


def _tried(request: HttpRequest, version: QuestionnaireVersion) -> tuple[Filling, dict[str, str]]:
    """The form with the answers that staff try, and what is wrong with those that cannot be read."""
    patient = {"resourceType": "Patient", "birthDate": "2016-04-27"}
    response = QuestionnaireResponse(version=version)
    filling = Filling(response, patient=patient)
    response.items = begin(filling.definition, patient=patient, now=timezone.now())
    wrong: dict[str, str] = {}
    if request.method == "POST":
        filling = Filling(response, patient=patient)
        read = ReadPage(request.POST, {node.path: node for node in filling.filled.walk()})
        changes = {change.path: change.answers for change in read.changes}
        response.items = put(filling.definition, response.items, changes)
        wrong = {place: str(error) for place, error in read.unreadable.items()}
    return Filling(response, patient=patient), wrong


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


# --- words ----------------------------------------------------------------------------


def _title_of(response: Any) -> str:
    return _("A clinical form") if response.is_closed else str(response.version.questionnaire.title)


def score_words(score: dict[str, Any]) -> str:
    """ "Total: 12 points"."""
    value = " ".join(filter(None, [str(score.get("value", "")), str(score.get("unit") or "")]))
    return f"{score['text']}: {value}" if score.get("text") else value


def _score_row(filling: Filling, score: dict[str, Any]) -> dict[str, str]:
    item = filling.definition.by_link_id.get(score.get("link_id", ""))
    band = band_of(item.raw, score.get("value")) if item is not None else ""
    return {"words": score_words(score), "band": band}


def plain_text(filling: Filling, submission: Submission) -> str:
    """The whole filled form as plain text, for pasting into a chart."""
    response = filling.response
    lines = text_head(submission, response.version.questionnaire.title)
    sections = sections_of(filling)
    dangers = [row for one in sections for row in one.rows if row.is_dangerous]
    lines += [_("DANGER: %(row)s") % {"row": _line(row)} for row in dangers]
    for score in response.scores:
        row = _score_row(filling, score)
        lines.append(f"{row['words']} ({row['band']})" if row["band"] else row["words"])
    for section in sections:
        lines += ["", section.page.title.upper()]
        for part in section.parts:
            lines += [part.title] if part.title else []
            lines += [_line(row) for row in part.rows]
    signature = getattr(response, "signature", None)
    if signature is not None:
        said = {
            "decision": signature.get_decision_display(),
            "name": signature.typed_name,
            "relationship": signature.relationship,
            "at": moment(signature.signed_at),
        }
        lines += ["", _("%(decision)s: signed by %(name)s (%(relationship)s), %(at)s") % said]
        if signature.voided_at:
            lines.append(_("The signature was voided: %(why)s") % {"why": signature.void_reason})
    return "\n".join(lines) + "\n"


def _line(row: Any) -> str:
    words = [name for _id, name in row.files] or row.words
    return one_line(f"{row.label}: {'; '.join(words) or _('not given')}")
