"""The portal as the machine meets it, by HTTP only: inside this process, or served with its workers.

Both have the same few ways in. Behind the portal's back only what time, a restart and an auditor do.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from tests.hostile.visitor import Visitor, encoded
from tests.machine.pages import Page
from tests.real_portal import RealPortal

Fields = Sequence[tuple[str, str]]
Files = Iterable[tuple[str, str, bytes]]


class Wire(Protocol):
    """A browser with its cookies."""

    def get(self, path: str) -> Page: ...

    def post(self, path: str, fields: Fields, files: Files = ()) -> Page: ...

    def token(self) -> str:
        """A form's token as the browser's newest page has it; "" before any page."""


class Portal(Protocol):
    name: str

    def wire(self) -> Wire: ...

    def staff(self) -> Wire:
        """Somebody of the practice who may do everything, signed in."""

    def restart(self) -> None: ...

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Placeholders are written as %s."""

    def mailed_links(self, email: str) -> list[str]:
        """The paths of the links mailed to it, oldest first, once the worker has nothing left to do."""

    def files(self) -> Path:
        """Where the documents lie."""


def in_the_past(portal: Portal, seconds: int, code: str) -> None:
    """Time passes: what stands in the database with a time is so much older. Of the households of one run."""
    is_sqlite = "SQLite" in portal.name

    def earlier(column: str) -> str:
        if is_sqlite:
            return f"{column} = strftime('%%Y-%%m-%%d %%H:%%M:%%f', {column}, '-{seconds} seconds') || '000'"
        return f"{column} = {column} - interval '{seconds} seconds'"

    of_run = f"(SELECT id FROM accounts_householdaccount WHERE email_key LIKE '%%{code}@%%')"
    for statement in (
        f"UPDATE accounts_householdsession SET {earlier('last_seen_at')}, {earlier('signed_in_at')} "
        f"WHERE account_id IN {of_run}",
        f"UPDATE accounts_passwordlink SET {earlier('expires_at')} WHERE account_id IN {of_run}",
        f"UPDATE accounts_throttle SET paused_until = CASE WHEN paused_until > {seconds} "
        f"THEN paused_until - {seconds} ELSE 0 END, window_started = window_started - {seconds}",
    ):
        portal.query(statement.replace("%%", "%") if is_sqlite else statement)


# --- in this process ------------------------------------------------------------------


class InProcessWire:
    def __init__(self) -> None:
        from django.test import Client

        self.client = Client(enforce_csrf_checks=True)

    def get(self, path: str) -> Page:
        return self._page("GET", path, b"", "")

    def post(self, path: str, fields: Fields, files: Files = ()) -> Page:
        return self._page("POST", path, *encoded(list(fields), list(files)))

    def token(self) -> str:
        cookie = next((one for one in self.client.cookies if one.endswith("csrf")), "")
        return self.client.cookies[cookie].value if cookie else ""

    def _page(self, method: str, path: str, body: bytes, content_type: str) -> Page:
        from django.test import TestCase

        # The transaction of a run never commits: what waits for that is done as the answer leaves.
        with TestCase.captureOnCommitCallbacks(execute=True):
            answer: Any = self.client.generic(method, path, body, content_type)
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        return Page(answer.status_code, answer.headers.get("Location", ""), body, path)


class InProcessPortal:
    """Django's test client through the whole middleware, in a transaction that ends with each run."""

    def __init__(self, run_tasks: Callable[[], Any]) -> None:
        from django.db import connection
        from django.test import Client

        from tests.cast import sign_in_as_staff

        self.name = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[connection.vendor]
        self._run_tasks = run_tasks
        self._staff = InProcessWire()
        client = Client()
        sign_in_as_staff(client)
        self._staff.client.cookies = client.cookies
        self._staff.get("/admin/")

    def wire(self) -> Wire:
        return InProcessWire()

    def staff(self) -> Wire:
        return self._staff

    def restart(self) -> None:
        """What a process remembers is gone: caches, the practice, the loaded middleware."""
        from django.core.cache import cache
        from django.test.client import ClientHandler

        from households.models import Practice

        cache.clear()
        Practice.forget()
        self._staff.client.handler = ClientHandler(enforce_csrf_checks=True)

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def run_of_steps(self) -> AbstractContextManager[Any]:
        # Imported here: the soak's own process knows no Django.
        from tests.rollback import to_be_undone

        return to_be_undone()

    def mailed_links(self, email: str) -> list[str]:
        from django.core import mail

        self._run_tasks()
        sent = [one for one in mail.outbox if one.to == [email]]
        return [path for one in sent for path in re.findall(r"/password/[\w-]{43}/", str(one.body))]

    def files(self) -> Path:
        from django.conf import settings

        return Path(settings.DATA) / "files"


