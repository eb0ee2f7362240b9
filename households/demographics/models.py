"""Who a member is and how to reach them: what is on file, and what the family wants changed.

Names, birth date, sex, email, two phones, address and language stand on the member itself, because the
practice's patient list brings them; the rest stands here. Nothing of it is changed by a family: a change is
proposed (DetailChange), and is on file once the practice accepts it, or lets that field in by itself.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from households.models import MemberOwned, MemberOwnedQuerySet, PracticeOwned
from households.submissions.models import Proposal, ProposalQuerySet, Submission

# Asked of the practice, and never on file before somebody there has looked. The preferred name too: the
# picker takes it, so whoever could change it could choose by it.
NEVER_BY_ITSELF = ("legal_name", "date_of_birth", "sex", "email", "preferred_name")


class DetailsQuerySet(MemberOwnedQuerySet):
    pass


class EndingQuerySet(MemberOwnedQuerySet):
    """Rows that end and stay."""

    def in_force(self) -> EndingQuerySet:
        return self.filter(ended_at=None)


class Details(MemberOwned):
    """What is on file of one member beside the member's own columns. Words of lists are codes: those of
    FHIR's value sets where there is one, and of the practice's kept libraries."""

    class MaritalStatus(models.TextChoices):
        # HL7 v3 MaritalStatus, as FHIR's Patient.maritalStatus names it.
        NEVER_MARRIED = "S", _("Never married")
        MARRIED = "M", _("Married")
        PARTNER = "T", _("Domestic partner")
        SEPARATED = "L", _("Legally separated")
        DIVORCED = "D", _("Divorced")
        WIDOWED = "W", _("Widowed")

    class ContactBy(models.TextChoices):
        MOBILE = "mobile", _("Call the mobile phone")
        TEXT = "text", _("Text message")
        HOME = "home", _("Call the home phone")
        WORK = "work", _("Call the work phone")
        EMAIL = "email", _("Email")
        LETTER = "letter", _("Letter")

    class Interpreter(models.TextChoices):
        YES = "yes", _("Yes")
        NO = "no", _("No")

    pronouns = models.CharField(max_length=40, blank=True)
    gender_identity = models.CharField(max_length=80, blank=True)
    marital_status = models.CharField(max_length=1, choices=MaritalStatus, blank=True)
    occupation = models.CharField(max_length=120, blank=True)
    # Lists of words; see fields.py.
    race = models.JSONField(default=list, blank=True)
    ethnicity = models.CharField(max_length=20, blank=True)
    country = models.CharField(
        max_length=2, blank=True
    )  # ISO 3166-1 alpha-2; empty is the practice's
    interpreter = models.CharField(max_length=3, choices=Interpreter, blank=True)
    # What the practice may do with each phone: "voice" (call), "message" (leave one), "text".
    mobile_may = models.JSONField(default=list, blank=True)
    home_may = models.JSONField(default=list, blank=True)
    work_phone = models.CharField(max_length=40, blank=True)
    work_may = models.JSONField(default=list, blank=True)
    contact_by = models.CharField(max_length=6, choices=ContactBy, blank=True)
    contact_note = models.CharField(max_length=200, blank=True)
    doctor_name = models.CharField(max_length=120, blank=True)
    doctor_practice = models.CharField(max_length=120, blank=True)
    doctor_phone = models.CharField(max_length=40, blank=True)
    pharmacy_name = models.CharField(max_length=120, blank=True)
    pharmacy_address = models.CharField(max_length=200, blank=True)
    pharmacy_phone = models.CharField(max_length=40, blank=True)
    # “This is all correct”: when the family last said so, and what they sent to say it.
    confirmed_at = models.DateTimeField(null=True)
    confirmed_in = models.ForeignKey(
        Submission, on_delete=models.PROTECT, null=True, related_name="+"
    )

    objects = DetailsQuerySet.as_manager()  # type: ignore[misc] # the plugin takes ours for a field

    class Meta:
        verbose_name = verbose_name_plural = _("details")
        constraints = [models.UniqueConstraint(fields=["member"], name="one_details")]

    def __str__(self) -> str:
        return f"Details {self.public_id}"


class Contact(MemberOwned):
    """Somebody around a member: a guardian, somebody to call in an emergency, or both."""

    class Relationship(models.TextChoices):
        # HL7 v3 RoleCode, as FHIR's RelatedPerson.relationship names it.
        MOTHER = "MTH", _("Mother")
        FATHER = "FTH", _("Father")
        STEP_PARENT = "STPPRN", _("Step-parent")
        FOSTER_PARENT = "PRNFOST", _("Foster parent")
        GRANDPARENT = "GRPRN", _("Grandparent")
        GUARDIAN = "GUARD", _("Legal guardian")
        SPOUSE = "SPS", _("Spouse")
        PARTNER = "DOMPART", _("Partner")
        CHILD = "CHILD", _("Son or daughter")
        SIBLING = "SIB", _("Brother or sister")
        RELATIVE = "FAMMEMB", _("Another relative")
        FRIEND = "FRND", _("Friend")
        NEIGHBOUR = "NBOR", _("Neighbor")
        OTHER = "O", _("Somebody else")

    name = models.CharField(max_length=120)
    relationship = models.CharField(max_length=8, choices=Relationship)
    phone = models.CharField(max_length=40, blank=True)
    other_phone = models.CharField(max_length=40, blank=True)
    is_guardian = models.BooleanField(default=False)
    is_emergency = models.BooleanField(default=False)
    # Nobody is deleted: who is no contact any more was one until then.
    ended_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = EndingQuerySet.as_manager()  # type: ignore[misc] # the plugin takes ours for a field

    class Meta:
        verbose_name = _("contact")
        ordering = ["-is_guardian", "pk"]
        indexes = [models.Index(fields=["member"], name="contact_member")]

    def __str__(self) -> str:
        return f"Contact {self.public_id}"


class Coverage(MemberOwned):
    """One insurance of a member. The card's photos are documents."""

    class Rank(models.TextChoices):
        PRIMARY = "primary", _("Primary insurance")
        SECONDARY = "secondary", _("Secondary insurance")

    class Relationship(models.TextChoices):
        # FHIR subscriber-relationship.
        SELF = "self", _("The patient")
        SPOUSE = "spouse", _("The spouse or partner")
        PARENT = "parent", _("A parent")
        CHILD = "child", _("A son or daughter")
        OTHER = "other", _("Somebody else")

    rank = models.CharField(max_length=9, choices=Rank)
    payer = models.CharField(max_length=120)
    plan = models.CharField(max_length=120, blank=True)
    member_number = models.CharField(max_length=60, blank=True)
    group_number = models.CharField(max_length=60, blank=True)
    # Who the policy belongs to, as seen from the patient.
    subscriber = models.CharField(max_length=6, choices=Relationship, blank=True)
    subscriber_name = models.CharField(max_length=120, blank=True)
    ended_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = EndingQuerySet.as_manager()  # type: ignore[misc] # the plugin takes ours for a field

    class Meta:
        verbose_name = _("insurance")
        ordering = ["rank", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["member", "rank"], condition=Q(ended_at=None), name="one_coverage_of_a_rank"
            )
        ]

    def __str__(self) -> str:
        return f"Coverage {self.public_id}"


