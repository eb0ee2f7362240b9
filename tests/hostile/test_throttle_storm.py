"""Guessing with many hands, over four workers of eight threads: exactly as many guesses are checked as the
rules say, on either database, whatever a client says of itself and whatever is killed meanwhile; and nobody
else feels it (SECURITY R-AU-5 to R-AU-8, R-AU-11, R-WP-7, cases AU-03 to AU-06, MB-17, RS-13).

What was checked is counted in the audit, which says of each attempt whether it was let through.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.hostile.conftest import through_proxy, with_open_link
from tests.hostile.test_killed import kill_all
from tests.hostile.visitor import PASSWORD, Answer, Visitor
from tests.real_portal import RealPortal

pytestmark = pytest.mark.timeout(240)  # the portals' own start included

WRONG = "wrong walnut battery 12"
RIVERA, CHEN = "rivera@example.org", "chen@example.org"
# One mailbox, and one that only looks like it.
SPELLINGS = (
    "rivera@example.org",
    "RIVERA@EXAMPLE.ORG",
    "Rivera@Example.Org.",
    "  rivera@example.org ",
    "\u200brivera@example.org\u2060",
    "\u00a0rivera@example.org\u3000",
    "rivera@example.org\ufeff..",
    "\uff52ivera@example.org",
)


class Checked:
    """What the audit says was tried since this was made."""

    def __init__(self, portal: RealPortal) -> None:
        self.portal = portal
        self.began = portal.query("SELECT max(id) FROM audit_auditevent")[0][0]

    def __call__(self, action: str, email: str = "") -> Counter[str]:
        statement = "SELECT outcome FROM audit_auditevent WHERE id > %s AND action = %s"
        values = [self.began, action]
        if email:
            statement += (
                " AND account_id = (SELECT id FROM accounts_householdaccount WHERE email_key = %s)"
            )
            values.append(email)
        return Counter(row[0] for row in self.portal.query(statement, *values))


def burst(attempts: int, send: Callable[[int], Answer], at_once: int = 64) -> list[Answer]:
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(send, range(attempts)))


def statuses(answers: list[Answer]) -> Counter[int]:
    return Counter(answer.status for answer in answers)


def guess(portal: RealPortal, number: int, email: str = RIVERA) -> Answer:
    """Each from an address and with a browser of its own."""
    visitor = through_proxy(portal, f"198.51.{number // 250}.{number % 250}")
    return visitor.sign_in(email, WRONG)


def let_pauses_pass(portal: RealPortal) -> None:
    """An hour later, as far as the counters know."""
    portal.query(
        "UPDATE accounts_throttle SET paused_until = paused_until - 3600 WHERE paused_until > 0"
    )


def killed_and_started(portal: RealPortal) -> None:
    kill_all(portal)
    portal.process.wait(20)
    portal.start()


def test_a_hundred_at_once_in_every_spelling_get_five(deployed):
    """Killed in the middle, with everything that a process might remember."""
    inside = through_proxy(deployed).signed_in(RIVERA)
    checked = Checked(deployed)

    def spelled(number: int) -> Answer:
        return guess(deployed, number, SPELLINGS[number % len(SPELLINGS)])

    first = burst(50, spelled)
    killed_and_started(deployed)
    answers = first + burst(50, spelled)
    assert checked("sign-in", RIVERA) == {"wrong-password": 5}
    # The one that only looks like it is another name, and gets five of its own.
    assert checked("sign-in") == {"wrong-password": 5, "unknown-email": 5}
    assert statuses(answers) == {422: 10, 429: 90}
    assert checked("throttle") == {"sign-in": 90}
    assert all(
        0 < int(answer.headers["Retry-After"]) <= 60 for answer in answers if answer.status == 429
    )
    # The right password waits like a wrong one. What is open stays open; others come in.
    assert through_proxy(deployed).sign_in(RIVERA).status == 429
    assert inside.get("/account/").status == 200
    assert through_proxy(deployed).sign_in(CHEN).status == 302


def test_the_pause_grows_to_an_hour_and_the_hundredth_is_the_last(deployed):
    """And the link in the mailbox opens the door at any moment."""
    checked = Checked(deployed)
    pauses = []
    for number in range(5):
        last = guess(deployed, number)
    assert last.status == 422
    for _ in range(8):
        answers = burst(12, lambda number: guess(deployed, number), at_once=12)
        pauses.append(max(int(one.headers.get("Retry-After", 0)) for one in answers))
        let_pauses_pass(deployed)
    # After the fifth a minute; then one guess after each pause, and twice as long.
    allowed = [60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert all(most - 25 < pause <= most for pause, most in zip(pauses, allowed, strict=True)), (
        pauses
    )
    assert checked("sign-in", RIVERA) == {"wrong-password": 5 + 7}

    deployed.query(
        "UPDATE accounts_throttle SET attempts = 99, paused_until = 0 WHERE door = 'sign-in'"
    )
    for _ in range(3):
        burst(10, lambda number: guess(deployed, number), at_once=10)
        let_pauses_pass(deployed)
    assert checked("sign-in", RIVERA) == {"wrong-password": 5 + 7 + 1}
    assert through_proxy(deployed).sign_in(RIVERA).status == 429
    answer = with_open_link(deployed, RIVERA).post(
        "/password/choose/", {"new_password1": PASSWORD, "new_password2": PASSWORD}
    )
    assert answer.status == 302
    assert through_proxy(deployed).sign_in(RIVERA).location == "/who/"


def test_right_passwords_among_wrong_ones_buy_no_guesses(deployed):
    """Whoever has a login of their own signs in again and again to take their guesses back."""
    checked = Checked(deployed)

    def sent(number: int) -> Answer:
        visitor = through_proxy(deployed, "198.51.100.7")
        if number % 3 == 0:
            return visitor.sign_in(CHEN)
        return visitor.sign_in(f"somebody{number}@example.org", WRONG)

    answers = burst(120, sent, at_once=16)
    assert checked("sign-in")["unknown-email"] <= 30
    # Nobody waited for a row that the other held: it was admitted, asked to wait, or refused.
    assert statuses(answers).keys() <= {302, 422, 429}
    # Only that address waits.
    assert through_proxy(deployed, "198.51.100.8").sign_in(CHEN).status == 302


def test_what_a_client_says_of_its_address(portal, deployed):
    """R-AU-7: nothing where no proxy is trusted; behind one, only what that proxy wrote."""
    checked = Checked(portal)

    def alone(number: int) -> Answer:
        forged = f"198.51.100.{number}"
        said = {"X_Forwarded_For": forged, "Forwarded": f"for={forged}", "X_Real_IP": forged}
        return Visitor(portal, **said).sign_in(f"somebody{number}@example.org", WRONG)

    assert statuses(burst(45, alone)) == {422: 30, 429: 15}
    assert checked("sign-in") == {"unknown-email": 30}

    checked = Checked(deployed)

    def behind_one(number: int) -> Answer:
        visitor = through_proxy(deployed, f"198.51.100.{number}, 192.0.2.{number},203.0.113.9")
        visitor.headers |= {
            "Forwarded": f"for=198.51.100.{number}",
            "X-Real-IP": f"10.0.0.{number}",
        }
        return visitor.sign_in(f"somebody{number}@example.org", WRONG)

    assert statuses(burst(45, behind_one)) == {422: 30, 429: 15}
    assert checked("sign-in") == {"unknown-email": 30}
    for address in ("203.0.113.10", "198.51.100.1"):
        assert through_proxy(deployed, address).sign_in(CHEN).status == 302


def test_choosing_a_person_by_guessing(deployed):
    """MB-17: parallel, from several sign-ins and addresses, across a restart and a new sign-in."""
    browsers = [through_proxy(deployed, f"198.51.100.{n}").signed_in(RIVERA) for n in range(4)]
    checked = Checked(deployed)

    def miss(number: int) -> Answer:
        visitor = browsers[number % 4].copy()
        visitor.headers["X-Forwarded-For"] = f"198.51.101.{number}"
        return visitor.post("/who/", {"first_name": f"A{number}", "date_of_birth": "2015/03/02"})

    answers = burst(30, miss)
    killed_and_started(deployed)
    answers += burst(10, miss)
    assert statuses(answers) == {422: 5, 429: 35}
    assert checked("throttle") == {"pick": 35}
    waits = {int(answer.headers["Retry-After"]) for answer in answers if answer.status == 429}
    assert max(waits) <= 60
    again = through_proxy(deployed, "198.51.102.1").signed_in(RIVERA)
    right = {"first_name": "Ava", "date_of_birth": "2015/03/02"}
    assert again.post("/who/", right).status == 429
    assert (
        through_proxy(deployed, "198.51.102.2").signed_in(CHEN).post("/who/", right).status == 302
    )
    let_pauses_pass(deployed)
    assert again.post("/who/", right).status == 302


def test_mails_with_a_link(deployed):
    """RS-13, from many addresses and in every spelling: three mails, and answers that tell nothing."""
    checked, before = Checked(deployed), len(deployed.links_to(RIVERA))

    def ask(number: int) -> Answer:
        visitor = through_proxy(deployed, f"198.51.103.{number}")
        return visitor.post("/password/", {"email": SPELLINGS[number % 7]})

    answers = burst(50, ask)
    assert {(answer.status, answer.location) for answer in answers} == {(302, "/password/sent/")}
    assert checked("link-request") == {"asked": 3, "too-many": 47}
    other = len(deployed.links_to(CHEN))
    through_proxy(deployed).post("/password/", {"email": CHEN})
    deployed.next_link(CHEN, deployed.links_to(CHEN)[:other])
    assert len(deployed.links_to(RIVERA)) == before + 3


def test_the_staff_door(deployed):
    """The same rule for the nurse's password, and no word about whether somebody works here."""
    checked = Checked(deployed)

    def at_the_door(email: str) -> Counter[int]:
        def guess(number: int) -> Answer:
            visitor = through_proxy(deployed, f"198.51.104.{number}")
            return visitor.post(
                "/admin/login/", {"username": email, "password": f"{WRONG}{number}"}
            )

        return statuses(burst(25, guess, at_once=25))

    assert at_the_door("nurse@example.org") == at_the_door("nobody@example.org")
    assert checked("staff-sign-in") == {"refused": 10}
    assert checked("throttle") == {"staff-sign-in": 40}
    # The family of the same email has a door of its own.
    assert guess(deployed, 1, "nurse@example.org").status == 422


def test_a_refused_attempt_costs_no_hash(deployed):
    visitor, times = through_proxy(deployed), {422: list[float](), 429: list[float]()}
    visitor.token()
    for number in range(12):
        for email in (f"somebody{number}@example.org", RIVERA):
            start = time.perf_counter()
            answer = visitor.sign_in(email, WRONG)
            times[answer.status].append(time.perf_counter() - start)
    assert len(times[429]) == 7
    checked, refused = (statistics.quantiles(times[status], n=4)[0] for status in (422, 429))
    print(f"checked {checked * 1000:.1f} ms, refused {refused * 1000:.1f} ms")
    assert refused < 0.75 * checked
