"""Files that wait for the virus scanner (SECURITY R-UP-5). Nobody opens them until it has looked at them.

A document that could not be scanned while it was sent has scan=WAITING, and a task of its own that asks again
until there is a verdict; both are written in one transaction. When the scanner is back, the first verdict
brings the other tasks forward. Nothing here needs a hand, also after a restart; `scan_all_again` is for tasks
that were lost.
"""

from __future__ import annotations

import datetime
import logging
from datetime import timedelta

from django.db import transaction
from django.db.models import Count, F, Min, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _
from django_tasks import task
from django_tasks_db.models import DBTaskResult

from accounts import audit
from households.documents import renditions
from households.documents.letting_go import let_go
from households.documents.models import Document, DocumentQuerySet
from households.documents.scanner import scan
from households.submissions.actions import submission_return_unasked
from households.submissions.models import Submission

Scan = Document.Scan
logger = logging.getLogger(__name__)

# Seconds to wait before each new try; the last one for ever.
ASK_AGAIN_AFTER = (10, 30, 60, 120, 300, 600, 900)


def waiting() -> tuple[int, datetime.datetime | None]:
    """How many documents wait for the scanner, and since when the first of them does."""
    found = Document.objects.in_quarantine().aggregate(count=Count("pk"), since=Min("sent_at"))
    return found["count"], found["since"]


def scan_later(document: Document, tries: int = 0) -> None:
    """Have the background worker ask the scanner. Call inside the transaction that keeps the document."""
    wait = timedelta(seconds=ASK_AGAIN_AFTER[min(tries, len(ASK_AGAIN_AFTER) - 1)])
    scan_again.using(run_after=timezone.now() + wait).enqueue(document.pk, tries)


def scan_all_again() -> int:
    """Ask now for every waiting document, also for those whose task was lost. Returns how many wait."""
    queued = _tasks().filter(status__in=["READY", "RUNNING"])
    asked = {task["args"][0] for task in queued.values_list("args_kwargs", flat=True)}
    documents = set(Document.objects.in_quarantine().values_list("pk", flat=True))
    for lost in documents - asked:
        scan_again.enqueue(lost)
    _bring_forward()
    return len(documents)


@task()
def scan_again(document_id: int, tries: int = 0) -> str:
    """Ask the scanner about one waiting document. Returns what became of it, in a word. Doing it twice, or
    twice at once, is harmless: the first verdict counts."""
    document = Document.objects.for_worker(document_id).filter(scan=Scan.WAITING).first()
    if document is None or not document.file:
        return "gone"
    verdict = _scan(document)
    if verdict is Scan.CLEAN:
        settled = _release(document)
    elif verdict is Scan.FOUND:
        settled = _refuse(document)
    else:
        # Also when no scanner is set up any more: what waits was never looked at.
        scan_later(document, tries + 1)
        return "later"
    _bring_forward()
    return str(verdict) if settled else "gone"


def _scan(document: Document) -> Document.Scan:
    """Outside any transaction: the scanner may take its time."""
    try:
        with document.file.open("rb") as file:
            return scan(file)
    except Exception:
        # Each kind of storage has errors of its own. Whatever it was, the document goes on waiting.
        logger.exception("A file that waits for the virus scanner could not be read")
        return Scan.WAITING


def _release(document: Document) -> bool:
    with transaction.atomic():
        if not _still_waiting(document).update(scan=Scan.CLEAN):
            return False
        _record(document, Scan.CLEAN)
        renditions.make_pictures.enqueue(document.pk)
    return True


def _refuse(document: Document) -> bool:
    with transaction.atomic():
        if document.submission_id is not None:
            # The submission's row first, as in withdrawing: two that take them in turn would hang.
            # None where the practice has moved it to another person meanwhile: that asks anew.
            envelope = Submission.objects.for_member(document.member).select_for_update()
            envelope.filter(pk=document.submission_id).first()
        if not _still_waiting(document).update(scan=Scan.FOUND):
            return False
        _record(document, Scan.FOUND)
        if document.submission is not None:
            submission_return_unasked(submission=document.submission, reason=_reason())
        if document.is_from_practice:
            shared = Document.objects.for_member(document.member).filter(pk=document.pk)
            shared.update(unshared_at=Coalesce(F("unshared_at"), timezone.now()))
        let_go(document)
    return True


def _reason() -> str:
    return _(
        "A virus scanner found something harmful in this file, so nobody opened it and it was not kept. "
        "Check the device it came from, or take a photo of the paper and send that."
    )


def _still_waiting(document: Document) -> DocumentQuerySet:
    """The document, unless it was withdrawn or another verdict was quicker."""
    return Document.objects.for_member(document.member).filter(
        pk=document.pk, scan=Scan.WAITING, file=document.file.name
    )


def _record(document: Document, verdict: Document.Scan) -> None:
    audit.record(
        audit.Action.SCAN,
        str(verdict),
        member_id=document.member_id,
        object_type="document",
        object_id=document.public_id,
    )


def _tasks() -> QuerySet[DBTaskResult]:
    return DBTaskResult.objects.filter(task_path=scan_again.module_path)


def _bring_forward() -> None:
    """The scanner answers: the tasks that wait for their time are due now. One statement, however many."""
    now = timezone.now()
    _tasks().filter(status="READY", run_after__gt=now, run_after__year__lt=9999).update(
        run_after=now
    )
