"""A PostgreSQL server for the tests, wherever one can be had."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

# Oldest that Django 5.2 works with.
_OLDEST = 140000
_HOW_TO_GET_IT = (
    "PostgreSQL was not found, so only SQLite was tested. Install it (Debian: apt-get install postgresql; "
    "macOS: brew install postgresql), or name a server whose user may create databases: "
    "PORTAL_TEST_POSTGRES=postgresql://user:password@host/postgres"
)


class NotFound(Exception):
    """Its text says how to get PostgreSQL."""


@contextmanager
def server() -> Iterator[str]:
    """The URL of a database "portal" on a server whose user may create test databases.

    In this order: the server named by PORTAL_TEST_POSTGRES or DATABASE_URL, a temporary one from installed
    programs, which has room for every connection and ends with the block, one that runs here. Raises
    NotFound.
    """
    for variable in ("PORTAL_TEST_POSTGRES", "DATABASE_URL"):
        url = os.environ.get(variable, "")
        if url.startswith("postgres"):
            refusal = _refusal(url)
            if refusal:
                raise NotFound(f"The server that {variable} names cannot be used: {refusal}")
            yield url
            return
    binaries = _binaries()
    if binaries is not None:
        with _temporary_server(binaries) as url:
            yield url
        return
    for user in ("postgres", pwd.getpwuid(os.getuid()).pw_name):
        url = f"postgresql://{user}@127.0.0.1:5432/postgres"
        if not _refusal(url):
            yield url
            return
    raise NotFound(_HOW_TO_GET_IT)


def connections(url: str) -> int:
    """How many the server lets in at once."""
    with psycopg.connect(url, connect_timeout=5) as connection:
        row = connection.execute("SHOW max_connections").fetchone()
    return int(row[0]) if row else 0


def _refusal(url: str) -> str:
    """Why tests cannot use this server; "" when they can."""
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            may_create = connection.execute(
                "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
            version = connection.info.server_version
    except psycopg.Error as error:
        return type(error).__name__
    if version < _OLDEST:
        return f"it is version {version // 10000}, and 14 is the oldest that works"
    return "" if may_create and may_create[0] else "its user may not create databases"


def _binaries() -> Path | None:
    """The folder of initdb and pg_ctl, the newest version first."""
    on_path = shutil.which("initdb")
    installed = glob.glob("/usr/lib/postgresql/*/bin") + glob.glob("/usr/pgsql-*/bin")
    installed.sort(
        key=lambda folder: [
            int(part) for part in folder.replace("-", "/").split("/") if part.isdigit()
        ]
    )
    folders = [*reversed(installed), *([os.path.dirname(on_path)] if on_path else [])]
    return next((Path(folder) for folder in folders if Path(folder, "pg_ctl").exists()), None)


@contextmanager
def _temporary_server(binaries: Path) -> Iterator[str]:
    # PostgreSQL refuses to run as root.
    user = (
        next(name for name in ("postgres", "nobody") if _exists(name)) if os.getuid() == 0 else None
    )
    group = pwd.getpwnam(user).pw_gid if user else None
    extra_groups: list[int] | None = [] if user else None
    folder = Path(tempfile.mkdtemp(prefix="portal-postgres-"))
    if user:
        shutil.chown(folder, user, group)
    port = _free_port()

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [binaries / program, *arguments],
            cwd=folder,
            user=user,
            group=group,
            extra_groups=extra_groups,
            stdout=subprocess.DEVNULL,
            check=True,
        )

    data = str(folder / "data")
    try:
        run(
            "initdb",
            *["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
        )
        # Nothing here has to survive a power cut.
        options = (
            f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c max_connections=400 "
            "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        )
        run("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _exists(user: str) -> bool:
    try:
        return bool(pwd.getpwnam(user))
    except KeyError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
