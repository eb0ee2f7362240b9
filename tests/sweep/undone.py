"""Trying something out on a database that is as before afterwards, and knowing what it wrote."""

from __future__ import annotations

import re
from typing import Any

from django.db import connection, transaction

from tests.rollback import to_be_undone

WRITES = re.compile(
    r'^\s*(?:INSERT(?: OR \w+)? INTO|UPDATE|DELETE FROM|REPLACE INTO|CREATE|ALTER|DROP)\s+"?(\w+)',
    re.I,
)
# When a session of staff was last used, written once in a while; ending one is another matter.
SEEN = re.compile(r'^\s*UPDATE "accounts_staffsession" SET "last_seen_at" = [^,]+ WHERE')
# What looking leaves behind: the audit of it, when a session was last used, attempts that are counted.
LOOKING = {
    "audit_auditevent",
    "django_session",
    "accounts_throttle",
    "accounts_householdsession",
}
# What a refusal keeps for the family: a closed chart, and typed text on its own page of its own login.
REFUSING = {"households_binding", "households_kepttext"}


class Undone:
    """A block whose writing is taken back. `written`: tables that were written in it, but for what looking
    leaves behind; `changed`: of these, tables beyond what a refusal keeps."""

    def __init__(self) -> None:
        self.tables: list[str] = []
        self._atomic = to_be_undone()
        self._noting: Any = connection.execute_wrapper(self._note)

    def _note(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if (found := WRITES.match(sql)) and not SEEN.match(sql):
            self.tables.append(found[1])
        return execute(sql, params, many, context)

    @property
    def written(self) -> list[str]:
        return [table for table in self.tables if table not in LOOKING]

    @property
    def changed(self) -> list[str]:
        return [table for table in self.written if table not in REFUSING]

    def __enter__(self) -> Undone:
        self._atomic.__enter__()
        self._noting.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._noting.__exit__(*error)
        transaction.set_rollback(True)
        self._atomic.__exit__(*error)
