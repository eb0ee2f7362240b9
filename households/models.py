"""The practice, its members, and which of them a session is for.

A household is a question, not a table: the members on file, active and with portal access, whose email key
equals the account's. `Member.objects.in_household_of(account)` asks it, on every request.
"""

from __future__ import annotations

import datetime
import time
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.emails import MAX_LENGTH as LONGEST_EMAIL
from accounts.emails import usable_email_key
from accounts.models import HouseholdAccount, HouseholdSession
from households.matching import name_key

CRISIS_TEXT = _(
    "One of these answers worries us. If you or somebody with you may be in danger now, call 911. For "
    "thoughts of suicide or of hurting yourself, call or text 988 at any hour: it is free, and somebody "
    "there will listen."
)


def crisis_text() -> str:
    """What a new practice says, until it says it in its own words."""
    return str(CRISIS_TEXT)


class Practice(models.Model):
    """The practice itself: one row, edited in admin, shown on every page and in every mail."""

    name = models.CharField(_("name"), max_length=120, default="Your practice")
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    hours = models.CharField(
        _("hours"),
        max_length=200,
        blank=True,
        help_text=_("For example: Monday to Friday, 8 to 5"),
    )
    address = models.CharField(_("address"), max_length=300, blank=True)
    sender = models.EmailField(
        _("sender of mails"),
        default="portal@practice.example",
        help_text=_("Families are told to look for mail from this address."),
    )
    time_zone = models.CharField(_("time zone"), max_length=60, default="America/New_York")
    one_tap_switching = models.BooleanField(
        _("one-tap switching"),
        default=True,
        help_text=_(
            "Offer people already chosen in this session without asking the two facts again."
        ),
    )
    crisis_text = models.TextField(
        _("when an answer suggests danger"),
        max_length=1000,
        default=crisis_text,
        help_text=_(
            "The family reads this at once when an answer in a form suggests danger. Name whom to call; the "
            "page adds 911 and 988, and that nobody watches the form."
        ),
    )

    class Meta:
        verbose_name = verbose_name_plural = _("practice")
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="one_practice")]

    def __str__(self) -> str:
        return self.name

    # Name and phone stand on every page and change about once a year, so a process reads them anew every
    # few seconds only. Nothing that decides who may see what may ever be remembered like this.
    REMEMBER_SECONDS = 5
    _memory: ClassVar[list[tuple[float, Practice]]] = []

    @classmethod
    def load(cls) -> Practice:
        """The one row; its defaults before anybody edited it."""
        return cls.objects.filter(pk=1).first() or cls(pk=1)

    @classmethod
    def remembered(cls) -> Practice:
        """The one row as it was at most REMEMBER_SECONDS ago; for showing, not for editing."""
        now = time.monotonic()
        if not cls._memory or now - cls._memory[0][0] > cls.REMEMBER_SECONDS:
            cls._memory[:] = [(now, cls.load())]
        return cls._memory[0][1]

    @classmethod
    def forget(cls) -> None:
        """Read it anew next time."""
        cls._memory.clear()

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)
        self.forget()
        # Again at the end: another request may have remembered the old row meanwhile.
        transaction.on_commit(self.forget)

    def clean(self) -> None:
        import zoneinfo

        if self.time_zone not in zoneinfo.available_timezones():
            raise ValidationError(
                {"time_zone": _("There is no such time zone. One looks like America/New_York.")}
            )


def in_household(account: HouseholdAccount, through: str = "") -> Q:
    """The question itself: on file under this account's email, active, and with portal access.

    `through` is the path to the member from the model that is asked ("member__"), so that a look-up of
    something of theirs is the same one query.
    """
    return Q(
        **{
            f"{through}email_key": account.email_key,
            f"{through}status": Member.Status.ACTIVE,
            f"{through}portal_access": True,
        }
    )


class MemberQuerySet(models.QuerySet["Member"]):
    def with_portal_access(self) -> MemberQuerySet:
        return self.filter(status=Member.Status.ACTIVE, portal_access=True).exclude(email_key="")

    def in_household_of(self, account: HouseholdAccount) -> MemberQuerySet:
        """Everybody whose chart this account may open, now."""
        return self.filter(in_household(account))


