"""Files on their way out of the running portal, alone and behind the nginx that deploy/nginx.conf describes
(SECURITY R-UP-4, R-AU-7, R-RE-8; cases AZ-02, DL, SE-09)."""

from __future__ import annotations

import http.client
import io
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pikepdf
import pytest

from tests import nginx
from tests.hostile.conftest import HOST, ROSTER, assert_log_names_nobody
from tests.hostile.visitor import PASSWORD, STAFF_PASSWORD, Answer, Visitor, encoded, receive
from tests.real_portal import RealPortal, free_port, running_portal


def large_pdf(size: int = 400_000) -> bytes:
    """So many bytes, and a few, that no other PDF has."""
    document, data = pikepdf.new(), io.BytesIO()
    document.add_blank_page()
    document.pages[0].Contents = document.make_stream(b"%" + os.urandom(size // 2).hex().encode())
    document.save(data, compress_streams=False)
    return data.getvalue()


BYTES = large_pdf()
SIZE = len(BYTES)
OURS = {
    "Content-Type": "application/pdf",
    "Content-Disposition": 'attachment; filename="lab.pdf"',
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
ABSURD = [
    "bytes=-",
    "bytes=5-2",
    "bytes=-0",
    f"bytes={2**64}-",
    f"bytes=-{2**64}",
    f"bytes=0-{'9' * 5000}",
    f"bytes={'9' * 5000}-",
    "bytes=\xd9\xa3-",
    "bytes=--1",
    "bytes=1-2-3",
    "bytes= 1 - 2 ",
    "items=0-5",
    "bytes=" + ",".join(["0-"] * 2000),
    "bytes=" + ",".join(f"{n}-{n}" for n in range(1000)),
    "bytes=0-1,-1,,",
]


@dataclass
class Paper:
    """What a family sent: where the family and where staff download it, and where it lies."""

    family: Visitor
    staff: Visitor
    address: str
    admin: str
    stored: str
    etag: str


def send_paper(
    portal: RealPortal, family: Visitor, staff: Visitor, content: bytes = BYTES
) -> Paper:
    home = family.choose("Ava", "2015/03/02")
    answer = family.post(f"{home}documents/", {}, [("files", "lab.pdf", content)])
    assert answer.status == 302, answer.text
    ((pk, public_id, stored, sha256),) = portal.query(
        "SELECT id, public_id, file, sha256 FROM documents_document ORDER BY id DESC LIMIT 1"
    )
    public_id = re.sub(r"^(.{8})-?(.{4})-?(.{4})-?(.{4})-?", r"\1-\2-\3-\4-", str(public_id))
    return Paper(
        family=family,
        staff=staff,
        address=f"{home}documents/{public_id}/file/",
        admin=f"/admin/documents/document/{pk}/download/",
        stored=stored,
        etag=f'"{sha256}"',
    )


def assert_sent_right(paper: Paper) -> None:
    """To the family and to staff: the whole, a part, the end, a HEAD, nothing new, nothing there."""
    asked = {
        (200, "whole"): {},
        (200, "several"): {"Range": "bytes=0-9,20-29"},
        (200, "of another file"): {"Range": "bytes=0-9", "If-Range": '"another"'},
        (206, "part"): {"Range": "bytes=1000-1999"},
        (206, "same file"): {"Range": "bytes=0-9", "If-Range": paper.etag},
        (206, "end"): {"Range": "bytes=-10"},
        (304, "known"): {"If-None-Match": paper.etag},
        (416, "behind the end"): {"Range": f"bytes={SIZE}-"},
    }
    bodies = {
        "whole": BYTES,
        "several": BYTES,
        "of another file": BYTES,
        "part": BYTES[1000:2000],
        "same file": BYTES[:10],
        "end": BYTES[-10:],
        "known": b"",
        "behind the end": b"",
    }
    for visitor, address in ((paper.family, paper.address), (paper.staff, paper.admin)):
        for (status, what), headers in asked.items():
            answer = visitor.request("GET", address, headers=headers)
            assert (answer.status, what) == (status, what)
            assert answer.body == bodies[what]
            assert_harmless(answer, paper)
            where = answer.headers["Content-Range"]
            if status == 206:
                assert re.fullmatch(rf"bytes \d+-\d+/{SIZE}", where)
                assert answer.headers["Content-Length"] == str(len(bodies[what]))
            else:
                assert where == (f"bytes */{SIZE}" if status == 416 else None)
        head = visitor.request("HEAD", address, headers={"Range": "bytes=0-9"})
        assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(SIZE))
        assert_harmless(head, paper)


def assert_harmless(answer: Answer, paper: Paper) -> None:
    assert {name: answer.headers.get_all(name) for name in OURS} == {
        name: [value] for name, value in OURS.items()
    }
    assert answer.headers.get_all("ETag") == [paper.etag]
    if answer.status != 206:  # which says as much by itself; nginx leaves it at that
        assert answer.headers.get_all("Accept-Ranges") == ["bytes"]
    assert "Last-Modified" not in answer.headers


# --- the portal alone -----------------------------------------------------------------


@pytest.fixture
def paper(portal: RealPortal) -> Paper:
    family = Visitor(portal).signed_in("rivera@example.org")
    return send_paper(portal, family, Visitor(portal).sign_in_as_staff())


def test_the_portal_sends_the_right_bytes_under_the_right_headers(paper):
    assert_sent_right(paper)


@pytest.mark.parametrize("asked", ABSURD, ids=range(len(ABSURD)))
def test_absurd_ranges_are_harmless(portal, paper, asked):
    answer = paper.family.request("GET", paper.address, headers={"Range": asked})
    assert answer.status in {200, 206, 416}
    assert answer.body == (b"" if answer.status == 416 else BYTES)
    assert_harmless(answer, paper)


def test_a_kept_line_goes_on_after_parts_heads_and_refusals(portal, paper):
    """The length of each answer is what was sent of it: otherwise the next one begins in the middle."""
    cookies = "; ".join(f"{name}={value}" for name, value in paper.family.cookies.items())
    line = http.client.HTTPConnection("127.0.0.1", portal.port, timeout=30)
    for method, headers, body in (
        ("GET", {"Range": "bytes=5-9"}, BYTES[5:10]),
        ("HEAD", {}, b""),
        ("GET", {"If-None-Match": paper.etag}, b""),
        ("GET", {"Range": f"bytes={SIZE}-"}, b""),
        ("GET", {"Range": "bytes=1-2,4-5"}, BYTES),
        ("GET", {}, BYTES),
    ):
        line.request(method, paper.address, headers={"Cookie": cookies, **headers})
        if line.sock:
            port = line.sock.getsockname()[1]
        assert line.getresponse().read() == body
        assert line.sock, "the portal hung up"
        assert line.sock.getsockname()[1] == port
    line.close()


def test_who_stops_in_the_middle_of_a_download_holds_nothing(portal, paper):
    """Twenty browsers are closed after the first bytes of a file; none of them keeps it open."""
    cookies = "; ".join(f"{name}={value}" for name, value in paper.family.cookies.items())
    request = f"GET {paper.address} HTTP/1.1\r\nHost: 127.0.0.1:{portal.port}\r\nCookie: {cookies}\r\n\r\n"
    for _browser in range(20):
        with socket.create_connection(("127.0.0.1", portal.port), timeout=30) as wire:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            wire.sendall(request.encode())
            assert wire.recv(1000).startswith(b"HTTP/1.1 200")
    give_up = time.monotonic() + 25  # seconds; longer than the portal waits for a silent line
    while (still_open := kept_files_open(portal)) and time.monotonic() < give_up:
        time.sleep(0.1)
    assert still_open == []


def test_forty_slow_downloads_keep_nobody_waiting(portal):
    """RE-08: phones that take next to nothing, on sixteen threads. A download that is slow in its middle
    still comes whole."""
    family = Visitor(portal).signed_in("rivera@example.org")
    content = large_pdf(12_000_000)  # more than the lines between hold by themselves
    paper = send_paper(portal, family, Visitor(portal).sign_in_as_staff(), content)
    cookies = "; ".join(f"{name}={value}" for name, value in family.cookies.items())
    request = (
        f"GET {paper.address} HTTP/1.1\r\nHost: 127.0.0.1:{portal.port}\r\nCookie: {cookies}\r\n"
        "Connection: close\r\n\r\n"
    )
    with ExitStack() as phones:
        lines = []
        for _phone in range(40):
            line = phones.enter_context(socket.socket())
            line.settimeout(60)
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.connect(("127.0.0.1", portal.port))
            line.sendall(request.encode())
            lines.append(line)
        for line in lines:
            assert line.recv(100).startswith(b"HTTP/1.1 200")
        for _try in range(100):  # the background worker may still read it, for its pictures
            if len(kept_files_open(portal)) == 40:
                break
            time.sleep(0.1)
        assert len(kept_files_open(portal)) == 40  # all under way at once
        start = time.monotonic()
        assert Visitor(portal).get("/healthz").status == 200
        assert family.get("/account/").status == 200
        assert family.get(paper.address, Range="bytes=0-9").body == content[:10]
        assert time.monotonic() - start < 5
        lines[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024 * 1024)
        assert receive(lines[0]).endswith(content[-5_000_000:])


def kept_files_open(portal: RealPortal) -> list[str]:
    """The kept files that the web server's processes hold open. The background worker, which makes the
    pictures of what earlier tests sent, is another tree."""
    found = []
    for pid in _tree(portal.process.pid):
        if b"gunicorn" not in Path(f"/proc/{pid}/cmdline").read_bytes():
            continue
        for link in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                target = os.readlink(link)
            except OSError:
                continue
            if target.startswith(str(portal.data / "files")):
                found.append(target)
    return found


def _tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _tree(int(child)))]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_stranger_gets_the_same_404_however_they_ask(portal, paper, method):
    """AZ-02."""
    stranger = Visitor(portal).signed_in("chen@example.org")
    sibling = Visitor(portal).signed_in("rivera@example.org")
    places = [
        (stranger, stranger.choose("Ava", "2015/03/02")),
        (sibling, sibling.choose("Ben", "2017/09/14")),
    ]
    public_id = paper.address.split("/")[-3]
    for visitor, home in places:
        there = f"{home}documents/{public_id}/file/"
        nowhere = f"{home}documents/00000000-0000-4000-8000-000000000000/file/"
        for headers in ({}, {"Range": "bytes=0-9"}, {"If-None-Match": paper.etag}):
            theirs = visitor.request(method, there, headers=headers)
            none = visitor.request(method, nowhere, headers=headers)
            assert (theirs.status, theirs.plain) == (none.status, none.plain)
            assert theirs.status == 404
            assert "ETag" not in theirs.headers


