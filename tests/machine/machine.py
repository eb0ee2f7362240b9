"""The state machine: which steps there are, when each can be taken, and that each run ends with everybody
having what is theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.internal.conjecture import engine
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.machine.chart_steps import PLAIN_PAGES
from tests.machine.door_steps import FAMILY_PASSWORD, STAFF_PASSWORD
from tests.machine.model import Browser, Chart, Paper, Person, Tab, World
from tests.machine.oracle import everything_is_where_it_belongs
from tests.machine.steps import Steps

PASSWORDS = [FAMILY_PASSWORD, "walnut fiddle harbor stone", "lilac ferry button marble"]
DATA = st.data()


_Step = Callable[["Story", Any], None]
_STEPS: dict[str, tuple[int, Callable[[Any], bool], _Step]] = {}


def step(weight: int, when: Callable[[Any], bool] = lambda _self: True) -> Callable[[_Step], _Step]:
    """A step that can be taken `when` this holds, so often beside the others. Hypothesis chooses among its
    own rules evenly, and for each run leaves many of them out: in a short run most would never meet."""

    def noted(take: _Step) -> _Step:
        _STEPS[take.__name__] = (weight, when, take)
        return take

    return noted


def all_steps() -> set[str]:
    return {*_STEPS}


class Story(RuleBasedStateMachine):
    """`begin` makes the world of one run, `end` puts it away; the fired rules are counted over all runs."""

    begin: Callable[[], Steps]
    end: Callable[[Steps], None]
    fired: Counter[str]
    kinds: Counter[str]
    answers: Counter[int]
    on_step: Callable[[Steps], None] | None = None

    def __init__(self) -> None:
        super().__init__()
        self.steps = type(self).begin()
        self.world: World = self.steps.world
        self.was_wrong = False
        self._draw: Callable[..., Any] = lambda *_: None

    # --- what can be chosen from ------------------------------------------------------

    def _one(self, data: Any, things: Any, label: str) -> Any:
        return data.draw(st.sampled_from([*things]), label=label)

    def _browsers(self) -> list[Browser]:
        return self.world.browsers

    def _with_chart(self) -> list[Browser]:
        """Browsers with a chart that is open, as far as the browser knows."""
        return [one for one in self.world.browsers if one.session is not None and one.session.chart]

    def _tabs_with_page(self) -> list[tuple[Browser, Tab]]:
        return [(one, tab) for one in self.world.browsers for tab in one.tabs if tab.page]

    def _papers(self, *states: str) -> list[tuple[Person, Paper]]:
        return [
            (person, paper)
            for person in self.world.people
            for paper in person.papers
            if not states or paper.status in states
        ]

    def _charts(self, browser: Browser) -> list[Chart]:
        """Every key that this browser has ever had, in any tab, the present one first."""
        session = browser.session
        mine = [] if session is None else session.charts[::-1]
        in_tabs = [tab.chart for tab in browser.tabs if tab.chart is not None]
        return list(dict.fromkeys([*mine, *in_tabs]))

    # --- beginning --------------------------------------------------------------------

    @initialize(data=DATA)
    def two_browsers(self, data: Any) -> None:
        """Both in, most often as the same family."""
        world = self.world
        first, second = world.browsers
        emails = list(dict.fromkeys(person.email for person in world.people))
        rivera = world.login(emails[0])
        self._step(lambda: self.steps.sign_in(first, rivera, rivera.password))
        self._step(lambda: self.steps.pick(first, world.people[0].first, world.people[0].born))
        other = world.login(self._one(data, [emails[0], emails[0], emails[1], emails[3]], "family"))
        self._step(lambda: self.steps.sign_in(second, other, other.password))
        person = self._one(data, world.household(other.email), "person")
        self._step(lambda: self.steps.pick(second, person.first, person.born))

    def _step(self, step: Callable[[], Any]) -> None:
        before = len(self.steps.story)
        try:
            step()
        except BaseException:
            self.was_wrong = True
            for line in self.steps.story[before:]:
                note(f"    → {line}   ← WRONG")
            raise
        for line in self.steps.story[before:]:
            note(f"    → {line}")
        if self.on_step is not None:
            type(self).on_step(self.steps)  # type: ignore[misc] # a plain function

    @rule(data=DATA)
    def next_step(self, data: Any) -> None:
        able = [
            one for one, (weight, when, _) in _STEPS.items() if when(self) for _n in range(weight)
        ]
        name = self._one(data, able, "step")
        _STEPS[name][2](self, data)
        type(self).fired[name] += 1

    # --- families: pages --------------------------------------------------------------

    @step(3, when=lambda self: bool(self._with_chart()))
    def open_page(self, data: Any) -> None:
        browser = self._one(data, self._with_chart(), "browser")
        tab = self._one(data, browser.tabs, "tab")
        name = self._one(data, PLAIN_PAGES, "page")
        chart = browser.session.chart
        self._step(lambda: self.steps.open(browser, tab, chart, PLAIN_PAGES[name]))

    @step(2, when=lambda self: any(self._charts(one) for one in self._browsers()))
    def open_by_an_old_key(self, data: Any) -> None:
        """From the history of the browser, or from that of the other one."""
        browser = self._one(data, self._browsers(), "browser")
        charts = [chart for one in self._browsers() for chart in self._charts(one)]
        chart = self._one(data, dict.fromkeys(charts), "key")
        inside = self._one(data, ["", *PLAIN_PAGES.values()], "page")
        tab = self._one(data, browser.tabs, "tab")
        self._step(lambda: self.steps.open(browser, tab, chart, inside))

    @step(7, when=lambda self: bool(self._with_chart()))
    def open_and_submit(self, data: Any) -> None:
        browser = self._one(data, self._with_chart(), "browser")
        tab = self._one(data, browser.tabs, "tab")
        if self._open_any(data, browser, tab):
            self._step(lambda: self.steps.submit(browser, tab))

    @step(5, when=lambda self: bool(self._with_chart()))
    def submit_after_the_person_changed(self, data: Any) -> None:
        """The likeliest way to the wrong chart: a page, another person in another tab, and then Send."""
        browser = self._one(data, self._with_chart(), "browser")
        tab = self._one(data, browser.tabs, "tab")
        person = self._one(
            data, self.world.household(browser.session.login.email) or [None], "other"
        )
        if person is not None and self._open_any(data, browser, tab):
            self._step(lambda: self.steps.pick(browser, person.first, person.born))
            self._step(lambda: self.steps.submit(browser, tab))

    def _open_any(self, data: Any, browser: Browser, tab: Tab) -> bool:
        chart = browser.session.chart  # type: ignore[union-attr] # it has one
        assert chart is not None
        tab.page = ""
        pages = ["documents", *PLAIN_PAGES, "documents", "question 1", "question 2", "check"]
        name = self._one(data, pages, "page")
        if name in PLAIN_PAGES:
            self._step(lambda: self.steps.open(browser, tab, chart, PLAIN_PAGES[name]))
        else:
            place = {"question 1": 0, "question 2": 1, "check": None}[name]
            self._step(lambda: self.steps.open_form(browser, tab, chart, place))
        return bool(tab.page)

    @step(4, when=lambda self: bool(self._tabs_with_page()))
    def submit(self, data: Any) -> None:
        browser, tab = self._one(data, self._tabs_with_page(), "tab")
        retype = data.draw(st.integers(0, 5), label="typed anew") == 5
        self._step(lambda: self.steps.submit(browser, tab, retype=retype))

    @step(3, when=lambda self: bool(self._tabs_with_page()))
    def submit_twice(self, data: Any) -> None:
        browser, tab = self._one(data, self._tabs_with_page(), "tab")
        self._step(lambda: self.steps.submit(browser, tab))
        self._step(lambda: self.steps.submit(browser, tab))

    @step(3, when=lambda self: bool(self._tabs_with_page()))
    def submit_with_a_fresh_token(self, data: Any) -> None:
        browser, tab = self._one(data, self._tabs_with_page(), "tab")
        self._step(lambda: self.steps.submit(browser, tab, fresh_token=True))

    @step(3, when=lambda self: bool(self._tabs_with_page()))
    def submit_under_another_key(self, data: Any) -> None:
        browser, tab = self._one(data, self._tabs_with_page(), "tab")
        charts = [chart for one in self._browsers() for chart in self._charts(one)]
        chart = self._one(data, dict.fromkeys(charts), "key")
        self._step(lambda: self.steps.submit(browser, tab, fresh_token=True, under=chart))

    @step(2, when=lambda self: bool(self._tabs_with_page()))
    def page_runs_out(self, data: Any) -> None:
        browser, tab = self._one(data, self._tabs_with_page(), "tab")
        self._step(lambda: self.steps.submit(browser, tab, only_keep=True))

    @step(7, when=lambda self: bool(self._papers()) and any(map(self._charts, self._browsers())))
    def download(self, data: Any) -> None:
        able = [one for one in self._browsers() if self._charts(one)]
        browser = self._one(data, able, "browser")
        charts = self._charts(browser)
        chart = self._one(data, charts[:1] * 3 + charts, "key")
        theirs = [(chart.person, paper) for paper in chart.person.papers]
        owner, paper = self._one(data, theirs * 3 + self._papers(), "document")
        self._step(lambda: self.steps.download(browser, chart, paper, owner))

    @step(3, when=lambda self: bool(self._papers()) and bool(self._with_chart()))
    def withdraw(self, data: Any) -> None:
        browser = self._one(data, self._with_chart(), "browser")
        tab = self._one(data, browser.tabs, "tab")
        chart = browser.session.chart
        theirs = [(chart.person, paper) for paper in chart.person.papers]
        owner, paper = self._one(data, theirs * 3 + self._papers(), "document")
        self._step(lambda: self.steps.open_withdrawal(browser, tab, chart, paper, owner))
        if tab.paper is paper and data.draw(st.booleans(), label="press it"):
            self._step(lambda: self.steps.submit(browser, tab))

    @step(2, when=lambda self: bool(self._with_chart()))
    def open_form(self, data: Any) -> None:
        browser = self._one(data, self._with_chart(), "browser")
        tab = self._one(data, browser.tabs, "tab")
        place = self._one(data, [0, 1, None], "where")
        self._step(lambda: self.steps.open_form(browser, tab, browser.session.chart, place))

    # --- families: in and out ---------------------------------------------------------

    @step(2)
    def sign_in(self, data: Any) -> None:
        browser = self._one(data, self._browsers(), "browser")
        login = self._one(data, self.world.logins.values(), "login")
        right = login.password or FAMILY_PASSWORD
        ways = [right, right, right, "not the right one at all", STAFF_PASSWORD]
        password = self._one(data, ways if self.world.misses < 20 else [right], "password")
        self._step(lambda: self.steps.sign_in(browser, login, password))

    @step(4)
    def sign_in_again(self, data: Any) -> None:
        """The same family, and the chart it wants: what a family does after any interruption."""
        outside = [one for one in self._browsers() if one.session is None or one.session.is_over]
        browser = self._one(data, outside or self._browsers(), "browser")
        logins = [one for one in self.world.logins.values() if self.world.is_on_file(one.email)]
        login = self._one(data, logins[:1] * 2 + logins, "login") if logins else None
        if login is None or not login.password:
            return
        self._step(lambda: self.steps.sign_in(browser, login, login.password))
        household = self.world.household(login.email)
        if household:
            person = self._one(data, household, "person")
            self._step(lambda: self.steps.pick(browser, person.first, person.born))

    @step(1, when=lambda self: any(one.session for one in self._browsers()))
    def sign_out(self, data: Any) -> None:
        browser = self._one(data, [one for one in self._browsers() if one.session], "browser")
        self._step(lambda: self.steps.sign_out(browser))

    @step(3, when=lambda self: any(one.session for one in self._browsers()))
    def pick(self, data: Any) -> None:
        browser = self._one(data, [one for one in self._browsers() if one.session], "browser")
        household = self.world.household(browser.session.login.email)
        others = [one for one in self.world.people if one not in household]
        person = self._one(data, household * 3 + others if household else others, "person")
        first, born = person.first, person.born
        if self.world.misses < 20 and data.draw(st.integers(0, 9), label="slip") == 9:
            first, born = self._one(
                data,
                [(first[:2], born), ("%", born), (first, "2001/01/01"), ("Zoe", born)],
                "typed",
            )
        self._step(lambda: self.steps.pick(browser, first, born))

    @step(2, when=lambda self: any(one.session and one.session.charts for one in self._browsers()))
    def pick_again(self, data: Any) -> None:
        able = [one for one in self._browsers() if one.session and one.session.charts]
        browser = self._one(data, able, "browser")
        people = list(dict.fromkeys(chart.person for chart in browser.session.charts))
        person = self._one(data, people, "person")
        self._step(lambda: self.steps.pick_again(browser, person))

    @step(2, when=lambda self: any(one.session for one in self._browsers()))
    def switch(self, data: Any) -> None:
        browser = self._one(data, [one for one in self._browsers() if one.session], "browser")
        self._step(lambda: self.steps.switch(browser))

    @step(4, when=lambda self: bool(self._with_chart()))
    def change_person_in_another_tab(self, data: Any) -> None:
        """The likeliest way to the wrong chart."""
        browser = self._one(data, self._with_chart(), "browser")
        household = self.world.household(browser.session.login.email)
        others = [one for one in household if one is not browser.session.chart.person]
        if not others:
            return
        person = self._one(data, others, "person")
        self._step(lambda: self.steps.pick(browser, person.first, person.born))

    # --- families: links and passwords ------------------------------------------------

    @step(2)
    def ask_link(self, data: Any) -> None:
        browser = self._one(data, self._browsers(), "browser")
        login = self._one(data, self.world.logins.values(), "login")
        self._step(lambda: self.steps.ask_link(browser, login))

    def _links(self) -> list[Any]:
        return [link for login in self.world.logins.values() for link in login.links]

    @step(3, when=lambda self: bool(self._links()))
    def use_link(self, data: Any) -> None:
        browser = self._one(data, self._browsers(), "browser")
        link = self._one(data, self._links(), "link")
        self._step(lambda: self.steps.follow_link(browser, link))
        new = self._one(data, PASSWORDS, "password")
        again = self._one(data, [new, new, new, f"{new} x"], "again")
        if data.draw(st.booleans(), label="now"):
            self._step(lambda: self.steps.set_password(browser, new, again))

    @step(3, when=lambda self: any(one.link for one in self._browsers()))
    def set_password(self, data: Any) -> None:
        browser = self._one(data, [one for one in self._browsers() if one.link], "browser")
        new = self._one(data, PASSWORDS, "password")
        self._step(lambda: self.steps.set_password(browser, new, new))

    @step(1, when=lambda self: any(one.session for one in self._browsers()))
    def change_password(self, data: Any) -> None:
        browser = self._one(data, [one for one in self._browsers() if one.session], "browser")
        right = browser.session.login.password
        old = self._one(data, [right, right, "not the right one at all"], "old password")
        # Three wrong ones are far from a pause.
        if old != right and self.steps.kinds["password change refused"] > 2:
            old = right
        new = self._one(data, PASSWORDS, "password")
        self._step(lambda: self.steps.change_password(browser, old, new))

    @step(1, when=lambda self: any(one.session for one in self._browsers()))
    def end_others(self, data: Any) -> None:
        browser = self._one(data, [one for one in self._browsers() if one.session], "browser")
        self._step(lambda: self.steps.end_others(browser))

    # --- the practice -----------------------------------------------------------------

    def _person(self, data: Any) -> Person:
        """Most often somebody whose chart is open somewhere."""
        people = self.world.people
        open_now = [one.session.chart.person for one in self._with_chart()]
        return self._one(data, [*open_now, *open_now, *people], "person")

    @step(2)
    def staff_moves_person(self, data: Any) -> None:
        person = self._person(data)
        email = self._one(data, self.world.logins, "email")
        self._step(lambda: self.steps.staff_moves(person, email))

    @step(2)
    def staff_opens_or_closes_chart(self, data: Any) -> None:
        closed = [one for one in self.world.people if not one.access]
        person = self._one(data, closed, "person") if closed else self._person(data)
        on = not person.access
        self._step(lambda: self.steps.staff_opens_chart(person, on))

    @step(1)
    def staff_activates(self, data: Any) -> None:
        closed = [one for one in self.world.people if not one.active]
        person = self._one(data, closed, "person") if closed else self._person(data)
        on = not person.active
        self._step(lambda: self.steps.staff_activates(person, on))

    @step(2)
    def staff_corrects(self, data: Any) -> None:
        person = self._person(data)
        if data.draw(st.booleans(), label="the name"):
            first = (
                person.first.removesuffix("lyn")
                if person.first.endswith("lyn")
                else f"{person.first}lyn"
            )
            self._step(lambda: self.steps.staff_writes(person, first_name=first))
        else:
            day = self._one(
                data, [day for day in ("02", "14", "28") if day != person.born[-2:]], "day"
            )
            born = person.born[:-2] + day
            self._step(lambda: self.steps.staff_writes(person, date_of_birth=born))

    @step(1)
    def staff_ends_sessions(self, data: Any) -> None:
        logins = [one for one in self.world.logins.values() if one.exists]
        login = self._one(data, logins[:1] * 2 + logins, "login")
        self._step(lambda: self.steps.staff_ends_sessions(login))

    @step(2)
    def staff_pauses(self, data: Any) -> None:
        paused = [one for one in self.world.logins.values() if not one.is_open]
        logins = [one for one in self.world.logins.values() if one.exists]
        login = self._one(data, paused or logins, "login")
        is_open = not login.is_open
        self._step(lambda: self.steps.staff_pauses(login, is_open))

    @step(3, when=lambda self: bool(self._papers("received", "seen", "filed", "returned")))
    def staff_decides_paper(self, data: Any) -> None:
        papers = self._papers("received", "seen", "filed", "returned")
        person, paper = self._one(data, papers, "document")
        decision = self._one(data, ["see", "file", "return"], "decision")
        self._step(lambda: self.steps.staff_decides_paper(person, paper, decision))

    @step(3, when=lambda self: bool(self._papers()))
    def staff_refiles(self, data: Any) -> None:
        person, paper = self._one(data, self._papers(), "document")
        siblings = [
            one for one in self.world.people if one.email == person.email and one is not person
        ]
        if not siblings:
            return
        to = self._one(data, siblings, "to")
        self._step(lambda: self.steps.staff_refiles(person, paper, to))

    @step(3, when=lambda self: any(one.waiting for one in self.world.people))
    def staff_decides_address(self, data: Any) -> None:
        person = self._one(data, [one for one in self.world.people if one.waiting], "person")
        accept = data.draw(st.booleans(), label="accept")
        self._step(lambda: self.steps.staff_decides_address(person, accept))

    @step(2, when=lambda self: bool(self._allergies()))
    def staff_decides_allergy(self, data: Any) -> None:
        person, allergy = self._one(data, self._allergies(), "allergy")
        accept = data.draw(st.booleans(), label="accept")
        self._step(lambda: self.steps.staff_decides_allergy(person, allergy, accept))

    def _allergies(self) -> list[tuple[Person, Any]]:
        return [
            (person, one)
            for person in self.world.people
            for one in person.allergies
            if one.decision == "waiting"
        ]

    def _sent_forms(self) -> list[tuple[Person, Any]]:
        return [
            (person, form)
            for person in self.world.people
            for form in person.forms
            if form.status == "received"
        ]

    @step(2, when=lambda self: bool(self._sent_forms()))
    def staff_decides_form(self, data: Any) -> None:
        person, form = self._one(data, self._sent_forms(), "form")
        decision = self._one(data, ["file", "return"], "decision")
        self._step(lambda: self.steps.staff_decides_form(person, form, decision))

    # --- time and accidents -----------------------------------------------------------

    @step(2)
    def time_passes(self, data: Any) -> None:
        minutes = self._one(data, [6, 20, 20, 26 * 60], "minutes")
        self._step(lambda: self.steps.time_passes(minutes))

    @step(1)
    def restart(self, data: Any) -> None:
        self._step(self.steps.restart)

    # --- the end ----------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            if not self.was_wrong:
                everything_is_where_it_belongs(self.steps)
        finally:
            type(self).kinds.update(self.steps.kinds)
            type(self).answers.update(self.steps.answers)
            type(self).end(self.steps)


def hypothesis_here(monkeypatch: Any, shrinking_seconds: int) -> None:
    """Hypothesis as this machine needs it: it copies parts of a run over others to find equal values, which
    here only takes the same step again and again; and a story is short enough after a while."""
    monkeypatch.setattr(engine.ConjectureRunner, "generate_mutations_from", lambda *_: None)
    monkeypatch.setattr(engine, "MAX_SHRINKING_SECONDS", shrinking_seconds)


def machine_of(begin: Callable[[], Steps], end: Callable[[Steps], None]) -> type[Story]:
    """The machine for one portal, with counts of its own."""
    ways = {"begin": staticmethod(begin), "end": staticmethod(end)}
    counts = {"fired": Counter(), "kinds": Counter(), "answers": Counter()}
    return type("Families", (Story,), {**ways, **counts})
