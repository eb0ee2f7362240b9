"""Slowing down those who guess, exactly, and nobody else (SECURITY R-AU-5 to R-AU-7, R-AU-11, R-WP-7).

Every attempt is counted *before* it is checked, by one statement that inserts or updates the counter and
returns whether the attempt may go on. So parallel attempts, several workers and restarts cannot get more
than the limit past it. A success afterwards takes the attempt back.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from django.db import connection, transaction
from django.utils.crypto import salted_hmac

from accounts import audit
from accounts.models import Throttle


@dataclass(frozen=True)
class Rule:
    """`limit` attempts are let through; the last of them starts a pause of `first_pause` seconds, and each
    further one doubles it, up to `longest_pause`. With a `window` (seconds) the count starts anew when
    the window is over; without, only a success ends it. At `most` attempts nothing but `clear` helps."""

    door: str
    limit: int
    first_pause: int
    longest_pause: int
    window: int = 0
    most: int = 1_000_000_000


# NIST SP 800-63B section 3.2.2: no more than 100 consecutive failures; the mailed link ends the count.
SIGN_IN = Rule("sign-in", limit=5, first_pause=60, longest_pause=3600, most=100)
SIGN_IN_ADDRESS = Rule("sign-in-address", limit=30, first_pause=600, longest_pause=600, window=600)
STAFF_SIGN_IN = Rule("staff-sign-in", limit=5, first_pause=60, longest_pause=3600, most=100)
# The second step. A million codes, three of them right at any moment: as few guesses as at a password.
STAFF_CODE = Rule("staff-code", limit=5, first_pause=60, longest_pause=3600, most=100)
# Nobody guesses one of these: slowed, and open for good, also to whom guesses at the code have shut out.
STAFF_RECOVERY = Rule("staff-recovery", limit=5, first_pause=60, longest_pause=3600)
PICK = Rule("pick", limit=5, first_pause=60, longest_pause=900)
PICK_ADDRESS = Rule("pick-address", limit=30, first_pause=600, longest_pause=600, window=600)
LINK_MAIL = Rule("link-mail", limit=3, first_pause=3600, longest_pause=3600, window=3600)
LINK_ADDRESS = Rule("link-address", limit=100, first_pause=600, longest_pause=600, window=600)
PASSWORD_CHANGE = Rule("password-change", limit=5, first_pause=60, longest_pause=3600)
# Failures of everybody together: this alarms staff and stops nobody.
EVERYWHERE = Rule("everywhere", limit=500, first_pause=0, longest_pause=0, window=600)


@dataclass(frozen=True)
class Verdict:
    """`admitted`: this attempt may be checked. `attempts`: counted so far, this one included.
    `seconds`: how long the pause lasts from now, at least 1 for whoever is refused; 0 when there is none."""

    admitted: bool
    attempts: int
    seconds: int


_COUNT = """
INSERT INTO accounts_throttle AS counter
    (door, subject, attempts, window_started, paused_until, last_admitted)
VALUES (%(door)s, %(subject)s, 1, %(now)s, %(first)s, %(yes)s)
ON CONFLICT (door, subject) DO UPDATE SET
    last_admitted = (counter.paused_until <= %(now)s AND counter.attempts < %(most)s),
    attempts = CASE
        WHEN counter.paused_until > %(now)s OR counter.attempts >= %(most)s THEN counter.attempts
        WHEN %(window)s > 0 AND counter.window_started + %(window)s <= %(now)s THEN 1
        ELSE counter.attempts + 1 END,
    window_started = CASE
        WHEN %(window)s > 0 AND counter.paused_until <= %(now)s
             AND counter.window_started + %(window)s <= %(now)s THEN %(now)s
        ELSE counter.window_started END,
    paused_until = CASE
        WHEN counter.paused_until > %(now)s THEN counter.paused_until
        WHEN counter.attempts >= %(most)s THEN %(now)s + %(longest)s
        WHEN %(window)s > 0 AND counter.window_started + %(window)s <= %(now)s THEN %(first)s
        WHEN counter.attempts + 1 < %(limit)s THEN 0
        WHEN counter.attempts + 1 - %(limit)s >= 12 THEN %(now)s + %(longest)s
        WHEN %(pause)s * (1 << (counter.attempts + 1 - %(limit)s)) > %(longest)s THEN %(now)s + %(longest)s
        ELSE %(now)s + %(pause)s * (1 << (counter.attempts + 1 - %(limit)s)) END
