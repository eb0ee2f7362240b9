"""`manage.py sweep_files`: every file its row and every row its file (SECURITY R-UP-6)."""

from __future__ import annotations

import os
import re
import time
import tracemalloc
import uuid
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from households.documents.models import Document
from tests.cast import pick, sign_in
from tests.files import jpeg, pdf, png

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_folders(settings, tmp_path):
    """A storage and a folder of uploads that only this test has written to."""
    settings.UPLOADING = tmp_path / "tmp"
    settings.UPLOADING.mkdir()
    files = settings.STORAGES["default"]
    files = {**files, "OPTIONS": {**files["OPTIONS"], "location": tmp_path / "files"}}
    settings.STORAGES = {**settings.STORAGES, "default": files}


@pytest.fixture
def mia(cast, client):
    sign_in(client, "rivera@example.org")
    client.documents = f"/for/{pick(client, 'Mia', '2016/04/27')}/documents/"
    return client


@pytest.fixture
def paper(mia, run_tasks) -> Document:
    """One paper on Mia's chart, with its pictures."""
    return send(mia, run_tasks, png())


def send(mia, run_tasks, *files) -> Document:
    assert mia.post(mia.documents, {"files": list(files)}).status_code == 302
    run_tasks()
    return Document.objects.latest("pk")


def sweep(capsys, *options: str) -> tuple[int, list[str]]:
    """The exit status and the lines that the command prints."""
    status = 0
    try:
        call_command("sweep_files", *options)
    except SystemExit as end:
        status = int(end.code or 0)
    return status, capsys.readouterr().out.splitlines()


def stored(*names: str, hours_old: float = 2) -> list[str]:
    for name in names:
        default_storage.save(name, ContentFile(b"something"))
        make_older(Path(default_storage.path(name)), hours_old)
    return list(names)


def make_older(path: Path, hours: float) -> None:
    at = time.time() - hours * 3600
    os.utime(path, (at, at))


def all_files() -> set[str]:
    root = Path(default_storage.location)
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def summary(line: str) -> dict[str, int]:
    return {what: int(number) for what, number in re.findall(r"([a-z][a-z ]*?) (\d+)", line)}


# --- nothing wrong --------------------------------------------------------------------


def test_nothing_there_yet(cast, capsys):
    assert sweep(capsys, "--delete") == (
        0,
        ["stray 0, missing 0, temporary 0, no pictures 0; mended 0, wrong 0"],
    )


def test_what_families_send_is_left_alone(mia, run_tasks, capsys):
    send(mia, run_tasks, png(), jpeg(), pdf(pages=3))
    before = all_files()
    status, lines = sweep(capsys, "--delete", "--checksums", "--older-than", "0")
    assert (status, len(lines)) == (0, 1)
    assert all_files() == before
    assert len(before) == 3 + 2 + 2 + 4  # the originals, and a small picture and one of each page


def test_withdrawn_leaves_nothing_to_sweep(
    mia, run_tasks, capsys, django_capture_on_commit_callbacks
):
    from households.documents.letting_go import let_go

    mia.post(mia.documents, {"files": pdf(pages=3)})
    paper = Document.objects.get()
    run_tasks()  # the pictures are made after the page has read what it withdraws
    assert len(all_files()) == 5
    with django_capture_on_commit_callbacks(execute=True):
        let_go(paper)
    assert all_files() == set()
    assert sweep(capsys, "--older-than", "0") == (
        0,
        ["stray 0, missing 0, temporary 0, no pictures 0; mended 0, wrong 0"],
    )
    sweep(capsys, "--delete", "--older-than", "0")
    assert default_storage.listdir("pictures")[0] == []


# --- files without a row --------------------------------------------------------------


def test_stray_files_are_told_and_deleted_only_when_asked(paper, capsys):
    names = stored(f"documents/{uuid.uuid4().hex}", f"documents/{uuid.uuid4().hex}")
    ours = all_files() - {*names}
    status, lines = sweep(capsys)
    assert status == 1
    assert lines[:-1] == [f"stray: {name}" for name in sorted(names)]
    assert summary(lines[-1])["wrong"] == 2
    assert all_files() == ours | {*names}

    status, lines = sweep(capsys, "--delete")
    assert status == 0
    assert lines[:-1] == [f"stray: {name}, deleted" for name in sorted(names)]
    expected = {"stray": 2, "missing": 0, "temporary": 0, "no pictures": 0, "mended": 2, "wrong": 0}
    assert summary(lines[-1]) == expected
    assert all_files() == ours


