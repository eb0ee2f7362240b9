"""Sessions end when they should, and take with them what the browser kept."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import HouseholdAccount, HouseholdSession, StaffAccount
from households.models import Practice
from tests.cast import PASSWORD, pick, sign_in, sign_in_as_staff

COOKIE = settings.FAMILY_COOKIE


@pytest.fixture
def signed_in(cast, client):
    sign_in(client, "rivera@example.org")
    client.key = pick(client, "Mia", "2016/04/27")
    return client


def rewind(**fields):
    """Make the session's times lie in the past."""
    session = HouseholdSession.objects.get()
    for name, seconds in fields.items():
        setattr(session, name, getattr(session, name) - timedelta(seconds=seconds))
    session.save()


def test_cookie_is_hidden_from_scripts_and_ends_with_the_browser(signed_in):
    cookie = signed_in.cookies[COOKIE]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert (cookie["max-age"], cookie["expires"], cookie["domain"]) == ("", "", "")


def test_unused_session_ends_and_says_why(signed_in):
    rewind(last_seen_at=settings.IDLE_SECONDS + 1)
    answer = signed_in.get(f"/for/{signed_in.key}/")
    assert answer.headers["Location"].startswith("/login/?next=")
    text = signed_in.get("/login/").content.decode()
    assert "You were signed out to keep health information private" in text
    assert HouseholdSession.objects.get().end == "idle"


def test_used_session_lives_on(signed_in):
    rewind(last_seen_at=settings.IDLE_SECONDS - 5)
    assert signed_in.get(f"/for/{signed_in.key}/").status_code == 200
    rewind(last_seen_at=settings.IDLE_SECONDS - 5)
    assert signed_in.post("/session/stay/").status_code == 204
    rewind(last_seen_at=settings.IDLE_SECONDS - 5)
    assert signed_in.get(f"/for/{signed_in.key}/").status_code == 200


def test_session_ends_after_a_day_of_work_however_busy(signed_in):
    rewind(signed_in_at=settings.ABSOLUTE_SECONDS + 1)
    assert signed_in.get(f"/for/{signed_in.key}/").status_code == 302
    assert HouseholdSession.objects.get().end == "too-old"


@pytest.fixture
def short_time_outs(db):
    Practice.objects.create(pk=1, idle_minutes=5, longest_hours=2)


def test_the_practice_makes_time_outs_shorter(short_time_outs, signed_in):
    home = signed_in.get(f"/for/{signed_in.key}/")
    assert b'data-idle-seconds="300"' in home.content
    rewind(last_seen_at=295)
    assert signed_in.get(f"/for/{signed_in.key}/").status_code == 200
    rewind(last_seen_at=301)
    assert not HouseholdSession.objects.open().exists()
    assert signed_in.get(f"/for/{signed_in.key}/").status_code == 302
    assert HouseholdSession.objects.get().end == "idle"


def test_a_sign_in_is_no_older_than_the_practice_says(short_time_outs, signed_in):
    rewind(signed_in_at=2 * 3600 - 5)
    assert HouseholdSession.objects.open().exists()
    assert signed_in.get(f"/for/{signed_in.key}/").status_code == 200
    rewind(signed_in_at=10)
    assert not HouseholdSession.objects.open().exists()
    assert signed_in.get(f"/for/{signed_in.key}/").status_code == 302
    assert HouseholdSession.objects.get().end == "too-old"


def test_nobody_makes_time_outs_longer_than_the_portal_allows(signed_in, settings):
    """Not the practice's row, and no session from before the limits were lowered."""
    long_ago = HouseholdSession.objects.get()
    long_ago.idle_limit, long_ago.age_limit = timedelta(days=9), timedelta(days=9)
    long_ago.save()
    rewind(last_seen_at=settings.IDLE_SECONDS + 1)
    assert not HouseholdSession.objects.open().exists()
    assert signed_in.get(f"/for/{signed_in.key}/").status_code == 302


