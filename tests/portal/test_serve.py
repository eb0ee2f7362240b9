"""`manage.py serve` with real processes: it starts, survives the death of a part, and leaves none behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django_tasks_db.models import DBTaskResult

TASKS = DBTaskResult._meta.db_table

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc"),
]


class Portal:
    """A `manage.py serve` of its own, on a free port, with a data folder and database of its own."""

    def __init__(self, data: Path, database_url: str = "", **environment: str) -> None:
        self.data = data
        self.output = data / "output.txt"
        self.port = free_port()
        self.seen: list[int] = []  # so that a test that fails leaves nothing running
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")},
            "PORTAL_DATA": str(data),
            "PORTAL_DEMO": "0",
            "PORT": str(self.port),
            "DATABASE_URL": database_url or f"sqlite:///{data / 'portal.sqlite3'}",
            **environment,
        }

    def start(self) -> Portal:
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "serve"],
                cwd=settings.BASE_DIR,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return self

    def start_and_wait(self) -> Portal:
        self.start()
        wait_for(lambda: self.answers() or self.process.poll() is not None, 120)
        assert self.process.poll() is None, self.said()
        return self

    def answers(self) -> bool:
        try:
            return self.get("/healthz") == b"ok\n"
        except OSError:
            return False

    def get(self, address: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{address}", timeout=10) as answer:
            return answer.read()

    def said(self) -> str:
        return self.output.read_text()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def child(self, part: str) -> int:
        """The process of the web server ("gunicorn") or the background worker ("db_worker"); 0 for none."""
        children = [pid for pid, parent in parents().items() if parent == self.process.pid]
        return next((pid for pid in children if part in command(pid)), 0)

    def all(self) -> list[int]:
        tree, known = [self.process.pid], parents()
        for process in tree:
            tree += [pid for pid, parent in known.items() if parent == process]
        self.seen = tree
        return tree


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition: Callable[[], object], seconds: float) -> float:
    """Wait until `condition` holds; returns how long that took."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, "this did not happen in time"
        time.sleep(0.02)
    return time.monotonic() - start


def parents() -> dict[int, int]:
    """Every process that runs (the dead that nobody has collected left out), and its parent."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if state != "Z":
                found[int(entry.name)] = int(parent)
    return found


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def none_left(processes: list[int]) -> bool:
    return not any(pid in parents() for pid in processes)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose first start was long ago: tables made, style sheets collected."""
    data = tmp_path_factory.mktemp("prepared")
    portal = Portal(data).start_and_wait()
    assert portal.stop() == 0, portal.said()
    portal.output.unlink()
    return data


@pytest.fixture
def new_portal(prepared: Path, tmp_path: Path) -> Iterator[Callable[..., Portal]]:
    made: list[Portal] = []

    def new(**environment: str) -> Portal:
        data = tmp_path / f"data{len(made)}"
        shutil.copytree(prepared, data)
        made.append(Portal(data, **environment))
        return made[-1]

    yield new
    for portal in made:
        if hasattr(portal, "process"):
            for pid in {*portal.all(), *portal.seen}:
                if any(part in command(pid) for part in ("manage.py", "gunicorn")):
                    os.kill(pid, signal.SIGKILL)
            portal.process.wait()


@pytest.fixture
def portal(new_portal: Callable[..., Portal]) -> Portal:
    return new_portal().start_and_wait()


def run_sql(portal: Portal, sql: str, *values: object) -> list[tuple]:
    import sqlite3

    with sqlite3.connect(portal.data / "portal.sqlite3", timeout=20) as database:
        return database.execute(sql, values).fetchall()


def test_first_start_serves_and_stops_cleanly(tmp_path):
    portal = Portal(tmp_path).start_and_wait()
    assert portal.get("/readyz") == b"ok\n"
    assert b'autocomplete="username"' in portal.get("/login/")
    said = portal.said()
    assert f"http://127.0.0.1:{portal.port}/" in said
    assert str(tmp_path / "mail") in said
    processes = portal.all()
    assert len(processes) >= 5  # serve, gunicorn, two workers, the background worker

    assert portal.stop() == 0, portal.said()

    assert none_left(processes)
    assert "Traceback" not in portal.said()


