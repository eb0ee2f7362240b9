"""The first sign-in sets up an app, once, and shows the recovery codes (SECURITY R-AU-14)."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.audit.models import AuditEvent
from accounts.models import StaffRecoveryCode
from tests.accounts.staff.steps import (
    CODE,
    CODES,
    SET_UP,
    half_in,
    is_in,
    outcomes,
    post_code,
    shown_codes,
    shown_key,
    wrong_codes,
)
from tests.cast import sign_in_as_staff
from tests.pages import text_of
from tests.totp import code_of


def test_the_first_sign_in_sets_up_an_app_and_shows_the_recovery_codes_once(cast, client):
    assert half_in(client) == SET_UP
    key = shown_key(client)
    assert shown_key(client) == key, "the same however often it is opened"
    page = client.get(SET_UP).content.decode()
    address = f"otpauth://totp/{'My practice'}"
    assert 'href="otpauth://totp/' in page, address
    assert f"secret={key}" in page
    assert not is_in(client)
    wrong = post_code(client, wrong_codes(key, 1)[0], SET_UP)
    assert "does not belong to this set-up" in text_of(wrong)
    code = code_of(key)
    assert post_code(client, code, SET_UP).headers["Location"] == CODES
    assert not is_in(client), "before the codes are kept"
    codes = shown_codes(client)
    assert shown_codes(client) == codes
    assert not StaffRecoveryCode.objects.exists(), "good for nothing until they are kept"
    assert client.post(CODES).headers["Location"] == "/admin/"
    assert is_in(client)
    assert client.get(CODES).status_code == 302
    assert StaffRecoveryCode.objects.count() == 10
    for row in StaffRecoveryCode.objects.all():
        assert row.code_hash.startswith("argon2")
    assert outcomes() == ["set-up-asked", "enrol-refused", "enrolled", "codes-made"]
    # The code of the set-up is used up by it.
    other = Client()
    half_in(other)
    assert post_code(other, code).status_code == 200


def test_nobody_gets_round_the_recovery_codes_by_signing_in_again(cast, client):
    half_in(client)
    key = shown_key(client)
    post_code(client, code_of(key), SET_UP)
    again = Client()
    assert half_in(again) == CODE
    TOTPDevice.objects.update(last_t=-1)
    assert post_code(again, code_of(key)).headers["Location"] == CODES
    assert not is_in(again)
    assert again.post(CODES).status_code == 302
    assert is_in(again)


def test_two_who_know_the_password_of_somebody_without_an_app(cast, client):
    """Each has a key of their own; the first to type a code has set it up, the other is out."""
    other = Client()
    half_in(client)
    half_in(other)
    mine, theirs = shown_key(client), shown_key(other)
    assert mine != theirs
    assert post_code(client, code_of(theirs), SET_UP).status_code == 200
    assert post_code(client, code_of(mine), SET_UP).headers["Location"] == CODES
    assert post_code(other, code_of(theirs), SET_UP).headers["Location"] == "/admin/login/"
    assert other.get(CODES).status_code == 302
    assert TOTPDevice.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_app_is_set_up_once_also_by_two_at_once(cast):
    browsers = [Client(), Client(), Client()]
    keys = []
    for browser in browsers:
        half_in(browser)
        keys.append(shown_key(browser))

    def post(both: tuple[Client, str]) -> str:
        try:
            return post_code(both[0], code_of(both[1]), SET_UP).headers["Location"]
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as all_at_once:
        led_to = [*all_at_once.map(post, zip(browsers, keys, strict=True))]
    assert led_to.count(CODES) == 1, led_to
    assert TOTPDevice.objects.count() == 1


def test_no_secret_stands_in_an_address_or_in_the_audit(enrolled):
    for entry in AuditEvent.objects.values():
        for value in entry.values():
            assert enrolled.key not in str(value)
            assert not re.search(r"\w{4}-\w{4}-\w{4}", str(value))


def test_apps_have_no_pages_of_their_own_in_admin(cast, client):
    sign_in_as_staff(client)
    for address in ("totpdevice/", "totpdevice/1/change/", "totpdevice/1/config/"):
        assert client.get(f"/admin/otp_totp/{address}").status_code == 404
