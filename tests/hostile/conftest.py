"""Three real portals to attack, on either database.

`portal` stands alone, as `make run` starts it, with four workers of eight threads. `proxied` is behind a
proxy with https, so that a test can come from any address, and sessions there end within seconds, idle or
old. `deployed` is like it, with ordinary time-outs and as many workers. The people are those of SECURITY.md
2.1. The logs are read at the end: nobody may stand in them.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import pytest

from tests.hostile.mail_server import MailServer
from tests.hostile.visitor import PASSWORD, STAFF_PASSWORD, Visitor
from tests.real_portal import RealPortal, links_in, running_portal

ROSTER = """\
patient_id,mrn,first_name,last_name,date_of_birth,email,status
P1,M1,Ava,Rivera,2015-03-02,rivera@example.org,active
P2,M2,Ben,Rivera,2017-09-14,Rivera@Example.org,active
P3,M3,Lia,Rivera,2020-02-29,rivera@example.org,active
P4,M4,Leo,Rivera,2020-02-29,rivera@example.org,active
P5,M5,Ava,Chen,2015-03-02,chen@example.org,active
P6,M6,Max,Chen,1950-12-31,chen@example.org,active
P7,M7,Sam,Okafor,2010-05-05,okafor@example.org,active
P8,M8,Sam,Okafor,2010-05-05,okafor@example.org,active
P9,M9,Nia,Neumann,2001-01-01,new@example.org,active
P10,M10,Nora,Quist,1990-01-15,nurse@example.org,active
"""
SIZE = {"PORTAL_WORKERS": "4", "PORTAL_THREADS": "8"}
HOST = "portal.example"
BEHIND_PROXY = {
    "ALLOWED_HOSTS": HOST,
    "PORTAL_URL": f"https://{HOST}",
    "PORTAL_HTTPS": "1",
    "PORTAL_TRUSTED_PROXIES": "1",
}


@pytest.fixture(scope="session")
def _portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPortal]:
    with running_portal(tmp_path_factory.mktemp("alone"), **SIZE) as portal:
        portal.import_roster(ROSTER)
        portal.add_owner("nurse@example.org", STAFF_PASSWORD)
        for email in ("rivera@example.org", "chen@example.org", "nurse@example.org"):
            set_password(portal, email)
        yield portal
    assert_log_names_nobody(portal)


@pytest.fixture
def portal(_portal: RealPortal) -> RealPortal:
    lift_pauses(_portal)
    return _portal


@pytest.fixture(scope="session")
def silent(_portal: RealPortal) -> Iterator[tuple[socket.socket, float]]:
    """A client that stops in the middle of its first line, and since when. Begun long before the test
    that waits for its end."""
    with socket.create_connection(("127.0.0.1", _portal.port), timeout=60) as wire:
        wire.sendall(b"GET /lo")
        yield wire, time.monotonic()


@pytest.fixture(scope="session")
def mail_server() -> Iterator[MailServer]:
    """Down until a test, or `_proxied`, starts it."""
    server = MailServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def _proxied(
    tmp_path_factory: pytest.TempPathFactory, mail_server: MailServer
) -> Iterator[RealPortal]:
    environment = {
        **BEHIND_PROXY,
        "PORTAL_IDLE_SECONDS": "3",
        "PORTAL_ABSOLUTE_SECONDS": "6",
        "PORTAL_STAFF_ABSOLUTE_SECONDS": "6",
        "EMAIL_URL": f"smtp://127.0.0.1:{mail_server.port}",
    }
    with running_portal(tmp_path_factory.mktemp("proxied"), **environment) as portal:
        portal.import_roster(ROSTER)
        portal.add_owner("nurse@example.org", STAFF_PASSWORD)
        mail_server.start()
        visitor = through_proxy(portal)
        visitor.post("/password/", {"email": "rivera@example.org"})
        (link,) = links_in(mail_server.next_to("rivera@example.org", after=0))
        visitor.get(link.removeprefix(f"https://{HOST}"))
        answer = visitor.post(
            "/password/choose/", {"new_password1": PASSWORD, "new_password2": PASSWORD}
        )
        assert answer.status == 302, answer.text
        yield portal
    assert_log_names_nobody(portal)


@pytest.fixture
def proxied(_proxied: RealPortal) -> RealPortal:
    lift_pauses(_proxied)
    return _proxied


@pytest.fixture(scope="session")
def _deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPortal]:
    with running_portal(tmp_path_factory.mktemp("deployed"), **BEHIND_PROXY, **SIZE) as portal:
        portal.import_roster(ROSTER)
        portal.add_owner("nurse@example.org", STAFF_PASSWORD)
        for email in ("rivera@example.org", "chen@example.org"):
            set_password(portal, email)
        yield portal
    assert_log_names_nobody(portal)


@pytest.fixture
def deployed(_deployed: RealPortal) -> RealPortal:
    lift_pauses(_deployed)
    return _deployed


def through_proxy(portal: RealPortal, address: str = "203.0.113.7") -> Visitor:
    """A visitor whose address the proxy says."""
    return Visitor(
        portal,
        Host=HOST,
        Referer=f"https://{HOST}/",
        X_Forwarded_Proto="https",
        X_Forwarded_For=address,
    )


def lift_pauses(portal: RealPortal) -> None:
    portal.query("DELETE FROM accounts_throttle")


def with_open_link(portal: RealPortal, email: str) -> Visitor:
    """A browser that has just followed a mailed link of `email`."""
    is_behind_proxy = "PORTAL_TRUSTED_PROXIES" in portal.environment
    visitor = through_proxy(portal) if is_behind_proxy else Visitor(portal)
    before = portal.links_to(email)
    visitor.post("/password/", {"email": email})
    link = portal.next_link(email, before)
    Visitor.secrets.add(link.rstrip("/").rpartition("/")[2])
    path = link.removeprefix(portal.environment["PORTAL_URL"])
    assert visitor.get(path).location == "/password/choose/"
    return visitor


def set_password(portal: RealPortal, email: str, password: str = PASSWORD) -> None:
    """Through the mailed link, as families do."""
    lift_pauses(portal)
    answer = with_open_link(portal, email).post(
        "/password/choose/", {"new_password1": password, "new_password2": password}
    )
    assert answer.status == 302, answer.text


def assert_log_names_nobody(portal: RealPortal) -> None:
    said = portal.said()
    log = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert any(line["level"] == "WARNING" for line in log)  # the attacks are in it
    names = {"example.org", "Rivera", "Okafor", "Quist", PASSWORD, STAFF_PASSWORD, "Traceback"}
    assert {word for word in names | Visitor.secrets if word in said} == set()
    assert [line for line in log if line.get("status", 0) >= 500] == []
