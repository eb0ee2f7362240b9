"""A log line says what happened and where, never to whom: SECURITY R-AL-2, R-SE-10."""

from __future__ import annotations

import json
import logging
import re
import threading
import warnings
from datetime import datetime

import pytest
from django.core.management import call_command
from django.test import Client, RequestFactory
from django.urls import resolve

from portal import logs
from portal.logs import LineFormatter
from tests.cast import pick, sign_in

SECRETS = ["rivera@example.org", "x7Kq_2mVt-9aLpQw3zRb5Y", "Rivera", "4b1d"]


def text_of(message, *args, logger="accounts", error=None, **extra):
    exc_info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord(logger, logging.ERROR, __file__, 1, message, args, exc_info)
    record.__dict__.update(extra)
    return LineFormatter().format(record)


def line(message, *args, **extra):
    return json.loads(text_of(message, *args, **extra))


@pytest.fixture
def lines():
    """The log's lines during the test, as they are written."""
    written = []

    class Handler(logging.Handler):
        def emit(self, record):
            written.append(json.loads(LineFormatter().format(record)))

    handler = Handler(logging.WARNING)
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("mail to rivera@example.org refused", "mail to [email] refused"),
        ("mail to <rivera@example.org>: no", "mail to <[email]>: no"),
        ("link x7Kq_2mVt-9aLpQw3zRb5Y opened", "link [token] opened"),
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
    assert line(message)["message"] == kept


def test_a_line_says_when_how_bad_and_where_from():
    said = line("mail refused", logger="accounts.links")
    assert datetime.fromisoformat(said["at"]).utcoffset().total_seconds() == 0
    assert (said["level"], said["logger"]) == ("ERROR", "accounts.links")


def test_request_is_its_route():
    request = RequestFactory().get("/password/x7Kq_2mVt-9aLpQw3zRb5Y/?email=rivera@example.org")
    request.request_id = "bcdfghjkmnpqrtvw"
    said = line("Not Found: %s", request.path, request=request, status_code=404)
    assert said["message"] == "Not Found"
    assert (said["status"], said["method"], said["route"]) == (404, "GET", "(no such page)")
    assert said["request_id"] == "bcdfghjkmnpqrtvw"

    request.resolver_match = resolve("/password/x7Kq_2mVt-9aLpQw3zRb5Y/")
    text = text_of("Not Found: %s", request.path, request=request, status_code=404)
    assert json.loads(text)["route"] == "/password/<str:token>/"
    assert not any(secret in text for secret in SECRETS)


def test_a_made_up_method_is_not_repeated():
    request = RequestFactory().generic("RIVERA", "/login/")
    assert line("x", request=request, status_code=405)["method"] == "other"


def test_exception_is_its_type_and_place_without_its_text():
    try:
        try:
            int("Rivera")
        except ValueError as error:
            raise LookupError("rivera@example.org") from error
    except LookupError as error:
        text = text_of("saving failed", error=error)
    said = json.loads(text)["error"]
    assert said["type"] == "LookupError"
    assert re.fullmatch(r"tests/portal/test_logs.py:\d+ test_exception_is_.*", said["places"][-1])
    assert said["after"]["type"] == "ValueError"
    assert not any(secret in text for secret in SECRETS)


def test_an_error_of_a_library_says_which_of_our_lines_led_to_it():
    try:
        json.loads("Rivera")
    except ValueError as error:
        places = line("reading failed", error=error)["error"]["places"]
    assert places[0].startswith("tests/portal/test_logs.py:")
    assert places[-1].startswith("json/decoder.py:")
    assert len(places) == 2


def test_typed_line_breaks_forge_no_line():
    text = text_of("odd name %s", 'a\n{"at": "2026-01-01"}\x1b[31m\u2028\u202e')
    assert text.isascii()
    assert text.isprintable()
    assert json.loads(text)["message"].startswith('odd name a\n{"at"')


def test_a_warning_loses_its_words(lines):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        # As the portal's start does; pytest took them for itself since.
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.showwarning(
            RuntimeWarning("received Rivera"), RuntimeWarning, logs.__file__, 7, None, None
        )
    (said,) = lines
    assert said["message"] == "RuntimeWarning at portal/logs.py:7"


def test_a_thread_that_breaks_says_no_values(lines, monkeypatch):
    def breaks():
        raise ValueError("Rivera")

    monkeypatch.setattr(threading, "excepthook", logs.note_lost_thread)
    thread = threading.Thread(target=breaks)
    thread.start()
    thread.join()
    (said,) = lines
    assert said["error"]["type"] == "ValueError"
    assert "Rivera" not in str(said)


