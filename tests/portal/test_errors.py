"""The page for a form whose token is over: text comes back to be copied, passwords never do."""

from __future__ import annotations

import errno
import sqlite3

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, InterfaceError, OperationalError, ProgrammingError
from django.test import Client

from accounts import passwords
from tests.cast import sign_in, sign_in_as_staff
from tests.pages import text_of


def test_no_password_is_shown_again(cast):
    browser = Client(enforce_csrf_checks=True)
    typed = {name: f"secret of {name}" for name in ("old_password", "new_password1", "password")}
    answer = browser.post("/password/change/", {**typed, "note": "my own words"})
    assert answer.status_code == 403
    assert "my own words" in text_of(answer)
    assert "secret" not in answer.content.decode()


def test_numbers_of_a_page_are_no_words_of_anybody(cast):
    browser = Client(enforce_csrf_checks=True)
    numbers = dict.fromkeys(
        ("seen", "version", "mood-version", "sending_id", "confirmed_before", "confirm"), "0"
    )
    answer = browser.post("/who/", {**numbers, "note": "my own words"})
    assert "Text 1" in text_of(answer)
    assert "Text 2" not in text_of(answer)


def test_answers_to_forms_are_marked_for_back_and_reload(cast, client):
    """portal.js makes Back ask for them anew; not for the one page whose text would be lost by it."""
    sign_in(client, "rivera@example.org")
    assert "data-answer" not in client.get("/who/").content.decode()
    assert "data-answer" in client.post("/who/", {}).content.decode()
    strict = Client(enforce_csrf_checks=True)
    assert "data-answer" not in strict.post("/who/", {"note": "my own words"}).content.decode()


# --- the database is away, or we made a mistake ---------------------------------------


def failing(error, cause=None):
    def fails(*_args, **_kwargs):
        raise error from cause

    return fails


def of_sqlite(code):
    error = sqlite3.OperationalError("Rivera")
    error.sqlite_errorcode = code
    return error


@pytest.fixture
def family(cast):
    client = Client(raise_request_exception=False)
    sign_in(client, "rivera@example.org")
    return client


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (OperationalError("Rivera"), of_sqlite(sqlite3.SQLITE_BUSY)),
        (OperationalError("Rivera"), of_sqlite(sqlite3.SQLITE_IOERR_WRITE)),
        (OperationalError("Rivera"), None),  # as PostgreSQL's are when it is gone
        (InterfaceError("Rivera"), None),
    ],
)
def test_a_database_that_is_away_is_said_and_typing_comes_back(family, monkeypatch, error, cause):
    monkeypatch.setattr("households.views.choose", failing(error, cause))
    answer = family.post("/who/", {"first_name": "Zebedee", "date_of_birth": "2016/04/27"})
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "30"
    assert answer.headers["Cache-Control"] == "no-store"
    text = text_of(answer)
    assert "cannot reach its records" in text
    assert "Zebedee" in answer.content.decode()
    assert answer.headers["X-Request-ID"] in text
    assert "Rivera" not in text


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (OperationalError("no such table"), of_sqlite(sqlite3.SQLITE_ERROR)),
        (ProgrammingError("Rivera"), None),
        (IntegrityError("Rivera"), None),
        (ValueError("Rivera"), None),
    ],
)
def test_a_mistake_of_ours_is_no_outage(family, monkeypatch, error, cause):
    monkeypatch.setattr("households.views.choose", failing(error, cause))
    answer = family.post("/who/", {"first_name": "Zebedee", "date_of_birth": "2016/04/27"})
    assert answer.status_code == 500
    assert answer.headers["X-Request-ID"] in text_of(answer)
    assert "Zebedee" not in answer.content.decode()


def test_middleware_that_cannot_reach_the_database_answers_alike(family, monkeypatch):
    """Not even who asks can be looked up."""
    monkeypatch.setattr("accounts.sessions._of_cookie", failing(OperationalError("Rivera")))
    answer = family.get("/account/")
    assert answer.status_code == 503
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    answer = family.post("/who/", {"file": SimpleUploadedFile("a.pdf", b"x"), "note": "mine"})
    assert answer.status_code == 503
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_full_disk_and_a_busy_door_name_the_reference_too(family, monkeypatch):
    monkeypatch.setattr("households.views.choose", failing(OSError(errno.ENOSPC, "full")))
    answer = family.post("/who/", {"first_name": "Zebedee", "date_of_birth": "2016/04/27"})
    assert answer.status_code == 507
    assert answer.headers["X-Request-ID"] in text_of(answer)
    monkeypatch.setattr("accounts.doors.household_sign_in", failing(passwords.TooBusy()))
    answer = Client().post("/login/", {"email": "a@b.example", "password": "x"})
    assert answer.status_code == 503
    assert answer.headers["X-Request-ID"] in text_of(answer)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "EVIL"])
@pytest.mark.parametrize("address", ["/", "/admin/", "/admin/households/member/", "/nothing/"])
def test_a_fourth_method_gets_nowhere(cast, client, method, address):
    """Django's admin takes any for a GET, with neither the token nor the audit of one (R-AZ-7, AZ-09)."""
    sign_in_as_staff(client)
    answer = client.generic(method, address)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, POST")
    assert answer.headers["Cache-Control"] == "no-store"
    assert b"Mia" not in answer.content
