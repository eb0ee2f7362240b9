"""Sessions end when they should and open one door only (SECURITY R-SE-1 to R-SE-9, cases SE, AZ-10)."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie
from urllib.parse import urljoin, urlsplit

import pytest

from tests.hostile.conftest import HOST, through_proxy
from tests.hostile.visitor import Visitor
from tests.real_portal import RealPortal


def test_cookies_over_https(proxied):
    """SE-01, for families and staff, the link's cookie included."""
    visitor = through_proxy(proxied)
    visitor.token()
    lines = [
        *visitor.sign_in("rivera@example.org").set_cookies,
        *visitor.get(f"/password/{'A' * 43}/").set_cookies,
        *through_proxy(proxied).sign_in_as_staff().signed_in_with,
    ]
    cookies = {name: cookie for line in lines for name, cookie in SimpleCookie(line).items()}
    assert set(cookies) >= {"__Host-family", "__Host-family-link", "__Host-csrf", "__Host-staff"}
    for name, cookie in cookies.items():
        assert (cookie["secure"], cookie["httponly"], cookie["path"]) == (True, True, "/"), name
        assert cookie["samesite"] in {"Lax", "Strict"}, name
        assert cookie["domain"] == "", name
        if name != "__Host-family-link":  # lives an hour, so that a mail can be opened twice
            assert cookie["max-age"] == cookie["expires"] == "", name


def test_only_https_and_the_proxys_word_for_it(portal, proxied):
    plain = Visitor(proxied, Host=HOST).get("/login/")
    assert (plain.status, plain.location) == (301, f"https://{HOST}/login/")
    secure = through_proxy(proxied).get("/login/")
    assert "max-age=31536000" in secure.headers["Strict-Transport-Security"]
    # Where no proxy is trusted, nobody says that it was https.
    lied = Visitor(portal, X_Forwarded_Proto="https").get("/login/")
    assert "Strict-Transport-Security" not in lied.headers


def test_sessions_end_in_time(proxied):
    """SE-04 and SE-05 side by side: 3 seconds idle, 6 altogether, also for staff."""
    with ThreadPoolExecutor(3) as all_at_once:
        unused = all_at_once.submit(_used_by_nobody, proxied)
        busy = all_at_once.submit(_lasts, _family(proxied), "/account/")
        staff = all_at_once.submit(_staff_lasts, through_proxy(proxied).sign_in_as_staff())
    assert unused.result() == {"left alone": 302, "polled": 302, "fetched ahead": 302}
    assert 5 < busy.result() < 10
    assert 5 < staff.result() < 10


def _family(proxied: RealPortal) -> Visitor:
    visitor = through_proxy(proxied)
    assert visitor.sign_in("rivera@example.org").location == "/who/"
    return visitor


def _used_by_nobody(proxied: RealPortal) -> dict[str, int]:
    """What a session is answered that is over three seconds old and that no person used."""
    alone, polled, ahead = (_family(proxied) for _ in range(3))
    start = time.monotonic()
    while time.monotonic() < start + 3.6:
        polled.get("/account/", Sec_Fetch_Dest="empty", Sec_Fetch_Mode="cors")
        polled.get("/healthz")
        ahead.get("/account/", Sec_Purpose="prefetch;prerender")
        time.sleep(0.3)
    visitors = {"left alone": alone, "polled": polled, "fetched ahead": ahead}
    return {how: visitor.get("/account/").status for how, visitor in visitors.items()}


def _lasts(visitor: Visitor, path: str) -> float:
    """Seconds of steady work after which the session is over."""
    start = time.monotonic()
    while visitor.get(path).status == 200 and time.monotonic() < start + 12:
        time.sleep(0.25)
    return time.monotonic() - start


def _staff_lasts(staff: Visitor) -> float:
    """Searching writes into the session, which must not make it younger."""
    start = time.monotonic()
    while staff.get("/admin/").status == 200 and time.monotonic() < start + 12:
        staff.post("/admin/households/member/", {"search": "1", "q": f"a{time.monotonic()}"})
        time.sleep(0.25)
    return time.monotonic() - start


def test_cookies_of_a_session_that_is_over_open_nothing(portal):
    """SE-03, SE-10 over all four workers, also where the thief asks at the same moment."""
    family = Visitor(portal).signed_in("rivera@example.org")
    home = family.choose("Ava", "2015/03/02")
    thief = family.copy()
    answer = family.post("/logout/")
    assert '"cache"' in answer.headers["Clear-Site-Data"]
    pages = [home, f"{home}documents/", "/who/", "/account/", "/password/change/"]

    def replay(path: str) -> str:
        return thief.copy().get(path).location.partition("?")[0]

    with ThreadPoolExecutor(10) as at_once:
        assert set(at_once.map(replay, pages * 4)) == {"/login/"}
    for path in ("/switch/", "/account/end-others/", "/session/stay/", f"{home}documents/"):
        assert thief.copy().post(path).location.startswith("/login/")


