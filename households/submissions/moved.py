"""The triggers that keep the trail of what was moved as it was written, for SQLite and PostgreSQL
(PRODUCT H4).

A migration that alters Refiling must end with `migrations.RunPython(moved.put, moved.lift)`: SQLite alters a
table by building a new one, and the triggers go with the old. Every statement may be run again without harm.
tests/households/submissions/ fails when they are gone.
"""

from __future__ import annotations

from typing import Any

_TABLE = "submissions_refiling"
_SAYS = "The trail of what was moved stands as it was written: refused"

LIFT = {
    "sqlite": [
        "DROP TRIGGER IF EXISTS submissions_refiling_stands",
        "DROP TRIGGER IF EXISTS submissions_refiling_stays",
    ],
    "postgresql": [
        f"DROP TRIGGER IF EXISTS submissions_refiling_stands ON {_TABLE}",
        "DROP FUNCTION IF EXISTS submissions_refiling_refuse()",
    ],
}
PUT = {
    "sqlite": [
        *LIFT["sqlite"],
        f"CREATE TRIGGER submissions_refiling_stands BEFORE UPDATE ON {_TABLE} "
        f"BEGIN SELECT RAISE(ABORT, '{_SAYS}'); END",
        f"CREATE TRIGGER submissions_refiling_stays BEFORE DELETE ON {_TABLE} "
        f"BEGIN SELECT RAISE(ABORT, '{_SAYS}'); END",
    ],
    "postgresql": [
        *LIFT["postgresql"],
        "CREATE FUNCTION submissions_refiling_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{_SAYS}' USING ERRCODE = 'integrity_constraint_violation'; END $$",
        f"CREATE TRIGGER submissions_refiling_stands BEFORE UPDATE OR DELETE ON {_TABLE} FOR EACH ROW "
        "EXECUTE FUNCTION submissions_refiling_refuse()",
    ],
}


def put(apps: Any, schema_editor: Any) -> None:
    """Put the triggers on the table; for `migrations.RunPython`."""
    for statement in PUT[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


def lift(apps: Any, schema_editor: Any) -> None:
    for statement in LIFT[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)
