"""Where files lie: on the disk for good, or in an S3-compatible store; a file and its row together or not at
all, whatever breaks in between (SECURITY R-UP-6, R-RE-1)."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import OperationalError, connection
from django.test import Client

from households.documents.models import Document
from tests.cast import pick, sign_in, sign_in_as_staff
from tests.files import jpeg, pdf, png

ROOT = Path(__file__).parents[3]
BUCKET = "papers"


@pytest.fixture(autouse=True)
def own_folders(settings, tmp_path):
    """A storage and a folder of uploads that only this test has written to."""
    settings.UPLOADING = tmp_path / "tmp"
    settings.UPLOADING.mkdir()
    settings.FILE_UPLOAD_TEMP_DIR = settings.UPLOADING
    files = settings.STORAGES["default"]
    files = {**files, "OPTIONS": {**files["OPTIONS"], "location": tmp_path / "files"}}
    settings.STORAGES = {**settings.STORAGES, "default": files}


def open_chart(client: Client) -> Client:
    """Mia's, in `client`; `client.documents` is the address of her papers."""
    sign_in(client, "rivera@example.org")
    client.documents = f"/for/{pick(client, 'Mia', '2016/04/27')}/documents/"
    return client


@pytest.fixture
def mia(cast, client):
    return open_chart(client)


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


# --- the disk -------------------------------------------------------------------------


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[list[str]]:
    """What is done to the disk below `folder` and when the database commits, in order."""
    seen: list[str] = []

    def short(path: str) -> str:
        path = os.path.relpath(path, folder)
        path = re.sub(r"[0-9a-f]{32}", "<file>", path)
        return re.sub(r"tmp/[\w.]+", "tmp/<upload>", path)

    fsync, rename, commit = os.fsync, os.rename, connection._commit

    def watched_fsync(descriptor: int) -> None:
        seen.append(f"sync {short(os.readlink(f'/proc/self/fd/{descriptor}'))}")
        fsync(descriptor)

    def watched_rename(old: str, new: str) -> None:
        seen.append(f"move {short(old)} to {short(new)}")
        rename(old, new)

    def watched_commit() -> None:
        seen.append("commit")
        commit()

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", watched_fsync)
        patch.setattr(os, "rename", watched_rename)
        patch.setattr(connection, "_commit", watched_commit)
        yield seen


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks Linux what a file is called")
@pytest.mark.django_db(transaction=True)
def test_file_and_its_name_are_on_the_disk_before_the_row_is(mia, monkeypatch, tmp_path):
    for turn in ("first", "later"):
        with watched(monkeypatch, tmp_path) as seen:
            answer = mia.post(mia.documents, {"files": pdf(pages=2 if turn == "first" else 1)})
        assert answer.status_code == 302
        start = seen.index("move tmp/<upload> to files/documents/<file>")
        new_folders = ["sync files", "sync ."] if turn == "first" else []
        assert seen[start - 1] == "sync tmp/<upload>"
        after = ["sync files/documents/<file>", "sync files/documents", *new_folders, "commit"]
        assert seen[start + 1 : start + 1 + len(after)] == after


def test_files_and_folders_are_for_the_portal_alone(tmp_path):
    name = default_storage.save("documents/a/b", ContentFile(b"x"))
    place = Path(default_storage.path(name))
    while place != tmp_path:
        assert place.stat().st_mode & 0o077 == 0
        place = place.parent


class Breaks(File):
    """A file that cannot be read to its end."""

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        yield b"the first half"
        raise OSError(errno.EIO, "Input/output error")


def test_half_a_file_is_no_file():
    with pytest.raises(OSError, match="Input/output error"):
        default_storage.save("documents/half", Breaks(BytesIO(), "half"))
    assert default_storage.listdir("documents") == ([], [])


def test_none_of_them_has_an_address():
    name = default_storage.save("documents/a", ContentFile(b"x"))
    with pytest.raises(ValueError, match="an address of its own"):
        default_storage.url(name)


# --- faults at every step -------------------------------------------------------------

FULL = OSError(errno.ENOSPC, "No space left on device")


