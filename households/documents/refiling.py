"""How a document moves to another person: with its pictures, and with the photos that it was joined from. Its
bytes stay where they are; nothing in their names says whose they are."""

from __future__ import annotations

import uuid

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from households.documents import quarantine
from households.documents.models import Document, DocumentRequest
from households.models import Member
from households.submissions.models import Submission
from households.submissions.refiling import Moving, Plan

Status = Submission.Status


def plan(submission: Submission, to: Member) -> Plan:
    document = _document(submission)
    if document is None:
        return Plan(why_not=_("There is no document any more."))
    from_name, to_name = submission.member.full_name, to.full_name
    names = {"what": document.name, "from": from_name, "to": to_name}
    happens = [
        _(
            "“%(what)s” goes to %(to)s. Who has the chart of %(from)s open does not see it any more, and "
            "cannot download it."
        )
        % names
    ]
    photos = _photos(document)
    if photos:
        count = len(photos)
        words = ngettext(
            "The %(count)d photo that it was made of goes with it.",
            "The %(count)d photos that it was made of go with it.",
            count,
        )
        happens.append(words % {"count": count})
    if document.request is not None:
        about = {**names, "what": document.request.what}
        happens.append(
            _(
                "It was sent for the request “%(what)s”. %(from)s is asked for that again, unless another "
                "document answers it."
            )
            % about
        )
    asked = DocumentRequest.objects.for_member(to).in_force(timezone.localdate()).unanswered()
    if asked.exists():
        happens.append(
            _(
                "%(to)s is asked for documents too. This one answers none of those requests by itself: if it "
                "is what is asked for, close that request."
            )
            % names
        )
    if document.scan == Document.Scan.WAITING:
        happens.append(_("It waits for the virus scanner; until then nobody can open it."))
    happens += filed_before(submission, to)
    marks = [document.pk, document.request_id, document.file.name]
    return Plan(happens=happens, marks=marks, along=[_envelope(photo) for photo in photos])


def filed_before(submission: Submission, to: Member) -> list[str]:
    """What staff have to think of outside the portal, when it was filed before."""
    if submission.status not in {Status.FILED, Status.PARTLY}:
        return []
    names = {"from": submission.member.full_name, "to": to.full_name}
    return [
        _(
            "It was filed for %(from)s. What you have put into other systems for %(from)s stays there until "
            "you take it out. For %(to)s it has to be filed anew."
        )
        % names
    ]


def lock(submission: Submission, to: Member) -> None:
    """Withdrawing and the virus scanner take the submission first and then the document, so nothing is held
    before the submission is."""


def move(moving: Moving, submission: Submission) -> None:
    document = _document(submission)
    assert document is not None  # the plan says so
    document_moves(moving, document)


def document_moves(moving: Moving, document: Document) -> None:
    """The document and its submission, and the photos it was made of. A document that was filed is to be
    filed anew."""
    submission = _envelope(document)
    status = Status(submission.status)
    moving.submission_moves(submission, status=Status.SEEN if status == Status.FILED else status)
    rows = Document.objects.for_member(moving.from_member)
    photos = _photos(document)
    for photo in photos:
        envelope = _envelope(photo)
        moving.submission_moves(envelope, status=Status(envelope.status))
    rows.filter(pk__in=[photo.pk for photo in photos]).update(member=moving.to, request=None)
    # The page it was sent from was another person's: what is sent from that again is another document.
    rows.filter(pk=document.pk).update(member=moving.to, request=None, sending_id=uuid.uuid4())
    document.member = moving.to
    if document.scan == Document.Scan.WAITING and document.file:
        # A scan that is going on now was begun for the other person, and settles nothing any more.
        quarantine.scan_later(document)


def _document(submission: Submission) -> Document | None:
    rows = Document.objects.for_member(submission.member)
    return (
        rows.select_related("submission", "request", "member").filter(submission=submission).first()
    )


def _envelope(document: Document) -> Submission:
    assert document.submission is not None  # what the practice shares is never moved
    return document.submission


def _photos(document: Document) -> list[Document]:
    """What it was joined from; withdrawn, without bytes."""
    rows = Document.objects.for_member(document.member).filter(joined_into=document)
    return list(rows.select_related("submission").order_by("pk"))
