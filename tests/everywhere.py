"""Every test on SQLite, then on PostgreSQL where it can be had: `make test`.

python -m tests.everywhere [arguments for pytest]
"""

from __future__ import annotations

import os
import subprocess
import sys

from tests import postgres


def main(arguments: list[str]) -> int:
    endings = {"SQLite": _run("SQLite", None, arguments)}
    note = ""
    try:
        with postgres.server() as url:
            # Three processes with their portals hold up to a hundred and more.
            most = 4 if postgres.connections(url) >= 200 else 2
            endings["PostgreSQL"] = _run("PostgreSQL", url, arguments, most)
    except postgres.NotFound as reason:
        note = str(reason)
    print()
    for database, (_status, ending) in endings.items():
        print(f"{database}: {ending}")
    if note:
        print(note)
    # A server that was named and cannot be used is a mistake, not a machine without PostgreSQL.
    named_in_vain = bool(note) and "cannot be used" in note
    return 1 if named_in_vain or any(status for status, _ending in endings.values()) else 0


def _run(database: str, url: str | None, arguments: list[str], most: int = 4) -> tuple[int, str]:
    """In up to `most` processes. Returns pytest's exit status and its closing line."""
    print(f"\n{database}", flush=True)
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    if url:
        environment["DATABASE_URL"] = url
    # One more than a small machine has processors: tests from outside wait more than they compute.
    workers = os.environ.get("PYTEST_WORKERS") or str(min(most, max(3, os.cpu_count() or 2)))
    pytest = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-n", workers, "--dist", "loadgroup", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    ending = "nothing was run"
    assert pytest.stdout is not None
    for line in pytest.stdout:
        print(line, end="", flush=True)
        ending = line.strip("= \n") or ending
    return pytest.wait(), ending


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("Stopped.")
