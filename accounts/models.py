"""Who is signed in.

A household account is one shared email. A staff account is one named person at the practice. They are
two tables, two cookies and two doors: nothing that belongs to one can open the other (SECURITY R-AU-13).
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractBaseUser, Group, PermissionsMixin
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Least
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from accounts.emails import email_key
from accounts.passwords import normalised


class HouseholdAccount(models.Model):
    """One shared email and its password. The people it can open are asked of the practice's file on
    every request; nothing here says who they are."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    email_key = models.CharField(_("email"), max_length=254, unique=True)
    password = models.CharField(max_length=256, blank=True, editable=False)
    is_active = models.BooleanField(
        _("may sign in"),
        default=True,
        help_text=_("Take the tick away to close this login at once."),
    )
    created_at = models.DateTimeField(auto_now_add=True)
    password_set_at = models.DateTimeField(null=True, editable=False)
    last_sign_in_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("household account")
        ordering = ["email_key"]

    def __str__(self) -> str:
        return f"Household account {self.pk}"

    @property
    def has_password(self) -> bool:
        return bool(self.password)


def longest_idle() -> timedelta:
    """How long a session may be unused, whatever the practice says."""
    return timedelta(seconds=settings.IDLE_SECONDS)


def longest_session() -> timedelta:
    return timedelta(seconds=settings.ABSOLUTE_SECONDS)


class HouseholdSessionQuerySet(models.QuerySet["HouseholdSession"]):
    def open(self) -> HouseholdSessionQuerySet:
        """Sessions that may still be used: not ended, not idle too long, not older than allowed."""
        now = timezone.now()
        return self.filter(
            ended_at=None,
            account__is_active=True,
            last_seen_at__gt=now - Least(models.F("idle_limit"), longest_idle()),
            signed_in_at__gt=now - Least(models.F("age_limit"), longest_session()),
        )


class HouseholdSession(models.Model):
    """One sign-in of a household in one browser. The cookie holds a random token; only its hash is here."""

    class End(models.TextChoices):
        SIGNED_OUT = "signed-out", _("signed out")
        IDLE = "idle", _("not used for a while")
        TOO_OLD = "too-old", _("open for too long")
        NEW_SIGN_IN = "new-sign-in", _("signed in again in the same browser")
        PASSWORD = "password", _("the password was changed")
        FAMILY = "family", _("ended from another browser of this login")
        STAFF = "staff", _("ended by the practice")
        PAUSED = "paused", _("the login was closed by the practice")

    account = models.ForeignKey(HouseholdAccount, on_delete=models.CASCADE, related_name="sessions")
    token_hash = models.CharField(max_length=64, unique=True)
    signed_in_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    # How long it may be unused, and how long it may last: what the practice said when it began.
    idle_limit = models.DurationField(default=longest_idle)
    age_limit = models.DurationField(default=longest_session)
    ended_at = models.DateTimeField(null=True)
    end = models.CharField(max_length=12, choices=End, blank=True)
    client_address = models.GenericIPAddressField(null=True)
    browser = models.CharField(max_length=80, blank=True)

    objects = HouseholdSessionQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["account", "-signed_in_at"], name="session_account")]

    def __str__(self) -> str:
        return f"Household session {self.pk}"

    @property
    def public_key(self) -> str:
        """What it is called in an address: its number would tell how many sign-ins there are."""
        return salted_hmac("accounts.session", str(self.pk), algorithm="sha256").hexdigest()[:32]

    @property
    def why_over(self) -> str:
        """Why it may not be used any more, though nobody may have noted it yet; "" while it may. Its account
        is asked too."""
        now = timezone.now()
        if self.ended_at is not None:
            return self.end
        if not self.account.is_active:
            return self.End.PAUSED
        if now - self.signed_in_at >= self.longest:
            return self.End.TOO_OLD
        if now - self.last_seen_at >= self.longest_idle:
            return self.End.IDLE
        return ""

    @property
    def why_over_words(self) -> str:
        return str(self.End(self.why_over).label) if self.why_over else ""

    @property
    def longest_idle(self) -> timedelta:
        return min(self.idle_limit, longest_idle())

    @property
    def longest(self) -> timedelta:
        return min(self.age_limit, longest_session())


