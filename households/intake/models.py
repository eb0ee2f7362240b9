"""Forms: what the practice asks (Questionnaire), whom it asks (Ask), and what a family answers
(QuestionnaireResponse, Signature).

Whether somebody is asked a form is not stored: it is what the rules, the person and the responses say now
(asking.py). So who comes on file later is asked what "everyone" is asked, and a response that the practice
returns, or a signature that it voids, asks again by itself.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from households.models import MemberOwned, MemberOwnedQuerySet, PracticeOwned
from households.submissions.models import Submission


class ValueSet(PracticeOwned):
    """A list of choices that questionnaires name by its address (FHIR ValueSet, CodeSystem)."""

    url = models.CharField(_("address"), max_length=300, unique=True)
    title = models.CharField(_("title"), max_length=200)
    # In order: {"system": …, "code": …, "display": …, "weight": …}; without a weight where it has none.
    concepts = models.JSONField(_("choices"), default=list)
    imported_at = models.DateTimeField(_("imported"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("list of choices")
        verbose_name_plural = _("lists of choices")
        ordering = ["title", "url"]

    def __str__(self) -> str:
        return self.title


class Questionnaire(PracticeOwned):
    """A form or a consent, through all its versions."""

    class Kind(models.TextChoices):
        FORM = "form", _("form")
        # Its text is accepted or declined, and signed.
        CONSENT = "consent", _("consent")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # The canonical address, without a version (FHIR Questionnaire.url).
    url = models.CharField(_("address"), max_length=300, unique=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.FORM)
    title = models.CharField(_("title"), max_length=200, help_text=_("As families read it."))
    # Families may fill it in without being asked.
    is_offered = models.BooleanField(
        _("offered to everyone"),
        default=False,
        help_text=_("Families find it under Forms and may fill it in without being asked."),
    )
    needs_signature = models.BooleanField(
        _("to be signed"),
        default=False,
        help_text=_("Whoever sends it types their name and what they are to the patient."),
    )
    # Until somebody says otherwise: nobody knows what an imported form asks (PRODUCT H7).
    is_clinical = models.BooleanField(
        _("clinical"),
        default=True,
        help_text=_(
            "The front desk sees that it came and whether it suggests danger, but not the answers. Take the "
            "tick away where the front desk is to read them, such as for insurance or a pick-up list."
        ),
    )

    class Meta:
        verbose_name = _("form")
        verbose_name_plural = _("forms")
        ordering = ["title", "pk"]

    def __str__(self) -> str:
        return self.title

    @property
    def is_consent(self) -> bool:
        return self.kind == self.Kind.CONSENT


class QuestionnaireVersion(PracticeOwned):
    """What is asked. A draft may change; what is published is frozen for good."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        PUBLISHED = "published", _("published")
        # Published before, and no longer asked.
        RETIRED = "retired", _("retired")

    questionnaire = models.ForeignKey(
        Questionnaire, on_delete=models.PROTECT, related_name="versions", editable=False
    )
    # 1, 2, 3, as the portal counts them; `version` is what the definition says of itself.
    number = models.PositiveIntegerField(_("number"), editable=False)
    version = models.CharField(_("version"), max_length=60, blank=True, editable=False)
    status = models.CharField(
        _("status"), max_length=10, choices=Status, default=Status.DRAFT, editable=False
    )
    # The FHIR R4 Questionnaire, and the SHA-256 of its canonical JSON (sorted keys, no blanks).
    definition = models.JSONField(_("definition"), editable=False)
    sha256 = models.CharField(max_length=64, editable=False)
    # What the import had to say, a list of {"level", "rule", "link_id", "says"}.
    report = models.JSONField(_("report"), default=list, editable=False)
    # Counts the saves of a draft, so that of two people who change it at once one is told.
    revision = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(_("made"), default=timezone.now, editable=False)
    published_at = models.DateTimeField(_("published"), null=True, editable=False)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        editable=False,
    )

    class Meta:
        verbose_name = _("version of a form")
        verbose_name_plural = _("versions of forms")
        ordering = ["questionnaire", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["questionnaire", "number"], name="version_number"),
            models.UniqueConstraint(
                fields=["questionnaire"],
                condition=Q(status="published"),
                name="one_version_is_published",
            ),
            models.UniqueConstraint(
                fields=["questionnaire"], condition=Q(status="draft"), name="one_draft_of_a_form"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.questionnaire} ({self.number})"


