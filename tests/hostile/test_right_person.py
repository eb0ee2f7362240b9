"""Nothing lands on the wrong person, and no request but a pick or a switch moves the choice: against slow
lines, racing tabs and keys from elsewhere (SECURITY R-WP-1 to R-WP-3, cases MB)."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.hostile.visitor import PDF, SlowPost, Visitor
from tests.real_portal import RealPortal

AVA, BEN = ("Ava", "2015/03/02"), ("Ben", "2017/09/14")
LIA, LEO = ("Lia", "2020/02/29"), ("Leo", "2020/02/29")


@pytest.fixture
def rivera(portal: RealPortal) -> Visitor:
    return Visitor(portal).signed_in("rivera@example.org")


def papers(portal: RealPortal, beginning: str) -> list[tuple[str, str]]:
    """(first name of the patient, note) of every paper whose note begins so, as the database has it."""
    rows = portal.query(
        "SELECT patient_id, note FROM documents_document JOIN households_member "
        "ON households_member.id = member_id WHERE note LIKE %s",
        f"{beginning}%",
    )
    return [(patient, note) for patient, note in rows]


def files(portal: RealPortal) -> int:
    """Files on the disk, those still being received included. The pictures of their pages are left out:
    the worker makes them when it gets to it."""
    kept = (portal.data / "files" / "documents").rglob("*")
    return sum(path.is_file() for path in [*kept, *(portal.data / "tmp").glob("*.upload")])


def upload(note: str) -> tuple[dict[str, str], list[tuple[str, str, bytes]]]:
    fields = {"note": note, "sending_id": str(uuid.uuid4())}
    return fields, [("files", "paper.pdf", PDF + f"%{note}\n".encode())]


def test_four_tabs_pick_and_send_at_once(portal, rivera):
    """Each paper names whom its page was opened for. Saved ones are on that person; the others nowhere."""
    patients = {"Ava": "P1", "Ben": "P2", "Lia": "P3", "Leo": "P4"}
    answers: Counter[int] = Counter()

    def tab(place: int) -> None:
        browser = rivera.copy()
        for turn in range(8):
            name, born = [AVA, BEN, LIA, LEO][(place + turn) % 4]
            home = browser.choose(name, born)
            for _ in range(2):
                answers[
                    browser.send_paper(home, f"tabs {patients[name]} {uuid.uuid4()}").status
                ] += 1

    with ThreadPoolExecutor(4) as tabs:
        list(tabs.map(tab, range(4)))

    saved = papers(portal, "tabs ")
    assert set(answers) == {302, 409}  # both happened, and nothing else
    assert len(saved) == answers[302] >= 4
    assert [pair for pair in saved if f"tabs {pair[0]} " not in pair[1]] == []
    assert files(portal) == portal.query("SELECT count(*) FROM documents_document")[0][0]


@pytest.mark.parametrize("meanwhile", ["switch", "sign-out", "new sign-in", "closed", "no access"])
def test_slow_upload_is_judged_by_how_things_are_when_it_arrives(portal, rivera, meanwhile):
    home = rivera.choose(*AVA)
    note = f"slow {uuid.uuid4()}"
    before = files(portal)
    sending = SlowPost(rivera, f"{home}documents/", *upload(note))
    other_tab = rivera.copy()
    if meanwhile == "switch":
        other_tab.post("/switch/")
        other_tab.choose(*BEN)
    elif meanwhile == "sign-out":
        other_tab.post("/logout/")
    elif meanwhile == "new sign-in":
        other_tab.signed_in("rivera@example.org").choose(*BEN)
    elif meanwhile == "closed":
        _may_sign_in(portal, False)
    else:
        _may_be_opened(portal, False)
    status, _location = sending.finish()
    _may_sign_in(portal, True)
    _may_be_opened(portal, True)

    assert status == (409 if meanwhile == "switch" else 302)
    assert papers(portal, note) == []
    assert files(portal) <= before


def test_slow_upload_alone_arrives(portal, rivera):
    """The control: the same upload with nothing meanwhile."""
    home = rivera.choose(*AVA)
    note = f"slow {uuid.uuid4()}"
    assert SlowPost(rivera, f"{home}documents/", *upload(note)).finish() == (
        302,
        f"{home}documents/",
    )
    assert papers(portal, note) == [("P1", note)]


def test_old_pages_that_load_again_and_again_close_no_new_choice(rivera):
    """A page of a closed chart finds no choice; by then another tab may just have made one."""
    old = rivera.choose(*AVA)
    over = threading.Event()

    def reload() -> None:
        tab = rivera.copy()
        while not over.is_set():
            tab.get(old)

    with ThreadPoolExecutor(4) as tabs:
        for _ in range(4):
            tabs.submit(reload)
        try:
            for _ in range(25):
                rivera.post("/switch/")
                home = rivera.choose(*BEN)
                assert rivera.get(home).status == 200
                time.sleep(0.01)
        finally:
            over.set()


def _kept_text(portal: RealPortal) -> set[tuple[str, str]]:
    """Whose login keeps text, and for which patient."""
    return set(
        portal.query(
            "SELECT accounts_householdaccount.email_key, patient_id FROM households_kepttext "
            "JOIN accounts_householdaccount ON accounts_householdaccount.id = account_id "
            "JOIN households_member ON households_member.id = member_id"
        )
    )


def test_keys_from_elsewhere_save_nothing_and_keep_nothing(portal, rivera):
    """Another browser of the same login, another household, a made-up key; also as the idle page posts."""
    other_browser = Visitor(portal).signed_in("rivera@example.org")
    stranger = Visitor(portal).signed_in("chen@example.org")
    foreign = {
        "browser": other_browser.choose(*AVA),
        "household": stranger.choose(*AVA),
        "nobody": f"/for/{'A' * 22}/",
    }
    rivera.choose(*BEN)
    note = f"foreign {uuid.uuid4()}"
    before = _kept_text(portal)
    for whose, home in foreign.items():
        for more in ({}, {"keep_only": "1"}):
            answer = rivera.post(f"{home}documents/", {"note": note, **more})
            assert answer.status in {409, 302}, whose
            assert answer.location in {"", f"{home}documents/"}, whose
        assert rivera.send_paper(home, note).status == 409, whose
    assert papers(portal, note) == []
    # What was typed on a page of the family's other browser is the family's; nobody else has any of it.
    new = _kept_text(portal) - before
    assert {email for email, _patient in new} <= {"rivera@example.org"}
    page = stranger.get(f"{foreign['household']}documents/")
    assert page.status == 200
    assert note not in page.text


def test_kept_text_of_one_person_does_not_grow_without_end(portal, rivera):
    old = rivera.choose(*LIA)
    rivera.choose(*BEN)
    for _ in range(25):
        answer = rivera.post(f"{old}documents/{uuid.uuid4()}/", {"note": "x" * 1000})
        assert answer.status == 409
    ((kept,),) = portal.query(
        "SELECT count(*) FROM households_kepttext JOIN households_member "
        "ON households_member.id = member_id WHERE patient_id = 'P3'"
    )
    assert 1 <= kept <= 20


def test_a_closed_login_keeps_no_more_text(portal, rivera):
    home = rivera.choose(*LEO)
    _may_sign_in(portal, False)
    try:
        assert rivera.post(f"{home}documents/", {"note": "after the end"}).status == 302
        kept = portal.query("SELECT fields FROM households_kepttext")
    finally:
        _may_sign_in(portal, True)
    assert "after the end" not in str(kept)


def test_repeated_and_overriding_parameters_move_nothing(portal, rivera):
    ava = rivera.choose(*AVA)
    ben = rivera.choose(*BEN)
    note = f"override {uuid.uuid4()}"
    fields, paper = upload(note)
    tricks = [("member", "P1"), ("patient", "1"), ("key", ava.split("/")[2]), ("_method", "DELETE")]
    answer = rivera.post(
        f"{ben}documents/?key={ava.split('/')[2]}&member=1",
        [*fields.items(), *tricks, *tricks],
        paper,
        X_HTTP_Method_Override="PUT",
        X_Original_URL=f"{ava}documents/",
        X_Rewrite_URL=f"{ava}documents/",
    )
    assert answer.status == 302
    assert papers(portal, note) == [("P2", note)]


def test_reading_or_fetching_ahead_never_switches(rivera):
    home = rivera.choose(*AVA)
    for path in ("/switch/", "/logout/", "/who/?first_name=Ben&date_of_birth=2017/09/14"):
        rivera.get(path, Sec_Purpose="prefetch")
        rivera.request("HEAD", path)
    assert rivera.post("/switch/", token="x" * 32).status == 403
    assert rivera.post("/switch/", Origin="https://evil.example").status == 403
    assert rivera.get(home).status == 200


def test_what_was_said_to_one_household_is_not_said_to_the_next(portal, rivera):
    """The word that a chart was closed waits in the browser until the next page, which may be another
    family's."""
    rivera.choose(*BEN)
    rivera.post("/switch/")
    assert "Ben" in rivera.copy().get("/who/").text  # the control: it does wait
    next_family = rivera.copy().signed_in("chen@example.org")
    assert "Ben" not in next_family.get("/who/").text
    rivera.post("/logout/")
    page = rivera.get("/login/").text
    assert "signed out" in page
    assert "Ben" not in page


def _may_sign_in(portal: RealPortal, yes: bool) -> None:
    portal.query(
        "UPDATE accounts_householdaccount SET is_active = %s WHERE email_key = 'rivera@example.org'",
        yes,
    )


def _may_be_opened(portal: RealPortal, yes: bool) -> None:
    portal.query("UPDATE households_member SET portal_access = %s WHERE patient_id = 'P1'", yes)
