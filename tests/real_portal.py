"""The real portal for tests that come from outside: `manage.py serve` with its workers, its database, its
mail files, on a free port of 127.0.0.1.

Nothing of Django runs in the test's own process here. People come from a roster file, through the command
that a practice uses; passwords are set from the mails that the background worker writes.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from tests.totp import code_of

ROOT = Path(__file__).parents[1]
# Of every owner here: what an app on a phone would have been set up with.
OWNERS_KEY = "KRUGKIDROVUWG2ZAMJZG653OEBTG66BA"
_BETWEEN_MAILS = b"\n" + b"-" * 79 + b"\n"


class RealPortal:
    """One `manage.py serve`. `environment` is what is set besides the defaults of a local run."""

    def __init__(self, data: Path, database_url: str = "", **environment: str) -> None:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PORTAL_", "DJANGO_"))
            and name not in {"SECRET_KEY", "DATABASE_URL"}
        }
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database_url = database_url
        self.environment = {
            **kept,
            "PORTAL_DATA": str(data),
            "PORTAL_LOCAL": "1",
            "PORTAL_DEMO": "0",
            "PORT": str(self.port),
            "PORTAL_URL": self.url,
            **({"DATABASE_URL": database_url} if database_url else {}),
            **environment,
        }

    # --- the process ------------------------------------------------------------------

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        with (self.data / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "serve"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        for _try in range(1200):
            assert self.process.poll() is None, self.said()
            if self._is_ready():
                return
            time.sleep(0.1)
        raise AssertionError(self.said())

    def _is_ready(self) -> bool:
        host = self.environment.get("ALLOWED_HOSTS", "127.0.0.1")
        ready = urllib.request.Request(f"{self.url}/readyz", headers={"Host": host})
        try:
            urllib.request.urlopen(ready, timeout=5).read()
        except (urllib.error.URLError, OSError):
            return False
        return True

    def stop(self) -> int:
        """Tell it to stop; returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)

    def said(self) -> str:
        """Everything it wrote to its terminal: the portal's log."""
        return (self.data / "serve.log").read_text("utf-8")

    def manage(self, *arguments: str, **extra: str) -> str:
        """Run a management command beside the running portal; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**self.environment, **extra},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def import_roster(self, rows: str) -> None:
        roster = self.data / "roster.csv"
        roster.write_text(rows, "utf-8")
        self.manage("import_roster", str(roster))

    def add_owner(self, email: str, password: str) -> None:
        """A staff account that may do everything, with an app for codes."""
        self.manage(
            "createsuperuser",
            "--noinput",
            DJANGO_SUPERUSER_EMAIL=email,
            DJANGO_SUPERUSER_PASSWORD=password,
            DJANGO_SUPERUSER_TOTP=OWNERS_KEY,
        )

    def staff_code(self) -> str:
        """What an owner's app shows now. As if the last sign-in was a minute ago: a code is good once, and no
        test waits for the next."""
        self.query("UPDATE otp_totp_totpdevice SET last_t = -1")
        return code_of(OWNERS_KEY)

    # --- what it holds ----------------------------------------------------------------

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask, or change, the portal's database behind its back. Placeholders are written as %s."""
        if self.database_url:
            import psycopg

            with psycopg.connect(self.database_url, autocommit=True) as connection:
                cursor = connection.execute(statement, values)  # type: ignore[call-overload] # wants literal SQL
                return cursor.fetchall() if cursor.description else []
        file = self.data / "portal.sqlite3"
        with closing(sqlite3.connect(file, timeout=20, isolation_level=None)) as connection:
            return connection.execute(statement.replace("%s", "?"), values).fetchall()

    # --- mail -------------------------------------------------------------------------

    def mails_to(self, address: str) -> list[EmailMessage]:
        """The mails to `address`, oldest first."""
        files = sorted((self.data / "mail").glob("*.log"), key=lambda path: path.stat().st_mtime_ns)
        # Mails of one second can share a file, each with a line of dashes behind it.
        texts = [text for path in files for text in path.read_bytes().split(_BETWEEN_MAILS)]
        mails = [message_from_bytes(text, policy=policy.default) for text in texts]
        return [mail for mail in mails if mail["To"] == address]  # type: ignore[misc] # what this policy makes

    def links_to(self, address: str) -> list[str]:
        """The addresses of the links mailed to `address`, oldest first."""
        return [link for mail in self.mails_to(address) for link in links_in(mail)]

    def next_link(self, address: str, before: list[str]) -> str:
        """The link in the next mail to `address`; waits for the background worker to write it."""
        for _try in range(150):
            links = self.links_to(address)
            if len(links) > len(before):
                return links[-1]
            time.sleep(0.1)
        raise AssertionError(f"no new mail to {address}")


def links_in(mail: EmailMessage) -> list[str]:
    plain = mail.get_body(("plain",))
    assert plain is not None
    return re.findall(r"https?://\S+/password/[\w-]{43}/", plain.get_content())


@contextmanager
def running_portal(data: Path, **environment: str) -> Iterator[RealPortal]:
    """A portal with a database of its own (SQLite, or PostgreSQL where DATABASE_URL says so) that has
    started, and that must stop cleanly."""
    with own_database(data.name) as database_url:
        portal = RealPortal(data, database_url, **environment)
        try:
            portal.start()
            yield portal
        finally:
            assert portal.stop() == 0, portal.said()


@contextmanager
def own_database(name: str) -> Iterator[str]:
    """The URL of a new database on PostgreSQL, dropped afterwards; "" where SQLite is tested."""
    server = os.environ.get("DATABASE_URL", "")
    if not server.startswith("postgres"):
        yield ""
        return
    import psycopg

    name = re.sub(r"\W", "_", f"real_{name}_{os.getpid()}")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[call-overload] # wants literal SQL
        try:
            yield re.sub(r"/[^/?]*(\?|$)", rf"/{name}\1", server)
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')  # type: ignore[call-overload] # wants literal SQL


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
