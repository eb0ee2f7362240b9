"""Sends what hypothesis draws, notes what came of it, and takes back what it changed."""

from __future__ import annotations

import contextlib
import copy
import gc
import random
import resource
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

from django.db import transaction
from hypothesis import strategies as st

from households.models import Practice
from tests.crawl import Form, forms_of, page_of, route_of
from tests.fuzz import odd
from tests.fuzz.people import Person
from tests.rollback import to_be_undone

SLOW = 1.0  # seconds of the processor's time


@dataclass
class Drawn:
    """What hypothesis drew for one example. What is made of it hangs on the pages that come back."""

    seed: int
    texts: list[str]
    files: list[tuple[str, str, bytes]]
    body: bytes

    def __post_init__(self) -> None:
        self.chances = random.Random(self.seed)

    def one_of(self, what: Sequence[Any]) -> Any:
        return self.chances.choice(what)

    def chance(self) -> bool:
        return self.chances.random() < 0.5

    def text(self) -> str:
        return self.one_of(self.texts)


def drawn() -> st.SearchStrategy[Drawn]:
    return st.builds(
        Drawn,
        st.integers(0, 2**64),
        st.lists(odd.texts(), min_size=4, max_size=4),
        st.lists(odd.uploads(), max_size=3),
        odd.bodies(),
    )


@dataclass
class Sent:
    """One request as it went out."""

    method: str
    address: str
    body: bytes = b""
    content_type: str = "application/x-www-form-urlencoded"
    headers: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.address} {self.headers or ''} {self.content_type} {self.body[:600]!r}"


@dataclass
class Took:
    seconds: float
    wall: float
    route: str
    what: str


