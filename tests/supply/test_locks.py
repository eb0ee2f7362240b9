"""What the portal is made of: every package is named, exact, known by its bytes, and nothing else is here."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from requirements.lockfile import ROOT, normal, project, read

LOCKS = ["run.txt", "s3.txt", "test.txt"]
OWN = {"portal", "accounts", "households", "requirements"}
# Parts of one package that its makers ship apart.
PARTS = {"botocore": "boto3", "s3transfer": "boto3"}


def declared(*extras: str) -> dict[str, Requirement]:
    table = project()
    texts = [*table["dependencies"]]
    for extra in extras:
        texts += table["optional-dependencies"][extra]
    return {normal(one.name): one for one in map(Requirement, texts)}


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_of_a_lock_is_a_pin_its_hashes_or_a_comment(name):
    text = (ROOT / "requirements" / name).read_text()
    odd = [
        line
        for line in text.splitlines()
        if line
        and not re.fullmatch(r"#.*|    #.*|    --hash=sha256:[0-9a-f]{64}( \\)?", line)
        and not re.fullmatch(r"[a-z0-9][a-z0-9.-]*==[0-9][\w.+!]* \\", line)
    ]
    assert odd == []
    assert all(locked.hashes for locked in read(ROOT / "requirements" / name))
    # No index, no address, no name of the machine that wrote it.
    assert not re.search(r"://|--index|--find-links|--trusted-host|@ |\bgit\+|-e ", text)


def test_a_line_that_is_no_pin_is_refused(tmp_path):
    lock = tmp_path / "run.txt"
    for line in ("one>=1 \\", "one @ https://example.org/one.whl", "-e ."):
        lock.write_text(line + "\n")
        with pytest.raises(ValueError, match="is not a name and a version"):
            read(lock)


@pytest.mark.parametrize(
    ("name", "extras"), [("run.txt", ()), ("s3.txt", ("s3",)), ("test.txt", ("s3", "test"))]
)
def test_a_lock_has_what_pyproject_asks_for_and_is_of_today(name, extras):
    locked = {one.name: one for one in read(ROOT / "requirements" / name)}
    wanted = declared(*extras)
    assert sorted(wanted.keys() - locked.keys()) == [], "run `make lock`"
    for package, requirement in wanted.items():
        assert requirement.specifier.contains(locked[package].version), package
        assert project()["name"] in locked[package].wanted_by, package
    asked = {one.name for one in locked.values() if project()["name"] in one.wanted_by}
    assert sorted(asked - wanted.keys()) == [], "pyproject.toml does not ask for it any more"


def test_everything_locked_is_wanted_by_somebody():
    for name in LOCKS:
        names = {one.name for one in read(ROOT / "requirements" / name)} | {project()["name"]}
        for one in read(ROOT / "requirements" / name):
            assert one.wanted_by, f"{name}: nobody wants {one.name}"
            assert {normal(wanting) for wanting in one.wanted_by} <= names, f"{name}: {one.name}"


def test_one_version_of_each_package_in_every_lock():
    versions: dict[str, set[str]] = {}
    for name in LOCKS:
        for one in read(ROOT / "requirements" / name):
            versions.setdefault(one.name, set()).add(one.version)
    assert [name for name, found in versions.items() if len(found) > 1] == []


def test_what_is_installed_here_is_what_the_lock_says():
    odd = [
        one.name
        for one in read(ROOT / "requirements" / "run.txt")
        if Version(metadata.version(one.name)) != Version(one.version)
    ]
    assert odd == [], "run `make test`, which installs what the lock says"


# --- nothing undeclared ---------------------------------------------------------------


def imports(text: str) -> Iterator[str]:
    """The top names that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module).partition(".")[0]


owners_of_names = cache(metadata.packages_distributions)