# --- behind the front server ----------------------------------------------------------


class ThroughNginx(Visitor):
    """A browser that knows the portal by its name and speaks TLS."""

    port: int
    certificate: Path

    def __init__(self, portal: RealPortal, **headers: str) -> None:
        super().__init__(portal, Host=HOST, Referer=f"https://{HOST}/", **headers)

    def connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=60, context=self.trusting()
        )

    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificate)


@pytest.fixture(scope="module")
def fronted() -> Iterator[RealPortal]:
    """A portal of one thread behind nginx, with a data folder that nginx's worker may pass through as it
    may on a practice's machine."""
    if not (nginx.NGINX and nginx.OPENSSL):
        pytest.skip("nginx and openssl are not installed here")
    folder = Path(tempfile.mkdtemp(prefix="portal-nginx-"))
    os.chmod(folder, 0o711)
    data = folder / "data"
    data.mkdir()
    if os.geteuid() == 0:
        # What deploy/nginx.conf asks for: `Group=www-data` and `StateDirectoryMode=0710` do this.
        shutil.chown(data, group=nginx.worker())
        os.chmod(data, 0o2710)
    environment = {
        "ALLOWED_HOSTS": HOST,
        "PORTAL_URL": f"https://{HOST}",
        "PORTAL_HTTPS": "1",
        "PORTAL_TRUSTED_PROXIES": "1",
        "PORTAL_SENDFILE": "X-Accel-Redirect",
        "PORTAL_WORKERS": "1",
        "PORTAL_THREADS": "1",
    }
    try:
        with running_portal(data, **environment) as portal:
            ThroughNginx.port = free_port()
            ThroughNginx.certificate, key = nginx.make_certificate(folder, HOST)
            servers = nginx.deployed(
                {
                    "listen 80;": f"listen 127.0.0.1:{free_port()};",
                    "listen 443 ssl": f"listen 127.0.0.1:{ThroughNginx.port} ssl",
                    "/etc/ssl/portal.example.pem": str(ThroughNginx.certificate),
                    "/etc/ssl/private/portal.example.key": str(key),
                    "127.0.0.1:8000": f"127.0.0.1:{portal.port}",
                    "/var/lib/kinchart/files/": f"{data}/files/",
                    "/var/lib/nginx/body": f"{folder}/body",
                    "/var/lib/nginx/proxy": f"{folder}/proxy",
                    "/var/log/nginx/error.log": f"{folder}/error.log",
                }
            )
            subprocess.run(["chmod", "-R", "g+rX", data / "files"], check=True)
            portal.import_roster(ROSTER)
            portal.add_owner("nurse@example.org", STAFF_PASSWORD)
            with nginx.running_nginx(folder, servers):
                visitor = ThroughNginx(portal)
                visitor.post("/password/", {"email": "rivera@example.org"})
                link = portal.next_link("rivera@example.org", [])
                visitor.get(link.removeprefix(f"https://{HOST}"))
                answer = visitor.post(
                    "/password/choose/", {"new_password1": PASSWORD, "new_password2": PASSWORD}
                )
                assert answer.status == 302, answer.text
                yield portal
        assert_log_names_nobody(portal)
        logs = (folder / "error.log").read_text() + (folder / "main.log").read_text()
        assert {word for word in {"/for/", "/password/", *Visitor.secrets} if word in logs} == set()
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def through_nginx(fronted: RealPortal) -> Paper:
    family = ThroughNginx(fronted).signed_in("rivera@example.org")
    return send_paper(fronted, family, ThroughNginx(fronted).sign_in_as_staff())