RETURNING last_admitted, attempts, paused_until
"""


def count(rule: Rule, subject: str) -> Verdict:
    """Count one attempt of `subject` at the rule's door and say whether it may go on."""
    now = int(time.time())
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNT,
            {
                "door": rule.door,
                "subject": _hidden(rule, subject),
                "now": now,
                "yes": True,
                "first": now + rule.first_pause if rule.limit <= 1 else 0,
                "limit": rule.limit,
                "pause": rule.first_pause,
                "longest": rule.longest_pause,
                "window": rule.window,
                "most": rule.most,
            },
        )
        admitted, attempts, paused_until = cursor.fetchone()
    # From now: it may have waited for others at the same counter, one of whom began the pause.
    left = paused_until - int(time.time())
    return Verdict(bool(admitted), attempts, max(0 if admitted else 1, left))


@transaction.atomic(durable=True)  # counted for good before anything is checked
def admit(*counters: tuple[Rule, str]) -> int:
    """Count one attempt at each of these (rule, subject), in order, up to the first that is paused.

    Returns 0 when the attempt may go on, else the seconds (at least 1) of the pause. A refused attempt is
    nobody's failure: what was counted before the refusal is taken back.

    The address comes first, here and wherever one transaction touches both counters: each holds its row
    until the end, and two that take them in different orders wait for each other (a deadlock).
    """
    for place, (rule, subject) in enumerate(counters):
        verdict = count(rule, subject)
        if not verdict.admitted:
            take_back(*counters[:place])
            return max(1, verdict.seconds)
    return 0


def take_back(*counters: tuple[Rule, str]) -> None:
    """What `admit` let through was nobody's failure: it was right, or nobody checked it."""
    for rule, subject in counters:
        forgive(rule, subject)


def forgive(rule: Rule, subject: str) -> None:
    """Take one attempt back, and the pause it may have started: it was a success."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE accounts_throttle SET attempts = attempts - 1, paused_until = 0 "
            "WHERE door = %s AND subject = %s AND attempts > 0",
            [rule.door, _hidden(rule, subject)],
        )


def clear(rule: Rule, subject: str) -> None:
    """End the count: the right password, a password newly set, or staff lifted the pause."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM accounts_throttle WHERE door = %s AND subject = %s",
            [rule.door, _hidden(rule, subject)],
        )


def pause_of(rule: Rule, subject: str) -> int:
    """Seconds that the pause of `subject` still lasts; 0 when it may try. Counts nothing."""
    paused_until = (
        Throttle.objects.filter(door=rule.door, subject=_hidden(rule, subject))
        .values_list("paused_until", flat=True)
        .first()
    )
    return max(0, (paused_until or 0) - math.floor(time.time()))


def attempts_of(rule: Rule, subject: str) -> int:
    """How many attempts are counted. Counts nothing."""
    counter = Throttle.objects.filter(door=rule.door, subject=_hidden(rule, subject))
    return counter.values_list("attempts", flat=True).first() or 0


def failure_everywhere() -> None:
    """Count one failure of anybody; at the limit, once a window, alarm staff through the audit."""
    verdict = count(EVERYWHERE, "everybody")
    if verdict.attempts == EVERYWHERE.limit:
        audit.record(audit.Action.ALARM, "many-failures")


def _hidden(rule: Rule, subject: str) -> str:
    """A keyed hash, so that the table cannot be read as a list of who tried to sign in."""
    return salted_hmac(f"throttle.{rule.door}", subject, algorithm="sha256").hexdigest()
