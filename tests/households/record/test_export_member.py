"""The command, and the zip with the papers."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import stat
import zipfile
from urllib.parse import unquote

import pytest
from django.core.management import CommandError, call_command

from accounts.audit.models import AuditEvent
from tests.files import pdf_with, picture
from tests.households.record.conftest import document, record, sent


def export(one, how, target):
    out = io.StringIO()
    patient_id = one if isinstance(one, str) else one.patient_id
    call_command("export_member", patient_id, "--format", how, "--to", str(target), stdout=out)
    return out.getvalue()


def exports():
    return list(AuditEvent.objects.filter(action="export").values_list("outcome", "object_id"))


@pytest.mark.parametrize(("how", "begins"), [("fhir", b"{"), ("pdf", b"%PDF"), ("zip", b"PK")])
def test_writes_a_file_for_its_owner_alone(cast, rich, tmp_path, how, begins):
    target = tmp_path / "mia"
    said = export(cast.mia, how, target)
    assert target.read_bytes().startswith(begins)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert said == f"{target}: {how}, {target.stat().st_size} bytes\n"
    assert os.listdir(tmp_path) == ["mia"]
    event = AuditEvent.objects.get(action="export")
    assert (event.outcome, event.object_id, event.member_id) == ("ok", how, cast.mia.pk)


def test_nothing_is_left_out_for_the_practice(cast, rich, tmp_path):
    from households.history.models import SectionSetting

    SectionSetting.objects.update(is_private=True)
    export(cast.mia, "fhir", tmp_path / "mia")
    assert str(rich["sleep"].public_id) in (tmp_path / "mia").read_text()


def test_refuses_an_unknown_patient(cast, tmp_path):
    with pytest.raises(CommandError, match="no patient with the id “nobody”"):
        export("nobody", "pdf", tmp_path / "x")
    assert os.listdir(tmp_path) == []
    assert exports() == []


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_refuses_to_replace_anything(cast, tmp_path, kind):
    target = tmp_path / "there"
    if kind == "file":
        target.write_text("old")
    else:
        target.mkdir()
    with pytest.raises(CommandError, match="is there already"):
        export(cast.mia, "pdf", target)
    assert os.listdir(tmp_path) == ["there"]
    assert target.is_dir() or target.read_text() == "old"
    assert exports() == []


def test_refuses_to_replace_a_link_that_leads_nowhere(cast, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CommandError, match="is there already"):
        export(cast.mia, "pdf", tmp_path / "link")
    assert os.listdir(tmp_path) == ["link"]


def test_does_not_replace_a_file_that_came_meanwhile(cast, tmp_path, monkeypatch):
    from households.record.management.commands import export_member

    target = tmp_path / "mia"
    write = export_member.write_record

    def write_and_be_late(*args):
        target.write_text("somebody else's")
        return write(*args)

    monkeypatch.setattr(export_member, "write_record", write_and_be_late)
    with pytest.raises(CommandError, match="was not written"):
        export(cast.mia, "fhir", target)
    assert target.read_text() == "somebody else's"
    assert os.listdir(tmp_path) == ["mia"]


def test_refuses_a_folder_that_is_not_there(cast, tmp_path):
    with pytest.raises(CommandError, match="cannot be written: No such file"):
        export(cast.mia, "pdf", tmp_path / "no" / "x")
    assert exports() == []


def test_leaves_nothing_when_it_breaks(cast, tmp_path, monkeypatch):
    from households.record.management.commands import export_member

    def full(*args):
        args[2].write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export_member, "write_record", full)
    with pytest.raises(CommandError, match="was not written: No space left"):
        export(cast.mia, "zip", tmp_path / "x")
    assert os.listdir(tmp_path) == []
    assert exports() == []


def test_what_cannot_be_recorded_is_not_exported(cast, tmp_path, monkeypatch):
    from django.db import DatabaseError

    from accounts import audit

    def refuse(*args, **kwargs):
        raise DatabaseError

    monkeypatch.setattr(audit, "record", refuse)
    with pytest.raises(CommandError, match="database refused"):
        export(cast.mia, "fhir", tmp_path / "x")
    assert os.listdir(tmp_path) == []


# --- the zip --------------------------------------------------------------------------


@pytest.fixture
def papers(cast):
    """Papers of Leo's with names that are alike, empty, hostile or too long."""
    names = [
        *["card.png", "CARD.png", "card.png", "../../etc/passwd", "C:\\temp\\x.png", "a/b\x01.png"],
        *["nul.png", "...", "\u202egnp.exe", "x" * 116 + ".png", "=1+1.png", "Żółć.png"],
    ]
    return [
        document(sent(cast.leo, cast.rivera, "document"), name, picture("PNG", (number, 0, 0)))
        for number, name in enumerate(names)
    ]


