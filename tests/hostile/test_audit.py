"""The audit of a real portal: no entry is lost or doubled by many workers or a killed one, and what somebody
does to the table behind its back is found (SECURITY R-AL-3, R-AL-4, AL-02, AL-04)."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.hostile.conftest import ROSTER, SIZE, set_password
from tests.hostile.test_killed import BROKEN, kill_all, kill_one_worker
from tests.hostile.visitor import Visitor
from tests.real_portal import ROOT, RealPortal, own_database

ACTIONS = 200
TABLE = "audit_auditevent"


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[RealPortal]:
    with own_database("audit") as database_url:
        portal = RealPortal(tmp_path, database_url, **SIZE)
        try:
            portal.start()
            portal.import_roster(ROSTER)
            set_password(portal, "rivera@example.org")
            yield portal
        finally:
            kill_all(portal)


def verify(portal: RealPortal, *options: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "manage.py", "verify_audit", *options],
        cwd=ROOT,
        env=portal.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def bend(portal: RealPortal, *statements: str) -> None:
    """As somebody who owns the database, with the triggers out of the way."""
    if portal.database_url:
        lift = [f"ALTER TABLE {TABLE} DISABLE TRIGGER USER"]
    else:
        triggers = portal.query(
            f"SELECT name FROM sqlite_master WHERE tbl_name = '{TABLE}' AND type = 'trigger'"
        )
        lift = [f"DROP TRIGGER {name}" for (name,) in triggers]
    for statement in [*lift, *statements]:
        portal.query(statement)


def count(portal: RealPortal, action: str) -> int:
    return portal.query(f"SELECT COUNT(*) FROM {TABLE} WHERE action = %s", action)[0][0]


@pytest.mark.timeout(400)
def test_many_workers_a_killed_one_and_a_hand_in_the_database(portal):
    visitor = Visitor(portal).signed_in("rivera@example.org")
    home = visitor.choose("Ava", "2015/03/02")
    views = count(portal, "view")
    visitor.get(home)
    assert count(portal, "view") == views + 1

    # AL-04: 200 parallel actions over four workers.
    with ThreadPoolExecutor(16) as families:
        answers = families.map(lambda _number: visitor.copy().get(home).status, range(ACTIONS))
        assert [*answers] == [200] * ACTIONS
    assert count(portal, "view") == views + 1 + ACTIONS
    status, said = verify(portal)
    assert status == 0, said
    assert "all as they were written" in said

    # Workers killed while they write.
    over, answered = threading.Event(), []

    def look_until() -> None:
        while not over.is_set():
            with contextlib.suppress(*BROKEN):
                answered.append(visitor.copy().get(home).status)

    before = count(portal, "view")
    with ThreadPoolExecutor(8) as families:
        running = [families.submit(look_until) for _family in range(8)]
        for _kill in range(5):
            time.sleep(0.7)
            kill_one_worker(portal)
        time.sleep(0.5)
        over.set()
        for each in running:
            each.result()
    assert answered.count(200) > 20
    assert count(portal, "view") - before >= answered.count(200)
    status, said = verify(portal)
    assert status == 0, said

    # And all at once, as when the machine goes down.
    with ThreadPoolExecutor(4) as families:
        over.clear()
        running = [families.submit(look_until) for _family in range(4)]
        time.sleep(0.5)
        kill_all(portal)
        over.set()
    status, said = verify(portal)
    assert status == 0, said

    # The end is cut while the portal stands still.
    [(last,)] = portal.query(f"SELECT MAX(id) FROM {TABLE}")
    bend(portal, f"DELETE FROM {TABLE} WHERE id > {last - 3}")
    status, said = verify(portal)
    assert status == 1
    assert "cut: " in said
    # Killed between commit and anchor, the anchor may be an entry behind.
    known = [
        int(number) for number in re.findall(r"the anchor knows entry (\d+) as the last", said)
    ]
    assert known
    assert {*known} <= {last - 2, last - 1, last}

    # It is found as well when the portal has gone on since.
    portal.start()
    visitor = Visitor(portal).signed_in("rivera@example.org")
    home = visitor.choose("Ava", "2015/03/02")
    for _look in range(8):
        assert visitor.get(home).status == 200
    status, said = verify(portal)
    assert (status, "cut: " in said) == (1, True), said
    assert verify(portal, "--anchor-anew")[0] == 0
    assert visitor.get(home).status == 200
    status, said = verify(portal)
    assert status == 0, said


@pytest.mark.timeout(200)
def test_a_byte_of_the_database_file(portal):
    """AL-02. On PostgreSQL, whose pages have checksums of their own, the byte is changed by a statement."""
    visitor = Visitor(portal).signed_in("rivera@example.org")
    visitor.choose("Ava", "2015/03/02")
    assert verify(portal)[0] == 0
    assert portal.stop() == 0
    [(entry, mac)] = portal.query(f"SELECT id, mac FROM {TABLE} ORDER BY id LIMIT 1 OFFSET 2")
    if portal.database_url:
        bend(portal, f"UPDATE {TABLE} SET outcome = 'OK' WHERE id = {entry}")
    else:
        file = portal.data / "portal.sqlite3"
        portal.query("PRAGMA wal_checkpoint(TRUNCATE)")
        data = file.read_bytes()
        assert data.count(mac.encode()) == 1
        at = data.index(mac.encode()) - 10
        file.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    status, said = verify(portal)
    assert status in (1, 2), said
    assert f"entry {entry} " in said