def test_second_start_collects_nothing_anew(new_portal):
    portal = new_portal()
    before = {path: path.stat().st_mtime_ns for path in (portal.data / "static").rglob("*")}
    portal.start_and_wait()
    portal.stop()
    assert {path: path.stat().st_mtime_ns for path in (portal.data / "static").rglob("*")} == before
    assert before


def test_an_empty_portal_says_what_it_lacks(portal):
    said = portal.said()
    assert "manage.py createsuperuser" in said
    assert "manage.py import_roster" in said
    assert str(portal.data) in said


def test_demo_is_loaded_into_an_empty_database_once(new_portal):
    portal = new_portal(PORTAL_DEMO="1").start_and_wait()
    assert portal.stop() == 0
    first = portal.said()
    assert f"http://127.0.0.1:{portal.port}/login/" in first
    assert "createsuperuser" not in first
    members = run_sql(portal, "SELECT count(*) FROM households_member")
    assert members > [(5,)]
    portal.start_and_wait()
    assert portal.stop() == 0
    assert run_sql(portal, "SELECT count(*) FROM households_member") == members
    logins = [line for line in first.splitlines() if ", password: " in line]
    assert len(logins) == 2
    second = portal.said().removeprefix(first)
    assert all(line in second for line in logins)


def test_ctrl_c_stops_cleanly(portal):
    processes = portal.all()
    portal.process.send_signal(signal.SIGINT)
    assert portal.process.wait(timeout=60) == 0, portal.said()
    assert none_left(processes)
    assert "Traceback" not in portal.said()


def test_two_signals_at_once_are_one_stop(portal):
    """What stops a process group stops make, too, which hands the signal on."""
    processes = portal.all()
    portal.process.send_signal(signal.SIGTERM)
    time.sleep(0.05)
    portal.process.send_signal(signal.SIGTERM)
    assert portal.process.wait(timeout=60) == 0, portal.said()
    assert none_left(processes)


def test_answer_under_way_is_finished_before_the_stop(portal):
    body = b"email=nobody%40example.org&password=" + b"x" * 2000
    with socket.create_connection(("127.0.0.1", portal.port), timeout=20) as phone:
        phone.sendall(
            b"POST /login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body[:1000])
        )
        time.sleep(0.5)
        portal.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        assert portal.process.poll() is None
        phone.sendall(body[1000:])
        assert phone.recv(100).startswith(b"HTTP/1.1 403")  # no CSRF token: the portal's own answer
    assert portal.process.wait(timeout=60) == 0, portal.said()


def test_killed_background_worker_is_replaced_and_its_task_taken_up(portal):
    wait_for(lambda: portal.child("db_worker"), 5)
    worker = portal.child("db_worker")
    # A task nobody can do: that it ends as FAILED shows that somebody took it up again.
    half_done = ("11111111111141118111111111111111", "nobody.knows.this_task", '["the dead one"]')
    tried_often = (
        "22222222222242228222222222222222",
        "nobody.knows.this_task",
        '["w", "w", "w", "w", "w"]',
    )
    os.kill(worker, signal.SIGSTOP)
    for key, path, workers in (half_done, tried_often):
        run_sql(
            portal,
            f"INSERT INTO {TASKS} (id, status, enqueued_at, started_at, args_kwargs, "
            "priority, task_path, worker_ids, queue_name, backend_name, run_after, exception_class_path, "
            "traceback) VALUES (?, 'RUNNING', '2026-01-01', '2026-01-01', ?, 0, ?, ?, 'default', 'default', "
            "'2026-01-01 00:00:00', '', '')",
            key,
            '{"args": [], "kwargs": {}}',
            path,
            workers,
        )
    os.kill(worker, signal.SIGKILL)

    seconds = wait_for(lambda: portal.child("db_worker") not in {0, worker}, 10)

    assert seconds < 2
    state = f"SELECT status, worker_ids, exception_class_path FROM {TASKS} WHERE id = ?"
    wait_for(lambda: run_sql(portal, state, half_done[0])[0][0] == "FAILED", 15)
    _status, workers, error = run_sql(portal, state, half_done[0])[0]
    assert workers.count(",") == 1, "a second worker took it up"
    assert error == "builtins.ModuleNotFoundError"
    status, workers, error = run_sql(portal, state, tried_often[0])[0]
    assert (status, workers.count(","), error) == ("FAILED", 4, "")
    assert portal.answers()
    assert portal.stop() == 0


