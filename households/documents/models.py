"""Papers, both ways: what a family sends, what the practice asks for, and what it shares with one member."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import HouseholdAccount
from households.models import MemberOwned, MemberOwnedQuerySet, PracticeOwned
from households.submissions.models import Submission

# Sent, and neither returned nor withdrawn: the practice has it, or will look at it.
STANDING = (Submission.Status.RECEIVED, Submission.Status.SEEN, Submission.Status.FILED)


class DocumentKind(PracticeOwned):
    """What a paper can be, as the practice lists it."""

    name = models.CharField(_("name"), max_length=80, unique=True)
    position = models.PositiveSmallIntegerField(
        _("position"), default=0, help_text=_("Smaller numbers stand first.")
    )
    is_offered = models.BooleanField(
        _("offered"),
        default=True,
        help_text=_("Without the tick families cannot choose it any more; old documents keep it."),
    )

    class Meta:
        verbose_name = _("kind of document")
        verbose_name_plural = _("kinds of documents")
        ordering = ["position", "name"]

    def __str__(self) -> str:
        return self.name


class DocumentRequestQuerySet(MemberOwnedQuerySet):
    def in_force(self, today: datetime.date) -> DocumentRequestQuerySet:
        """Those the practice still wants answered: not closed by it, not expired."""
        return self.filter(closed_at=None).filter(Q(expires_on=None) | Q(expires_on__gte=today))

    def unanswered(self) -> DocumentRequestQuerySet:
        """Those for which no document of the family stands."""
        return self.exclude(documents__submission__status__in=STANDING)


class DocumentRequest(MemberOwned):
    """A paper that the practice asks one member for.

    Whether it is answered is not stored: it is when a document sent for it stands, neither returned nor
    withdrawn. So it opens again by itself when the practice returns that document.
    """

    kind = models.ForeignKey(
        DocumentKind,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("kind"),
    )
    what = models.CharField(
        _("what"),
        max_length=120,
        help_text=_("As the family reads it: “Insurance card, both sides”"),
    )
    why = models.CharField(
        _("why"), max_length=300, blank=True, help_text=_("One sentence for the family.")
    )
    due_on = models.DateField(_("due"), null=True, blank=True)
    expires_on = models.DateField(
        _("no longer wanted after"),
        null=True,
        blank=True,
        help_text=_("After this day the family is not asked any more."),
    )
    asked_at = models.DateTimeField(_("asked"), default=timezone.now, editable=False)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        editable=False,
    )
    closed_at = models.DateTimeField(_("closed"), null=True, editable=False)

    objects = DocumentRequestQuerySet.as_manager()  # type: ignore[misc] # the plugin takes ours for a field

    class Meta:
        verbose_name = _("request for a document")
        verbose_name_plural = _("requests for documents")
        ordering = [models.F("due_on").asc(nulls_last=True), "pk"]
        indexes = [
            models.Index(fields=["member", "closed_at"], name="document_request_member"),
            models.Index(fields=["-asked_at", "-id"], name="document_request_list"),
        ]

    def __str__(self) -> str:
        return f"Request for a document {self.public_id}"

    def is_in_force(self, today: datetime.date) -> bool:
        """The same as in_force(), of one."""
        return self.closed_at is None and (self.expires_on is None or self.expires_on >= today)

    def is_answered_by(self, documents: Iterable[Document]) -> bool:
        """Whether one of `documents`, which are the member's with their submissions, stands for it."""
        return any(document.request_id == self.pk and document.stands for document in documents)


def _server_made_name(document: Document, _given: str) -> str:
    """Where the bytes lie. Nothing of what the family typed is in it (SECURITY R-UP-3)."""
    return f"documents/{uuid.uuid4().hex}"


