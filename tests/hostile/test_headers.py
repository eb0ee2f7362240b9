"""The headers of every answer there is, whoever asks and whatever part of the portal makes it (SECURITY
R-SE-1, R-SE-7 to R-SE-9, cases SE-01, SE-09, IN-02, IN-11, IN-13)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from http.cookies import SimpleCookie
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import lxml.html
import pytest

from tests.hostile.conftest import HOST, lift_pauses, through_proxy
from tests.hostile.visitor import Answer, Visitor, raw
from tests.real_portal import RealPortal

pytestmark = pytest.mark.timeout(240)  # the portal's own start included

# What makes a page or a file an attacker's, and what R-SE-8 says of it.
POLICY = {
    "default-src": [{"'none'"}, {"'self'"}],
    "script-src": [{"'self'"}],
    "style-src": [{"'self'"}],
    "object-src": [{"'none'"}],
    "base-uri": [{"'none'"}],
    "form-action": [{"'self'"}],
    "frame-ancestors": [{"'none'"}],
}
LOADING = ("src", "srcset", "poster", "data", "formaction", "action", "background", "ping", "href")
# Each kind of page once or twice, not each record.
MOST_OF_A_KIND = 2
MOST_PAGES = 220


class Seen(NamedTuple):
    path: str
    answer: Answer


def policy_of(answer: Answer) -> dict[str, set[str]]:
    (text,) = answer.headers.get_all("Content-Security-Policy") or [""]
    parts = [part.split() for part in text.split(";") if part.strip()]
    return {part[0]: set(part[1:]) for part in parts}


def faults(seen: Seen, *, is_secure: bool = True) -> list[str]:
    """What is wrong with the headers of an answer."""
    path, answer = seen
    wrong = []
    headers = answer.headers

    def holds(name: str, *wanted: str) -> None:
        if headers.get_all(name) not in [[one] for one in wanted]:
            wrong.append(f"{name}: {headers.get_all(name)}")

    holds("X-Content-Type-Options", "nosniff")
    holds("Referrer-Policy", "same-origin", "no-referrer")
    holds("Cross-Origin-Opener-Policy", "same-origin")
    holds("Cross-Origin-Resource-Policy", "same-origin")
    holds("X-Frame-Options", "DENY")
    if not re.fullmatch("[a-z]{16}", headers.get("X-Request-ID", "")):
        wrong.append(f"X-Request-ID: {headers.get('X-Request-ID')}")
    if is_secure:
        holds("Strict-Transport-Security", "max-age=31536000; includeSubDomains; preload")
    if not (path.startswith(("/static/", "/logo/")) and answer.status in {200, 304}):
        holds("Cache-Control", "no-store")
    policy = policy_of(answer)
    if "sandbox" in policy:
        if policy != {"sandbox": set(), "default-src": {"'none'"}}:
            wrong.append(f"policy of a file: {policy}")
    else:
        wrong += [
            f"{name} {policy.get(name)}"
            for name, allowed in POLICY.items()
            if policy.get(name) not in allowed
        ]
        said = " ".join(word for words in policy.values() for word in words)
        if set(said.split()) - {"'self'", "'none'"}:
            wrong.append(f"policy: {said}")
    if "Access-Control-Allow-Origin" in headers:
        wrong.append("Access-Control-Allow-Origin")
    if re.search(r"\d", headers.get("Server", "")) or "X-Powered-By" in headers:
        wrong.append("Server")
    for line in answer.set_cookies:
        for name, cookie in SimpleCookie(line).items():
            flags = (cookie["path"], cookie["domain"], cookie["samesite"] in {"Lax", "Strict"})
            hidden = cookie["httponly"] or cookie["max-age"] == "0"  # taken away
            if flags != ("/", "", True) or not hidden:
                wrong.append(f"flags of {name}")
            if is_secure and not (name.startswith("__Host-") and cookie["secure"]):
                wrong.append(f"{name} without __Host-")
    return wrong


def faults_of_page(seen: Seen) -> list[str]:
    """Whatever a page would run by itself, or load from elsewhere."""
    if not is_page(seen.answer):
        return []
    wrong = []
    for tag in lxml.html.fromstring(seen.answer.text).iter():
        if not isinstance(tag.tag, str):
            continue
        inline = tag.tag == "script" and not tag.get("src") and "json" not in tag.get("type", "")
        if inline or tag.tag in {"style", "object", "embed", "base"}:
            wrong.append(f"<{tag.tag}>")
        if tag.get("http-equiv", "").lower() not in {"", "content-type"}:
            wrong.append(f"http-equiv {tag.get('http-equiv')}")
        for name, value in tag.attrib.items():
            if name.startswith("on") or name == "style":
                wrong.append(f"{tag.tag} {name}")
            # A number to call and an address to write to load nothing.
            calls = tag.tag == "a" and value.startswith(("tel:", "mailto:"))
            if name in LOADING and not calls and not is_own(value, seen.path):
                wrong.append(f"{tag.tag} {name}={value}")
    return wrong


def is_page(answer: Answer) -> bool:
    return bool(answer.body) and answer.headers.get("Content-Type", "").startswith("text/html")


def is_own(address: str, page: str) -> bool:
    there = urlsplit(urljoin(f"https://{HOST}{page}", address))
    return (there.scheme, there.netloc) == ("https", HOST)


def kind_of(path: str) -> str:
    """The page's kind: its address without keys, ids and what is asked."""
    path, _, query = path.partition("?")
    path = re.sub(r"/for/[^/]+/", "/for/KEY/", path)
    path = re.sub(r"/[0-9a-f-]{36}(?=/|$)", "/ID", path)
    path = re.sub(r"/\d+(?=[/.-]|$)", "/N", path)
    names = ",".join(sorted({part.partition("=")[0] for part in query.split("&")}))
    return f"{path}?{names}"


