"""`manage.py createsuperuser`: asked, or told by the environment."""

from __future__ import annotations

import getpass
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from accounts.audit.models import AuditEvent
from accounts.models import HouseholdAccount, StaffAccount
from tests.cast import household, sign_in_as_staff
from tests.totp import code_of

ROOT = Path(__file__).resolve().parents[2]
STRONG = "harbor-lantern-violet-71"


@pytest.fixture
def environment(monkeypatch):
    def put(**values: str) -> None:
        for name in ("EMAIL", "PASSWORD", "TOTP"):
            monkeypatch.delenv(f"DJANGO_SUPERUSER_{name}", raising=False)
        for name, value in values.items():
            monkeypatch.setenv(f"DJANGO_SUPERUSER_{name}", value)

    put()
    return put


def make(**options) -> str:
    out = io.StringIO()
    call_command("createsuperuser", stdout=out, stderr=out, **options)
    return out.getvalue()


def test_the_environment_makes_an_owner_who_can_sign_in(db, environment):
    environment(EMAIL=" Owner@Example.org. ", PASSWORD=STRONG)
    assert "owner@example.org can sign in at /admin/" in make(ask=False)
    owner = StaffAccount.objects.get()
    assert (owner.email, owner.is_superuser, owner.is_active) == ("owner@example.org", True, True)
    sign_in_as_staff(Client(), "owner@example.org", STRONG)
    entry = AuditEvent.objects.get(action="staff-change")
    assert (entry.outcome, entry.object_id) == ("owner-made", str(owner.pk))


def test_a_script_gives_the_secret_and_answers_the_second_step(db, client, environment):
    environment(EMAIL="owner@example.org", PASSWORD=STRONG, TOTP=" jbsw y3dp-ehpk3pxp ")
    assert "sets up an app" not in make(ask=False)
    answer = client.post("/admin/login/", {"username": "owner@example.org", "password": STRONG})
    assert answer.headers["Location"] == "/admin/login/code/"
    answer = client.post("/admin/login/code/", {"otp_token": code_of("JBSWY3DPEHPK3PXP")})
    assert answer.headers["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


def test_without_a_secret_the_first_sign_in_sets_up_an_app(db, client, environment):
    environment(EMAIL="owner@example.org", PASSWORD=STRONG)
    assert "The first sign-in sets up an app" in make(ask=False)
    answer = client.post("/admin/login/", {"username": "owner@example.org", "password": STRONG})
    assert answer.headers["Location"] == "/admin/login/set-up/"


@pytest.mark.parametrize(
    "secret", ["JBSWY3DPEHPK3PX1", "JBSWY3DP", "A" * 65, "\u0410BSWY3DPEHPK3PXP", "ABC"]
)
def test_a_secret_that_is_none_is_named_and_nothing_is_made(db, environment, secret):
    environment(EMAIL="owner@example.org", PASSWORD=STRONG, TOTP=secret)
    with pytest.raises(CommandError, match="DJANGO_SUPERUSER_TOTP: The secret has to"):
        make(ask=False)
    assert not StaffAccount.objects.exists()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "set DJANGO_SUPERUSER_EMAIL"),
        ({"EMAIL": "owner@example.org"}, "set DJANGO_SUPERUSER_PASSWORD"),
        ({"EMAIL": "owner@example.org", "PASSWORD": "short"}, "at least 15 characters"),
        ({"EMAIL": "owner@example.org", "PASSWORD": "passwordpassword"}, "too easy to guess"),
        ({"EMAIL": "owner", "PASSWORD": STRONG}, "not an email address"),
        ({"EMAIL": "\u043ewner@example.org", "PASSWORD": STRONG}, "CYRILLIC"),
    ],
)
def test_what_is_missing_or_weak_is_named_and_nothing_is_made(db, environment, values, words):
    environment(**values)
    with pytest.raises(CommandError, match=words):
        make(ask=False)
    assert not StaffAccount.objects.exists()


def test_an_email_that_has_an_account_is_refused_and_the_account_stays(db, environment):
    old = StaffAccount.objects.create_user("owner@example.org", STRONG)
    environment(EMAIL="OWNER@example.org", PASSWORD="another-violet-lantern-5")
    with pytest.raises(CommandError, match="already a staff account"):
        make(ask=False)
    before = (old.password, old.is_superuser)
    old.refresh_from_db()
    assert (old.password, old.is_superuser) == before


def test_a_household_with_the_same_email_is_left_alone(db, environment):
    account = household("owner@example.org")
    environment(EMAIL="owner@example.org", PASSWORD=STRONG)
    make(ask=False)
    assert HouseholdAccount.objects.get() == account
    assert HouseholdAccount.objects.get().password == account.password


def test_it_asks_until_two_equal_strong_passwords_are_typed(db, monkeypatch):
    typed = iter(["short", "short", STRONG, "not the same", STRONG, STRONG])
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: next(typed))
    monkeypatch.setattr("builtins.input", lambda _prompt: "owner@example.org")
    said = make()
    assert "at least 15 characters" in said
    assert "not the same" in said
    assert StaffAccount.objects.get().check_password(STRONG)
    assert next(typed, "nothing left") == "nothing left"


def test_stopping_makes_nothing(db, monkeypatch):
    def stop(_prompt: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", stop)
    with pytest.raises(CommandError, match="Nothing was made"):
        make()
    assert not StaffAccount.objects.exists()


def test_the_command_that_runs_is_ours_and_a_refusal_is_exit_status_1(tmp_path):
    environment = {
        "PATH": os.environ["PATH"],
        "PORTAL_LOCAL": "1",
        "PORTAL_DATA": str(tmp_path),
        "DJANGO_SUPERUSER_EMAIL": "owner@example.org",
        "DJANGO_SUPERUSER_PASSWORD": "short",
    }

    def manage(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, ROOT / "manage.py", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50)

    assert manage("migrate", "--verbosity=0").returncode == 0
    refused = manage("createsuperuser", "--noinput")
    assert refused.returncode == 1
    assert "at least 15 characters" in refused.stderr
    assert "Traceback" not in refused.stderr
    environment["DJANGO_SUPERUSER_PASSWORD"] = STRONG
    assert manage("createsuperuser", "--noinput").returncode == 0
