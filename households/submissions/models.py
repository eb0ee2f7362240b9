"""What a family sent, of whatever kind, and what the practice did with it.

A slice gives each thing that is sent one submission and keeps the thing itself; when it came, for whom and
from which login, and what became of it, stands here and nowhere else.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Case, Q, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import HouseholdAccount, HouseholdSession
from households.models import Binding, FilledInBy, Member, MemberOwned, MemberOwnedQuerySet


class SubmissionQuerySet(MemberOwnedQuerySet):
    def of_kinds(self, kinds: Iterable[Submission.Kind]) -> SubmissionQuerySet:
        """For staff, who see everybody's: of the kinds whose pages the visitor may open."""
        return self.filter(kind__in=[*kinds])

    def kept(self) -> SubmissionQuerySet:
        """All but what the family took back."""
        return self.exclude(status=Submission.Status.WITHDRAWN)

    def not_theirs(self, member: Member, rows: set[int], left: set[int]) -> Self:
        """Of these rows those that another person has now, and those that are `left` as a mistake."""
        return self.filter(Q(pk__in=rows) & (~Q(member=member) | Q(pk__in=left)))


class InboxPlace(models.IntegerChoices):
    """The order of the inbox: what nobody has seen is on top, and what suggests danger above all."""

    DANGER = 0
    UNSEEN = 1
    SEEN = 2
    PARTLY = 3
    RETURNED = 4
    FILED = 5
    WITHDRAWN = 6


class Submission(MemberOwned):
    class Kind(models.TextChoices):
        DOCUMENT = "document", _("document")
        DEMOGRAPHICS = "demographics", _("details")
        HISTORY = "history", _("medical history")
        FORM = "form", _("form")

    class Status(models.TextChoices):
        RECEIVED = "received", _("Received")
        SEEN = "seen", _("Seen")
        FILED = "filed", _("Filed")
        PARTLY = "partly", _("Accepted in part")
        RETURNED = "returned", _("Returned")
        WITHDRAWN = "withdrawn", _("Withdrawn")

    kind = models.CharField(_("kind"), max_length=20, choices=Kind, editable=False)
    # Which part of that kind, such as a section of the history; a word of its slice.
    about = models.CharField(max_length=40, blank=True, editable=False)
    status = models.CharField(
        _("status"), max_length=10, choices=Status, default=Status.RECEIVED, editable=False
    )
    # An answer in it suggests danger: it stands on top of the staff's list until somebody has seen it.
    is_urgent = models.BooleanField(_("urgent"), default=False, editable=False)
    sent_at = models.DateTimeField(_("sent"), default=timezone.now, editable=False)
    sent_by = models.ForeignKey(
        HouseholdAccount, on_delete=models.PROTECT, related_name="+", editable=False
    )
    sent_in = models.ForeignKey(
        HouseholdSession,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        editable=False,
    )
    # The choice of the person under which it was sent, and who filled it in, as that choice was told.
    sent_under = models.ForeignKey(
        Binding,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        editable=False,
    )
    filled_in_by = models.CharField(
        _("filled in by"), max_length=10, choices=FilledInBy, blank=True, editable=False
    )
    filled_in_name = models.CharField(max_length=120, blank=True, editable=False)
    seen_at = models.DateTimeField(_("seen"), null=True, editable=False)
    filed_at = models.DateTimeField(_("filed"), null=True, editable=False)
    partly_at = models.DateTimeField(_("accepted in part"), null=True, editable=False)
    returned_at = models.DateTimeField(_("returned"), null=True, editable=False)
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True, editable=False)
    # It was sent for the wrong person, and the practice moved it: here, or what it said away from here.
    moved_at = models.DateTimeField(_("moved"), null=True, editable=False)
    # Why it was returned, in the practice's words, for the family to read.
    reason = models.CharField(_("reason"), max_length=500, blank=True, editable=False)
    # Who at the practice did the latest of these.
    handled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        editable=False,
    )
    # Who at the practice takes care of it; anybody else still may.
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        verbose_name=_("assigned to"),
        related_name="+",
        editable=False,
        # An index of its own has it, of the few that are anybody's.
        db_index=False,
    )
    # Where it stands in the inbox (InboxPlace). The database reckons it, so that no step forgets it, and
    # one index has the list of any status in its order.
    place = models.GeneratedField(
        expression=Case(
            When(Q(status="received", is_urgent=True), then=InboxPlace.DANGER),
            When(status="received", then=InboxPlace.UNSEEN),
            When(status="seen", then=InboxPlace.SEEN),
            When(status="partly", then=InboxPlace.PARTLY),
            When(status="returned", then=InboxPlace.RETURNED),
            When(status="filed", then=InboxPlace.FILED),
            default=InboxPlace.WITHDRAWN,
        ),
        output_field=models.SmallIntegerField(),
        db_persist=True,
    )

    objects = SubmissionQuerySet.as_manager()  # type: ignore[misc] # the plugin takes ours for a field

    class Meta:
        verbose_name = _("submission")
        ordering = ["-sent_at", "-pk"]
        permissions = [("refile_submission", _("Can move what was sent for the wrong person"))]
        indexes = [
            models.Index(fields=["place", "-sent_at", "-id"], name="submission_inbox"),
            models.Index(
                fields=["assigned_to", "place", "-sent_at", "-id"],
                name="submission_assigned",
                condition=Q(assigned_to__isnull=False),
            ),
            models.Index(
                fields=["place", "-sent_at", "-id"],
                name="submission_urgent",
                condition=Q(is_urgent=True),
            ),
            # What changed its place since a list was opened (inbox.py).
            models.Index(
                fields=["seen_at"], name="submission_just_seen", condition=Q(status="seen")
            ),
            models.Index(fields=["member", "-sent_at"], name="submission_member"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(status="returned") | ~Q(reason=""), name="returned_with_a_reason"
            )
        ]

    def __str__(self) -> str:
        return f"Submission {self.public_id}"

    @property
    def may_be_withdrawn(self) -> bool:
        """Until somebody at the practice has seen it (PRODUCT F)."""
        return self.status == self.Status.RECEIVED

    @property
    def steps(self) -> list[tuple[str, datetime.datetime]]:
        """What became of it, in order: a status's word and its time."""
        times = {
            self.Status.RECEIVED: self.sent_at,
            self.Status.SEEN: self.seen_at,
            self.Status.FILED: self.filed_at,
            self.Status.PARTLY: self.partly_at,
            self.Status.RETURNED: self.returned_at,
            self.Status.WITHDRAWN: self.withdrawn_at,
        }
        happened = [(str(status.label), at) for status, at in times.items() if at is not None]
        if self.moved_at is not None:
            happened.append((str(_("Moved by the practice")), self.moved_at))
        return sorted(happened, key=lambda step: step[1])

    @property
    def filler(self) -> str:
        """Who filled it in, as they said: "Elena Rivera (a parent or guardian)"; "" when nobody said."""
        if not self.filled_in_by:
            return ""
        by = self.get_filled_in_by_display()
        return f"{self.filled_in_name} ({by[0].lower()}{by[1:]})" if self.filled_in_name else by


