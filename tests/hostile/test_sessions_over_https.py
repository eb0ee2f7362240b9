"""Family sessions over https, as they are deployed: new with every sign-in, of no use when planted or old,
gone with a changed password; and kept typing that comes back to nobody else (SECURITY R-SE-1 to R-SE-6,
cases SE-02, SE-03, SE-06 to SE-08, SE-10, RS-10, AU-12)."""

from __future__ import annotations

import re
import time
import uuid
from http.cookies import SimpleCookie

import pytest

from tests.hostile.conftest import set_password, through_proxy, with_open_link
from tests.hostile.visitor import PASSWORD, Answer, Visitor
from tests.real_portal import RealPortal

pytestmark = pytest.mark.timeout(240)  # the portals' own start included

RIVERA, CHEN = "rivera@example.org", "chen@example.org"
FAMILY = "__Host-family"
NEW = "another velvet garden spoon"


def signed_in(portal: RealPortal, email: str = RIVERA) -> Visitor:
    return through_proxy(portal).signed_in(email)


def is_in(visitor: Visitor) -> bool:
    answer = visitor.copy().get("/account/")
    assert answer.status == 200 or answer.location.startswith("/login/")
    return answer.status == 200


def with_cookie(portal: RealPortal, value: str, name: str = FAMILY) -> Visitor:
    visitor = through_proxy(portal)
    visitor.cookies = {name: value}
    return visitor


def test_every_sign_in_has_a_new_id_and_ends_the_one_before(deployed):
    """SE-02, also for the same family again in the same browser."""
    visitor, ids = through_proxy(deployed), []
    visitor.token()
    for _ in range(3):
        visitor.get("/logout/")  # reading it signs nobody out
        assert visitor.sign_in(RIVERA).location == "/who/"
        ids.append(visitor.cookies[FAMILY])
        assert is_in(visitor)
    assert len({*ids}) == 3
    assert all(re.fullmatch(r"[\w-]{43}", one) for one in ids)
    assert [is_in(with_cookie(deployed, one)) for one in ids] == [False, False, True]


def test_a_planted_id_is_worth_nothing(deployed):
    planted = "P" * 43
    visitor = with_cookie(deployed, planted)
    assert not is_in(visitor)
    visitor.signed_in(RIVERA)
    assert visitor.cookies[FAMILY] != planted
    assert not is_in(with_cookie(deployed, planted))
    # Nor the right one under the name that a neighbouring host could set.
    assert not is_in(with_cookie(deployed, visitor.cookies[FAMILY], name="family"))
    # What an id was before sign-in is no id: the form's token changes too.
    assert visitor.post("/session/stay/", token=through_proxy(deployed).token()).status == 403


def test_an_id_in_an_address_opens_nothing(deployed):
    token = signed_in(deployed).cookies[FAMILY]
    for query in (f"family={token}", f"{FAMILY}={token}", f"sessionid={token}"):
        assert through_proxy(deployed).get(f"/account/?{query}").location.startswith("/login/")
        answer = through_proxy(deployed).post(f"/who/?{query}", {FAMILY: token})
        assert answer.location.startswith("/login/")


def test_signing_out_clears_the_browser_and_kills_the_session(deployed):
    """SE-03, SE-07, SE-10."""
    visitor = signed_in(deployed)
    home = visitor.choose("Ava", "2015/03/02")
    thief = visitor.copy()
    for method in ("GET", "HEAD", "PUT"):
        assert visitor.copy().request(method, "/logout/").status in {403, 405}
    assert visitor.copy().get("/logout/", Sec_Purpose="prefetch").status == 405
    assert is_in(visitor)
    answer = visitor.post("/logout/")
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    gone = SimpleCookie(next(line for line in answer.set_cookies if line.startswith(FAMILY)))
    # A browser takes a `__Host-` cookie away only by an order that has its flags.
    assert (gone[FAMILY]["max-age"], gone[FAMILY]["secure"], gone[FAMILY]["path"]) == (
        "0",
        True,
        "/",
    )
    for path in (home, f"{home}documents/", "/who/", "/account/", "/password/change/"):
        assert thief.copy().get(path).location.startswith("/login/"), path
    again = thief.copy().post("/logout/")
    assert (again.status, "Clear-Site-Data" in again.headers) == (302, True)