def test_planted_tokens_are_worth_nothing(portal):
    """SE-02, for both doors."""
    visitor = Visitor(portal)
    visitor.cookies = {"family": "planted" * 6, "staff": "planted" * 5, "csrf": "x" * 32}
    visitor.signed_in("rivera@example.org")
    visitor.sign_in_as_staff()
    assert "planted" not in str(visitor.cookies)
    assert visitor.cookies["csrf"] != "x" * 32


def test_each_door_turns_the_others_people_away(portal):
    """AZ-10. The nurse is both, under one email: two passwords, two cookies, two doors."""
    staff = Visitor(portal).sign_in_as_staff()
    family = Visitor(portal).signed_in("nurse@example.org")
    home = family.choose("Nora", "1990/01/15")
    for path in ("/who/", "/account/", home, f"{home}documents/"):
        assert staff.get(path).location.startswith("/login/"), path
        assert family.get(path).status == 200, path
    for path in ("/admin/", "/admin/households/member/", "/admin/accounts/staffaccount/1/change/"):
        assert family.get(path).location.startswith("/admin/login/"), path
        assert staff.get(path).status == 200, path
    # Neither cookie under the other's name.
    family_token, staff_key = family.cookies["family"], staff.cookies["staff"]
    swapped = Visitor(portal)
    swapped.cookies = {"family": staff_key, "staff": family_token}
    assert swapped.get("/who/").location.startswith("/login/")
    assert swapped.get("/admin/").location.startswith("/admin/login/")
    # Nor either password at the other door.
    assert (
        Visitor(portal).sign_in("nurse@example.org", "orchard lantern gravel plume").status == 422
    )
    refused = Visitor(portal).post(
        "/admin/login/", {"username": "nurse@example.org", "password": "meadow copper violin raft"}
    )
    assert "staff" not in str(refused.set_cookies)


@pytest.mark.parametrize(
    "path", ["/switch/", "/logout/", "/account/end-others/", "/who/", "/login/"]
)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://127.0.0.1.evil.example"},
    ],
)
def test_posts_from_elsewhere_change_nothing(portal, path, headers):
    visitor = Visitor(portal).signed_in("rivera@example.org")
    home = visitor.choose("Ava", "2015/03/02")
    own_cookies = dict(visitor.cookies)
    answer = visitor.post(path, {"first_name": "Ben", "date_of_birth": "2017/09/14"}, **headers)
    # A second sign-in page of somebody who is in already simply goes on.
    assert answer.status == (302 if path == "/login/" else 403)
    assert visitor.cookies["family"] == own_cookies["family"]
    assert visitor.get(home).status == 200


def test_a_token_of_another_browser_is_refused(portal):
    visitor = Visitor(portal).signed_in("rivera@example.org")
    other = Visitor(portal).signed_in("chen@example.org")
    home = visitor.choose("Ava", "2015/03/02")
    for token in (other.token(), "", "x" * 32, "x" * 64, visitor.token()[:-1]):
        assert visitor.post("/switch/", token=token).status == 403, token
    assert visitor.get(home).status == 200


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "/\\evil.example",
        "https:evil.example",
        "https://evil.example",
        "/%09/evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "%0d%0aLocation:%20https://evil.example",
        "/\r\nX-Evil: evil.example",
        "https://127.0.0.1@evil.example/",
        "http:///evil.example",
        "/for/%2e%2e//evil.example",
        "\0//evil.example",
    ],
)
def test_next_leads_nowhere_else(portal, target):
    """IN-03, followed to its end: sign-in, then the choice; and at the staff door."""
    visitor = Visitor(portal)
    answer = visitor.post(
        "/login/",
        {"email": "rivera@example.org", "password": "meadow copper violin raft", "next": target},
    )
    assert answer.location.partition("?")[0] == "/who/"
    answer = visitor.post(
        "/who/", {"first_name": "Ava", "date_of_birth": "2015/03/02", "next": target}
    )
    assert answer.location.startswith("/for/")
    assert "evil" not in answer.location
    for path in ("/switch/", "/logout/"):
        assert visitor.post(path, {"next": target}).location in {"/login/", "/who/"}
    staff = Visitor(portal).post(
        "/admin/login/",
        {
            "username": "nurse@example.org",
            "password": "orchard lantern gravel plume",
            "next": target,
        },
    )
    assert staff.status in {200, 302}
    leads_to = urlsplit(urljoin(f"{portal.url}/admin/login/", staff.location.replace("\\", "/")))
    assert f"{leads_to.scheme}://{leads_to.netloc}" == portal.url


def test_silent_clients_are_let_go(silent):
    """Each holds a thread: a phone that lost its line would hold it for good."""
    wire, began = silent
    wire.settimeout(max(1, began + 25 - time.monotonic()))
    assert wire.recv(1000) == b""
