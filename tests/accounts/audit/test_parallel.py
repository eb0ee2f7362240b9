"""Parallel writers never fork a chain, and none waits for another's transaction: SECURITY R-AL-3."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import settings
from django.db import IntegrityError, OperationalError, connection, transaction

from accounts import audit
from accounts.audit import chain
from accounts.audit.models import AuditEvent
from tests.accounts.audit.chains import rows, run, verify, write
from tests.accounts.audit.writer import write_in_every_way

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]
SQLITE = connection.vendor == "sqlite"
on_postgresql = pytest.mark.skipif(SQLITE, reason="on SQLite writers take turns")
WRITERS = 8


def assert_all_there(committed: int) -> None:
    assert AuditEvent.objects.count() == committed
    assert not AuditEvent.objects.filter(outcome="copy").exists()
    status, lines = verify()
    assert status == 0, lines
    assert "newer than the anchor" not in lines[-1]


def on_own_connection(do, *values):
    try:
        return do(*values)
    finally:
        connection.close()


def test_threads():
    with ThreadPoolExecutor(WRITERS) as threads:
        committed = threads.map(
            lambda seed: on_own_connection(write_in_every_way, seed, 10 if SQLITE else 50),
            range(WRITERS),
        )
        assert_all_there(sum(committed))


def test_processes():
    database = connection.settings_dict
    url = (
        f"sqlite:///{database['NAME']}"
        if SQLITE
        else f"postgresql://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:"
        f"{database['PORT'] or 5432}/{database['NAME']}"
    )
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "PORTAL_DATA": str(settings.DATA),
        "PORTAL_LOCAL": "1",
    }
    connection.close()
    writers = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.accounts.audit.writer",
                str(seed),
                "10" if SQLITE else "50",
            ],
            cwd=Path(__file__).parents[3],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in range(WRITERS)
    ]
    committed = [writer.communicate()[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * WRITERS
    assert_all_there(sum(map(int, committed)))
    if not SQLITE:
        [(lanes,)] = rows("COUNT(DISTINCT lane) FROM audit_auditevent")
        assert lanes > 1


@on_postgresql
def test_nobody_waits_for_an_open_transaction_of_the_same_lane():
    with transaction.atomic():
        write(2)
        [(lane,)] = rows("DISTINCT lane FROM audit_auditevent")

        def another():
            run(f"SET kinchart.audit_lane = '{lane}'")
            begun = time.monotonic()
            write(2)
            return time.monotonic() - begun

        with ThreadPoolExecutor(1) as thread:
            assert thread.submit(on_own_connection, another).result(20) < 5
        write(1)
    found = dict(rows("lane, COUNT(*) FROM audit_auditevent GROUP BY lane"))
    assert found == {lane: 3, (lane + 1) % chain.LANES: 2}
    assert_all_there(5)


@on_postgresql
def test_a_transaction_stays_in_the_lane_it_had_to_take():
    def hold(taken, over):
        with transaction.atomic():
            write(1)
            taken.set()
            over.wait(20)

    write(1)
    [(home,)] = rows("lane FROM audit_auditevent")
    taken, over = threading.Event(), threading.Event()

    def other():
        run(f"SET kinchart.audit_lane = '{home}'")
        hold(taken, over)

    with ThreadPoolExecutor(1) as thread:
        held = thread.submit(on_own_connection, other)
        assert taken.wait(20)
        with transaction.atomic():
            write(1)
            over.set()
            held.result(20)
            write(1)  # the home lane is free again
    assert_all_there(4)
    assert AuditEvent.objects.filter(lane=(home + 1) % chain.LANES).count() == 2


@on_postgresql
def test_with_every_lane_held_a_writer_waits_for_its_own():
    all_lanes = f"pg_advisory_xact_lock({chain._LOCK_CLASS}, n) FROM generate_series(0, 63) AS n"

    def impatient():
        run("SET statement_timeout = '300ms'")
        write(1)

    def patient():
        write(1)

    with ThreadPoolExecutor(2) as threads:
        with transaction.atomic():
            rows(all_lanes)
            with pytest.raises(OperationalError):
                threads.submit(on_own_connection, impatient).result(20)
            waiting = threads.submit(on_own_connection, patient)
            time.sleep(0.2)
            assert not waiting.done()
        waiting.result(20)
    assert_all_there(1)


@on_postgresql
def test_an_older_view_is_refused_and_never_forks():
    """A transaction that fixed its view before another's commit would join its entry to an old end."""
    write(1)
    [(lane,)] = rows("lane FROM audit_auditevent")

    def another():
        run(f"SET kinchart.audit_lane = '{lane}'")
        write(1)

    with pytest.raises(IntegrityError), transaction.atomic():
        run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SELECT 1 FROM audit_auditevent")
        with ThreadPoolExecutor(1) as thread:
            thread.submit(on_own_connection, another).result(20)
        write(1)
    assert_all_there(2)


def test_entries_of_one_transaction_stand_one_behind_the_other():
    with transaction.atomic():
        write(5)
        with pytest.raises(LookupError), transaction.atomic():
            audit.record(audit.Action.VIEW, "copy")
            raise LookupError
        write(5)
    places = rows("lane, place FROM audit_auditevent ORDER BY id")
    assert len({lane for lane, _place in places}) == 1
    assert [place for _lane, place in places] == [*range(1, 11)]
    assert_all_there(10)