class Member(models.Model):
    """One patient on the practice's file."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("active")
        INACTIVE = "inactive", _("inactive")
        DECEASED = "deceased", _("deceased")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    patient_id = models.CharField(
        _("patient id"),
        max_length=64,
        unique=True,
        help_text=_("The practice system's own key for this patient."),
    )
    mrn = models.CharField(_("record number"), max_length=64, blank=True, db_index=True)
    first_name = models.CharField(_("first name"), max_length=200)
    middle_name = models.CharField(_("middle name"), max_length=200, blank=True)
    last_name = models.CharField(_("last name"), max_length=200, blank=True)
    suffix = models.CharField(_("suffix"), max_length=20, blank=True)
    preferred_name = models.CharField(_("preferred name"), max_length=200, blank=True)
    date_of_birth = models.DateField(_("date of birth"), null=True, blank=True, db_index=True)
    sex = models.CharField(_("sex"), max_length=20, blank=True)
    email = models.CharField(
        _("primary email"),
        max_length=LONGEST_EMAIL,
        blank=True,
        help_text=_("Everyone with the same primary email shares one portal login."),
    )
    email_key = models.CharField(max_length=LONGEST_EMAIL, blank=True, editable=False)
    portal_access = models.BooleanField(
        _("portal access"),
        default=True,
        help_text=_("Without the tick nobody can open this chart in the portal."),
    )
    mobile_phone = models.CharField(_("mobile phone"), max_length=40, blank=True)
    home_phone = models.CharField(_("home phone"), max_length=40, blank=True)
    address_1 = models.CharField(_("address"), max_length=200, blank=True)
    address_2 = models.CharField(_("address, second line"), max_length=200, blank=True)
    city = models.CharField(_("city"), max_length=100, blank=True)
    state = models.CharField(_("state"), max_length=100, blank=True)
    postal_code = models.CharField(_("postal code"), max_length=20, blank=True)
    preferred_language = models.CharField(_("preferred language"), max_length=35, blank=True)
    relationship_to_household = models.CharField(_("relationship"), max_length=40, blank=True)
    guarantor_id = models.CharField(_("guarantor's patient id"), max_length=64, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.ACTIVE)
    last_visit = models.DateField(_("last visit"), null=True, blank=True)
    # Column and value: what the patient list said where somebody has put something newer on file here. The
    # list does not bring it back until it says something else itself (roster/planning.py).
    list_values = models.JSONField(default=dict, blank=True, editable=False)
    # What staff search by: prefix look-ups on plain indexes, at any size of the practice.
    first_name_key = models.CharField(max_length=400, editable=False, db_index=True)
    preferred_name_key = models.CharField(max_length=400, editable=False, db_index=True)
    last_name_key = models.CharField(max_length=400, editable=False, db_index=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = MemberQuerySet.as_manager()

    class Meta:
        verbose_name = _("member")
        ordering = ["last_name_key", "first_name_key", "pk"]
        indexes = [models.Index(fields=["email_key", "date_of_birth"], name="member_household")]

    def __str__(self) -> str:
        return f"Member {self.patient_id}"

    def clean(self) -> None:
        super().clean()
        if self.email.strip():
            try:
                usable_email_key(self.email)
            except ValidationError as error:
                raise ValidationError({"email": error.messages}) from None
        if self.date_of_birth and self.date_of_birth > datetime.date.today():
            raise ValidationError(
                {"date_of_birth": _("That date is in the future. Check the year.")}
            )

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.set_keys()
        super().save(*args, **kwargs)

    def set_keys(self) -> None:
        """Derive the look-up columns. Bulk writes call it themselves. An email that nobody can be mailed
        at gives no key, and so no portal access."""
        try:
            self.email_key = usable_email_key(self.email)
        except ValidationError:
            self.email_key = ""
        self.first_name_key = name_key(self.first_name)
        self.preferred_name_key = name_key(self.preferred_name)
        self.last_name_key = name_key(self.last_name)

    def note_list_values(self, before: Mapping[str, Any]) -> None:
        """Columns are changed here, by staff or with a change of the family's; `before` is what stood in
        them, which is what the patient list said unless it was noted before. Not saved."""
        plain = {name: plain_value(value) for name, value in before.items()}
        self.list_values = {**plain, **self.list_values}

    @property
    def full_name(self) -> str:
        return " ".join(
            filter(None, [self.first_name, self.middle_name, self.last_name, self.suffix])
        )

    @property
    def called(self) -> str:
        """The name the family uses: the preferred one where there is one."""
        return self.preferred_name or self.first_name

    @property
    def initials(self) -> str:
        return "".join(part[0] for part in (self.called, self.last_name) if part).upper()

    def age_on(self, day: datetime.date) -> int | None:
        """Whole years on `day`; None without a date of birth."""
        born = self.date_of_birth
        if born is None:
            return None
        return day.year - born.year - ((day.month, day.day) < (born.month, born.day))

    @property
    def age(self) -> int | None:
        return self.age_on(timezone.localdate())

    def also_called_names(self) -> list[str]:
        return [other.name for other in self.also_called.all()]


def plain_value(value: Any) -> Any:
    """A column's value as JSON can carry it."""
    return value.isoformat() if isinstance(value, datetime.date) else value