@contextmanager
def fault(monkeypatch: pytest.MonkeyPatch, number: int, kind: str) -> Iterator[SimpleNamespace]:
    """The `number`-th thing done to the disk or the database fails: as on a full disk, with an error from
    the database, or with a line that breaks after the database has committed."""
    state = SimpleNamespace(done=0, hit="")

    def hit(what: str) -> bool:
        state.done += 1
        if state.done != number:
            return False
        state.hit = what
        return True

    def failing(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*args: Any, **options: Any) -> Any:
            if hit(name):
                raise FULL
            return real(*args, **options)

        return call

    commit = connection._commit

    def failing_commit() -> None:
        if not hit("commit"):
            commit()
        elif kind == "line breaks":
            commit()
            # As psycopg and Django do when the server is gone: nothing can be rolled back any more.
            monkeypatch.setattr(connection, "_rollback", lost)
            raise OperationalError("the line broke")
        else:
            raise OperationalError("no room for the commit")

    def lost() -> None:
        monkeypatch.undo()
        raise OperationalError("there is no line")

    def failing_statement(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if hit(sql[:60]):
            raise OperationalError("the database failed")
        return execute(sql, params, many, context)

    with monkeypatch.context() as patch:
        for name in ("rename", "fsync", "chmod", "mkdir", "remove"):
            patch.setattr(os, name, failing(name))
        patch.setattr(connection, "_commit", failing_commit)
        with connection.execute_wrapper(failing_statement):
            yield state


def rows_without_their_file() -> list[str]:
    """Of all documents that say that they have one."""
    wrong = []
    for row in Document.objects.exclude(file=""):
        data = b""
        if default_storage.exists(row.file.name):
            with default_storage.open(row.file.name) as file:
                data = file.read()
        if hashlib.sha256(data).hexdigest() != row.sha256:
            wrong.append(row.file.name)
    return wrong


def files_without_a_row() -> set[str]:
    root = Path(default_storage.location)
    files = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    return {name for name in files if name.startswith("documents/")} - {
        *Document.objects.values_list("file", flat=True)
    }


@pytest.mark.timeout(120)
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["error", "line breaks"])
def test_upload_is_kept_whole_or_not_at_all_whatever_fails(mia, monkeypatch, settings, kind):
    mia.raise_request_exception = False
    mia.post(mia.documents, {"files": pdf()})  # from now on the folder is there
    faults = []
    for number in range(1, 200):
        note = f"fault {number}"
        with fault(monkeypatch, number, kind) as broken:
            answer = mia.post(mia.documents, {"files": png(size=(8, number)), "note": note})
        kept = Document.objects.filter(note=note).count()
        if answer.status_code == 302:
            assert kept == 1
        elif broken.hit in {"rename", "fsync", "chmod", "mkdir"}:
            # The disk's fault is said where the file was, or on a page of its own.
            assert kept == 0
            assert "not kept" in answer.content.decode() or answer.status_code == 507, broken.hit
        assert rows_without_their_file() == [], broken.hit
        assert [*settings.UPLOADING.iterdir()] == [], broken.hit
        strays = files_without_a_row()
        assert not strays or (broken.hit, kind) == ("remove", "error"), broken.hit
        for name in strays:
            default_storage.delete(name)
        if not broken.hit:
            break
        faults.append((broken.hit, answer.status_code, kept))
    assert answer.status_code == 302
    hits = {hit for hit, _status, _kept in faults}
    assert {"fsync", "rename", "chmod", "commit"} <= hits
    assert len(faults) >= 18
    assert any(hit.startswith('INSERT INTO "documents_document"') for hit in hits)
    # Nobody was told that it was kept. Whether it was is up to the database, which the file goes along with.
    commits = [kept for hit, status, kept in faults if (hit, status) == ("commit", 503)]
    assert commits[0] == (0 if kind == "error" else 1)


@pytest.mark.django_db(transaction=True)
def test_commit_that_fails_for_sure_leaves_no_file(mia, monkeypatch):
    mia.raise_request_exception = False
    commit, asked = connection._commit, []

    def no_room() -> None:
        # The one that would have kept the document.
        if Document.objects.exists():
            asked.append("commit")
            raise OperationalError("disk full")
        commit()

    with monkeypatch.context() as patch:
        patch.setattr(connection, "_commit", no_room)
        assert mia.post(mia.documents, {"files": pdf()}).status_code == 503
    assert asked
    assert not Document.objects.exists()
    assert files_without_a_row() == set()


@pytest.mark.timeout(120)
@pytest.mark.django_db(transaction=True)
def test_withdrawal_loses_the_bytes_only_when_it_is_kept(mia, monkeypatch, capsys):
    mia.raise_request_exception = False
    hits = []
    for number in range(1, 200):
        assert mia.post(mia.documents, {"files": png(size=(8, number))}).status_code == 302
        paper = Document.objects.latest("pk")
        with fault(monkeypatch, number, "error") as broken:
            mia.post(f"{mia.documents}{paper.public_id}/withdraw/")
        row = Document.objects.select_related("submission").get(pk=paper.pk)
        assert bool(row.file) == (row.submission.status == "received"), broken.hit
        assert rows_without_their_file() == [], broken.hit
        if files_without_a_row():
            assert broken.hit == "remove"
            call_command("sweep_files", "--delete", "--older-than", "0")
            assert files_without_a_row() == set()
        if not broken.hit:
            break
        hits.append(broken.hit)
    assert (row.submission.status, row.file.name) == ("withdrawn", "")
    assert {"commit", "remove"} <= {*hits}


