"""Whatever is sent, the portal answers, quickly, with a page that tells nothing, and goes on for others
(SECURITY R-AZ-7, R-RE-10, cases AZ-08, AZ-09, IN-04 to IN-13)."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Iterator

import pytest

from tests.hostile.conftest import lift_pauses
from tests.hostile.visitor import Answer, Visitor, encoded, raw, receive
from tests.real_portal import RealPortal

# What the portal is made of, and where it runs.
TELLING = (
    "Traceback",
    "django",
    "gunicorn",
    "python",
    "psycopg",
    "sqlite",
    "postgres",
    "whitenoise",
    "site-packages",
    ".py",
    "settings",
    "DoesNotExist",
    "/tmp/",
    "Rivera",
    "rivera@",
)
ODD = (
    "%00",
    "1%00",
    "0",
    "-1",
    "9223372036854775808",
    "9" * 40,
    "1e3",
    "%ff%fe",
    "%ed%a0%80",
    "%D9%A3",
    "..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e",
    "%0d%0aX-Evil:%20yes",
    "%27%22%3E%3Cscript%3E",
    "%F0%9F%98%80",
    "a" * 3000,
    "null",
    "~",
    "{{7*7}}",
    "%7B%25%20debug%20%25%7D",
)


@pytest.fixture(scope="module")
def people(_portal: RealPortal) -> dict[str, Visitor]:
    """Somebody of each kind, signed in once for all the tests here."""
    lift_pauses(_portal)  # the tests of other files may have left some
    rivera = Visitor(_portal).signed_in("rivera@example.org")
    return {
        "nobody": Visitor(_portal),
        "family": rivera,
        "staff": Visitor(_portal).sign_in_as_staff(),
    }


@pytest.fixture(scope="module")
def home(people: dict[str, Visitor]) -> str:
    """The address of the chart that the family has open."""
    return people["family"].choose("Ava", "2015/03/02")


@pytest.fixture(autouse=True)
def nothing_takes_long(silent: object) -> Iterator[None]:
    start = time.monotonic()
    yield
    assert time.monotonic() - start < 15


def fine(answer: Answer) -> Answer:
    assert answer.status < 500, answer.text[:200]
    assert "Traceback" not in answer.text
    return answer


# --- addresses ------------------------------------------------------------------------


@pytest.mark.parametrize("odd", ODD)
def test_odd_addresses(people, home, odd):
    paths = [
        f"/{odd}",
        f"/for/{odd}/",
        f"/for/{odd}/documents/{odd}/",
        f"/password/{odd}/",
        f"/login/?next=/{odd}",
        f"/who/?next={odd}",
        f"/static/{odd}",
        f"/admin/{odd}",
        f"/admin/login/?next={odd}",
        f"{home}documents/{odd}/",
        f"{home}documents/{odd}/file/?preview={odd}",
        f"{home}?{odd}={odd}",
    ]
    for path in paths:
        for method in ("GET", "HEAD", "POST"):
            assert "X-Evil" not in fine(people["family"].request(method, path)).headers
        if "/documents/" in path and "?" not in path:
            assert people["family"].get(path).status in {404, 409, 414}, path


@pytest.mark.parametrize("odd", ODD[::2])
def test_odd_addresses_of_staff(people, odd):
    pages = (
        "households/member",
        "accounts/householdaccount",
        "documents/document",
        "audit/auditevent",
    )
    for page in pages:
        for path in (f"{odd}/change/", f"{odd}/history/", f"{odd}/delete/", f"{odd}/file/"):
            fine(people["staff"].get(f"/admin/{page}/{path}"))
        for name in (
            "q",
            "p",
            "o",
            "state",
            "action",
            "status__exact",
            "is_active__exact",
            "_to_field",
        ):
            fine(people["staff"].get(f"/admin/{page}/?{name}={odd}"))
    for button in ("send-link", "end-sessions", "lift-pause"):
        answer = people["staff"].post(f"/admin/accounts/householdaccount/{odd}/{button}/")
        assert answer.status in {302, 400, 404, 414}


@pytest.mark.parametrize(
    "path",
    [
        "/.git/config",
        "/.env",
        "/.venv/pyvenv.cfg",
        "/manage.py",
        "/portal/settings.py",
        "/portal.sqlite3",
        "/secret-key",
        "/var/portal.sqlite3",
        "/static/../portal.sqlite3",
        "/static/..%2fportal.sqlite3",
        "/static/%2e%2e/secret-key",
        "/static//etc/passwd",
        "/media/",
        "/files/documents/",
        "/mail/",
        "/tmp/",
        "/debug/",
        "/__debug__/",
        "/server-status",
        "/admin/doc/",
        "/admin/jsi18n/../../portal.sqlite3",
    ],
)
def test_no_file_of_the_house_is_served(people, path):
    for who, visitor in people.items():
        answer = visitor.get(path)
        assert answer.status in {302, 404}, who
        assert "secret" not in answer.text
        assert b"SQLite format" not in answer.body


def test_methods_nobody_uses(people, home):
    for method in ("PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "CONNECT", "PROPFIND", "EVIL"):
        for path in ("/login/", "/who/", home, f"{home}documents/", "/switch/", "/healthz"):
            answer = fine(
                people["family"].request(method, path, headers={"X-Method-Override": "GET"})
            )
            # The second sign-in page of somebody who is in already simply goes on.
            assert answer.status in {400, 403, 404, 405} or answer.location == "/", (method, path)
            assert "Cookie" not in answer.text  # TRACE would repeat the request
    assert people["family"].get(home).status == 200


# --- forms ----------------------------------------------------------------------------

VALUES = (
    "",
    "\0",
    "a\0b",
    "x" * 1_000_000,
    "9" * 400,
    "2015/02/30",
    "\u0662\u0660\u0661\u0665/\u0660\u0663/\u0660\u0662",
    "' OR 1=1 --",
    "\u202e\u200b\ufeff",
    "a\r\nBcc: evil@evil.example",
    "{{7*7}}{% debug %}<script>alert(1)</script>",
    "\U0001f600" * 50,
    "a" * 250 + "@example.org",
)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value[:12]))
def test_odd_values_in_every_field(portal, people, home, value):
    forms = {
        "/login/": ("nobody", ["email", "password", "next"]),
        "/password/": ("nobody", ["email"]),
        "/admin/login/": ("nobody", ["username", "password", "next"]),
        "/who/": ("family", ["first_name", "date_of_birth", "next", "again"]),
        "/password/change/": ("family", ["old_password", "new_password1", "new_password2"]),
        f"{home}documents/": ("family", ["note", "sending_id"]),
        f"/for/{'A' * 22}/documents/": ("family", ["note", "keep_only"]),
    }
    for path, (who, names) in forms.items():
        for name in names:
            answer = fine(people[who].post(path, {name: value}))
            assert answer.status in {200, 302, 409, 413, 422, 429}, (path, name)
            assert "<script>alert" not in answer.text
            assert "49" not in answer.headers.get("Location", "")


def test_bytes_that_are_no_text(people, home):
    kinds = (
        "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded; charset=utf-16",
        "application/x-www-form-urlencoded; charset=nonsense",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        f"multipart/form-data; boundary={'x' * 300}",
        "multipart/form-data; boundary=x; charset=utf-7",
        "multipart/form-data; boundary=x",
        "application/json",
        "\xff",
    )
    bodies = (
        b"",
        b"\xff\xfe=\xff&note=%ff%fe&note=%ed%a0%80",
        b"--x\r\n\r\n--x--",
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="\xff\0.pdf"\r\n\r\n%PDF\r\n--x--',
        b'--x\r\nContent-Disposition: form-data; name="note"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n!!!\r\n--x--",
        b"&".join(b"f%d=1" % number for number in range(2000)),
        b"".join(
            b'--x\r\nContent-Disposition: form-data; name="files"; filename="%d.pdf"\r\n\r\nx\r\n'
            % number
            for number in range(200)
        )
        + b"--x--\r\n",
        b"note=" + b"x" * 3_000_000,
    )
    for path, who in (("/login/", "nobody"), (f"{home}documents/", "family")):
        for kind in kinds:
            for body in bodies:
                token = {"X-CSRFToken": people[who].token(), "Content-Type": kind}
                answer = fine(people[who].request("POST", path, body, token))
                assert answer.status in {400, 403, 413, 422}, (path, kind, body[:30])


def test_cookies_that_no_browser_has(people, portal):
    for cookie in (
        'staff="abcdefgh\\000"',
        'family="\\000"; csrf="\\000"',
        "family=\xff\xfe; staff=\xff\xfe\xfd12345678",
        "notices=W1siX19qc29uX21lc3NhZ2UiLDAsMjUsImEiLCIiXV0:x:y",
        f"staff={'a' * 4000}; family={'b' * 4000}",
        "family-link=" + "A" * 43,
        "csrf=" + "\u00e9" * 32,
        "=; ;;; a=b=c; $Version=1; family",
    ):
        for path in ("/", "/login/", "/admin/", "/who/", "/password/choose/", "/static/portal.css"):
            answer = Visitor(portal).request("GET", path, headers={"Cookie": cookie})
            assert fine(answer).status in {200, 302, 400, 404, 410}, (cookie[:30], path)


def test_a_password_of_a_megabyte_is_refused_at_once(portal):
    """AU-07, and accents stacked so that putting them in order takes minutes: one request would stop a
    whole worker."""
    stacked = "a" + "\u0315" * 100_000 + "\u0323" * 100_000
    for path, name in (("/login/", "email"), ("/admin/login/", "username")):
        for password in ("x" * 1_000_000, stacked):
            start = time.monotonic()
            answer = fine(
                Visitor(portal).post(path, {name: "chen@example.org", "password": password})
            )
            assert time.monotonic() - start < 5
            assert answer.status in {200, 422}
    assert Visitor(portal).sign_in("chen@example.org").status == 302  # nobody is locked out by it


def test_nobody_fills_the_disk(portal):
    """Files are sent on a chart's page only; everywhere else a large body is turned away unread."""
    visitor = Visitor(portal)
    token = visitor.token()
    _body, kind = encoded([], [("files", "large.pdf", b"")])
    for size in (5_000_000, 10_000_000_000, 10**30):
        head = (
            f"POST /login/ HTTP/1.1\r\nHost: 127.0.0.1:{portal.port}\r\nCookie: csrf={token}\r\n"
            f"Content-Type: {kind}\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
        )
        start = time.monotonic()
        assert b" 413 " in raw(portal, head.encode()).partition(b"\r\n")[0]
        assert time.monotonic() - start < 5
    assert list((portal.data / "tmp").iterdir()) == []


