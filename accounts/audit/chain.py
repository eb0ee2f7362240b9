"""How one entry of the audit is joined to the one before it (SECURITY R-AL-3).

    secret  HMAC-SHA256 of all that the entry says, with the audit's key; not kept anywhere
    mac     the key's mark, "-", SHA-256 of: secret, mac of the entry before, lane, place, id

Who lacks the key can compute no secret, so no mac either: neither of an entry of their own, nor of one that
is to follow another than it did. The mac is computed by the statement that writes the entry, which alone
knows what was written last; so writing stays one statement, and nobody can come between.

Entries stand in lanes, each a chain of its own, in places numbered from 1 without a gap. On SQLite, where
writers take turns anyway, there is one. On PostgreSQL there are LANES: a transaction keeps its lane for
itself until it ends, and another one meanwhile takes the next free lane, so that nobody waits. Should two
ever want one place, the table's own constraint refuses the second.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any, NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.audit import keys

LANES = 64
# Of advisory locks; nothing else in the portal takes any.
_LOCK_CLASS = 0x0A0D17


class Head(NamedTuple):
    """Where an entry stands. `place` 0 is before the first of its lane."""

    lane: int
    place: int = 0
    entry_id: int = 0
    mac: str = ""


def secret(key: keys.Key, at: str, words: Sequence[str], ids: Sequence[int | None]) -> str:
    """`at` in UTC as 2026-11-27T19:30:00.000000; `words` are action, outcome, type and id of the object, and
    address (see `plain_address`); `ids` are of staff, account, session and member."""
    said = json.dumps([1, at, *words, *ids], separators=(",", ":"))
    return hmac.digest(key.secret, said.encode(), "sha256").hex()


def plain_address(text: str | None) -> str:
    """The same for every spelling of an address; what is none stays as it is, and equals nobody's."""
    if text is None:
        return ""
    try:
        address = ip_address(text)
    except ValueError:
        return f"? {text}"
    return f"{address.packed.hex()}{getattr(address, 'scope_id', None) or ''}"


def link(secret: str, mac_before: str, lane: int, place: int, entry_id: int) -> str:
    said = f"{secret} {mac_before} {lane} {place} {entry_id}"
    return hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()


# Written by hand: every page writes an entry, and building this statement anew cost a twentieth of it.
_COLUMNS = (
    "at, action, outcome, staff_id, account_id, session_id, member_id, object_type, object_id, "
    "client_address"
)
_SQLITE = f"""
INSERT INTO audit_auditevent (id, {_COLUMNS}, lane, place, mac)
SELECT next.id, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 0, next.place,
       %s || '-' || audit_link(%s, next.mac_before, 0, next.place, next.id)
FROM (SELECT COALESCE((SELECT MAX(id) FROM audit_auditevent), 0) + 1 AS id,
             COALESCE(last.place, 0) + 1 AS place, COALESCE(last.mac, '') AS mac_before
      FROM (SELECT 1) LEFT JOIN (SELECT place, mac FROM audit_auditevent WHERE lane = 0
                                 ORDER BY place DESC LIMIT 1) AS last) AS next
RETURNING lane, place, id, mac
"""
_POSTGRESQL = """
SELECT * FROM audit_append(%s::timestamptz, %s, %s, %s::bigint, %s::bigint, %s::bigint, %s::bigint,
                           %s, %s, %s::inet, %s, %s)
"""


def append(
    connection: BaseDatabaseWrapper, values: Sequence[Any], key: keys.Key, secret: str
) -> Head:
    """Write the entry with these values, in the order of the columns, behind the last one. Raises what the
    database raises."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            _teach(connection)
            cursor.execute(_SQLITE, [*values, key.mark, secret])
        else:
            cursor.execute(_POSTGRESQL, [*values, key.mark, secret])
        # All of it, and not the one row: SQLite has then ended the statement.
        [row] = cursor.fetchall()
    return Head(*row)


def _teach(connection: Any) -> None:
    """Let SQLite's statement compute the link; once for each connection."""
    raw = connection.connection
    if getattr(connection, "_knows_audit_link", None) is not raw:
        raw.create_function("audit_link", 5, link, deterministic=True)
        connection._knows_audit_link = raw


# Each statement in the function sees what was committed before it began, and the lock is given back after the
# commit of whoever held it: so the last entry that is read under the lock is the last there is. A transaction
# that had fixed its view before would read an older one, and be refused by the constraint on (lane, place).
#
# A rollback to a savepoint takes back the lock, the setting and the entry alike where they are younger.
PUT = {
    "sqlite": [],
    "postgresql": [
        f"""
CREATE OR REPLACE FUNCTION audit_append(
    new_at timestamptz, new_action text, new_outcome text, new_staff bigint, new_account bigint,
    new_session bigint, new_member bigint, new_object_type text, new_object_id text, new_address inet,
    key_mark text, secret text,
    OUT new_lane int, OUT new_place bigint, OUT new_id bigint, OUT new_mac text
) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    -- The lane of this transaction, if it wrote an entry before.
    first int := COALESCE(NULLIF(current_setting('kinchart.audit_lane', true), '')::int,
                          pg_backend_pid() % {LANES});
    last_place bigint;
    last_mac text;
BEGIN
    FOR step IN 0..{LANES - 1} LOOP
        IF pg_try_advisory_xact_lock({_LOCK_CLASS}, (first + step) % {LANES}) THEN
            new_lane := (first + step) % {LANES};
            EXIT;
        END IF;
    END LOOP;
    IF new_lane IS NULL THEN
        PERFORM pg_advisory_xact_lock({_LOCK_CLASS}, first);
        new_lane := first;
    END IF;
    PERFORM set_config('kinchart.audit_lane', new_lane::text, true);
    SELECT place, mac INTO last_place, last_mac FROM audit_auditevent
    WHERE lane = new_lane ORDER BY place DESC LIMIT 1;
    new_place := COALESCE(last_place, 0) + 1;
    new_id := nextval('audit_auditevent_id_seq');
    new_mac := key_mark || '-' || encode(sha256(convert_to(concat_ws(
        ' ', secret, COALESCE(last_mac, ''), new_lane, new_place, new_id), 'UTF8')), 'hex');
    INSERT INTO audit_auditevent (id, {_COLUMNS}, lane, place, mac)
    VALUES (new_id, new_at, new_action, new_outcome, new_staff, new_account, new_session, new_member,
            new_object_type, new_object_id, new_address, new_lane, new_place, new_mac);
END $$
""",
    ],
}
LIFT = {
    "sqlite": [],
    "postgresql": [
        "DROP FUNCTION IF EXISTS audit_append(timestamptz, text, text, bigint, bigint, bigint, bigint, "
        "text, text, inet, text, text)"
    ],
}