# --- the id of a request --------------------------------------------------------------


def test_every_answer_has_an_id_of_its_own(cast):
    client = Client()
    ids = [
        client.get(path, headers={"X-Request-ID": "mine"}).headers["X-Request-ID"]
        for path in ("/login/", "/login/", "/nothing/", "/admin/", "/static/portal.css")
    ]
    assert len(set(ids)) == 5
    assert all(re.fullmatch(r"[a-z]{16}", one) for one in ids)


def test_lines_of_a_request_carry_its_id(cast, lines):
    answer = Client().get("/nothing/rivera@example.org/")
    (said,) = lines
    assert said["request_id"] == answer.headers["X-Request-ID"]
    assert (said["status"], said["method"]) == (404, "GET")


@pytest.fixture
def broken(monkeypatch):
    """The account page fails, with a name in what it says, after a line of its own."""
    from accounts import views

    def breaks(*_args):
        logging.getLogger("accounts.views").warning("before it breaks")
        raise ValueError("Rivera, born 2016/04/27")

    monkeypatch.setattr(views.sessions, "of_account", breaks)


def signed_in_client():
    client = Client(raise_request_exception=False)
    sign_in(client, "rivera@example.org")
    return client


def test_the_page_of_an_error_shows_the_id_that_its_lines_have(cast, broken, lines):
    answer = signed_in_client().get("/account/")
    assert answer.status_code == 500
    request_id = answer.headers["X-Request-ID"]
    assert request_id in answer.content.decode()
    before, after = lines
    assert before["message"] == "before it breaks"
    assert before["request_id"] == after["request_id"] == request_id
    assert before["route"] == after["route"] == "/account/"
    assert after["status"] == 500
    assert after["error"]["type"] == "ValueError"
    assert "Rivera" not in str(lines)


def test_no_mail_about_an_error_whoever_is_in_charge(cast, broken, settings, mailoutbox):
    """Django mails errors with the request and every local value to ADMINS: not from here."""
    settings.ADMINS = [("Technician", "technician@practice.example")]
    settings.MANAGERS = settings.ADMINS
    client = signed_in_client()
    key = pick(client, "Mia", "2016/04/27")
    assert client.get("/account/").status_code == 500
    client.get("/nothing/", headers={"Referer": "http://testserver/login/"})
    assert client.get(f"/for/{key}/").status_code == 200
    assert mailoutbox == []


# --- the background worker ------------------------------------------------------------


def test_lines_of_a_task_carry_its_id_and_nothing_it_was_handed_stays(
    cast, client, lines, run_tasks, mailoutbox, monkeypatch
):
    from accounts import links

    def breaks(*_args):
        logging.getLogger("accounts.links").warning("before it breaks")
        raise ValueError("nobody is rivera@example.org")

    monkeypatch.setattr(links, "_send", breaks)
    client.post("/password/", {"email": "rivera@example.org"})
    (task,) = run_tasks(failing=True)
    assert task.status == "FAILED"
    before, after = lines
    assert before["task_id"] == after["task_id"] == str(task.pk)
    assert after["error"]["type"] == "ValueError"
    assert "rivera" not in f"{lines} {vars(task)}".lower()
    assert "accounts/links.py" in task.traceback


def test_a_typed_address_does_not_stay_in_the_queue(cast, client, run_tasks, mailoutbox):
    client.post("/password/", {"email": "nobody-on-file@example.org"})
    (task,) = run_tasks()
    assert task.return_value == "not-on-file"
    assert "nobody-on-file" not in str(vars(task))


def test_a_worker_that_cannot_go_on_prints_no_values(db, lines, monkeypatch):
    from django.core.management.base import CommandError

    from portal.management.commands import db_worker

    def breaks(*_args):
        raise ValueError("Key (email)=(rivera@example.org)")

    monkeypatch.setattr(db_worker.TaskWorker, "run", breaks)
    monkeypatch.setattr(db_worker.TaskWorker, "configure_signals", lambda self: None)
    with pytest.raises(CommandError) as ended:
        call_command("db_worker", "--no-reload")
    assert "rivera" not in str(ended.value)
    assert lines[-1]["error"]["type"] == "ValueError"


def test_settings_use_it(settings):
    assert settings.LOGGING["formatters"]["line"]["()"] == "portal.logs.LineFormatter"
    assert [handler["formatter"] for handler in settings.LOGGING["handlers"].values()] == ["line"]