def test_nginx_sends_the_right_bytes_under_the_portals_headers(fronted, through_nginx):
    paper = through_nginx
    assert_sent_right(paper)
    answer = paper.family.get(paper.address)
    assert "X-Accel-Redirect" not in answer.headers
    page = paper.family.get("/account/")
    for name in (
        "Strict-Transport-Security",
        "Referrer-Policy",
        "Cross-Origin-Opener-Policy",
        "Permissions-Policy",
        "X-Frame-Options",
    ):
        assert answer.headers.get_all(name) == page.headers.get_all(name) is not None, name
    # The portal itself sends a path, and not one byte of the file.
    direct = Visitor(fronted, Host=HOST, X_Forwarded_Proto="https")
    direct.cookies = dict(paper.family.cookies)
    told = direct.get(paper.address)
    assert (told.headers["X-Accel-Redirect"], told.body) == (f"/files/{paper.stored}", b"")


@pytest.mark.parametrize("asked", ABSURD, ids=range(len(ABSURD)))
def test_absurd_ranges_are_harmless_through_nginx(fronted, through_nginx, asked):
    """nginx reads a range with blanks in it, and calls an unreadable one unsatisfiable, where the portal
    ignores both; RFC 9110 allows either."""
    paper = through_nginx
    answer = paper.family.request("GET", paper.address, headers={"Range": asked})
    # nginx takes header lines of 8k.
    assert answer.status in ({200, 206, 416} if len(asked) < 8000 else {200, 400})
    if answer.status in {200, 206}:
        sent = re.fullmatch(rf"bytes (\d+)-(\d+)/{SIZE}", answer.headers["Content-Range"] or "")
        assert answer.body == (BYTES[int(sent[1]) : int(sent[2]) + 1] if sent else BYTES)
        assert (answer.status == 206) == bool(sent)
        assert_harmless(answer, paper)
    else:
        assert b"%PDF" not in answer.body


