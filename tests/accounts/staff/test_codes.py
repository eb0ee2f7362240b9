"""Codes of the app: each good once, in its time, and slowed when guessed (SECURITY AD-02, R-AU-14)."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client

from accounts.audit.models import AuditEvent
from accounts.models import StaffAccount, Throttle
from tests.accounts.staff.steps import CODE, NURSE, half_in, is_in, outcomes, post_code, wrong_codes
from tests.cast import NURSE_PASSWORD, with_an_app
from tests.pages import text_of
from tests.totp import code_of


def test_password_and_code_sign_in(key, client):
    assert half_in(client) == CODE
    answer = post_code(client, code_of(key))
    assert answer.headers["Location"] == "/admin/"
    assert is_in(client)
    assert outcomes() == ["asked", "ok"]
    assert AuditEvent.objects.get(action="staff-sign-in").outcome == "ok"


@pytest.mark.parametrize("spelt", ["{0} {1}", " {0}{1}\t", "{0}-{1}", "{0}\u00a0{1}"])
def test_blanks_in_a_code_do_not_matter(key, client, spelt):
    half_in(client)
    code = code_of(key)
    assert post_code(client, spelt.format(code[:3], code[3:])).status_code == 302


def test_full_width_figures_are_figures(key, client):
    half_in(client)
    wide = "".join(chr(ord(figure) + 0xFEE0) for figure in code_of(key))
    assert post_code(client, wide).status_code == 302


@pytest.mark.parametrize(
    "typed", ["", "12345", "1234567", "abcdef", "12 34", "١٢٣٤٥٦" * 9, "9" * 99999]
)
def test_what_is_no_code_is_no_try(key, client, typed):
    half_in(client)
    for _time in range(7):
        assert post_code(client, typed).status_code == 200
    assert not Throttle.objects.filter(door="staff-code").exists()
    assert post_code(client, code_of(key)).status_code == 302


def test_a_code_is_good_once(key, client):
    code = code_of(key)
    half_in(client)
    assert post_code(client, code).status_code == 302
    other = Client()
    half_in(other)
    answer = post_code(other, code)
    assert answer.status_code == 200
    assert "it was used before" in text_of(answer)
    assert code not in answer.content.decode(), "the box is empty again"
    assert not is_in(other)


def test_no_earlier_code_is_good_after_a_later_one(key, client):
    half_in(client)
    assert post_code(client, code_of(key, 1)).status_code == 302
    other = Client()
    half_in(other)
    for steps in (0, -1, 1):
        assert post_code(other, code_of(key, steps)).status_code == 200
    assert not is_in(other)


@pytest.mark.parametrize(("steps", "status"), [(-3, 200), (-2, 200), (-1, 302), (1, 302), (2, 200)])
def test_a_clock_may_be_off_by_half_a_minute_and_no_more(key, client, steps, status, monkeypatch):
    moment = int(time.time()) // 30 * 30 + 10
    monkeypatch.setattr(time, "time", lambda: moment)
    half_in(client)
    assert post_code(client, code_of(key, steps)).status_code == status
    monkeypatch.undo()


def test_a_clock_that_is_off_does_not_move_the_window(key, client, monkeypatch):
    """Nor does it after many sign-ins with the code before this one's."""
    begin = int(time.time()) // 30 * 30 + 10
    for minutes in range(3):
        monkeypatch.setattr(time, "time", lambda at=begin + 60 * minutes: at)
        half_in(client)
        assert post_code(client, code_of(key, -1)).status_code == 302
    monkeypatch.setattr(time, "time", lambda: begin + 600)
    half_in(client)
    assert post_code(client, code_of(key, -2)).status_code == 200


def test_twenty_wrong_codes_are_slowed_and_the_right_one_waits_too(key, client):
    """AD-02. By the account: a new session, and the password again, change nothing."""
    half_in(client)
    statuses = [post_code(client, code).status_code for code in wrong_codes(key, 20)]
    assert statuses == [200] * 5 + [429] * 15
    other = Client()
    half_in(other)
    answer = post_code(other, code_of(key))
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert "Try again in 1 minute." in text_of(answer)
    assert not is_in(other)
    assert outcomes().count("refused") == 5
    assert AuditEvent.objects.filter(action="throttle", outcome="staff-code").count() == 16
    Throttle.objects.update(paused_until=0)
    assert post_code(other, code_of(key)).status_code == 302
    assert not Throttle.objects.filter(door="staff-code").exists(), "a success ends the count"


def test_a_right_password_ends_no_count_before_the_second_step_is_done(key, client):
    """Whoever has the password gets no fresh tries by it, neither at codes nor at the password."""
    for _time in range(4):
        client.post("/admin/login/", {"username": NURSE, "password": "wrong"})
    half_in(client)
    half_in(client)
    for code in wrong_codes(key, 4):
        post_code(client, code)
        half_in(client)
    counted = dict(
        Throttle.objects.filter(door__startswith="staff").values_list("door", "attempts")
    )
    assert counted == {"staff-sign-in": 4, "staff-code": 4}
    assert post_code(client, code_of(key)).status_code == 302
    assert not Throttle.objects.filter(door__startswith="staff").exists()


def test_one_address_that_guesses_at_many_accounts_is_paused(cast, key, client):
    half_in(client)
    Throttle.objects.all().delete()
    for number in range(6):
        email = f"desk{number}@practice.example"
        StaffAccount.objects.create_user(email, NURSE_PASSWORD)
        with_an_app(email)
        half_in(client, email)
        for code in wrong_codes(key, 5):
            post_code(client, code)
    half_in_again = client.post("/admin/login/", {"username": NURSE, "password": NURSE_PASSWORD})
    assert half_in_again.status_code == 429


@pytest.mark.django_db(transaction=True)
def test_one_code_in_many_browsers_at_once_signs_in_one(cast, key):
    browsers = [Client() for _place in range(4)]
    for browser in browsers:
        half_in(browser)
    code = code_of(key)

    def post(browser: Client) -> int:
        try:
            return post_code(browser, code).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as all_at_once:
        statuses = sorted(all_at_once.map(post, browsers))
    assert statuses.count(302) == 1, statuses
    assert [is_in(browser) for browser in browsers].count(True) == 1
