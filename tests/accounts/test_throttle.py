"""The counter: exact under parallel load, doubling, ending with a success."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import ExitStack, contextmanager

import pytest
from django.db import connection

from accounts import passwords, throttle
from accounts.models import Throttle
from tests.cast import NURSE_PASSWORD, PASSWORD, sign_in
from tests.pages import text_of

RULE = throttle.Rule("test", limit=5, first_pause=60, longest_pause=3600, most=100)
WINDOW = throttle.Rule("window", limit=3, first_pause=600, longest_pause=600, window=600)


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1_800_000_000

        def time(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(throttle.time, "time", clock.time)
    return clock


def test_five_are_let_through_then_a_minute(db, clock):
    verdicts = [throttle.count(RULE, "a") for _ in range(7)]
    assert [verdict.admitted for verdict in verdicts] == [True] * 5 + [False] * 2
    assert [verdict.seconds for verdict in verdicts] == [0] * 4 + [60] * 3


def test_pause_doubles_to_an_hour_and_never_locks_for_good(db, clock):
    for _ in range(5):
        throttle.count(RULE, "a")
    pauses = []
    for _ in range(9):
        clock.now += 3600
        verdict = throttle.count(RULE, "a")
        assert verdict.admitted
        pauses.append(verdict.seconds)
    assert pauses == [120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600]


def test_never_more_than_a_hundred_in_a_row(db, clock):
    admitted = 0
    for _ in range(300):
        clock.now += 3601
        admitted += throttle.count(RULE, "a").admitted
    assert admitted == 100
    throttle.clear(RULE, "a")
    assert throttle.count(RULE, "a").admitted


def test_success_ends_the_count(db, clock):
    for _ in range(5):
        throttle.count(RULE, "a")
    throttle.clear(RULE, "a")
    assert throttle.count(RULE, "a") == throttle.Verdict(True, 1, 0)


def test_others_feel_nothing(db, clock):
    for _ in range(9):
        throttle.count(RULE, "a")
    assert throttle.count(RULE, "b").admitted
    assert throttle.count(WINDOW, "a").admitted


def test_window_starts_anew(db, clock):
    assert [throttle.count(WINDOW, "a").admitted for _ in range(4)] == [True, True, True, False]
    clock.now += 599
    assert not throttle.count(WINDOW, "a").admitted
    clock.now += 1
    assert throttle.count(WINDOW, "a") == throttle.Verdict(True, 1, 0)


def test_window_forgets_slow_attempts(db, clock):
    for _ in range(6):
        assert throttle.count(WINDOW, "a").admitted
        clock.now += 400


def test_forgiven_attempt_gives_its_place_back(db, clock):
    for _ in range(3):
        throttle.count(WINDOW, "a")
    throttle.forgive(WINDOW, "a")
    assert throttle.count(WINDOW, "a").admitted
    assert not throttle.count(WINDOW, "a").admitted


def test_refusal_at_the_second_counter_takes_the_first_back(db, clock):
    for _ in range(5):
        throttle.count(RULE, "a")
    assert throttle.admit((WINDOW, "home"), (RULE, "a")) == 60
    assert throttle.attempts_of(WINDOW, "home") == 0


def test_table_names_nobody(db):
    throttle.count(RULE, "rivera@example.org")
    assert "rivera" not in str(list(Throttle.objects.values()))


@pytest.mark.django_db(transaction=True)
def test_parallel_attempts_never_get_more_than_the_limit():
    start = threading.Barrier(12)
    admitted: Counter[bool] = Counter()

    def attempt():
        start.wait()
        try:
            for _ in range(5):
                admitted[throttle.count(RULE, "a").admitted] += 1
        finally:
            connection.close()

    threads = [threading.Thread(target=attempt) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert admitted == {True: 5, False: 55}


# --- an attempt that nobody checked ---------------------------------------------------


@contextmanager
def crowd(monkeypatch):
    """As many hashes under way as this process makes at once."""
    monkeypatch.setattr(passwords, "_LONGEST_WAIT_SECONDS", 0.01)
    with ExitStack() as hashing:
        for _ in range(passwords._HASHES_AT_ONCE):
            hashing.enter_context(passwords.one_of_few())
        yield


def test_who_was_not_checked_for_a_crowd_has_failed_at_nothing(cast, client, monkeypatch):
    typed = {"email": "rivera@example.org", "password": PASSWORD}
    with crowd(monkeypatch):
        for _ in range(8):
            answer = client.post("/login/", typed)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert client.post("/login/", typed).headers["Location"] == "/who/"


def test_nor_has_staff(cast, client, monkeypatch):
    typed = {"username": "nurse@example.org", "password": NURSE_PASSWORD}
    with crowd(monkeypatch):
        for _ in range(8):
            assert "Too many people are signing in" in text_of(client.post("/admin/login/", typed))
    assert client.post("/admin/login/", typed).status_code == 302


def test_nor_who_changes_the_password(cast, client, monkeypatch):
    sign_in(client, "rivera@example.org")
    new = "lantern meadow cobalt 41"
    typed = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    with crowd(monkeypatch):
        for _ in range(8):
            assert client.post("/password/change/", typed).status_code == 503
    assert client.post("/password/change/", typed).headers["Location"] == "/account/"


def test_whoever_is_refused_waits_a_second_at_least(db, monkeypatch):
    """The pause may run out while the refusal is written."""
    for _ in range(5):
        paused = throttle.count(RULE, "a")
    assert paused.seconds
    until = Throttle.objects.get().paused_until
    moments = iter([until - 1, until])
    monkeypatch.setattr(throttle.time, "time", lambda: next(moments))
    refused = throttle.count(RULE, "a")
    assert (refused.admitted, refused.seconds) == (False, 1)