class AlsoCalled(models.Model):
    """A name that staff added, by which the family may choose this person: "Joe" for Joseph."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="also_called")
    name = models.CharField(_("also called"), max_length=200)

    class Meta:
        verbose_name = _("also called")
        verbose_name_plural = _("also called")
        constraints = [models.UniqueConstraint(fields=["member", "name"], name="one_also_called")]

    def __str__(self) -> str:
        return f"Also-called name {self.pk}"


class FilledInBy(models.TextChoices):
    """Who types what is sent for a person (PRODUCT B6). The login cannot tell: a family shares it."""

    PATIENT = "patient", _("The patient")
    GUARDIAN = "guardian", _("A parent or guardian")
    SPOUSE = "spouse", _("The spouse or partner")
    HELPER = "helper", _("Somebody who helps")


class Binding(models.Model):
    """One choice of a person in one session. `key` stands in the address of every page opened under it.

    The choice lives in this table and nowhere else; only households/binding.py writes it.
    """

    key = models.CharField(max_length=32, unique=True, editable=False)
    session = models.ForeignKey(HouseholdSession, on_delete=models.CASCADE, related_name="+")
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    colour = models.PositiveSmallIntegerField(default=0)
    bound_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    # Asked once, at the first thing that is sent: `sent_at` is when that was.
    sent_at = models.DateTimeField(null=True)
    filled_in_by = models.CharField(max_length=10, choices=FilledInBy, blank=True)
    filled_in_name = models.CharField(max_length=120, blank=True)

    class Meta:
        constraints = [
            # One open chart per session, whatever requests run in parallel.
            models.UniqueConstraint(
                fields=["session"], condition=Q(ended_at=None), name="one_open_chart"
            )
        ]

    def __str__(self) -> str:
        return f"Binding {self.pk}"

    @property
    def asks_who_fills_in(self) -> bool:
        """Something was sent under it, and nobody has said yet who filled it in."""
        return self.sent_at is not None and not self.filled_in_by


class MemberOwnedQuerySet(models.QuerySet):
    def for_member(self, member: Member) -> Self:
        """The only road to a slice's rows: those of one member. The query is the permission check."""
        return self.filter(member=member)


class MemberOwned(models.Model):
    """Anything that belongs to exactly one family member."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+", editable=False)

    objects = MemberOwnedQuerySet.as_manager()

    class Meta:
        abstract = True


class PracticeOwned(models.Model):
    """A list of the practice's own, such as the kinds of documents. No person stands in it."""

    class Meta:
        abstract = True


class KeptText(models.Model):
    """What somebody typed on a page that could not be saved any more: the chart was switched, or the
    session ended. Offered back to the same login when the same person is chosen again, to nobody else."""

    account = models.ForeignKey(HouseholdAccount, on_delete=models.CASCADE, related_name="+")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    page = models.CharField(max_length=200)
    fields = models.JSONField()
    kept_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "member", "page"], name="one_kept_text")
        ]

    def __str__(self) -> str:
        return f"Kept text {self.pk}"
