"""The family's door: one answer for every wrong attempt, a pause that says how long, a fresh token."""

from __future__ import annotations

import re

import pytest
from django.conf import settings
from django.test import Client

from accounts import passwords
from accounts.audit.models import AuditEvent
from accounts.models import HouseholdAccount, HouseholdSession, StaffAccount
from tests.cast import NURSE_PASSWORD, PASSWORD, pick, sign_in

COOKIE = settings.FAMILY_COOKIE


def attempt(client, email, password="not the right password", **extra):
    return client.post("/login/", {"email": email, "password": password}, **extra)


def without_tokens(answer) -> str:
    text = re.sub(r'value="[A-Za-z0-9]{64}"', "", answer.content.decode())
    return re.sub(r"[\w.]+@example\.org", "", text)


def test_right_password_leads_to_the_picker(cast, client):
    answer = attempt(client, " Rivera@Example.ORG ", PASSWORD)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/who/")
    assert client.get("/who/").status_code == 200


def test_every_wrong_attempt_looks_the_same(cast):
    HouseholdAccount.objects.filter(email_key="okafor@example.org").update(is_active=False)
    HouseholdAccount.objects.create(email_key="never@example.org")
    cast.ada.__class__.objects.create(
        patient_id="N1", first_name="New", last_name="N", email="never@example.org"
    )
    StaffAccount.objects.create_user("front@example.org", PASSWORD)
    gone = HouseholdAccount.objects.create(
        email_key="gone@example.org", password=passwords.hashed(PASSWORD)
    )
    answers = {
        "unknown": attempt(Client(), "nobody@example.org"),
        "wrong password": attempt(Client(), "rivera@example.org"),
        "closed": attempt(Client(), "okafor@example.org", PASSWORD),
        "never set up": attempt(Client(), "never@example.org", PASSWORD),
        "staff": attempt(Client(), "front@example.org", PASSWORD),
        "staff's password at a household": attempt(Client(), "nurse@example.org", NURSE_PASSWORD),
        "nobody on file any more": attempt(Client(), gone.email_key, PASSWORD),
    }
    first = answers["unknown"]
    assert first.status_code == 422
    for name, answer in answers.items():
        assert answer.status_code == first.status_code, name
        assert without_tokens(answer) == without_tokens(first), name
        assert {*answer.headers} == {*first.headers}, name
    assert "That email and password do not match our records." in first.content.decode()
    assert not HouseholdSession.objects.exists()


def test_email_is_kept_and_password_is_not(cast, client):
    text = attempt(client, "rivera@example.org", "secret words here").content.decode()
    assert 'value="rivera@example.org"' in text
    assert "secret words here" not in text


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("", PASSWORD),
        ("rivera@example.org", ""),
        ("x" * 300 + "@example.org", PASSWORD),
        ("rivera\0@example.org", PASSWORD),
        ("rivera@example.org\nBcc: x@example.org", PASSWORD),
        ("rivera@example.org", "p" * 1_000_000),
        ("rivera@example.org", "null\0byte"),
        ("\ud800@example.org".encode("utf-8", "surrogatepass").decode("latin-1"), PASSWORD),
        ("'; DROP TABLE accounts_householdaccount; --", PASSWORD),
    ],
)
def test_odd_input_is_answered(cast, client, email, password):
    answer = attempt(client, email, password)
    assert answer.status_code == 422
    assert "data-error-summary" in answer.content.decode()


@pytest.mark.parametrize("email", ["rivera@example.org", "nobody@example.org"])
def test_sixth_attempt_is_paused_alike_for_known_and_unknown(cast, client, email):
    for _ in range(5):
        assert attempt(client, email).status_code == 422
    answer = attempt(client, email, PASSWORD)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    text = answer.content.decode()
    assert "1 minute" in text
    assert "/password/" in text


def test_pause_of_one_leaves_others_and_open_sessions_alone(cast, client):
    sign_in(client, "rivera@example.org")
    key = pick(client, "Mia", "2016/04/27")
    for _ in range(7):
        attempt(Client(), "rivera@example.org")
    assert attempt(Client(), "rivera@example.org", PASSWORD).status_code == 429
    assert client.get(f"/for/{key}/").status_code == 200
    sign_in(Client(), "okafor@example.org")


def test_spellings_of_one_address_share_a_pause(cast):
    for email in [
        "rivera@example.org",
        "RIVERA@example.org",
        " rivera@example.org ",
        "Rivera@Example.Org.",
    ] * 2:
        answer = attempt(Client(), email)
    assert answer.status_code == 429


def test_one_password_over_many_addresses_pauses_the_client(cast):
    answers = [
        attempt(Client(), f"n{n}@example.org", REMOTE_ADDR="198.51.100.7").status_code
        for n in range(31)
    ]
    assert answers == [422] * 30 + [429]
    assert (
        attempt(Client(), "rivera@example.org", PASSWORD, REMOTE_ADDR="198.51.100.8").status_code
        == 302
    )


def test_one_home_network_is_one_client(cast):
    for n in range(30):
        attempt(Client(), f"n{n}@example.org", REMOTE_ADDR=f"2001:db8:1:2::{n:x}")
    assert attempt(Client(), "z@example.org", REMOTE_ADDR="2001:db8:1:2:ffff::1").status_code == 429
    assert attempt(Client(), "z@example.org", REMOTE_ADDR="2001:db8:1:3::1").status_code == 422


def test_forwarded_address_is_believed_only_from_trusted_proxies(cast, settings):
    for n in range(30):
        attempt(Client(), f"n{n}@example.org", HTTP_X_FORWARDED_FOR=f"203.0.113.{n}")
    assert (
        attempt(Client(), "z@example.org", HTTP_X_FORWARDED_FOR="203.0.113.99").status_code == 429
    )
    settings.TRUSTED_PROXIES = 1
    spoofed = "192.0.2.1, 203.0.113.99"
    assert attempt(Client(), "z@example.org", HTTP_X_FORWARDED_FOR=spoofed).status_code == 422
    assert AuditEvent.objects.order_by("pk").last().client_address == "203.0.113.99"


