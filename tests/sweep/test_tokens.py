"""Every address that takes a POST, with what another site or another session could send: 403, and nothing is
written (IN-04, MB-16). With the right token from the right place it is taken: the control."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.test import Client

from tests.cast import pick, sign_in, sign_in_as_staff
from tests.households.desk.test_roles import everything, forged_of, named_addresses  # noqa: F401
from tests.portal.test_admin_site import one_of_each  # noqa: F401
from tests.sweep.asking import call
from tests.sweep.test_member_routes import own_addresses
from tests.sweep.undone import Undone
from tests.who_may_open_what import MEMBER, PUBLIC, SIGN_IN, STAFF

FOREIGN = "https://evil.example"


def strict(client: Client) -> Client:
    """The same browser, with Django's check on, which its test client leaves out."""
    checked = Client(enforce_csrf_checks=True)
    checked.cookies = client.cookies
    return checked


def token_of(client: Client) -> str:
    """The token of the browser's own cookie, as its pages hold it."""
    if settings.CSRF_COOKIE_NAME not in client.cookies:
        client.get("/password/")
    return client.cookies[settings.CSRF_COOKIE_NAME].value


def forgeries(own: str, anothers: str) -> Iterator[tuple[str, dict[str, str], dict[str, Any]]]:
    """What is wrong, and the fields and headers that are sent."""
    right = {"csrfmiddlewaretoken": own}
    yield "no token", {}, {}
    yield "an empty token", {"csrfmiddlewaretoken": ""}, {}
    yield "another session's token", {"csrfmiddlewaretoken": anothers}, {}
    yield "another session's token as a header", {}, {"HTTP_X_CSRFTOKEN": anothers}
    yield "a foreign origin", right, {"HTTP_ORIGIN": FOREIGN}
    yield "no origin that can be told", right, {"HTTP_ORIGIN": "null"}
    yield "a foreign page", right, {"HTTP_REFERER": f"{FOREIGN}/page", "secure": True}
    yield "no page", right, {"secure": True}


def try_all(client: Client, addresses: dict[str, str], fields: dict[str, str]) -> int:
    client = strict(client)
    own, anothers = token_of(client), token_of(Client())
    assert own != anothers
    tried = 0
    for name, address in addresses.items():
        for wrong, sent, headers in forgeries(own, anothers):
            with Undone() as done:
                body = urlencode({**fields, **sent}).encode()
                answer = call(client, "post", address, body, **headers)
            assert answer.status_code == 403, (name, wrong, answer.status_code)
            assert not done.written, (name, wrong, done.written)
            tried += 1
        with Undone():
            body = urlencode({**fields, "csrfmiddlewaretoken": own}).encode()
            origin = {"HTTP_ORIGIN": "http://testserver"}
            answer = call(client, "post", address, body, **origin)
        assert answer.status_code in {200, 204, 302, 404, 405, 409, 410, 422}, (
            name,
            answer.status_code,
        )
        with Undone():
            page = {"HTTP_REFERER": "https://testserver/page", "secure": True}
            answer = call(client, "post", address, body, **page)
        assert answer.status_code != 403, (name, "over https")
    return tried


@pytest.fixture(autouse=True)
def the_test_clients_host(settings) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]


@pytest.mark.timeout(240)
def test_posts_of_a_chart(world):
    posts = {
        name: world.mia.address(name) for name, (methods, _) in MEMBER.items() if "POST" in methods
    }
    typed = {"substance": "Sent by another site", "first_name": "Leo", "files": ""}
    assert try_all(world.mia.client, posts, typed) > 150


@pytest.mark.timeout(240)
def test_posts_of_a_family_and_of_nobody(world):
    addresses = own_addresses()
    signed_in = {name: addresses[name] for name, methods in SIGN_IN.items() if "POST" in methods}
    public = {name: addresses[name] for name, methods in PUBLIC.items() if "POST" in methods}
    # Whoever is in already is sent on from a second sign-in page, though nothing of it was read.
    of_family = {**signed_in, **public}
    del of_family["login"]
    leo = {"first_name": "Leo", "date_of_birth": "2018/09/03", "email": "rivera@example.org"}
    for client in (world.mia.client, world.undecided):
        assert try_all(client, of_family, leo) > 30
    assert try_all(Client(), public, {**leo, "password": "correct-walnut-battery-9"}) > 20
    with Undone() as done:
        answer = call(strict(world.mia.client), "post", addresses["login"], urlencode(leo).encode())
    assert (answer.status_code, answer.headers["Location"], done.written) == (302, "/", [])


@pytest.mark.timeout(240)  # some 1,300 requests
def test_posts_of_staff(everything, cast):  # noqa: F811
    client = Client()
    sign_in_as_staff(client)
    posts = {
        name: address
        for name, address in named_addresses()
        if "o" in STAFF[name][1] or name in {"login", "logout"}
    }
    about = next(address for address in posts.values() if "/householdaccount/" in address)
    assert try_all(client, posts, {**forged_of("post", about), "search": "1", "q": "mia"}) > 500


def test_a_family_tab_of_before_is_no_help(world):
    """The token of another sign-in of the same family is another session's too."""
    other = Client()
    sign_in(other, "rivera@example.org")
    pick(other, "Mia", "2016/04/27")
    client = strict(world.mia.client)
    body = urlencode({"csrfmiddlewaretoken": token_of(other)}).encode()
    assert call(client, "post", "/switch/", body).status_code == 403
    assert call(client, "get", world.mia.address("overview")).status_code == 200