def crawl(visitor: Visitor, *starts: str) -> Iterator[Seen]:
    """Every page that links lead to, each kind a time or two; static files as well, and no form is sent."""
    waiting, known, kinds = list(starts), set(starts), Counter[str]()
    pages = 0
    while waiting and pages < MOST_PAGES:
        path = waiting.pop(0)
        kinds[kind_of(path)] += 1
        if kinds[kind_of(path)] > MOST_OF_A_KIND:
            continue
        answer = visitor.get(path)
        pages += 1
        yield Seen(path, answer)
        leads_to = [answer.location] if answer.location else []
        if is_page(answer):
            page = lxml.html.fromstring(answer.text)
            leads_to += page.xpath("//@href") + page.xpath("//@src")
        for address in leads_to:
            there = urlsplit(urljoin(f"https://{HOST}{path}", address))
            found = there.path + (f"?{there.query}" if there.query else "")
            if there.netloc == HOST and found not in known:
                known.add(found)
                waiting.append(found)


@pytest.fixture(scope="module")
def people(_deployed: RealPortal) -> dict[str, Visitor]:
    lift_pauses(_deployed)
    who = {name: through_proxy(_deployed) for name in ("nobody", "unbound", "bound", "staff")}
    who["unbound"].signed_in("rivera@example.org")
    home = who["bound"].signed_in("rivera@example.org").choose("Ava", "2015/03/02")
    assert who["bound"].send_paper(home, "a paper for the crawl").status == 302
    who["bound"].home = home  # type: ignore[attr-defined]
    who["staff"].sign_in_as_staff()
    return who


STARTS = {
    "nobody": ("/", "/login/", "/password/", "/password/sent/", "/help/family/", "/admin/"),
    "unbound": ("/", "/who/", "/account/", "/login/", "/help/family/"),
    "bound": ("/", "/who/", "/account/"),
    "staff": ("/admin/", "/"),
}


@pytest.mark.parametrize("who", STARTS)
def test_headers_of_every_page(people, who):
    """And nothing in any page that the policy would have to stop."""
    found = list(crawl(people[who], *STARTS[who]))
    assert [(s.path, s.answer.status) for s in found if s.answer.status >= 500] == []
    wrong = {seen.path: each for seen in found if (each := faults(seen) + faults_of_page(seen))}
    assert wrong == {}
    kinds = {kind_of(seen.path) for seen in found}
    assert len(kinds) > {"nobody": 8, "unbound": 8, "bound": 40, "staff": 60}[who]
    if who == "bound":
        assert any("/file/" in kind for kind in kinds)  # a paper was among them