class DetailChangeQuerySet(ProposalQuerySet):
    def latest_of_each(self) -> DetailChangeQuerySet:
        """Of everything that was ever sent for a field, or for one contact, only the latest: what it says
        is how that field stands. In the order in which they were sent."""
        later = self.model._default_manager.filter(
            member=OuterRef("member"),
            field=OuterRef("field"),
            row=OuterRef("row"),
            pk__gt=OuterRef("pk"),
        )
        return self.filter(~Exists(later)).order_by("pk")


class DetailChange(Proposal):
    """What a family wants changed in one field, such as the address. `before` is what was on file when
    they typed, `values` what they typed: both are columns with values, as the field reads and writes
    them (fields.py). `row` is the public id of the contact that it is about: that of a new one is given out
    here, and the contact has it once it is accepted."""

    field = models.CharField(max_length=40, editable=False)
    row = models.CharField(max_length=36, blank=True, editable=False)
    before = models.JSONField(default=dict, editable=False)
    values = models.JSONField(default=dict, editable=False)
    # What the practice accepted in its place.
    edited_values = models.JSONField(null=True, editable=False)
    # The family took it back before the practice saw it: replaced by what is on file.
    taken_back_at = models.DateTimeField(null=True, editable=False)
    # What is on file, where a page of several changes has read it for all of them (fields.OnFile).
    on_file: Any = None

    objects = DetailChangeQuerySet.as_manager()  # type: ignore[misc] # the plugin takes ours for a field

    class Meta(Proposal.Meta):
        abstract = False
        verbose_name = _("change of details")
        verbose_name_plural = _("changes of details")
        ordering = ["-proposed_at", "-pk"]
        indexes = [
            models.Index(fields=["member", "decision"], name="detail_change_member"),
            models.Index(fields=["submission"], name="detail_change_submission"),
            models.Index(fields=["-decision", "-proposed_at", "-id"], name="detail_change_list"),
        ]
        constraints = [
            *Proposal.Meta.constraints,
            # A later one replaces it.
            models.UniqueConstraint(
                fields=["member", "field", "row"],
                condition=Q(decision="waiting"),
                name="one_waiting_change_of_a_field",
            ),
        ]

    def get_decision_display(self) -> str:
        decision = str(_("Taken back by the family"))
        return decision if self.taken_back_at else str(self.Decision(self.decision).label)


class FieldSetting(PracticeOwned):
    """What the practice does with one field of PRODUCT D (fields.py). A migration makes a row for each."""

    class Shown(models.TextChoices):
        HIDDEN = "hidden", _("hidden")
        SHOWN = "shown", _("shown, not to be changed")
        EDITABLE = "editable", _("may be changed")
        REQUIRED = "required", _("has to be answered")

    field = models.CharField(_("field"), max_length=40, unique=True, editable=False)
    shown = models.CharField(_("families"), max_length=8, choices=Shown, default=Shown.EDITABLE)
    accepts_itself = models.BooleanField(
        _("accepted by itself"),
        default=False,
        help_text=_("What a family changes is on file at once; staff need not look."),
    )
    # Who confirmed before then may not have been asked for it.
    required_since = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("field of the details")
        verbose_name_plural = _("fields of the details")
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(accepts_itself=False) | ~Q(field__in=NEVER_BY_ITSELF),
                name="identity_is_never_accepted_by_itself",
            )
        ]

    def __str__(self) -> str:
        return self.field

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self.is_required:
            self.required_since = None
        elif self.required_since is None:
            self.required_since = timezone.now()
        super().save(*args, **kwargs)

    def clean(self) -> None:
        super().clean()
        if self.accepts_itself and self.field in NEVER_BY_ITSELF:
            raise ValidationError(
                {
                    "accepts_itself": _(
                        "This decides who somebody is, or who may open a chart. Staff look at each change."
                    )
                }
            )

    @property
    def is_shown(self) -> bool:
        return self.shown != self.Shown.HIDDEN

    @property
    def may_be_changed(self) -> bool:
        return self.shown in {self.Shown.EDITABLE, self.Shown.REQUIRED}

    @property
    def is_required(self) -> bool:
        return self.shown == self.Shown.REQUIRED
