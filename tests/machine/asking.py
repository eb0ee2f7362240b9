"""Asking the portal, and what holds for every answer it gives, whoever asks for what."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from tests.machine.model import (
    Browser,
    World,
)
from tests.machine.pages import Form, Page
from tests.machine.portals import Portal, Wire


class Wrong(AssertionError):
    """The portal did something else than the model says."""


class Asking:
    """A portal and what the model says of it; what holds for every answer, whoever asks."""

    def __init__(self, portal: Portal, world: World, code: str, staff: Wire) -> None:
        self.portal, self.world, self.code, self.staff = portal, world, code, staff
        self.wires: dict[Browser, Wire] = {one: portal.wire() for one in world.browsers}
        self.story: list[str] = []
        self.answers: Counter[int] = Counter()
        self.kinds: Counter[str] = Counter()
        self.files_before = self.files_now()

    def files_now(self) -> set[str]:
        """The documents on the disk; the pictures that the worker makes of their pages are left out."""
        folder = self.portal.files() / "documents"
        return {str(one) for one in folder.glob("*") if one.is_file()}

    # --- asking, and what holds for every answer --------------------------------------

    def tell(self, line: str) -> None:
        self.story.append(line)

    def get(self, browser: Browser, path: str) -> Page:
        return self._looked_at(browser, self.wires[browser].get(path))

    def post(
        self,
        browser: Browser,
        form: Form,
        files: Sequence[tuple[str, str, bytes]] = (),
    ) -> Page:
        page = self.wires[browser].post(form.action, form.fields, files)
        sent = {value for _name, value in form.fields}
        return self._looked_at(browser, page, sent)

    def _looked_at(self, browser: Browser, page: Page, sent: set[str] | None = None) -> Page:
        """Nothing of anybody who is not open here, on any answer there ever is."""
        self.answers[page.status] += 1
        self.say(page.status < 500, page, "the portal failed")
        session = browser.session
        is_in = session is not None and not session.is_over and session.login.is_open
        chart = self.world.open_chart(session) if is_in and session is not None else None
        may_read = set(sent or ())
        if chart is not None and session is not None:
            may_read |= chart.person.words()
            may_read |= {
                word
                for (email, person, _page), word in self.world.kept.items()
                if email == session.login.email and person is chart.person
            }
        leaked = page.words - may_read
        self.say(not leaked, page, f"shows {leaked} of {[*map(self.world.owner_of, leaked)]}")
        self.say(not re.search(r"zq[a-z]+qz|@|%40", page.location), page, "a word in an address")
        if page.is_html:
            household = self.world.household(session.login.email) if is_in and session else []
            named = {one.last for one in self.world.people if one.last.encode() in page.body}
            strangers = named - {one.last for one in household}
            self.say(not strangers, page, f"names {strangers}")
            if page.status == 200 and page.path.startswith("/for/"):
                assert chart is not None
                self.say(page.bound == [chart.person.name], page, f"is said to be for {page.bound}")
                self.say(page.title.startswith(chart.person.first), page, f"title {page.title}")
        return page

    def say(self, holds: bool, page: Page, what: str) -> None:
        if not holds:
            raise Wrong(f"{page.path}: {page.status} {page.location}: {what}\n{page.text[:700]}")

    def expect(self, page: Page, status: int | tuple[int, ...], to: str = "") -> None:
        wanted = status if isinstance(status, tuple) else (status,)
        self.say(page.status in wanted, page, f"expected {wanted} {to}")
        if to:
            self.say(page.location.split("?")[0] == to, page, f"expected to go to {to}")

    def token(self, browser: Browser, form: Form) -> Form:
        return form.typed(csrfmiddlewaretoken=self.wires[browser].token())
