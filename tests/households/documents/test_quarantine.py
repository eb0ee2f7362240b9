"""Files that wait for the virus scanner: nobody opens them, and they are released without a hand (UP-07).

The scanner is the real daemon, stopped, hung and started again; the tasks run in the real worker.
"""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.db import connection, connections
from django.test import Client
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from accounts.audit.models import AuditEvent
from households.documents import quarantine
from households.documents.models import Document
from households.submissions.models import Submission
from tests.cast import pick, sign_in, sign_in_as_staff
from tests.clamav import infected_pdf
from tests.files import pdf, png
from tests.pages import text_of

Scan = Document.Scan
SECONDS = [10, 30, 60, 120, 300, 600, 900, 900, 900]


@pytest.fixture
def mia(cast, client):
    """A client with Mia's chart open; `client.documents` is the address of her papers."""
    sign_in(client, "rivera@example.org")
    client.documents = f"/for/{pick(client, 'Mia', '2016/04/27')}/documents/"
    return client


@pytest.fixture
def down(clamd):
    """The daemon, stopped."""
    clamd.stop()
    return clamd


def send(client, file) -> Document:
    answer = client.post(client.documents, {"files": file, "note": "for the doctor"})
    assert answer.status_code == 302, text_of(answer)
    return Document.objects.order_by("-pk")[0]


def shared(member, file, staff, scan=Scan.WAITING) -> Document:
    """A paper of the practice that is in quarantine."""
    document = Document(
        member=member,
        sender=Document.Sender.PRACTICE,
        shared_by=staff,
        sending_id=uuid.uuid4(),
        name="plan.pdf",
        content_type="application/pdf",
        size=file.size,
        sha256="0" * 64,
        scan=scan,
    )
    document.file.save("plan.pdf", ContentFile(file.read()), save=False)
    document.save()
    quarantine.scan_later(document)
    return document


def tasks(name: str = "scan_again"):
    return DBTaskResult.objects.filter(task_path__endswith=f".{name}")


def addresses_of_bytes(client, document: Document) -> list[str]:
    page = f"{client.documents}{document.public_id}/"
    names = ["file/", "file/?preview=1", "thumbnail/", "pages/1/"]
    return [page + name for name in names]


def staff_addresses_of_bytes(document: Document) -> list[str]:
    page = f"/admin/documents/document/{document.pk}/"
    return [page + name for name in ["download/", "pages/1/"]]


def body(answer) -> bytes:
    return b"".join(answer.streaming_content)


# --- nobody opens them ----------------------------------------------------------------


def test_what_is_sent_during_an_outage_is_kept_and_opened_by_nobody(mia, down, cast):
    document = send(mia, pdf())
    assert (document.scan, document.status) == (Scan.WAITING, "received")
    assert document.file.storage.exists(document.file.name)
    assert 'data-status="received"' in mia.get(mia.documents).content.decode()
    assert mia.get(f"{mia.documents}{document.public_id}/").status_code == 200
    staff = Client()
    sign_in_as_staff(staff)
    for method in ("get", "head"):
        for address in addresses_of_bytes(mia, document):
            assert getattr(mia, method)(address).status_code == 404, address
        for address in staff_addresses_of_bytes(document):
            assert getattr(staff, method)(address).status_code == 404, address
    assert staff.get(f"/admin/documents/document/{document.pk}/change/").status_code == 200
    assert not tasks("make_pictures").exists()


def test_pictures_are_not_made_of_it_even_when_asked_for(mia, down, run_tasks):
    from households.documents import renditions

    document = send(mia, pdf())
    renditions.make_pictures.enqueue(document.pk)
    run_tasks()
    document.refresh_from_db()
    assert document.pictures == Document.Pictures.WAITING
    assert not document.file.storage.exists(renditions.thumbnail_name(document))


def test_photos_in_quarantine_cannot_be_joined(mia, down, cast):
    send(mia, [png("a.png"), png("b.png", size=(9, 9))])
    assert Document.objects.for_member(cast.mia).count() == 2
    assert not Document.objects.for_member(cast.mia).joinable().exists()


