"""The chain of entries that were written before there was one; for migration 0005."""

from __future__ import annotations

from itertools import islice

from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.audit import anchor, keys
from accounts.audit.chain import Head, link
from accounts.audit.reading import entries

_AT_ONCE = 1000
_UPDATE = {
    "sqlite": "UPDATE audit_auditevent SET place = %s, mac = %s WHERE id = %s",
    "postgresql": (
        "UPDATE audit_auditevent SET place = new.place, mac = new.mac "
        "FROM unnest(%s::bigint[], %s::text[], %s::bigint[]) AS new (place, mac, id) "
        "WHERE audit_auditevent.id = new.id"
    ),
}


def join_all(connection: BaseDatabaseWrapper) -> Head:
    """One behind the other by their ids, in lane 0. Returns the last. The triggers have to be lifted."""
    key = keys.writing()
    head = Head(0)
    ordered = entries(connection, "id", joined=False)
    while some := list(islice(ordered, _AT_ONCE)):
        rows = []
        for entry in some:
            place, entry_id = head.place + 1, entry.head.entry_id
            mac = f"{key.mark}-{link(entry.secret(key), head.mac, 0, place, entry_id)}"
            head = Head(0, place, entry_id, mac)
            rows.append((place, mac, entry_id))
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.executemany(_UPDATE["sqlite"], rows)
            else:
                cursor.execute(
                    _UPDATE["postgresql"], [list(column) for column in zip(*rows, strict=True)]
                )
    return head


def anchor_first(head: Head) -> None:
    """An anchor that stands there is left as it is: it may know of entries that this table has lost."""
    if anchor.begin(anchor.MIGRATION) and head.place:
        anchor.move_up(head)
