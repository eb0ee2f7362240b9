"""Files on their way out: which bytes, under which headers, and to whom not at all (R-UP-4, R-UP-5)."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.http import Http404
from django.test import Client, RequestFactory

from accounts.audit.models import AuditEvent
from households.documents import renditions
from households.documents.models import Document
from households.documents.serving import file_response, picture_response
from tests.cast import pick, sign_in, sign_in_as_staff
from tests.files import pdf, png

BYTES = png(size=(64, 48), colour="plum").read()
SIZE = len(BYTES)
OURS = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Accept-Ranges": "bytes",
    "Content-Type": "image/png",
    "Content-Disposition": 'attachment; filename="card.png"',
}


@pytest.fixture
def paper(cast, client) -> Document:
    """A picture on Mia's chart, which `client` has open."""
    sign_in(client, "rivera@example.org")
    client.documents = f"/for/{pick(client, 'Mia', '2016/04/27')}/documents/"
    file = png(size=(64, 48), colour="plum")
    assert client.post(client.documents, {"files": file}).status_code == 302
    return Document.objects.get()


@pytest.fixture
def address(client, paper) -> str:
    return f"{client.documents}{paper.public_id}/file/"


@pytest.fixture
def etag(paper) -> str:
    return f'"{paper.sha256}"'


def body(answer: Any) -> bytes:
    """What would go over the line; read to the end, which also closes the file."""
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def plain(answer: Any) -> str:
    """A page without its tokens, which differ each time."""
    return re.sub(r'(value|nonce)="[\w-]{36,}"', "", answer.content.decode())


def kept_files_open() -> list[str]:
    """The kept files that this process holds open."""
    links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    targets = [os.readlink(link) for link in links if os.path.islink(link)]
    return [target for target in targets if "/files/" in target]


# --- ranges ---------------------------------------------------------------------------

PARTS = {
    "bytes=0-0": (0, 1),
    "bytes=0-9": (0, 10),
    "bytes=10-19": (10, 20),
    "bytes=5-": (5, SIZE),
    "bytes=-7": (SIZE - 7, SIZE),
    f"bytes=0-{SIZE - 1}": (0, SIZE),
    f"bytes={SIZE - 1}-": (SIZE - 1, SIZE),
    "BYTES=3-4": (3, 5),
    "  bytes=3-4  ": (3, 5),
    "bytes=0003-00004": (3, 5),
    # The end is where the file ends, however far the range goes.
    f"bytes=3-{SIZE}": (3, SIZE),
    f"bytes=3-{2**64}": (3, SIZE),
    f"bytes=3-{'9' * 5000}": (3, SIZE),
    f"bytes=-{SIZE + 1}": (0, SIZE),
    f"bytes=-{'9' * 5000}": (0, SIZE),
    f"bytes={'0' * 5000}5-6": (5, 7),
}


@pytest.mark.parametrize(("asked", "part"), PARTS.items(), ids=range(len(PARTS)))
def test_a_range_brings_these_bytes_and_no_others(client, address, asked, part):
    answer = client.get(address, headers={"Range": asked})
    assert answer.status_code == 206
    assert body(answer) == BYTES[slice(*part)]
    assert answer.headers["Content-Range"] == f"bytes {part[0]}-{part[1] - 1}/{SIZE}"
    assert answer.headers["Content-Length"] == str(part[1] - part[0])
    assert kept_files_open() == []


BEHIND_THE_END = [
    f"bytes={SIZE}-",
    f"bytes={SIZE}-{SIZE + 5}",
    "bytes=-0",
    "bytes=-000",
    f"bytes={2**64}-",
    f"bytes={2**63}-{2**64}",
    f"bytes={'9' * 5000}-",
    f"bytes={'9' * 4000}-{'9' * 4000}",
]


@pytest.mark.parametrize("asked", BEHIND_THE_END, ids=range(len(BEHIND_THE_END)))
def test_a_range_behind_the_end_is_416_and_tells_the_size(client, address, asked):
    answer = client.get(address, headers={"Range": asked})
    assert (answer.status_code, body(answer)) == (416, b"")
    assert answer.headers["Content-Range"] == f"bytes */{SIZE}"
    assert answer.headers["Content-Length"] == "0"


