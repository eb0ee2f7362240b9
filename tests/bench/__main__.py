"""`make bench`: CPU per request of the portal's pages as a ratio to the floor's, and how fast files come and
go as a ratio to the disk's and a front server's speed.

Only ratios of things run in turn in one session mean anything on a shared machine (PERFORMANCE.md), so the
servers take turns, round by round, and the median round counts. CPU is the web workers' own accounting.
"""

from __future__ import annotations

import http.client
import http.cookies
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

from tests.bench import downloads, forms, uploads

ROUNDS = 5
REQUESTS = 300
TICK = os.sysconf("SC_CLK_TCK")
EMAIL, PASSWORD = "bench@example.org", "four-random-words-benched"

# What has to hold (the issues that began the bench), as ratios; queries are a count.
AT_LEAST = {**uploads.LIMITS, **downloads.LIMITS}
AT_MOST = {
    "sign-in page / floor": 1.0,
    "member home / floor": 1.5,
    "sign-in / one Argon2 hash": 1.3,
    "queries on a member page": 8,
    "audit entry, ms": 2.0,
    **forms.LIMITS,
}


class Server:
    """A gunicorn of two workers with four threads, and a browser that keeps its cookies."""

    def __init__(self, application: str, environment: dict[str, str], *settings: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "gunicorn", application]
        command += ["--bind", f"127.0.0.1:{self.port}", "--workers", "2", "--threads", "4"]
        command += ["--log-level", "error", *(settings or ["--worker-class", "gthread"])]
        self.process = subprocess.Popen(command, env={**os.environ, **environment})
        self.cookies: dict[str, str] = {}
        for _try in range(100):
            try:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port)
                self.connection.connect()
                break
            except OSError:
                time.sleep(0.1)

    def request(self, method: str, path: str, form: dict[str, str] | None = None):
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        body = urllib.parse.urlencode(form) if form is not None else None
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read().decode()
        for line in answer.headers.get_all("Set-Cookie") or []:
            for name, morsel in http.cookies.SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return answer.status, answer.headers.get("Location", ""), text

    def post(self, page: str, form: dict[str, str]):
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.request("GET", page)[2])
        return self.request("POST", page, {**form, "csrfmiddlewaretoken": token[1]})

    def cpu(self) -> float:
        """Seconds of CPU that the workers have used so far."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        total = 0
        for pid in children.read_text().split():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICK

    def cost(self, method: str, path: str, expected: int = 200) -> float:
        """Milliseconds of CPU per request, over one round."""
        self.connection.close()  # the server let go of it while the other had its turn
        before = self.cpu()
        for _request in range(REQUESTS):
            status, _to, _text = self.request(method, path)
            assert status == expected, (path, status)
        return (self.cpu() - before) / REQUESTS * 1000

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        floor_data, portal_data = Path(folder, "floor"), Path(folder, "portal")
        floor_data.mkdir()
        floor_environment = {"FLOOR_DATA": str(floor_data)}
        subprocess.run(
            [sys.executable, "-m", "tests.bench.floor", "prepare"],
            env={**os.environ, **floor_environment},
            check=True,
        )
        os.environ.update(PORTAL_DATA=str(portal_data), PORTAL_LOCAL="1", PORTAL_DEMO="0")
        queries, form_ids = prepare_portal()
        entry = entry_ms()
        floor = Server("tests.bench.floor:application", floor_environment)
        ours = ["portal.wsgi:application", "--config", "portal/web_server.py"]
        portal = Server(ours[0], {}, *ours[1:])
        telling = Server(ours[0], {"PORTAL_SENDFILE": "X-Accel-Redirect"}, *ours[1:])
        try:
            figures = measure(floor, portal)
            figures |= measure_files(portal, telling, portal_data)
            figures |= measure_forms(portal, form_ids)
        finally:
            floor.stop()
            portal.stop()
            telling.stop()
    figures["queries on a member page"] = queries
    figures["audit entry, ms"] = entry
    return report(figures)


def prepare_portal() -> tuple[int, list[str]]:
    """A practice with 2,000 members and one household to sign in, and its forms. Returns the most queries
    that a member page takes, and the forms' ids."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from accounts import passwords
    from accounts.models import HouseholdAccount
    from households.models import Member, Practice

    settings.ALLOWED_HOSTS.append("testserver")
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    Practice.objects.create(pk=1, name="Bench practice", phone="555-0100")
    people = [
        Member(
            patient_id=f"B{n}",
            first_name=f"Person{n}",
            last_name="Bench",
            email=f"h{n // 4}@example.org",
        )
        for n in range(2000)
    ]
    people[0] = Member(
        patient_id="B0",
        first_name="Mia",
        last_name="Bench",
        email=EMAIL,
        date_of_birth="2016-04-27",
    )
    for person in people:
        person.set_keys()
    Member.objects.bulk_create(people)
    HouseholdAccount.objects.create(email_key=EMAIL, password=passwords.hashed(PASSWORD))

    client = Client()
    client.post("/login/", {"email": EMAIL, "password": PASSWORD})
    home = client.post("/who/", {"first_name": "Mia", "date_of_birth": "2016/04/27"}).headers[
        "Location"
    ]
    most = 0
    for page in (home, f"{home}documents/"):
        with CaptureQueriesContext(
            connection,
        ) as seen:
            assert client.get(page).status_code == 200
        most = max(most, len(seen))
    ids = forms.prepare()
    connection.close()
    return most, ids