# --- pages for what went wrong --------------------------------------------------------


def test_error_pages_tell_nothing_and_have_every_header(portal, people, home):
    family = people["family"]
    old = home.replace(home.split("/")[2], "A" * 22)
    answers = {
        400: family.get("/login/?next=%00"),
        403: family.post("/switch/", token="x" * 32),
        404: family.get("/nothing/"),
        405: family.get("/switch/"),
        409: family.get(old),
        410: Visitor(portal).get("/password/choose/"),
        413: family.post("/login/", {"email": "x" * 3_000_000}),
        422: Visitor(portal).sign_in("nobody@example.org"),
    }
    for expected, answer in answers.items():
        assert answer.status == expected
        if expected != 409:  # that page is the family's own, and names whom it was for
            assert_tells_nothing(answer)
        assert answer.headers["Content-Security-Policy"].startswith(
            "default-src 'none'; script-src 'self'"
        )
        for name, value in {
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
        }.items():
            assert answer.headers[name] == value, (expected, name)
        assert answer.headers["Referrer-Policy"] in {"same-origin", "no-referrer"}


def assert_tells_nothing(answer: Answer) -> None:
    page = answer.text.lower()
    assert [word for word in TELLING if word.lower() in page] == []
    for name, value in answer.headers.items():
        assert name.lower() not in {"x-powered-by", "x-runtime"}
        assert not any(digit in value for digit in "0123456789") or name.lower() != "server"


