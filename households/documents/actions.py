"""Keeping what a family sends."""

from __future__ import annotations

import hashlib
import re
import unicodedata
import uuid

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import HouseholdAccount
from households.documents.checks import content_type_of
from households.documents.models import Document
from households.models import Member
from households.requests import MemberRequest

_LONGEST_NAME = 120


def document_receive(
    *,
    request: MemberRequest,
    member: Member,
    file: UploadedFile,
    note: str,
    sending_id: uuid.UUID,
) -> Document:
    """Keep one file for `member`, with its audit entry. The same file of the same page sent twice, also
    at the same moment, is kept once; the answer is the one kept.

    Raises ValidationError when the file is refused; then nothing of it stays.
    """
    size = file.size or 0
    if size > settings.FILE_MB * 1024 * 1024:
        raise ValidationError(
            _("The file is larger than %(size)d MB. Send it in parts, or take a smaller photo.")
            % {"size": settings.FILE_MB}
        )
    name = file.name or ""
    content_type = content_type_of(file, name)
    document = Document(
        member=member,
        sending_id=sending_id,
        name=shown_name(name),
        note=note,
        content_type=content_type,
        size=size,
        sha256=_sha256(file),
        sent_by=request.household_session.account,
        sent_in=request.household_session,
    )
    kept_before = Document.objects.for_member(member).filter(
        sending_id=sending_id, sha256=document.sha256
    )
    if first := kept_before.first():
        return first
    document.file.save(document.name, file, save=False)
    try:
        with transaction.atomic():
            _leave_room(document)
            document.save()
            audit.record(
                audit.Action.SEND,
                "ok",
                request=request,
                object_type="document",
                object_id=document.public_id,
            )
    except IntegrityError:
        _remove(document)
        return kept_before.get()
    except BaseException:
        _remove(document)
        raise
    return document


def _remove(document: Document) -> None:
    if document.file.name:
        document.file.storage.delete(document.file.name)


def _leave_room(document: Document) -> None:
    """Hold the household to its limits. The account's row is locked, so that parallel uploads count
    one after the other (R-UP-2)."""
    HouseholdAccount.objects.select_for_update().get(pk=document.sent_by_id)
    files, size = Document.objects.sent_by_household(document.sent_by)
    if (
        files + 1 > settings.HOUSEHOLD_FILES
        or size + document.size > settings.HOUSEHOLD_MB * 1024 * 1024
    ):
        raise ValidationError(
            _(
                "Your family's space for documents is full. Call the practice, and they will make room."
            )
        )


def _sha256(file: UploadedFile) -> str:
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


def shown_name(given: str) -> str:
    """The given file name as a harmless label: no folders, no control or direction-changing characters."""
    name = unicodedata.normalize("NFC", re.split(r"[/\\]", given)[-1])
    name = "".join(c for c in name if unicodedata.category(c)[0] != "C").strip(" .")
    return name[-_LONGEST_NAME:] or _("Document")
