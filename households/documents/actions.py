"""Keeping what a family sends and what the practice shares, and letting go of it."""

from __future__ import annotations

import re
import unicodedata
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import HouseholdAccount
from households.documents import quarantine, renditions
from households.documents.checks import Checked, check
from households.documents.joining import joined_file
from households.documents.keeping import kept_together
from households.documents.letting_go import let_go
from households.documents.models import Document, DocumentKind, DocumentRequest
from households.documents.receiving import ReceivedFile
from households.documents.scanner import scan
from households.models import Member
from households.requests import MemberRequest
from households.submissions.actions import submission_begin, submission_withdraw
from households.submissions.models import Submission

_LONGEST_NAME = 120
_LONGEST_NOTE = 500


def document_receive(
    *,
    request: MemberRequest,
    member: Member,
    file: ReceivedFile,
    sending_id: uuid.UUID,
    note: str = "",
    kind: DocumentKind | None = None,
    asked: DocumentRequest | None = None,
    about: str = "",
) -> Document:
    """Keep one file for `member`, with its submission and its audit entry, all of them or nothing. The
    same file of the same page sent twice, also at the same moment, is kept once; the answer is the one
    kept. `asked` is the member's request that it answers, `about` what its submission says of it.

    Raises ValidationError when the file is refused; then nothing of it stays.
    """
    name = shown_name(file.name or "")
    checked = check(file)
    kept_before = Document.objects.for_member(member).filter(
        sending_id=sending_id, sha256=file.sha256
    )
    if first := kept_before.exclude(file="").first():
        return first
    document = Document(
        member=member,
        sending_id=sending_id,
        name=name,
        note=note,
        kind=kind,
        request=asked,
        **_facts(file, checked, request=request),
    )
    try:
        with kept_together(document, file):
            _leave_room(request.household_session.account, file.size or 0)
            document.submission = submission_begin(
                request=request, member=member, kind=Submission.Kind.DOCUMENT, about=about
            )
            document.sent_at = document.submission.sent_at
            document.save()
            audit.record(
                audit.Action.SEND,
                "ok",
                request=request,
                object_type="document",
                object_id=document.public_id,
            )
            _prepare(document)
    except IntegrityError:
        # The same file of the same page came at the same moment.
        if (first := kept_before.exclude(file="").first()) is None:
            raise
        return first
    return document


def document_share(
    *,
    request: HttpRequest,
    member: Member,
    file: ReceivedFile,
    sending_id: uuid.UUID,
    name: str = "",
    note: str = "",
    kind: DocumentKind | None = None,
) -> Document:
    """The practice shares one file with `member`; new until the family opens it.

    Raises ValidationError when the file is refused; then nothing of it stays.
    """
    checked = check(file)
    document = Document(
        member=member,
        sender=Document.Sender.PRACTICE,
        sending_id=sending_id,
        name=shown_name(name or file.name or ""),
        note=note,
        kind=kind,
        shared_by_id=request.user.pk,
        **_facts(file, checked, request=request, member=member),
    )
    kept_before = Document.objects.for_member(member).filter(
        sending_id=sending_id, sha256=file.sha256
    )
    try:
        with kept_together(document, file):
            document.save()
            audit.record(
                audit.Action.SHARE,
                "ok",
                request=request,
                member_id=member.pk,
                object_type="document",
                object_id=document.public_id,
            )
            _prepare(document)
    except IntegrityError:
        # The same file of the same page came at the same moment.
        if (first := kept_before.exclude(file="").first()) is None:
            raise
        return first
    return document


def document_withdraw(*, request: MemberRequest, document: Document) -> bool:
    """The family takes a document back: its bytes are removed, its row tells that it was there. False,
    and nothing happens, once the practice has seen it."""
    with transaction.atomic():
        if document.submission is None or not submission_withdraw(
            request=request, submission=document.submission
        ):
            return False
        let_go(document)
    return True


def document_join(
    *, request: MemberRequest, member: Member, photos: Sequence[Document]
) -> Document:
    """Make one PDF of `photos` of `member`, in this order. The photos are withdrawn and their bytes let go,
    all of it or nothing; the PDF answers the request that they answered, and has their kind and notes. The
    same photos joined twice, also at the same moment, are joined once; the answer is the PDF.

    Raises ValidationError when it cannot be done; then nothing has changed.
    """
    try:
        return _join(request, member, photos)
    except ValidationError:
        # Of two presses the second one finds the photos gone: into the PDF of the first.
        if joined := document_joined(member=member, photos=photos):
            return joined
        raise


def _join(request: MemberRequest, member: Member, photos: Sequence[Document]) -> Document:
    account = request.household_session.account
    document = Document(member=member, **_in_common(photos))
    with joined_file(photos) as file:
        document.name = shown_name(file.name or "")
        for fact, value in _facts(file, check(file), request=request).items():
            setattr(document, fact, value)
        with kept_together(document, file):
            # First of all: joins of the same photos in different orders would lock each other out.
            HouseholdAccount.objects.select_for_update().get(pk=account.pk)
            for photo in photos:
                _take_into_another(request, photo)
            _leave_room(account, document.size)
            document.submission = submission_begin(
                request=request,
                member=member,
                kind=Submission.Kind.DOCUMENT,
                # One clinical page makes the paper clinical.
                about=max(photo.submission.about for photo in photos if photo.submission),
            )
            document.sent_at = document.submission.sent_at
            document.save()
            ours = Document.objects.for_member(member).filter(pk__in=[photo.pk for photo in photos])
            ours.update(joined_into=document)
            audit.record(
                audit.Action.SEND,
                "joined",
                request=request,
                object_type="document",
                object_id=document.public_id,
            )
            _prepare(document)
    return document