def test_file_of_an_upload_that_is_still_being_kept_is_no_stray(paper, capsys):
    stored(f"documents/{uuid.uuid4().hex}", hours_old=0.9)
    before = all_files()
    status, lines = sweep(capsys, "--delete")
    assert (status, len(lines)) == (0, 1)
    assert all_files() == before
    assert sweep(capsys, "--delete", "--older-than", "60")[0] == 0
    assert all_files() == before
    assert len(sweep(capsys, "--delete", "--older-than", "50")[1]) == 2
    assert len(all_files()) == len(before) - 1


def test_pictures_of_a_document_that_is_gone(paper, capsys):
    gone = uuid.uuid4().hex
    stored(f"pictures/{gone}/thumbnail.jpg", f"pictures/{gone}/1.jpg", "pictures/loose.jpg")
    status, lines = sweep(capsys, "--delete")
    assert status == 0
    assert set(lines[:-1]) == {
        f"stray: pictures/{gone}, deleted",
        "stray: pictures/loose.jpg, deleted",
    }
    assert gone not in default_storage.listdir("pictures")[0]
    assert len(all_files()) == 3


def test_stray_that_cannot_be_deleted_is_still_wrong(paper, capsys):
    stored("documents/folder/inside")
    make_older(Path(default_storage.path("documents/folder")), 2)
    status, lines = sweep(capsys, "--delete")
    assert status == 1
    assert lines[0].startswith("stray: documents/folder: cannot be deleted: ")
    assert default_storage.exists("documents/folder/inside")


def test_database_without_patients_deletes_nothing(capsys):
    """As a mistyped DATABASE_URL gives: every file of the real portal would be a stray."""
    names = stored("documents/of-somebody", hours_old=1000)
    with pytest.raises(CommandError, match="no patients in this database"):
        call_command("sweep_files", "--delete")
    assert all_files() == {*names}


# --- rows without their file ----------------------------------------------------------


def test_missing_file_is_told_and_its_row_stays(paper, capsys):
    default_storage.delete(paper.file.name)
    status, lines = sweep(capsys, "--delete", "--older-than", "0")
    assert status == 1
    assert lines[0] == f"missing: {paper.file.name}: the file of document {paper.public_id}"
    assert summary(lines[-1])["wrong"] == 1
    assert Document.objects.filter(pk=paper.pk).exclude(file="").exists()


@pytest.mark.parametrize("harm", ["one bit", "cut off", "longer", "empty", "gone"])
def test_changed_bytes_are_found_by_their_checksum(paper, capsys, harm):
    path = Path(default_storage.path(paper.file.name))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= harm == "one bit"
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(
            {"cut off": data[:-1], "longer": data + b"\0", "empty": b""}.get(harm, data)
        )
    status, lines = sweep(capsys, "--checksums")
    kind = "missing" if harm == "gone" else "changed"
    assert status == 1
    assert lines[0] == f"{kind}: {paper.file.name}: the file of document {paper.public_id}"
    if harm != "gone":
        assert sweep(capsys)[0] == 0  # that they are there is all that is asked


def test_no_family_file_name_is_printed(mia, run_tasks, capsys):
    send(mia, run_tasks, pdf("Mia-biopsy-result.pdf"))
    document = Document.objects.get()
    default_storage.delete(document.file.name)
    _status, lines = sweep(capsys)
    assert len(lines) == 2
    assert "biopsy" not in "\n".join(lines)


# --- temporary files ------------------------------------------------------------------


def test_what_broken_uploads_left_behind(cast, capsys, settings):
    old, young = settings.UPLOADING / "old.upload", settings.UPLOADING / "young.upload"
    for path in (old, young):
        path.write_bytes(b"half a photo")
    (settings.UPLOADING / "drawing").mkdir()
    (settings.UPLOADING / "drawing" / "1.jpg").write_bytes(b"half a picture")
    for path in (old, settings.UPLOADING / "drawing" / "1.jpg", settings.UPLOADING / "drawing"):
        make_older(path, 25)
    make_older(young, 23)

    status, lines = sweep(capsys)
    assert status == 1
    assert lines[:-1] == ["temporary: drawing", "temporary: old.upload"]
    assert old.exists()

    status, lines = sweep(capsys, "--delete")
    assert status == 0
    assert lines[:-1] == ["temporary: drawing, deleted", "temporary: old.upload, deleted"]
    assert [*settings.UPLOADING.iterdir()] == [young]

    sweep(capsys, "--delete", "--older-than", "0")
    assert [*settings.UPLOADING.iterdir()] == []