NO_RANGE = [
    "",
    "bytes",
    "bytes=",
    "bytes=-",
    "bytes=--5",
    "bytes=5",
    "bytes=5-2",
    "bytes=-5-",
    "bytes=1-2-3",
    "bytes=+1-2",
    "bytes=1.0-2",
    "bytes=0x1-2",
    "bytes= 1-2",
    "bytes=1 - 2",
    "bytes = 1-2",
    "bytes=a-b",
    "bytes=٣-٤",
    "bytes=1-2\x00",
    "bytes:1-2",
    "items=1-2",
    "none",
    # Several: the whole file, however many.
    "bytes=0-1,3-4",
    "bytes=0-1, -1",
    "bytes=0-1,",
    "bytes=,",
    "bytes=" + ",".join(["0-"] * 1500),
    "bytes=" + ",".join(f"{n}-{n}" for n in range(1000)),
]


@pytest.mark.parametrize("asked", NO_RANGE, ids=range(len(NO_RANGE)))
def test_what_is_not_one_range_brings_the_whole_file(client, address, asked):
    answer = client.get(address, HTTP_RANGE=asked)
    assert (answer.status_code, body(answer)) == (200, BYTES)
    assert "Content-Range" not in answer.headers


def test_pieces_put_together_are_the_file(client, address):
    pieces = [
        body(client.get(address, headers={"Range": f"bytes={start}-{start + 16}"}))
        for start in range(0, SIZE, 17)
    ]
    assert b"".join(pieces) == BYTES


def test_a_part_is_sent_only_of_the_file_that_was_meant(client, address, etag):
    def asked(if_range: str) -> tuple[int, bytes]:
        answer = client.get(address, headers={"Range": "bytes=0-3", "If-Range": if_range})
        return answer.status_code, body(answer)

    assert asked(etag) == (206, BYTES[:4])
    for other in (
        '"another"',
        f"W/{etag}",
        etag.strip('"'),
        "*",
        "",
        "Wed, 18 Nov 2026 00:00:00 GMT",
    ):
        assert asked(other) == (200, BYTES), other


# --- conditions, HEAD -----------------------------------------------------------------


def test_what_the_browser_has_is_not_sent_again_to_its_owner(client, address, etag):
    for known in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        answer = client.get(address, headers={"If-None-Match": known, "Range": "bytes=0-3"})
        assert (answer.status_code, body(answer)) == (304, b""), known
        assert answer.headers["ETag"] == etag
        assert answer.headers["Content-Length"] == str(SIZE)
    for unknown in ('"x"', etag.strip('"'), '"', "", ",,,", "W/", etag.upper()):
        answer = client.get(address, headers={"If-None-Match": unknown})
        assert (answer.status_code, body(answer)) == (200, BYTES), unknown


def test_another_file_than_the_one_expected_is_412(client, address, etag):
    for expected, status in ((etag, 200), ("*", 200), ('"x"', 412), (f"W/{etag}", 412)):
        answer = client.get(address, headers={"If-Match": expected})
        assert answer.status_code == status, expected
        assert body(answer) == (BYTES if status == 200 else b"")


def test_a_tag_opens_nothing(cast, client, paper, etag):
    """AZ-02: who may not have the document learns nothing from its tag, whoever has the same file."""
    stranger, sibling = Client(), Client()
    sign_in(stranger, "okafor@example.org")
    sign_in(sibling, "rivera@example.org")
    mias = f"/for/{pick(stranger, 'Mia', '2016/04/27')}/documents/"
    leos = f"/for/{pick(sibling, 'Leo', '2018/09/03')}/documents/"
    stranger.post(mias, {"files": png(size=(64, 48), colour="plum")}, follow=True)
    unknown = "00000000-0000-4000-8000-000000000000"
    for who, documents in ((stranger, mias), (sibling, leos)):
        for headers in ({"If-None-Match": etag}, {"If-None-Match": "*"}, {"Range": "bytes=0-3"}):
            for ask in (who.get, who.head):
                refused = ask(f"{documents}{paper.public_id}/file/", headers=headers)
                random = ask(f"{documents}{unknown}/file/", headers=headers)
                assert refused.status_code == random.status_code == 404
                assert plain(refused) == plain(random)
                assert "ETag" not in refused.headers
    assert not AuditEvent.objects.filter(action="download").exists()