def undeclared(text: str, allowed: set[str]) -> set[str]:
    """The packages that a module imports although pyproject.toml does not ask for them."""
    owners = owners_of_names()
    found = set()
    for name in imports(text):
        if name in sys.stdlib_module_names or name in OWN:
            continue
        packages = {normal(one) for one in owners.get(name, [name])}
        packages = {PARTS.get(one, one) for one in packages}
        if not packages & allowed:
            found.add(name)
    return found


def test_the_product_imports_what_it_asks_for():
    allowed = set(declared("s3"))
    paths = [ROOT / "manage.py", *(path for one in OWN for path in (ROOT / one).rglob("*.py"))]
    assert len(paths) > 200
    broken = {
        str(path.relative_to(ROOT)): sorted(found)
        for path in paths
        if (found := undeclared(path.read_text(), allowed))
    }
    assert broken == {}


def test_an_undeclared_import_is_caught():
    assert undeclared("import requests", {"django"}) == {"requests"}
    assert undeclared("def f():\n    from PIL import Image", {"django"}) == {"PIL"}
    assert undeclared("from PIL import Image\nimport os, django.db", {"pillow", "django"}) == set()


# --- nothing of others ----------------------------------------------------------------

# What people wrote here. Fonts, archives, pictures, programs and minified scripts are other people's.
OURS = {
    *["py", "html", "txt", "css", "js", "mjs", "svg", "md", "toml", "json", "typ", "csv", "hl7"],
    *["ndjson", "jsonl", "service", "timer", "conf", "npmrc", "gitignore", "gitattributes", "run"],
}
NAMED = {"LICENSE", "Makefile", "NOTICE"}


def not_ours(path: str, data: bytes) -> list[str]:
    """Signs that a file was copied from elsewhere."""
    found = []
    name = path.rpartition("/")[2]
    if name not in NAMED and name.rpartition(".")[2] not in OURS and path != ".ci/run":
        found.append(f"{path}: files of this kind are not written here")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return [*found, f"{path} is no text"] if not path.startswith("tests/") else found
    if path.endswith((".js", ".mjs", ".css")):
        if re.search(r"\.min\.|-min\.", name):
            found.append(f"{path} is minified")
        if any(len(line) > 500 for line in text.splitlines()):
            found.append(f"{path} has lines that nobody reads")
    if path.startswith(("static/", "templates/")) and re.search(
        r"@licen[sc]e|copyright|\(c\) *(19|20)\d\d|sourceMappingURL|\bMIT License|\bv\d+\.\d+\.\d+",
        text,
        re.I,
    ):
        found.append(f"{path} speaks of somebody else's rights or release")
    if path.startswith(("static/", "templates/")) and re.search(r"@font-face|base64,", text):
        found.append(f"{path} carries something inside it")
    return found


def test_nothing_of_others_is_in_the_repository():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    paths = [one for one in listed.stdout.decode().split("\0") if one and (ROOT / one).is_file()]
    if not paths:
        pytest.skip("not in a clone")
    assert [line for path in paths for line in not_ours(path, (ROOT / path).read_bytes())] == []


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("static/inter.woff2", b"wOF2\x00\x01\xff"),
        ("static/htmx.min.js", b"x"),
        ("static/portal.js", b"/*! @license MIT */"),
        ("static/portal.js", b"a" * 501),
        ("static/portal.css", b"@font-face { src: url(data:font/woff2;base64,AA) }"),
        ("templates/base.html", b"<!-- Copyright (c) 2020 Somebody -->"),
        ("vendor/thing.tar.gz", b"\x1f\x8b\xff"),
    ],
)
def test_what_others_made_is_caught(path, data):
    assert not_ours(path, data)


def test_the_locks_are_where_the_house_installs_from():
    makefile = (ROOT / "Makefile").read_text()
    installs = re.findall(r"pip install[^\n]*", makefile + (ROOT / "README.md").read_text())
    assert installs
    assert all("--require-hashes" in line for line in installs), installs
    # The runner of the tests and the service start what stands here, not what an index has today.
    for path in [Path(".ci/run"), *Path("deploy").iterdir()]:
        assert "pip install" not in (ROOT / path).read_text(), path
