"""The one sentence at the top of the household page, from the facts of an email."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest

from households.diagnosis import CAUSES, Facts, Failure, LinkFacts, diagnose

NOW = datetime.datetime(2026, 11, 27, 14, 0, tzinfo=datetime.UTC)


def ago(minutes: float) -> datetime.datetime:
    return NOW - datetime.timedelta(minutes=minutes)


def failed(action: str, outcome: str, minutes: float = 10, times: int = 1) -> Failure:
    return Failure(CAUSES[action, outcome], ago(minutes), times, (action, outcome))


READY = Facts(now=NOW, people=2, opened=2, has_password=True, last_success=ago(60 * 24 * 3))
NEW = replace(READY, has_password=False, last_success=None)
MAILED = LinkFacts(
    asked_at=ago(30), mail_state="sent", sent_at=ago(29), state="open", expires_at=ago(-60 * 20)
)


def but(facts: Facts, **changes: object) -> Facts:
    return replace(facts, **changes)


CASES = {
    "nobody has it": (
        Facts(now=NOW, people=0, opened=0, has_account=False),
        "Nobody has this email on file",
        "",
    ),
    "nobody has it, and it was tried": (
        but(
            Facts(now=NOW, people=0, opened=0, has_account=False),
            failures=[failed("sign-in", "unknown-email")],
        ),
        "Last try 10 minutes ago",
        "",
    ),
    "closed": (but(READY, is_active=False), "has closed this login", "open-login"),
    "closed and paused": (
        but(READY, is_active=False, sign_in_pause=60),
        "has closed this login",
        "open-login",
    ),
    "nobody can be opened": (
        but(READY, people=1, opened=0, why_closed="no portal access"),
        "The one person on this email cannot be opened: no portal access.",
        "",
    ),
    "no account": (
        but(READY, has_account=False, is_active=False),
        "has no login yet",
        "make-login",
    ),
    "paused": (but(READY, sign_in_pause=119), "have to wait 2 minutes", "lift-pause"),
    "paused for seconds": (but(READY, sign_in_pause=1), "have to wait 1 second.", "lift-pause"),
    "paused at the picker": (but(READY, pick_pause=60), "names or birth dates", "lift-pause"),
    "never invited": (NEW, "no link was ever mailed", "send-link"),
    "asked, not looked at yet": (but(NEW, waits_since=ago(2)), "waits in the queue", ""),
    "asked, and the worker stands still": (
        but(NEW, waits_since=ago(30)),
        "waits in the queue",
        "",
    ),
    "the mail waits": (
        but(NEW, link=LinkFacts(asked_at=ago(0), mail_state="queued")),
        "waits in the queue",
        "",
    ),
    "the mail is refused": (
        but(
            NEW,
            link=LinkFacts(asked_at=ago(5), mail_state="trying", server_words="550 no such user"),
        ),
        "The mail server says: “550 no such user”",
        "",
    ),
    "the mail was given up": (
        but(NEW, link=LinkFacts(asked_at=ago(900), mail_state="failed", server_words="x")),
        "No mail reaches them",
        "send-link",
    ),
    "never opened the link": (but(NEW, link=MAILED), "They never opened the link", "send-link"),
    "opened the link only": (
        but(NEW, link=replace(MAILED, opened=True)),
        "have chosen no password yet",
        "",
    ),
    "the link ran out": (
        but(NEW, link=replace(MAILED, state="expired", expires_at=ago(1))),
        "ran out at",
        "send-link",
    ),
    "wrong password": (
        but(READY, failures=[failed("sign-in", "wrong-password")]),
        "Last try 10 minutes ago",
        "send-link",
    ),
    "wrong password, then in": (
        but(READY, failures=[failed("sign-in", "wrong-password")], last_success=ago(5)),
        "they last did 5 minutes ago",
        "send-link",
    ),
    "long ago": (
        but(READY, failures=[failed("sign-in", "wrong-password", 60 * 24 * 20)], last_success=None),
        "Nobody has tried to sign in since",
        "send-link",
    ),
    "wrong password, then a link": (
        but(READY, failures=[failed("sign-in", "wrong-password", 40)], link=MAILED),
        "A link to choose a new password was mailed",
        "",
    ),
    "that link cannot be mailed": (
        but(
            READY,
            failures=[
                failed("sign-in", "wrong-password", 40),
                failed("link-mail", "mail-server-failed", 29),
            ],
            link=LinkFacts(asked_at=ago(30), mail_state="trying", server_words="451 later"),
        ),
        "451 later",
        "",
    ),
    "in the queue": (but(READY, waits_since=ago(1)), "waits in the queue", ""),
    "wrong name": (
        but(READY, failures=[failed("pick", "name", 2)], last_success=ago(3)),
        "the birth date is right, the first name is not",
        "",
    ),
    "the latest counts": (
        but(
            READY,
            failures=[failed("pick", "date", 2), failed("sign-in", "wrong-password", 9)],
        ),
        "the birth date did not match",
        "",
    ),
    "the wait is over": (
        but(READY, failures=[failed("throttle", "sign-in", 90)]),
        "the wait is over",
        "send-link",
    ),
    "put right since": (
        but(READY, failures=[failed("throttle", "sign-in", 9)], mended_at=ago(1)),
        "put something right 1 minute ago",
        "send-link",
    ),
    "put right, tried again": (
        but(READY, failures=[failed("pick", "name", 1)], mended_at=ago(5)),
        "Last try 1 minute ago",
        "",
    ),
    "signed in": (but(READY, open_sessions=1, last_success=ago(2)), "signed in now", ""),
    "chosen and not used": (but(READY, last_success=None), "Nobody has tried", "send-link"),
    "one of them is not opened": (
        but(READY, opened=1),
        "1 person on this email is not opened",
        "send-link",
    ),
}


@pytest.mark.parametrize(("facts", "words", "fix"), CASES.values(), ids=CASES)
def test_what_stops_a_family_is_said_in_a_sentence(facts, words, fix):
    found = diagnose(facts)
    assert words in found.text
    assert found.fix == fix
    assert found.advice


def test_a_worker_that_stands_still_is_told_of():
    assert "background worker" in diagnose(but(NEW, waits_since=ago(30))).advice
    assert "background worker" not in diagnose(but(NEW, waits_since=ago(2))).advice


def test_a_password_that_was_not_accepted_is_explained():
    facts = but(
        NEW, link=replace(MAILED, opened=True), failures=[failed("password-set", "not-accepted", 1)]
    )
    assert "15 characters" in diagnose(facts).advice


@pytest.mark.parametrize("kind", CAUSES, ids=lambda kind: "-".join(kind))
def test_every_cause_is_said_in_words(kind):
    found = diagnose(but(READY, failures=[failed(*kind, 2)], last_success=ago(50)))
    assert "2 minutes ago" in found.text
    cause = CAUSES[kind]
    assert cause.advice or cause.fix
