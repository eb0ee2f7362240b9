"""A member's medical history: entries by section, what is known of each section, and the past of both.

Entries stand as rows of real columns, so that staff can list and merge them. Nothing is deleted: an entry
ends, or was entered in error, and every state it had stays in its EntryChange. What a family answers counts
at once, as reported by the family; the practice confirms it or returns it with a reason.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Case, Exists, OuterRef, Q, Subquery, When
from django.utils.translation import gettext_lazy as _

from households.models import MemberOwned, MemberOwnedQuerySet, PracticeOwned
from households.submissions.models import Proposal, ProposalQuerySet, Submission


class Section(models.TextChoices):
    """The topics, one page each, in the order in which they are asked. Plain word first (UX HIST-3)."""

    ALLERGIES = "allergies", _("Allergies")
    MEDICATIONS = "medications", _("Medicines and supplements")
    CONDITIONS = "conditions", _("Health problems (conditions)")
    PROCEDURES = "procedures", _("Operations and hospital stays")
    FAMILY = "family", _("Health of the family")
    IMMUNIZATIONS = "immunizations", _("Vaccines (immunizations)")
    SCREENINGS = "screenings", _("Check-ups (screenings)")
    LIFESTYLE = "lifestyle", _("Daily life")
    BIRTH = "birth", _("Birth and development")
    PREGNANCY = "pregnancy", _("Pregnancy and cycle")
    WELLBEING = "wellbeing", _("Mental wellbeing")
    PRACTITIONERS = "practitioners", _("Other doctors and therapists")
    GOALS = "goals", _("Concerns and goals")


class SectionState(MemberOwned):
    """What is known of one section. "None" and "not asked" are answers of their own, never the absence of
    entries. A member has a row for each section from the first look at the history on."""

    class Answer(models.TextChoices):
        NOT_ASKED = "not-asked", _("Not answered yet")
        NONE = "none", _("None")
        NOT_SURE = "not-sure", _("Not sure")
        ENTRIES = "entries", _("Entries")

    section = models.CharField(max_length=20, choices=Section)
    answer = models.CharField(max_length=9, choices=Answer, default=Answer.NOT_ASKED)
    # “Nothing has changed”, or any answer: when the family last gave one, and in what they sent.
    confirmed_at = models.DateTimeField(null=True)
    confirmed_in = models.ForeignKey(
        Submission, on_delete=models.PROTECT, null=True, related_name="+"
    )
    # Counts every change, of the answer and of the entries, so that of two saves the second one sees the
    # first (SECURITY R-RE-2).
    version = models.PositiveIntegerField(default=0)
    # The page that said last that nothing has changed: a button pressed twice says it once.
    sending_id = models.UUIDField(null=True)

    objects: ClassVar[Any] = MemberOwnedQuerySet.as_manager()  # the plugin gives it the base's rows

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["member", "section"], name="one_state_of_a_section")
        ]

    def __str__(self) -> str:
        return f"Section state {self.public_id}"


class Entry(MemberOwned):
    """The base of everything that can be listed in a section. Approximate dates are text: YYYY, YYYY-MM or
    YYYY-MM-DD, as FHIR writes them (partial_date.py)."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("Current")
        ENDED = "ended", _("Ended")
        ERROR = "error", _("Entered by mistake")

    class Known(models.TextChoices):
        YES = "yes", _("Yes")
        NO = "no", _("No")
        NOT_SURE = "not-sure", _("Not sure")

    section: ClassVar[Section]

    status = models.CharField(max_length=6, choices=Status, default=Status.ACTIVE)
    # The practice has looked at it as it stands now (FHIR verificationStatus "confirmed").
    is_confirmed = models.BooleanField(default=False)
    note = models.CharField(max_length=500, blank=True)
    # Counts every change of this entry, like SectionState.version.
    version = models.PositiveIntegerField(default=1)
    # What it first came in, and what its present state came in.
    recorded_in = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="+")
    changed_in = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = MemberOwnedQuerySet.as_manager()  # the plugin gives it the base's rows

    class Meta:
        abstract = True
        ordering = ["pk"]
        indexes = [models.Index(fields=["member", "status"], name="%(class)s_member")]

    def __str__(self) -> str:
        return f"{type(self).__name__} {self.public_id}"

    @property
    def title(self) -> str:
        """What the family calls it: the heading of the entry."""
        raise NotImplementedError  # every kind of entry says it

    @classmethod
    def columns(cls) -> list[str]:
        """What an entry says, and whether it is current: what a change of it keeps."""
        return [
            field.attname
            for field in cls._meta.concrete_fields
            if field.attname not in _NOT_SAID_BY_THE_FAMILY
        ]

    def values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.columns()}


