"""Taking files in: what is kept while a form comes, of whom, and what is let go (SECURITY R-UP-2)."""

from __future__ import annotations

import base64
import datetime
import hashlib
import time
from functools import partial
from pathlib import Path

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from accounts.models import HouseholdSession
from households.documents import receiving
from households.documents.models import Document
from tests.bench.uploads import large_pdf
from tests.cast import pick, sign_in, sign_in_as_staff
from tests.files import pdf

MB = 1024 * 1024


@pytest.fixture(autouse=True)
def uploading(settings, tmp_path) -> Path:
    """The folder for files on their way; empty when the request is over."""
    settings.UPLOADING = tmp_path / "uploading"
    settings.UPLOADING.mkdir()
    yield settings.UPLOADING
    assert not settings.UPLOADING.exists() or list(settings.UPLOADING.iterdir()) == []


@pytest.fixture
def mia(cast, client):
    """A client with Mia's chart open; `client.documents` is the address of her papers."""
    sign_in(client, "rivera@example.org")
    client.documents = f"/for/{pick(client, 'Mia', '2016/04/27')}/documents/"
    return client


def paper(name: str, size: int) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, large_pdf(size), "application/pdf")


def test_a_full_disk_is_said_so_and_the_note_is_shown(mia, monkeypatch):
    """/dev/full is a disk that is."""
    full = partial(Path("/dev/full").open, "wb", buffering=0)
    monkeypatch.setattr(receiving.tempfile, "NamedTemporaryFile", lambda **_: full())
    answer = mia.post(mia.documents, {"files": [pdf("a.pdf"), pdf("b.pdf")], "note": "left knee"})
    text = answer.content.decode()
    assert answer.status_code == 507
    assert "There is no room for files now" in text
    assert ">left knee</textarea>" in text
    assert not Document.objects.exists()


