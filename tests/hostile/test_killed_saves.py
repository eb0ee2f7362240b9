"""Web workers killed in the middle of saves of details and history: what was acknowledged is there once, what
was not is absent or whole, with its envelope and its audit entry (SECURITY R-RE-1, R-AL-4)."""

from __future__ import annotations

import random
import re
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.hostile.chart import AVA, FAMILY, Chart, Form, Practice
from tests.hostile.conftest import ROSTER, set_password
from tests.hostile.test_killed import BROKEN, kill_all, kill_one_worker
from tests.hostile.visitor import STAFF_PASSWORD, Visitor
from tests.real_portal import RealPortal, own_database

ROUNDS = 20
SENDERS = 4
LONGEST_SECONDS = 25


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[RealPortal]:
    with own_database("killed_saves") as database_url:
        portal = RealPortal(tmp_path, database_url, PORTAL_WORKERS="3", PORTAL_THREADS="4")
        try:
            portal.start()
            portal.import_roster(ROSTER)
            portal.add_owner("nurse@example.org", STAFF_PASSWORD)
            set_password(portal, FAMILY)
            yield portal
        finally:
            kill_all(portal)


@dataclass
class Sent:
    words: list[str] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)
    broken: int = 0
    other: list[int] = field(default_factory=list)


PAGES = [
    ("history/allergies/add/", "substance", {}),
    ("history/goals/add/", "text", {"kind": "goal"}),
    ("demographics/contacts/new/", "name", {"relationship": "FRND"}),
]


def save_until(
    over: threading.Event, visitor: Visitor, forms: list[tuple[Form, str]], sent: Sent
) -> None:
    chance = random.Random()
    while not over.is_set():
        word = uuid.uuid4().hex
        sent.words.append(word)
        form, box = chance.choice(forms)
        form = form.typed({box: word, "sending_id": str(uuid.uuid4())})
        for _try in range(20):
            try:
                answer = form.sent_by(visitor)
            except BROKEN:
                sent.broken += 1
                if chance.random() < 0.5:
                    break  # this family gives up
                time.sleep(0.1)
                continue
            if answer.status == 302:
                sent.acknowledged.add(word)
            else:
                sent.other.append(answer.status)
            break


def changes(portal: RealPortal, table: str) -> list[tuple[str, str, str, int]]:
    """The word of every change, its table, its public id and its submission."""
    rows = portal.query(
        f'SELECT CAST("values" AS TEXT), public_id, submission_id FROM {table} ORDER BY id'
    )
    return [
        (word, table, str(public_id).replace("-", ""), submission)
        for values, public_id, submission in rows
        for word in re.findall(r"\b[0-9a-f]{32}\b", values)
    ]


@pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="looks for processes as Linux has them"
)
@pytest.mark.timeout(120)
def test_killed_in_the_middle_of_saves(portal):
    visitor = Visitor(portal).signed_in(FAMILY)
    ava = Chart(visitor, AVA)
    forms = [(ava.filled(page, more, box), box) for page, box, more in PAGES]
    sent, over = Sent(), threading.Event()
    end = time.monotonic() + LONGEST_SECONDS
    rounds = 0
    with ThreadPoolExecutor(SENDERS) as senders:
        running = [
            senders.submit(save_until, over, visitor.copy(), forms, sent) for _ in range(SENDERS)
        ]
        try:
            while rounds < ROUNDS and time.monotonic() < end:
                before = len(sent.acknowledged)
                while len(sent.acknowledged) < before + 3 and time.monotonic() < end:
                    time.sleep(0.01)
                time.sleep(random.uniform(0, 0.05))
                kill_one_worker(portal)
                rounds += 1
        finally:
            over.set()
        for each in running:
            each.result()

    said = f"{rounds} rounds, {len(sent.acknowledged)} acknowledged, {sent.broken} broken off"
    print(said)
    assert sent.other == [], said
    assert len(sent.acknowledged) > rounds > 3, said
    assert sent.broken, said

    rows = [*changes(portal, "history_entrychange"), *changes(portal, "demographics_detailchange")]
    words = [word for word, *_rest in rows]
    assert len(words) == len({*words}), "sent again is kept once"
    assert sent.acknowledged - {*words} == set()
    assert {*words} <= {*sent.words}
    submissions = {number for (number,) in portal.query("SELECT id FROM submissions_submission")}
    assert {submission for *_rest, submission in rows} == submissions
    audited = [
        str(thing).replace("-", "")
        for (thing,) in portal.query(
            "SELECT object_id FROM audit_auditevent WHERE action = 'send' ORDER BY id"
        )
    ]
    assert sorted(audited) == sorted(public_id for _word, _table, public_id, _submission in rows)
    # What the family and staff read: each once, and nothing else.
    record = Practice(portal).record("P1")
    entries = [word for word, table, *_rest in rows if table == "history_entrychange"]
    assert [record.count(word) for word in entries] == [1] * len(entries)
    of_contacts = Chart(Visitor(portal).signed_in(FAMILY), AVA).get("demographics/contacts/")
    contacts = [word for word, table, *_rest in rows if table == "demographics_detailchange"]
    assert {word for word in sent.words if word in of_contacts.text} == {*contacts}
    absent = {*sent.words} - {*words}
    assert [word for word in absent if word in record] == []
