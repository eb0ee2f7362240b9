"""`manage.py verify_audit` finds what was done behind the portal's back, and says where (R-AL-3, AL-02).

Each test owns the database as an intruder might: the triggers are lifted. None has the key.
"""

from __future__ import annotations

import datetime
import re

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import RequestFactory

from accounts import audit
from accounts.audit import anchor, keys
from accounts.audit.models import AuditEvent
from tests.accounts.audit.chains import bend, rows, triggers_lifted, verify, write

# With real commits: the anchor is written after them.
pytestmark = pytest.mark.django_db(transaction=True)
SQLITE = connection.vendor == "sqlite"


@pytest.fixture(autouse=True)
def nothing_said_yet(monkeypatch):
    """What is said once in a while has not been said."""
    monkeypatch.setattr(anchor, "_complained", {})


@pytest.fixture
def ten():
    """The ids of ten entries that stand in one lane."""
    write(10, request=from_address("2001:DB8::1"))
    return list(AuditEvent.objects.order_by("place").values_list("pk", flat=True))


def from_address(address):
    request = RequestFactory().get("/for/key/")
    request.client_address = address
    return request


def findings(*options):
    status, lines = verify(*options)
    assert status == 1, lines
    *found, counts = lines
    assert "all as they were written" not in counts
    return found


def test_what_the_portal_wrote_verifies(ten):
    write(1, request=from_address("192.0.2.7"))
    write(1, request=from_address(None))
    audit.record(audit.Action.ALARM, "many-failures")
    status, lines = verify()
    assert (status, lines) == (0, ["13 entries in 1 lanes: all as they were written."])
    assert verify("--quiet") == (0, [])


def test_no_entries_verify():
    assert verify() == (0, ["0 entries in 0 lanes: all as they were written."])


def test_whole_seconds_verify(monkeypatch):
    """SQLite leaves out a fraction that is none."""
    whole = datetime.datetime(2026, 11, 27, 19, 30, tzinfo=datetime.UTC)
    monkeypatch.setattr("django.utils.timezone.now", lambda: whole)
    write(1)
    assert AuditEvent.objects.get().at == whole
    assert verify()[0] == 0


CHANGES = {
    "at": "'2026-01-02 03:04:05.000006+00'" if not SQLITE else "'2026-01-02 03:04:05.000006'",
    "action": "'send'",
    "outcome": "'no'",
    "staff_id": "4",
    "account_id": "NULL",
    "session_id": "10",
    "member_id": "1000",
    "object_type": "'documenu'",
    "object_id": "'d5 '",
    "client_address": "'2001:db8::2'",
    "mac": "substr(mac, 1, 20) || CASE substr(mac, 21, 1) WHEN '0' THEN '1' ELSE '0' END || substr(mac, 22)",
}


def test_every_column_is_tried():
    columns = {field.column for field in AuditEvent._meta.concrete_fields}
    assert columns - {*CHANGES} == {"id", "lane", "place"}, "and those are tried below"


@pytest.mark.parametrize("column", [*CHANGES])
@pytest.mark.parametrize("which", [0, 4, 9], ids=["the first", "one in the middle", "the last"])
def test_a_change_is_one_finding_with_its_place(ten, column, which):
    bend(f"UPDATE audit_auditevent SET {column} = {CHANGES[column]} WHERE id = {ten[which]}")
    [found] = findings()
    assert found.startswith(f"changed: entry {ten[which]} of 2026-")
    assert f"number {which + 1})" in found


@pytest.mark.parametrize("column", ["id", "lane", "place"])
def test_a_changed_number_is_found(ten, column):
    bend(f"UPDATE audit_auditevent SET {column} = {column} + 40 WHERE id = {ten[4]}")
    found = findings()
    assert any(f"entry {ten[4] + 40 * (column == 'id')} of" in line for line in found)
    assert len(found) <= 3