def test_hanging_scanner_delays_a_request_by_seconds_for_all_its_files(mia, clamd):
    clamd.hang()
    began = timezone.now()
    send(mia, [pdf(f"{pages}.pdf", pages=pages) for pages in range(1, 6)])
    assert timezone.now() - began < timedelta(seconds=6)
    assert quarantine.waiting()[0] == 5


def test_how_many_wait_and_since_when(mia, down, cast):
    assert quarantine.waiting() == (0, None)
    first = send(mia, pdf())
    send(mia, png())
    assert quarantine.waiting() == (2, first.sent_at)
    Document.objects.filter(pk=first.pk).update(file="")
    assert quarantine.waiting()[0] == 1, "what was withdrawn does not wait"


def test_counting_them_reads_no_other_documents(mia):
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")  # it would read an empty table whole
    plan = Document.objects.in_quarantine().order_by().values("sent_at").explain()
    assert "document_quarantine" in plan


def test_older_documents_stay_open_when_a_scanner_is_set_up(mia, clamd, settings):
    address, settings.SCANNER = settings.SCANNER, None
    document = send(mia, pdf())
    settings.SCANNER = address
    assert document.scan == Scan.OFF
    assert body(mia.get(addresses_of_bytes(mia, document)[0]))


# --- released -------------------------------------------------------------------------


def test_clean_file_is_released_when_the_scanner_is_back(mia, down, run_tasks, a_while_later, cast):
    file = pdf()
    data = file.read()
    file.seek(0)
    document = send(mia, file)
    assert [result.return_value for result in run_tasks(later=True)] == ["later"]
    down.start()
    a_while_later()
    run_tasks(later=True)
    document.refresh_from_db()
    assert document.scan == Scan.CLEAN
    assert body(mia.get(addresses_of_bytes(mia, document)[0])) == data
    assert tasks("make_pictures").get().status == "SUCCESSFUL"
    assert document.pictures == Document.Pictures.READY
    assert quarantine.waiting() == (0, None)
    entry = AuditEvent.objects.get(action="scan")
    assert (entry.outcome, entry.member_id, entry.object_id) == (
        "clean",
        cast.mia.pk,
        str(document.public_id),
    )


def test_it_asks_again_for_ever_and_less_and_less_often(mia, down, run_tasks):
    document = send(mia, pdf())
    for seconds in SECONDS:
        row = tasks().get(status="READY")
        wait = row.run_after - timezone.now()
        assert timedelta(seconds=seconds - 5) < wait <= timedelta(seconds=seconds)
        assert not run_tasks(), "not before its time"
        run_tasks(later=True)
    assert tasks().filter(status="READY").count() == 1
    document.refresh_from_db()
    assert document.scan == Scan.WAITING


def test_first_verdict_brings_the_others_forward_without_a_storm(
    mia, down, run_tasks, a_while_later
):
    for size in range(1, 7):
        send(mia, png(f"{size}.png", size=(size, 1)))
    quarter = timezone.now() + timedelta(minutes=15)
    tasks().update(run_after=quarter)
    down.start()
    a_while_later()
    first = tasks().order_by("pk")[0]
    tasks().filter(pk=first.pk).update(run_after=timezone.now())
    run_tasks()
    assert quarantine.waiting() == (0, None)
    assert tasks().count() == 6


def test_a_lost_task_is_made_up_for_and_no_task_is_doubled(mia, down, run_tasks, a_while_later):
    send(mia, [pdf(), png()])
    tasks().order_by("pk")[0].delete()
    assert quarantine.scan_all_again() == 2
    assert quarantine.scan_all_again() == 2
    assert tasks().filter(status="READY").count() == 2
    down.start()
    a_while_later()
    run_tasks()
    assert quarantine.waiting() == (0, None)
    assert quarantine.scan_all_again() == 0


