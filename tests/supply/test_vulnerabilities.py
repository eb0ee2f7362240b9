"""`make vulnerabilities`: what is known is found without a network, and an old copy is said to be old."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from packaging.version import Version

from requirements import vulnerabilities
from requirements.lockfile import ROOT

HASH = "    --hash=sha256:" + 64 * "a"
TODAY = date.fromisoformat("2026-11-27")
ADVISORY = {
    "id": "PYSEC-2026-1",
    "aliases": ["CVE-2026-1"],
    "package": "django",
    "ranges": [{"introduced": "4.2", "fixed": "4.2.30"}, {"introduced": "5.2", "fixed": "5.2.20"}],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A portal that needs Django 5.2.19 and has a copy of today."""
    pins = [f"django==5.2.19 \\\n{HASH}\n    # via kinchart (pyproject.toml)"]
    (tmp_path / "run.txt").write_text("\n".join(pins) + "\n")
    (tmp_path / "accepted.toml").write_text("")
    copied(tmp_path)
    return tmp_path


def copied(folder: Path, *advisories: dict, day: date = TODAY, whole: bool = True) -> None:
    copy = {"copied": day.isoformat(), "whole": whole, "advisories": list(advisories)}
    (folder / "advisories.json").write_text(vulnerabilities.as_text(copy))


@pytest.fixture
def check(folder, capsys) -> Callable[..., tuple[int, str, str]]:
    def run(*, old_is_wrong: bool = True, today: date = TODAY) -> tuple[int, str, str]:
        status = vulnerabilities.check(folder, today, old_is_wrong=old_is_wrong)
        return status, *capsys.readouterr()

    return run


# --- comparing ------------------------------------------------------------------------


def test_nothing_known_is_nothing_wrong(folder, check):
    copied(folder, ADVISORY | {"package": "pillow"})
    assert check() == (0, "1 packages against 1 advisories, copied 2026-11-27 (0 days ago)\n", "")


def test_a_hit_names_package_version_advisory_and_what_mends_it(folder, check):
    copied(folder, ADVISORY)
    status, _out, err = check()
    assert status == 1
    assert err == "vulnerable: django 5.2.19: PYSEC-2026-1, CVE-2026-1; mended in 5.2.20\n"
    # Time alone never turns it red, a hit always does.
    assert check(old_is_wrong=False, today=TODAY + timedelta(days=400))[0] == 1


@pytest.mark.parametrize(
    ("ranges", "hit"),
    [
        ([{"introduced": "0", "fixed": "5.2.19"}], False),
        ([{"introduced": "0", "fixed": "5.2.20"}], True),
        ([{"introduced": "5.2.19", "fixed": "6"}], True),
        ([{"introduced": "5.2.20"}], False),
        ([{"introduced": "0"}], True),
        ([{"introduced": "5.2", "last_affected": "5.2.19"}], True),
        ([{"introduced": "5.2", "last_affected": "5.2.18"}], False),
        # Versions are compared as versions: 9 is before 19, and a candidate before its release.
        ([{"introduced": "5.2.9", "fixed": "5.2.100"}], True),
        ([{"introduced": "0", "fixed": "5.2.19rc1"}], False),
        (
            [{"introduced": "4.2", "fixed": "4.2.30"}, {"introduced": "5.0", "fixed": "5.1.9"}],
            False,
        ),
    ],
)
def test_versions_lie_in_a_range_or_not(folder, check, ranges, hit):
    copied(folder, ADVISORY | {"ranges": ranges})
    assert check()[0] == int(hit)


def test_versions_that_are_listed_one_by_one(folder, check):
    copied(folder, ADVISORY | {"ranges": [], "versions": ["5.2.18", "5.2.19"]})
    status, _out, err = check()
    assert status == 1
    assert "nothing mends it yet" in err
    copied(folder, ADVISORY | {"ranges": [], "versions": ["5.2.18"]})
    assert check()[0] == 0


def test_every_lock_is_compared(folder, check):
    (folder / "test.txt").write_text(f"idna==3.13 \\\n{HASH}\n    # via requests\n")
    copied(folder, ADVISORY | {"package": "idna", "ranges": [{"introduced": "0", "fixed": "3.14"}]})
    assert "idna 3.13" in check()[2]


def test_an_accepted_one_is_said_and_not_wrong(folder, check):
    copied(folder, ADVISORY)
    (folder / "accepted.toml").write_text('CVE-2026-1 = "we never call it"\nCVE-2020-9 = "old"\n')
    status, out, err = check()
    assert (status, err) == (0, "")
    assert "accepted: django 5.2.19: PYSEC-2026-1" in out
    assert "accepted.toml names CVE-2020-9, which no package has any more" in out


def test_an_old_copy_is_wrong_for_who_asks_and_a_warning_in_ci(folder, check):
    last_day = TODAY + timedelta(days=30)
    assert check(today=last_day)[0] == 0
    status, _out, err = check(today=last_day + timedelta(days=1))
    assert status == 2
    assert "the copy is 31 days old; run `make advisories`" in err
    status, out, err = check(old_is_wrong=False, today=last_day + timedelta(days=1))
    assert (status, err) == (0, "")
    assert "warning: the copy is 31 days old" in out


def test_a_copy_written_by_hand_says_so(folder, check):
    copied(folder, whole=False)
    assert "does not know everything" in check()[1]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"copied": "soon", "advisories": []}', '{"copied": "2026-11-27"}', None],
)
def test_a_copy_that_is_none_is_never_taken_for_good_news(folder, check, text):
    if text is None:
        (folder / "advisories.json").unlink()
    else:
        (folder / "advisories.json").write_text(text)
    status, _out, err = check(old_is_wrong=False)
    assert status == 2
    assert "is no copy of advisories" in err