def test_holds_every_paper_as_it_was_sent(cast, papers, tmp_path):
    target = tmp_path / "leo.zip"
    export(cast.leo, "zip", target)
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        inside = {name: archive.read(name) for name in names}
    assert len(names) == len({name.casefold() for name in names}) == len(papers) + 3
    documents = [name for name in names if name.startswith("documents/")]
    sums = {hashlib.sha256(inside[name]).hexdigest() for name in documents}
    assert sums == {one.sha256 for one in papers}
    for name in documents:
        inner = name.removeprefix("documents/")
        assert not set(inner) & set('\\/:*?"<>|\x01\u202e')
        assert not inner.startswith(".") and len(inner) < 100
    assert documents[:3] == [
        "documents/card.png",
        "documents/CARD (2).png",
        "documents/card (3).png",
    ]
    assert "documents/_nul.png" in documents
    assert inside["record.pdf"].startswith(b"%PDF")


def test_manifest_tells_every_file_and_its_checksum(cast, papers, tmp_path):
    export(cast.leo, "zip", tmp_path / "leo.zip")
    with zipfile.ZipFile(tmp_path / "leo.zip") as archive:
        lines = archive.read("manifest-sha256.txt").decode().splitlines()
        told = dict(reversed(line.split("  ", 1)) for line in lines)
        assert set(told) == set(archive.namelist()) - {"manifest-sha256.txt"}
        for name, digest in told.items():
            assert hashlib.sha256(archive.read(name)).hexdigest() == digest


def test_bundle_in_the_zip_points_at_the_papers(cast, papers, tmp_path):
    export(cast.leo, "zip", tmp_path / "leo.zip")
    with zipfile.ZipFile(tmp_path / "leo.zip") as archive:
        bundle = json.loads(archive.read("record.json"))
        urls = {
            entry["resource"]["content"][0]["attachment"]["url"]
            for entry in bundle["entry"]
            if entry["resource"]["resourceType"] == "DocumentReference"
        }
        names = {name for name in archive.namelist() if name.startswith("documents/")}
        assert {unquote(url) for url in urls} == names
        # As an address is written: readers refuse blanks and letters beyond ASCII.
        assert all(re.fullmatch(r"[\w.%/()~-]+", url, re.ASCII) for url in urls)


def test_what_nobody_may_open_is_not_in_it(cast, papers, tmp_path):
    from households.documents.models import Document

    waiting, taken_back = papers[0], papers[1]
    Document.objects.for_member(cast.leo).filter(pk=waiting.pk).update(scan="waiting")
    type(taken_back.submission).objects.for_member(cast.leo).filter(
        pk=taken_back.submission_id
    ).update(status="withdrawn")
    said = export(cast.leo, "zip", tmp_path / "leo.zip")
    assert f"document {waiting.public_id}: waiting for the virus scanner" in said
    assert "card" not in said
    with zipfile.ZipFile(tmp_path / "leo.zip") as archive:
        inside = [archive.read(name) for name in archive.namelist()]
        manifest = archive.read("manifest-sha256.txt").decode()
    sums = {hashlib.sha256(data).hexdigest() for data in inside}
    assert waiting.sha256 not in sums and taken_back.sha256 not in sums
    assert "# card.png: waiting for the virus scanner" in manifest
    assert exports() == [("ok", "zip")]


def test_a_lost_or_damaged_file_is_told_and_the_others_are_there(cast, papers, tmp_path):
    lost, damaged = papers[0], papers[3]
    lost.file.storage.delete(lost.file.name)
    with open(damaged.file.path, "wb") as file:
        file.write(b"rot")
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command(
            *["export_member", cast.leo.patient_id, "--format", "zip"],
            *["--to", str(tmp_path / "leo.zip")],
            stdout=out,
        )
    assert ended.value.code == 1
    assert f"{lost.public_id}: its file is missing" in out.getvalue()
    assert f"{damaged.public_id}: its file is not what was sent any more" in out.getvalue()
    with zipfile.ZipFile(tmp_path / "leo.zip") as archive:
        assert len(archive.namelist()) == len(papers) - 1 + 3
        assert "# card.png: its file is missing" in archive.read("manifest-sha256.txt").decode()
    assert exports() == [("incomplete", "zip")]


def test_papers_are_not_held_in_memory(cast, tmp_path):
    import tracemalloc

    from households.record.archive import write_zip

    big = pdf_with() + os.urandom(24_000_000)
    document(
        sent(cast.leo, cast.rivera, "document"), "big.pdf", big, content_type="application/pdf"
    )
    size, made = len(big), record(cast.leo)
    del big
    with (tmp_path / "leo.zip").open("wb") as out:
        write_zip(made, out)  # once before, so that what is loaded is loaded
    tracemalloc.start()
    with (tmp_path / "leo.zip").open("wb") as out:
        write_zip(made, out)
    _now, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (tmp_path / "leo.zip").stat().st_size > size
    assert most < size / 3
