"""The page for a form whose token is over: text comes back to be copied, passwords never do."""

from __future__ import annotations

import pytest
from django.test import Client

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


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "EVIL"])
@pytest.mark.parametrize("address", ["/", "/admin/", "/admin/households/member/", "/nothing/"])
def test_a_fourth_method_gets_nowhere(cast, client, method, address):
    """Django's admin takes any for a GET, with neither the token nor the audit of one (R-AZ-7, AZ-09)."""
    sign_in_as_staff(client)
    answer = client.generic(method, address)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, POST")
    assert answer.headers["Cache-Control"] == "no-store"
    assert b"Mia" not in answer.content