class DocumentQuerySet(MemberOwnedQuerySet):
    def sent_by_household(self, account: HouseholdAccount) -> tuple[int, int]:
        """How many documents the account sent for all its people, and their bytes together; what was
        withdrawn is not kept and does not count."""
        total = (
            self.filter(submission__sent_by=account)
            .exclude(file="")
            .aggregate(files=models.Count("pk"), size=models.Sum("size", default=0))
        )
        return total["files"], total["size"]

    def for_worker(self, document_id: int) -> DocumentQuerySet:
        """One document, for a task of the background worker, which acts for nobody."""
        return self.filter(pk=document_id)

    def with_bytes(self) -> DocumentQuerySet:
        """Everybody's documents that have a file: for the sweep, which compares them with the storage."""
        return self.exclude(file="")

    def in_quarantine(self) -> DocumentQuerySet:
        """Everybody's documents that wait for the virus scanner: to be counted and asked about."""
        return self.filter(scan=Document.Scan.WAITING).exclude(file="")

    def sent(self) -> DocumentQuerySet:
        """What the family sent and did not take back, latest first, with what became of it."""
        return (
            self.filter(sender=Document.Sender.FAMILY)
            .exclude(submission__status=Submission.Status.WITHDRAWN)
            .select_related("submission", "kind")
        )

    def joinable(self) -> DocumentQuerySet:
        """The photos that may become pages of one PDF: not seen by the practice, not in quarantine."""
        return (
            self.filter(
                submission__status=Submission.Status.RECEIVED,
                scan__in=[Document.Scan.OFF, Document.Scan.CLEAN],
            )
            .exclude(content_type=Document.ContentType.PDF)
            .exclude(file="")
            .select_related("submission", "kind", "request")
        )

    def shared(self) -> DocumentQuerySet:
        """What the practice shares, latest first."""
        return self.filter(sender=Document.Sender.PRACTICE, unshared_at=None).select_related("kind")

    def shown_to_family(self) -> DocumentQuerySet:
        """Both of these."""
        taken_back = Q(submission__status=Submission.Status.WITHDRAWN)
        return (
            self.filter(unshared_at=None)
            .exclude(taken_back)
            .select_related("submission", "kind", "request")
        )