def test_what_is_harmful_after_all_goes_back_to_the_family(
    mia, down, run_tasks, a_while_later, cast
):
    document = send(mia, infected_pdf())
    name, storage = document.file.name, document.file.storage
    down.start()
    a_while_later()
    with_commit(run_tasks)
    document.refresh_from_db()
    assert (document.scan, document.file.name, document.status) == (Scan.FOUND, "", "returned")
    assert not storage.exists(name)
    submission = document.submission
    assert "A virus scanner found something harmful" in submission.reason
    assert (submission.handled_by, submission.seen_at) == (None, None)
    page = text_of(mia.get(f"{mia.documents}{document.public_id}/"))
    assert "Returned" in page
    assert "found something harmful" in page
    for address in addresses_of_bytes(mia, document):
        assert mia.get(address).status_code == 404, address
    staff = Client()
    sign_in_as_staff(staff)
    for address in staff_addresses_of_bytes(document):
        assert staff.get(address).status_code == 404, address
    entry = AuditEvent.objects.get(action="scan")
    assert (entry.outcome, entry.member_id) == ("found", cast.mia.pk)
    # The same page may send the paper again.
    assert send(mia, pdf("clean.pdf")).scan == Scan.CLEAN


def with_commit(run_tasks) -> None:
    """Run what waits for the commit too: the test's own transaction never comes to one."""
    from django.test import TestCase

    with TestCase.captureOnCommitCallbacks(execute=True):
        run_tasks(later=True)


def test_what_the_practice_shared_and_is_harmful_is_shared_no_more(
    mia, down, run_tasks, a_while_later, cast
):
    document = shared(cast.mia, infected_pdf(), cast.nurse_staff)
    down.start()
    a_while_later()
    with_commit(run_tasks)
    document.refresh_from_db()
    assert (document.scan, document.file.name) == (Scan.FOUND, "")
    assert document.unshared_at is not None
    assert mia.get(f"{mia.documents}{document.public_id}/").status_code == 404


def test_withdrawn_meanwhile_nothing_happens(mia, down, run_tasks, a_while_later, cast):
    document = send(mia, infected_pdf())
    Submission.objects.filter(pk=document.submission_id).update(status="withdrawn")
    Document.objects.filter(pk=document.pk).update(file="")
    down.start()
    a_while_later()
    assert [result.return_value for result in run_tasks(later=True)] == ["gone"]
    document.refresh_from_db()
    assert (document.scan, document.status) == (Scan.WAITING, "withdrawn")
    assert not AuditEvent.objects.filter(action="scan").exists()


def test_returned_by_the_practice_meanwhile_keeps_its_reason(mia, down, run_tasks, a_while_later):
    document = send(mia, infected_pdf())
    Submission.objects.filter(pk=document.submission_id).update(status="returned", reason="Blurry")
    down.start()
    a_while_later()
    with_commit(run_tasks)
    document.refresh_from_db()
    assert (document.scan, document.file.name) == (Scan.FOUND, "")
    assert document.submission.reason == "Blurry"


def test_without_a_scanner_any_more_what_waits_goes_on_waiting(mia, down, run_tasks, settings):
    document = send(mia, pdf())
    settings.SCANNER = None
    assert [result.return_value for result in run_tasks(later=True)] == ["later"]
    assert mia.get(addresses_of_bytes(mia, document)[0]).status_code == 404


def test_unreadable_storage_is_told_and_tried_again(mia, down, run_tasks, a_while_later, caplog):
    document = send(mia, pdf())
    document.file.storage.delete(document.file.name)
    down.start()
    a_while_later()
    assert [result.return_value for result in run_tasks(later=True)] == ["later"]
    assert "could not be read" in caplog.text
    assert "lab.pdf" not in caplog.text


def test_task_of_nothing_is_harmless(db, run_tasks):
    quarantine.scan_again.enqueue(999_999)
    assert [result.return_value for result in run_tasks()] == ["gone"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("file", [pdf, infected_pdf])
def test_two_workers_at_once_settle_it_once(mia, down, a_while_later, file):
    document = send(mia, file())
    down.start()
    a_while_later()
    became: list[str] = []
    barrier = threading.Barrier(4)

    def work() -> None:
        try:
            barrier.wait(10)
            became.append(quarantine.scan_again.call(document.pk))
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _worker in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    verdict = "clean" if file is pdf else "found"
    assert sorted(became) == sorted([verdict, "gone", "gone", "gone"])
    assert AuditEvent.objects.filter(action="scan").count() == 1
    assert tasks("make_pictures").count() == (1 if file is pdf else 0)
