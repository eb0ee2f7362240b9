"""What the practice's side keeps for itself: imports of the patient list, and who of the staff wants mail."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from households.models import PracticeOwned


class RosterImport(PracticeOwned):
    """One patient list that staff sent: checked first, imported when somebody confirms, its report kept.

    The file lies in PORTAL_DATA until it is decided, under `file_key` (roster_files.py). Only
    roster_actions.py and the background worker's roster_tasks.py write rows.
    """

    class State(models.TextChoices):
        CHECKING = "checking", _("being checked")
        CHECKED = "checked", _("checked, waits for your decision")
        IMPORTING = "importing", _("being imported")
        IMPORTED = "imported", _("imported")
        UNREADABLE = "unreadable", _("cannot be read")
        DROPPED = "dropped", _("not imported")

    OPEN: ClassVar[tuple[str, ...]] = (State.CHECKING, State.CHECKED, State.IMPORTING)

    state = models.CharField(_("state"), max_length=10, choices=State, default=State.CHECKING)
    file_key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    file_name = models.CharField(_("file"), max_length=120)
    file_bytes = models.PositiveBigIntegerField(_("size"))
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    date_format = models.CharField(_("order of dates"), max_length=20, blank=True)
    uploaded_at = models.DateTimeField(_("sent"), default=timezone.now)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    decided_at = models.DateTimeField(_("decided"), null=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    finished_at = models.DateTimeField(_("finished"), null=True)
    file_gone_at = models.DateTimeField(null=True)
    # The worker's task that is on it, so that the page can say when it died.
    task_id = models.UUIDField(null=True)
    # What the file was taken for, why it cannot be read, and whether the report is a second one, made because
    # patients on file had changed since the first.
    source = models.CharField(max_length=200, blank=True)
    problem = models.TextField(blank=True)
    checked_again = models.BooleanField(default=False)
    # Of what the report says would happen: the import does this or nothing.
    plan_digest = models.CharField(max_length=64, blank=True)
    created = models.PositiveIntegerField(_("new"), default=0)
    changed = models.PositiveIntegerField(_("changed"), default=0)
    unchanged = models.PositiveIntegerField(_("unchanged"), default=0)
    refused = models.PositiveIntegerField(_("refused"), default=0)
    # How often the report says each of its fixed words: {"refused": {"bad_date": 12}}.
    reasons = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("patient list")
        verbose_name_plural = _("patient lists")
        ordering = ["-pk"]
        default_permissions = ("add", "view")
        constraints = [
            # Two imports at once would each plan without the other.
            models.UniqueConstraint(
                fields=["state"], condition=Q(state="importing"), name="one_roster_import"
            )
        ]

    def __str__(self) -> str:
        return f"Patient list {self.pk}"


class RosterLine(PracticeOwned):
    """One thing that the report of an import says, in the order in which it is read."""

    class Kind(models.TextChoices):
        REFUSED = "refused", _("refused")
        ACCESS = "access", _("access changes")
        WARNING = "warning", _("warnings")
        NOTE = "note", _("notes")

    roster_import = models.ForeignKey(
        RosterImport, on_delete=models.CASCADE, related_name="lines", editable=False
    )
    kind = models.CharField(max_length=8, choices=Kind)
    number = models.PositiveIntegerField()
    line = models.PositiveIntegerField()
    patient_id = models.CharField(max_length=80, blank=True)
    # The report's own fixed word, and what it says.
    word = models.CharField(max_length=40, blank=True)
    message = models.TextField(blank=True)
    # Of an access change: which email loses and which gains, and how many others are there.
    facts = models.JSONField(default=dict)

    class Meta:
        default_permissions = ()
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(
                fields=["roster_import", "kind", "number"], name="one_roster_line"
            )
        ]

    def __str__(self) -> str:
        return f"Line {self.number} of patient list {self.roster_import_id}"


class StaffMailSubscription(PracticeOwned):
    """That one of the staff wants mail about what families sent, and how far the last mail told."""

    class Mode(models.TextChoices):
        INSTANT = "instant", _("within minutes")
        DIGEST = "digest", _("once a day")

    staff = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    mode = models.CharField(_("mail"), max_length=7, choices=Mode)
    # Submissions up to this row were told of, or were there before anybody asked for mail.
    told_up_to = models.PositiveBigIntegerField(default=0)
    last_sent_at = models.DateTimeField(null=True)
    # The day at the practice whose digest went out.
    digest_of = models.DateField(null=True)
    # While the mail server is down.
    tries = models.PositiveSmallIntegerField(default=0)
    try_after = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("mail to staff")
        verbose_name_plural = _("mail to staff")
        default_permissions = ("change", "view")

    def __str__(self) -> str:
        return f"Mail to staff account {self.staff_id}"