# --- served ---------------------------------------------------------------------------


class ServedWire:
    def __init__(self, portal: RealPortal, seconds: list[float]) -> None:
        self.visitor, self.seconds = Visitor(portal), seconds

    def get(self, path: str) -> Page:
        return self._page("GET", path, None, {})

    def post(self, path: str, fields: Fields, files: Files = ()) -> Page:
        body, content_type = encoded(list(fields), list(files))
        return self._page("POST", path, body, {"Content-Type": content_type})

    def _page(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Page:
        began = time.monotonic()
        answer = self.visitor.request(method, path, body, headers)
        self.seconds.append(time.monotonic() - began)
        return Page(answer.status, answer.location, answer.body, path)

    def token(self) -> str:
        cookies = self.visitor.cookies
        return next((cookies[one] for one in cookies if one.endswith("csrf")), "")


class ServedPortal:
    """`manage.py serve` with its workers; a restart is a kill."""

    def __init__(self, portal: RealPortal, *, kills: bool) -> None:
        self.portal, self._kills = portal, kills
        self.name = "PostgreSQL" if portal.database_url else "SQLite"
        # How long each answer took.
        self.seconds: list[float] = []
        self._staff = ServedWire(portal, self.seconds)
        self._staff.visitor.sign_in_as_staff()
        self.kills = 0

    def wire(self) -> Wire:
        return ServedWire(self.portal, self.seconds)

    def staff(self) -> Wire:
        return self._staff

    def restart(self) -> None:
        """Three times of four one process is killed; else the whole tree, which is started again."""
        if not self._kills:
            return
        self.kills += 1
        workers = descendants(self.portal.process.pid)
        if self.kills % 4 and len(workers) > 2:
            os.kill(workers[self.kills % len(workers)], signal.SIGKILL)
        else:
            for pid in [self.portal.process.pid, *workers]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            self.portal.process.wait(20)
            self.portal.start()
        self._until_ready()

    def _until_ready(self) -> None:
        for _try in range(200):
            if self.portal.process.poll() is not None:
                self.portal.start()
            if self.portal._is_ready():
                return
            time.sleep(0.1)
        raise AssertionError(self.portal.said()[-2000:])

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.portal.query(statement, *values)

    def mailed_links(self, email: str) -> list[str]:
        for _try in range(600):
            waiting = self.query(
                "SELECT count(*) FROM django_tasks_database_dbtaskresult "
                "WHERE status IN ('READY', 'RUNNING') AND task_path LIKE %s",
                "accounts.links.send_password_link",
            )
            if not waiting[0][0]:
                break
            time.sleep(0.05)
        return [re.sub(r"^https?://[^/]+", "", link) for link in self.portal.links_to(email)]

    def files(self) -> Path:
        return self.portal.data / "files"


def descendants(pid: int) -> list[int]:
    """The processes below this one, children first."""
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop(0)
        try:
            children = Path(f"/proc/{one}/task/{one}/children").read_text().split()
        except OSError:
            continue
        below = [int(child) for child in children]
        found += below
        waiting += below
    return found


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pdf(word: str) -> bytes:
    """A PDF of one page that is this word's own."""
    from tests.hostile.visitor import PDF

    data = io.BytesIO()
    data.write(PDF)
    data.write(f"%{word}\n".encode())
    return data.getvalue()
