"""What stands at the end of a run: each acknowledged thing is on exactly its person, read back from the
tables, through a fresh login, through the pages of staff and by checksum (SECURITY 2.1, "Oracle")."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from tests.machine.asking import Wrong
from tests.machine.model import Answers, Login, Person
from tests.machine.pages import Page
from tests.machine.portals import sha256
from tests.machine.steps import Steps

WORD = re.compile(r"zq[a-z]{4,10}qz")
# What the audit counts of families, and the outcomes that say that nothing came of it.
_COUNTED = ("send", "withdraw", "pick", "switch", "download")
_IN_VAIN = {"refused", "changed-meanwhile", "conflict"}


def everything_is_where_it_belongs(steps: Steps) -> None:
    people = {person.number: person for person in steps.world.people}
    marks = ", ".join(map(str, people))
    _documents(steps, marks)
    _details(steps, people, marks)
    _audit(steps, people, marks)
    _kept(steps, people, marks)
    for person in people.values():
        if person.words():
            _as_staff_see(steps, person)
    for login in [*steps.world.logins.values()]:
        _as_family_sees(steps, login)


def same(what: str, found: Any, meant: Any) -> None:
    if found != meant:
        more = found - meant if isinstance(found, Counter | set) else found
        less = meant - found if isinstance(found, Counter | set) else meant
        raise Wrong(f"{what}: there is {more}; there should be {less}")


# --- behind the portal's back ---------------------------------------------------------


def _documents(steps: Steps, marks: str) -> None:
    rows = steps.portal.query(
        "SELECT d.member_id, d.note, s.status, d.sha256, d.file, s.member_id "
        "FROM documents_document d JOIN submissions_submission s ON s.id = d.submission_id "
        f"WHERE d.member_id IN ({marks})"
    )
    found = Counter((member, note, status, sha) for member, note, status, sha, *_ in rows)
    meant = Counter(
        (person.number, paper.word, paper.status, sha256(paper.data))
        for person in steps.world.people
        for paper in person.papers
    )
    same("documents", found, meant)
    same("documents in another's envelope", {r for r in rows if r[0] != r[5]}, set())
    files = [row for row in rows if row[4]]
    same(
        "documents with bytes",
        Counter(row[1] for row in files),
        Counter(
            paper.word
            for person in steps.world.people
            for paper in person.papers
            if paper.has_bytes
        ),
    )
    for _member, note, _status, sha, name, _envelope in files:
        path = steps.portal.files() / name
        if not path.exists() or sha256(path.read_bytes()) != sha:
            raise Wrong(f"the bytes of {note} are not what was sent")
    named = {str(steps.portal.files() / row[4]) for row in files}
    there = steps.files_now() - steps.files_before
    same("files that no document names", there - named, set())


def _details(steps: Steps, people: dict[int, Person], marks: str) -> None:
    rows = steps.portal.query(
        'SELECT member_id, "values", decision FROM demographics_detailchange '
        f"WHERE member_id IN ({marks}) AND field = 'address'"
    )
    found = Counter((member, _word(values), decision) for member, values, decision in rows)
    meant = Counter(
        (one.number, change.word, change.decision)
        for one in people.values()
        for change in one.changes
    )
    same("addresses that were sent", found, meant)
    rows = steps.portal.query(f"SELECT id, address_1 FROM households_member WHERE id IN ({marks})")
    same("addresses on file", set(rows), {(one.number, one.address) for one in people.values()})
    rows = steps.portal.query(
        f"SELECT member_id, substance FROM history_allergy WHERE member_id IN ({marks})"
    )
    meant = Counter(
        (one.number, allergy.word) for one in people.values() for allergy in one.allergies
    )
    same("allergies", Counter(rows), meant)
    rows = steps.portal.query(
        "SELECT member_id, items, submission_id FROM intake_questionnaireresponse "
        f"WHERE member_id IN ({marks})"
    )
    found = Counter(
        (member, tuple(sorted(WORD.findall(_text(items)))), envelope is not None)
        for member, items, envelope in rows
    )
    meant = Counter(
        (one.number, tuple(sorted(filter(None, form.answers))), form.sent)
        for one in people.values()
        for form in one.forms
    )
    same("forms", found, meant)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _word(values: Any) -> str:
    return "".join(WORD.findall(_text(values)))


def _audit(steps: Steps, people: dict[int, Person], marks: str) -> None:
    """Exactly one entry for each thing that was acknowledged (R-AL-4)."""
    words = ", ".join(f"'{one}'" for one in _COUNTED)
    rows = steps.portal.query(
        "SELECT member_id, action, outcome, object_type, count(*) FROM audit_auditevent "
        f"WHERE member_id IN ({marks}) AND action IN ({words}) "
        "GROUP BY member_id, action, outcome, object_type"
    )
    found = Counter({tuple(row[:4]): row[4] for row in rows if row[2] not in _IN_VAIN})
    same("the audit", found, +steps.world.audited)


def _kept(steps: Steps, people: dict[int, Person], marks: str) -> None:
    rows = steps.portal.query(
        "SELECT a.email_key, k.member_id, k.page, k.fields FROM households_kepttext k "
        "JOIN accounts_householdaccount a ON a.id = k.account_id "
        f"WHERE k.member_id IN ({marks})"
    )
    found = {(email, member, page, _word(fields)) for email, member, page, fields in rows}
    meant = {
        (email, person.number, page, word)
        for (email, person, page), word in steps.world.kept.items()
    }
    same("text that is kept", found, meant)


# --- through pages --------------------------------------------------------------------


def _holds(person: Person, page: Page, what: str, must: set[str], may: set[str]) -> None:
    if must - page.words:
        raise Wrong(f"{what} of {person}: does not show {must - page.words}")
    if page.words - may:
        raise Wrong(f"{what} of {person}: shows {page.words - may}")


def _as_staff_see(steps: Steps, person: Person) -> None:
    record = steps.staff_get(f"/admin/record/{person.number}/")
    must = {one.word for one in person.allergies} | ({person.address} - {""})
    _holds(person, record, "the staff's record", must, person.words())
    for paper in person.papers:
        page = steps.staff_get(f"/admin/documents/document/{paper.number}/change/")
        if person.name not in page.text or paper.word not in page.words:
            raise Wrong(f"staff do not see {paper} as {person}'s")
        if paper.status == "received":
            paper.status = "seen"
        if paper.has_bytes:
            data = steps.staff_get(f"/admin/documents/document/{paper.number}/download/").body
            if data != paper.data:
                raise Wrong(f"staff get other bytes of {paper} than were sent")


def _as_family_sees(steps: Steps, login: Login) -> None:
    world = steps.world
    household = world.household(login.email)
    if not (household and login.password and login.is_open):
        return
    if not any(person.words() for person in household):
        return  # nothing was sent: what the tables say of them is enough
    # Whoever was paused is let in again after the longest pause.
    if max(login.paused_until, login.pick_paused_until) > world.now:
        steps.time_passes(120)
    browser = world.browsers[0]
    steps.wires[browser] = steps.portal.wire()
    browser.session, browser.epoch = None, browser.epoch + 1
    steps.sign_in(browser, login, login.password)
    for person in household:
        session = browser.session
        assert session is not None
        if len(world.matches(session, person.first, person.born)) != 1:
            continue
        steps.pick(browser, person.first, person.born)
        chart = session.chart
        assert chart is not None
        _chart_of(steps, browser, chart.home, person)


def _chart_of(steps: Steps, browser: Any, home: str, person: Person) -> None:
    def at(inside: str) -> Page:
        page = steps.get(browser, f"{home}{inside}")
        steps.expect(page, 200)
        return page

    kept = {
        word
        for (email, one, _page), word in steps.world.kept.items()
        if one is person and email == browser.session.login.email
    }
    may = person.words() | kept
    standing = {paper.word for paper in person.papers if paper.has_bytes}
    _holds(person, at("documents/"), "documents", standing, may)
    for paper in person.papers:
        page = steps.get(browser, f"{home}documents/{paper.public_id}/file/")
        if paper.has_bytes:
            steps.expect(page, 200)
            steps.say(page.body == paper.data, page, "other bytes than were sent")
        else:
            steps.expect(page, 404)
    for other in steps.world.people:
        if other is not person:
            _is_not_there(steps, browser, home, other)
    address = {person.waiting.word} if person.waiting else set()
    address |= {person.address} - {""}
    _holds(person, at("demographics/"), "details", address, may)
    allergies = {one.word for one in person.allergies}
    _holds(person, at("history/allergies/"), "allergies", allergies, may)
    at("forms/")
    for form in person.forms:
        if form.sent:
            _holds(person, at(f"forms/{form.public_id}/"), "a form", _answers(form), may)
        else:
            _holds(person, at(f"forms/{form.public_id}/check/"), "a draft", _answers(form), may)


def _is_not_there(steps: Steps, browser: Any, home: str, other: Person) -> None:
    """Nothing of anybody else opens under this key, whoever knows its address."""
    addresses = [f"documents/{paper.public_id}/file/" for paper in other.papers[:2]]
    addresses += [f"forms/{form.public_id}/" for form in other.forms[:1]]
    for inside in addresses:
        steps.expect(steps.get(browser, f"{home}{inside}"), 404)


def _answers(form: Answers) -> set[str]:
    return {*filter(None, form.answers)}
