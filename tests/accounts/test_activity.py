"""The family's own page: what happened with its login, and never whose chart it was."""

from __future__ import annotations

import lxml.html
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import audit
from accounts.activity import ENTRIES
from tests.cast import PASSWORD, pick, sign_in, sign_in_as_staff
from tests.pages import text_of

EMAIL = "rivera@example.org"


@pytest.fixture
def family(cast, client) -> Client:
    sign_in(client, EMAIL)
    return client


def lines(client: Client, page: str = "") -> list[str]:
    answer = client.get(f"/account/{page}")
    assert answer.status_code == 200
    rows = lxml.html.fromstring(answer.content.decode()).xpath(".//li[@data-activity]")
    return [" ".join(row.text_content().split()) for row in rows]


def said(client: Client) -> list[str]:
    return [line.partition(" 20")[0] for line in lines(client)]


def test_sign_ins_failures_links_and_passwords_are_told_with_browser_and_address(cast):
    phone = Client(
        REMOTE_ADDR="192.0.2.9",
        HTTP_USER_AGENT="Mozilla/5.0 (Android 14; Mobile; rv:131.0) Gecko/131.0 Firefox/131.0",
    )
    phone.post("/login/", {"email": EMAIL, "password": "wrong" * 4})
    phone.post("/password/", {"email": EMAIL})
    sign_in(phone, EMAIL)
    pick(phone, "Mia", "2016/04/27")
    phone.post("/who/", {"first_name": "Zoe", "date_of_birth": "1950/01/01"})
    found = lines(phone)
    assert [line.partition(" 20")[0] for line in found] == [
        "No chart was opened: the name or the birth date did not fit",
        "A chart was opened",
        "Signed in",
        "A link to choose a password was asked for",
        "Sign-in failed: wrong password",
    ]
    assert "from 192.0.2.9" in found[4]
    assert "Firefox" in found[2]


def test_whose_chart_it_was_is_not_said(family, cast):
    pick(family, "Mia", "2016/04/27")
    pick(family, "Leo", "2018/09/03")
    other = Client()
    sign_in(other, EMAIL)
    page = text_of(other.get("/account/"))
    assert page.count("A chart was opened") == 2
    for name in ("Mia", "Leo", "Rivera", "2016", "2018/"):
        assert name not in page, name


def test_what_the_practice_did_with_the_login_is_told_without_who_it_was(family, cast):
    staff = Client(REMOTE_ADDR="192.0.2.200")
    sign_in_as_staff(staff)
    account = f"/admin/accounts/householdaccount/{cast.rivera.pk}/"
    staff.post(f"{account}end-sessions/")
    sign_in(family, EMAIL)
    found = lines(family)
    assert any(line.startswith("Signed out by the practice") for line in found)
    for secret in ("192.0.2.200", "Nora", "nurse"):
        assert secret not in " ".join(found)


def test_another_household_sees_nothing_of_it(family, cast):
    Client().post("/login/", {"email": EMAIL, "password": "wrong" * 4})
    other = Client()
    sign_in(other, "okafor@example.org")
    assert said(other) == ["Signed in"]


def test_page_after_page_and_at_the_same_cost(family, cast):
    def entries(count: int) -> None:
        for _entry in range(count):
            audit.record(audit.Action.SIGN_IN, "wrong-password", account_id=cast.rivera.pk)

    entries(2)
    family.get("/account/")
    with CaptureQueriesContext(connection) as few:
        family.get("/account/")
    entries(ENTRIES + 10)
    with CaptureQueriesContext(connection) as many:
        assert len(lines(family)) == ENTRIES
    assert len(many) == len(few)
    assert len(lines(family, "?page=2")) == 13
    assert "Show older" not in text_of(family.get("/account/?page=2"))
    for odd in ("0", "-1", "x", "99999", "\u0661", "1e3", ""):
        assert family.get(f"/account/?page={odd}").status_code == 200


def test_a_changed_password_is_told(family, cast):
    typed = {
        "new_password1": "harbor lights over paper",
        "new_password2": "harbor lights over paper",
    }
    family.post("/password/change/", {"old_password": PASSWORD, **typed})
    assert said(family)[0] == "The password was changed"