def test_another_key_named_in_the_mac_is_a_change(ten):
    bend(f"UPDATE audit_auditevent SET mac = '00000000' || substr(mac, 9) WHERE id = {ten[4]}")
    [found] = findings()
    assert found.startswith(f"changed: entry {ten[4]} ")


def test_swapped_ids_are_found(ten):
    bend(
        f"UPDATE audit_auditevent SET id = 999 WHERE id = {ten[2]}",
        f"UPDATE audit_auditevent SET id = {ten[2]} WHERE id = {ten[6]}",
        f"UPDATE audit_auditevent SET id = {ten[6]} WHERE id = 999",
    )
    assert [line.partition(" of ")[0] for line in findings()] == [
        f"changed: entry {ten[6]}",
        f"changed: entry {ten[2]}",
    ]


def test_one_removed_from_the_middle_is_found(ten):
    bend(f"DELETE FROM audit_auditevent WHERE id = {ten[4]}")
    [found] = findings()
    assert found.startswith(
        f"removed: 1 entry was removed between entries {ten[3]} and entry {ten[5]} "
    )


def test_the_first_removed_are_found(ten):
    bend(f"DELETE FROM audit_auditevent WHERE id <= {ten[2]}")
    [found] = findings()
    assert found.startswith(
        f"removed: 3 entries were removed from the beginning, before entry {ten[3]} "
    )


def test_a_removed_day_is_found(monkeypatch):
    for day in (24, 25, 26, 27):
        on_the_day = datetime.datetime(2026, 11, day, 9, 30, 1, 17, tzinfo=datetime.UTC)
        monkeypatch.setattr("django.utils.timezone.now", lambda on_the_day=on_the_day: on_the_day)
        write(5)
    bend("DELETE FROM audit_auditevent WHERE at >= '2026-11-25' AND at < '2026-11-26'")
    [found] = findings()
    assert "5 entries were removed between" in found
    assert "of 2026-11-26T09:30:01.000017" in found
    assert "the one before is of 2026-11-24T09:30:01.000017" in found


@pytest.mark.parametrize("cut", [1, 4, 10])
def test_a_cut_end_is_found(ten, cut):
    bend(f"DELETE FROM audit_auditevent WHERE id > {ten[-1] - cut}")
    [found] = findings()
    assert found.startswith("cut: ")
    assert f"the anchor knows entry {ten[-1]} as the last" in found
    assert ("1 entry was" if cut == 1 else f"{cut} entries were") in found


@pytest.mark.parametrize("cut", [1, 4, 10])
@pytest.mark.parametrize("more", [1, 3, 30])
def test_an_end_cut_while_the_portal_runs_is_found_afterwards(ten, cut, more, caplog):
    """Though the chain goes on behind the cut as if nothing had been there."""
    bend(f"DELETE FROM audit_auditevent WHERE id > {ten[-1] - cut}")
    write(more)
    found = findings()
    assert {line.partition(":")[0] for line in found} == {"cut"}
    assert any(
        f"the last one known was entry {ten[-1]}, number 10 of the lane" in line for line in found
    )
    write(3)
    assert findings()


def test_a_forged_entry_is_found(ten):
    [(lane, place, mac)] = rows(f"lane, place, mac FROM audit_auditevent WHERE id = {ten[-1]}")
    with triggers_lifted():
        AuditEvent.objects.create(action="view", lane=lane, place=place + 1, mac=mac)
        write(2)
    [found] = findings()
    assert "was changed, or put in or moved here by somebody without the key" in found
    assert f"number {place + 1})" in found


def test_a_forged_entry_in_the_place_of_another_is_found(ten):
    [(lane, place, mac)] = rows(f"lane, place, mac FROM audit_auditevent WHERE id = {ten[4]}")
    bend(f"DELETE FROM audit_auditevent WHERE id = {ten[4]}")
    with triggers_lifted():
        AuditEvent.objects.create(pk=ten[4], action="view", lane=lane, place=place, mac=mac)
    [found] = findings()
    assert found.startswith(f"changed: entry {ten[4]} ")


