"""Migration 0005 gives entries from before their chain, and loses none of them: SECURITY R-AL-3, R-RE-6."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection
from django.db.migrations.executor import MigrationExecutor

from accounts.audit import anchor
from accounts.audit.models import AuditEvent
from tests.accounts.audit.chains import rows, run, verify, write

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]
COLUMNS = (
    "id, at, action, outcome, staff_id, account_id, session_id, member_id, object_type, object_id"
)
OLD = 2500  # more than are joined at once


@pytest.fixture
def before_the_chain():
    MigrationExecutor(connection).migrate([("audit", "0004_staff_lists")])
    yield
    forward()


def forward():
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes("audit"))


def write_as_before(count):
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO audit_auditevent (at, action, outcome, staff_id, account_id, session_id, member_id, "
            "object_type, object_id, client_address) VALUES (%s, 'view', 'ok', NULL, 7, 9, %s, '', '', %s)",
            [
                # Now and then a whole second, and an address of each kind.
                (
                    f"2026-11-0{number % 9 + 1} 10:00:00{'' if number % 7 == 0 else '.000123'}"
                    f"{'' if connection.vendor == 'sqlite' else '+00'}",
                    number,
                    (None, "192.0.2.7", "2001:db8::7")[number % 3],
                )
                for number in range(count)
            ],
        )


def test_entries_of_before_are_joined_and_kept(before_the_chain):
    anchor.path().unlink()
    write_as_before(OLD)
    before = rows(f"{COLUMNS} FROM audit_auditevent ORDER BY id")
    forward()
    assert rows(f"{COLUMNS} FROM audit_auditevent ORDER BY id") == before
    assert verify() == (0, [f"{OLD} entries in 1 lanes: all as they were written."])
    assert anchor.read().lines[0].head.place == OLD
    write(3)
    assert verify()[0] == 0
    for change in ("UPDATE audit_auditevent SET outcome = 'no'", "DELETE FROM audit_auditevent"):
        with pytest.raises(IntegrityError, match="The audit only grows"):
            run(change)


def test_an_empty_audit(before_the_chain):
    anchor.path().unlink()
    forward()
    assert anchor.read().begun.endswith("by the first migration")
    write(3)
    assert verify()[0] == 0


def test_without_the_chain_it_still_only_grows(before_the_chain):
    write_as_before(1)
    with pytest.raises(IntegrityError, match="The audit only grows"):
        run("UPDATE audit_auditevent SET outcome = 'no'")


def test_joining_anew_does_not_hide_what_the_anchor_knows(before_the_chain):
    """Whoever takes the migration back, bends an entry and lets it run again still lacks the old anchor."""
    forward()
    write(5)
    MigrationExecutor(connection).migrate([("audit", "0004_staff_lists")])
    run(
        "DROP TRIGGER audit_no_update"
        if connection.vendor == "sqlite"
        else "DROP TRIGGER audit_no_change ON audit_auditevent"
    )
    run("UPDATE audit_auditevent SET outcome = 'no'")
    forward()
    assert AuditEvent.objects.filter(outcome="no").count() == 5
    assert verify()[0] == 1


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has no REPLACE")
def test_nothing_is_replaced_by_its_place():
    write(2)
    with pytest.raises(IntegrityError, match="The audit only grows"):
        run(
            "INSERT OR REPLACE INTO audit_auditevent (id, at, action, outcome, object_type, object_id, lane, "
            "place, mac) VALUES (99, '2026-01-01', 'sign-out', '', '', '', 0, 1, '')"
        )
    assert AuditEvent.objects.count() == 2
