"""The practice, its members, and which of them a session is for.

A household is a question, not a table: the members on file, active and with portal access, whose email key
equals the account's. `Member.objects.in_household_of(account)` asks it, on every request.
"""

from __future__ import annotations

import datetime
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.emails import MAX_LENGTH as LONGEST_EMAIL
from accounts.emails import usable_email_key
from accounts.models import HouseholdAccount, HouseholdSession
from households import birthdays
from households.matching import name_key

CRISIS_TEXT = _(
    "One of these answers worries us. If you or somebody with you may be in danger now, call 911. For "
    "thoughts of suicide or of hurting yourself, call or text 988 at any hour: it is free, and somebody "
    "there will listen."
)


def crisis_text() -> str:
    """What a new practice says, until it says it in its own words."""
    return str(CRISIS_TEXT)


def languages_at_first() -> list[str]:
    return [settings.LANGUAGES[0][0]]


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

    adult_age = models.PositiveSmallIntegerField(
        _("age of an adult"),
        default=18,
        validators=[
            MinValueValidator(birthdays.YOUNGEST_ADULT),
            MaxValueValidator(birthdays.OLDEST_ADULT),
        ],
        help_text=_(
            "Whoever came onto a shared email as a child is opened by its login until this birthday, and "
            "after it only with their own recorded consent."
        ),
    )
    announced_ages = models.CharField(
        _("birthdays to be told of"),
        max_length=60,
        default="12, 13, 18",
        blank=True,
        validators=[birthdays.check_ages],
        help_text=_("Ages at which you want to look again at who may open a chart: 12, 13, 18"),
    )
    announced_days_ahead = models.PositiveSmallIntegerField(
        _("days ahead"),
        default=60,
        validators=[MinValueValidator(1), MaxValueValidator(366)],
        help_text=_("How long before such a birthday it stands among the tasks."),
    )
    # Only shorter than whoever runs the portal has set (PORTAL_IDLE_SECONDS, PORTAL_ABSOLUTE_SECONDS).
    idle_minutes = models.PositiveSmallIntegerField(
        _("minutes unused"),
        null=True,
        blank=True,
        validators=[MinValueValidator(5)],
        help_text=_(
            "A sign-in that nobody uses ends after so long: of families and staff, from the next one on. "
            "Two minutes before, families are asked whether they are still there."
        ),
    )
    longest_hours = models.PositiveSmallIntegerField(
        _("hours at most"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Any sign-in of a family ends after so long, from their next sign-in on."),
    )
    languages = models.JSONField(_("languages"), default=languages_at_first)
    digest_hour = models.PositiveSmallIntegerField(
        _("hour of the daily mail"),
        default=7,
        validators=[MaxValueValidator(23)],
        help_text=_("Staff who want mail once a day get it at this hour: 0 to 23."),
    )
    # Of the picture in PracticeLogo; its key stands in its address, so that browsers may keep it for good.
    logo_key = models.CharField(max_length=32, blank=True, editable=False)
    logo_width = models.PositiveSmallIntegerField(default=0, editable=False)
    logo_height = models.PositiveSmallIntegerField(default=0, editable=False)

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
        with transaction.atomic():
            adult_age_before = adult_age_now()
            super().save(*args, **kwargs)
            if self.adult_age != adult_age_before:
                Member.objects.keep_age_rule(self.adult_age)
        self.forget()
        # Again at the end: another request may have remembered the old row meanwhile.
        transaction.on_commit(self.forget)

    @property
    def ages_announced(self) -> list[int]:
        """Youngest first; the age of an adult is always one of them."""
        return sorted({*birthdays.ages_in(self.announced_ages), self.adult_age})

    def clean(self) -> None:
        import zoneinfo

        if self.time_zone not in zoneinfo.available_timezones():
            raise ValidationError(
                {"time_zone": _("There is no such time zone. One looks like America/New_York.")}
            )


def adult_age_now() -> int:
    """The practice's setting, never remembered: it decides who may see what."""
    age = Practice.objects.filter(pk=1).values_list("adult_age", flat=True).first()
    return Practice().adult_age if age is None else age


class DatabaseToday(models.Func):
    """The day it is, as the database knows it: in UTC. No parameter, so a statement that is built once and
    asked for weeks (accounts/compiled.py) cannot hold the day on which it was built."""

    template = "CURRENT_DATE"
    output_field = models.DateField()


def database_today() -> datetime.date:
    """The same day in Python."""
    return datetime.datetime.now(datetime.UTC).date()


def may_be_opened(through: str = "") -> Q:
    """Active, with portal access, and not an adult whose own consent the login still needs."""
    needs_none = Q(**{f"{through}consent_needed_from": None})
    not_yet = Q(**{f"{through}consent_needed_from__gt": DatabaseToday()})
    return (
        Q(**{f"{through}status": Member.Status.ACTIVE, f"{through}portal_access": True})
        & (needs_none | not_yet)
    )  # fmt: skip


def in_household(account: HouseholdAccount, through: str = "") -> Q:
    """The question itself: on file under this account's email, and one who may be opened.

    `through` is the path to the member from the model that is asked ("member__"), so that a look-up of
    something of theirs is the same one query.
    """
    return Q(**{f"{through}email_key": account.email_key}) & may_be_opened(through)


class Birthday(models.Func):
    """`birthdays.birthday_at` of a column, in SQL: the two agree, also about February 29."""

    output_field = models.DateField()

    def __init__(self, born: str, age: int) -> None:
        super().__init__(models.F(born), models.Value(int(age)))

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        # SQLite counts the day that is missing on into March.
        template = "date(%(expressions)s || ' years')"
        return super().as_sql(compiler, connection, template=template, arg_joiner=", '+' || ")

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        # PostgreSQL stops at the last day of February: the day of the month is then another one.
        born, age = (compiler.compile(part) for part in self.get_source_expressions())
        moved = f"({born[0]} + make_interval(years => {age[0]}))::date"
        sql = f"({moved} + (date_part('day', {moved}) <> date_part('day', {born[0]}))::int)"
        each = [*born[1], *age[1]]
        return sql, [*each, *each, *born[1]]


class MemberQuerySet(models.QuerySet["Member"]):
    def with_portal_access(self) -> MemberQuerySet:
        return self.filter(may_be_opened()).exclude(email_key="")

    def keep_age_rule(self, adult_age: int) -> None:
        """The practice set another age of an adult: the rule of `Member.set_keys`, for everybody at once."""
        adult_on = Birthday("date_of_birth", adult_age)
        now = {"updated_at": timezone.now()}
        needed = self.filter(consent_stands=False, on_email_since__lt=adult_on)
        other = Q(consent_needed_from=None) | ~Q(consent_needed_from=adult_on)
        needed.filter(other).update(consent_needed_from=adult_on, **now)
        over = Q(consent_stands=True) | Q(date_of_birth=None) | Q(on_email_since__gte=adult_on)
        self.exclude(consent_needed_from=None).filter(over).update(consent_needed_from=None, **now)

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
    # The age rule (R-WP-13). Since when they are on this email; whether their own consent to this login is
    # recorded (AdultConsent); and what follows: the day from which the login does not open them without it,
    # the birthday on which somebody who came onto this email as a child becomes an adult.
    on_email_since = models.DateField(default=database_today, editable=False)
    consent_stands = models.BooleanField(default=False, editable=False)
    consent_needed_from = models.DateField(null=True, editable=False)
    # What staff search by: prefix look-ups on plain indexes, at any size of the practice.
    first_name_key = models.CharField(max_length=400, editable=False, db_index=True)
    preferred_name_key = models.CharField(max_length=400, editable=False, db_index=True)
    last_name_key = models.CharField(max_length=400, editable=False, db_index=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = MemberQuerySet.as_manager()

    # What `set_keys` derives.
    DERIVED: ClassVar = (
        *("email_key", "first_name_key", "preferred_name_key", "last_name_key"),
        *("on_email_since", "consent_stands", "consent_needed_from"),
    )

    class Meta:
        verbose_name = _("member")
        ordering = ["last_name_key", "first_name_key", "pk"]
        indexes = [
            models.Index(fields=["email_key", "date_of_birth"], name="member_household"),
            # The order of the staff's list.
            models.Index(fields=["last_name_key", "first_name_key", "id"], name="member_by_name"),
        ]

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

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        self.set_keys()
        if update_fields is not None:
            update_fields = {*update_fields, *self.DERIVED}
        super().save(*args, update_fields=update_fields, **kwargs)

    def set_keys(
        self, adult_age: int | None = None, people_on: Mapping[str, int] | None = None
    ) -> None:
        """Derive the columns of DERIVED. Bulk writes call it themselves, with the practice's age of an
        adult, and with how many people each email key will have. An email that nobody can be mailed at
        gives no key, and so no portal access."""
        email_key_before = self.email_key
        try:
            self.email_key = usable_email_key(self.email)
        except ValidationError:
            self.email_key = ""
        if self.email_key != email_key_before:
            # Another login: who came to it as a child, and what they agreed to, begins anew. But a family
            # that changes its email together does not open by that an adult who has not agreed.
            if not (self.waits_for_consent and self._shares_email(people_on)):
                self.on_email_since = database_today()
            self.consent_stands = False
        self.consent_needed_from = self._consent_needed_from(adult_age)
        self.first_name_key = name_key(self.first_name)
        self.preferred_name_key = name_key(self.preferred_name)
        self.last_name_key = name_key(self.last_name)

    def _consent_needed_from(self, adult_age: int | None) -> datetime.date | None:
        # As text it may stand here until it is saved, as in any column of Django's.
        born = models.DateField().to_python(self.date_of_birth)
        if born is None or self.consent_stands:
            return None
        if birthdays.birthday_at(born, birthdays.OLDEST_ADULT) <= self.on_email_since:
            return None  # whatever the setting is, which is not asked for then
        adult_on = birthdays.birthday_at(born, adult_age_now() if adult_age is None else adult_age)
        return adult_on if adult_on > self.on_email_since else None

    def _shares_email(self, people_on: Mapping[str, int] | None) -> bool:
        if not self.email_key:
            return False
        if people_on is not None:
            return people_on.get(self.email_key, 0) > 1
        return Member.objects.filter(email_key=self.email_key).exclude(pk=self.pk).exists()

    @property
    def waits_for_consent(self) -> bool:
        """An adult now, who came onto this email as a child and has not agreed yet, as far as we know."""
        return self.consent_needed_from is not None and self.consent_needed_from <= database_today()

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


class AdultConsent(models.Model):
    """That an adult agrees to be opened by the login of a shared email, as they told staff (R-WP-13).
    Withdrawn, it stays as a record of what was. Only households/ages.py writes it."""

    class How(models.TextChoices):
        IN_PERSON = "in-person", _("in person")
        PHONE = "phone", _("by phone")
        PAPER = "paper", _("on paper, signed")

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="adult_consents")
    given_on = models.DateField(_("when they agreed"))
    how = models.CharField(_("how"), max_length=10, choices=How)
    note = models.CharField(_("note"), max_length=300, blank=True)
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    recorded_at = models.DateTimeField(default=timezone.now)
    withdrawn_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("adult's consent")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"Consent {self.pk}"


class AgeSeen(models.Model):
    """Staff have looked at somebody who reaches one of the announced ages: nothing more to do."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="ages_seen")
    age = models.PositiveSmallIntegerField()
    seen_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["member", "age"], name="one_age_seen")]

    def __str__(self) -> str:
        return f"Age seen {self.pk}"


class PickerMiss(models.Model):
    """A name and a birth date that a family typed at the picker and that chose nobody, though one of the two
    fits somebody of the household, or both fit two people. What staff may mend follows from the file as it
    is now (households/misses.py). What was typed stands here and nowhere else, and not for long."""

    LONGEST = 60

    account = models.ForeignKey(HouseholdAccount, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=LONGEST)
    name_key = models.CharField(max_length=400)
    date_of_birth = models.DateField()
    # Of the last time; what staff are shown follows from the file as it is when they look.
    cause = models.CharField(max_length=10)
    times = models.PositiveIntegerField(default=1)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField(db_index=True)
    dismissed_at = models.DateTimeField(null=True)
    dismissed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "name_key", "date_of_birth"], name="one_picker_miss"
            )
        ]
        indexes = [
            # What stands among the tasks: few, of many that were typed once.
            models.Index(
                fields=["first_at"],
                name="picker_miss_waits",
                condition=Q(dismissed_at=None) & (Q(times__gte=2) | Q(cause="ambiguous")),
            )
        ]

    def __str__(self) -> str:
        return f"Picker miss {self.pk}"


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


class PracticeLogo(PracticeOwned):
    """The practice's logo as every page shows it: a small picture of our own making, never the file that was
    sent. In the database, where a backup finds it, and where an old key finds nothing."""

    key = models.CharField(max_length=32, unique=True)
    picture = models.BinaryField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"Logo {self.key}"


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
