"""What the virus scanner says of a file, and everything else that it may say or do instead (R-UP-5, UP-06).

The daemon is ClamAV's own; only its failures are acted by others where it cannot be made to fail so.
"""

from __future__ import annotations

import io
import logging
import socket
import time
from pathlib import Path

import pytest

from accounts.audit.models import AuditEvent
from households.documents import scanner
from households.documents.models import Document
from households.documents.scanner import scan
from portal.settings import _socket_address
from tests.cast import pick, sign_in, sign_in_as_staff
from tests.clamav import EICAR, infected_pdf, pretender, running_clamd
from tests.files import pdf
from tests.pages import fields_of, text_of
from tests.real_portal import free_port

Scan = Document.Scan


def said_of(data: bytes) -> Document.Scan:
    return scan(io.BytesIO(data))


def warnings_in(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


# --- where it is ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("", None),
        ("/run/clamav/clamd.ctl", "/run/clamav/clamd.ctl"),
        ("unix:/run/clamd", "/run/clamd"),
        ("unix:///run/clamd", "/run/clamd"),
        ("localhost:3310", ("localhost", 3310)),
        ("tcp://10.1.2.3:3310", ("10.1.2.3", 3310)),
        ("[::1]:3310", ("::1", 3310)),
    ],
)
def test_address_is_a_path_or_a_host_and_a_port(given, address):
    assert _socket_address("PORTAL_SCANNER", given) == address


@pytest.mark.parametrize(
    "given",
    ["clamd", "3310", "on", "/run/", "host:", "host:0", "host:99999", "unix:clamd", "http://x:1"],
)
def test_address_that_is_none_is_refused_and_says_why(given):
    with pytest.raises(Exception, match="PORTAL_SCANNER has to be a path such as /run/") as refused:
        _socket_address("PORTAL_SCANNER", given)
    assert type(refused.value).__name__ == "ImproperlyConfigured"
    assert f"“{given}”" in str(refused.value)


# --- what the daemon says -------------------------------------------------------------


def test_without_a_scanner_nothing_is_scanned(settings):
    assert settings.SCANNER is None
    assert said_of(EICAR) is Scan.OFF


def test_clean_and_found(clamd):
    assert said_of(b"a letter") is Scan.CLEAN
    assert said_of(pdf().read()) is Scan.CLEAN
    assert said_of(EICAR) is Scan.FOUND
    assert said_of(infected_pdf().read()) is Scan.FOUND
    assert said_of(b"") is Scan.CLEAN


def test_over_a_port_too(scanner_set_to):
    with running_clamd(port=free_port()) as daemon:
        scanner_set_to(daemon.address)
        assert said_of(b"a letter") is Scan.CLEAN
        assert said_of(EICAR) is Scan.FOUND


def test_large_file_goes_in_pieces_and_is_found_at_its_end(clamd):
    class Watched(io.BytesIO):
        most = 0

        def read(self, size: int | None = -1) -> bytes:
            piece = super().read(size)
            self.most = max(self.most, len(piece))
            return piece

    file = Watched(bytes(20_000_000) + EICAR)
    assert scan(file) is Scan.FOUND
    assert file.most <= 1_000_000


# --- what else it may do --------------------------------------------------------------


def test_file_over_its_own_limit_is_not_scanned_and_holds_up_no_other(scanner_set_to, caplog):
    with running_clamd(StreamMaxLength="1M") as daemon:
        scanner_set_to(daemon.address)
        large = bytes(5_000_000)
        assert [said_of(large), said_of(b"a letter"), said_of(EICAR)] == [
            Scan.WAITING,
            Scan.CLEAN,
            Scan.FOUND,
        ]
    assert len(warnings_in(caplog)) == 1
    assert "Is its StreamMaxLength below PORTAL_FILE_MB?" in warnings_in(caplog)[0]


def test_stopped_scanner_is_waited_for_and_warned_of_once(clamd, caplog, a_while_later):
    clamd.stop()
    assert [said_of(b"a letter"), said_of(EICAR)] == [Scan.WAITING, Scan.WAITING]
    a_while_later()
    assert said_of(b"a letter") is Scan.WAITING
    assert len(warnings_in(caplog)) == 1
    assert "the virus scanner: it does not answer (" in warnings_in(caplog)[0]
    clamd.start()
    a_while_later()
    assert said_of(b"a letter") is Scan.CLEAN
    clamd.stop()
    assert said_of(b"a letter") is Scan.WAITING
    assert len(warnings_in(caplog)) == 2, "the next outage is told of too"


def test_hanging_scanner_costs_two_seconds_once(clamd):
    clamd.hang()
    began = time.monotonic()
    assert said_of(b"a letter") is Scan.WAITING
    assert time.monotonic() - began < 4
    began = time.monotonic()
    for _file in range(20):
        assert said_of(b"a letter") is Scan.WAITING
    assert time.monotonic() - began < 1


