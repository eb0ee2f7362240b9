"""The triggers that let a signature stand as it was given, for SQLite and PostgreSQL (PRODUCT H4).

It is put under a response of its own member and of nobody else's, and stays there as it is; that it is
voided is written once. A migration that alters Signature must end with
`migrations.RunPython(signed.put, signed.lift)`: SQLite alters a table by building a new one, and the triggers
go with the old. Every statement may be run again without harm. tests/households/intake/asking/ fails when
they are gone.
"""

from __future__ import annotations

from typing import Any

_TABLE = "intake_signature"
_STANDS = (
    *("id", "public_id", "member_id", "response_id", "decision", "text", "text_sha256"),
    *("typed_name", "relationship", "signed_at"),
)
_VOIDED_ONCE = ("voided_at", "voided_by_id", "void_reason")
_SAYS = "A signature stands as it was given: refused"


def _differs(columns: tuple[str, ...], how: str) -> str:
    return " OR ".join(f"NEW.{column} {how} OLD.{column}" for column in columns)


def _changed(how: str) -> str:
    return (
        f"{_differs(_STANDS, how)} OR (OLD.voided_at IS NOT NULL AND "
        f"({_differs(_VOIDED_ONCE, how)}))"
    )


_OF_SOMEBODY_ELSE = (
    "NEW.member_id <> "
    "(SELECT member_id FROM intake_questionnaireresponse WHERE id = NEW.response_id)"
)

_LIFT = {
    "sqlite": [
        "DROP TRIGGER IF EXISTS intake_signature_stands",
        "DROP TRIGGER IF EXISTS intake_signature_given",
    ],
    "postgresql": [
        f"DROP TRIGGER IF EXISTS intake_signature_stands ON {_TABLE}",
        f"DROP TRIGGER IF EXISTS intake_signature_given ON {_TABLE}",
        "DROP FUNCTION IF EXISTS intake_signature_refuse()",
        "DROP FUNCTION IF EXISTS intake_signature_given()",
    ],
}
_PUT = {
    "sqlite": [
        *_LIFT["sqlite"],
        f"CREATE TRIGGER intake_signature_stands BEFORE UPDATE ON {_TABLE} WHEN {_changed('IS NOT')} "
        f"BEGIN SELECT RAISE(ABORT, '{_SAYS}'); END",
        f"CREATE TRIGGER intake_signature_given BEFORE INSERT ON {_TABLE} WHEN {_OF_SOMEBODY_ELSE} "
        f"BEGIN SELECT RAISE(ABORT, '{_SAYS}'); END",
    ],
    "postgresql": [
        *_LIFT["postgresql"],
        "CREATE FUNCTION intake_signature_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{_SAYS}' USING ERRCODE = 'integrity_constraint_violation'; END $$",
        # A trigger's own condition cannot ask another table.
        "CREATE FUNCTION intake_signature_given() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {_OF_SOMEBODY_ELSE} THEN RAISE EXCEPTION '{_SAYS}' "
        "USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$",
        f"CREATE TRIGGER intake_signature_stands BEFORE UPDATE ON {_TABLE} FOR EACH ROW "
        f"WHEN ({_changed('IS DISTINCT FROM')}) EXECUTE FUNCTION intake_signature_refuse()",
        f"CREATE TRIGGER intake_signature_given BEFORE INSERT ON {_TABLE} FOR EACH ROW "
        "EXECUTE FUNCTION intake_signature_given()",
    ],
}


def put(apps: Any, schema_editor: Any) -> None:
    """Put the triggers on the table; for `migrations.RunPython`."""
    for statement in _PUT[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


def lift(apps: Any, schema_editor: Any) -> None:
    for statement in _LIFT[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)
