"""Processes killed in the middle of uploads: what was acknowledged is there, with its bytes; what was not is
absent or whole; and what is left over the sweep clears away (SECURITY R-RE-1, R-UP-6)."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pikepdf
import pytest

from tests.hostile.conftest import ROSTER, SIZE, set_password
from tests.hostile.visitor import Visitor
from tests.real_portal import ROOT, RealPortal, own_database

ROUNDS = 20
# Of these rounds, every tenth kills everything at once: the machine went down.
ALL_AT_ONCE = 10
SENDERS = 5
BROKEN = (OSError, http.client.HTTPException)


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[RealPortal]:
    with own_database("killed") as database_url:
        portal = RealPortal(tmp_path, database_url, **SIZE)
        try:
            portal.start()
            portal.import_roster(ROSTER)
            set_password(portal, "rivera@example.org")
            yield portal
        finally:
            kill_all(portal)


@dataclass
class Sent:
    """What the senders were told, by the note that each paper bears."""

    checksums: dict[str, str] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    broken: int = 0
    sent_again: int = 0
    other: list[str] = field(default_factory=list)


def pdf_of_its_own(ballast: int) -> bytes:
    paper, data = pikepdf.new(), io.BytesIO()
    paper.add_blank_page()
    paper.Root.Ballast = pikepdf.Stream(paper, os.urandom(ballast))
    paper.save(data)
    return data.getvalue()


def send_until(over: threading.Event, visitor: Visitor, home: str, sent: Sent) -> None:
    chance = random.Random()
    while not over.is_set():
        note = uuid.uuid4().hex
        # Some are killed while they come in, some while they are kept.
        paper = pdf_of_its_own(chance.choice([10, 10_000, 500_000]))
        fields = {"note": note, "sending_id": str(uuid.uuid4())}
        sent.checksums[note] = hashlib.sha256(paper).hexdigest()
        for _try in range(20):
            try:
                answer = visitor.post(f"{home}documents/", fields, [("files", "p.pdf", paper)])
            except BROKEN:
                sent.broken += 1
                if chance.random() < 0.3:
                    break  # this family gives up
                sent.sent_again += 1
                time.sleep(0.2)
                continue
            if answer.status == 302:
                sent.acknowledged.add(note)
            else:
                sent.other.append(f"{answer.status} {answer.location}")
            break


def below(pid: int) -> list[int]:
    """The processes that this one has started, and theirs."""
    found = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += [int(child), *below(int(child))]
    return found


def kill(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_all(portal: RealPortal) -> None:
    """As when the machine goes down: nobody has time for a last word."""
    kill([portal.process.pid, *below(portal.process.pid)])
    portal.process.wait()


def kill_one_worker(portal: RealPortal) -> None:
    """One of the web workers, or what it has started."""
    for server in below(portal.process.pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if b"gunicorn" in Path(f"/proc/{server}/cmdline").read_bytes() and below(server):
                kill([random.choice(below(server))])
                return


def wait_for_more(sent: Sent) -> None:
    """Until some more were acknowledged, and then to anywhere in the middle of the next ones."""
    before, last_moment = len(sent.acknowledged), time.monotonic() + 5
    while len(sent.acknowledged) < before + 3 and time.monotonic() < last_moment:
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.1))


def sweep(portal: RealPortal, *options: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, "manage.py", "sweep_files", "--older-than", "0", *options],
        cwd=ROOT,
        env=portal.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.splitlines() or [done.stderr]


def left_over(portal: RealPortal) -> set[str]:
    """Files that no row names, and temporary ones."""
    rows = {name for (name,) in portal.query("SELECT file FROM documents_document")}
    kept = portal.data / "files"
    files = {
        path.relative_to(kept).as_posix()
        for path in (kept / "documents").rglob("*")
        if path.is_file()
    }
    temporary = {path.name for path in (portal.data / "tmp").iterdir()}
    return (files - rows) | temporary


@pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="looks for processes as Linux has them"
)
@pytest.mark.timeout(240)
def test_killed_in_the_middle_of_uploads(portal):
    sent, over = Sent(), threading.Event()
    visitor = Visitor(portal).signed_in("rivera@example.org")
    home = visitor.choose("Ava", "2015/03/02")
    with ThreadPoolExecutor(SENDERS) as senders:
        running = [
            senders.submit(send_until, over, visitor.copy(), home, sent) for _ in range(SENDERS)
        ]
        try:
            for number in range(1, ROUNDS + 1):
                wait_for_more(sent)
                if number % ALL_AT_ONCE:
                    kill_one_worker(portal)
                else:
                    kill_all(portal)
                    portal.start()
        finally:
            over.set()
        for each in running:
            each.result()
    kill_all(portal)
    portal.start()  # by itself, with no hand work
    assert Visitor(portal).get("/login/").status == 200
    kill_all(portal)

    said = f"{len(sent.acknowledged)} acknowledged, {sent.broken} broken off, {sent.other[:3]}"
    assert sent.other == [], said
    assert len(sent.acknowledged) > ROUNDS, said
    assert sent.broken >= ROUNDS // 4, said
    assert sent.sent_again, said

    rows = portal.query("SELECT note, file, sha256 FROM documents_document")
    notes = [note for note, _file, _checksum in rows]
    assert len(notes) == len({*notes}), "sent again is kept once"
    assert sent.acknowledged - {*notes} == set()
    for note, file, checksum in rows:
        data = (portal.data / "files" / file).read_bytes()
        assert hashlib.sha256(data).hexdigest() == checksum == sent.checksums[note]

    before = left_over(portal)
    status, lines = sweep(portal, "--delete", "--checksums")
    assert status == 0, lines
    assert {re.split(": |, ", line)[0] for line in lines[:-1]} <= {"stray", "temporary"}, lines
    deleted = {line.split(": ")[1].partition(",")[0] for line in lines[:-1]}
    assert before == {name for name in deleted if not name.startswith("pictures/")}
    assert left_over(portal) == set()
    assert sweep(portal, "--checksums")[0] == 0