_NOT_SAID_BY_THE_FAMILY = {
    *("id", "public_id", "member_id", "is_confirmed", "version"),
    *("recorded_in_id", "changed_in_id", "recorded_at", "changed_at"),
}


class Allergy(Entry):
    """FHIR AllergyIntolerance."""

    class Kind(models.TextChoices):
        ALLERGY = "allergy", _("Allergy")
        INTOLERANCE = "intolerance", _("Intolerance (the body does not take it well)")
        NOT_SURE = "not-sure", _("Not sure")

    class Category(models.TextChoices):
        MEDICATION = "medication", _("Medicine")
        FOOD = "food", _("Food")
        ENVIRONMENT = "environment", _("Something around us: pollen, animals, latex, stings")

    class Severity(models.TextChoices):
        MILD = "mild", _("Mild")
        MODERATE = "moderate", _("Moderate")
        SEVERE = "severe", _("Severe: needed help at once")

    section = Section.ALLERGIES
    substance = models.CharField(max_length=200)
    category = models.CharField(max_length=12, choices=Category, blank=True)
    kind = models.CharField(max_length=12, choices=Kind, blank=True)
    reaction = models.CharField(max_length=300, blank=True)
    severity = models.CharField(max_length=8, choices=Severity, blank=True)
    since = models.CharField(max_length=10, blank=True)

    @property
    def title(self) -> str:
        return self.substance