def test_the_folder_of_files_has_no_address(fronted, through_nginx):
    """DL-02: also for those who may have the file, and who know where it lies."""
    stored = through_nginx.stored
    for path in (
        f"/files/{stored}",
        "/files/",
        "/files",
        f"/%66iles/{stored}",
        f"//files//{stored}",
        f"/static/../files/{stored}",
        f"/static/%2e%2e/files/{stored}",
        f"/files/./{stored}",
        "/files/../portal.sqlite3",
        "/files/..%2fportal.sqlite3",
        "/files%2f..%2fsecret-key",
        "/files../secret-key",
        f"/{stored}",
        f"/data/files/{stored}",
    ):
        for visitor in (through_nginx.family, through_nginx.staff, ThroughNginx(fronted)):
            for headers in ({}, {"X-Accel-Redirect": f"/files/{stored}"}):
                answer = visitor.request("GET", path, headers=headers)
                assert answer.status == 404, (path, answer.status)


def test_a_lost_file_is_the_portals_404(fronted, through_nginx):
    (fronted.data / "files" / through_nginx.stored).unlink()
    answer = through_nginx.family.get(through_nginx.address)
    assert answer.status == 404
    assert "<title>" in answer.text
    assert "nginx" not in answer.text


def test_what_a_client_says_of_its_own_address_is_not_believed(fronted):
    """R-AU-7: the address in the audit, which the throttle counts by, is nginx's word alone."""
    for claimed in ("198.51.100.7", "198.51.100.7, 203.0.113.9", "unknown"):
        visitor = ThroughNginx(
            fronted, X_Forwarded_For=claimed, X_Real_IP=claimed, Forwarded=f"for={claimed}"
        )
        visitor.sign_in("nobody@example.org", "wrong walnut battery 12")
        ((address,),) = fronted.query(
            "SELECT client_address FROM audit_auditevent ORDER BY id DESC LIMIT 1"
        )
        assert str(address).split("/")[0] == "127.0.0.1"
    # Nor what it says of its scheme: the answer to plain http is the way to https.
    plain = Visitor(fronted, Host=HOST)
    assert plain.get("/login/").location == f"https://{HOST}/login/"


