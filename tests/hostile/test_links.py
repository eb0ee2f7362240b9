"""Mailed links and new passwords against races, thieves and forged hosts (SECURITY R-AU-9,
R-AU-10, cases RS)."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.hostile.conftest import (
    HOST,
    lift_pauses,
    set_password,
    through_proxy,
    with_open_link,
)
from tests.hostile.visitor import PASSWORD, SlowPost, Visitor, raw
from tests.real_portal import RealPortal, links_in

NEW = "another velvet garden spoon"
THIEFS = "stolen hammer orbit candle"
CHEN = "chen@example.org"


def new_password(password: str) -> dict[str, str]:
    return {"new_password1": password, "new_password2": password}


def password_is(portal: RealPortal, password: str) -> bool:
    lift_pauses(portal)
    return Visitor(portal).sign_in(CHEN, password).location == "/who/"


def test_no_sign_in_with_the_old_password_outlives_its_reset(portal):
    """Somebody who knows the password signs in again and again while the family replaces it."""
    family = with_open_link(portal, CHEN)
    over = threading.Event()

    def sign_in_again_and_again() -> list[Visitor]:
        inside = []
        while not over.is_set():
            visitor = Visitor(portal)
            if visitor.sign_in(CHEN).location == "/who/":
                inside.append(visitor)
        return inside

    with ThreadPoolExecutor(6) as thieves:
        tries = [thieves.submit(sign_in_again_and_again) for _ in range(6)]
        time.sleep(0.6)
        assert family.post("/password/choose/", new_password(NEW)).status == 302
        time.sleep(0.3)
        over.set()
    inside = [visitor for one in tries for visitor in one.result()]
    still = [visitor for visitor in inside if visitor.get("/who/").status == 200]
    set_password(portal, CHEN)

    assert len(inside) > 3  # the control: they did get in before
    assert len(still) == 0


def test_a_password_change_begun_before_a_reset_does_not_undo_it(portal):
    """A thief holds the last bytes of the change back until the family has a new password."""
    thief = Visitor(portal).signed_in(CHEN)
    held = SlowPost(thief, "/password/change/", {"old_password": PASSWORD, **new_password(THIEFS)})
    set_password(portal, CHEN, NEW)
    status, location = held.finish()
    took_over, kept = password_is(portal, THIEFS), password_is(portal, NEW)
    set_password(portal, CHEN)

    assert (took_over, kept) == (False, True)
    assert (status, location.partition("?")[0]) == (302, "/login/")


def test_a_password_change_that_is_slow_arrives(portal):
    """The control: held back as long, with no reset meanwhile."""
    family = Visitor(portal).signed_in(CHEN)
    held = SlowPost(family, "/password/change/", {"old_password": PASSWORD, **new_password(NEW)})
    status, location = held.finish()
    changed = password_is(portal, NEW)
    set_password(portal, CHEN)

    assert (status, location, changed) == (302, "/account/", True)


def test_two_links_used_at_once_set_one_password(portal):
    for _ in range(2):
        lift_pauses(portal)
        browsers = [with_open_link(portal, CHEN), with_open_link(portal, CHEN)]
        with ThreadPoolExecutor(2) as both:
            answers = list(
                both.map(
                    lambda one: one.post("/password/choose/", new_password(PASSWORD)), browsers
                )
            )
        assert Counter(answer.status for answer in answers) == {302: 1, 410: 1}
    assert password_is(portal, PASSWORD)


def test_one_link_used_at_once_in_several_browsers_works_once(portal):
    browser = with_open_link(portal, CHEN)
    passwords = [f"{NEW} {number}" for number in range(5)]
    with ThreadPoolExecutor(5) as all_of_them:
        answers = list(
            all_of_them.map(
                lambda password: browser.copy().post("/password/choose/", new_password(password)),
                passwords,
            )
        )
    assert Counter(answer.status for answer in answers) == {302: 1, 410: 4}
    used = passwords[[answer.status for answer in answers].index(302)]
    assert [password for password in passwords if password_is(portal, password)] == [used]
    # Dead for good, also for whoever has the cookie still, and after signing in.
    browser.signed_in(CHEN, used)
    assert browser.copy().post("/password/choose/", new_password(THIEFS)).status == 410
    set_password(portal, CHEN)


def test_scanners_that_follow_a_link_use_it_up_for_nobody(portal):
    visitor, before = Visitor(portal), portal.links_to(CHEN)
    visitor.post("/password/", {"email": CHEN})
    path = portal.next_link(CHEN, before).removeprefix(portal.url)
    for method in ["GET", "HEAD"] * 5:
        scanner = Visitor(portal)
        opened = scanner.request(method, path)
        assert (opened.status, opened.location) == (302, "/password/choose/")
        assert scanner.request(method, "/password/choose/").status == 200
    assert opened.headers["Referrer-Policy"] == "no-referrer"
    assert opened.headers["Cache-Control"] == "no-store"
    damaged = [path[:-2] + "/", path.swapcase(), path.rstrip("/") + "A/", path.replace("/p", "//p")]
    for odd in damaged:
        browser = Visitor(portal)
        browser.get(odd)
        assert browser.get("/password/choose/").status == 410
    visitor.get(path)
    assert visitor.post("/password/choose/", new_password(PASSWORD)).status == 302


def test_a_link_opened_by_another_signed_in_household_mixes_nothing(portal):
    browser = Visitor(portal).signed_in("rivera@example.org")
    home = browser.choose("Ava", "2015/03/02")
    before = portal.links_to(CHEN)
    browser.post("/password/", {"email": CHEN})
    browser.get(portal.next_link(CHEN, before).removeprefix(portal.url))
    page = browser.get("/password/choose/")
    assert page.status == 200
    assert "Ava" not in page.text
    assert "rivera" not in page.text.lower()
    thief = browser.copy()
    assert browser.post("/password/choose/", new_password(PASSWORD)).location == "/login/"
    for visitor in (browser, thief):
        assert visitor.get(home).location.startswith("/login/")
    assert browser.signed_in(CHEN).get(home).location == "/who/"


FORGED = (
    ("POST /password/", "Host: evil.example"),
    ("POST /password/", "Host: {host}", "Host: evil.example"),
    ("POST /password/", "Host: evil.example", "Host: {host}"),
    ("POST /password/", "Host: {host}@evil.example"),
    ("POST /password/", "Host: evil.example@{host}"),
    ("POST /password/", "Host: {host}:80@evil.example"),
    ("POST /password/", "Host: {host}/evil.example"),
    ("POST /password/", "Host: {host}:evil"),
    ("POST /password/", "Host: {host}", "X-Forwarded-Host: evil.example"),
    ("POST /password/", "Host: {host}", "Forwarded: host=evil.example;proto=http"),
    ("POST /password/", "Host: {host}", "X_Forwarded_Host: evil.example"),
    ("POST http://evil.example/password/", "Host: {host}"),
    ("POST http://{host}/password/", "Host: evil.example"),
    ("POST //evil.example/password/", "Host: {host}"),
    ("POST /password/?email=evil@evil.example", "Host: {host}"),
)


def test_no_request_puts_another_host_into_a_mail(portal):
    """RS-07. Either refused, or the mail has the configured address: the oracle is the mail itself."""
    email = "okafor@example.org"
    before = len(portal.links_to(email))
    statuses = []
    for line, *headers in FORGED:
        lift_pauses(portal)
        head, body = _request_for_a_link(portal, email, line, headers)
        answer = raw(portal, head + body).decode()
        statuses.append(int(answer.split()[1]))
        assert "evil" not in answer.partition("\r\n\r\n")[0]
    assert set(statuses) == {302, 400, 404}
    mailed = statuses.count(302)
    _until(lambda: len(portal.links_to(email)) == before + mailed)
    for mail in portal.mails_to(email)[-mailed:]:
        assert "evil" not in mail.as_string()
        assert links_in(mail)[0].startswith(f"{portal.url}/password/")


def _request_for_a_link(
    portal: RealPortal, email: str, line: str, headers: list[str]
) -> tuple[bytes, bytes]:
    token = Visitor(portal).token()
    body = f"csrfmiddlewaretoken={token}&email={email}"
    head = [
        f"{line} HTTP/1.1",
        *headers,
        f"Cookie: csrf={token}",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    text = "\r\n".join(head).replace("{host}", f"127.0.0.1:{portal.port}")
    return f"{text}\r\n\r\n".encode(), body.encode()


def test_mail_waits_for_its_server_and_goes_out_once(proxied, mail_server):
    """RS-14: nobody who asks notices; the link has the configured host and https (RS-07)."""
    mail_server.stop()
    before = len(mail_server.to("okafor@example.org"))
    start = time.monotonic()
    answer = through_proxy(proxied).post("/password/", {"email": "okafor@example.org"})
    assert (answer.status, answer.location) == (302, "/password/sent/")
    assert time.monotonic() - start < 1
    waiting = "SELECT count(*) FROM django_tasks_database_dbtaskresult WHERE status = 'READY'"
    _until(
        lambda: (
            proxied.query(waiting + " AND CAST(args_kwargs AS text) LIKE %s", "%okafor%1]%")
            == [(1,)]
        )
    )
    mail_server.start()
    # A minute later.
    proxied.query(
        "UPDATE django_tasks_database_dbtaskresult SET run_after = enqueued_at WHERE status = 'READY'"
    )
    mail = mail_server.next_to("okafor@example.org", after=before)
    (link,) = links_in(mail)
    assert link.startswith(f"https://{HOST}/password/")
    assert "Sam" not in mail.as_string()
    assert len(re.findall("@", mail["To"])) == 1
    time.sleep(0.6)  # the worker looks every half second
    assert len(mail_server.to("okafor@example.org")) == before + 1


def test_a_mail_server_that_hangs_holds_nobody_up(proxied, mail_server):
    """It takes the call and says nothing. Meanwhile families sign in, which writes."""
    # What is to go out at once has no time to wait for; the queue writes that as the end of all time.
    at_once = "status = 'RUNNING' OR (status = 'READY' AND run_after > '9000-01-01')"
    under_way = f"SELECT count(*) FROM django_tasks_database_dbtaskresult WHERE {at_once}"
    _until(lambda: proxied.query(under_way) == [(0,)])
    mail_server.stop()
    with socket.create_server(("127.0.0.1", mail_server.port)) as silent:
        silent.settimeout(10)
        through_proxy(proxied).post("/password/", {"email": "new@example.org"})
        call, _address = silent.accept()
        start = time.monotonic()
        family = through_proxy(proxied)
        signed_in = family.sign_in("rivera@example.org")
        asked = through_proxy(proxied, "198.51.100.1").post("/password/", {"email": "a@b.example"})
        took = time.monotonic() - start
        call.close()
    mail_server.start()
    assert (signed_in.location, asked.location) == ("/who/", "/password/sent/")
    assert took < 5


def _until(holds: Callable[[], bool]) -> None:
    for _try in range(150):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("this did not happen")