def test_killed_web_server_is_replaced(portal):
    old = portal.child("gunicorn")
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: portal.child("gunicorn") not in {0, old}, 10)
    wait_for(portal.answers, 20)
    assert portal.stop() == 0


def test_children_end_when_serve_itself_is_killed(portal):
    processes = portal.all()
    assert len(processes) >= 4
    portal.process.kill()
    portal.process.wait()
    wait_for(lambda: none_left(processes), 20)


def test_taken_port_is_said_plainly(new_portal):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        portal = new_portal(PORT=str(taken.getsockname()[1])).start()
        assert portal.process.wait(timeout=60) == 1
    assert "cannot be used (Address already in use)" in portal.said()
    assert "make run PORT=8001" in portal.said()
    assert "Traceback" not in portal.said()


def test_newer_database_is_refused_and_left_alone(new_portal):
    portal = new_portal()
    run_sql(
        portal,
        "INSERT INTO django_migrations (app, name, applied) "
        "VALUES ('households', '0999_later', '2030-01-01')",
    )
    portal.start()
    assert portal.process.wait(timeout=60) == 1
    assert "written by a newer version of the portal (households 0999_later)" in portal.said()
    assert "Traceback" not in portal.said()


def test_lost_database_is_said_plainly_and_without_its_password(new_portal):
    portal = new_portal(
        database_url=f"postgresql://owner:kept-to-us@127.0.0.1:{free_port()}/portal"
    ).start()
    assert portal.process.wait(timeout=60) == 1
    assert "cannot be reached" in portal.said()
    assert "kept-to-us" not in portal.said()
    assert "Traceback" not in portal.said()


def test_output_names_nobody(portal):
    """What a log could repeat: a mailed link, typed text in an address, a request that is none."""
    token = "x7Kq_2mVt-9aLpQw3zRb5Y"
    for request in [
        f"GET /password/{token}/?email=rivera@example.org HTTP/1.1",
        f"GET /for/{token}/nowhere/Mia-Rivera/ HTTP/1.1",
        f"GET /nowhere/Mia-Rivera/{token} HTTP/1.1",
        f"POST /login/?email=rivera@example.org&next={token} HTTP/1.1",
        f"GET /?rivera@example.org={token} HTTP/9 Mia-Rivera",
        f"GET /login/ HTTP/1.1\r\nMia-Rivera {token}",
    ]:
        with socket.create_connection(("127.0.0.1", portal.port), timeout=20) as browser:
            browser.sendall(f"{request}\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            assert browser.recv(100).startswith(b"HTTP/1.1 ")
    portal.stop()
    said = portal.said()
    assert "Invalid request from ip=127.0.0.1" in said
    assert '"route": "(no such page)", "status": 404' in said
    for secret in ("@", "Rivera", token):
        assert secret not in said


@pytest.mark.skipif(
    connection.vendor != "postgresql", reason="needs the server of the PostgreSQL run"
)
def test_serves_from_postgresql(new_portal):
    import psycopg

    database = connection.settings_dict
    name = f"serve_{os.getpid()}"
    place = {"host": database["HOST"], "port": database["PORT"], "user": database["USER"]}
    url = f"postgresql://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}/{name}"
    admin = psycopg.connect(
        dbname="postgres", password=database["PASSWORD"], autocommit=True, **place
    )
    with admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        try:
            portal = new_portal(database_url=url).start_and_wait()
            assert portal.get("/readyz") == b"ok\n"
            assert portal.stop() == 0, portal.said()
        finally:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
