"""Who owns what, in plain Python: the portal as it is meant to be. It knows nothing of Django, of HTTP or of
our code, and says of each step which kind of answer has to come, and what every chart holds then."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

IDLE = 15 * 60
OLDEST = 8 * 3600
LINK_LIVES = 24 * 3600
LETTERS = "bcdfghjklmnprstv"


class Words:
    """Words that stand nowhere else: where one of them turns up, everybody knows whose it is."""

    def __init__(self, code: str) -> None:
        self._code, self._numbers = code, itertools.count()

    def new(self) -> str:
        number, letters = next(self._numbers), ""
        for _place in range(4):
            number, place = divmod(number, len(LETTERS))
            letters += LETTERS[place]
        return f"zq{self._code}{letters}qz"


class Named:
    """Things that a story calls by what `__repr__` says."""

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))


# --- people and what they sent --------------------------------------------------------


@dataclass(eq=False, repr=False)
class Paper(Named):
    """A document that was acknowledged."""

    word: str
    data: bytes
    sending: str
    status: str = "received"
    number: int = 0  # admin's
    public_id: str = ""

    def __repr__(self) -> str:
        return f"{self.word}.pdf ({self.status})"

    @property
    def has_bytes(self) -> bool:
        return self.status != "withdrawn"


@dataclass(eq=False, repr=False)
class Change(Named):
    """A proposed address."""

    word: str
    page: tuple[str, str, str]  # sending, word, what was seen
    decision: str = "waiting"

    def __repr__(self) -> str:
        return f"{self.word} ({self.decision})"


@dataclass(eq=False, repr=False)
class Allergy(Named):
    word: str
    page: tuple[str, str]
    decision: str = "waiting"

    def __repr__(self) -> str:
        return f"{self.word} ({self.decision})"


@dataclass(eq=False, repr=False)
class Answers(Named):
    """A form being filled in, or sent: two questions on two pages."""

    public_id: str
    answers: list[str] = field(default_factory=lambda: ["", ""])
    revision: int = 0
    sent: bool = False
    status: str = ""

    def __repr__(self) -> str:
        return f"form with {self.answers}"


@dataclass(eq=False, repr=False)
class Person(Named):
    first: str
    last: str
    born: str
    email: str
    patient_id: str
    number: int = 0  # admin's
    access: bool = True
    active: bool = True
    papers: list[Paper] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    address: str = ""
    allergies: list[Allergy] = field(default_factory=list)
    forms: list[Answers] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"

    @property
    def is_opened(self) -> bool:
        return self.access and self.active and bool(self.email)

    @property
    def waiting(self) -> Change | None:
        return next((one for one in self.changes if one.decision == "waiting"), None)

    @property
    def seen(self) -> str:
        """What somebody saw who opened the page of the address now."""
        waiting = self.waiting
        return f"{self.address}|{waiting.page if waiting else ''}"

    @property
    def draft(self) -> Answers | None:
        return next((one for one in self.forms if not one.sent), None)

    @property
    def returned_form(self) -> Answers | None:
        """The form that was sent last, where the practice wants it put right."""
        sent = [one for one in self.forms if one.sent]
        return sent[-1] if sent and sent[-1].status == "returned" else None

    def words(self) -> set[str]:
        """Every word that is this person's."""
        answers = {word for form in self.forms for word in form.answers}
        return {
            *(paper.word for paper in self.papers),
            *(change.word for change in self.changes),
            *(allergy.word for allergy in self.allergies),
            *answers,
            self.address,
        } - {""}

    def __repr__(self) -> str:
        return self.name


# --- logins, sessions, browsers -------------------------------------------------------


@dataclass(eq=False, repr=False)
class Link(Named):
    address: str
    login: Login
    mailed_at: float
    state: str = "open"

    def __repr__(self) -> str:
        return f"link {self.login.links.index(self) + 1} to {self.login}"


