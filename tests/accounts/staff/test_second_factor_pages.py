"""The second factor of somebody who has one: their own page, and the owner's for a colleague (SECURITY AD-08,
R-AU-14)."""

from __future__ import annotations

import re

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.audit.models import AuditEvent
from accounts.models import StaffAccount
from tests.accounts.staff.steps import (
    NURSE,
    OWN,
    SET_UP,
    half_in,
    is_in,
    outcomes,
    post_code,
    post_recovery,
    shown_codes,
)
from tests.cast import NURSE_PASSWORD, sign_in_as_staff
from tests.pages import text_of
from tests.totp import code_of

# --- one's own page -------------------------------------------------------------------


def ask(client: Client, key: str, what: str, password: str = NURSE_PASSWORD):
    TOTPDevice.objects.update(last_t=-1)
    return client.post(OWN, {"password": password, "otp_token": code_of(key), what: ""})


def test_another_phone_takes_the_place_of_the_first(enrolled, client):
    elsewhere = Client()
    sign_in_as_staff(elsewhere)
    assert "You have 10 recovery codes left" in text_of(client.get(OWN))
    assert client.get(f"{OWN}app/").headers["Location"] == OWN
    assert "not your password" in text_of(ask(client, enrolled.key, "app", "wrong"))
    page = ask(client, enrolled.key, "app").headers["Location"]
    shown = client.get(page).content.decode()
    new = re.search(r"data-secret>([A-Z2-7 ]+)<", shown)[1].replace(" ", "")
    assert new != enrolled.key
    assert post_code(client, code_of(enrolled.key, 1), page).status_code == 200
    assert post_code(client, code_of(new), page).headers["Location"] == OWN
    assert is_in(client)
    assert not is_in(elsewhere)
    other = Client()
    half_in(other)
    assert post_code(other, code_of(enrolled.key, 1)).status_code == 200
    assert post_code(other, code_of(new, 1)).status_code == 302
    assert "renewed" in outcomes()


def test_new_recovery_codes_end_the_old_ones_when_they_are_kept(enrolled, client):
    page = ask(client, enrolled.key, "codes").headers["Location"]
    new = shown_codes(client, page)
    other = Client()
    half_in(other)
    assert post_recovery(other, enrolled.codes[0]).status_code == 302
    assert client.post(page).headers["Location"] == OWN
    assert client.get(page).headers["Location"] == OWN, "shown once"
    third = Client()
    half_in(third)
    assert post_recovery(third, enrolled.codes[1]).status_code == 200
    assert post_recovery(third, new[1]).status_code == 302


def test_a_recovery_code_is_enough_where_the_phone_is_lost(enrolled, client):
    typed = {"password": NURSE_PASSWORD, "otp_token": enrolled.codes[4], "app": ""}
    assert client.post(OWN, typed).headers["Location"] == f"{OWN}app/"


def test_guessing_at_the_password_there_is_slowed(enrolled, client):
    statuses = [ask(client, enrolled.key, "app", "wrong").status_code for _time in range(6)]
    assert statuses == [200] * 5 + [429]


# --- somebody else's ------------------------------------------------------------------


def test_an_owner_removes_the_second_factor_of_somebody_who_lost_their_phone(desk, client):
    sign_in_as_staff(client)
    assert desk.page in client.get(desk.change).content.decode()
    assert "Make sure that it is desk@example.org who asks" in text_of(client.get(desk.page))
    assert is_in(desk.browser)
    assert client.post(desk.page, {"remove": ""}).headers["Location"] == desk.change
    assert "set up an app anew" in text_of(client.get(desk.change))
    assert not is_in(desk.browser)
    assert half_in(desk.browser, "desk@example.org") == SET_UP
    entry = AuditEvent.objects.get(action="second-factor", outcome="removed")
    owner = StaffAccount.objects.get(email=NURSE)
    assert (entry.staff_id, entry.object_id) == (owner.pk, str(desk.staff.pk))
    assert is_in(client), "the owner's own session goes on"


def test_nobody_but_an_owner_and_nobody_their_own(desk, cast, client):
    own = f"/admin/accounts/staffaccount/{cast.nurse_staff.pk}/second-factor/"
    for page in (own, desk.page, desk.sign_ins):
        for what in ("remove", "everywhere", "session"):
            assert desk.browser.post(page, {what: ""}).status_code == 403
    sign_in_as_staff(client)
    assert client.post(own, {"remove": ""}).headers["Location"] == OWN
    assert TOTPDevice.objects.count() == 2


def test_the_only_owner_is_let_in_again_by_a_command(enrolled, client, capsys):
    call_command("reset_second_factor", "Nurse@Example.org")
    assert "is removed" in capsys.readouterr().out
    assert not is_in(client)
    assert half_in(client) == SET_UP
    entry = AuditEvent.objects.get(action="second-factor", outcome="removed")
    assert entry.staff_id is None
    with pytest.raises(CommandError, match="no staff account"):
        call_command("reset_second_factor", "nobody@example.org")
