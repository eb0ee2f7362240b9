"""`check --deploy`: what a practice has forgotten, each with what to do."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks

SMTP = "django.core.mail.backends.smtp.EmailBackend"


def said() -> list[str]:
    found = run_checks(tags=["security"], include_deployment_checks=True)
    assert all(one.hint for one in found if one.id.startswith("portal."))
    return [one.id for one in found if one.id.startswith("portal.")]


@pytest.fixture(autouse=True)
def somebody_is_told(settings):
    settings.SECURITY_CONTACT = "mailto:security@practice.example"


def test_nothing_is_forgotten():
    assert said() == []


def test_nobody_is_told_of_a_weakness(settings):
    settings.SECURITY_CONTACT = ""
    assert said() == ["portal.W001"]


@pytest.mark.parametrize(
    ("host", "tls", "ssl", "warned"),
    [
        ("mail.example", False, False, True),
        ("mail.example", True, False, False),
        ("mail.example", False, True, False),
        ("127.0.0.1", False, False, False),
        ("localhost", False, False, False),
    ],
)
def test_mails_that_leave_the_machine_are_encrypted(settings, host, tls, ssl, warned):
    settings.EMAIL_BACKEND = SMTP
    settings.EMAIL_HOST, settings.EMAIL_USE_TLS, settings.EMAIL_USE_SSL = host, tls, ssl
    assert said() == (["portal.W002"] if warned else [])


@pytest.mark.parametrize(
    ("engine", "host", "options", "warned"),
    [
        ("postgresql", "db.example", {}, True),
        ("postgresql", "db.example", {"sslmode": "require"}, True),
        ("postgresql", "db.example", {"sslmode": "verify-full"}, False),
        ("postgresql", "127.0.0.1", {}, False),
        ("postgresql", "/var/run/postgresql", {}, False),
        ("postgresql", "", {}, False),
        ("sqlite3", "", {}, False),
    ],
)
def test_the_database_elsewhere_is_asked_over_tls(
    monkeypatch, settings, engine, host, options, warned
):
    database = {"ENGINE": f"django.db.backends.{engine}", "HOST": host, "OPTIONS": options}
    monkeypatch.setitem(settings.DATABASES, "default", database)
    assert said() == (["portal.W003"] if warned else [])


@pytest.mark.parametrize(
    ("endpoint", "warned"),
    [("http://store.example:9000", True), ("https://store.example", False), ("", False)],
)
def test_the_store_elsewhere_is_asked_over_tls(settings, endpoint, warned):
    settings.S3_BUCKET, settings.S3_ENDPOINT = "papers", endpoint
    assert said() == (["portal.W004"] if warned else [])
    settings.S3_BUCKET = ""
    assert said() == []
