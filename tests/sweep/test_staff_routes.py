"""Every address of admin, asked in ways in which no browser asks: by HEAD, and with another method said in a
header or in the question (SECURITY R-AZ-7, AZ-09). Who may open what by GET and POST is in
tests/households/desk/test_roles.py."""

from __future__ import annotations

import pytest

from tests.households.desk.test_roles import everything, named_addresses  # noqa: F401
from tests.portal.test_admin_site import one_of_each  # noqa: F401
from tests.sweep.asking import call
from tests.sweep.undone import Undone
from tests.who_may_open_what import STAFF
from tests.world import staff_of_role

pytestmark = pytest.mark.timeout(240)

# Looking through the tasks lets go of those that are over by themselves (households/misses.py).
TIDYING = {"households_pickermiss"}
# Opening what a family sent says to the family that it was seen (PRODUCT F): by a GET, whatever else it says.
SEEN = {"submissions_submission"}


def test_head_is_get_without_the_page(everything):  # noqa: F811
    """For the owner, who may open everything, and for somebody without a role, who may open nothing much."""
    for letter in "on":
        client = staff_of_role(letter)
        for name, address in named_addresses():
            with Undone() as done:
                head = call(client, "head", address)
            with Undone():
                get = call(client, "get", address)
            assert head.status_code == get.status_code, (letter, name)
            leads_to = [one.headers.get("Location", "").partition("?")[0] for one in (head, get)]
            assert leads_to[0] == leads_to[1], (letter, name)
            assert not head.bytes, (letter, name)
            if "o" in STAFF[name][0]:
                assert not {*done.written} - TIDYING, (letter, name, done.written)


def test_a_method_said_in_a_header_or_field_is_no_method(everything):  # noqa: F811
    client = staff_of_role("o")
    for name, address in named_addresses():
        more = "&" if "?" in address else "?"
        for word in ("POST", "DELETE"):
            with Undone() as done:
                plain = call(client, "get", address)
                answer = call(
                    client,
                    "get",
                    f"{address}{more}_method={word}",
                    HTTP_X_HTTP_METHOD_OVERRIDE=word,
                    HTTP_X_METHOD_OVERRIDE=word,
                    HTTP_X_HTTP_METHOD=word,
                )
            # A list takes a question it does not know for a mistake.
            assert answer.status_code in {plain.status_code, 302, 400}, (name, word)
            assert not {*done.written} - TIDYING - SEEN, (name, word, done.written)


def test_questions_of_djangos_own_make_no_error(everything):  # noqa: F811
    """The fuzz found the first: Django took an empty name of a column for one."""
    client = staff_of_role("o")
    for name, address in named_addresses():
        more = "&" if "?" in address else "?"
        plain = call(client, "get", address).status_code
        for question in ("_to_field=", "_to_field=email", "_popup=", "_changelist_filters=q"):
            with Undone():
                answer = call(client, "get", f"{address}{more}{question}")
            assert answer.status_code in {plain, 302, 400}, (name, question, answer.status_code)
