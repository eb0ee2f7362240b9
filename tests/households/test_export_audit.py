"""`manage.py export_audit`: the audit as one file, whole or not at all (SECURITY R-AL-5)."""

from __future__ import annotations

import datetime
import io
import json
import os
import stat
import tracemalloc

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from django.utils import timezone

from accounts import audit
from accounts.audit import browsing
from accounts.audit.models import AuditEvent
from tests.cast import pick, sign_in

TODAY = datetime.date(2026, 11, 27)


@pytest.fixture
def errand(cast, client):
    """Some entries of Mia's, of Leo's and of another login."""
    sign_in(client, "rivera@example.org")
    pick(client, "Mia", "2016/04/27")
    pick(client, "Leo", "2018/09/03")
    audit.record(audit.Action.PICK, "ok", account_id=cast.okafor.pk, member_id=cast.other_mia.pk)


def export(target, *options: str) -> str:
    out = io.StringIO()
    call_command("export_audit", "--to", str(target), *options, stdout=out)
    return out.getvalue()


def entries_in(target) -> list[dict]:
    return [json.loads(line) for line in target.read_text().splitlines()]


def test_all_of_it_is_one_file_for_its_owner_alone(errand, tmp_path):
    target = tmp_path / "audit.ndjson"
    rows = list(AuditEvent.objects.order_by("pk"))
    told = export(target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["audit.ndjson"]
    assert told == f"{target}: {len(rows)} entries, {target.stat().st_size} bytes\n"
    columns = {field.attname for field in AuditEvent._meta.concrete_fields}
    assert {"lane", "place", "mac"} <= columns
    for line, row in zip(entries_in(target), rows, strict=True):
        assert line.keys() == columns
        assert datetime.datetime.fromisoformat(line["at"]) == row.at
        assert line["at"].endswith("+00:00")
        assert (line["id"], line["action"], line["mac"]) == (row.pk, row.action, row.mac)


def test_the_export_is_in_the_audit(errand, cast, tmp_path):
    export(tmp_path / "all")
    export(tmp_path / "mia", "--member", cast.mia.patient_id, "--account", "Rivera@example.org")
    first, second = AuditEvent.objects.filter(action="export").order_by("pk")
    assert (first.object_type, first.member_id, first.account_id) == ("auditevent", None, None)
    assert (second.member_id, second.account_id) == (cast.mia.pk, cast.rivera.pk)


def test_of_one_person_of_one_login_and_of_some_days(errand, cast, tmp_path):
    export(tmp_path / "mia", "--member", cast.mia.patient_id)
    assert {line["member_id"] for line in entries_in(tmp_path / "mia")} == {cast.mia.pk}
    export(tmp_path / "login", "--account", "okafor@example.org")
    assert {line["account_id"] for line in entries_in(tmp_path / "login")} == {cast.okafor.pk}
    day = timezone.localdate()
    around = [(day + datetime.timedelta(days=more)).isoformat() for more in (-2, 2)]
    export(tmp_path / "now", "--from", around[0], "--until", around[1])
    assert len(entries_in(tmp_path / "now")) >= 4
    export(tmp_path / "before", "--until", around[0])
    export(tmp_path / "after", "--from", around[1])
    assert (tmp_path / "before").read_text() == (tmp_path / "after").read_text() == ""


@pytest.mark.parametrize(
    "options",
    [
        ["--member", "nobody"],
        ["--account", "nobody@example.org"],
        ["--from", "2026-11-27", "--until", "2026-11-26"],
        ["--from", "yesterday"],
    ],
)
def test_what_it_does_not_understand_writes_nothing(errand, tmp_path, options):
    with pytest.raises(CommandError):
        export(tmp_path / "x", *options)
    assert os.listdir(tmp_path) == []
    assert not AuditEvent.objects.filter(action="export").exists()


def test_it_takes_the_place_of_nothing(errand, tmp_path):
    (tmp_path / "there").write_text("mine")
    with pytest.raises(CommandError, match="is there already"):
        export(tmp_path / "there")
    assert (tmp_path / "there").read_text() == "mine"
    assert not AuditEvent.objects.filter(action="export").exists()


def test_what_cannot_be_recorded_does_not_leave(errand, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise DatabaseError

    monkeypatch.setattr(audit, "record", refuse)
    with pytest.raises(CommandError, match="database refused"):
        export(tmp_path / "x")
    assert os.listdir(tmp_path) == []


def test_a_long_audit_is_never_in_memory(cast, tmp_path, monkeypatch):
    monkeypatch.setattr(browsing, "_AT_ONCE", 50)
    for _entry in range(400):
        audit.record(audit.Action.VIEW, "ok")
    tracemalloc.start()
    export(tmp_path / "all")
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(entries_in(tmp_path / "all")) == 400
    assert peak < 3_000_000