@pytest.mark.django_db
def test_storage_that_takes_nothing_is_told_to_staff_too(cast, client, monkeypatch):
    def full(*args: Any, **options: Any) -> None:
        raise FULL

    sign_in_as_staff(client)
    form = f"/admin/documents/document/share/{cast.mia.pk}/"
    monkeypatch.setattr(os, "rename", full)
    monkeypatch.setattr(os, "chmod", full)
    answer = client.post(form, {"file": pdf(), "name": "Plan", "sending_id": str(uuid.uuid4())})
    assert "cannot store files at the moment" in answer.content.decode()
    assert not Document.objects.exists()


# --- an S3-compatible store -----------------------------------------------------------


@pytest.fixture(scope="session")
def store() -> Iterator[Any]:
    """A store on this machine, served over HTTP."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    yield server
    server.stop()


def settings_for(**variables: str) -> Any:
    """What portal/settings.py makes of these variables."""
    done = subprocess.run(
        [
            *[sys.executable, "-c"],
            "import json; from portal import settings; print(json.dumps(settings.STORAGES, default=str))",
        ],
        cwd=ROOT,
        env={**os.environ, "PORTAL_LOCAL": "1", **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)["default"]


@pytest.fixture
def bucket(store, settings, monkeypatch) -> Any:
    """The portal keeps its files in this new bucket."""
    import boto3

    endpoint = "http://{}:{}".format(*store.get_host_and_port())
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    made = boto3.resource("s3", endpoint_url=endpoint, region_name="us-east-1").Bucket(BUCKET)
    made.create()
    files = settings_for(PORTAL_S3_BUCKET=BUCKET, PORTAL_S3_ENDPOINT=endpoint)
    local = Path(settings.STORAGES["default"]["OPTIONS"]["location"])
    settings.STORAGES = {**settings.STORAGES, "default": files}
    yield made
    assert not local.exists()  # nothing went to the disk beside it
    assert [*settings.UPLOADING.iterdir()] == []
    made.objects.all().delete()
    made.delete()


def keys(bucket: Any) -> set[str]:
    return {each.key for each in bucket.objects.all()}


@pytest.mark.django_db
def test_whole_errand_with_files_in_a_store(
    bucket, mia, run_tasks, django_capture_on_commit_callbacks
):
    files = [png(size=(60, 40)), jpeg(), pdf(pages=2)]
    sent = {file.name: file.read() for file in files}
    for file in files:
        file.seek(0)
    assert mia.post(mia.documents, {"files": files}).status_code == 302
    papers = {paper.name: paper for paper in Document.objects.all()}
    for name, data in sent.items():
        kept = bucket.Object(f"files/{papers[name].file.name}").get()["Body"].read()
        assert hashlib.sha256(kept).hexdigest() == papers[name].sha256
        assert body(mia.get(f"{mia.documents}{papers[name].public_id}/file/")) == data

    assert mia.get("/readyz").status_code == 200
    run_tasks()
    assert len(keys(bucket)) == 3 + 2 + 2 + 3
    paper = papers["lab.pdf"]
    address = f"{mia.documents}{paper.public_id}/"
    assert mia.get(address).status_code == 200
    for picture in ("thumbnail/", "pages/1/", "pages/2/"):
        assert body(mia.get(f"{address}{picture}")).startswith(b"\xff\xd8\xff")
    part = mia.get(f"{address}file/", headers={"Range": "bytes=5-24"})
    assert (part.status_code, body(part)) == (206, sent["lab.pdf"][5:25])
    head = mia.head(f"{address}file/")
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(sent["lab.pdf"])))

    with django_capture_on_commit_callbacks(execute=True):
        assert mia.post(f"{address}withdraw/").status_code == 302
    assert [key for key in keys(bucket) if Path(paper.file.name).name in key] == []
    assert mia.get(f"{address}file/").status_code == 404


@pytest.mark.django_db
def test_photos_in_a_store_are_joined(bucket, mia, django_capture_on_commit_callbacks):
    mia.post(mia.documents, {"files": [png(size=(60, 40)), jpeg()]})
    first, second = Document.objects.order_by("pk")
    numbers = {f"number-{first.public_id}": 2, f"number-{second.public_id}": 1}
    with django_capture_on_commit_callbacks(execute=True):
        assert mia.post(f"{mia.documents}join/", numbers).status_code == 302
    joined = Document.objects.latest("pk")
    assert keys(bucket) == {f"files/{joined.file.name}"}
    data = body(mia.get(f"{mia.documents}{joined.public_id}/file/"))
    assert hashlib.sha256(data).hexdigest() == joined.sha256


@pytest.mark.django_db
def test_stored_objects_are_private_encrypted_and_of_no_type(bucket, mia):
    mia.post(mia.documents, {"files": png()})
    (key,) = keys(bucket)
    assert re.fullmatch(r"files/documents/[0-9a-f]{32}", key)
    stored = bucket.Object(key)
    assert stored.server_side_encryption == "AES256"
    assert stored.content_type == "application/octet-stream"
    assert [grant["Grantee"].get("URI") for grant in stored.Acl().grants] == [None]


@pytest.mark.django_db
def test_large_file_goes_in_one_piece(bucket, mia):
    """Parts would wait in the worker's memory, and be left behind in the store when it is killed."""
    import pikepdf

    paper, data = pikepdf.new(), BytesIO()
    paper.add_blank_page()
    paper.Root.Large = pikepdf.Stream(paper, os.urandom(12 * 1024 * 1024))
    paper.save(data)
    large = SimpleUploadedFile("large.pdf", data.getvalue(), "application/pdf")
    assert mia.post(mia.documents, {"files": large}).status_code == 302
    (key,) = keys(bucket)
    assert "-" not in bucket.Object(key).e_tag