def document_joined(*, member: Member, photos: Iterable[Document]) -> Document | None:
    """The PDF that all of these photos were made, if they were."""
    ours = Document.objects.for_member(member)
    into = {
        *ours.filter(pk__in=[photo.pk for photo in photos]).values_list("joined_into", flat=True)
    }
    (pdf,) = into if len(into) == 1 else (None,)
    return ours.filter(pk=pdf).exclude(file="").first() if pdf else None


def document_opened(*, request: MemberRequest, document: Document) -> None:
    """The family has opened what the practice shared; only the first time counts."""
    if not document.is_from_practice or document.opened_at:
        return
    with transaction.atomic():
        first = Document.objects.for_member(document.member).filter(pk=document.pk, opened_at=None)
        if first.update(opened_at=timezone.now()):
            audit.record(
                audit.Action.OPEN,
                "ok",
                request=request,
                object_type="document",
                object_id=document.public_id,
            )


def document_unshare(*, request: HttpRequest, document: Document) -> bool:
    """The practice no longer shares a document. It stays on file for the practice."""
    with transaction.atomic():
        shared = Document.objects.for_member(document.member).filter(
            pk=document.pk, sender=Document.Sender.PRACTICE, unshared_at=None
        )
        if not shared.update(unshared_at=timezone.now()):
            return False
        audit.record(
            audit.Action.SHARE,
            "ended",
            request=request,
            member_id=document.member_id,
            object_type="document",
            object_id=document.public_id,
        )
    return True


def _in_common(photos: Sequence[Document]) -> dict[str, Any]:
    """What the pages of one paper tell of it: its request, kind and sending where they have one, and all
    notes. Raises ValidationError when they answer different requests: those would be open again."""
    requests = {photo.request for photo in photos if photo.request}
    if len(requests) > 1:
        raise ValidationError(
            _(
                "These photos answer different requests of the practice. Join the pages of one paper only. "
                "Nothing was changed."
            )
        )
    kinds = {photo.kind for photo in photos if photo.kind}
    sendings = {photo.sending_id for photo in photos}
    notes = dict.fromkeys(photo.note for photo in photos if photo.note)
    return {
        "request": requests.pop() if requests else None,
        "kind": kinds.pop() if len(kinds) == 1 else None,
        "sending_id": sendings.pop() if len(sendings) == 1 else uuid.uuid4(),
        "note": " / ".join(notes)[:_LONGEST_NOTE],
    }


def _take_into_another(request: MemberRequest, photo: Document) -> None:
    if photo.submission is None or not submission_withdraw(
        request=request, submission=photo.submission, why="joined"
    ):
        raise ValidationError(
            _(
                "One of the photos was seen by the practice, or taken back, in the meantime. Nothing was "
                "changed: the photos stay as they are."
            )
        )
    let_go(photo)


def _facts(
    file: ReceivedFile, checked: Checked, *, request: HttpRequest, member: Member | None = None
) -> dict[str, object]:
    """What is known of a file that was checked and is scanned now."""
    with Path(file.temporary_file_path()).open("rb") as received:
        verdict = scan(received)
    if verdict is Document.Scan.FOUND:
        audit.record(
            audit.Action.SCAN,
            "found",
            request=request,
            member_id=member.pk if member else None,
            object_type="document",
        )
        raise ValidationError(
            _(
                "The virus scanner found something harmful in this file, so it was not kept. "
                "Check the device it came from, or take a photo of the paper instead."
            )
        )
    return {
        "content_type": checked.content_type,
        "pages": checked.pages,
        "size": file.size,
        "sha256": file.sha256,
        "scan": verdict,
    }


def _prepare(document: Document) -> None:
    """What the background worker does next; queued in the transaction that keeps the document."""
    if document.scan == Document.Scan.WAITING:
        quarantine.scan_later(document)
    else:
        renditions.make_pictures.enqueue(document.pk)


def _leave_room(account: HouseholdAccount, size: int) -> None:
    """Hold the household to its limits. The account's row is locked, so that parallel uploads count
    one after the other (R-UP-2)."""
    HouseholdAccount.objects.select_for_update().get(pk=account.pk)
    files, kept = Document.objects.sent_by_household(account)
    if files + 1 > settings.HOUSEHOLD_FILES or kept + size > settings.HOUSEHOLD_MB * 1024 * 1024:
        raise ValidationError(
            _(
                "Your family's space for documents is full. Call the practice, and they will make room."
            )
        )


def shown_name(given: str) -> str:
    """The given file name as a harmless label: no folders, no control or direction-changing characters."""
    name = unicodedata.normalize("NFC", re.split(r"[/\\]", given)[-1])
    name = "".join(c for c in name if unicodedata.category(c)[0] != "C").strip(" .")
    return name[-_LONGEST_NAME:] or _("Document")