def test_several_browsers_at_once_and_one_of_them_ended(deployed):
    here, there, elsewhere = (signed_in(deployed) for _ in range(3))
    stranger = signed_in(deployed, CHEN)
    assert all(is_in(one) for one in (here, there, elsewhere))
    ends = re.findall(r'action="(/account/sessions/\w+/end/)"', here.get("/account/").text)
    assert stranger.post(ends[0]).status == 404
    assert through_proxy(deployed).post(ends[0]).location.startswith("/login/")
    assert here.post(ends[0], Origin="https://evil.example").status == 403
    assert here.post(ends[0], token="").status == 403
    assert all(is_in(one) for one in (here, there, elsewhere))
    assert here.post(ends[0]).location == "/account/"  # the latest
    assert [is_in(one) for one in (here, there, elsewhere)] == [True, True, False]


@pytest.mark.parametrize("way", ["the link", "the page"])
def test_a_new_password_ends_sessions_and_clears_the_browser(deployed, way):
    """RS-10, AU-12: all of them, or all but the one that knew the old password."""
    others = [signed_in(deployed, CHEN), signed_in(deployed, CHEN)]
    new = {"new_password1": NEW, "new_password2": NEW}
    if way == "the link":
        visitor = with_open_link(deployed, CHEN)
        answer = visitor.post("/password/choose/", new)
        assert answer.location == "/login/"
    else:
        visitor = signed_in(deployed, CHEN)
        for old in ("", "not that one at all", NEW):
            assert visitor.post("/password/change/", {"old_password": old, **new}).status == 422
        assert all(is_in(one) for one in others)
        answer = visitor.post("/password/change/", {"old_password": PASSWORD, **new})
        assert answer.location == "/account/"
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert [is_in(one) for one in (*others, visitor)] == [False, False, way == "the page"]
    set_password(deployed, CHEN)


def test_typing_comes_back_to_the_same_person_only(deployed):
    """SE-06: what is sent after the session ran out is kept, for this child of this family."""
    note = f"a long story {uuid.uuid4()}"
    visitor = signed_in(deployed)
    home = visitor.choose("Ava", "2015/03/02")
    (session,) = deployed.query(
        "SELECT id FROM accounts_householdsession WHERE ended_at IS NULL ORDER BY id DESC LIMIT 1"
    )[0]
    deployed.query(
        "UPDATE accounts_householdsession SET idle_limit = %s WHERE id = %s",
        "00:00:00.1" if deployed.database_url else 100_000,
        session,
    )
    time.sleep(0.3)
    sent = visitor.post(f"{home}documents/", {"note": note, "sending_id": str(uuid.uuid4())})
    assert sent.location.startswith("/login/")
    assert note not in visitor.get(sent.location).text

    stranger = signed_in(deployed, CHEN)
    assert note not in documents_of(stranger, "Ava", "2015/03/02").text
    other_phone = signed_in(deployed)
    assert note not in documents_of(other_phone, "Ben", "2017/09/14").text
    visitor.signed_in(RIVERA)
    assert note not in documents_of(visitor, "Ben", "2017/09/14").text
    page = documents_of(visitor, "Ava", "2015/03/02")
    assert note in page.text
    assert deployed.query("SELECT count(*) FROM documents_document WHERE note = %s", note) == [(0,)]


def documents_of(visitor: Visitor, first_name: str, date_of_birth: str) -> Answer:
    return visitor.get(f"{visitor.choose(first_name, date_of_birth)}documents/")


def test_closing_a_login_holds_on_the_next_request(deployed):
    """SE-08, R-WP-12: in every browser, and the chart with it."""
    browsers = [signed_in(deployed, CHEN) for _ in range(2)]
    home = browsers[0].choose("Max", "1950/12/31")
    thief = browsers[0].copy()
    of_chen = "UPDATE accounts_householdaccount SET is_active = %s WHERE email_key = %s"
    deployed.query(of_chen, False, CHEN)
    assert [one.get("/who/").location.partition("?")[0] for one in browsers] == ["/login/"] * 2
    assert thief.get(home).location.startswith("/login/")
    deployed.query(of_chen, True, CHEN)
    assert not is_in(thief)  # it does not come back by itself