def test_headers_of_refusals(people, deployed):
    """400, 403, 404, 405, 409, 410, 413, 422, 429, whoever made them, and what redirects by itself."""
    nobody, bound, staff = people["nobody"], people["bound"], people["staff"]
    home = bound.home
    paper = re.search(rf"{home}documents/[\w-]+/", bound.get(f"{home}documents/").text)[0]
    ask = {
        400: [
            partial(nobody.get, "/login/?next=%00"),
            partial(through_proxy(deployed).get, "/login/", Host="evil.example"),
            partial(
                nobody.request, "POST", "/login/", b"x", {"Content-Type": "multipart/form-data"}
            ),
        ],
        403: [partial(visitor.post, "/login/", token="x" * 32) for visitor in (nobody, staff)],
        404: [
            partial(visitor.get, path)
            for visitor in people.values()
            for path in ("/nothing/", "/static/nothing.css", "/favicon.ico")
        ],
        405: [
            partial(bound.get, "/logout/"),
            partial(bound.request, "DELETE", home),
            partial(nobody.request, "DELETE", "/static/portal.css"),
        ],
        409: [
            partial(bound.get, f"/for/{'A' * 22}/"),
            partial(bound.get, f"/for/{'A' * 22}/documents/"),
        ],
        410: [partial(nobody.get, "/password/choose/")],
        413: [partial(nobody.request, "POST", "/login/", b"x" * 3_000_000)],
        422: [partial(nobody.post, "/login/", {"email": "a@b.example", "password": "x"})],
        302: [
            partial(nobody.get, home),
            partial(bound.post, "/session/stay/x/", {}),
            partial(nobody.get, f"/password/{'A' * 43}/"),
        ],
        301: [partial(nobody.get, "/login"), partial(bound.get, home.rstrip("/"))],
        200: [
            partial(nobody.get, "/healthz"),
            partial(nobody.get, "/readyz"),
            partial(bound.request, "HEAD", f"{paper}file/"),
            partial(nobody.request, "OPTIONS", "/login/"),
        ],
        206: [partial(bound.get, f"{paper}file/", Range="bytes=0-9")],
        416: [partial(bound.get, f"{paper}file/", Range="bytes=999999-")],
    }
    seen = [(wanted, one()) for wanted, requests in ask.items() for one in requests]
    etag = bound.get(f"{paper}file/").headers["ETag"]
    seen.append((304, bound.get(f"{paper}file/", If_None_Match=etag)))
    for number in range(7):
        last = nobody.post("/login/", {"email": "c@b.example", "password": f"x{number}"})
    seen.append((429, last))
    assert [wanted for wanted, _answer in seen if wanted in {302, 405, 200}] != []
    got = [answer.status for _wanted, answer in seen]
    assert [status for status in got if status >= 500] == []
    assert {304, 429, 409, 413, 416, 206, 410} <= set(got)
    wrong = {
        f"{wanted} {number}": each
        for number, (wanted, answer) in enumerate(seen)
        if (each := faults(Seen("", answer)) + faults_of_page(Seen("", answer)))
    }
    assert wrong == {}


def test_headers_before_it_is_https(deployed):
    """The redirect to https and what is refused before it; HSTS would be no word of a TLS server here."""
    plain = Visitor(deployed, Host=HOST)
    answers = [
        plain.get("/login/"),
        plain.get("/static/portal.css"),
        plain.get("/nothing/"),
        plain.request("POST", "/login/", b"email=x"),
        Visitor(deployed, Host="evil.example").get("/login/"),
        plain.get("/healthz"),
    ]
    assert [answer.status for answer in answers] == [301, 301, 301, 301, 400, 200]
    assert [faults(Seen("", answer), is_secure=False) for answer in answers] == [[]] * 6


def test_what_the_web_server_refuses_by_itself_is_as_strict(deployed):
    answer = raw(deployed, b"GET / HTTP/9\r\nX: <script>\r\n\r\n").decode().lower()
    assert "\ncache-control: no-store" in answer
    assert "default-src 'none'" in answer
    assert "script" not in answer.partition("\r\n\r\n")[2]


def test_who_is_asked_is_believed_only_from_the_proxy(portal, deployed):
    """IN-13: unknown hosts, two hosts, underscores for dashes, and a scheme that nobody may say."""
    for forged in ("evil.example", f"{HOST}@evil.example", f"{HOST}.evil.example", ""):
        assert through_proxy(deployed).get("/login/", Host=forged).status == 400, forged
    for headers in (
        (f"Host: {HOST}", "Host: evil.example"),
        ("Host: evil.example", f"Host: {HOST}"),
        (f"Host: {HOST}", "X_Forwarded_Proto: https", "X_Forwarded_Host: evil.example"),
    ):
        head = "\r\n".join(["GET /login/ HTTP/1.1", *headers, "Connection: close", "", ""])
        answer = raw(deployed, head.encode()).decode()
        assert int(answer.split()[1]) in {301, 400}, headers
        assert "evil" not in answer
    # Where no proxy is trusted nobody can say that it was https.
    lied = Visitor(portal, X_Forwarded_Proto="https", Forwarded="proto=https").get("/login/")
    assert "Strict-Transport-Security" not in lied.headers
    assert faults(Seen("", lied), is_secure=False) == []


def test_style_sheets_and_scripts_name_no_other_place(deployed):
    """IN-11, for everything in the static folder, Django's own included."""
    folder = deployed.data / "static"
    files = [path for path in folder.rglob("*") if path.suffix in {".css", ".svg"}]
    assert len(files) > 20
    loads = re.compile(r"""(?:url\(|@import|href=|src=)\s*["']?\s*(?:https?:)?//""")
    assert [path.name for path in files if loads.search(path.read_text("utf-8", "replace"))] == []
    assert "//" not in re.sub(
        r"^\s*//.*|\s// .*", "", (folder / "portal.js").read_text(), flags=re.MULTILINE
    )