@dataclass(eq=False, repr=False)
class Login(Named):
    email: str
    password: str = ""
    is_open: bool = True
    number: int = 0
    exists: bool = True
    misses: int = 0
    paused_until: float = 0
    pick_misses: int = 0
    pick_paused_until: float = 0
    # How many links were asked for in the hour that began then; with the third, an hour's pause begins.
    asked: int = 0
    asked_since: float = 0
    asked_out_until: float = 0
    links: list[Link] = field(default_factory=list)

    def asks(self, now: float) -> bool:
        """A link is asked for: whether that is let through."""
        if now < self.asked_out_until:
            return False
        if now - self.asked_since >= 3600:
            self.asked, self.asked_since = 0, now
        self.asked += 1
        if self.asked >= 3:
            self.asked_out_until = now + 3600
        return True

    def __repr__(self) -> str:
        return self.email


@dataclass(eq=False, repr=False)
class Chart(Named):
    """A choice of a person: the key that stands in the addresses of their pages."""

    home: str
    person: Person
    session: Session
    is_open: bool = True

    def __repr__(self) -> str:
        return f"key {self.session.charts.index(self) + 1} of {self.session}, {self.person.name}"


@dataclass(eq=False, repr=False)
class Session(Named):
    login: Login
    began: float
    last_used: float
    is_over: bool = False
    charts: list[Chart] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"a session of {self.login}"

    @property
    def chart(self) -> Chart | None:
        return next((one for one in self.charts if one.is_open), None)


@dataclass(eq=False, repr=False)
class Tab(Named):
    """A page that stands in a tab, with the form on it."""

    name: str
    page: str = ""  # inside the chart, such as "documents/"
    chart: Chart | None = None
    epoch: int = 0
    action: str = ""
    fields: list[tuple[str, str]] = field(default_factory=list)
    seen: str = ""
    word: str = ""
    data: bytes = b""
    # Of a form's pages: the form, which question, what stood there, which state of the whole.
    form: Answers | None = None
    place: int = 0
    base: str = ""
    revision: int = 0
    # Of a document's own page.
    paper: Paper | None = None

    def __repr__(self) -> str:
        if not self.page:
            return f"{self.name} (empty)"
        assert self.chart is not None
        return f"{self.name} ({self.page} of {self.chart.person.name})"


@dataclass(eq=False, repr=False)
class Browser(Named):
    name: str
    tabs: list[Tab]
    session: Session | None = None
    # Rises with each sign-in that makes the forms on older pages void.
    epoch: int = 0
    link: Link | None = None

    def __repr__(self) -> str:
        return self.name


# --- the world ------------------------------------------------------------------------