def test_slow_uploads_reach_the_portal_when_they_are_whole(fronted):
    """RE-08: four phones on a bad line, and a portal that has one thread for all."""
    family = ThroughNginx(fronted).signed_in("rivera@example.org")
    home = family.choose("Ava", "2015/03/02")
    lines = []
    for number in range(4):
        slow = [("files", f"slow{number}.pdf", large_pdf())]
        body, content_type = encoded([("csrfmiddlewaretoken", family.token())], slow)
        cookies = "; ".join(f"{name}={value}" for name, value in family.cookies.items())
        head = (
            f"POST {home}documents/ HTTP/1.1\r\nHost: {HOST}\r\nReferer: https://{HOST}/\r\n"
            f"Cookie: {cookies}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        wire = socket.create_connection(("127.0.0.1", family.port), timeout=60)
        line = family.trusting().wrap_socket(wire, server_hostname=HOST)
        line.sendall(head.encode() + body[:-10])
        lines.append((line, body[-10:]))
    time.sleep(0.5)
    ((before,),) = fronted.query("SELECT count(*) FROM documents_document")
    assert lines_to(fronted) == 0
    start = time.monotonic()
    assert ThroughNginx(fronted).get("/healthz").status == 200
    assert family.get(home).status == 200
    assert time.monotonic() - start < 5
    for line, rest in lines:
        with line:
            line.sendall(rest)
            assert receive(line).startswith(b"HTTP/1.1 302")
    assert fronted.query("SELECT count(*) FROM documents_document") == [(before + 4,)]


def lines_to(portal: RealPortal) -> int:
    """How many connections the portal has now. State 01 is an established one."""
    table = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{portal.port:04X}") and row[3] == "01" for row in table)


def test_twenty_files_of_the_largest_size_pass_and_more_is_said_by_the_portal(fronted):
    """nginx lets through what the portal allows, and a page of the portal says what is too much."""
    family = ThroughNginx(fronted).signed_in("rivera@example.org")
    home = family.choose("Ava", "2015/03/02")

    def declared(length: int) -> bytes:
        with family.trusting().wrap_socket(
            socket.create_connection(("127.0.0.1", family.port), timeout=60), server_hostname=HOST
        ) as line:
            line.sendall(
                f"POST {home}documents/ HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {length}\r\n"
                "Expect: 100-continue\r\nConnection: close\r\n\r\n".encode()
            )
            return line.recv(20)

    assert declared(20 * 25 * 1024 * 1024 + 100_000).startswith(b"HTTP/1.1 100")
    assert declared(600 * 1024 * 1024).startswith(b"HTTP/1.1 413")


def test_a_long_name_fits_through_nginx(fronted, through_nginx):
    fronted.query(
        "UPDATE documents_document SET name = %s WHERE file = %s",
        "\U0001f40b" * 120,
        through_nginx.stored,
    )
    answer = through_nginx.family.get(through_nginx.address)
    assert (answer.status, answer.body) == (200, BYTES)
    assert answer.headers["Content-Disposition"].count("%F0%9F%90%8B") == 120


def test_an_outage_leaves_no_address_in_a_log(fronted, through_nginx):
    """What nginx wrote is read when it has stopped."""
    assert fronted.stop() == 0
    assert through_nginx.family.get(through_nginx.address).status == 502
    fronted.start()
    assert through_nginx.family.get(through_nginx.address).body == BYTES
