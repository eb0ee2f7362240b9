"""Every address of a chart, asked by everybody with every method (SECURITY R-AZ-2, R-AZ-7, AZ-01, AZ-02,
AZ-09, AZ-10, MB-07). The chart's own browser is the control: where it is not let in, nothing is proved."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from django.test import Client

from accounts.models import HouseholdSession
from tests.routes import every_pattern, member_patterns
from tests.sweep.asking import KNOWN, UNKNOWN, call, shown
from tests.sweep.undone import Undone
from tests.who_may_open_what import MEMBER, PUBLIC, SIGN_IN
from tests.world import Chart, staff_of_role

pytestmark = pytest.mark.timeout(240)

HTML = "text/html; charset=utf-8"


def opens(name: str, method: str) -> bool:
    return {"head": "GET"}.get(method, method.upper()) in MEMBER[name][0].split()


def asked(chart: Chart, key: str = "") -> Iterator[tuple[str, str, str]]:
    """Every address of the chart with every method that the portal knows."""
    for name in MEMBER:
        for method in KNOWN:
            yield name, method, chart.address(name, key)


def test_every_address_of_a_chart_is_in_the_table_and_nothing_else():
    assert {pattern.name for _path, pattern in member_patterns()} == MEMBER.keys()


def test_the_charts_own_browser_is_let_in(world):
    """The control arm, and the methods of the table: any other is a 405."""
    for name, method, address in asked(world.mia):
        with Undone() as done:
            answer = call(world.mia.client, method, address)
        if not opens(name, method):
            assert answer.status_code == 405, (name, method)
            assert not done.written, (name, method)
            continue
        # A post of nothing is taken, refused with a page about it, or too late; not "nothing is there".
        well = {200, 302} if method != "post" else {200, 302, 409, 422}
        assert answer.status_code in well, (name, method, answer.status_code)
        if answer.status_code == 302:
            assert answer.headers["Location"].startswith(f"/for/{world.mia.key}/"), (name, method)
        if MEMBER[name][1] and method == "get" and answer.headers.get("Content-Type") == HTML:
            about = (world.mia.mark, "Everything")  # the draft is named by its form
            assert any(word.encode() in answer.bytes for word in about), name


@pytest.mark.parametrize("method", UNKNOWN)
def test_a_method_that_the_portal_does_not_know_is_refused_to_everybody(world, method):
    """AZ-09: also to the one whose chart it is, before anybody asks who it is."""
    clients = [world.mia.client, world.undecided, Client(), staff_of_role("o")]
    for name in MEMBER:
        for client in clients:
            with Undone() as done:
                answer = call(client, method, world.mia.address(name))
            assert (answer.status_code, done.written) == (405, []), (name, method)
            assert answer.headers["Allow"] == "GET, HEAD, POST"


def test_nobody_and_staff_are_sent_to_sign_in(world):
    for client in (Client(), *(staff_of_role(letter) for letter in "nfcao")):
        for name, method, address in asked(world.mia):
            with Undone() as done:
                answer = call(client, method, address)
            assert answer.status_code == 302, (name, method)
            assert answer.headers["Location"].startswith("/login/?next=/for/"), (name, method)
            assert not done.written, (name, method)


def test_whoever_has_chosen_nobody_is_sent_to_choose(world):
    for key in (world.mia.key, uuid.uuid4().hex[:22]):
        for name, method, address in asked(world.mia, key):
            with Undone() as done:
                answer = call(world.undecided, method, address)
            assert (answer.status_code, answer.headers["Location"]) == (302, "/who/"), name
            assert not done.changed, (name, method, done.changed)


def test_under_another_charts_key_nothing_is_there(world):
    """Mia's key and records: the brother and the other Mia get the page that refuses."""
    for other in (world.leo, world.stranger):
        for name, method, address in asked(world.mia):
            with Undone() as done:
                answer = call(other.client, method, address)
            assert answer.status_code == 409, (name, method, answer.status_code)
            assert world.mia.mark.encode() not in answer.bytes
            if other is world.stranger:
                assert b"Rivera" not in answer.bytes
            assert not done.changed, (name, method, done.changed)


def test_with_the_own_key_anothers_record_is_not_there(world):
    """AZ-02: what the brother and another household get of Mia's record is, to the byte, what they get of
    one that never was. Their own record at the same address opens: the control."""
    for other in (world.leo, world.stranger):
        for name, (_methods, kind) in MEMBER.items():
            if not kind:
                continue
            foreign = world.mia.records[kind].public_id
            for method in KNOWN:
                with Undone() as done:
                    answer = call(other.client, method, other.address(name, public_id=foreign))
                    never = call(other.client, method, other.address(name, public_id=uuid.uuid4()))
                with Undone():
                    own = call(other.client, method, other.address(name))
                assert answer.status_code == (404 if opens(name, method) else 405), (name, method)
                assert shown(answer) == shown(never), (name, method)
                assert (own.status_code in {200, 302, 409, 422}) == opens(name, method), name
                assert not done.written, (name, method, done.written)


def test_pages_without_a_record_show_the_own_chart_only(world):
    marks = {chart.mark for chart in (world.mia, world.leo, world.stranger)}
    seen = set()
    for chart in (world.mia, world.leo, world.stranger):
        for name, method, address in asked(chart):
            if method == "get" and opens(name, method) and not MEMBER[name][1]:
                answer = call(chart.client, method, address)
                for mark in marks:
                    if mark.encode() in answer.bytes:
                        assert mark == chart.mark, (name, mark)
                        seen.add((name, mark))
    assert len(seen) >= 12  # the pages do show what is in a chart


