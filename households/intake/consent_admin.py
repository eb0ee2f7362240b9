"""Admin pages of consents and signatures: to read, and to void with a reason. Nobody changes one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from households.intake.models import Signature
from households.intake.voiding import signature_void
from households.staff_pages import MemberOwnedAdmin, moment
from households.submissions.models import Submission
from households.submissions.sight import sees_clinical_answers
from households.submissions.staff_forms import ReturnForm

Status = Submission.Status

# Whole sentences, because the family reads them.
QUICK_REASONS = (
    ("wrong-person", gettext_lazy("This was signed in the wrong person's chart.")),
    ("may-not-sign", gettext_lazy("Whoever signed this may not sign it for this person.")),
    ("name", gettext_lazy("The name under it is not a full name. Sign with first and last name.")),
)


class VoidForm(ReturnForm):
    quick_reasons = QUICK_REASONS


def state_of(signature: Signature) -> str:
    """Whether it counts. Its response and submission were fetched with it."""
    if signature.voided_at:
        return _("voided")
    submission = signature.response.submission
    if submission is not None and submission.status == Status.WITHDRAWN:
        return _("taken back by the family")
    if submission is not None and submission.status == Status.RETURNED:
        return _("returned to the family")
    return _("counts")


class StateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("counts", _("counts")), ("voided", _("voided")), ("other", _("came back"))]

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[Signature]
    ) -> models.QuerySet[Signature]:
        came_back = models.Q(response__submission__status__in=[Status.WITHDRAWN, Status.RETURNED])
        match self.value():
            case "counts":
                return queryset.filter(voided_at=None).exclude(came_back)
            case "voided":
                return queryset.exclude(voided_at=None)
            case "other":
                return queryset.filter(came_back, voided_at=None)
        return queryset


@admin.register(Signature)
class SignatureAdmin(MemberOwnedAdmin):
    form = forms.ModelForm
    change_form_template = "admin/intake/signature.html"
    list_display = ("person_name", "born", "title", "decision", "typed_name", "signed", "state")
    list_display_links = ("person_name", "title")
    list_filter = (StateFilter, "decision")
    _facts = (
        *("person_link", "born", "title", "version", "decision", "state", "shown_text", "checksum"),
        *("typed_name", "relationship", "signed", "filled_in", "login"),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Signature]:
        """Without those under clinical forms for whoever does not see their answers: a signature says which
        form it is, and holds its text."""
        rows = super().get_queryset(request)
        if not sees_clinical_answers(request.user):
            rows = rows.filter(response__version__questionnaire__is_clinical=False)
        return rows.select_related(
            *("response__version__questionnaire", "response__submission__sent_by"),
            "voided_by",
        ).defer("response__items", "response__version__definition", "response__version__report")

    @admin.display(
        description=gettext_lazy("form"), ordering="response__version__questionnaire__title"
    )
    def title(self, signature: Signature) -> str:
        return signature.response.version.questionnaire.title

    @admin.display(description=gettext_lazy("signed"), ordering="signed_at")
    def signed(self, signature: Signature) -> str:
        return moment(signature.signed_at)

    @admin.display(description=gettext_lazy("state"))
    def state(self, signature: Signature) -> str:
        return state_of(signature)

    # --- one signature ----------------------------------------------------------------

    def get_fields(self, request: HttpRequest, obj: Signature | None = None) -> list[str]:
        is_voided = obj is not None and obj.voided_at is not None
        return [*self._facts, *(["voided", "void_reason"] if is_voided else [])]

    def get_readonly_fields(self, request: HttpRequest, obj: Signature | None = None) -> list[str]:
        return self.get_fields(request, obj)

    @admin.display(description=gettext_lazy("version"))
    def version(self, signature: Signature) -> str:
        version = signature.response.version
        about = {"number": version.number, "since": moment(version.published_at)}
        return _("%(number)d, published %(since)s") % about

    @admin.display(description=gettext_lazy("text, as it stood on the page"))
    def shown_text(self, signature: Signature) -> str:
        return signature.text

    @admin.display(description=gettext_lazy("checksum of the text (SHA-256)"))
    def checksum(self, signature: Signature) -> str:
        return signature.text_sha256

    @admin.display(description=gettext_lazy("filled in by"))
    def filled_in(self, signature: Signature) -> str:
        submission = signature.response.submission
        return (submission.filler if submission is not None else "") or _("nobody said")

    @admin.display(description=gettext_lazy("sent from the login"))
    def login(self, signature: Signature) -> str:
        submission = signature.response.submission
        return submission.sent_by.email_key if submission is not None else ""

    @admin.display(description=gettext_lazy("voided"))
    def voided(self, signature: Signature) -> str:
        return f"{moment(signature.voided_at)}, {signature.voided_by}"

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "POST":  # nothing on the page can be edited
            raise PermissionDenied
        return super().changeform_view(request, *args, **kwargs)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        *args: Any,
        obj: Signature | None = None,
        **kwargs: Any,
    ) -> HttpResponse:
        assert obj is not None  # there is no page to add one
        context |= {
            "title": obj.response.version.questionnaire.title,
            "offer_void": self.has_change_permission(request, obj) and obj.voided_at is None,
            "response_pk": obj.response_id,
            # Nothing can be saved here.
            **dict.fromkeys(["show_save", "show_save_and_continue"], False),
        }
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    # --- voiding ----------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        void = self.own_path("<int:pk>/void/", self._void, "GET, HEAD, POST")
        return [void, *super().get_urls()]

    def _void(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        signature = self.row_or_404(request, pk)
        form = VoidForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            reason = form.cleaned_data["reason"]
            if signature_void(request=request, signature=signature, reason=reason):
                text = _("Voided. The family reads the reason and is asked again.")
                self.message_user(request, text, messages.SUCCESS)
            else:
                text = _("Nothing was changed: it was voided before.")
                self.message_user(request, text, messages.WARNING)
            return self.to_its_page(signature)
        what = signature.response.version.questionnaire.title
        return self.form_page(
            request,
            signature.member,
            form,
            title=_("Void the signature: %(what)s") % {"what": what},
            button=_("Void it and ask again"),
            back=reverse("admin:intake_signature_change", args=[signature.pk]),
        )