class PasswordLinkQuerySet(models.QuerySet["PasswordLink"]):
    def open(self) -> PasswordLinkQuerySet:
        return self.filter(
            used_at=None,
            ended_at=None,
            expires_at__gt=timezone.now(),
            account__is_active=True,
        )


class PasswordLink(models.Model):
    """A mailed link that lets its holder choose the account's password, once.

    Several may be open together; using one ends the rest. Only the hash of its token is stored.
    """

    account = models.ForeignKey(HouseholdAccount, on_delete=models.CASCADE, related_name="links")
    token_hash = models.CharField(max_length=64, unique=True)
    made_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = PasswordLinkQuerySet.as_manager()

    class Meta:
        ordering = ["-made_at"]

    def __str__(self) -> str:
        return f"Password link {self.pk}"

    class State(models.TextChoices):
        OPEN = "open", _("not used yet")
        USED = "used", _("used")
        ENDED = "ended", _("ended: the password was set in another way")
        EXPIRED = "expired", _("ran out, not used")

    @property
    def state(self) -> State:
        """What has become of it, whatever its account is allowed now."""
        if self.used_at:
            return self.State.USED
        if self.ended_at:
            return self.State.ENDED
        return self.State.OPEN if self.expires_at > timezone.now() else self.State.EXPIRED


class Mail(models.Model):
    """One mail to a household and what became of it, for staff who are told that nothing came. What stood in
    it is not kept. accounts/mail_log.py writes it.

    Nothing is noted of an address that is not on file: no table is a list of who asked.
    """

    class Kind(models.TextChoices):
        LINK = "link", _("link to choose a password")
        NOTICE = "notice", _("notice that the password was set")

    account = models.ForeignKey(HouseholdAccount, on_delete=models.CASCADE, related_name="mails")
    kind = models.CharField(max_length=10, choices=Kind)
    by_staff = models.BooleanField(default=False)
    queued_at = models.DateTimeField(default=timezone.now)
    tries = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    next_try_at = models.DateTimeField(null=True)
    server_words = models.CharField(max_length=300, blank=True)
    link = models.ForeignKey(PasswordLink, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["account", "-queued_at"], name="mail_account")]

    def __str__(self) -> str:
        return f"Mail {self.pk}"

    class State(models.TextChoices):
        QUEUED = "queued", _("waiting to be sent")
        SENT = "sent", _("taken by the mail server")
        TRYING = "trying", _("failed, will be tried again")
        FAILED = "failed", _("failed, not tried again")

    @property
    def state(self) -> State:
        if self.sent_at:
            return self.State.SENT
        if self.next_try_at:
            return self.State.TRYING
        return self.State.FAILED if self.failed_at else self.State.QUEUED


class Throttle(models.Model):
    """A counter of attempts for one thing (an email, a household, a client address) at one door.

    `subject` is a keyed hash, so that the table names nobody. See accounts/throttle.py.
    """

    door = models.CharField(max_length=20)
    subject = models.CharField(max_length=64)
    attempts = models.PositiveIntegerField()
    # Seconds since 1970: one statement counts and decides, and both databases do this arithmetic alike.
    window_started = models.BigIntegerField()
    paused_until = models.BigIntegerField()
    last_admitted = models.BooleanField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["door", "subject"], name="one_counter")]

    def __str__(self) -> str:
        return f"Throttle {self.door}"


# The group whose people are owners, as `createsuperuser` makes the first one.
OWNERS = "Owner"


class StaffAccountManager(BaseUserManager["StaffAccount"]):
    def get_by_natural_key(self, username: str | None) -> StaffAccount:
        return self.get(email=email_key(username or ""))

    def create_superuser(
        self, email: str, password: str | None = None, **fields: Any
    ) -> StaffAccount:
        return self.create_user(email, password, is_superuser=True, **fields)

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> StaffAccount:
        staff = self.model(email=email_key(email), **fields)
        staff.set_password(password)
        staff.save(using=self._db)
        return staff


