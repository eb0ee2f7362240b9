"""Papers: what may be sent, what comes back, and to whom."""

from __future__ import annotations

import hashlib
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.audit.models import AuditEvent
from households.documents.models import Document
from tests.cast import pick, sign_in
from tests.files import jpeg, pdf, png


@pytest.fixture
def mia(cast, client):
    """A client with Mia's chart open; `client.documents` is the address of her papers."""
    sign_in(client, "rivera@example.org")
    client.documents = f"/for/{pick(client, 'Mia', '2016/04/27')}/documents/"
    return client


def file_of(name: str, data: bytes, content_type: str = "application/pdf") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data, content_type)


def body(answer) -> bytes:
    """Read a streamed answer to its end, which also closes its file."""
    return b"".join(answer.streaming_content)


@pytest.mark.parametrize("make", [pdf, jpeg, png])
def test_sent_file_comes_back_byte_for_byte(mia, make):
    file = make()
    data = file.read()
    file.seek(0)
    answer = mia.post(mia.documents, {"files": file, "note": "front"})
    assert answer.headers["Location"] == mia.documents
    page = mia.get(mia.documents).content.decode()
    assert page.count("data-document") == 1
    assert 'data-status="received"' in page
    assert "Mimi" in re.search(r"data-notice[^>]*>(.*?)<", page)[1]
    document = Document.objects.get()
    assert (document.sha256, document.size) == (hashlib.sha256(data).hexdigest(), len(data))
    got = mia.get(f"{mia.documents}{document.public_id}/file/")
    assert body(got) == data


def test_several_at_once(mia):
    assert mia.post(mia.documents, {"files": [pdf(), jpeg(), png()]}).status_code == 302
    assert Document.objects.count() == 3


def test_one_bad_file_loses_neither_the_others_nor_the_note(mia):
    files = [pdf("good.pdf"), file_of("bad.pdf", b"<html>hello"), png("fine.png")]
    answer = mia.post(mia.documents, {"files": files, "note": "three papers"})
    text = answer.content.decode()
    assert answer.status_code == 422
    assert "bad.pdf" in text
    assert "not really a PDF" in text
    assert "three papers</textarea>" in text
    assert {document.name for document in Document.objects.all()} == {"good.pdf", "fine.png"}
    assert text.count("data-document") == 2


REFUSED = {
    "page as photo": ("a.jpg", b"<html><script>1</script>"),
    "program as PDF": ("a.pdf", b"MZ\x90\x00" + b"\0" * 60),
    "drawing": ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    "page": ("a.html", b"<html>"),
    "zip": ("a.zip", b"PK\x03\x04"),
    "no extension": ("letter", b"%PDF-1.4"),
    "nothing": ("a.pdf", b""),
    "eight bytes of picture": ("a.png", b"\x89PNG\r\n\x1a\n"),
    "PDF behind a page": ("a.pdf", b"<html>" * 150 + b"%PDF-1.4"),
    "picture under another name": ("a.pdf", png().read()),
    "half a PDF": ("a.pdf", b"%PDF-1.4\n1 0 obj"),
    "half a photo": ("a.jpg", jpeg().read()[:200]),
    "locked PDF": ("a.pdf", pdf(password="secret").read()),
}