@pytest.mark.parametrize("order", ["place", "-place"])
def test_an_entry_moved_to_another_lane_is_found(ten, order):
    """Into a lane of its own, and from either end."""
    moved = AuditEvent.objects.order_by(order).first()
    bend(
        f"UPDATE audit_auditevent SET lane = {(moved.lane + 1) % 64}, place = 1 WHERE id = {moved.pk}"
    )
    found = findings()
    assert f"entry {moved.pk} of" in "".join(found)
    assert {line.partition(":")[0] for line in found} <= {"changed", "removed", "cut"}


def test_one_place_is_never_taken_twice(ten):
    lane = AuditEvent.objects.first().lane
    with triggers_lifted(), pytest.raises(IntegrityError):
        AuditEvent.objects.create(action="view", lane=lane, place=3, mac="x")


def test_reading_goes_on_behind_each_finding(ten):
    bend(
        f"UPDATE audit_auditevent SET outcome = 'no' WHERE id = {ten[1]}",
        f"DELETE FROM audit_auditevent WHERE id = {ten[4]}",
        f"UPDATE audit_auditevent SET outcome = 'no' WHERE id = {ten[7]}",
    )
    assert [line.partition(":")[0] for line in findings()] == ["changed", "removed", "changed"]


@pytest.mark.skipif(not SQLITE, reason="PostgreSQL has no values but those of the column's type")
@pytest.mark.parametrize(
    "value", ["CAST(x'e4f6' AS TEXT)", "x'00ff'", "'2026-02-30 99'", "''", "1.5", "'a' || char(0)"]
)
@pytest.mark.parametrize("column", ["at", "action", "client_address", "staff_id", "mac"])
def test_values_of_no_kind_are_findings_and_no_crash(ten, column, value):
    bend(f"UPDATE audit_auditevent SET {column} = {value} WHERE id = {ten[4]}")
    [found] = findings()
    assert found.startswith(
        f"changed: entry {ten[4]} " if column != "mac" else ("changed", "unknown key")
    )


@pytest.mark.skipif(not SQLITE, reason="PostgreSQL has no values but those of the column's type")
@pytest.mark.parametrize("column", ["lane", "place"])
def test_numbers_that_are_none_are_findings_and_no_crash(ten, column):
    bend(f"UPDATE audit_auditevent SET {column} = 'a' WHERE id = {ten[4]}")
    assert len(findings()) in (1, 2)


@pytest.mark.skipif(SQLITE, reason="SQLite keeps times as text")
@pytest.mark.parametrize("at", ["infinity", "-infinity", "0044-03-15 BC", "20260-01-01"])
def test_times_that_python_does_not_have_are_findings_and_no_crash(ten, at):
    bend(f"UPDATE audit_auditevent SET at = '{at}' WHERE id = {ten[4]}")
    [found] = findings()
    assert found.startswith(f"changed: entry {ten[4]} ")


# --- keys -----------------------------------------------------------------------------


@pytest.fixture
def key_file(settings, tmp_path):
    """A data folder without a key yet, and an anchor of its own."""
    settings.DATA = tmp_path
    settings.AUDIT_ANCHOR = tmp_path / "audit-anchor"
    return tmp_path / "audit-key"


def restarted():
    """As a new process, which has read no key yet."""
    keys._read.cache_clear()


def test_the_key_is_made_once_for_its_owner_only(key_file):
    anchor.begin(anchor.MIGRATION)
    write(2)
    made = key_file.read_text()
    assert len(made.strip()) == 64
    assert key_file.stat().st_mode & 0o077 == 0
    assert anchor.path().stat().st_mode & 0o077 == 0
    restarted()
    write(2)
    assert key_file.read_text() == made
    assert verify()[0] == 0