@pytest.mark.django_db
def test_sweep_finds_both_kinds_of_strays_in_a_store(bucket, mia, run_tasks, capsys):
    mia.post(mia.documents, {"files": [png(size=(8, 9)), png(), jpeg()]})
    run_tasks()
    assert sweep(capsys, "--checksums")[0] == 0
    missing, changed, _fine = Document.objects.order_by("pk")
    bucket.Object(f"files/{missing.file.name}").delete()
    bucket.Object(f"files/{changed.file.name}").put(Body=b"another")
    gone = uuid.uuid4().hex
    for key in (f"files/documents/{gone}", f"files/pictures/{gone}/1.jpg"):
        bucket.Object(key).put(Body=b"stray")
    before = keys(bucket)
    assert sweep(capsys, "--delete")[1][0].startswith("missing:")  # the strays are young
    assert keys(bucket) == before
    status, lines = sweep(capsys, "--delete", "--checksums", "--older-than", "0")
    assert status == 1
    assert lines[:-1] == [
        f"missing: {missing.file.name}: the file of document {missing.public_id}",
        f"changed: {changed.file.name}: the file of document {changed.public_id}",
        f"stray: documents/{gone}, deleted",
        f"stray: pictures/{gone}, deleted",
    ]
    assert keys(bucket) == {key for key in before if gone not in key}


def sweep(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, list[str]]:
    status = 0
    try:
        call_command("sweep_files", *options)
    except SystemExit as end:
        status = int(end.code or 0)
    return status, capsys.readouterr().out.splitlines()


@pytest.mark.django_db
@pytest.mark.parametrize("trouble", ["away", "bucket gone", "refuses"])
def test_store_that_does_not_take_files_is_said_and_keeps_nothing(settings, bucket, mia, trouble):
    options = {**settings.STORAGES["default"]["OPTIONS"]}
    if trouble == "away":
        options["endpoint_url"] = "http://127.0.0.1:9"
    elif trouble == "bucket gone":
        options["bucket_name"] = "another"
    else:
        options["object_parameters"] = {"StorageClass": "NO-SUCH-CLASS"}
    files = {**settings.STORAGES["default"], "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "default": files}
    answer = mia.post(mia.documents, {"files": pdf(), "note": "both sides"})
    text = answer.content.decode()
    assert answer.status_code == 422
    assert "cannot store files at the moment, so this one was not kept" in text
    assert "both sides" in text
    assert not Document.objects.exists()
    assert mia.get("/readyz").status_code == (200 if trouble == "refuses" else 503)


# --- the settings ---------------------------------------------------------------------


def test_missing_package_is_named_with_the_way_to_get_it(tmp_path):
    done = subprocess.run(
        [
            *[sys.executable, "-c"],
            "import sys; sys.modules['boto3'] = None; from portal import settings",
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "PORTAL_LOCAL": "1",
            "PORTAL_DATA": str(tmp_path),
            "PORTAL_S3_BUCKET": BUCKET,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "need requirements/s3.txt: .venv/bin/pip install --require-hashes" in done.stderr


def test_store_settings_by_default_and_for_a_store_that_cannot_encrypt():
    options = settings_for(PORTAL_S3_BUCKET=BUCKET)["OPTIONS"]
    assert (options["endpoint_url"], options["region_name"]) == (None, "us-east-1")
    assert options["object_parameters"]["ServerSideEncryption"] == "AES256"
    options = settings_for(
        PORTAL_S3_BUCKET=BUCKET, PORTAL_S3_REGION="eu-west-1", PORTAL_S3_ENCRYPTION=""
    )["OPTIONS"]
    assert options["region_name"] == "eu-west-1"
    assert "ServerSideEncryption" not in options["object_parameters"]
