"""The staff's door: what a password alone opens, and how long it counts (SECURITY AD-01, AD-02, R-AU-14)."""

from __future__ import annotations

import time

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import StaffAccount
from accounts.staff import second_factor
from tests.accounts.staff.steps import (
    CODE,
    CODES,
    NURSE,
    RECOVERY,
    SET_UP,
    half_in,
    is_in,
    post_code,
)
from tests.cast import NURSE_PASSWORD, sign_in_as_staff, with_an_app
from tests.pages import fields_of, text_of
from tests.portal.test_admin_site import admin_addresses, one_of_each  # noqa: F401 (a fixture)
from tests.totp import code_of

# --- a password alone -----------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "head", "post"])
def test_a_password_alone_opens_no_page_of_admin(one_of_each, client, method):  # noqa: F811
    """AD-01: every address there is, from the resolver."""
    with_an_app()
    half_in(client)
    steps = {"/admin/login/", "/admin/login/code/", "/admin/login/recovery/"}
    for address in admin_addresses():
        if address in steps or address in {"/admin/logout/", "/admin/jsi18n/"}:
            continue
        answer = getattr(client, method)(address)
        assert answer.status_code in {302, 405}, (address, answer.status_code)
        if answer.status_code == 302:
            assert answer.headers["Location"].startswith("/admin/login/"), address
    assert client.get(CODE).status_code == 200, "and nobody is thrown out by trying"


def test_the_pages_between_the_steps_show_nothing_of_the_practices_patients(cast, key, client):
    half_in(client)
    for address in (CODE, RECOVERY, "/admin/login/"):
        text = text_of(client.get(address))
        for word in ("Rivera", "Okafor", "Inbox", "Tasks", "Sign out"):
            assert word not in text, address


def test_who_is_half_in_is_nobody_at_the_portal(cast, key, client):
    half_in(client)
    assert client.get("/who/").headers["Location"].startswith("/login/")


@pytest.mark.parametrize("address", [CODE, RECOVERY, SET_UP, CODES])
@pytest.mark.parametrize("method", ["get", "post"])
def test_without_the_first_step_there_is_no_second(cast, key, client, address, method):
    answer = getattr(client, method)(address, {"otp_token": code_of(key)})
    assert answer.headers["Location"] == "/admin/login/"
    assert not is_in(client)


def test_the_set_up_is_closed_to_whom_has_an_app(key, client):
    half_in(client)
    for address in (SET_UP, CODES):
        assert client.get(address).headers["Location"] == CODE
        assert client.post(address, {"otp_token": code_of(key)}).headers["Location"] == CODE
    assert not is_in(client)


# --- the time between the steps -------------------------------------------------------


def test_the_first_step_is_good_for_five_minutes(key, client, monkeypatch):
    half_in(client)
    late = time.time() + 301
    monkeypatch.setattr(time, "time", lambda: late)
    assert post_code(client, code_of(key)).headers["Location"] == "/admin/login/"
    assert "Sign in again" in text_of(client.get("/admin/login/"))
    assert not is_in(client)


@pytest.mark.parametrize(
    "change",
    [
        lambda nurse: (nurse.set_password("violet-harbor-orchid-83"), nurse.save()),
        lambda nurse: StaffAccount.objects.update(is_active=False),
        lambda nurse: second_factor.second_factor_remove(request=None, staff=nurse),
        lambda nurse: TOTPDevice.objects.all().delete(),
        lambda nurse: StaffAccount.objects.update(sign_ins_ended=7),
        lambda nurse: nurse.delete(),
    ],
    ids=["password", "closed", "removed", "device gone", "signed out everywhere", "account gone"],
)
def test_what_changes_between_the_steps_ends_the_first(key, cast, client, change):
    half_in(client)
    code = code_of(key)
    change(cast.nurse_staff)
    assert post_code(client, code).headers["Location"] == "/admin/login/"
    assert not is_in(client)


def test_each_step_has_a_session_of_its_own(key, client):
    """No id from before the password, none from between the steps, is of somebody who is signed in."""
    client.get("/admin/login/")
    sign_in_as_staff(client)
    before = client.session.session_key
    half_in(client)
    between = client.session.session_key
    thief = Client()
    thief.cookies["staff"] = between
    TOTPDevice.objects.update(last_t=-1)
    assert post_code(client, code_of(key)).status_code == 302
    after = client.session.session_key
    assert len({before, between, after}) == 3
    assert "half_signed_in" not in client.session
    assert not is_in(thief)
    assert thief.get(CODE).headers["Location"] == "/admin/login/"
    assert not Session.objects.filter(session_key__in=[before, between]).exists()


def test_the_password_of_one_and_the_app_of_another(cast, key, client):
    StaffAccount.objects.create_user("desk@example.org", NURSE_PASSWORD)
    desks = with_an_app("desk@example.org")
    for email, others in ((NURSE, desks), ("desk@example.org", key)):
        half_in(client, email)
        assert post_code(client, code_of(others)).status_code == 200
        assert not is_in(client)


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "https://evil.example/admin/", "javascript:alert(1)", "/\\evil.example", ""],
)
def test_next_leads_nowhere_else(key, client, target):
    half_in(client, leads_to=target)
    assert post_code(client, code_of(key)).headers["Location"] == "/admin/"


def test_next_leads_on_after_the_second_step(cast, key, client):
    page = client.get(f"/admin/households/member/{cast.mia.pk}/change/").headers["Location"]
    typed = fields_of(client.get(page), username=NURSE, password=NURSE_PASSWORD)
    assert client.post(page, typed).headers["Location"] == CODE
    answer = post_code(client, code_of(key))
    assert answer.headers["Location"] == f"/admin/households/member/{cast.mia.pk}/change/"
