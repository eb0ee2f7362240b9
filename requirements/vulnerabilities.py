"""Whether a package in the lock files has a known vulnerability, by a dated copy: no network is needed.

`make vulnerabilities` compares and fails when it finds one, or when the copy is older than 30 days. `make
check` does the same, but there an old copy is only a warning: nothing turns red because time passes.
`make advisories` renews the copy from OSV's archive of Python advisories, one file for everybody, so that
nobody learns what this portal is made of. Without a network bring it along: `make advisories FROM=all.zip`.

The copy (advisories.json) holds facts only: which versions of which package, and what mends it.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import tomllib
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from requirements.lockfile import ROOT, Locked, normal, read

HERE = ROOT / "requirements"
LOCKS = ("run.txt", "s3.txt", "test.txt")
ARCHIVE = "https://storage.googleapis.com/osv-vulnerabilities/PyPI/all.zip"
OLD_AFTER_DAYS = 30
NO_FILE_IS_LARGER = 1_000_000


class CannotRead(Exception):
    """A copy or an archive that is not what it should be; the message says what is wrong with it."""


@dataclass(frozen=True)
class Found:
    """One known vulnerability of one locked version."""

    locked: Locked
    advisory: dict[str, Any]

    def __str__(self) -> str:
        names = ", ".join([self.advisory["id"], *self.advisory["aliases"]])
        fixed = mended_in(self.locked, self.advisory)
        mended = f"mended in {fixed}" if fixed else "nothing mends it yet"
        return f"{self.locked.name} {self.locked.version}: {names}; {mended}"


# --- comparing ------------------------------------------------------------------------


def in_range(version: Version, span: dict[str, str]) -> bool:
    """Whether a version lies in introduced ≤ v < fixed, or introduced ≤ v ≤ last_affected."""
    if version < Version(span["introduced"]):
        return False
    if "fixed" in span:
        return version < Version(span["fixed"])
    return "last_affected" not in span or version <= Version(span["last_affected"])


def is_hit(locked: Locked, advisory: dict[str, Any]) -> bool:
    if advisory["package"] != locked.name:
        return False
    version = Version(locked.version)
    return locked.version in advisory.get("versions", []) or any(
        in_range(version, span) for span in advisory["ranges"]
    )


def mended_in(locked: Locked, advisory: dict[str, Any]) -> str:
    """The lowest version above this one that an advisory calls fixed; empty where it names none."""
    here = Version(locked.version)
    fixed = [Version(span["fixed"]) for span in advisory["ranges"] if "fixed" in span]
    return str(min((one for one in fixed if one > here), default=""))


def compare(packages: list[Locked], advisories: list[dict[str, Any]]) -> list[Found]:
    return [
        Found(locked, advisory)
        for locked in packages
        for advisory in advisories
        if is_hit(locked, advisory)
    ]


def locked_packages(folder: Path) -> list[Locked]:
    """Every package and version of the lock files, once."""
    files = [folder / name for name in LOCKS if (folder / name).exists()]
    found = {(one.name, one.version): one for path in files for one in read(path)}
    return [found[key] for key in sorted(found)]


def read_copy(path: Path) -> dict[str, Any]:
    try:
        copy: dict[str, Any] = json.loads(path.read_text())
        date.fromisoformat(copy["copied"])
        for advisory in copy["advisories"]:
            for span in advisory["ranges"]:
                for version in span.values():
                    Version(version)
    except (OSError, ValueError, KeyError, TypeError, InvalidVersion) as error:
        raise CannotRead(f"{path.name} is no copy of advisories: {error}") from error
    return copy


def check(folder: Path, today: date, *, old_is_wrong: bool) -> int:
    """Say what was compared and what was found. 0: nothing. 1: a vulnerability. 2: an old copy, or none."""
    try:
        copy = read_copy(folder / "advisories.json")
    except CannotRead as error:
        return _say(2, f"{error}. Run `make advisories` where there is a network.")
    packages = locked_packages(folder)
    accepted = tomllib.loads((folder / "accepted.toml").read_text())
    found = compare(packages, copy["advisories"])
    named = {name for one in found for name in (one.advisory["id"], *one.advisory["aliases"])}
    open_ = [one for one in found if accepted.keys().isdisjoint(_names(one.advisory))]
    days = (today - date.fromisoformat(copy["copied"])).days
    sys.stdout.write(
        f"{len(packages)} packages against {len(copy['advisories'])} advisories, "
        f"copied {copy['copied']} ({days} days ago)\n"
    )
    for one in found:
        if one not in open_:
            sys.stdout.write(f"accepted: {one}\n")
    for name in sorted(accepted.keys() - named):
        sys.stdout.write(f"warning: accepted.toml names {name}, which no package has any more\n")
    if not copy["whole"]:
        sys.stdout.write(
            "warning: this copy was written by hand and does not know everything; "
            "`make advisories` renews it where there is a network\n"
        )
    for one in open_:
        sys.stderr.write(f"vulnerable: {one}\n")
    if open_:
        return 1
    if days > OLD_AFTER_DAYS:
        words = f"the copy is {days} days old; run `make advisories` where there is a network"
        if old_is_wrong:
            return _say(2, words)
        sys.stdout.write(f"warning: {words}\n")
    return 0


def _names(advisory: dict[str, Any]) -> list[str]:
    return [advisory["id"], *advisory["aliases"]]


def _say(status: int, words: str) -> int:
    sys.stderr.write(words + "\n")
    return status


# --- renewing the copy ----------------------------------------------------------------


def renew(folder: Path, source: str) -> int:
    """Write a new copy from OSV's archive: an address, a zip on a disk, or a folder it was unpacked in.
    Whatever goes wrong, the copy that is there stays."""
    try:
        copy = reduced(documents(source), {one.name for one in locked_packages(folder)})
    except (OSError, CannotRead, zipfile.BadZipFile) as error:
        return _say(2, f"No new copy from {source}: {error}. The one that is there stays.")
    path = folder / "advisories.json"
    written = path.with_suffix(".new")
    written.write_text(as_text(copy))
    os.replace(written, path)
    sys.stdout.write(f"{path.name}: {len(copy['advisories'])} advisories of {copy['copied']}\n")
    return 0


def documents(source: str) -> Iterator[dict[str, Any]]:
    if Path(source).is_dir():
        for path in sorted(Path(source).glob("*.json")):
            yield _document(path.read_bytes(), path.name)
        return
    if source.startswith(("https://", "http://127.0.0.1:")):
        # Read only, from an address that the operator or the Makefile gives; nothing of it is run.
        with urllib.request.urlopen(source, timeout=120) as answer:  # noqa: S310 # https, or this machine
            archive = io.BytesIO(answer.read())
    elif "://" in source:
        raise CannotRead("only https is asked")
    else:
        archive = io.BytesIO(Path(source).read_bytes())
    with zipfile.ZipFile(archive) as files:
        for entry in sorted(files.infolist(), key=lambda one: one.filename):
            if entry.filename.endswith(".json") and entry.file_size <= NO_FILE_IS_LARGER:
                yield _document(files.read(entry), entry.filename)


def _document(data: bytes, name: str) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except ValueError as error:
        raise CannotRead(f"{name} is no JSON") from error
    if not isinstance(document, dict) or "id" not in document:
        raise CannotRead(f"{name} is no advisory")
    return document


def reduced(all_of_them: Iterator[dict[str, Any]], wanted: set[str]) -> dict[str, Any]:
    """The facts about the wanted packages. The copy is as old as its newest advisory, not as its download."""
    newest = ""
    kept = []
    for document in all_of_them:
        newest = max(newest, document.get("modified", "")[:10])
        if document.get("withdrawn"):
            continue
        for affected in document.get("affected", []):
            package = affected.get("package", {})
            name = normal(package.get("name", ""))
            if package.get("ecosystem") == "PyPI" and name in wanted:
                kept.append(_facts(document, name, affected))
    if not newest:
        raise CannotRead("there is no advisory in it")
    kept.sort(key=lambda one: (one["package"], one["id"], json.dumps(one["ranges"])))
    return {"copied": newest, "whole": True, "advisories": kept}


def _facts(document: dict[str, Any], name: str, affected: dict[str, Any]) -> dict[str, Any]:
    spans: list[dict[str, str]] = []
    for one in affected.get("ranges", []):
        if one.get("type") != "ECOSYSTEM":
            continue
        for event in one.get("events", []):
            ((kind, version),) = event.items()
            if kind == "introduced":
                spans.append({"introduced": version})
            elif kind in {"fixed", "last_affected"} and spans:
                spans[-1][kind] = version
    facts: dict[str, Any] = {
        "id": document["id"],
        "aliases": sorted(document.get("aliases", [])),
        "package": name,
        "ranges": spans,
    }
    if not spans:
        facts["versions"] = sorted(affected.get("versions", []))
    return facts


def as_text(copy: dict[str, Any]) -> str:
    """One advisory a line, so that a renewed copy can be read as a change."""
    lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in copy["advisories"])
    head = {name: value for name, value in copy.items() if name != "advisories"}
    return json.dumps(head)[:-1] + ', "advisories": [\n' + lines + "\n]}\n"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="vulnerabilities", description=__doc__)
    parser.add_argument("--folder", type=Path, default=HERE, help="where the lock files are")
    parser.add_argument("--renew", metavar="FROM", nargs="?", const=ARCHIVE)
    parser.add_argument("--old-is-wrong", action="store_true", help="fail when the copy is old")
    given = parser.parse_args(arguments)
    if given.renew:
        return renew(given.folder, given.renew)
    return check(given.folder, datetime.now(UTC).date(), old_is_wrong=given.old_is_wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
