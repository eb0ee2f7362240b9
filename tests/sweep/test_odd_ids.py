"""Addresses with ids such as no row ever had, beside a row that is there: 404, never a 5xx, never a record
(AZ-08, R-AZ-7). The right id at the same place opens: that is in the other sweeps."""

from __future__ import annotations

import re
import uuid

import pytest
from django.test import Client

from tests.cast import sign_in_as_staff
from tests.households.desk.test_roles import everything, named_addresses  # noqa: F401
from tests.portal.test_admin_site import one_of_each  # noqa: F401
from tests.sweep.asking import call
from tests.sweep.undone import Undone
from tests.who_may_open_what import MEMBER, STAFF
from tests.world import World, parameters_of

# Of a number (5) and of a UUID; percent signs as they stand on the wire.
NUMBERS = (
    "0",
    "-5",
    "+5",
    "05x",
    "5.0",
    "5e0",
    "1e3",
    "5_0",
    "%205",
    "5%00",
    "5%0a",
    str(2**31),
    str(2**63),
    str(2**64 + 1),
    "9" * 400,
    "%D9%A5",  # an Arabic five
    "%EF%BC%95",  # a wide five
    "%5B5%5D",
    "5%2f",
    "..",
    "%2e%2e%2f5",
    "%ed%a0%80",
    "%ff%fe",
    "%F0%9F%98%80",
    "null",
    "5;5",
    "5%26pk=5",
)


def odd_uuids(there: uuid.UUID) -> list[str]:
    own = str(there)
    return [
        *NUMBERS,
        own.upper(),
        there.hex,
        f"%7B{own}%7D",
        f"urn:uuid:{own}",
        f"{own}%00",
        f"{own}%0a",
        f"%20{own}",
        own.replace("-", "%2d%20"),
        own[:-1],
        f"{own}0",
        own * 50,
        own.translate({ord(digit): f"%EF%BC%9{digit}" for digit in "0123456789"}),
    ]


def odd_addresses(world: World) -> list[tuple[str, str]]:
    """Each parameter of each address of Mia's chart in turn, the others as they are."""
    chart, found = world.mia, []
    for name, (_methods, kind) in MEMBER.items():
        for parameter in sorted(parameters_of(name) - {"key"}):
            if parameter == "public_id":
                there = chart.records[kind].public_id
                odd = odd_uuids(there)
            elif parameter == "questionnaire_id":
                there = chart.ids[parameter]
                odd = odd_uuids(there)
            else:
                there = chart.ids[parameter]
                odd = [*NUMBERS, str(there).upper() + "X"]
            parts = chart.address(name).split("/")
            place = len(parts) - 1 - parts[::-1].index(str(there))
            before, after = "/".join(parts[:place]), "/".join(parts[place + 1 :])
            found += [(name, f"{before}/{one}/{after}") for one in odd]
    return found


@pytest.mark.timeout(240)  # some 3,000 requests
def test_in_a_chart(world):
    nobody = Client()
    for number, (name, address) in enumerate(odd_addresses(world)):
        for method in ("get", "post"):
            with Undone() as done:
                answer = call(world.mia.client, method, address)
            takes = method.upper() in MEMBER[name][0].split()
            well = {404} if takes else {404, 405}
            assert answer.status_code in well, (method, address[:200], answer.status_code)
            assert world.mia.mark.encode() not in answer.bytes, address
            assert not done.written, (address, done.written)
        if number % 7 == 0:
            assert call(nobody, "get", address).status_code in {302, 404}, address


def test_keys_that_no_chart_has(world):
    own = world.mia.key
    odd = (own.swapcase(), own[:-1], f"{own}A", f"{own}%00", f"%20{own}", f"{own}%0a", f"{own}=")
    keys = {*NUMBERS, *odd} - {own}
    for key in keys:
        for inside in (
            "",
            "documents/",
            f"documents/{world.mia.records['document'].public_id}/file/",
        ):
            for method in ("get", "post"):
                with Undone() as done:
                    answer = call(world.mia.client, method, f"/for/{key}/{inside}")
                assert answer.status_code in {404, 409}, (key, answer.status_code)
                assert world.mia.mark.encode() not in answer.bytes
                assert not done.changed, (key, done.changed)
    for token in keys:
        assert call(world.mia.client, "get", f"/password/{token}/").status_code in {302, 404}
        assert call(Client(), "get", f"/logo/{token}/").status_code == 404


_ID = re.compile(r"(?<=/)(?:[0-9]+|[0-9a-f]{8}-[0-9a-f-]{27})(?=/)")


# Where Django sends on to from no row, and the tasks from one that somebody else has done.
TO_A_LIST = {"/admin/", "/admin/tasks/"}


def odd_numbers(there: str) -> list[str]:
    """Such as no row ever had, and other spellings of the one that is there, which Python reads as it."""
    arabic = "".join(f"%D9%A{digit}" for digit in there)
    wide = "".join(f"%EF%BC%9{digit}" for digit in there)
    spelled = [f"+{there}", f"%20{there}", f"{there}%0a", f"{there}%00", arabic, wide]
    none = ["0", f"-{there}", "1e3", str(2**63), str(2**64 + 1), "9" * 400, "null", "%ed%a0%80"]
    return [*spelled, *none, *([f"{there[0]}_{there[1:]}"] if len(there) > 1 else [])]


def test_another_spelling_of_a_number_is_no_address_of_staffs(cast):
    """What Python reads as the number: the page opened, and the audit had it, under many addresses."""
    client = Client()
    sign_in_as_staff(client)
    there = str(cast.mia.pk)
    for page in ("change", "history"):
        for one in odd_numbers(there):
            answer = call(client, "get", f"/admin/households/member/{one}/{page}/")
            about = (page, one, answer.status_code)
            assert answer.status_code == 404 or answer.headers.get("Location") == "/admin/", about
        assert call(client, "get", f"/admin/households/member/{there}/{page}/").status_code == 200


@pytest.mark.timeout(300)
def test_at_staffs_pages(everything, cast):  # noqa: F811
    """As the owner, who may open what is there. Django sends on from an id of no row to its index."""
    client = Client()
    sign_in_as_staff(client)
    wrong: dict[str, list] = {}
    for number, (name, address) in enumerate(named_addresses()):
        get, post = ("o" in letters for letters in STAFF[name])
        for found in [*_ID.finditer(address)][:1]:
            there = found[0]
            odd = odd_numbers(there) if there.isdigit() else odd_uuids(uuid.UUID(there))
            for one in odd[number % 4 :: 4]:  # in turn: all of them everywhere take minutes
                tried = address[: found.start()] + one + address[found.end() :]
                method = "get" if get or not post else "post"
                with Undone() as done:
                    answer = call(client, method, tried)
                    # Django's short address of a row sends on to the page of it.
                    if answer.headers.get("Location", "").endswith("/change/"):
                        answer = call(client, "get", answer.headers["Location"])
                refused = answer.status_code in {403, 404} or (
                    answer.status_code == 302
                    and answer.headers["Location"].partition("#")[0] in TO_A_LIST
                )
                if not refused or done.written:
                    told = (one[:30], answer.status_code, done.written)
                    wrong.setdefault(f"{method} {name}", []).append(told)
    assert wrong == {}
