"""The triggers that let the audit only grow (SECURITY R-AL-3), for SQLite and PostgreSQL.

A migration that alters AuditEvent must end with `migrations.RunPython(append_only.put, append_only.lift)`:
SQLite alters a table by building a new one, and the triggers go with the old. Every statement may be run
again without harm. tests/accounts/audit/ fails when they are gone.
"""

from __future__ import annotations

from typing import Any

_TABLE = "audit_auditevent"
_NAMES = ["audit_no_update", "audit_no_delete", "audit_no_replace"]

_NO_REPLACE = (
    f"CREATE TRIGGER audit_no_replace BEFORE INSERT ON {_TABLE} WHEN {{}} "
    "BEGIN SELECT RAISE(ABORT, 'The audit only grows: REPLACE refused'); END"
)

LIFT = {
    "sqlite": [f"DROP TRIGGER IF EXISTS {name}" for name in _NAMES],
    "postgresql": [
        f"DROP TRIGGER IF EXISTS audit_no_change ON {_TABLE}",
        f"DROP TRIGGER IF EXISTS audit_no_truncate ON {_TABLE}",
        "DROP FUNCTION IF EXISTS audit_refuse()",
    ],
}

PUT = {
    "sqlite": [
        *LIFT["sqlite"],
        f"CREATE TRIGGER audit_no_update BEFORE UPDATE ON {_TABLE} "
        "BEGIN SELECT RAISE(ABORT, 'The audit only grows: UPDATE refused'); END",
        f"CREATE TRIGGER audit_no_delete BEFORE DELETE ON {_TABLE} "
        "BEGIN SELECT RAISE(ABORT, 'The audit only grows: DELETE refused'); END",
        # INSERT OR REPLACE removes the old row without asking the DELETE trigger, by any of its keys.
        _NO_REPLACE.format(
            f"EXISTS (SELECT 1 FROM {_TABLE} WHERE id = NEW.id) OR "
            f"EXISTS (SELECT 1 FROM {_TABLE} WHERE lane = NEW.lane AND place = NEW.place)"
        ),
    ],
    "postgresql": [
        *LIFT["postgresql"],
        "CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'The audit only grows: % refused', TG_OP "
        "USING ERRCODE = 'integrity_constraint_violation'; END $$",
        f"CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON {_TABLE} "
        "FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
        f"CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON {_TABLE} "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()",
    ],
}
_PUT_BEFORE_CHAIN = {
    **PUT,
    "sqlite": [
        *PUT["sqlite"][:-1],
        _NO_REPLACE.format(f"EXISTS (SELECT 1 FROM {_TABLE} WHERE id = NEW.id)"),
    ],
}


def put(apps: Any, schema_editor: Any) -> None:
    """Put the triggers on the table; for `migrations.RunPython`."""
    for statement in PUT[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


def put_before_chain(apps: Any, schema_editor: Any) -> None:
    """The same for a table that has no lanes yet: migrations before 0005."""
    for statement in _PUT_BEFORE_CHAIN[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


def lift(apps: Any, schema_editor: Any) -> None:
    for statement in LIFT[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)