def test_a_broken_version_in_a_copy_is_said(folder, check):
    copied(folder, ADVISORY | {"ranges": [{"introduced": "everywhere"}]})
    assert check()[0] == 2


# --- the project's own ----------------------------------------------------------------


def test_the_portal_has_no_known_vulnerability_in_its_copy():
    command = [sys.executable, "-m", "requirements.vulnerabilities"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "packages against" in done.stdout


def test_the_copy_is_awake():
    """It finds the releases that this project came from, and every accepted line says why."""
    copy = vulnerabilities.read_copy(ROOT / "requirements" / "advisories.json")
    packages = vulnerabilities.locked_packages(ROOT / "requirements")
    (django,) = (one for one in packages if one.name == "django")
    before = type(django)("django", "5.2.8", django.hashes, django.wanted_by)
    found = vulnerabilities.compare([before], copy["advisories"])
    assert len(found) >= 10
    assert all(Version(vulnerabilities.mended_in(before, one.advisory)) for one in found)
    accepted = tomllib.loads((ROOT / "requirements" / "accepted.toml").read_text())
    assert all(len(why) > 30 for why in accepted.values())


def test_make_check_warns_and_make_vulnerabilities_fails_of_age():
    makefile = (ROOT / "Makefile").read_text()
    check = makefile.partition("\ncheck:")[2].partition("\n\n")[0]
    assert "requirements.vulnerabilities\n" in check
    asked = makefile.partition("\nvulnerabilities:")[2].partition("\n\n")[0]
    assert "--old-is-wrong" in asked


# --- renewing the copy ----------------------------------------------------------------

OSV = {
    "id": "GHSA-aaaa-bbbb-cccc",
    "aliases": ["CVE-2026-2"],
    "summary": "words of others",
    "details": "many words of others",
    "modified": "2026-11-20T10:00:00Z",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "Django"},
            "ranges": [
                {"type": "GIT", "events": [{"introduced": "0"}, {"fixed": "abc"}]},
                {
                    "type": "ECOSYSTEM",
                    "events": [
                        {"introduced": "4.2"},
                        {"fixed": "4.2.30"},
                        {"introduced": "5.2"},
                        {"last_affected": "5.2.19"},
                    ],
                },
            ],
        },
        {"package": {"ecosystem": "npm", "name": "django"}, "ranges": []},
        {"package": {"ecosystem": "PyPI", "name": "flask"}, "versions": ["1"]},
    ],
}


def archive(*documents: dict) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as files:
        for number, document in enumerate(documents):
            files.writestr(f"{number}.json", json.dumps(document))
    return data.getvalue()


def test_a_new_copy_holds_facts_about_our_packages_and_no_words(folder, tmp_path, check):
    withdrawn = OSV | {
        "id": "GHSA-gone",
        "withdrawn": "2026-11-26T00:00:00Z",
        "modified": "2026-11-26",
    }
    (tmp_path / "all.zip").write_bytes(archive(OSV, withdrawn))
    assert (
        vulnerabilities.main(["--folder", str(folder), "--renew", str(tmp_path / "all.zip")]) == 0
    )
    copy = json.loads((folder / "advisories.json").read_text())
    assert copy == {
        # As old as the newest in it, not as the day of the download.
        "copied": "2026-11-26",
        "whole": True,
        "advisories": [
            {
                "id": "GHSA-aaaa-bbbb-cccc",
                "aliases": ["CVE-2026-2"],
                "package": "django",
                "ranges": [
                    {"introduced": "4.2", "fixed": "4.2.30"},
                    {"introduced": "5.2", "last_affected": "5.2.19"},
                ],
            }
        ],
    }
    assert check()[0] == 1


def test_an_unpacked_folder_will_do(folder, tmp_path):
    (tmp_path / "unpacked").mkdir()
    (tmp_path / "unpacked" / "one.json").write_text(json.dumps(OSV))
    assert vulnerabilities.renew(folder, str(tmp_path / "unpacked")) == 0
    assert "GHSA-aaaa-bbbb-cccc" in (folder / "advisories.json").read_text()


@pytest.fixture
def mirror() -> Iterator[tuple[str, dict[str, bytes]]]:
    """A server on this machine that gives out an archive; what lies in the dict, by its path."""
    given: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = given.get(self.path)
            self.send_response(200 if data is not None else 404)
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", given
    server.shutdown()
    server.server_close()
    thread.join()


def test_it_is_fetched_where_there_is_a_network(folder, mirror, check):
    address, given = mirror
    given["/all.zip"] = archive(OSV)
    assert vulnerabilities.renew(folder, f"{address}/all.zip") == 0
    assert "GHSA-aaaa-bbbb-cccc" in check()[2]


def test_whatever_goes_wrong_the_copy_that_is_there_stays(folder, mirror, tmp_path, capsys):
    address, given = mirror
    before = (folder / "advisories.json").read_bytes()
    given["/no.zip"] = b"<html>sign in to the hotel's network</html>"
    given["/empty.zip"] = archive()
    given["/odd.zip"] = archive({"hello": 1})
    sources = [f"{address}/{name}" for name in ("no.zip", "empty.zip", "odd.zip", "none.zip")]
    sources += [
        str(tmp_path / "not-there.zip"),
        "ftp://example.org/all.zip",
        "http://example.org/a",
    ]
    for source in sources:
        assert vulnerabilities.renew(folder, source) == 2, source
        assert f"No new copy from {source}" in capsys.readouterr().err
        assert (folder / "advisories.json").read_bytes() == before
    assert sorted(path.name for path in folder.glob("*.new")) == []