def test_head_says_what_get_would_and_opens_nothing(client, address, monkeypatch):
    got = client.get(address)
    body(got)
    from django.core.files.storage import FileSystemStorage

    monkeypatch.setattr(FileSystemStorage, "_open", None)
    for headers in ({}, {"Range": "bytes=0-3"}, {"Range": f"bytes={SIZE}-"}):
        seen = client.head(address, headers=headers)
        assert (seen.status_code, seen.content) == (200, b"")
        different = {"Set-Cookie", "X-Request-ID"}
        assert {k: v for k, v in seen.items() if k not in different} == {
            k: v for k, v in got.items() if k not in different
        }


def test_each_way_of_asking_is_in_the_audit(client, address, etag):
    for ask, headers in (
        (client.get, {}),
        (client.head, {}),
        (client.get, {"Range": "bytes=0-3"}),
        (client.get, {"If-None-Match": etag}),
    ):
        before = AuditEvent.objects.filter(action="download", outcome="ok").count()
        body(ask(address, headers=headers))
        assert AuditEvent.objects.filter(action="download", outcome="ok").count() == before + 1


# --- headers --------------------------------------------------------------------------

ANSWERS = {
    200: {},
    206: {"Range": "bytes=0-3"},
    304: {"If-None-Match": "*"},
    412: {"If-Match": '"x"'},
    416: {"Range": f"bytes={SIZE}-"},
}


@pytest.mark.parametrize("way", ["", "X-Accel-Redirect", "X-Sendfile"])
@pytest.mark.parametrize(("status", "headers"), ANSWERS.items())
def test_every_answer_has_the_headers_that_make_a_file_harmless(
    client, paper, address, etag, status, headers, way, settings
):
    """DL-01, for the family and for staff, and HEAD too."""
    settings.SENDFILE = way
    staff = Client()
    sign_in_as_staff(staff)
    download = f"/admin/documents/document/{paper.pk}/download/"
    for ask, where in ((client, address), (staff, download)):
        for method in (ask.get, ask.head):
            answer = method(where, headers=headers)
            body(answer)
            # With a header for the front server it looks at the range itself.
            ranged = status in {206, 416} and (method == ask.head or (way and status == 206))
            assert answer.status_code == (200 if ranged else status)
            if way in answer.headers:
                assert "Accept-Ranges" not in answer.headers  # the front server's to say
                answer.headers["Accept-Ranges"] = "bytes"
            assert {name: answer.headers[name] for name in OURS} == OURS
            assert answer.headers["ETag"] == etag


NAMES = {
    "plain.pdf": 'attachment; filename="plain.pdf"',
    'quo"te\\.pdf': 'attachment; filename="quo\\"te\\\\.pdf"',
    "semi;colon, =.pdf": 'attachment; filename="semi;colon, =.pdf"',
    "Ärzte.pdf": "attachment; filename*=utf-8''%C3%84rzte.pdf",
    "\U0001f40b.pdf": "attachment; filename*=utf-8''%F0%9F%90%8B.pdf",
    # None of these is kept as a name (UP-13); should one be there, the header is whole all the same.
    "a\r\nSet-Cookie: family=x.pdf": 'attachment; filename="aSet-Cookie: family=x.pdf"',
    "a.pdf\n": 'attachment; filename="a.pdf"',
    "a\u202efdp.exe": 'attachment; filename="afdp.exe"',
    "a\x00b\x7f.pdf": 'attachment; filename="ab.pdf"',
    "a\ud800.pdf": 'attachment; filename="a.pdf"',
    "\n": 'attachment; filename="document"',
    "": 'attachment; filename="document"',
}