class RefilingQuerySet(MemberOwnedQuerySet):
    def away_from(self, member: Member) -> Self:
        """What was moved to another person."""
        return self.filter(from_member=member)


class Refiling(MemberOwned):
    """One thing that was sent for the wrong person and moved by the practice, written once (moved.py).
    `member` is who has it since. The reason is the practice's own: no family reads it."""

    from_member = models.ForeignKey(
        Member,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("moved from"),
        editable=False,
    )
    # As `member` has it. Where what it had said stays with the other person as a mistake, as the medical
    # history does, that is `left`.
    submission = models.ForeignKey(
        Submission, on_delete=models.PROTECT, related_name="refilings", editable=False
    )
    left = models.ForeignKey(
        Submission,
        on_delete=models.PROTECT,
        null=True,
        related_name="refilings_away",
        editable=False,
    )
    # Of a part: the thing that it went with, such as the form that a document answers.
    along_with = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="parts", editable=False
    )
    staff = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("moved by"),
        editable=False,
    )
    reason = models.CharField(_("reason"), max_length=500, editable=False)
    # To somebody on another email: two households.
    is_across = models.BooleanField(_("to another household"), default=False, editable=False)
    # What it said before and could not say of another person: its status, who filled it in, what was on file.
    was = models.JSONField(default=dict, editable=False)
    at = models.DateTimeField(_("moved at"), default=timezone.now, editable=False)

    objects = RefilingQuerySet.as_manager()  # type: ignore[misc] # the plugin takes ours for a field

    class Meta:
        verbose_name = _("moved thing")
        ordering = ["-at", "-pk"]
        indexes = [
            models.Index(fields=["-at", "-id"], name="refiling_latest"),
            models.Index(fields=["member", "-at"], name="refiling_to"),
            models.Index(fields=["from_member", "-at"], name="refiling_from"),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="refiled_with_a_reason"),
            models.CheckConstraint(
                condition=~Q(member=models.F("from_member")), name="refiled_to_another_person"
            ),
        ]

    def __str__(self) -> str:
        return f"Refiling {self.public_id}"

    @property
    def filler(self) -> str:
        """Who filled it in, as they said of the person whom it was sent for; "" when nobody said."""
        said = Submission(
            filled_in_by=self.was.get("filled_in_by", ""),
            filled_in_name=self.was.get("filled_in_name", ""),
        )
        return said.filler


class ProposalQuerySet(MemberOwnedQuerySet):
    def waiting(self) -> ProposalQuerySet:
        """Those that nobody at the practice has decided on."""
        return self.filter(decision=Proposal.Decision.WAITING)


class Proposal(MemberOwned):
    """One change that a family sends to what is on file, and what the practice decided on it. It stays as
    it was sent for good; a slice adds what is changed, from what to what."""

    class Decision(models.TextChoices):
        WAITING = "waiting", _("Waiting for the practice")
        ACCEPTED = "accepted", _("Accepted")
        EDITED = "edited", _("Accepted with a correction")
        RETURNED = "returned", _("Returned")
        # The family sent another one for the same thing before anybody decided on this one.
        REPLACED = "replaced", _("Replaced by a later one")

    submission = models.ForeignKey(
        Submission, on_delete=models.PROTECT, related_name="+", editable=False
    )
    # Which page it came from: a button pressed twice sends it once.
    sending_id = models.UUIDField(default=uuid.uuid4, editable=False)
    proposed_at = models.DateTimeField(_("sent"), default=timezone.now, editable=False)
    decision = models.CharField(
        _("decision"),
        max_length=10,
        choices=Decision,
        default=Decision.WAITING,
        editable=False,
    )
    decided_at = models.DateTimeField(_("decided"), null=True, editable=False)
    # Nobody, where the practice lets a change in by itself.
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        editable=False,
    )
    # Why it was returned, in the practice's words, for the family to read.
    reason = models.CharField(_("reason"), max_length=500, blank=True, editable=False)

    objects = ProposalQuerySet.as_manager()  # type: ignore[misc] # the plugin takes ours for a field

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(
                fields=["member", "sending_id"], name="one_%(class)s_of_a_page"
            ),
            models.CheckConstraint(
                condition=~Q(decision="returned") | ~Q(reason=""),
                name="%(class)s_returned_with_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{type(self).__name__} {self.public_id}"

    @property
    def waits(self) -> bool:
        return self.decision == self.Decision.WAITING
