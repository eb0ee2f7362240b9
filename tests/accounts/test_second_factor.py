"""The staff's second step: what a password alone opens, codes, recovery codes, the set-up (SECURITY AD-01,
AD-02, AD-08, R-AU-14)."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts import second_factor
from accounts.audit.models import AuditEvent
from accounts.models import StaffAccount, StaffRecoveryCode, StaffSession, Throttle
from tests.cast import NURSE_PASSWORD, sign_in_as_staff, with_an_app
from tests.pages import fields_of, text_of
from tests.portal.test_admin_site import admin_addresses, one_of_each  # noqa: F401 (a fixture)
from tests.totp import code_of

NURSE = "nurse@example.org"
CODE = "/admin/login/code/"
RECOVERY = "/admin/login/recovery/"
SET_UP = "/admin/login/set-up/"
CODES = "/admin/login/recovery-codes/"
OWN = "/admin/second-factor/"


def half_in(client: Client, email: str = NURSE, leads_to: str = "") -> str:
    """Post the right password; returns where that leads."""
    typed = {"username": email, "password": NURSE_PASSWORD, "next": leads_to}
    answer = client.post("/admin/login/", typed)
    assert answer.status_code == 302, text_of(answer)
    return answer.headers["Location"]


def post_code(client: Client, code: str, address: str = CODE):
    return client.post(address, {"otp_token": code})


def is_in(client: Client) -> bool:
    return client.get("/admin/").status_code == 200


def outcomes() -> list[str]:
    found = AuditEvent.objects.filter(action="second-factor").order_by("pk")
    return [*found.values_list("outcome", flat=True)]


def shown_key(client: Client) -> str:
    page = client.get(SET_UP).content.decode()
    return re.search(r"data-secret>([A-Z2-7 ]+)<", page)[1].replace(" ", "")


def shown_codes(client: Client, address: str = CODES) -> list[str]:
    found = re.findall(r"\b\d{1,2}-\w{4}-\w{4}-\w{4}\b", client.get(address).content.decode())
    assert len(found) == 10
    return found


@pytest.fixture
def key(cast) -> str:
    """Of the nurse's app."""
    return with_an_app()


@pytest.fixture
def enrolled(cast, client) -> SimpleNamespace:
    """The nurse after her very first sign-in: her key and her recovery codes; she is in."""
    half_in(client)
    key = shown_key(client)
    assert post_code(client, code_of(key), SET_UP).headers["Location"] == CODES
    codes = shown_codes(client)
    assert client.post(CODES).headers["Location"] == "/admin/"
    return SimpleNamespace(key=key, codes=codes)


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


# --- codes ----------------------------------------------------------------------------


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


def wrong_codes(key: str, count: int) -> list[str]:
    right = {code_of(key, steps) for steps in range(-2, 4)}
    return [code for code in (f"{number:06}" for number in range(100, 200)) if code not in right][
        :count
    ]


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


# --- the set-up -----------------------------------------------------------------------


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


# --- recovery codes -------------------------------------------------------------------


def post_recovery(client: Client, typed: str):
    return client.post(RECOVERY, {"recovery_code": typed})


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


@pytest.fixture
def desk(cast) -> SimpleNamespace:
    staff = StaffAccount.objects.create_user("desk@example.org", NURSE_PASSWORD)
    browser = Client()
    sign_in_as_staff(browser, staff.email)
    return SimpleNamespace(
        staff=staff,
        browser=browser,
        page=f"/admin/accounts/staffaccount/{staff.pk}/second-factor/",
        sign_ins=f"/admin/accounts/staffaccount/{staff.pk}/sign-ins/",
        change=f"/admin/accounts/staffaccount/{staff.pk}/change/",
    )


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


def test_nobody_but_an_owner_and_nobody_their_own(desk, cast, client):
    own = f"/admin/accounts/staffaccount/{cast.nurse_staff.pk}/second-factor/"
    for page in (own, desk.page, desk.sign_ins):
        for what in ("remove", "everywhere", "session"):
            assert desk.browser.post(page, {what: ""}).status_code == 403
    sign_in_as_staff(client)
    assert client.post(own, {"remove": ""}).headers["Location"] == OWN
    assert TOTPDevice.objects.count() == 2


def test_a_closed_account_that_is_opened_again_has_no_session_left(desk, cast, client):
    sign_in_as_staff(client)
    for ticked in ({}, {"is_active": "on"}):
        typed = fields_of(client.get(desk.change), "staffaccount_form")
        typed.pop("is_active", None)
        assert client.post(desk.change, {**typed, **ticked}).status_code == 302
    assert StaffAccount.objects.get(pk=desk.staff.pk).is_active
    assert not is_in(desk.browser)


def test_the_only_owner_is_let_in_again_by_a_command(enrolled, client, capsys):
    call_command("reset_second_factor", "Nurse@Example.org")
    assert "is removed" in capsys.readouterr().out
    assert not is_in(client)
    assert half_in(client) == SET_UP
    entry = AuditEvent.objects.get(action="second-factor", outcome="removed")
    assert entry.staff_id is None
    with pytest.raises(CommandError, match="no staff account"):
        call_command("reset_second_factor", "nobody@example.org")


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


# --- sign-out by itself ---------------------------------------------------------------


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