class World:
    """Everything there is. Methods are what can happen; each returns what has to be answered."""

    def __init__(self, people: list[Person], code: str = "") -> None:
        self.people = people
        self.words = Words(code)
        self.logins: dict[str, Login] = {}
        self.browsers = [
            Browser(f"browser {number}", [Tab(f"tab {tab}") for tab in (1, 2, 3)])
            for number in (1, 2)
        ]
        # (email, person, page): the text, and what stood there when it was typed.
        self.kept: dict[tuple[str, Person, str], str] = {}
        self.kept_base: dict[tuple[str, Person, str], str] = {}
        # (person, action, outcome, kind): how often the audit has to say so.
        self.audited: Counter[tuple[int, str, str, str]] = Counter()
        self._passed = 0.0
        self.misses = 0

    # --- time -------------------------------------------------------------------------

    @property
    def now(self) -> float:
        return time.time() + self._passed

    def time_passes(self, seconds: float) -> None:
        self._passed += seconds

    # --- who belongs where ------------------------------------------------------------

    def household(self, email: str) -> list[Person]:
        return [one for one in self.people if one.email == email and one.is_opened]

    def is_on_file(self, email: str) -> bool:
        return bool(self.household(email))

    def login(self, email: str) -> Login:
        """Also of an address that nobody has on file."""
        return self.logins.setdefault(email, Login(email, exists=False))

    def owner_of(self, word: str) -> Person | None:
        return next((one for one in self.people if word in one.words()), None)

    # --- sessions ---------------------------------------------------------------------

    def sessions(self) -> list[Session]:
        return [one.session for one in self.browsers if one.session is not None]

    def signed_in(self, browser: Browser) -> Session | None:
        """The browser asks for a page: its session, used once more, or None."""
        session = browser.session
        if session is None or session.is_over:
            return None
        if self.is_too_old(session) or not session.login.is_open:
            session.is_over = True
            return None
        session.last_used = self.now
        return session

    def is_too_old(self, session: Session) -> bool:
        return self.now - session.last_used >= IDLE or self.now - session.began >= OLDEST

    def open_chart(self, session: Session) -> Chart | None:
        chart = session.chart
        if chart is None or chart.person not in self.household(session.login.email):
            return None
        return chart

    def close_lost(self, session: Session) -> None:
        """The session asked for a page without an open chart: what it may not open any more is closed."""
        for chart in session.charts:
            if chart.is_open and chart.person not in self.household(session.login.email):
                chart.is_open = False

    def end_sessions(self, login: Login, but: Session | None = None) -> None:
        for session in self.sessions():
            if session.login is login and session is not but:
                session.is_over = True

    def end_charts(self, person: Person) -> None:
        """The practice changed who this is, or whether they may be opened."""
        for session in self.sessions():
            for chart in session.charts:
                if chart.person is person:
                    chart.is_open = False

    def left(self, email: str) -> None:
        """Somebody was taken off this email: with nobody left its sessions and links end."""
        if email and not self.is_on_file(email):
            login = self.login(email)
            self.end_sessions(login)
            for link in login.links:
                if link.state == "open":
                    link.state = "ended"

    # --- the gate ---------------------------------------------------------------------

    def keep(self, session: Session | None, chart: Chart, page: str, word: str) -> bool:
        """Text of a page that could not be sent is kept for its person, for who had it open."""
        if session is None or not word or not session.login.is_open:
            return False
        if chart.session.login is not session.login:
            return False
        if chart.person not in self.household(session.login.email):
            return False
        self.kept[session.login.email, chart.person, page] = word
        return True

    def is_known(self, session: Session, chart: Chart) -> bool:
        """Whether the page of a stale key says whose it was."""
        return chart.session.login is session.login and chart.person in self.household(
            session.login.email
        )

    def gate(self, browser: Browser, chart: Chart, page: str, word: str) -> str:
        """ "sign-in", "picker", "stale" or "open"; typed text that is not let through is kept."""
        session = self.signed_in(browser)
        if session is None:
            self.keep(browser.session, chart, page, word)
            return "sign-in"
        current = self.open_chart(session)
        if current is chart:
            return "open"
        self.keep(session, chart, page, word)
        if current is None:
            self.close_lost(session)
            return "picker"
        return "stale"

    def matches(self, session: Session, first: str, born: str) -> list[Person]:
        household = self.household(session.login.email)
        return [one for one in household if one.first == first and one.born == born]

    def chosen_before(self, session: Session) -> list[Person]:
        """One tap away: chosen in this session, may still be opened, and not open now."""
        latest: dict[Person, Chart] = {}
        for chart in session.charts:
            latest[chart.person] = chart
        household = self.household(session.login.email)
        return [
            person for person, chart in latest.items() if person in household and not chart.is_open
        ]

    def pick(self, session: Session, person: Person, home: str) -> Chart:
        for chart in session.charts:
            chart.is_open = False
        chart = Chart(home, person, session)
        session.charts.append(chart)
        self.note(person, "pick", "ok", "")
        return chart

    def note(self, person: Person, action: str, outcome: str, kind: str) -> None:
        self.audited[person.number, action, outcome, kind] += 1