class Runner:
    def __init__(
        self, people: list[Person], budget: int, say: Callable[[str], None] = lambda line: None
    ) -> None:
        self.people, self.say = people, say
        self.routes = {person.name: person.by_route() for person in people}
        self.budget = budget
        self.requests = 0
        self.statuses: Counter[int] = Counter()
        self.posted: Counter[str] = Counter()
        self.answered: dict[str, Counter[int]] = {}
        self.slowest: list[Took] = []
        self.findings: dict[str, str] = {}

    @property
    def is_done(self) -> bool:
        return self.requests >= self.budget

    # --- one request ------------------------------------------------------------------

    @contextlib.contextmanager
    def undone(self, person: Person) -> Iterator[None]:
        """Rows and cookies are as before afterwards."""
        cookies = copy.deepcopy(person.client.cookies)
        Practice.forget()
        try:
            with to_be_undone():
                yield
                transaction.set_rollback(True)
        finally:
            person.client.cookies = cookies
            Practice.forget()

    def send(self, person: Person, sent: Sent) -> Any:
        self.requests += 1
        if self.requests % 200 == 0:
            # What the test keeps of all requests so far: without this, looking through it for garbage takes
            # a second of one request's time, whichever it is.
            gc.collect()
            gc.freeze()
        if self.requests % 1000 == 0:
            self.say(f"{self.requests} requests, {len(self.findings)} findings")
        route = route_of(sent.address)
        person.client.raise_request_exception = False
        cpu, wall = _used(), time.perf_counter()
        try:
            answer = person.client.generic(
                sent.method,
                sent.address,
                sent.body,
                content_type=sent.content_type,
                **sent.headers,
            )
            if answer.streaming:
                b"".join(answer)
        except Exception as error:
            # It came out of the middleware: a server would have broken the line.
            self._find(person, sent, f"{route}: broke with {_where(error)}")
            return None
        took = Took(
            _used() - cpu, time.perf_counter() - wall, route, f"{person.name}: {sent}"[:400]
        )
        self.slowest = sorted([*self.slowest, took], key=lambda one: -one.seconds)[:10]
        self.statuses[answer.status_code] += 1
        if sent.method == "POST":
            self.answered.setdefault(route, Counter())[answer.status_code] += 1
            if answer.status_code not in {404, 405}:
                self.posted[route] += 1
        if answer.status_code >= 500:
            error = answer.exc_info[1] if getattr(answer, "exc_info", None) else None
            self._find(person, sent, f"{route}: {answer.status_code} {_where(error)}")
            return None
        if took.seconds > SLOW:
            self._find(person, sent, f"{route}: slow, {took.seconds:.1f} s")
        if sent.method == "POST":
            Practice.forget()
        return answer

    def _find(self, person: Person, sent: Sent, what: str) -> None:
        if what not in self.findings:
            self.findings[what] = f"{person.name}: {sent}"
            self.say(f"FOUND {what}\n    {self.findings[what]}")

    # --- what hypothesis draws --------------------------------------------------------

    def example(self, drawn: Drawn) -> None:
        if self.is_done:
            return
        person = drawn.one_of(self.people)
        how = drawn.one_of(["form"] * 12 + ["question"] * 4 + ["body"] * 2 + ["headers"] * 2)
        with self.undone(person):
            if how == "question":
                self._questions(drawn, person)
            elif how == "body":
                kind = drawn.one_of(odd.CONTENT_TYPES)
                action = self._form(drawn, person).action
                self.send(person, Sent("POST", action, drawn.body, kind))
            else:
                headers = drawn.one_of(odd.HEADERS) if how == "headers" else {}
                self._forms(drawn, person, headers)

    def _form(self, drawn: Drawn, person: Person) -> Form:
        routes = self.routes[person.name]
        return drawn.one_of(routes[drawn.one_of(sorted(routes))])

    def _forms(self, drawn: Drawn, person: Person, headers: dict[str, Any]) -> None:
        """A form, and up to two of those that stand on what it leads to."""
        form = self._form(drawn, person)
        for _step in range(drawn.one_of((1, 2, 3))):
            answer = self.send(person, filled(drawn, form, headers))
            address = form.action
            if answer is not None and answer.status_code == 302:
                address = urljoin(address, answer.headers["Location"])
                if urlsplit(address).netloc or not address.startswith("/"):
                    break
                answer = self.send(person, Sent("GET", address))
            page = None if answer is None else page_of(answer)
            forms = [] if page is None else [*forms_of(page, address)]
            forms = [one for one in forms if one.route not in {"logout", "switch", "admin:logout"}]
            if not forms:
                break
            form = drawn.one_of(forms)

    def _questions(self, drawn: Drawn, person: Person) -> None:
        """Odd answers to what addresses ask after "?"."""
        path, names = person.found.asked[drawn.one_of(sorted(person.found.asked))]
        known = [*sorted(names), *ASKED]
        fields = [(drawn.one_of(known), drawn.text()) for _ in range(drawn.one_of((1, 1, 2, 4)))]
        question = odd.urlencoded(fields).decode()[:7000]
        self.send(person, Sent("GET", f"{path}?{question}"))

    def as_it_stands(self) -> None:
        """Each form once, with what a careful person would type."""
        for person in self.people:
            for form in person.found.forms.values():
                if not self.is_done:
                    with self.undone(person):
                        self.send(person, encoded(form, plausible(form)))

    # --- what came of it --------------------------------------------------------------

    def report(self, never: set[str]) -> str:
        lines = [f"{self.requests} requests of {len(self.people)} people"]
        counts = ", ".join(f"{count} × {status}" for status, count in sorted(self.statuses.items()))
        lines += [f"answers: {counts}", "slowest, by the processor's time:"]
        lines += [
            f"  {one.seconds:.2f} s ({one.wall:.2f} s by the clock) {one.route}"
            for one in self.slowest
        ]
        lines += [
            f"addresses that took a POST: {len(self.posted)}; that never did: {sorted(never) or 'none'}"
        ]
        refused = sorted(
            route
            for route, answers in self.answered.items()
            if route in self.posted and not {200, 204, 302} & answers.keys()
        )
        lines += [f"of these, always refused: {refused or 'none'}"]
        lines += [f"FOUND {what}\n    {sent}" for what, sent in self.findings.items()]
        return "\n".join(lines)