def test_address_where_nobody_is(scanner_set_to, tmp_path):
    for address in (str(tmp_path / "nobody"), ("127.0.0.1", free_port()), "/" + "x" * 200):
        scanner_set_to(address)
        (tmp_path / "scanner-outage").unlink(missing_ok=True)
        assert said_of(b"a letter") is Scan.WAITING


def test_an_outage_that_cannot_be_remembered_loses_no_upload(scanner_set_to, settings, tmp_path):
    settings.DATA = tmp_path / "gone"
    settings.SCANNER = str(tmp_path / "nobody")
    assert [said_of(b"a letter"), said_of(b"a letter")] == [Scan.WAITING, Scan.WAITING]


def read_all(line: socket.socket) -> None:
    """Take the file to its end, as the daemon does."""
    while size := int.from_bytes(line.recv(4, socket.MSG_WAITALL), "big"):
        line.recv(size, socket.MSG_WAITALL)


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"\0",
        b"OK\0",
        b"stream: OK",
        b"stream: OK\n",
        b" stream: OK\0",
        b"stream: ok\0",
        b"stream: NOT OK\0",
        b"stream: OK\0stream: OK\0",
        b"INSTREAM size limit exceeded. ERROR\0",
        b"stream: Can't allocate memory ERROR\0",
        b"UNKNOWN COMMAND\0",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"stream: Something FOUND",
        b"x" * 100_000,
        bytes(range(256)),
    ],
)
def test_any_other_answer_means_not_scanned(scanner_set_to, reply):
    def answer(line: socket.socket) -> None:
        read_all(line)
        line.sendall(reply)

    with pretender(answer) as address:
        scanner_set_to(address)
        assert said_of(b"a letter" * 1000) is Scan.WAITING


@pytest.mark.parametrize("reply", [b"", b"stream: OK\0"])
def test_closing_before_the_whole_file_came_means_not_scanned(scanner_set_to, reply):
    def answer(line: socket.socket) -> None:
        line.recv(1000)
        line.sendall(reply)

    with pretender(answer) as address:
        scanner_set_to(address)
        assert said_of(bytes(5_000_000)) is Scan.WAITING


@pytest.mark.parametrize("drip", [b"", b"."])
def test_daemon_that_never_comes_to_an_end_is_left(scanner_set_to, monkeypatch, drip):
    """With less patience than the portal's own, for the test's sake."""
    monkeypatch.setattr(scanner, "_SCAN_SECONDS", 0.5)

    def answer(line: socket.socket) -> None:
        read_all(line)
        for _second in range(30):
            line.sendall(drip)
            time.sleep(0.1)

    with pretender(answer) as address:
        scanner_set_to(address)
        began = time.monotonic()
        assert said_of(b"a letter") is Scan.WAITING
        assert time.monotonic() - began < 2


def test_the_log_says_nothing_of_what_it_answered(scanner_set_to, caplog):
    def answer(line: socket.socket) -> None:
        read_all(line)
        line.sendall(b"stream: Mia Rivera's letter ERROR\0")

    with pretender(answer) as address:
        scanner_set_to(address)
        said_of(b"a letter")
    assert len(warnings_in(caplog)) == 1
    assert "Mia" not in caplog.text


# --- through the pages ----------------------------------------------------------------


def kept_files() -> list[Path]:
    from django.conf import settings
    from django.core.files.storage import default_storage

    folders = [Path(default_storage.path("documents")), settings.UPLOADING]
    return [path for folder in folders for path in folder.glob("*")]


def test_family_is_told_what_was_found_and_nothing_is_kept(cast, client, clamd):
    sign_in(client, "rivera@example.org")
    documents = f"/for/{pick(client, 'Mia', '2016/04/27')}/documents/"
    before = kept_files()
    answer = client.post(documents, {"files": [infected_pdf(), pdf("clean.pdf")], "note": "both"})
    assert answer.status_code == 422
    assert "found something harmful in this file, so it was not kept" in text_of(answer)
    document = Document.objects.get()
    assert (document.name, document.scan) == ("clean.pdf", Scan.CLEAN)
    assert len(kept_files()) == len(before) + 1
    found = AuditEvent.objects.get(action="scan")
    assert (found.outcome, found.member_id) == ("found", cast.mia.pk)
    # What is harmful is refused as what it is not, before it is scanned.
    alone = infected_pdf("eicar.pdf")
    alone.file = io.BytesIO(EICAR)
    alone.size = len(EICAR)
    assert "not really a PDF" in text_of(client.post(documents, {"files": alone}))
    assert Document.objects.count() == 1


def test_staff_share_nothing_harmful_either(cast, client, clamd):
    sign_in_as_staff(client)
    page = f"/admin/documents/document/share/{cast.mia.pk}/"
    before = kept_files()
    answer = client.post(page, fields_of(client.get(page), file=infected_pdf()))
    assert "found something harmful in this file, so it was not kept" in text_of(answer)
    assert not Document.objects.exists()
    assert kept_files() == before
    found = AuditEvent.objects.get(action="scan")
    assert (found.staff_id, found.member_id) == (cast.nurse_staff.pk, cast.mia.pk)