@pytest.mark.parametrize(("name", "header"), NAMES.items(), ids=[ascii(name) for name in NAMES])
def test_any_name_makes_a_well_formed_header(name, header):
    storage = InMemoryStorage()
    answer = file_response(
        RequestFactory().get("/"),
        storage=storage,
        name=storage.save("a", ContentFile(b"12345")),
        content_type="application/pdf",
        filename=name,
        as_attachment=True,
    )
    assert answer.headers["Content-Disposition"] == header
    assert body(answer) == b"12345"


def test_120_whales_fit_the_header(client, paper, address):
    Document.objects.filter(pk=paper.pk).update(name="\U0001f40b" * 120)
    answer = client.get(address)
    body(answer)
    assert answer.headers["Content-Disposition"].count("%F0%9F%90%8B") == 120


# --- nobody opens these ---------------------------------------------------------------


@pytest.mark.parametrize("way", ["", "X-Accel-Redirect"])
@pytest.mark.parametrize("scan", [Document.Scan.WAITING, Document.Scan.FOUND])
def test_quarantine_is_opened_by_nobody(client, paper, address, scan, way, settings):
    settings.SENDFILE = way
    Document.objects.filter(pk=paper.pk).update(scan=scan)
    staff = Client()
    sign_in_as_staff(staff)
    download = f"/admin/documents/document/{paper.pk}/download/"
    for ask, where in ((client, address), (staff, download)):
        for headers in ANSWERS.values():
            for method in (ask.get, ask.head):
                answer = method(where, headers=headers)
                assert answer.status_code == 404
                assert not {"ETag", "X-Accel-Redirect"} & {*answer.headers}
    paper.refresh_from_db()
    with pytest.raises(Http404):
        picture_response(RequestFactory().get("/"), paper, renditions.thumbnail_name(paper))
    assert not AuditEvent.objects.filter(action="download").exists()


def test_a_withdrawn_file_is_not_there(client, paper, address):
    Document.objects.filter(pk=paper.pk).update(file="")
    assert client.get(address).status_code == 404


def _gone(path: Path) -> None:
    path.unlink()


def _cut_short(path: Path) -> None:
    path.write_bytes(BYTES[:-1])


@pytest.mark.parametrize("way", ["", "X-Accel-Redirect"])
@pytest.mark.parametrize(
    ("damage", "what"),
    [(_gone, "is missing"), (_cut_short, f"has {SIZE - 1} bytes instead of {SIZE}")],
)
def test_a_lost_file_is_a_404_and_a_line_in_the_log_that_names_nobody(
    client, paper, address, damage, what, way, settings, caplog
):
    settings.SENDFILE = way
    damage(Path(paper.file.path))
    for ask in (client.get, client.head):
        caplog.clear()
        assert ask(address).status_code == 404
        (line,) = (each for each in caplog.records if each.name.endswith("documents.serving"))
        assert line.levelname == "WARNING"
        assert line.getMessage() == (
            f"A kept file {what}. `manage.py sweep_files --checksums` names it."
        )
    assert not AuditEvent.objects.filter(action="download").exists()


def test_what_cannot_be_recorded_is_not_sent(client, address, monkeypatch):
    def broken(*args: Any, **kwargs: Any) -> None:
        raise OSError("the database is gone")

    monkeypatch.setattr("accounts.audit.record", broken)
    client.raise_request_exception = False
    # A HEAD: the file of an answer that never goes out is closed only when Python lets go of it, and warns.
    answer = client.head(address)
    assert answer.status_code == 500
    assert "ETag" not in answer.headers


# --- pictures -------------------------------------------------------------------------


def test_pictures_of_pages_are_shown_in_place_as_jpeg(paper):
    name = renditions.page_name(paper, 2)
    paper.file.storage.save(name, ContentFile(b"\xff\xd8\xff picture"))
    for asked, status, sent in (
        ({}, 200, b"\xff\xd8\xff picture"),
        ({"Range": "bytes=0-2"}, 206, b"\xff\xd8\xff"),
    ):
        answer = picture_response(RequestFactory().get("/", headers=asked), paper, name)
        assert (answer.status_code, body(answer)) == (status, sent)
        answer.close()
        assert {name: answer.headers[name] for name in OURS} == {
            **OURS,
            "Content-Type": "image/jpeg",
            "Content-Disposition": 'inline; filename="card 2.jpg"',
        }
    with pytest.raises(Http404):
        picture_response(RequestFactory().get("/"), paper, renditions.page_name(paper, 3))