def test_folder_that_is_still_written_to_is_left(cast, capsys, settings):
    folder = settings.UPLOADING / "drawing"
    folder.mkdir()
    (folder / "30.jpg").write_bytes(b"just now")
    make_older(folder, 48)
    assert sweep(capsys, "--delete")[0] == 0
    assert (folder / "30.jpg").exists()


# --- lost work ------------------------------------------------------------------------


def test_pictures_that_no_task_will_make_are_asked_for_again(mia, run_tasks, capsys):
    assert mia.post(mia.documents, {"files": png()}).status_code == 302
    assert sweep(capsys, "--delete", "--older-than", "0")[0] == 0  # its task waits
    DBTaskResult.objects.all().delete()
    assert sweep(capsys, "--delete")[0] == 0  # sent a moment ago
    document = Document.objects.get()
    assert sweep(capsys, "--older-than", "0") == (
        1,
        [
            f"no pictures: {document.file.name}",
            "stray 0, missing 0, temporary 0, no pictures 1; mended 0, wrong 1",
        ],
    )
    status, lines = sweep(capsys, "--delete", "--older-than", "0")
    assert (status, lines[0]) == (0, f"no pictures: {document.file.name}, will be made again")
    run_tasks()
    assert Document.objects.get().pictures == "ready"
    assert sweep(capsys, "--older-than", "0")[0] == 0


@pytest.mark.parametrize(("lost", "options"), [("all", []), ("one", ["--checksums"])])
def test_lost_pictures_are_made_again(mia, run_tasks, capsys, lost, options):
    document = send(mia, run_tasks, pdf(pages=2))
    before = all_files()
    pictures = sorted(name for name in before if name.startswith("pictures/"))
    for name in pictures if lost == "all" else pictures[:1]:
        default_storage.delete(name)
    if lost == "all":
        default_storage.delete(str(Path(pictures[0]).parent))
    status, lines = sweep(capsys, "--delete", *options)
    assert (status, lines[0]) == (0, f"no pictures: {document.file.name}, will be made again")
    run_tasks()
    assert all_files() == before


def test_pictures_that_cannot_be_made_are_not_asked_for_again(paper, capsys):
    for name in all_files() - {paper.file.name}:
        default_storage.delete(name)
    Document.objects.filter(pk=paper.pk).update(pictures="failed", pages_pictured=0)
    assert sweep(capsys, "--older-than", "0")[0] == 0


def test_documents_that_wait_for_the_scanner_are_said_and_no_fault(paper, capsys):
    Document.objects.filter(pk=paper.pk).update(scan="waiting", pictures="waiting")
    DBTaskResult.objects.all().delete()
    status, lines = sweep(capsys)
    assert status == 0
    assert lines[0].startswith(
        "unscanned: documents wait for the virus scanner: 1, the oldest since"
    )
    assert not DBTaskResult.objects.exists()
    assert sweep(capsys, "--delete")[0] == 0
    assert DBTaskResult.objects.get().task_path.endswith("scan_again")


# --- many -----------------------------------------------------------------------------


def test_few_queries_and_little_memory_for_many(paper, capsys):
    many, ours = 3000, all_files()
    files = Path(default_storage.location) / "documents"
    Document.objects.bulk_create(
        Document(
            member=paper.member,
            sender="practice",
            sending_id=uuid.uuid4(),
            name="x.pdf",
            content_type="application/pdf",
            size=9,
            sha256="0" * 64,
            file=f"documents/{number:032x}",
            pictures="failed",
            sent_at=timezone.now(),
        )
        for number in range(many)
    )
    for number in range(many):
        (files / f"{number:032x}").write_bytes(b"something")
    strays = stored(*(f"documents/{uuid.uuid4().hex}" for _ in range(5)))
    tracemalloc.start()
    with CaptureQueriesContext(connection) as queries:
        status, lines = sweep(capsys)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (status, len(lines)) == (1, len(strays) + 1)
    assert len(queries) < 12
    assert peak < 12_000_000
    Document.objects.exclude(pk=paper.pk).delete()
    status, lines = sweep(capsys, "--delete", "--older-than", "0")
    assert summary(lines[-1])["stray"] == many + len(strays)
    assert all_files() == ours
