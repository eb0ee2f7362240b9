"""Recovery codes: each good once, and slowed when guessed (SECURITY R-AU-14)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import StaffAccount, StaffRecoveryCode, Throttle
from tests.accounts.staff.steps import (
    CODE,
    half_in,
    is_in,
    outcomes,
    post_code,
    post_recovery,
    wrong_codes,
)
from tests.cast import NURSE_PASSWORD, with_an_app
from tests.pages import text_of
from tests.totp import code_of


def test_a_recovery_code_signs_in_once_and_says_how_many_are_left(enrolled, cast):
    client = Client()
    half_in(client)
    assert "Use a recovery code" in text_of(client.get(CODE))
    answer = post_recovery(client, enrolled.codes[2].upper().replace("-", " "))
    assert answer.headers["Location"] == "/admin/"
    assert "You have 9 recovery codes left" in text_of(client.get("/admin/"))
    other = Client()
    half_in(other)
    assert "is not right, or it was used" in text_of(post_recovery(other, enrolled.codes[2]))
    assert not is_in(other)
    assert outcomes()[-3:] == ["recovery-code", "asked", "recovery-refused"]


def test_recovery_codes_of_somebody_else_open_nothing(enrolled, client):
    StaffAccount.objects.create_user("desk@example.org", NURSE_PASSWORD)
    with_an_app("desk@example.org")
    half_in(client, "desk@example.org")
    assert post_recovery(client, enrolled.codes[0]).status_code == 200
    assert not is_in(client)


@pytest.mark.django_db(transaction=True)
def test_one_recovery_code_in_many_browsers_at_once_signs_in_one(enrolled):
    browsers = [Client(), Client(), Client()]
    for browser in browsers:
        half_in(browser)

    def post(browser: Client) -> int:
        try:
            return post_recovery(browser, enrolled.codes[0]).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as all_at_once:
        statuses = [*all_at_once.map(post, browsers)]
    assert statuses.count(302) == 1, statuses


def test_a_recovery_code_that_somebody_uses_a_moment_before_is_used(enrolled, cast):
    """Between the look at the code and its use."""
    client = Client()
    half_in(client)
    rivals = []

    def faster(execute, sql, params, many, context):
        if sql.startswith("UPDATE") and "staffrecoverycode" in sql and not rivals:
            rivals.append("faster")
            StaffRecoveryCode.objects.update(used_at=timezone.now())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(faster):
        assert post_recovery(client, enrolled.codes[0]).status_code == 200
    assert rivals
    assert not is_in(client)


def test_guesses_at_codes_do_not_shut_out_who_has_a_recovery_code(enrolled, cast):
    client = Client()
    half_in(client)
    for code in wrong_codes(enrolled.key, 7):
        post_code(client, code)
    Throttle.objects.filter(door="staff-code").update(attempts=100)
    assert post_code(client, code_of(enrolled.key, 1)).status_code == 429
    assert post_recovery(client, enrolled.codes[0]).status_code == 302
    assert not Throttle.objects.filter(door="staff-code").exists()


def test_guesses_at_recovery_codes_are_slowed(enrolled, cast):
    client = Client()
    half_in(client)
    statuses = [post_recovery(client, f"1-abcd-efgh-jkm{x}").status_code for x in "abcdefgh"]
    assert statuses == [200] * 5 + [429] * 3
    assert post_recovery(client, enrolled.codes[0]).status_code == 429
