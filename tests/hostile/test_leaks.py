"""The whole errand of a family and of staff with words that stand nowhere else, every way of failing, and
then a search for those words wherever the portal writes (SECURITY R-SE-10, R-AL-2, cases IN-09, AL-07)."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import lxml.html
import pytest

from tests.hostile.chart import Chart, Practice, text_of
from tests.hostile.conftest import SIZE, lift_pauses, set_password
from tests.hostile.visitor import PASSWORD, STAFF_PASSWORD, Answer, Visitor, raw
from tests.real_portal import ROOT, RealPortal, running_portal

pytestmark = pytest.mark.timeout(300)

EMAIL, OTHER_EMAIL, UNKNOWN_EMAIL = (
    "wobblefinch@example.org",
    "crumbleowl@example.org",
    "grumblewren@example.org",
)
ROSTER = f"""\
patient_id,mrn,first_name,last_name,date_of_birth,email,mobile_phone,status
P1,M77123,Quillonia,Zephyrtree,2013-07-19,{EMAIL},555-867-5309,active
P2,M77124,Bartholomax,Zephyrtree,2011-08-23,{EMAIL},,active
P3,M77125,Ottoline,Umberfield,1961-09-17,{OTHER_EMAIL},,active
P4,M77126,Nora,Quist,1990-01-15,nurse@example.org,,active
"""
NAMES = ("Quillonia", "Bartholomax", "Zephyrtree", "Ottoline", "Umberfield")
BORN = ("2013-07-19", "2013/07/19", "20130719", "2011-08-23", "2011/08/23", "1961-09-17")
EMAILS = (EMAIL, OTHER_EMAIL, UNKNOWN_EMAIL, "wobblefinch", "crumbleowl", "grumblewren")
# A note, a file's name, a street, a phone, an allergy, an answer, what staff look for and write, a bad row.
TYPED = (
    "lemonquartz",
    "velociraptor",
    "Marmaladeallee",
    "867-5309",
    "8675309",
    "Marzipanase",
    "gherkinfever",
    "tumbleweedy",
    "pebblecough",
    "Xanthippina",
)
CANARIES = (*NAMES, *BORN, *EMAILS, *TYPED)
PASSWORDS = (PASSWORD, STAFF_PASSWORD, "wrong tapioca parade 77")
# What the portal is made of, and where it is.
TELLING = (
    "Traceback",
    "site-packages",
    "psycopg",
    "sqlite3",
    "Error at",
    f"{ROOT}/",
    "SELECT ",
    ".py",
)


class Watched(Visitor):
    """A browser that keeps every answer."""

    answers: list[tuple[str, Answer]]

    def __init__(self, portal: RealPortal, **headers: str) -> None:
        super().__init__(portal, **headers)
        self.answers = []

    def request(self, method: str, path: str, *args: Any, **kwargs: Any) -> Answer:
        answer = super().request(method, path, *args, **kwargs)
        self.answers.append((path, answer))
        return answer


@pytest.fixture(scope="module")
def errand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RealPortal, dict[str, Any]]]:
    """All of it, done once: the portal, and what was seen."""
    with running_portal(tmp_path_factory.mktemp("leaks"), **SIZE) as portal:
        portal.import_roster(ROSTER)
        portal.add_owner("nurse@example.org", STAFF_PASSWORD)
        set_password(portal, EMAIL)
        family, staff = Watched(portal), Watched(portal)
        chart = family_errand(portal, family)
        staff_errand(portal, staff)
        statuses = fail_in_every_way(portal, family, chart, staff)
        until(lambda: portal.query(_UNDER_WAY) == [(0,)])
        yield portal, {"answers": family.answers + staff.answers, "statuses": statuses}


# What is to be done at once has no time to wait for; the queue writes that as the end of all time.
_UNDER_WAY = (
    "SELECT count(*) FROM django_tasks_database_dbtaskresult "
    "WHERE status = 'RUNNING' OR (status = 'READY' AND run_after > '9000-01-01')"
)


def family_errand(portal: RealPortal, family: Watched) -> Chart:
    family.post("/password/", {"email": UNKNOWN_EMAIL})
    family.sign_in(EMAIL, "wrong tapioca parade 77")
    family.sign_in(UNKNOWN_EMAIL, "wrong tapioca parade 77")
    family.signed_in(EMAIL)
    family.post("/who/", {"first_name": "Xanthippina", "date_of_birth": "2013/07/19"})
    chart = Chart(family, ("Quillonia", "2013/07/19"))
    assert family.send_paper(chart.home, "lemonquartz", "velociraptor.pdf").status == 302
    chart.saves("history/allergies/add/", substance="Marzipanase", reaction="gherkinfever")
    chart.saves("demographics/address/", line_1="7 Marmaladeallee")
    chart.send("demographics/mobile_phone/", phone="555-867-5309")
    for page in ("", "documents/", "history/", "history/allergies/", "demographics/", "record/"):
        assert chart.get(page).status == 200, page
    paper = re.search(rf"{chart.home}documents/[\w-]{{36}}/", chart.get("documents/").text)[0]  # type: ignore[index]
    assert family.get(f"{paper}file/").status == 200
    for how in ("pdf", "fhir", "zip"):
        chart.get(f"record/{how}/")
    family.get("/account/")
    family.post("/switch/")
    chart.home = family.choose("Bartholomax", "2011/08/23")
    chart.get("documents/")
    chart.home = family.choose("Quillonia", "2013/07/19")
    return chart


def staff_errand(portal: RealPortal, staff: Watched) -> None:
    staff.post("/admin/login/", {"username": UNKNOWN_EMAIL, "password": "wrong tapioca parade 77"})
    staff.sign_in_as_staff()
    for page in ("households/member", "accounts/householdaccount", "documents/document"):
        found = staff.post(f"/admin/{page}/", {"search": "1", "q": "Zephyrtree tumbleweedy"})
        staff.get(f"/admin/{page}/{found.location}" if found.location else f"/admin/{page}/")
    (member,) = (
        row[0] for row in portal.query("SELECT id FROM households_member WHERE patient_id = 'P1'")
    )
    staff.get(f"/admin/households/member/{member}/change/")
    staff.get(f"/admin/record/{member}/")
    found = staff.post("/admin/household/", {"email": EMAIL, "q": EMAIL})
    staff.get("/admin/household/")
    if found.location:
        staff.get(found.location)
    practice = Practice(portal)
    practice.visitor = staff
    for admin, _pk, submission in practice.sent("Marzipanase"):
        assert practice.review(admin, submission).status == 200
    bad = "patient_id,first_name,last_name,date_of_birth,email\nP9,Xanthippina,Umberfield,pebblecough,x\n"
    answer = staff.post(
        "/admin/desk/rosterimport/add/",
        {"date_format": ""},
        [("file", "Zephyrtree.csv", bad.encode())],
    )
    if answer.location:
        staff.get(answer.location)


def fail_in_every_way(
    portal: RealPortal, family: Watched, chart: Chart, staff: Watched
) -> dict[int, list[Answer]]:
    """The answers by their status; each way with words in it that must come out nowhere."""
    words = {"note": "lemonquartz", "first_name": "Quillonia", "email": EMAIL}
    home = chart.home
    found = [
        family.get(f"/login/?email={EMAIL}&x=%00"),
        family.get("/login/", Host=f"{EMAIL}.evil"),
        family.request(
            "POST", f"/login/?{EMAIL}", b"Zephyrtree", {"Content-Type": "multipart/form-data"}
        ),
        family.post(f"{home}documents/", words, token="x" * 32),
        family.post(f"{home}documents/", words, Origin="https://Quillonia.evil.example"),
        family.get(f"/nothing/Quillonia/{EMAIL}/2013-07-19/"),
        family.get(f"{home}documents/Zephyrtree/"),
        family.get(f"/for/{'Q' * 22}/documents/?q=Marzipanase"),
        family.post(f"/for/{'Q' * 22}/documents/", words),
        family.request("DELETE", f"/switch/?q={EMAIL}"),
        family.request("ZEPHYRTREE", "/login/"),
        family.get(f"/logout/?q={EMAIL}"),
        family.request("POST", "/login/", f"email={EMAIL}&x={'Zephyrtree' * 300_000}".encode()),
        family.post("/login/", {"email": "crumbleowl@@", "password": ""}),
        staff.get(f"/admin/households/member/?email={EMAIL}"),
        staff.get("/admin/households/member/Zephyrtree/change/"),
    ]
    raw(portal, f"GET /Quillonia HTTP/9\r\nX: {EMAIL}\r\n\r\n".encode())
    raw(portal, f"GET /Quillonia?{EMAIL} HTTP/1.1\r\nHost: x\r\nBad {EMAIL}: x\r\n\r\n".encode())
    found += [Watched(portal).sign_in(OTHER_EMAIL, PASSWORDS[2]) for _ in range(7)]
    lift_pauses(portal)
    with refusing_allergies(portal):
        # What the database says of it has the row in it.
        found.append(
            chart.send(
                "history/allergies/add/", substance="Marzipanase again", reaction="gherkinfever"
            )
        )
    with without_table(portal, "documents_document"):
        found.append(family.get(f"{home}documents/?q=Quillonia"))
        found.append(family.send_paper(home, "lemonquartz", "velociraptor.pdf"))
        found.append(staff.get("/admin/documents/document/"))
    with database_away(portal):
        found.append(
            family.post("/who/", {"first_name": "Quillonia", "date_of_birth": "2013/07/19"})
        )
    until(lambda: Visitor(portal).get("/readyz").status == 200)
    assert family.get("/account/").status == 200  # and it goes on
    by_status: dict[int, list[Answer]] = {}
    for answer in found:
        by_status.setdefault(answer.status, []).append(answer)
    return by_status


@contextmanager
def refusing_allergies(portal: RealPortal) -> Iterator[None]:
    """The database refuses a row with words about the row, as it does for a broken constraint."""
    if portal.database_url:
        portal.query("ALTER TABLE history_allergy ADD CONSTRAINT no_more CHECK (false) NOT VALID")
        yield
        portal.query("ALTER TABLE history_allergy DROP CONSTRAINT no_more")
    else:
        portal.query(
            "CREATE TRIGGER no_more BEFORE INSERT ON history_allergy BEGIN "
            "SELECT RAISE(ABORT, 'Failing row contains Marzipanase of Quillonia'); END"
        )
        yield
        portal.query("DROP TRIGGER no_more")


@contextmanager
def without_table(portal: RealPortal, table: str) -> Iterator[None]:
    portal.query(f"ALTER TABLE {table} RENAME TO {table}_away")
    yield
    portal.query(f"ALTER TABLE {table}_away RENAME TO {table}")


@contextmanager
def database_away(portal: RealPortal) -> Iterator[None]:
    """PostgreSQL lets nobody in; SQLite is written to by somebody who takes longer than we wait."""
    if portal.database_url:
        import psycopg

        server, _, name = portal.database_url.rpartition("/")
        with psycopg.connect(f"{server}/postgres", autocommit=True) as boss:
            boss.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')  # type: ignore[call-overload] # wants literal SQL
            boss.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            try:
                yield
            finally:
                boss.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')  # type: ignore[call-overload] # wants literal SQL
        return
    import sqlite3

    hand = sqlite3.connect(portal.data / "portal.sqlite3", isolation_level=None, timeout=20)
    hand.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        hand.rollback()
        hand.close()


def until(holds: Any, seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "this did not happen"
        time.sleep(0.2)


def found_in(text: str, words: tuple[str, ...] | set[str] = CANARIES) -> set[str]:
    text = text.lower()
    return {word for word in words if word.lower() in text}


# --- what it wrote --------------------------------------------------------------------


def test_it_failed_in_every_way(errand):
    """The control: there was something to leak."""
    portal, seen = errand
    assert {400, 403, 404, 405, 409, 413, 422, 429, 500, 503} <= set(seen["statuses"])
    for status, answers in seen["statuses"].items():
        for answer in answers:
            assert found_in(text_of(answer) if status == 500 else answer.text, TELLING) == set()
            if status in {500, 503}:
                assert answer.headers["X-Request-ID"] in answer.text
                assert answer.headers["X-Request-ID"] in portal.said()
    # What the family typed comes back to be copied where the database was away, and nothing of it elsewhere.
    assert "Quillonia" in seen["statuses"][503][0].text


def test_the_log(errand):
    portal, _seen = errand
    said = portal.said()
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert {400, 403, 404, 405, 409, 429, 500, 503} - {line.get("status") for line in lines} <= {
        409,
        429,
    }
    assert any(line["logger"].startswith("gunicorn") for line in lines)
    assert found_in(said) == set()
    assert found_in(said, {*PASSWORDS, *Visitor.secrets}) == set()
    assert "Traceback" not in said
    others = [line for line in said.splitlines() if line and not line.startswith("{")]
    assert [line for line in others if re.search(r"[\w.]+@[\w.]+", line)] == []


def test_mails(errand):
    portal, _seen = errand
    mails = [path.read_text() for path in (portal.data / "mail").glob("*.log")]
    assert len(mails) >= 2  # the link, and the notice that it was used
    own = {EMAIL, "wobblefinch"}  # to whom it goes
    for mail in mails:
        assert found_in(mail, set(CANARIES) - own) == set()
        assert found_in(mail, set(PASSWORDS)) == set()
    for mail in portal.mails_to(EMAIL):
        assert found_in(mail["Subject"]) == set()
        assert found_in(str(mail.get_body(("plain",)))) == set()
        assert found_in(str(mail.get_body(("html",)))) == set()


def test_addresses_headers_and_cookies(errand):
    _portal, seen = errand
    secrets = {one for one in Visitor.secrets if len(one) != 22}  # a chart's key is its address
    wrong = set()
    for path, answer in seen["answers"]:
        headers = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
        if "filename" in answer.headers.get("Content-Disposition", ""):
            headers = headers.replace(
                answer.headers["Content-Disposition"], ""
            )  # what it is saved as
        wrong |= {(path, word) for word in found_in(unquote_plus(headers))}
        told = [answer.location]
        if answer.body and answer.headers.get("Content-Type", "").startswith("text/html"):
            page = lxml.html.fromstring(answer.text)
            told += page.xpath("//@href | //@src | //@action | //@formaction")
        # An address that was asked for by its sender may be repeated on the way to sign in.
        for address in (unquote_plus(one) for one in told):
            if not address.startswith(("tel:", "mailto:")):
                wrong |= {
                    (address, word) for word in found_in(address, {*CANARIES, *PASSWORDS, *secrets})
                }
    assert wrong == set()


def test_the_audit(errand):
    portal, _seen = errand
    rows = portal.query("SELECT * FROM audit_auditevent")
    assert len(rows) > 40
    assert found_in(str(rows)) == set()
    assert found_in(str(rows), {*PASSWORDS, *Visitor.secrets}) == set()


def test_the_queue(errand):
    portal, _seen = errand
    rows = portal.query(
        "SELECT * FROM django_tasks_database_dbtaskresult WHERE status IN ('SUCCESSFUL', 'FAILED')"
    )
    assert len(rows) > 3
    assert found_in(str(rows)) == set()
    assert found_in(str(rows), {*PASSWORDS, *Visitor.secrets}) == set()


def test_files_on_their_way(errand):
    portal, _seen = errand
    left = [path for path in (portal.data / "tmp").rglob("*") if path.is_file()]
    assert left == []
    names = [str(path.relative_to(portal.data)) for path in portal.data.rglob("*")]
    assert found_in("\n".join(names)) == set()


def test_process_arguments(errand):
    portal, _seen = errand
    said = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"PORTAL_DATA={portal.data}\0".encode() in (folder / "environ").read_bytes():
                said.append((folder / "cmdline").read_bytes().decode("utf-8", "replace"))
        except OSError:
            continue  # it ended, or is not ours
    assert len(said) >= 6  # serve, gunicorn with four workers, the background worker
    text = "\n".join(said)
    key = (portal.data / "secret-key").read_text().strip()
    assert found_in(text) == set()
    assert found_in(text, {*PASSWORDS, *Visitor.secrets, key}) == set()
    database = portal.database_url
    if "@" in database and ":" in database.partition("//")[2].partition("@")[0]:
        assert database not in text


def test_what_is_kept_apart_from_the_records_is_hashed(errand):
    """Sessions, links and counters: whoever reads the tables can use none of them."""
    portal, _seen = errand
    for table in ("accounts_householdsession", "accounts_passwordlink", "accounts_throttle"):
        rows = str(portal.query(f"SELECT * FROM {table}"))
        assert found_in(rows, {*PASSWORDS, *Visitor.secrets}) == set(), table
        assert found_in(rows) == set(), table