class Document(MemberOwned):
    class Sender(models.TextChoices):
        FAMILY = "family", _("family")
        PRACTICE = "practice", _("practice")

    class ContentType(models.TextChoices):
        PDF = "application/pdf", _("PDF")
        JPEG = "image/jpeg", _("photo (JPEG)")
        PNG = "image/png", _("picture (PNG)")
        HEIC = "image/heic", _("photo (HEIC)")
        WEBP = "image/webp", _("picture (WebP)")

    class Scan(models.TextChoices):
        """What the virus scanner said. Only OFF and CLEAN may be opened by anybody (SECURITY R-UP-5)."""

        OFF = "off", _("not scanned: no scanner is set up")
        WAITING = "waiting", _("waiting for the virus scanner")
        CLEAN = "clean", _("no virus found")
        FOUND = "found", _("virus found")

    class Pictures(models.TextChoices):
        """The pictures of its pages, which are what a browser is shown (renditions.py)."""

        WAITING = "waiting", _("being made")
        READY = "ready", _("ready")
        FAILED = "failed", _("cannot be made")

    sender = models.CharField(
        _("sender"), max_length=10, choices=Sender, default=Sender.FAMILY, editable=False
    )
    # What the practice did with it; None for what the practice shares.
    submission = models.OneToOneField(
        Submission, on_delete=models.PROTECT, null=True, related_name="+", editable=False
    )
    kind = models.ForeignKey(
        DocumentKind,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("kind"),
    )
    request = models.ForeignKey(
        DocumentRequest,
        on_delete=models.PROTECT,
        null=True,
        related_name="documents",
        editable=False,
    )
    # The page the upload came from: the same file sent twice by one page is one document (R-WP-10). A page
    # that sends a returned document again bears that document's public_id: so it is known to be settled.
    sending_id = models.UUIDField(editable=False)
    name = models.CharField(_("name"), max_length=120, editable=False)
    note = models.CharField(_("note"), max_length=500, blank=True, editable=False)
    content_type = models.CharField(_("type"), max_length=40, choices=ContentType, editable=False)
    size = models.PositiveBigIntegerField(_("size in bytes"), editable=False)
    sha256 = models.CharField(max_length=64, editable=False)
    # "" once it was withdrawn: the bytes are gone then, the row tells what was there.
    file = models.FileField(upload_to=_server_made_name, editable=False, blank=True)
    pages = models.PositiveIntegerField(_("pages"), default=1, editable=False)
    scan = models.CharField(
        _("virus scan"), max_length=10, choices=Scan, default=Scan.OFF, editable=False
    )
    pictures = models.CharField(
        _("pictures"), max_length=10, choices=Pictures, default=Pictures.WAITING, editable=False
    )
    # How many of the pages have a picture; a long PDF has them for its first pages only.
    pages_pictured = models.PositiveSmallIntegerField(default=0, editable=False)
    sent_at = models.DateTimeField(_("sent"), default=timezone.now, editable=False)
    # The PDF that this photo became a page of.
    joined_into = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="joined_from", editable=False
    )
    # Of what the practice shares: who did, when the family first opened it, when it was taken back.
    shared_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        editable=False,
    )
    opened_at = models.DateTimeField(_("opened"), null=True, editable=False)
    unshared_at = models.DateTimeField(_("no longer shared"), null=True, editable=False)

    objects = DocumentQuerySet.as_manager()  # type: ignore[misc] # the plugin takes ours for a field

    class Meta:
        verbose_name = _("document")
        ordering = ["-sent_at", "-pk"]
        indexes = [
            models.Index(fields=["member", "-sent_at"], name="document_member"),
            models.Index(fields=["-sent_at", "-id"], name="document_list"),
            models.Index(
                fields=["sent_at"], condition=Q(scan="waiting"), name="document_quarantine"
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["member", "sending_id", "sha256"],
                condition=~Q(file=""),
                name="one_document_per_sending",
            ),
            models.CheckConstraint(
                condition=Q(sender="family", submission__isnull=False)
                | Q(sender="practice", submission=None),
                name="document_has_a_sender",
            ),
        ]

    def __str__(self) -> str:
        return f"Document {self.public_id}"

    @property
    def is_from_practice(self) -> bool:
        return self.sender == self.Sender.PRACTICE

    @property
    def is_picture(self) -> bool:
        return self.content_type != self.ContentType.PDF

    @property
    def label(self) -> str:
        """What lists call it: what it is, as the practice's list says, or else its file's name."""
        return self.kind.name if self.kind else self.name

    @property
    def may_be_opened(self) -> bool:
        """Whether its bytes are there and nothing is known or feared to be wrong with them."""
        return bool(self.file) and self.scan in {self.Scan.OFF, self.Scan.CLEAN}

    @property
    def may_be_withdrawn(self) -> bool:
        return self.submission is not None and self.submission.may_be_withdrawn

    @property
    def may_be_joined(self) -> bool:
        """The same as joinable(), of one."""
        return self.is_picture and self.may_be_withdrawn and self.may_be_opened

    @property
    def stands(self) -> bool:
        """Sent, and neither returned nor withdrawn: the practice has it, or will look at it."""
        return self.submission is not None and self.submission.status in STANDING

    @property
    def status(self) -> str:
        """One word for pages and styles: that of its submission, or "new" or "opened"."""
        if self.submission is not None:
            return self.submission.status
        return "opened" if self.opened_at else "new"

    @property
    def status_since(self) -> datetime.datetime:
        """When it came to be so."""
        if self.submission is not None:
            return self.submission.steps[-1][1]
        return self.opened_at or self.sent_at

    @property
    def status_words(self) -> str:
        if self.submission is not None:
            return self.submission.get_status_display()
        return str(_("Opened") if self.opened_at else _("New"))