def test_a_new_key_is_added_below_and_both_verify(key_file):
    anchor.begin(anchor.MIGRATION)
    write(3)
    with key_file.open("a") as file:
        file.write("0123456789abcdef0123456789abcdef-the-new-one\n")
    restarted()
    write(3)
    assert verify() == (0, ["6 entries in 1 lanes: all as they were written."])
    marks = {mac.partition("-")[0] for (mac,) in rows("mac FROM audit_auditevent")}
    assert marks == {key.mark for key in keys.every()}


def test_the_setting_comes_before_the_file(key_file, settings):
    anchor.begin(anchor.MIGRATION)
    settings.AUDIT_KEYS = ["a key from the environment, of more than 32 characters"]
    write(1)
    settings.AUDIT_KEYS = []
    assert any("unknown key: 1 entry was written with the key" in line for line in findings())


def test_entries_of_another_key_are_one_finding(ten, key_file, caplog):
    """The portal goes on with a new key where the old one is gone; nobody overlooks it."""
    write(3)
    assert "its key was missing, so a new one was made" in caplog.text
    found = findings()
    [of_key] = [line for line in found if line.startswith("unknown key")]
    assert f"10 entries were written with the key {mark_of(ten[0])}" in of_key
    assert f"the first is entry {ten[0]} of 2026-" in of_key
    assert f"the last entry {ten[-1]} of" in of_key
    assert not any(line.startswith(("changed", "removed")) for line in found)


def mark_of(pk):
    return AuditEvent.objects.get(pk=pk).mac.partition("-")[0]


def test_a_forger_with_a_key_of_their_own_is_found(ten, settings):
    settings.AUDIT_KEYS = ["the forger's own key, which has more than 32 characters"]
    bend(f"DELETE FROM audit_auditevent WHERE id > {ten[6]}")
    write(3)
    settings.AUDIT_KEYS = []
    assert any(line.startswith("unknown key: 3 entries were") for line in findings())


@pytest.mark.parametrize("content", ["short\n", "\n"])
def test_a_key_that_is_none_lets_nothing_happen(key_file, content):
    key_file.write_text(content)
    with pytest.raises(Exception, match="audit-key has to hold keys"):
        write(1)
    assert not AuditEvent.objects.exists()
    status, lines = verify()
    assert (status, "audit-key has to hold keys" in lines[-1]) == (2, True)


# --- the anchor -----------------------------------------------------------------------


def test_a_deleted_anchor_is_found_and_can_be_begun_anew(ten):
    anchor.path().unlink()
    [found] = findings()
    assert found.startswith(f"anchor: There is no anchor at {anchor.path()}")
    assert verify("--anchor-anew")[0] == 0
    assert verify() == (0, ["11 entries in 1 lanes: all as they were written."])
    last = AuditEvent.objects.first()
    assert (last.action, last.outcome) == ("audit-anchor", "anew")


def test_an_anchor_that_the_portal_had_to_begin_is_a_finding_until_somebody_has_looked(ten, caplog):
    anchor.path().unlink()
    write(2)
    assert "anchor was missing" in caplog.text
    [found] = findings()
    assert found.startswith("anchor: The anchor was missing, and was begun 20")
    verify("--anchor-anew")
    assert verify()[0] == 0


def test_an_older_anchor_is_found(monkeypatch):
    def at(hour):
        moment = datetime.datetime(2026, 11, 27, hour, 30, tzinfo=datetime.UTC)
        monkeypatch.setattr("django.utils.timezone.now", lambda: moment)

    at(8)
    write(3)
    older = anchor.path().read_bytes()
    for hour in (9, 10, 11):
        at(hour)
        write(2)
    anchor.path().write_bytes(older)
    [found] = findings()
    assert "The anchor stands still at entry" in found
    assert "6 entries were written behind it" in found