def test_no_room_for_the_name_of_a_file_either(mia, monkeypatch):
    def full(**_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(receiving.tempfile, "NamedTemporaryFile", full)
    assert mia.post(mia.documents, {"files": pdf(), "note": "n"}).status_code == 507
    assert not Document.objects.exists()


def test_a_disk_that_fills_up_while_it_syncs(mia, monkeypatch):
    """Some file systems say only then that there is no room."""

    def full(_file):
        raise OSError(122, "Disk quota exceeded")

    monkeypatch.setattr(receiving.os, "fsync", full)
    answer = mia.post(mia.documents, {"files": pdf(), "note": "left knee"})
    assert answer.status_code == 507
    assert "left knee" in answer.content.decode()
    assert not Document.objects.exists()


def test_the_limit_is_exact_and_only_the_file_over_it_is_refused(mia, settings):
    settings.FILE_MB = 1
    files = [paper("over.pdf", MB + 1), paper("exact.pdf", MB), pdf("small.pdf")]
    answer = mia.post(mia.documents, {"files": files, "note": "left knee"})
    text = answer.content.decode()
    assert answer.status_code == 422
    assert "larger than 1 MB" in text
    assert "left knee" in text
    kept = dict(Document.objects.values_list("name", "size"))
    assert set(kept) == {"exact.pdf", "small.pdf"}
    assert kept["exact.pdf"] == MB


def test_files_over_the_limit_are_let_go_while_they_come(mia, settings, uploading, monkeypatch):
    """Not kept until the end and refused then."""
    settings.FILE_MB = 1
    on_disk = []
    receive = receiving.ReceivingHandler.receive_data_chunk

    def watched(self, data, start):
        receive(self, data, start)
        on_disk.append(sum(path.stat().st_size for path in uploading.iterdir()))

    monkeypatch.setattr(receiving.ReceivingHandler, "receive_data_chunk", watched)
    mia.post(mia.documents, {"files": paper("over.pdf", 5 * MB)})
    assert max(on_disk) <= MB
    assert on_disk[-1] == 0


def test_files_beyond_twenty_are_told_apart_and_the_first_twenty_kept(mia):
    files = [pdf(f"{number}.pdf", pages=number) for number in range(1, 24)]
    answer = mia.post(mia.documents, {"files": files, "note": "many"})
    assert answer.status_code == 422
    assert answer.content.decode().count("Only 20 files can be sent in one go") == 3
    kept = set(Document.objects.values_list("name", flat=True))
    assert kept == {f"{number}.pdf" for number in range(1, 21)}


def test_a_hundred_files_are_no_familys(mia):
    assert mia.post(mia.documents, {"files": [pdf() for _ in range(101)]}).status_code == 400
    assert not Document.objects.exists()


def test_what_is_kept_is_what_came_whatever_the_pieces(mia):
    piece = receiving.ReceivingHandler.chunk_size
    for size in (piece - 300, piece, piece + 1, 3 * piece + 17):
        file = paper(f"{size}.pdf", size)
        data = file.read()
        file.seek(0)
        assert mia.post(mia.documents, {"files": file}).status_code == 302
        kept = Document.objects.get(name=f"{size}.pdf")
        assert kept.sha256 == hashlib.sha256(data).hexdigest()
        with kept.file.open() as stored:
            assert stored.read() == data


def test_pieces_are_hashed_in_their_order(mia, monkeypatch):
    """Each in whatever thread is free."""
    monkeypatch.setattr(receiving.ReceivingHandler, "chunk_size", 4096)
    data = large_pdf(4 * MB)
    file = SimpleUploadedFile("a.pdf", data, "application/pdf")
    assert mia.post(mia.documents, {"files": file}).status_code == 302
    assert Document.objects.get().sha256 == hashlib.sha256(data).hexdigest()


def test_a_part_in_base64_is_kept_as_what_it_stands_for(mia):
    data = large_pdf(2 * MB)
    lines = base64.encodebytes(data).replace(b"\n", b"\r\n   ")
    body = (
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.pdf"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n" + lines + b"\r\n--x--\r\n"
    )
    answer = mia.post(mia.documents, body, content_type="multipart/form-data; boundary=x")
    assert answer.status_code == 302
    assert Document.objects.get().sha256 == hashlib.sha256(data).hexdigest()


# --- whose files are kept -------------------------------------------------------------
# Without a folder for them, each file that the portal begins to keep is an error.


@pytest.fixture
def no_folder(uploading):
    uploading.rmdir()


def sent_to(client, address: str):
    return client.post(address, {"files": pdf(), "note": "left knee"})


def test_files_of_who_is_signed_in_are_kept(mia, no_folder):
    """What the tests below rely on."""
    with pytest.raises(FileNotFoundError):
        sent_to(mia, mia.documents)


@pytest.mark.parametrize("cookie", ["", "made-up", "a" * 43, '"\\"'])
def test_files_of_nobody_are_not_kept(mia, no_folder, cookie):
    mia.cookies["family"] = cookie
    assert sent_to(mia, mia.documents).headers["Location"].startswith("/login/")
    assert sent_to(mia, "/login/").status_code == 422
    assert sent_to(mia, "/admin/login/").status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"ended_at": timezone.now(), "end": "idle"},
        {"last_seen_at": timezone.now() - datetime.timedelta(days=1)},
        {"signed_in_at": timezone.now() - datetime.timedelta(days=1)},
    ],
    ids=["ended", "idle", "old"],
)
def test_files_of_an_ended_session_are_not_kept_and_its_text_is(mia, no_folder, change):
    HouseholdSession.objects.update(**change)
    assert sent_to(mia, mia.documents).headers["Location"].startswith("/login/")
    sign_in(mia, "rivera@example.org")
    key = pick(mia, "Mia", "2016/04/27")
    assert "left knee" in mia.get(f"/for/{key}/documents/").content.decode()


def test_files_of_a_paused_login_are_not_kept(mia, cast, no_folder):
    cast.rivera.is_active = False
    cast.rivera.save()
    assert sent_to(mia, mia.documents).headers["Location"].startswith("/login/")


def test_each_doors_cookie_keeps_no_files_at_the_other(mia, no_folder):
    assert sent_to(mia, "/admin/").headers["Location"].startswith("/admin/login/")
    del mia.cookies["family"]
    sign_in_as_staff(mia)
    assert sent_to(mia, mia.documents).headers["Location"].startswith("/login/")
    with pytest.raises(FileNotFoundError):
        sent_to(mia, "/admin/")


@pytest.mark.parametrize("what", ["seen", "began"])
def test_files_of_staff_who_were_away_are_not_kept(cast, client, no_folder, what):
    sign_in_as_staff(client)
    session = SessionStore(client.cookies["staff"].value)
    session[what] = time.time() - 100_000
    session.save()
    assert sent_to(client, "/admin/").headers["Location"].startswith("/admin/login/")