def _used() -> float:
    """The processor's time of this process and of those that it started."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _where(error: BaseException | None) -> str:
    if error is None:
        return "without an exception"
    frames = traceback.extract_tb(error.__traceback__)
    ours = [
        frame
        for frame in frames
        if "/.venv/" not in frame.filename and "/tests/" not in frame.filename
    ]
    place = ours[-1] if ours else frames[-1]
    last = frames[-1]
    return (
        f"{type(error).__name__} {str(error)[:120]!r} at {place.filename.rpartition('/wt/')[2]}:"
        f"{place.lineno} ({last.filename.rpartition('/')[2]}:{last.lineno})"
    )


# --- forms ----------------------------------------------------------------------------

# What anybody might type, by words in a field's name.
TYPED = (
    ("due_on", "2031/11/30"),
    ("expires_on", "2031/12/31"),
    ("last_visit", "2025-05-01"),
    ("minutes", "10"),
    ("longest_hours", "6"),
    ("most", "4"),
    # For another choice than the first of their form.
    ("months", ""),
    ("age_from", ""),
    ("age_to", ""),
    ("email", "somebody@example.org"),
    ("phone", "(617) 555-0188"),
    ("date", "2016/04/27"),
    ("since", "2016/04"),
    ("born", "2016/04/27"),
    ("first_name", "Mia"),
    ("password", "copper-meadow-violin-81"),
    ("number", "7"),
    ("postal", "02100"),
    ("state", "MA"),
    ("version", ""),
    ("reason", "Because it was asked for."),
    ("patient_id", "N77"),
)


def plausible(form: Form, **known: str) -> list[tuple[str, str]]:
    """The form filled in so that it is taken, as far as names tell; `known` says what they do not."""
    fields = []
    for box in form.boxes:
        if box.kind in {"file", "button"}:
            continue
        value = known.get(box.name, box.value)
        if not value and box.name not in known and box.kind not in {"hidden", "checkbox"}:
            if box.choices:
                value = next((choice for choice in box.choices if choice), "")
            else:
                value = next((typed for word, typed in TYPED if word in box.name), "Some words")
        if value or box.kind == "hidden":
            fields.append((box.name, value))
    buttons = [box for box in form.boxes if box.kind == "button"]
    return fields + [(box.name, box.value) for box in buttons[:1]]


def encoded(
    form: Form,
    fields: list[tuple[str, str]],
    uploaded: list[tuple[str, tuple[str, str, bytes]]] | None = None,
    headers: dict[str, Any] | None = None,
) -> Sent:
    headers = headers or {}
    if form.method == "get":
        question = odd.urlencoded(fields).decode()[:7000]
        return Sent("GET", f"{form.action.partition('?')[0]}?{question}", headers=headers)
    if form.sends_files or uploaded:
        if uploaded is None:
            uploaded = [
                (box.name, ("card.png", "image/png", odd.CONTENTS[3]))
                for box in form.boxes
                if box.kind == "file"
            ]
        kind = f"multipart/form-data; boundary={odd.BOUNDARY}"
        return Sent("POST", form.action, odd.multipart(fields, uploaded), kind, headers)
    return Sent("POST", form.action, odd.urlencoded(fields), headers=headers)


def filled(drawn: Drawn, form: Form, headers: dict[str, Any]) -> Sent:
    """The form as a careful person fills it in, and then a few things wrong with it."""
    fields = plausible(form) if drawn.chance() else form.as_it_stands()
    buttons = [(box.name, box.value) for box in form.boxes if box.kind == "button"]
    if buttons and drawn.chance():
        fields = [one for one in fields if one not in buttons] + [drawn.one_of(buttons)]
    for _change in range(drawn.one_of((0, 1, 1, 2, 3, 4))):
        how = drawn.one_of(["odd"] * 6 + ["gone", "twice", "extra", "choice"])
        if how == "extra" or not form.boxes:
            fields.append((drawn.one_of(EXTRA), drawn.text()))
            continue
        box = drawn.one_of(form.boxes)
        if how != "twice":
            fields = [one for one in fields if one[0] != box.name]
        if how != "gone":
            is_choice = how == "choice" and box.choices
            fields.append((box.name, drawn.one_of(box.choices) if is_choice else drawn.text()))
    uploaded = None
    if form.sends_files and drawn.chance():
        names = [box.name for box in form.boxes if box.kind == "file"] or ["files"]
        uploaded = [(drawn.one_of(names), file) for file in drawn.files]
    return encoded(form, fields, uploaded, headers)


ASKED = ("next", "page", "p", "o", "q", "_popup", "_to_field", "_changelist_filters")
EXTRA = (
    "id",
    "member",
    "add",
    "remove",
    "file",
    "take",
    "later",
    "let_go",
    "keep_only",
    "confirm",
    "again",
    "next",
    "sending_id",
    "action",
    "_selected_action",
    "select_across",
    "index",
    "_save",
    "_continue",
    "_addanother",
    "form-TOTAL_FORMS",
    "form-INITIAL_FORMS",
    "form-0-id",
    "q",
    "search",
)