class Asking(models.Model):
    """What is the same of every request for a form, whomever it is put to."""

    class Again(models.TextChoices):
        ONCE = "once", _("once")
        MONTHS = "months", _("every few months")
        VERSION = "version", _("again with each new version")

    questionnaire = models.ForeignKey(
        Questionnaire, on_delete=models.PROTECT, related_name="+", verbose_name=_("form")
    )
    again = models.CharField(_("how often"), max_length=10, choices=Again, default=Again.ONCE)
    months = models.PositiveSmallIntegerField(
        _("months"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(120)],
    )
    due_on = models.DateField(_("due"), null=True, blank=True)
    why = models.CharField(
        _("why"), max_length=300, blank=True, help_text=_("One sentence for the family.")
    )
    asked_at = models.DateTimeField(_("asked"), default=timezone.now, editable=False)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        editable=False,
    )
    ended_at = models.DateTimeField(_("ended"), null=True, editable=False)

    class Meta:
        abstract = True
        ordering = [models.F("due_on").asc(nulls_last=True), "pk"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(again="months") | Q(months__isnull=False),
                name="%(class)s_every_n_months",
            )
        ]

    def __str__(self) -> str:
        return f"Request for a form {self.pk}"


class Ask(Asking, PracticeOwned):
    """A form is asked of everyone, of everyone of an age, or of everyone on one email."""

    class Whom(models.TextChoices):
        EVERYONE = "everyone", _("everyone")
        AGES = "ages", _("everyone of an age")
        HOUSEHOLD = "household", _("everyone on one email")

    whom = models.CharField(_("whom"), max_length=10, choices=Whom)
    # As accounts.emails normalises it.
    email_key = models.CharField(_("email"), max_length=254, blank=True)
    # In years, both included.
    age_from = models.PositiveSmallIntegerField(_("from age"), null=True, blank=True)
    age_to = models.PositiveSmallIntegerField(_("to age"), null=True, blank=True)

    class Meta(Asking.Meta):
        verbose_name = _("request for a form")
        verbose_name_plural = _("requests for forms")
        indexes = [models.Index(fields=["email_key"], name="ask_household")]
        constraints = [
            *Asking.Meta.constraints,
            models.CheckConstraint(
                condition=Q(whom="household") & ~Q(email_key="")
                | ~Q(whom="household") & Q(email_key=""),
                name="ask_of_a_household",
            ),
        ]


class MemberAsk(Asking, MemberOwned):
    """A form is asked of one member."""

    class Meta(Asking.Meta):
        verbose_name = _("request for a form, to one person")
        verbose_name_plural = _("requests for forms, to one person")
        indexes = [models.Index(fields=["-asked_at", "-id"], name="member_ask_list")]


class QuestionnaireResponseQuerySet(MemberOwnedQuerySet):
    def drafts(self) -> QuestionnaireResponseQuerySet:
        """What is being filled in."""
        return self.filter(submission=None)

    def of_form(self, questionnaire: Questionnaire) -> QuestionnaireResponseQuerySet:
        """What everybody sent of one form and what stands of it: neither returned nor taken back, nor with a
        voided signature, nor corrected by a later one that stands. For the practice's table."""
        not_standing = [Submission.Status.RETURNED, Submission.Status.WITHDRAWN]
        standing = (
            self.filter(version__questionnaire=questionnaire, submission__isnull=False)
            .exclude(submission__status__in=not_standing)
            .exclude(signature__voided_at__isnull=False)
        )
        corrected = standing.filter(corrects__isnull=False).order_by().values("corrects")
        return standing.exclude(pk__in=corrected)

    def sent(self) -> QuestionnaireResponseQuerySet:
        """What was sent, latest first, with what became of it."""
        return (
            self.exclude(submission=None)
            .select_related("submission", "version", "version__questionnaire")
            .order_by("-submission__sent_at", "-pk")
        )


