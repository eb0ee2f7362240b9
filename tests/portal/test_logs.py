"""A log line says what happened and where, never to whom: SECURITY R-AL-2, R-SE-10."""

from __future__ import annotations

import logging

import pytest
from django.test import RequestFactory

from portal.logs import LineFormatter

SECRETS = ["rivera@example.org", "x7Kq_2mVt-9aLpQw3zRb5Y", "Rivera", "4b1d"]


def line(message, *args, logger="accounts", error=None, **extra):
    exc_info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord(logger, logging.ERROR, __file__, 1, message, args, exc_info)
    record.__dict__.update(extra)
    return LineFormatter().format(record)


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("mail to rivera@example.org refused", "mail to [email] refused"),
        ("mail to <rivera@example.org>: no", "mail to <[email]>: no"),
        ("link x7Kq_2mVt-9aLpQw3zRb5Y opened", "link […] opened"),
        (
            "Invalid request from ip=192.0.2.7: Invalid HTTP request line: 'GET /?email=Rivera'",
            "Invalid request from ip=192.0.2.7",
        ),
        ("Error handling request GET /login/?email=Rivera", "Error handling request"),
        (
            "Task id=1c0f2a7e-aaaa-4bbb-8ccc-0123456789ab path=accounts.links.send state=FAILED",
            "Task id=1c0f2a7e-aaaa-4bbb-8ccc-0123456789ab path=accounts.links.send state=FAILED",
        ),
    ],
)
def test_message(message, kept):
    assert line(message).endswith(f" ERROR accounts {kept}")


def test_request_is_its_route(client):
    request = RequestFactory().get("/password/x7Kq_2mVt-9aLpQw3zRb5Y/?email=rivera@example.org")
    assert line("Not Found: %s", request.path, request=request, status_code=404).endswith(
        "404 GET (no such page)"
    )
    from django.urls import resolve

    request.resolver_match = resolve("/password/x7Kq_2mVt-9aLpQw3zRb5Y/")
    assert line("Not Found: %s", request.path, request=request, status_code=404).endswith(
        "404 GET /password/<str:token>/"
    )


def test_exception_is_its_type_and_place_without_its_text():
    try:
        try:
            int("Rivera")
        except ValueError as error:
            raise LookupError("rivera@example.org") from error
    except LookupError as error:
        text = line("saving failed", error=error)
    assert "saving failed LookupError in tests/portal/test_logs.py:" in text
    assert "after ValueError in tests/portal/test_logs.py:" in text
    assert not any(secret in text for secret in SECRETS)


def test_typed_line_breaks_forge_no_line():
    text = line("odd name %s", "a\n2026-01-01 INFO all is well\x1b[31m")
    assert "\n" not in text
    assert "\x1b" not in text
    assert r"a\n2026-01-01" in text


def test_settings_use_it(settings):
    assert settings.LOGGING["formatters"]["line"]["()"] == "portal.logs.LineFormatter"
    assert [handler["formatter"] for handler in settings.LOGGING["handlers"].values()] == ["line"]