# --- how the bytes go -----------------------------------------------------------------


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client's connection: the server's end and the client's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@contextmanager
def keeping_the_connection() -> Iterator[None]:
    """Django's handler lets go of the database between requests, and with it of the test's transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.parametrize(("asked", "part"), [("", (0, SIZE)), ("bytes=10-29", (10, 30))])
def test_the_web_server_sends_it_by_sendfile(client, address, line, asked, part):
    """Through Django's own WSGI handler and gunicorn's own writer, which tells whether it was sendfile(2)."""
    from django.core.handlers.wsgi import WSGIHandler
    from gunicorn.config import Config
    from gunicorn.http.wsgi import FileWrapper, Response

    class Asked:
        method, version = "GET", (1, 1)

        def should_close(self) -> bool:
            return False

    ours, theirs = line
    response = Response(Asked(), ours, Config())
    page = client.get(client.documents)
    environ = {
        **page.wsgi_request.environ,
        "PATH_INFO": address,
        "HTTP_RANGE": asked,
        "wsgi.file_wrapper": FileWrapper,
    }
    with keeping_the_connection():
        answer = WSGIHandler()(environ, response.start_response)
        assert isinstance(answer, FileWrapper)
        assert len(kept_files_open()) == 1
        assert response.sendfile(answer) is True
        answer.close()
    assert kept_files_open() == []
    ours.shutdown(socket.SHUT_WR)
    head, _, sent = b"".join(iter(lambda: theirs.recv(65536), b"")).partition(b"\r\n\r\n")
    assert sent == BYTES[slice(*part)]
    assert f"Content-Length: {part[1] - part[0]}".encode() in head


def test_a_store_without_files_sends_the_same_bytes():
    storage = InMemoryStorage()
    data = os.urandom(200_000)
    name = storage.save("a", ContentFile(data))

    def answer(**headers: str) -> Any:
        return file_response(
            RequestFactory().get("/", headers=headers),
            storage=storage,
            name=name,
            content_type="application/pdf",
            filename="a.pdf",
            as_attachment=True,
        )

    pieces = list(answer().streaming_content)
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= 64 * 1024
    assert body(answer(Range="bytes=70000-140000")) == data[70_000:140_001]


def test_a_front_server_is_told_the_path_of_a_file_on_this_machine(
    client, paper, address, settings
):
    settings.SENDFILE = "X-Accel-Redirect"
    for headers in ({}, {"Range": "bytes=0-3"}):
        answer = client.get(address, headers=headers)
        assert (answer.status_code, body(answer)) == (200, b"")
        assert answer.headers["X-Accel-Redirect"] == f"/files/{paper.file.name}"
        assert "Content-Range" not in answer.headers
    settings.SENDFILE = "X-Sendfile"
    answer = client.get(address)
    assert (answer.headers["X-Sendfile"], body(answer)) == (paper.file.path, b"")
    for headers in ({"If-None-Match": "*"}, {"Range": f"bytes={SIZE}-"}):
        assert "X-Sendfile" not in client.get(address, headers=headers).headers
    assert "X-Sendfile" not in client.head(address).headers

    storage = InMemoryStorage()
    elsewhere = file_response(
        RequestFactory().get("/"),
        storage=storage,
        name=storage.save("a", ContentFile(b"12345")),
        content_type="application/pdf",
        filename="a.pdf",
        as_attachment=True,
    )
    assert body(elsewhere) == b"12345"
    assert "X-Sendfile" not in elsewhere.headers


def test_a_file_of_each_type_is_served_as_that_type(client, paper):
    client.post(client.documents, {"files": pdf()})
    sent = Document.objects.exclude(pk=paper.pk).get()
    answer = client.get(f"{client.documents}{sent.public_id}/file/")
    assert body(answer).startswith(b"%PDF-")
    assert answer.headers["Content-Type"] == "application/pdf"
