"""Papers that a family sent."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import HouseholdAccount, HouseholdSession
from households.models import MemberOwned, MemberOwnedQuerySet


def _server_made_name(document: Document, _given: str) -> str:
    """Where the bytes lie. Nothing of what the family typed is in it (SECURITY R-UP-3)."""
    return f"documents/{uuid.uuid4().hex}"


class DocumentQuerySet(MemberOwnedQuerySet):
    def sent_by_household(self, account: HouseholdAccount) -> tuple[int, int]:
        """How many documents the account sent for all its people, and their bytes together."""
        total = self.filter(sent_by=account).aggregate(
            files=models.Count("pk"), size=models.Sum("size", default=0)
        )
        return total["files"], total["size"]


class Document(MemberOwned):
    class Status(models.TextChoices):
        RECEIVED = "received", _("Received")

    class ContentType(models.TextChoices):
        PDF = "application/pdf", _("PDF")
        JPEG = "image/jpeg", _("photo (JPEG)")
        PNG = "image/png", _("picture (PNG)")

    # The page the upload came from: the same file sent twice by one page is one document (R-WP-10).
    sending_id = models.UUIDField(editable=False)
    name = models.CharField(_("name"), max_length=120, editable=False)
    note = models.CharField(_("note"), max_length=500, blank=True, editable=False)
    content_type = models.CharField(_("type"), max_length=40, choices=ContentType, editable=False)
    size = models.PositiveBigIntegerField(_("size in bytes"), editable=False)
    sha256 = models.CharField(max_length=64, editable=False)
    file = models.FileField(upload_to=_server_made_name, editable=False)
    status = models.CharField(
        _("status"),
        max_length=10,
        choices=Status,
        default=Status.RECEIVED,
        editable=False,
    )
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

    objects = DocumentQuerySet.as_manager()  # type: ignore[misc] # the plugin takes ours for a field

    class Meta:
        verbose_name = _("document")
        ordering = ["-sent_at", "-pk"]
        indexes = [models.Index(fields=["member", "-sent_at"], name="document_member")]
        constraints = [
            models.UniqueConstraint(
                fields=["member", "sending_id", "sha256"],
                name="one_document_per_sending",
            )
        ]

    def __str__(self) -> str:
        return f"Document {self.public_id}"

    @property
    def is_picture(self) -> bool:
        return self.content_type in {self.ContentType.JPEG, self.ContentType.PNG}