class StaffAccount(AbstractBaseUser, PermissionsMixin):
    """One named person at the practice. The only accounts Django admin knows."""

    email = models.EmailField(_("email"), unique=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    is_active = models.BooleanField(_("may sign in"), default=True)
    is_staff = models.BooleanField(default=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    # They enrolled an app and have not yet said that they keep their recovery codes.
    recovery_codes_due = models.BooleanField(default=False, editable=False)
    # How often all their sign-ins were ended together. A session of an earlier number opens nothing.
    sign_ins_ended = models.PositiveIntegerField(default=0, editable=False)

    objects = StaffAccountManager()

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("staff account")
        ordering = ["email"]

    def __str__(self) -> str:
        return self.name or self.email

    def clean(self) -> None:
        super().clean()
        self.email = email_key(self.email)

    @classmethod
    def owners(cls) -> models.QuerySet[StaffAccount]:
        """Those who may sign in and do everything; there must always be one."""
        in_group = Group.objects.filter(name=OWNERS, user=OuterRef("pk"))
        return cls.objects.filter(Q(is_superuser=True) | Exists(in_group), is_active=True)

    @classmethod
    def with_permissions(cls, rows: models.QuerySet[StaffAccount]) -> list[StaffAccount]:
        """These accounts, each of which can be asked what it may do without another query."""
        of_permission = "permissions__content_type"
        found = [
            *rows.prefetch_related(f"groups__{of_permission}", f"user_{of_permission}"),
        ]
        for one in found:
            granted = {*one.user_permissions.all()}
            granted.update(*(group.permissions.all() for group in one.groups.all()))
            # Where Django's backend keeps what it has looked up; its types do not know it.
            one._perm_cache = {  # type: ignore[attr-defined]
                f"{each.content_type.app_label}.{each.codename}" for each in granted
            }
        return found

    @property
    def is_owner(self) -> bool:
        """May do everything, also manage staff: by the flag, or by the group, which owners alone can give.
        One query for who has no flag, and none where the groups were fetched."""
        if self.is_superuser:
            return True
        if not hasattr(self, "_in_owners"):
            self._in_owners = any(group.name == OWNERS for group in self.groups.all())
        return self._in_owners

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return (self.is_active and self.is_owner) or super().has_perm(perm, obj)

    def has_module_perms(self, app_label: str) -> bool:
        return (self.is_active and self.is_owner) or super().has_module_perms(app_label)

    def get_short_name(self) -> str:
        return self.name or self.email

    def set_password(self, raw_password: str | None) -> None:
        super().set_password(raw_password and normalised(raw_password))

    def check_password(self, raw_password: str | None) -> bool:
        return super().check_password(normalised(raw_password or ""))

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What a session is compared with at every request: it ends with the password it began by, and
        when all sign-ins are ended."""
        return salted_hmac(
            "accounts.StaffAccount.session",
            f"{self.sign_ins_ended} {self.password}",
            secret=secret,
            algorithm="sha256",
        ).hexdigest()


class StaffRecoveryCode(models.Model):
    """What opens the second step of staff's sign-in once, when the phone is lost. Only the hash of the code
    is here; its number is its first figure. accounts/staff/second_factor.py writes it."""

    staff = models.ForeignKey(StaffAccount, on_delete=models.CASCADE, related_name="recovery_codes")
    number = models.PositiveSmallIntegerField()
    code_hash = models.CharField(max_length=128)
    made_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["staff", "number"], name="one_recovery_code")
        ]

    def __str__(self) -> str:
        return f"Recovery code {self.number} of {self.staff_id}"


class StaffSession(models.Model):
    """One sign-in of staff in one browser, to be seen in a list and ended from there. The session itself is
    Django's; accounts/staff/sessions.py keeps the two together."""

    staff = models.ForeignKey(StaffAccount, on_delete=models.CASCADE, related_name="+")
    # Of Django's row, by which it is ended; "" when it is over.
    session_key = models.CharField(max_length=40, blank=True)
    signed_in_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    client_address = models.GenericIPAddressField(null=True)
    browser = models.CharField(max_length=80, blank=True)

    class Meta:
        default_permissions = ()
        ordering = ["-last_seen_at"]
        indexes = [models.Index(fields=["staff", "-signed_in_at"], name="staff_session")]

    def __str__(self) -> str:
        return f"Staff session {self.pk}"