class Medication(Entry):
    """FHIR MedicationStatement: what a clinician needs to reconcile."""

    class Kind(models.TextChoices):
        PRESCRIBED = "prescribed", _("Prescribed medicine")
        OVER_THE_COUNTER = "otc", _("Medicine without a prescription")
        SUPPLEMENT = "supplement", _("Supplement: vitamin, mineral, herb, protein")

    class Taking(models.TextChoices):
        YES = "yes", _("Yes")
        SOMETIMES = "sometimes", _("Only when needed")
        NO = "no", _("No, stopped")
        NOT_SURE = "not-sure", _("Not sure")

    section = Section.MEDICATIONS
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=Kind)
    strength = models.CharField(max_length=80, blank=True)
    dose = models.CharField(max_length=120, blank=True)
    how_often = models.CharField(max_length=120, blank=True)
    route = models.CharField(max_length=80, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    since = models.CharField(max_length=10, blank=True)
    until = models.CharField(max_length=10, blank=True)
    taking = models.CharField(max_length=9, choices=Taking, blank=True)
    prescriber = models.CharField(max_length=120, blank=True)

    @property
    def title(self) -> str:
        return f"{self.name} {self.strength}".strip()


class Condition(Entry):
    """FHIR Condition, as an item of the problem list."""

    section = Section.CONDITIONS
    name = models.CharField(max_length=200)
    since = models.CharField(max_length=10, blank=True)
    until = models.CharField(max_length=10, blank=True)
    treated_by = models.CharField(max_length=120, blank=True)

    @property
    def title(self) -> str:
        return self.name


class Procedure(Entry):
    """FHIR Procedure; a hospital stay is an Encounter of class IMP."""

    class Kind(models.TextChoices):
        OPERATION = "operation", _("Operation (surgery)")
        STAY = "stay", _("Hospital stay")

    section = Section.PROCEDURES
    kind = models.CharField(max_length=9, choices=Kind)
    what = models.CharField(max_length=200)
    happened = models.CharField(max_length=10, blank=True)
    where = models.CharField(max_length=120, blank=True)
    who = models.CharField(max_length=120, blank=True)
    anaesthesia_problem = models.CharField(max_length=8, choices=Entry.Known, blank=True)

    @property
    def title(self) -> str:
        return self.what


class FamilyCondition(Entry):
    """FHIR FamilyMemberHistory: one health problem of one relative."""

    class Relative(models.TextChoices):
        # HL7 v3 FamilyMember.
        MOTHER = "MTH", _("Mother")
        FATHER = "FTH", _("Father")
        SISTER = "SIS", _("Sister")
        BROTHER = "BRO", _("Brother")
        DAUGHTER = "DAU", _("Daughter")
        SON = "SON", _("Son")
        MATERNAL_GRANDMOTHER = "MGRMTH", _("Mother's mother")
        MATERNAL_GRANDFATHER = "MGRFTH", _("Mother's father")
        PATERNAL_GRANDMOTHER = "PGRMTH", _("Father's mother")
        PATERNAL_GRANDFATHER = "PGRFTH", _("Father's father")
        MATERNAL_AUNT = "MAUNT", _("Mother's sister")
        MATERNAL_UNCLE = "MUNCLE", _("Mother's brother")
        PATERNAL_AUNT = "PAUNT", _("Father's sister")
        PATERNAL_UNCLE = "PUNCLE", _("Father's brother")
        OTHER = "FAMMEMB", _("Another relative by blood")

    section = Section.FAMILY
    relative = models.CharField(max_length=8, choices=Relative)
    condition = models.CharField(max_length=200)
    age_at_onset = models.PositiveSmallIntegerField(null=True)
    deceased = models.CharField(max_length=8, choices=Entry.Known, blank=True)
    age_at_death = models.PositiveSmallIntegerField(null=True)

    @property
    def title(self) -> str:
        return f"{self.get_relative_display()}: {self.condition}"


class Immunization(Entry):
    """FHIR Immunization, reported and not from the source."""

    section = Section.IMMUNIZATIONS
    vaccine = models.CharField(max_length=200)
    given = models.CharField(max_length=10, blank=True)
    where = models.CharField(max_length=120, blank=True)
    lot_number = models.CharField(max_length=60, blank=True)

    @property
    def title(self) -> str:
        return self.vaccine


class Screening(Entry):
    """A check-up and when it was last done; FHIR Observation."""

    class Kind(models.TextChoices):
        PHYSICAL = "physical", _("General check-up")
        DENTAL = "dental", _("Dentist")
        EYES = "eyes", _("Eye exam")
        HEARING = "hearing", _("Hearing test")
        BLOOD_PRESSURE = "blood-pressure", _("Blood pressure")
        CHOLESTEROL = "cholesterol", _("Cholesterol")
        DIABETES = "diabetes", _("Blood sugar")
        COLON = "colon", _("Colon cancer test")
        BREAST = "breast", _("Mammogram")
        CERVICAL = "cervical", _("Pap or HPV test")
        PROSTATE = "prostate", _("Prostate test")
        BONE = "bone", _("Bone density")
        LEAD = "lead", _("Lead test")
        OTHER = "other", _("Another check-up")

    section = Section.SCREENINGS
    kind = models.CharField(max_length=14, choices=Kind)
    what = models.CharField(max_length=120, blank=True)
    happened = models.CharField(max_length=10, blank=True)
    result = models.CharField(max_length=200, blank=True)

    @property
    def title(self) -> str:
        return self.what or self.get_kind_display()


class Fact(Entry):
    """One answer in a section of questions (daily life, birth, pregnancy, wellbeing): FHIR Observation.
    `topic` and `value` are words of topics.py; `detail` is the family's own."""

    section = None  # type: ignore[assignment] # of its own column, of_section
    of_section = models.CharField(max_length=20, choices=Section)
    topic = models.CharField(max_length=40)
    value = models.CharField(max_length=40, blank=True)
    detail = models.CharField(max_length=500, blank=True)
    since = models.CharField(max_length=10, blank=True)
    until = models.CharField(max_length=10, blank=True)

    class Meta(Entry.Meta):
        abstract = False
        constraints = [models.UniqueConstraint(fields=["member", "topic"], name="one_fact")]

    @property
    def title(self) -> str:
        return self.topic


class Practitioner(Entry):
    """Another doctor or therapist; FHIR Practitioner in a CareTeam."""

    section = Section.PRACTITIONERS
    name = models.CharField(max_length=120)
    role = models.CharField(max_length=120, blank=True)
    where = models.CharField(max_length=120, blank=True)
    phone = models.CharField(max_length=40, blank=True)

    @property
    def title(self) -> str:
        return self.name


class Goal(Entry):
    """What worries the family or what they hope for; FHIR Goal and Observation."""

    class Kind(models.TextChoices):
        CONCERN = "concern", _("A worry or question")
        GOAL = "goal", _("A goal")

    section = Section.GOALS
    kind = models.CharField(max_length=7, choices=Kind)
    text = models.CharField(max_length=500)

    @property
    def title(self) -> str:
        return self.text


ENTRY_MODELS: tuple[type[Entry], ...] = (
    *(Allergy, Medication, Condition, Procedure, FamilyCondition, Immunization),
    *(Screening, Fact, Practitioner, Goal),
)


MODELS: dict[str, type[Entry]] = {model.__name__.lower(): model for model in ENTRY_MODELS}
MODEL_OF: dict[Section, type[Entry]] = {
    model.section: model for model in ENTRY_MODELS if model is not Fact
}


class EntryChangeQuerySet(ProposalQuerySet):
    def latest_of_each(self) -> EntryChangeQuerySet:
        """Without those that a later one of the same entry, or of the same section where the section was
        answered as a whole, took the place of: what the family still has to know about."""
        # Of the member of the outer row.
        later = self.model._base_manager.filter(
            member=OuterRef("member"), pk__gt=OuterRef("pk"), section=OuterRef("section")
        )
        return self.exclude(Exists(later.filter(entry=OuterRef("entry")))).exclude(
            Q(entry=None) & Exists(later)
        )

    def with_version_on_file(self) -> EntryChangeQuerySet:
        """Each with `version_on_file`, the version of its entry now; None where it is of a section."""
        return self.annotate(
            version_on_file=Case(
                *[
                    When(
                        entry_type=name,
                        then=Subquery(
                            model._base_manager.filter(
                                member=OuterRef("member"), public_id=OuterRef("entry")
                            ).values("version")
                        ),
                    )
                    for name, model in MODELS.items()
                ],
                output_field=models.PositiveIntegerField(null=True),
            )
        )


class EntryChange(Proposal):
    """One state that an entry or a section was given: the past of both, and what staff look at.

    `before` and `values` are the entry's columns with their values; of a section, its answer.
    """

    class Action(models.TextChoices):
        ADDED = "added", _("Added")
        CHANGED = "changed", _("Changed")
        ENDED = "ended", _("Ended")
        ERROR = "error", _("Entered by mistake")
        ANSWERED = "answered", _("Answered")

    section = models.CharField(max_length=20, choices=Section, editable=False)
    action = models.CharField(max_length=8, choices=Action, editable=False)
    # The model and public id of the entry; empty where the section as a whole was answered.
    entry_type = models.CharField(max_length=20, blank=True, editable=False)
    entry = models.UUIDField(null=True, editable=False)
    # Which of its states this is: the entry's version after it.
    version = models.PositiveIntegerField(default=0, editable=False)
    before = models.JSONField(default=dict, editable=False)
    values = models.JSONField(default=dict, editable=False)
    # What the practice accepted in its place.
    edited_values = models.JSONField(null=True, editable=False)

    objects = EntryChangeQuerySet.as_manager()  # type: ignore[misc] # the plugin takes ours for a field

    class Meta(Proposal.Meta):
        abstract = False
        verbose_name = _("change of the history")
        verbose_name_plural = _("changes of the history")
        ordering = ["-proposed_at", "-pk"]
        indexes = [
            models.Index(fields=["member", "section", "decision"], name="entry_change_member"),
            models.Index(fields=["submission"], name="entry_change_submission"),
            models.Index(fields=["entry"], name="entry_change_entry"),
            models.Index(fields=["-decision", "-proposed_at", "-id"], name="entry_change_list"),
        ]

    def as_entry(self, values: dict[str, Any] | None = None) -> Entry:
        """The entry as it was sent, or with other `values`, not to be saved."""
        model = MODELS[self.entry_type]
        entry = model(**(self.values if values is None else values))
        if self.entry is not None:
            entry.public_id = self.entry
        return entry


class SectionSetting(PracticeOwned):
    """What the practice does with one section. A migration makes a row for each."""

    section = models.CharField(_("section"), max_length=20, choices=Section, unique=True)
    is_asked = models.BooleanField(
        _("asked"), default=True, help_text=_("Without the tick families do not see this topic.")
    )
    is_private = models.BooleanField(
        _("private"),
        default=False,
        help_text=_(
            "Where several people share a login, what was sent is not shown back. For topics that "
            "somebody would not want their family to read."
        ),
    )

    class Meta:
        verbose_name = _("topic of the history")
        verbose_name_plural = _("topics of the history")
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.get_section_display()