def test_files_of_another_chart_in_every_way_a_browser_asks(world):
    """AZ-02: in part, if it has changed, if it is the same; with the tag of the owner's own answer."""
    for name in (
        "document_file",
        "document_thumbnail",
        "document_page",
        "form_pdf",
        "document_detail",
    ):
        own = call(world.mia.client, "get", world.mia.address(name))
        assert own.status_code == 200
        tag = own.headers.get("ETag", '"x"')
        changed = own.headers.get("Last-Modified", "Fri, 27 Nov 2026 00:00:00 GMT")
        for headers in (
            {"HTTP_RANGE": "bytes=0-10"},
            {"HTTP_RANGE": "bytes=0-1,5-6"},
            {"HTTP_RANGE": "bytes=-1"},
            {"HTTP_IF_NONE_MATCH": tag},
            {"HTTP_IF_NONE_MATCH": "*"},
            {"HTTP_IF_MATCH": tag},
            {"HTTP_IF_MODIFIED_SINCE": changed},
            {"HTTP_RANGE": "bytes=0-", "HTTP_IF_RANGE": tag},
            {"HTTP_SEC_PURPOSE": "prefetch"},
        ):
            for other in (world.leo, world.stranger):
                foreign = world.mia.records[MEMBER[name][1]].public_id
                for method in ("get", "head"):
                    there = call(
                        other.client, method, other.address(name, public_id=foreign), **headers
                    )
                    never = call(
                        other.client, method, other.address(name, public_id=uuid.uuid4()), **headers
                    )
                    assert there.status_code == never.status_code == 404, (name, headers)
                    assert shown(there) == shown(never)
                    assert {*there.headers} == {*never.headers}


def test_a_method_said_in_a_header_or_field_is_no_method(world):
    """AZ-09: what a GET asks for stays a GET, and a POST a POST."""
    for name in MEMBER:
        if not opens(name, "get"):
            continue
        address = world.mia.address(name)
        for word in ("POST", "DELETE", "PUT"):
            with Undone() as done:
                answer = call(
                    world.mia.client,
                    "get",
                    f"{address}?_method={word}",
                    HTTP_X_HTTP_METHOD_OVERRIDE=word,
                    HTTP_X_METHOD_OVERRIDE=word,
                    HTTP_X_HTTP_METHOD=word,
                )
            assert answer.status_code in {200, 302}, (name, word)
            assert not done.changed, (name, word, done.changed)


# --- outside charts -------------------------------------------------------------------


def own_addresses() -> dict[str, str]:
    """Every address outside charts and admin; of a sign-in that can be ended, that of the newest."""
    session = HouseholdSession.objects.latest("pk")
    about = {
        "password_open": "/password/abcdefghijklmnop/",
        "practice_logo": "/logo/none/",
        "account_end_session": f"/account/sessions/{session.public_key}/end/",
    }
    found = {}
    for path, pattern in every_pattern():
        if not path.startswith(("admin/", "for/")):
            found[pattern.name] = about.get(pattern.name, f"/{path}")
    assert not [address for address in found.values() if "<" in address]
    return found


def test_public_and_sign_in_pages_take_the_methods_of_the_table(world):
    addresses = own_addresses()
    assert addresses.keys() == PUBLIC.keys() | SIGN_IN.keys()
    visitors = {
        "nobody": Client(),
        "family": world.undecided,
        "bound": world.mia.client,
        "staff": staff_of_role("o"),
    }
    for who, client in visitors.items():
        for name, address in addresses.items():
            is_family = who in {"family", "bound"}
            for method in (*KNOWN, *UNKNOWN):
                with Undone() as done:
                    answer = call(client, method, address)
                methods = (PUBLIC | SIGN_IN)[name]
                taken = {"head": "GET"}.get(method, method.upper()) in methods.split()
                about = (who, name, method, answer.status_code)
                if method in UNKNOWN:
                    assert answer.status_code == 405, about
                elif name in SIGN_IN and not is_family:
                    assert answer.status_code == 302, about
                    assert answer.headers["Location"].startswith("/login/?next="), about
                elif not taken:
                    assert answer.status_code == 405, about
                else:
                    assert answer.status_code in {200, 204, 302, 404, 410, 422}, about
                if not taken or method in ("get", "head"):
                    assert not done.changed, (about, done.changed)


def test_looking_at_who_or_switch_chooses_nobody(world):
    """MB-16: a link, a picture, a prefetch or a HEAD never chooses, ends or switches a chart."""
    client = world.mia.client
    mia = "first_name=Leo&date_of_birth=2018/09/03"
    for address in (f"/who/?{mia}", f"/who/?again={world.leo.member.public_id}", f"/switch/?{mia}"):
        for method in ("get", "head"):
            for headers in ({}, {"HTTP_SEC_PURPOSE": "prefetch"}, {"HTTP_SEC_FETCH_DEST": "image"}):
                with Undone() as done:
                    answer = call(client, method, address, **headers)
                assert answer.status_code in {200, 405}
                assert not done.changed
    assert call(client, "get", world.mia.address("overview")).status_code == 200