@pytest.mark.parametrize(
    "request_head",
    [
        b"\x16\x03\x01<script>\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"get / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX<script>: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: a\0b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: " + b"a" * 20000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X-A: a\r\n" * 200 + b"\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"POST /login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: evil\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: evil\r\n\r\n",
    ],
)
def test_requests_that_cannot_be_read(portal, request_head):
    """The web server answers these itself: with our headers, and nothing of what was sent."""
    answer = raw(portal, request_head)
    head, _, page = answer.partition(b"\r\n\r\n")
    assert 400 <= int(head.split()[1]) <= 501
    assert int(head.split()[1]) != 500
    assert b"Content-Security-Policy: default-src 'none'" in head
    assert b"no-store" in head
    assert b"nosniff" in head
    for sent in (b"script", b"evil", b"aaaa", b"gunicorn", b"X-A"):
        assert sent not in page


def test_a_body_is_never_taken_for_the_next_request(portal):
    """What a refused form held is not answered as if it were asked."""
    smuggled = b"GET /help/family/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    first = (
        f"POST /login/ HTTP/1.1\r\nHost: 127.0.0.1:{portal.port}\r\nContent-Length: {len(smuggled)}\r\n\r\n"
    ).encode()
    last = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{portal.port}\r\nConnection: close\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", portal.port), timeout=10) as wire:
        wire.sendall(first + smuggled + last)
        answers = receive(wire)
    statuses = [line.split()[1] for line in answers.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    assert statuses in ([b"403", b"200"], [b"403"])


# --- clients that do not behave -------------------------------------------------------


def test_clients_that_never_hang_up_keep_nobody_out(portal):
    """The server says goodbye and waits for theirs; it has to wait elsewhere than at the door."""
    ask = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{portal.port}\r\nConnection: close\r\n\r\n".encode()
    wires = []
    try:
        for number in range(80):
            wires.append(socket.create_connection(("127.0.0.1", portal.port), timeout=10))
            wires[-1].sendall(ask)
            if number % 10 == 9:
                time.sleep(0.05)  # so that every worker gets its share
        start = time.monotonic()
        for _ in range(8):
            assert Visitor(portal).get("/login/").status == 200
        assert time.monotonic() - start < 5
    finally:
        for wire in wires:
            wire.close()


def test_a_connection_cut_anywhere_leaves_nothing(portal, people, home):
    note = f"cut {uuid.uuid4()}"
    family = people["family"]
    body, kind = encoded(
        [("csrfmiddlewaretoken", family.token()), ("note", note)],
        [("files", "cut.pdf", b"%PDF-" + b"x" * 5000)],
    )
    cookies = "; ".join(f"{name}={value}" for name, value in family.cookies.items())
    head = (
        f"POST {home}documents/ HTTP/1.1\r\nHost: 127.0.0.1:{portal.port}\r\nCookie: {cookies}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    whole = head + body
    for place in range(1, len(whole), len(whole) // 25):
        with socket.create_connection(("127.0.0.1", portal.port), timeout=10) as wire:
            wire.sendall(whole[:place])
    for _try in range(50):
        if not list((portal.data / "tmp").iterdir()):
            break
        time.sleep(0.1)
    assert list((portal.data / "tmp").iterdir()) == []
    assert portal.query("SELECT count(*) FROM documents_document WHERE note = %s", note) == [(0,)]
    assert family.get(home).status == 200
