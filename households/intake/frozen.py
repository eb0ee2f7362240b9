"""The trigger that keeps what was published as it was asked, for SQLite and PostgreSQL.

A migration that alters QuestionnaireVersion must end with `migrations.RunPython(frozen.put, frozen.lift)`:
SQLite alters a table by building a new one, and the trigger goes with the old. Every statement may be run
again without harm. tests/households/intake/definitions/ fails when it is gone.
"""

from __future__ import annotations

from typing import Any

_TABLE = "intake_questionnaireversion"
_FROZEN = ("questionnaire_id", "number", "version", "definition", "sha256")
_SAYS = "A published version is frozen: UPDATE refused"
_THAWS = "(OLD.status <> 'draft' AND NEW.status = 'draft')"

_LIFT = {
    "sqlite": ["DROP TRIGGER IF EXISTS intake_version_frozen"],
    "postgresql": [
        f"DROP TRIGGER IF EXISTS intake_version_frozen ON {_TABLE}",
        "DROP FUNCTION IF EXISTS intake_version_refuse()",
    ],
}
_PUT = {
    "sqlite": [
        *_LIFT["sqlite"],
        f"CREATE TRIGGER intake_version_frozen BEFORE UPDATE ON {_TABLE} WHEN {_THAWS} OR ("
        "OLD.status <> 'draft' AND ("
        + " OR ".join(f"NEW.{column} IS NOT OLD.{column}" for column in _FROZEN)
        + f")) BEGIN SELECT RAISE(ABORT, '{_SAYS}'); END",
    ],
    "postgresql": [
        *_LIFT["postgresql"],
        "CREATE FUNCTION intake_version_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{_SAYS}' USING ERRCODE = 'integrity_constraint_violation'; END $$",
        f"CREATE TRIGGER intake_version_frozen BEFORE UPDATE ON {_TABLE} FOR EACH ROW WHEN ({_THAWS} OR ("
        "OLD.status <> 'draft' AND ("
        + " OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in _FROZEN)
        + "))) EXECUTE FUNCTION intake_version_refuse()",
    ],
}


def put(apps: Any, schema_editor: Any) -> None:
    """Put the trigger on the table; for `migrations.RunPython`."""
    for statement in _PUT[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


def lift(apps: Any, schema_editor: Any) -> None:
    for statement in _LIFT[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)
