"""What the tests of the audit's chains share: entries, the command, and a hand in the database."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import CommandError, call_command
from django.db import connection

from accounts import audit
from accounts.audit import append_only


def write(count: int, **fields) -> None:
    """That many entries, all that an entry can hold among them."""
    for number in range(count):
        audit.record(
            audit.Action.VIEW,
            "ok",
            staff_id=3,
            account_id=7,
            session_id=9,
            member_id=number,
            object_type="document",
            object_id=f"d{number}",
            **fields,
        )


def verify(*options: str) -> tuple[int, list[str]]:
    """The command's exit status and its lines."""
    said = io.StringIO()
    try:
        call_command("verify_audit", *options, stdout=said)
    except SystemExit as ended:
        return int(str(ended.code)), said.getvalue().splitlines()
    except CommandError as error:
        return error.returncode, [*said.getvalue().splitlines(), str(error)]
    return 0, said.getvalue().splitlines()


@contextmanager
def triggers_lifted() -> Iterator[None]:
    """As somebody who owns the database."""
    run(*append_only.LIFT[connection.vendor])
    try:
        yield
    finally:
        run(*append_only.PUT[connection.vendor])


def bend(*statements: str) -> None:
    with triggers_lifted():
        run(*statements)


def run(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def rows(what: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {what}")
        return cursor.fetchall()