def test_staff_are_signed_out_as_soon_as_the_practice_says(short_time_outs, client):
    StaffAccount.objects.create_superuser("nurse@example.org", PASSWORD)
    sign_in_as_staff(client, password=PASSWORD)
    assert client.get("/admin/").status_code == 200
    for unused, status in ((295, 200), (301, 302)):
        session = client.session
        session["seen"] -= unused
        session.save()
        assert client.get("/admin/").status_code == status


def test_sign_out_kills_the_session_on_the_server(signed_in):
    token = signed_in.cookies[COOKIE].value
    answer = signed_in.post("/logout/")
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    replay = Client()
    replay.cookies[COOKIE] = token
    for address in [
        "/who/",
        "/account/",
        f"/for/{signed_in.key}/",
        f"/for/{signed_in.key}/documents/",
    ]:
        assert replay.get(address).headers["Location"].startswith("/login/"), address


def test_reading_the_sign_out_address_signs_nobody_out(signed_in):
    assert signed_in.get("/logout/").status_code == 405
    assert signed_in.get(f"/for/{signed_in.key}/").status_code == 200


def test_closing_the_login_ends_it_on_the_next_request(signed_in):
    HouseholdAccount.objects.update(is_active=False)
    assert signed_in.get(f"/for/{signed_in.key}/").status_code == 302


def test_choice_does_not_outlive_sign_in(signed_in):
    signed_in.post("/logout/")
    sign_in(signed_in, "rivera@example.org")
    assert signed_in.get(f"/for/{signed_in.key}/").headers["Location"] == "/who/"


def test_family_sees_and_ends_its_other_browsers(signed_in):
    other = Client(headers={"User-Agent": "Mozilla/5.0 (iPhone) Version/17 Safari/604"})
    sign_in(other, "rivera@example.org")
    text = signed_in.get("/account/").content.decode()
    assert "Safari, iPhone" in text
    assert signed_in.post("/account/end-others/").status_code == 302
    assert other.get("/who/").status_code == 302
    assert signed_in.get(f"/for/{signed_in.key}/").status_code == 200


def test_another_household_is_not_ended(signed_in):
    stranger = Client()
    sign_in(stranger, "okafor@example.org")
    signed_in.post("/account/end-others/")
    assert stranger.get("/who/").status_code == 200


def test_nothing_signed_in_may_be_kept_by_a_cache(signed_in):
    key = signed_in.key
    for address in ["/", "/login/", "/who/", "/account/", f"/for/{key}/", f"/for/{key}/documents/",
                    f"/for/{key}/nothing/", "/for/x/", "/password/sent/"]:  # fmt: skip
        assert signed_in.get(address).headers["Cache-Control"] == "no-store", address


def change(client, old, new, again=None):
    return client.post(
        "/password/change/",
        {"old_password": old, "new_password1": new, "new_password2": again or new},
    )


def test_change_asks_the_password_now_and_ends_other_browsers(signed_in, run_tasks, mailoutbox):
    other = Client()
    sign_in(other, "rivera@example.org")
    new = "meadow copper violin raft"
    assert change(signed_in, "", new).status_code == 422
    assert change(signed_in, "not it, not at all", new).status_code == 422
    assert other.get("/who/").status_code == 200
    assert change(signed_in, PASSWORD, new).status_code == 302
    assert other.get("/who/").status_code == 302
    assert signed_in.get(f"/for/{signed_in.key}/").status_code == 200
    sign_in(Client(), "rivera@example.org", new)
    run_tasks()
    assert [mail.to for mail in mailoutbox] == [["rivera@example.org"]]


def test_guessing_the_password_on_the_change_page_is_slowed(signed_in):
    answers = [
        change(signed_in, "wrong wrong wrong", "meadow copper violin raft").status_code
        for _ in range(6)
    ]
    assert answers == [422] * 5 + [429]