def entry_ms() -> float:
    """What one entry adds to a page that writes nothing else: the median, with its commit."""
    from django.db import connection

    from accounts import audit

    taken = []
    for number in range(1000):
        began = time.perf_counter()
        audit.record(audit.Action.VIEW, "ok", account_id=1, session_id=1, member_id=number)
        taken.append(time.perf_counter() - began)
    connection.close()
    return round(statistics.median(taken) * 1000, 3)


def measure(floor: Server, portal: Server) -> dict[str, float]:
    assert floor.post("/login/", {"username": "floor", "password": "floor"})[0] == 302
    assert portal.post("/login/", {"email": EMAIL, "password": PASSWORD})[0] == 302
    status, home, _text = portal.post("/who/", {"first_name": "Mia", "date_of_birth": "2016/04/27"})
    assert status == 302
    family = dict(portal.cookies)
    rounds: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        rounds.setdefault(name, []).append(value)

    for _round in range(ROUNDS):
        note("floor home", floor.cost("GET", "/"))
        portal.cookies = dict(family)
        note("portal home", portal.cost("GET", home))
        note("floor sign-in page", floor.cost("GET", "/login/"))
        portal.cookies = {}
        note("portal sign-in page", portal.cost("GET", "/login/"))
        note("one hash", hash_cost())
        note("portal sign-in", sign_in_cost(portal))
    median = {name: statistics.median(values) for name, values in rounds.items()}
    for name, value in median.items():
        print(f"{name:24} {value:7.2f} ms of CPU")
    return {
        **{f"{name} ms": round(value, 3) for name, value in median.items()},
        "sign-in page / floor": round(
            median["portal sign-in page"] / median["floor sign-in page"], 3
        ),
        "member home / floor": round(median["portal home"] / median["floor home"], 3),
        "sign-in / one Argon2 hash": round(median["portal sign-in"] / median["one hash"], 3),
    }


def measure_forms(portal: Server, ids: list[str]) -> dict[str, float]:
    portal.cookies = {}
    portal.connection.close()
    assert portal.post("/login/", {"email": EMAIL, "password": PASSWORD})[0] == 302
    _status, home, _text = portal.post(
        "/who/", {"first_name": "Mia", "date_of_birth": "2016/04/27"}
    )
    return forms.measure(portal, home, ids)


def measure_files(portal: Server, telling: Server, data: Path) -> dict[str, float]:
    """Files sent to a chart, and the last of them fetched. `telling` lets a front server send them."""
    portal.cookies = {}
    portal.connection.close()
    assert portal.post("/login/", {"email": EMAIL, "password": PASSWORD})[0] == 302
    _status, home, _text = portal.post(
        "/who/", {"first_name": "Mia", "date_of_birth": "2016/04/27"}
    )
    page = f"{home}documents/"
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', portal.request("GET", page)[2])
    cookie = "; ".join(f"{name}={value}" for name, value in portal.cookies.items())

    def post(body: bytes, content_type: str) -> int:
        portal.connection.close()  # as for a family, who chose the file meanwhile
        headers = {"Cookie": cookie, "X-CSRFToken": token[1], "Content-Type": content_type}
        portal.connection.request("POST", page, body, headers)
        answer = portal.connection.getresponse()
        answer.read()
        return answer.status

    figures = uploads.measure(post, data)
    newest = re.search(rf"{page}[0-9a-f-]{{36}}/", portal.request("GET", page)[2])[0]
    stored = max((data / "files").glob("documents/*"), key=lambda path: path.stat().st_mtime_ns)
    return figures | downloads.measure(portal.port, telling.port, f"{newest}file/", cookie, stored)


def hash_cost() -> float:
    """Milliseconds of CPU that one Argon2 hash with the portal's parameters takes."""
    from accounts import passwords

    before = time.process_time()
    for _hash in range(60):
        passwords.hashed(PASSWORD)
    return (time.process_time() - before) / 60 * 1000


def sign_in_cost(portal: Server) -> float:
    """Milliseconds of CPU per sign-in: the post alone, with the form's token already at hand."""
    portal.cookies = {}
    portal.connection.close()
    page = portal.request("GET", "/login/")[2]
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
    fresh = dict(portal.cookies)
    form = {"email": EMAIL, "password": PASSWORD, "csrfmiddlewaretoken": token}
    before = portal.cpu()
    for _sign_in in range(60):
        portal.cookies = dict(fresh)
        status, _to, _text = portal.request("POST", "/login/", form)
        assert status == 302, status
    return (portal.cpu() - before) / 60 * 1000


def report(figures: dict[str, float]) -> int:
    print()
    missed = 0
    limits = [(name, limit, "at most") for name, limit in AT_MOST.items()]
    limits += [(name, limit, "at least") for name, limit in AT_LEAST.items() if name in figures]
    for name, limit, bound in limits:
        held = figures[name] <= limit if bound == "at most" else figures[name] >= limit
        missed += not held
        print(
            f"{name:40} {figures[name]:6.2f}   {bound:8} {limit:<4}  {'ok' if held else 'MISSED'}"
        )
    if os.environ.get("BENCH_JSON"):
        Path(os.environ["BENCH_JSON"]).write_text(json.dumps(figures, indent=1) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
