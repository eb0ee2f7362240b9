"""Every entry as it stands in the table, bent or not: what cannot be understood is handed on as it is.

Nothing of Django's reading is used, which stops at the first date that is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.audit import chain, keys

_AT_ONCE = 2000
_COLUMNS = (
    "id, {at}, action, outcome, staff_id, account_id, session_id, member_id, object_type, object_id, "
    "{address}, lane, place, mac"
)
_ALL = {
    # Not as a column, whose declared type has Django's converter.
    "sqlite": _COLUMNS.format(at="at || ''", address="client_address"),
    "postgresql": _COLUMNS.format(
        at="to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')",
        address="abbrev(client_address)",
    ),
}
# As Django writes it into SQLite, without the fraction when that is none.
_SQLITE_AT = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d{6})?")


class Entry(NamedTuple):
    head: chain.Head
    at: str
    words: tuple[str, ...]
    ids: tuple[int | None, ...]

    def secret(self, key: keys.Key) -> str:
        return chain.secret(key, self.at, self.words, self.ids)


def entries(connection: BaseDatabaseWrapper, order: str, *, joined: bool = True) -> Iterator[Entry]:
    """All of them, a few at a time, as of one moment. `joined` is False before they have their chain."""
    columns = _ALL[connection.vendor]
    if not joined:
        columns = columns.replace("lane, place, mac", "0, 0, ''")
    with ExitStack() as stack:
        if connection.vendor == "postgresql":
            # A cursor there reads on only inside a transaction; on SQLite one would keep writers out.
            stack.enter_context(transaction.atomic(using=connection.alias))
        else:
            connection.ensure_connection()
            stack.callback(setattr, connection.connection, "text_factory", str)
            connection.connection.text_factory = _text
        with connection.chunked_cursor() as cursor:
            cursor.execute(f"SELECT {columns} FROM audit_auditevent ORDER BY {order}")  # noqa: S608 # ours
            while rows := cursor.fetchmany(_AT_ONCE):
                for row in rows:
                    yield _entry(row)


def _entry(row: tuple[Any, ...]) -> Entry:
    entry_id, at, action, outcome, *ids, object_type, object_id, address, lane, place, mac = row
    words = map(_word, (action, outcome, object_type, object_id))
    plain_address = chain.plain_address(None if address is None else _word(address))
    return Entry(
        chain.Head(_number(lane, -1), _number(place, 0), entry_id, _word(mac)),
        _plain_at(_word(at)),
        (*words, plain_address),
        tuple(number if number is None else _number(number, -1) for number in ids),
    )


def _plain_at(at: str) -> str:
    found = _SQLITE_AT.fullmatch(at)
    return f"{found[1]}T{found[2]}{found[3] or '.000000'}" if found else at


def _word(value: Any) -> str:
    """In SQLite anything may stand in any column."""
    return value if isinstance(value, str) else f"? {value!r}"


def _number(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) else otherwise


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