def test_entries_that_a_kill_left_behind_the_anchor_are_no_finding(ten):
    older = anchor.path().read_bytes()
    write(2)
    anchor.path().write_bytes(older)
    status, lines = verify()
    assert status == 0
    assert "(2 newer than the anchor, as after a kill; their chain holds)" in lines[-1]


@pytest.mark.parametrize(
    "garble",
    [
        lambda text: b"",
        lambda text: text[:700],
        lambda text: b"\0" * len(text),
        lambda text: text.replace(b"ok  ", b"ok _"),
        lambda text: text.replace(b"0000010", b"0000009"),
        lambda text: text[128:] + text[:128],
    ],
    ids=["empty", "short", "zeros", "word", "number", "moved"],
)
def test_a_garbled_anchor_is_found_and_not_written_over(ten, garble, caplog):
    garbled = garble(anchor.path().read_bytes())
    anchor.path().write_bytes(garbled)
    found = findings()
    assert all(line.startswith("anchor:") for line in found), found
    write(1)
    assert any(line.startswith("anchor:") for line in findings())
    verify("--anchor-anew")
    assert verify()[0] == 0


def test_an_anchor_cannot_be_made_to_fit_without_the_key(ten):
    """The end is cut, and the anchor's line is written as it would be for the entry that is now the last."""
    [(place, pk, mac)] = rows(f"place, id, mac FROM audit_auditevent WHERE id = {ten[7]}")
    bend(f"DELETE FROM audit_auditevent WHERE id > {ten[7]}")
    text = anchor.path().read_bytes()
    text = re.sub(
        rb"ok   0{10}10 \d{12} \S+", b"ok   %012d %012d %s" % (place, pk, mac.encode()), text
    )
    anchor.path().write_bytes(text)
    assert any(line.startswith("anchor:") and "damaged" in line for line in findings())


def test_the_anchor_is_not_begun_anew_over_a_broken_chain(ten):
    bend(f"DELETE FROM audit_auditevent WHERE id = {ten[4]}")
    anchor.path().unlink()
    status, lines = verify("--anchor-anew")
    assert (status, "the chain itself does not hold" in lines[-1]) == (1, True)
    assert not anchor.path().exists()


def test_a_restored_backup_is_found_and_can_be_accepted(ten):
    bend(f"DELETE FROM audit_auditevent WHERE id > {ten[3]}")
    [found] = findings()
    assert "After restoring an older backup this is so" in found
    assert verify("--anchor-anew")[0] == 0
    write(2)
    assert verify()[0] == 0


def test_an_unwritable_anchor_fails_no_action_and_is_not_ready(client, settings, tmp_path, caplog):
    settings.AUDIT_ANCHOR = tmp_path / "gone" / "audit-anchor"
    assert client.get("/readyz").status_code == 503
    write(3)
    assert AuditEvent.objects.count() == 3
    [said] = [
        record for record in caplog.records if "anchor cannot be written" in record.getMessage()
    ]
    assert said.levelname == "ERROR"


def test_what_is_rolled_back_does_not_move_the_anchor(ten):
    before = anchor.path().read_bytes()
    with transaction.atomic():
        write(2)
        assert anchor.path().read_bytes() == before, "it is not committed yet"
        transaction.set_rollback(True)
    with transaction.atomic():
        try:
            with transaction.atomic():
                write(1)
                raise LookupError
        except LookupError:
            pass
    assert anchor.path().read_bytes() == before
    assert verify()[0] == 0


def test_a_late_commit_does_not_move_the_anchor_back(ten):
    last = anchor.path().read_bytes()
    line = anchor.read().lines[AuditEvent.objects.first().lane]
    anchor.move_up(line.head._replace(place=4, entry_id=ten[3], mac="older"))
    assert anchor.path().read_bytes() == last


def test_writing_is_one_statement(django_assert_num_queries):
    with django_assert_num_queries(1):
        write(1)
    with transaction.atomic(), django_assert_num_queries(1):
        write(1)
