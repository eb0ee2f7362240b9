"""The audit only grows, whoever asks and however: SECURITY R-AL-3, AL-06."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from accounts import audit
from accounts.audit.models import AuditEvent

pytestmark = pytest.mark.django_db


@pytest.fixture
def entry():
    audit.record(audit.Action.SIGN_IN, "ok", account_id=7)
    return AuditEvent.objects.get()


def save_changed(entry):
    entry.outcome = "refused"
    entry.save()


def run(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


CHANGES = {
    "save": save_changed,
    "queryset update": lambda entry: AuditEvent.objects.update(outcome="refused"),
    "bulk update": lambda entry: AuditEvent.objects.bulk_update([entry], ["outcome"]),
    "raw update": lambda entry: run("UPDATE audit_auditevent SET account_id = NULL"),
    "upsert": lambda entry: AuditEvent.objects.bulk_create(
        [AuditEvent(pk=entry.pk, at=entry.at, action="sign-out")],
        update_conflicts=True,
        update_fields=["action"],
        unique_fields=["id"],
    ),
    "delete": lambda entry: entry.delete(),
    "queryset delete": lambda entry: AuditEvent.objects.all().delete(),
    "raw delete": lambda entry: run("DELETE FROM audit_auditevent"),
}
if connection.vendor == "sqlite":
    CHANGES["replace"] = lambda entry: run(
        "INSERT OR REPLACE INTO audit_auditevent (id, at, action, outcome, object_type, object_id) "
        f"VALUES ({entry.pk}, '2026-01-01', 'sign-out', '', '', '')"
    )
else:
    CHANGES["truncate"] = lambda entry: run("TRUNCATE audit_auditevent")
    CHANGES["truncate cascade"] = lambda entry: run("TRUNCATE audit_auditevent CASCADE")


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_change_is_refused(entry, change):
    before = AuditEvent.objects.values().get()
    with pytest.raises(IntegrityError, match="The audit only grows"), transaction.atomic():
        change(entry)
    assert AuditEvent.objects.values().get() == before


def test_entries_are_added_after_a_refusal(entry):
    with pytest.raises(IntegrityError), transaction.atomic():
        entry.delete()
    audit.record(audit.Action.SIGN_OUT, "signed-out", account_id=7)
    assert AuditEvent.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_migration_can_be_taken_back_and_put_again(entry):
    """And the flush after tests with real transactions leaves the triggers in place: this test and the
    next one would not see them otherwise."""
    MigrationExecutor(connection).migrate([("audit", "0001_initial")])
    try:
        assert AuditEvent.objects.update(outcome="refused") == 1
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes("audit"))
    with pytest.raises(IntegrityError):
        AuditEvent.objects.update(outcome="ok")


@pytest.mark.django_db(transaction=True)
def test_triggers_stand_after_the_tests_own_flush(entry):
    from django.core.management import call_command

    call_command("flush", interactive=False, verbosity=0)
    assert not AuditEvent.objects.exists()
    audit.record(audit.Action.SIGN_IN, "ok")
    with pytest.raises(IntegrityError):
        AuditEvent.objects.all().delete()
