"""What one press of Send does: each file is taken or refused on its own."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import audit
from households.documents.actions import document_receive, shown_name
from households.documents.models import Document, DocumentKind, DocumentRequest
from households.documents.receiving import ReceivedFile
from households.models import Member
from households.requests import MemberRequest


@dataclass(frozen=True)
class Result:
    """What became of one file: the document that it is now, or why it was not sent."""

    name: str
    document: Document | None = None
    refused: str = ""


def send(
    *,
    request: MemberRequest,
    member: Member,
    files: Sequence[ReceivedFile],
    sending_id: uuid.UUID,
    note: str,
    kind: DocumentKind | None,
    asked: DocumentRequest | None,
) -> list[Result]:
    """Keep each of `files` for `member`. Never raises because of a file: its result says what is wrong.
    `asked` is the member's request that they answer."""
    results = []
    for number, file in enumerate(files, start=1):
        name = shown_name(file.name or "")
        try:
            if file.is_one_too_many or number > settings.FILES_AT_ONCE:
                raise ValidationError(
                    _(
                        "Only %(most)d files can be sent in one go. Choose this one again, and send it."
                    )
                    % {"most": settings.FILES_AT_ONCE}
                )
            document = document_receive(
                request=request,
                member=member,
                file=file,
                sending_id=sending_id,
                note=note,
                kind=kind,
                asked=asked,
            )
        except ValidationError as error:
            audit.record(audit.Action.SEND, "refused", request=request, object_type="document")
            results.append(Result(name, refused=" ".join(error.messages)))
        else:
            results.append(Result(name, document))
    return results


def sent_sentence(documents: Sequence[Document], member: Member) -> str:
    """How the family is told that all of it arrived, and that it waits where it does."""
    said = ngettext(
        "%(count)d document was sent to %(name)s's chart.",
        "%(count)d documents were sent to %(name)s's chart.",
        len(documents),
    ) % {"count": len(documents), "name": member.called}
    if any(document.scan == Document.Scan.WAITING for document in documents):
        said += " " + _(
            "The virus scanner does not answer now. Nobody can open what was sent until it has."
        )
    return said
