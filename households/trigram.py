"""The index by which PostgreSQL finds the middle of a name or an email: of every three letters in a row.

It needs the extension pg_trgm, which comes with PostgreSQL and which a database's owner may create since
version 13. Where that is not allowed the portal does without, as it does on SQLite, and people are found by
the beginnings. Once somebody has created the extension, `manage.py migrate households 0006` and `migrate` put
the index.
"""

from __future__ import annotations

from typing import Any

from django.db import DatabaseError, connection, transaction

_NAME = "member_trigrams"
_COLUMNS = ("last_name_key", "first_name_key", "preferred_name_key", "email_key")
# Shorter texts have no trigram to look up.
SHORTEST = 3
# Whether this database has the index, by its name: asked once in each process.
_known: dict[str, bool] = {}


def has_trigrams() -> bool:
    if connection.vendor != "postgresql":
        return False
    name = str(connection.settings_dict["NAME"])
    if name not in _known:
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [_NAME])
            _known[name] = bool(cursor.fetchone()[0])
    return _known[name]


def put(apps: Any, schema_editor: Any) -> None:
    """For `migrations.RunPython`: the extension and the index, where the database lets us."""
    if schema_editor.connection.vendor != "postgresql":
        return
    columns = ", ".join(f"{column} gin_trgm_ops" for column in _COLUMNS)
    try:
        with transaction.atomic(using=schema_editor.connection.alias):
            schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            schema_editor.execute(
                f"CREATE INDEX IF NOT EXISTS {_NAME} ON households_member USING gin ({columns})"
            )
    except DatabaseError:
        # Not allowed, or not installed there. Nothing else needs it.
        return


def lift(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP INDEX IF EXISTS {_NAME}")
