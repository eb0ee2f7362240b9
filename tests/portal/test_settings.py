"""What a production start refuses, and what a newcomer gets for free. Each in a process of its own:
settings are read once, when it starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCTION = {
    "SECRET_KEY": "a long random text that only this test has ever seen, once",
    "ALLOWED_HOSTS": "portal.example",
    "PORTAL_URL": "https://portal.example",
}


def load(tmp_path: Path, code: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Load the settings as a production server does, with these variables only."""
    return subprocess.run(
        [sys.executable, "-c", f"from portal import settings; {code}"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PORTAL_DATA": str(tmp_path / "data"), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_production_starts_when_everything_is_said(tmp_path):
    code = "print(settings.FAMILY_COOKIE, settings.SESSION_COOKIE_SECURE, settings.PORTAL_DEMO)"
    done = load(tmp_path, code, **PRODUCTION)
    assert done.stdout == "__Host-family True False\n", done.stderr


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY is not set"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS may not hold"),
        ({"DEBUG": "1"}, "DEBUG shows health data"),
        ({"DEBUG": "1", "PORTAL_LOCAL": "1", "PORTAL_HTTPS": "1"}, "DEBUG shows health data"),
        ({"ALLOWED_HOSTS": "*", "PORTAL_LOCAL": "1", "PORTAL_HTTPS": "1"}, "ALLOWED_HOSTS"),
    ],
)
def test_production_refuses_and_says_why(tmp_path, variables, words):
    done = load(tmp_path, **{**PRODUCTION, **variables})
    assert done.returncode != 0
    assert words in done.stderr


def test_password_minimum_is_never_under_eight(tmp_path):
    done = load(tmp_path, "print(settings.PASSWORD_MIN)", **PRODUCTION, PORTAL_PASSWORD_MIN="4")
    assert done.stdout == "8\n"


def test_local_run_makes_its_key_once_for_its_owner_only(tmp_path):
    code = "print(settings.SECRET_KEY)"
    first = load(tmp_path, code, PORTAL_LOCAL="1")
    again = load(tmp_path, code, PORTAL_LOCAL="1")
    assert first.stdout == again.stdout
    assert len(first.stdout) > 50
    assert (tmp_path / "data" / "secret-key").stat().st_mode & 0o077 == 0


def test_data_folder_is_for_its_owner_only(tmp_path):
    load(tmp_path / "not" / "yet" / "there", PORTAL_LOCAL="1")
    for folder in ("data", "data/tmp"):
        assert (tmp_path / "not" / "yet" / "there" / folder).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("variable", ["PORT", "PORTAL_IDLE_SECONDS"])
def test_a_mistyped_number_is_named(tmp_path, variable):
    done = subprocess.run(
        [sys.executable, "manage.py", "serve"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PORTAL_DATA": str(tmp_path), variable: "15m"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert (
        done.stderr
        == f"The settings do not fit. {variable} has to be a whole number; it is “15m”.\n"
    )


def test_who_sends_files_is_one_of_three(tmp_path):
    for way in ("", "X-Accel-Redirect", "X-Sendfile"):
        assert load(
            tmp_path, "print(settings.SENDFILE)", **PRODUCTION, PORTAL_SENDFILE=way
        ).stdout == (f"{way}\n")
    for way in ("x-accel-redirect", "1", "Set-Cookie"):
        done = load(tmp_path, "", **PRODUCTION, PORTAL_SENDFILE=way)
        assert done.returncode != 0
        assert f"PORTAL_SENDFILE is “{way}”. It can be X-Accel-Redirect (nginx)" in done.stderr


def test_postgresql_and_mail_server_are_addresses(tmp_path):
    code = (
        "print(settings.DATABASES['default']['ENGINE'], settings.DATABASES['default']['NAME'], "
        "settings.EMAIL_BACKEND, settings.EMAIL_HOST)"
    )
    done = load(
        tmp_path,
        code,
        **PRODUCTION,
        DATABASE_URL="postgresql://portal@db/portal",
        EMAIL_URL="smtp+tls://user:word@mail.example:587",
    )
    assert done.stdout.split() == [
        "django.db.backends.postgresql",
        "portal",
        "django.core.mail.backends.smtp.EmailBackend",
        "mail.example",
    ]


def test_keys_of_the_audit_are_parted_by_commas_and_long(tmp_path):
    keys = "an older key of more than 32 characters, a newer key of more than 32 characters"
    done = load(tmp_path, "print(len(settings.AUDIT_KEYS))", **PRODUCTION, PORTAL_AUDIT_KEY=keys)
    assert done.stdout == "2\n", done.stderr
    done = load(tmp_path, **PRODUCTION, PORTAL_AUDIT_KEY="short")
    assert "PORTAL_AUDIT_KEY has to be a random text of at least 32 characters" in done.stderr