@pytest.mark.parametrize(("name", "data"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_what_it_says_is_refused(mia, name, data):
    answer = mia.post(mia.documents, {"files": file_of(name, data)})
    assert answer.status_code == 422
    assert "data-error-summary" in answer.content.decode()
    assert not Document.objects.exists()
    assert not AuditEvent.objects.filter(action="send", outcome="ok").exists()


def test_claimed_size_is_read_before_anything_is_decoded(mia):
    """A picture of 400 million pixels in a few bytes."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    huge = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"x") + chunk(b"IEND", b"")
    )
    answer = mia.post(mia.documents, {"files": file_of("huge.png", huge)})
    assert "too many pixels" in answer.content.decode()


def test_limits_of_file_and_household(mia, settings):
    settings.FILE_MB = 0
    assert "larger than" in mia.post(mia.documents, {"files": pdf()}).content.decode()
    settings.FILE_MB = 25
    settings.HOUSEHOLD_FILES = 1
    assert mia.post(mia.documents, {"files": pdf()}).status_code == 302
    assert "is full" in mia.post(mia.documents, {"files": png()}).content.decode()
    assert Document.objects.count() == 1


def test_nothing_chosen_is_said_so_and_the_note_is_kept(mia):
    answer = mia.post(mia.documents, {"note": "the note"})
    assert answer.status_code == 422
    assert "the note</textarea>" in answer.content.decode()
    assert mia.post(mia.documents, {"files": pdf(), "note": "n" * 501}).status_code == 422
    assert not Document.objects.exists()


NAMES = {
    "../../x.pdf": "x.pdf",
    "..\\..\\x.pdf": "x.pdf",
    "a\u202efdp.pdf": "afdp.pdf",
    "\U0001f40b report.pdf": "\U0001f40b report.pdf",
    "<script>alert(1)<script>.pdf": "<script>alert(1)<script>.pdf",
    'a"b.pdf': 'a"b.pdf',
    "CON.pdf": "CON.pdf",
    " .pdf.pdf": "pdf.pdf",
}


@pytest.mark.parametrize(("given", "label"), NAMES.items())
def test_name_is_only_a_clean_label(mia, given, label):
    mia.post(mia.documents, {"files": file_of(given, pdf().read())})
    document = Document.objects.get()
    assert document.name == label
    assert not re.search(r"[\x00-\x1f/\\\u202e]", document.name)
    assert len(document.name) <= 120
    assert re.fullmatch(r"documents/[0-9a-f]{32}", document.file.name)
    got = mia.get(f"{mia.documents}{document.public_id}/file/")
    body(got)
    assert got.headers["Content-Disposition"].startswith("attachment; filename")
    assert "<script>" not in mia.get(mia.documents).content.decode().replace("<script src=", "")


def test_bytes_are_served_as_nothing_but_a_file(mia):
    mia.post(mia.documents, {"files": [pdf(), png()]})
    for document in Document.objects.all():
        address = f"{mia.documents}{document.public_id}/file/"
        for query in ("", "?preview=1"):
            got = mia.get(address + query)
            body(got)
            assert got.headers["Content-Disposition"].startswith("attachment")
            assert got.headers["Content-Type"] == document.content_type
            assert got.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
            assert got.headers["X-Content-Type-Options"] == "nosniff"
            assert got.headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert got.headers["Cache-Control"] == "no-store"
        assert mia.head(address).status_code == 200


@pytest.mark.parametrize(
    "path", ["/media/", "/files/", "/static/../portal.sqlite3", "/static/%2e%2e/secret-key"]
)
def test_stored_files_have_no_address_of_their_own(mia, path):
    mia.post(mia.documents, {"files": pdf()})
    name = Document.objects.get().file.name
    for address in (path, f"{path}{name}", f"/{name}"):
        assert mia.get(address).status_code == 404
        assert Client().get(address).status_code == 404


def test_same_file_of_two_households_is_two_documents(mia):
    mia.post(mia.documents, {"files": pdf()})
    stranger = Client()
    sign_in(stranger, "okafor@example.org")
    theirs = f"/for/{pick(stranger, 'Mia', '2016/04/27')}/documents/"
    assert stranger.get(theirs).content.decode().count("data-document") == 0
    assert stranger.post(theirs, {"files": pdf()}).status_code == 302
    assert Document.objects.count() == 2


def test_full_disk_leaves_no_row_and_says_nothing_was_kept(mia, monkeypatch):
    from django.core.files.storage import FileSystemStorage

    def full(self, name, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FileSystemStorage, "_save", full)
    answer = mia.post(mia.documents, {"files": pdf(), "note": "n"})
    text = answer.content.decode()
    assert answer.status_code == 422
    assert "cannot store files at the moment, so this one was not kept" in text
    assert "\nn</textarea>" in text
    assert not Document.objects.exists()


def test_lost_database_leaves_no_stray_file(mia, monkeypatch, settings):
    before = {path.name for path in (settings.DATA / "files").glob("documents/*")}

    def broken(self, *args, **kwargs):
        raise OSError("the database is gone")

    monkeypatch.setattr(Document, "save", broken)
    mia.raise_request_exception = False
    assert mia.post(mia.documents, {"files": pdf()}).status_code == 500
    assert {path.name for path in (settings.DATA / "files").glob("documents/*")} == before