class QuestionnaireResponse(MemberOwned):
    """One form as one member's family fills it in: a draft until it has a submission, frozen from then on.
    A later correction is another response, which says which one it corrects."""

    version = models.ForeignKey(
        QuestionnaireVersion, on_delete=models.PROTECT, related_name="+", editable=False
    )
    submission = models.OneToOneField(
        Submission, on_delete=models.PROTECT, null=True, related_name="+", editable=False
    )
    corrects = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="corrections", editable=False
    )
    # QuestionnaireResponse.item of FHIR. Of a draft with the answers to questions that are switched off,
    # so that switching back brings them again; of what was sent without them.
    items = models.JSONField(default=list, editable=False)
    # Counts the saves of a draft: a page says on which one it stands (R-RE-2).
    revision = models.PositiveIntegerField(default=1, editable=False)
    # The pages that were passed with Continue, as pages.py names them: where to go on.
    pages_done = models.JSONField(default=list, editable=False)
    started_at = models.DateTimeField(_("begun"), default=timezone.now, editable=False)
    saved_at = models.DateTimeField(_("saved"), default=timezone.now, editable=False)
    # The check-answers page that sent it: a button pressed twice sends once.
    sending_id = models.UUIDField(null=True, editable=False)
    # Of what was sent: the SHA-256 of the canonical JSON of `items`, the scores
    # ({"link_id", "text", "value", "unit"}) and the questions whose answers are dangerous (link ids).
    sha256 = models.CharField(max_length=64, blank=True, editable=False)
    scores = models.JSONField(default=list, editable=False)
    danger = models.JSONField(default=list, editable=False)

    # Set by the staff's list: whether its answers are kept from whoever asks (review.py).
    is_closed = False

    objects = QuestionnaireResponseQuerySet.as_manager()  # type: ignore[misc] # the plugin takes ours for a field

    class Meta:
        verbose_name = _("filled form")
        verbose_name_plural = _("filled forms")
        ordering = ["-started_at", "-pk"]
        permissions = [("view_clinical_answers", "Can read the answers of clinical forms")]
        indexes = [models.Index(fields=["member", "version"], name="response_member")]
        constraints = [
            models.UniqueConstraint(
                fields=["member", "version"],
                condition=Q(submission=None),
                name="one_draft_of_a_version",
            ),
            models.UniqueConstraint(fields=["member", "sending_id"], name="one_response_of_a_page"),
        ]

    def __str__(self) -> str:
        return f"Filled form {self.public_id}"

    @property
    def is_draft(self) -> bool:
        return self.submission_id is None


class Signature(MemberOwned):
    """A typed name under a form, or under the text of a consent that was accepted or declined. It belongs to
    its response for good: it is voided, never moved and never changed (PRODUCT H4)."""

    class Decision(models.TextChoices):
        ACCEPTED = "accepted", _("Accepted")
        DECLINED = "declined", _("Declined")

    response = models.OneToOneField(
        QuestionnaireResponse, on_delete=models.PROTECT, related_name="signature", editable=False
    )
    decision = models.CharField(
        _("decision"), max_length=10, choices=Decision, default=Decision.ACCEPTED, editable=False
    )
    # What was signed, to the letter as it stood on the page, and its SHA-256 (UTF-8).
    text = models.TextField(_("text"), editable=False)
    text_sha256 = models.CharField(max_length=64, editable=False)
    typed_name = models.CharField(_("signed by"), max_length=120, editable=False)
    # What they are to the patient, in their words: "mother", "self".
    relationship = models.CharField(_("relationship"), max_length=80, editable=False)
    signed_at = models.DateTimeField(_("signed"), default=timezone.now, editable=False)
    voided_at = models.DateTimeField(_("voided"), null=True, editable=False)
    voided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        editable=False,
    )
    # Why, in the practice's words, for the family to read.
    void_reason = models.CharField(_("reason"), max_length=500, blank=True, editable=False)

    class Meta:
        verbose_name = _("signature")
        ordering = ["-signed_at", "-pk"]
        indexes = [models.Index(fields=["-signed_at", "-id"], name="signature_list")]
        constraints = [
            models.CheckConstraint(
                condition=Q(voided_at=None) | ~Q(void_reason=""), name="voided_with_a_reason"
            )
        ]

    def __str__(self) -> str:
        return f"Signature {self.public_id}"