def test_successes_do_not_pause_the_clinics_own_network(cast):
    for _ in range(40):
        sign_in(Client(), "rivera@example.org")


def test_each_sign_in_has_a_new_token_and_ends_the_one_before(cast, client):
    sign_in(client, "rivera@example.org")
    first = client.cookies[COOKIE].value
    sign_in(client, "rivera@example.org")
    assert client.cookies[COOKIE].value != first
    old = Client()
    old.cookies[COOKIE] = first
    assert old.get("/who/").status_code == 302


def test_planted_token_is_worth_nothing(cast):
    client = Client()
    client.cookies[COOKIE] = "planted-by-somebody-else"
    sign_in(client, "rivera@example.org")
    assert client.cookies[COOKIE].value != "planted-by-somebody-else"
    planted = Client()
    planted.cookies[COOKIE] = "planted-by-somebody-else"
    assert planted.get("/who/").status_code == 302


def test_token_is_not_in_the_database(cast, client):
    sign_in(client, "rivera@example.org")
    token = client.cookies[COOKIE].value
    assert token not in str(list(HouseholdSession.objects.values()))


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "/\\evil.example", "https:evil.example", "https://evil.example/",
     "javascript:alert(1)", "/%09/evil.example", "\t//evil.example",
     "http://testserver@evil.example/", "%0d%0aX: y"],
)  # fmt: skip
def test_next_stays_on_this_site(cast, client, target):
    answer = client.post(
        "/login/", {"email": "rivera@example.org", "password": PASSWORD, "next": target}
    )
    picked = client.post(
        "/who/", {"first_name": "Mia", "date_of_birth": "2016/04/27", "next": target}
    )
    assert answer.headers["Location"].startswith("/who/")
    assert re.fullmatch(r"/for/[\w-]{22}/", picked.headers["Location"])


@pytest.mark.real_hashes
def test_password_is_argon2id_at_our_cost_and_rehashed_when_older(cast, client, monkeypatch):
    HouseholdAccount.objects.filter(pk=cast.rivera.pk).update(password=passwords.hashed(PASSWORD))
    stored = HouseholdAccount.objects.get(pk=cast.rivera.pk).password
    assert stored.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    monkeypatch.setattr(passwords.PortalArgon2Hasher, "time_cost", 1)
    HouseholdAccount.objects.filter(pk=cast.rivera.pk).update(password=passwords.hashed(PASSWORD))
    monkeypatch.setattr(passwords.PortalArgon2Hasher, "time_cost", 2)
    sign_in(client, "rivera@example.org")
    assert "t=2,p=1" in HouseholdAccount.objects.get(pk=cast.rivera.pk).password
    sign_in(client, "rivera@example.org")


def test_composed_and_decomposed_password_are_one(cast, client):
    HouseholdAccount.objects.filter(pk=cast.rivera.pk).update(
        password=passwords.hashed("ein sch\u00f6nes caf\u00e9")
    )
    sign_in(client, "rivera@example.org", "ein scho\u0308nes cafe\u0301")


def test_whole_password_counts(cast, client):
    long = "long words " * 9 + "end"
    HouseholdAccount.objects.filter(pk=cast.rivera.pk).update(password=passwords.hashed(long))
    assert attempt(client, "rivera@example.org", long[:72]).status_code == 422
    assert attempt(client, "rivera@example.org", long[:-1] + "x").status_code == 422
    sign_in(client, "rivera@example.org", long)


def test_storm_of_sign_ins_is_told_to_wait(cast, client, monkeypatch):
    monkeypatch.setattr(passwords, "_LONGEST_WAIT_SECONDS", 0.01)
    for _ in range(passwords._HASHES_AT_ONCE):
        assert passwords._hashing.acquire(blocking=False)
    try:
        answer = attempt(client, "rivera@example.org", PASSWORD)
    finally:
        for _ in range(passwords._HASHES_AT_ONCE):
            passwords._hashing.release()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    sign_in(client, "rivera@example.org")


def test_second_sign_in_tab_simply_goes_on(cast):
    browser = Client(enforce_csrf_checks=True)
    form = browser.get("/login/").content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)[1]
    fields = {"email": "rivera@example.org", "password": PASSWORD, "csrfmiddlewaretoken": token}
    assert browser.post("/login/", fields).status_code == 302
    again = browser.post("/login/", fields)
    assert (again.status_code, again.headers["Location"]) == (302, "/")


def test_sign_in_and_failures_are_in_the_audit_without_names(cast, client):
    attempt(client, "nobody@example.org")
    attempt(client, "rivera@example.org")
    sign_in(client, "rivera@example.org")
    events = list(AuditEvent.objects.order_by("pk").values_list("action", "outcome", "account_id"))
    assert events == [
        ("sign-in", "unknown-email", None),
        ("sign-in", "wrong-password", cast.rivera.pk),
        ("sign-in", "ok", cast.rivera.pk),
    ]
    assert "example.org" not in str(list(AuditEvent.objects.values()))


def test_failures_everywhere_alarm_staff_once_and_stop_nobody(cast, monkeypatch):
    from accounts import throttle

    monkeypatch.setattr(throttle, "EVERYWHERE", throttle.Rule("everywhere", 3, 0, 0, window=600))
    for n in range(5):
        attempt(Client(), f"n{n}@example.org")
    assert AuditEvent.objects.filter(action="alarm").count() == 1
    sign_in(Client(), "rivera@example.org")
