"""Who is signed in, in which browsers, and how that ends (SECURITY R-SE-3, R-SE-6)."""

from __future__ import annotations

import time

import pytest
from django.test import Client

from accounts.audit.models import AuditEvent
from accounts.models import StaffAccount, StaffSession
from tests.accounts.staff.steps import CODE, half_in, is_in
from tests.cast import sign_in_as_staff
from tests.pages import fields_of, text_of


def test_an_owner_signs_somebody_out_everywhere(desk, client):
    sign_in_as_staff(client)
    assert client.post(desk.sign_ins, {"everywhere": ""}).status_code == 302
    assert "Nobody is signed in" in text_of(client.get(desk.sign_ins))
    assert not is_in(desk.browser)
    assert half_in(desk.browser, "desk@example.org") == CODE


def test_an_owner_ends_one_sign_in_and_the_others_go_on(desk, client):
    sign_in_as_staff(client)
    other = Client(headers={"User-Agent": "Mozilla/5.0 (iPhone) Version/17 Safari/604"})
    sign_in_as_staff(other, "desk@example.org")
    assert "Safari, iPhone" in text_of(client.get(desk.sign_ins))
    chosen = StaffSession.objects.get(session_key=desk.browser.session.session_key)
    assert client.post(desk.sign_ins, {"session": chosen.pk}).status_code == 302
    assert [is_in(browser) for browser in (desk.browser, other, client)] == [False, True, True]
    again = client.post(desk.sign_ins, {"session": chosen.pk}, follow=True)
    assert "was over already" in text_of(again)
    assert AuditEvent.objects.filter(action="session-end", outcome="staff-one").count() == 1


def test_staff_see_and_end_their_own_other_browsers_and_nobody_elses(desk, client):
    sign_in_as_staff(client)
    owners = StaffSession.objects.get(session_key=client.session.session_key)
    desk.browser.post("/admin/sign-ins/", {"session": owners.pk})
    for odd in ("", "x", "-1", "9" * 30, "\u0661"):
        assert desk.browser.post("/admin/sign-ins/", {"session": odd}).status_code == 302
    assert is_in(client)
    other = Client()
    sign_in_as_staff(other, "desk@example.org")
    text = text_of(desk.browser.get("/admin/sign-ins/"))
    assert text.count("Signed in 2") == 2
    assert text.count("(this browser)") == 1
    assert desk.browser.post("/admin/sign-ins/", {"everywhere": ""}).status_code == 302
    assert [is_in(browser) for browser in (desk.browser, other, client)] == [True, False, True]


def test_a_closed_account_that_is_opened_again_has_no_session_left(desk, cast, client):
    sign_in_as_staff(client)
    for ticked in ({}, {"is_active": "on"}):
        typed = fields_of(client.get(desk.change), "staffaccount_form")
        typed.pop("is_active", None)
        assert client.post(desk.change, {**typed, **ticked}).status_code == 302
    assert StaffAccount.objects.get(pk=desk.staff.pk).is_active
    assert not is_in(desk.browser)


@pytest.mark.parametrize("end", ["sign-out", "sign-in", "idle"])
def test_the_row_of_a_sign_in_ends_with_it(key, client, end):
    sign_in_as_staff(client)
    (session,) = StaffSession.objects.all()
    assert (session.session_key, session.ended_at) == (client.session.session_key, None)
    if end == "sign-out":
        client.post("/admin/logout/")
    elif end == "sign-in":
        half_in(client)
    else:
        kept = client.session
        kept["seen"] = kept["began"] = time.time() - 901
        kept.save()
        assert not is_in(client)
    session.refresh_from_db()
    assert session.session_key == ""
    assert session.ended_at is not None


def test_what_nobody_asked_for_keeps_nobody_signed_in(key, client):
    """R-SE-3: a page that looks for news, and a browser that fetches ahead, are no use of the sign-in."""
    sign_in_as_staff(client)
    client.get("/admin/")

    def left_alone(seconds: int) -> None:
        session = client.session
        session["seen"] -= seconds
        session.save()

    for headers in ({"Sec-Fetch-Dest": "empty"}, {"Sec-Purpose": "prefetch"}):
        left_alone(400)
        before = client.session["seen"]
        assert client.get("/admin/", headers=headers).status_code == 200
        assert client.session["seen"] == before
    left_alone(200)
    assert client.get("/admin/").status_code == 302


def test_staff_are_warned_and_stay_by_a_press(key, client):
    sign_in_as_staff(client)
    page = client.get("/admin/").content.decode()
    assert 'data-seconds="900"' in page
    assert 'action="/admin/stay/"' in page
    assert "idle.js" in page
    assert "idle.js" not in Client().get("/admin/login/").content.decode()
    session = client.session
    session["seen"] -= 800
    session.save()
    assert client.post("/admin/stay/", headers={"Sec-Fetch-Dest": "empty"}).status_code == 204
    assert client.session["seen"] > time.time() - 5
    assert StaffSession.objects.get().last_seen_at.timestamp() > time.time() - 5
    assert client.get("/admin/stay/").status_code == 405
