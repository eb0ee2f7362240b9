"""What a member's home reads of documents: as plainly as can be, because building a statement costs more
than reading a few rows too many."""

from __future__ import annotations

import datetime
import uuid
from typing import NamedTuple

from django.utils import timezone

from accounts.compiled import Compiled
from households.documents.models import STANDING, Document, DocumentRequest
from households.models import Member
from households.submissions.models import Submission


class RequestRow(NamedTuple):
    """What is read of a request, by the names of its columns below."""

    pk: int
    public_id: uuid.UUID
    what: str
    due_on: datetime.date | None
    expires_on: datetime.date | None
    closed_at: datetime.datetime | None


class DocumentRow(NamedTuple):
    """What is read of a document; the last five are its submission's, None of what the practice shares."""

    public_id: uuid.UUID
    name: str
    kind: str | None
    request: int | None
    sending_id: uuid.UUID
    sent_at: datetime.datetime
    opened_at: datetime.datetime | None
    unshared_at: datetime.datetime | None
    status: str | None
    seen_at: datetime.datetime | None
    filed_at: datetime.datetime | None
    returned_at: datetime.datetime | None

    @property
    def label(self) -> str:
        return self.kind or self.name

    @property
    def is_shown(self) -> bool:
        return not self.unshared_at and self.status != Submission.Status.WITHDRAWN

    @property
    def stands(self) -> bool:
        return self.status in STANDING


_REQUEST_COLUMNS = RequestRow._fields
_DOCUMENT_COLUMNS = (
    *["public_id", "name", "kind__name", "request", "sending_id", "sent_at", "opened_at"],
    *["unshared_at", "submission__status", "submission__seen_at", "submission__filed_at"],
    *["submission__returned_at"],
)


_requests = Compiled(
    lambda member: (
        DocumentRequest.objects.for_member(member).order_by().values_list(*_REQUEST_COLUMNS)
    ),
    int,
)
_documents = Compiled(
    lambda member: Document.objects.for_member(member).order_by().values_list(*_DOCUMENT_COLUMNS),
    int,
)


def asked_for(member: Member) -> list[RequestRow]:
    """The requests in force (as DocumentRequest.is_in_force), the first one due first."""
    today = timezone.localdate()
    requests = [RequestRow(*row) for row in _requests(member.pk)]
    in_force = [
        one
        for one in requests
        if one.closed_at is None and (one.expires_on is None or one.expires_on >= today)
    ]
    return sorted(in_force, key=lambda one: (one.due_on or datetime.date.max, one.pk))


def documents_of(member: Member) -> list[DocumentRow]:
    """What was sent and shared, latest first, without what was taken back."""
    documents = [DocumentRow(*row) for row in _documents(member.pk)]
    return sorted(
        (one for one in documents if one.is_shown), key=lambda one: one.sent_at, reverse=True
    )
