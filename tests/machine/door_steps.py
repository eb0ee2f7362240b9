"""What families do at the door: signing in, choosing a person, links and passwords."""

from __future__ import annotations

import re

from tests.machine.asking import Asking
from tests.machine.model import (
    LINK_LIVES,
    Browser,
    Link,
    Login,
    Person,
    Session,
)
from tests.machine.pages import Form, Page

FAMILY_PASSWORD = "meadow copper violin raft"
STAFF_PASSWORD = "orchard lantern gravel plume"


class DoorSteps(Asking):
    # --- signing in and out -----------------------------------------------------------

    def sign_in(self, browser: Browser, login: Login, password: str) -> None:
        self.tell(f"{browser}: signs in as {login} with {password!r}")
        world = self.world
        signed_in = world.signed_in(browser)
        page = self.get(browser, "/login/")
        if signed_in is not None:
            # Whoever is in already sees no form; one from before does the same.
            self.expect(page, 302, "/")
            page = Page(200, "", self.wires[browser].get("/help/family/").body, "/login/")
            form = self.token(browser, Form("/login/", [], set()))
        else:
            self.expect(page, 200)
            form = page.form(ends="/login/", has="password")
        form = form.typed(email=login.email, password=password)
        before = browser.session
        answer = self.wires[browser].post(form.action, form.fields)
        is_right = bool(
            login.password and password == login.password and login.is_open and login.exists
        ) and world.is_on_file(login.email)
        if world.now < login.paused_until:
            self.kinds["sign-in paused"] += 1
            self._looked_at(browser, answer)
            self.expect(answer, 429)
            return
        login.misses += 1
        if not is_right:
            self.kinds["sign-in refused"] += 1
            world.misses += 1
            if login.misses >= 5:
                login.paused_until = world.now + min(60 * 2 ** (login.misses - 5), 3600)
            self._looked_at(browser, answer, {login.email})
            self.expect(answer, 422)
            return
        self.kinds["sign-in"] += 1
        login.misses, login.paused_until = 0, 0
        if before is None or before.login is not login:
            browser.epoch += 1
        if before is not None:
            before.is_over = True
        browser.session = Session(login, began=world.now, last_used=world.now)
        self._looked_at(browser, answer)
        self.expect(answer, 302, "/who/")

    def sign_out(self, browser: Browser) -> None:
        self.tell(f"{browser}: signs out")
        session = self.world.signed_in(browser)
        form = self.token(browser, Form("/logout/", [], set()))
        page = self.wires[browser].post(form.action, form.fields)
        if session is not None:
            session.is_over = True
        browser.session = None
        self.expect(page, 302, "/login/")
        self._looked_at(browser, page)

    # --- choosing the person ----------------------------------------------------------

    def pick(self, browser: Browser, first: str, born: str) -> None:
        self.tell(f"{browser}: chooses {first}, {born}")
        world = self.world
        session = world.signed_in(browser)
        page = self.get(browser, "/who/")
        if session is None:
            return self.expect(page, 302, "/login/")
        self.expect(page, 200)
        form = page.form(ends="/who/", has="first_name").typed(first_name=first, date_of_birth=born)
        answer = self.wires[browser].post(form.action, form.fields)
        login = session.login
        if world.now < login.pick_paused_until:
            self.kinds["pick paused"] += 1
            self._looked_at(browser, answer)
            return self.expect(answer, 429)
        login.pick_misses += 1
        found = world.matches(session, first, born)
        if len(found) == 1:
            self.kinds["pick"] += 1
            login.pick_misses, login.pick_paused_until = 0, 0
            self._picked(browser, session, found[0], answer)
            return None
        self.kinds["pick ambiguous" if found else "pick refused"] += 1
        world.misses += 1
        if login.pick_misses >= 5:
            login.pick_paused_until = world.now + min(60 * 2 ** (login.pick_misses - 5), 900)
        self._looked_at(browser, answer)
        self.expect(answer, 422)
        return self.say(("No match" not in answer.text) or not found, answer, "two people match")

    def _picked(self, browser: Browser, session: Session, person: Person, page: Page) -> None:
        self.expect(page, 302)
        self.say(bool(re.fullmatch(r"/for/[\w-]{22}/", page.location)), page, "no chart was opened")
        self.world.pick(session, person, page.location)
        self._looked_at(browser, page)
        home = self.get(browser, page.location)
        self.expect(home, 200)

    def pick_again(self, browser: Browser, person: Person) -> None:
        """One tap, for somebody whom this session has chosen before."""
        self.tell(f"{browser}: opens {person} again with one tap")
        session = self.world.signed_in(browser)
        page = self.get(browser, "/who/")
        if session is None:
            return self.expect(page, 302, "/login/")
        offered = self.world.chosen_before(session)
        names = {one.name for one in offered}
        shown = {one for one in names if one in page.text}
        self.say(shown == names, page, f"offers {shown}, not {names}")
        if person not in offered:
            return None
        self.kinds["pick again"] += 1
        form = next(
            form
            for form, item in zip(
                [one for one in page.forms if "again" in one.names],
                page.html.xpath("//form[.//input[@name='again']]"),
                strict=True,
            )
            if f"{person.name} " in " ".join(item.text_content().split()) + " "
        )
        answer = self.wires[browser].post(form.action, form.fields)
        self._picked(browser, session, person, answer)
        return None

    def switch(self, browser: Browser) -> None:
        self.tell(f"{browser}: switches person")
        world = self.world
        session = world.signed_in(browser)
        form = self.token(browser, Form("/switch/", [], set()))
        page = self.wires[browser].post(form.action, form.fields)
        if session is None:
            return self.expect(page, 302, "/login/")
        chart = session.chart
        if chart is not None:
            chart.is_open = False
            world.note(chart.person, "switch", "ok", "")
        self.kinds["switch"] += 1
        self._looked_at(browser, page)
        return self.expect(page, 302, "/who/")

    # --- links and passwords ----------------------------------------------------------

    def ask_link(self, browser: Browser, login: Login) -> None:
        self.tell(f"{browser}: asks for a link to {login}")
        world = self.world
        world.signed_in(browser)
        page = self.get(browser, "/password/")
        form = page.form(ends="/password/", has="email").typed(email=login.email)
        world.signed_in(browser)
        answer = self.post(browser, form)
        self.expect(answer, 302, "/password/sent/")
        before = {one.address for one in login.links}
        mails = login.asks(world.now) and world.is_on_file(login.email) and login.is_open
        new = [one for one in self.portal.mailed_links(login.email) if one not in before]
        self.say(len(new) == int(mails), answer, f"mailed {len(new)} links, not {int(mails)}")
        if mails:
            login.exists = True
            login.links.append(Link(new[0], login, world.now))
            self.kinds["link mailed"] += 1
        else:
            self.kinds["link not mailed"] += 1

    def follow_link(self, browser: Browser, link: Link) -> None:
        self.tell(f"{browser}: follows {link}")
        self.world.signed_in(browser)
        self.expect(self.get(browser, link.address), 302, "/password/choose/")
        browser.link = link

    def why_over(self, link: Link) -> bool:
        world = self.world
        is_old = world.now - link.mailed_at > LINK_LIVES
        return (
            link.state != "open"
            or is_old
            or not link.login.is_open
            or not world.is_on_file(link.login.email)
        )

    def set_password(self, browser: Browser, password: str, again: str) -> None:
        link = browser.link
        assert link is not None
        self.tell(f"{browser}: chooses {password!r} with {link}")
        world = self.world
        world.signed_in(browser)
        page = self.get(browser, "/password/choose/")
        if self.why_over(link):
            self.kinds["link over"] += 1
            self.expect(page, 410)
            return
        form = page.form(has="new_password1").typed(new_password1=password, new_password2=again)
        session = world.signed_in(browser)
        page = self.wires[browser].post(form.action, form.fields)
        if password != again:
            self._looked_at(browser, page)
            self.expect(page, 422)
            return
        self.kinds["password set"] += 1
        for one in link.login.links:
            one.state = "used" if one is link else "ended" if one.state == "open" else one.state
        login = link.login
        login.password, login.misses, login.paused_until = password, 0, 0
        world.end_sessions(login)
        if session is not None:
            session.is_over = True
        browser.session, browser.link = None, None
        self._looked_at(browser, page)
        self.expect(page, 302, "/login/")

    def change_password(self, browser: Browser, old: str, new: str) -> None:
        self.tell(f"{browser}: changes the password from {old!r} to {new!r}")
        world = self.world
        session = world.signed_in(browser)
        page = self.get(browser, "/password/change/")
        if session is None:
            self.expect(page, 302, "/login/")
            return
        form = page.form(has="old_password").typed(
            old_password=old, new_password1=new, new_password2=new
        )
        page = self.post(browser, form)
        login = session.login
        if old != login.password:
            self.kinds["password change refused"] += 1
            self.expect(page, 422)
            return
        self.kinds["password changed"] += 1
        login.password = new
        world.end_sessions(login, but=session)
        for link in login.links:
            link.state = "ended" if link.state == "open" else link.state
        self.expect(page, 302, "/account/")

    def end_others(self, browser: Browser) -> None:
        self.tell(f"{browser}: signs all other browsers out")
        session = self.world.signed_in(browser)
        page = self.get(browser, "/account/")
        if session is None:
            self.expect(page, 302, "/login/")
            return
        self.kinds["others signed out"] += 1
        self.expect(self.post(browser, page.form(ends="/account/end-others/")), 302, "/account/")
        self.world.end_sessions(session.login, but=session)
