"""What families and staff do, through pages: each step asks the model what has to come, does it, compares."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

from tests.machine.model import (
    LINK_LIVES,
    Allergy,
    Answers,
    Browser,
    Change,
    Chart,
    Link,
    Login,
    Paper,
    Person,
    Session,
    Tab,
    World,
)
from tests.machine.pages import Form, Page
from tests.machine.portals import Portal, Wire, in_the_past, pdf

FAMILY_PASSWORD = "meadow copper violin raft"
STAFF_PASSWORD = "orchard lantern gravel plume"
# How addresses call the pages of FORM, one question on each.
QUESTIONS = ("p1", "p2")
PAGES = tuple(hashlib.sha256(one.encode()).hexdigest()[:12] for one in QUESTIONS)
FORM = {
    "resourceType": "Questionnaire",
    "url": "urn:machine:visit",
    "title": "Before the visit",
    "status": "active",
    "item": [
        {
            "linkId": page,
            "type": "group",
            "text": f"Part {number}",
            "item": [{"linkId": f"{page}q", "type": "string", "text": f"Question {number}"}],
        }
        for number, page in enumerate(QUESTIONS, 1)
    ],
}
# What a page is called in the story, and its address inside the chart.
PLAIN_PAGES = {
    "documents": "documents/",
    "address": "demographics/address/",
    "allergy": "history/allergies/add/",
}
BOX = {
    "documents/": "note",
    "demographics/address/": "address_1",
    "history/allergies/add/": "substance",
}


class Wrong(AssertionError):
    """The portal did something else than the model says."""


class Steps:
    """One run: a world as the model has it, and the same people in a portal."""

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

    # --- pages ------------------------------------------------------------------------

    def passes(self, browser: Browser, page: Page, gate: str, chart: Chart) -> bool:
        """Whether the gate let it through; if not, that it said what it has to."""
        self.kinds[f"gate {gate}"] += 1
        session = browser.session
        if gate == "open":
            return True
        if gate == "sign-in":
            self.expect(page, 302, "/login/")
        elif gate == "picker":
            self.expect(page, 302, "/who/")
        else:
            assert session is not None
            current = self.world.open_chart(session)
            assert current is not None
            self.expect(page, 409)
            self.say(current.person.name in page.text, page, "does not say who is open")
            if self.world.is_known(session, chart):
                self.say(chart.person.name in page.text, page, "does not say whose page it was")
            else:
                self.say("We cannot tell" in page.text, page, "says whose page it was")
            self.say(not page.bound, page, "is bound")
        return False

    def open(self, browser: Browser, tab: Tab, chart: Chart, inside: str) -> bool:
        """Open a page of a chart in a tab. Whether it is there."""
        self.tell(f"{browser} {tab.name}: opens {inside or 'home'} of {chart.person}")
        gate = self.world.gate(browser, chart, inside, "")
        page = self.get(browser, f"{chart.home}{inside}")
        if not self.passes(browser, page, gate, chart):
            return False
        self._into(browser, tab, chart, inside, page)
        return tab.page != ""

    def _into(self, browser: Browser, tab: Tab, chart: Chart, inside: str, page: Page) -> None:
        tab.page, tab.chart, tab.epoch = "", chart, browser.epoch
        tab.paper = tab.form = None
        if inside in BOX:
            self.expect(page, 200)
            form = page.form(ends=inside, has=BOX[inside])
            self._shows_kept(browser, chart, inside, page, form.value(BOX[inside]))
            tab.page, tab.action, tab.fields = inside, form.action, form.fields
            tab.seen = chart.person.seen
            kept = self.world.kept.get((self._email(browser), chart.person, inside), "")
            tab.word, tab.data = kept, b""
            if inside == "documents/":
                shown = {paper.word for paper in chart.person.papers if paper.has_bytes}
                self.say(shown <= page.words, page, f"does not list {shown - page.words}")
        elif not inside:
            self.expect(page, 200)
        else:
            self.expect(page, 200)

    def _email(self, browser: Browser) -> str:
        assert browser.session is not None
        return browser.session.login.email

    def _shows_kept(
        self, browser: Browser, chart: Chart, inside: str, page: Page, stands: str
    ) -> None:
        """What could not be sent is offered back to its person, by whoever had it open."""
        kept = self.world.kept.get((self._email(browser), chart.person, inside), "")
        if kept:
            self.kinds["offered back"] += 1
            self.say(stands == kept, page, f"offers {stands!r}, not {kept!r} that was kept")

    # --- sending ----------------------------------------------------------------------

    def submit(
        self,
        browser: Browser,
        tab: Tab,
        *,
        fresh_token: bool = False,
        under: Chart | None = None,
        retype: bool = False,
        only_keep: bool = False,
    ) -> None:
        """Press the button of the page that stands in the tab. `under`: with the key of another chart."""
        assert tab.chart is not None
        world = self.world
        chart = under or tab.chart
        if retype or not tab.word:
            tab.word, tab.data = world.words.new(), b""
        if tab.page.endswith(("check/", "withdraw/")):
            tab.word = ""
        ways = [
            f"with the key of {chart.person}'s chart" if under else "",
            "with a fresh token" if fresh_token else "",
            "typed anew" if retype else "",
            "as the page does when time runs out" if only_keep else "",
        ]
        how = ", ".join(filter(None, ways))
        self.tell(f"{browser} {tab}: sends {tab.word or 'it'}{f' ({how})' if how else ''}")
        form, files = self._filled(tab)
        form = Form(form.action.replace(tab.chart.home, chart.home), form.fields, form.names)
        if fresh_token:
            form = self.token(browser, form)
        if only_keep:
            form = form.typed(keep_only="1")
            files = []
        if not fresh_token and tab.epoch != browser.epoch:
            self.kinds["token void"] += 1
            # Also where nobody is signed in any more: the session is used, or found to be over, all the same.
            world.signed_in(browser)
            page = self.post(browser, form, files)
            self.expect(page, 403)
            return
        if only_keep:
            self._only_keep(browser, tab, chart, form)
            return
        gate = world.gate(browser, chart, tab.page, tab.word)
        if gate == "stale" and tab.word:
            self.kinds["stale page sent"] += 1
        if gate == "open":
            self._arrives(browser, tab, chart, form, files)
            return
        self._remember_base(browser, tab, chart)
        self.passes(browser, self.post(browser, form, files), gate, chart)

    def _only_keep(self, browser: Browser, tab: Tab, chart: Chart, form: Form) -> None:
        world = self.world
        session = world.signed_in(browser)
        world.keep(session or browser.session, chart, tab.page, tab.word)
        self._remember_base(browser, tab, chart)
        page = self.post(browser, form)
        self.kinds["only kept"] += 1
        self.expect(page, 302, "/login/" if session is None else form.action)

    def _remember_base(self, browser: Browser, tab: Tab, chart: Chart) -> None:
        """Text kept of a form's page is kept with what stood there when it was typed."""
        session = browser.session
        if session is not None and tab.form is not None and tab.word:
            key = (session.login.email, chart.person, tab.page)
            if self.world.kept.get(key) == tab.word:
                self.world.kept_base[key] = tab.base

    def _filled(self, tab: Tab) -> tuple[Form, list[tuple[str, str, bytes]]]:
        form = Form(tab.action, tab.fields, set())
        if tab.page == "documents/":
            tab.data = tab.data or pdf(tab.word)
            return form.typed(note=tab.word), [("files", f"{tab.word}.pdf", tab.data)]
        if tab.page == "demographics/address/":
            return form.typed(address_1=tab.word, city="Harbor"), []
        if tab.page == "history/allergies/add/":
            return form.typed(
                substance=tab.word, category="food", kind="allergy", severity="mild"
            ), []
        if tab.form is not None and "/page/" in tab.page:
            return form.typed(**{f"q.{tab.place}-0.0.v": tab.word}), []
        return form, []

    def _arrives(
        self,
        browser: Browser,
        tab: Tab,
        chart: Chart,
        form: Form,
        files: list[tuple[str, str, bytes]],
    ) -> None:
        """The gate is open: it is `chart`'s person it is for, whoever the page was opened for."""
        person = chart.person
        if tab.page == "documents/":
            self._document_arrives(browser, tab, chart, form, files)
        elif tab.page == "demographics/address/":
            self._address_arrives(browser, tab, chart, form)
        elif tab.page == "history/allergies/add/":
            sending = form.value("sending_id")
            if not any(one.page == (sending, tab.word) for one in person.allergies):
                person.allergies.append(Allergy(tab.word, (sending, tab.word)))
                self.world.note(person, "send", "added", "history")
                self.kinds["allergy saved"] += 1
            else:
                self.kinds["allergy sent twice"] += 1
            self._sent(browser, tab, chart, self.post(browser, form))
        elif tab.page.endswith("/withdraw/"):
            self._withdrawal_arrives(browser, tab, chart, form)
        else:
            self._answers_arrive(browser, tab, chart, form)

    def _sent(self, browser: Browser, tab: Tab, chart: Chart, page: Page) -> None:
        """Acknowledged: it leads back into the chart, and nothing typed waits there any more."""
        self.expect(page, 302)
        self.say(page.location.startswith(chart.home), page, "leads out of the chart")
        self.world.kept.pop((self._email(browser), chart.person, tab.page), None)

    def _document_arrives(
        self,
        browser: Browser,
        tab: Tab,
        chart: Chart,
        form: Form,
        files: list[tuple[str, str, bytes]],
    ) -> None:
        person, sending = chart.person, form.value("sending_id")
        before = [
            one
            for one in person.papers
            if one.sending == sending and one.data == tab.data and one.has_bytes
        ]
        if not before:
            paper = Paper(tab.word, tab.data, sending)
            person.papers.append(paper)
            self.world.note(person, "send", "ok", "document")
        page = self.post(browser, form, files)
        self._sent(browser, tab, chart, page)
        if before:
            self.kinds["document sent twice"] += 1
            return
        self.kinds["document saved"] += 1
        listed = self.get(browser, f"{chart.home}documents/")
        self.world.signed_in(browser)
        self.expect(listed, 200)
        known = {one.public_id for one in person.papers}
        links = listed.html.xpath("//*[@data-document]//a[contains(., $word)]/@href", word=tab.word)
        ids = [re.fullmatch(r"/for/[^/]+/documents/([0-9a-f-]{36})/", one) for one in links]
        new = [one[1] for one in ids if one]
        new = [one for one in new if one not in known]
        self.say(len(new) == 1, listed, f"lists {len(new)} new documents of {tab.word}")
        paper.public_id = new[0]
        (row,) = self.portal.query(
            "SELECT max(id) FROM documents_document WHERE note = %s AND member_id = %s",
            tab.word,
            person.number,
        )
        paper.number = row[0]

    def _address_arrives(self, browser: Browser, tab: Tab, chart: Chart, form: Form) -> None:
        person, world = chart.person, self.world
        sending = (form.value("sending_id"), tab.word, tab.seen)
        before = next((one for one in person.changes if one.page == sending), None)
        waiting = person.waiting
        is_as_seen = tab.seen == person.seen
        if before is not None and before.decision != "replaced":
            self.kinds["address sent twice"] += 1
        elif not is_as_seen and waiting is None and tab.word == person.address:
            self.kinds["address nothing new"] += 1
        elif not is_as_seen:
            page = self.post(browser, form)
            self.kinds["address conflict"] += 1
            return self.expect(page, 409)
        elif tab.word == (waiting.word if waiting else person.address):
            self.kinds["address nothing new"] += 1
        elif waiting is not None and tab.word == person.address:
            waiting.decision = "replaced"
            world.note(person, "withdraw", "ok", "demographics")
            self.kinds["address taken back"] += 1
        else:
            if waiting is not None:
                waiting.decision = "replaced"
            person.changes.append(Change(tab.word, sending))
            world.note(person, "send", "ok", "demographics")
            self.kinds["address saved"] += 1
        return self._sent(browser, tab, chart, self.post(browser, form))

    # --- documents: looking at, downloading, taking back --------------------------------

    def download(self, browser: Browser, chart: Chart, paper: Paper, owner: Person) -> None:
        self.tell(f"{browser}: downloads {paper} of {owner} under a key of {chart.person}")
        gate = self.world.gate(browser, chart, "", "")
        page = self.get(browser, f"{chart.home}documents/{paper.public_id}/file/")
        if not self.passes(browser, page, gate, chart):
            return None
        if owner is not chart.person or not paper.has_bytes:
            self.kinds["download of another's"] += 1
            return self.expect(page, 404)
        self.kinds["download"] += 1
        self.world.note(owner, "download", "ok", "document")
        self.expect(page, 200)
        return self.say(page.body == paper.data, page, "other bytes than were sent")

    def open_withdrawal(
        self, browser: Browser, tab: Tab, chart: Chart, paper: Paper, owner: Person
    ) -> None:
        """The page that asks whether to take a document back."""
        inside = f"documents/{paper.public_id}/withdraw/"
        self.tell(f"{browser} {tab.name}: opens taking back {paper} under a key of {chart.person}")
        gate = self.world.gate(browser, chart, inside, "")
        page = self.get(browser, f"{chart.home}{inside}")
        if not self.passes(browser, page, gate, chart):
            return
        if owner is not chart.person or not paper.has_bytes:
            self.expect(page, 404)
            return
        self.expect(page, 200)
        if paper.status != "received":
            return
        form = page.form(ends="/withdraw/")
        tab.page, tab.chart, tab.epoch, tab.word = inside, chart, browser.epoch, ""
        tab.action, tab.fields, tab.paper, tab.form = form.action, form.fields, paper, None

    def _withdrawal_arrives(self, browser: Browser, tab: Tab, chart: Chart, form: Form) -> None:
        paper = tab.paper
        assert paper is not None
        if paper not in chart.person.papers:
            self.kinds["taking back another's"] += 1
            return self.expect(self.post(browser, form), 404)
        if paper.status == "received":
            paper.status = "withdrawn"
            self.world.note(chart.person, "withdraw", "ok", "document")
            self.kinds["document taken back"] += 1
        elif paper.status != "withdrawn":
            self.kinds["taken back too late"] += 1
            return self.expect(self.post(browser, form), 422)
        page = self.post(browser, form)
        return self.expect(page, 302, f"{chart.home}documents/")

    # --- forms ------------------------------------------------------------------------

    def open_form(self, browser: Browser, tab: Tab, chart: Chart, place: int | None) -> None:
        """Begin the form, or go on with it: at question `place`, or where it is checked and sent."""
        where = f"question {place + 1}" if place is not None else "the check"
        self.tell(f"{browser} {tab.name}: opens the form of {chart.person}, {where}")
        gate = self.world.gate(browser, chart, "forms/", "")
        page = self.get(browser, f"{chart.home}forms/")
        if not self.passes(browser, page, gate, chart):
            return
        self.expect(page, 200)
        draft = chart.person.draft
        if draft is None:
            start = next(link for link in page.links if "/forms/start/" in link)
            form = self.get(browser, start).form(ends=start)
            answer = self.post(browser, form)
            self.expect(answer, 302)
            draft = Answers(answer.location.rstrip("/").rpartition("/")[2])
            chart.person.forms.append(draft)
            self.world.note(chart.person, "send", "begin", "form")
            self.kinds["form begun"] += 1
        inside = f"forms/{draft.public_id}/"
        inside += "check/" if place is None else f"page/{PAGES[place]}/"
        page = self.get(browser, f"{chart.home}{inside}")
        self.expect(page, 200)
        tab.page, tab.chart, tab.epoch, tab.form = inside, chart, browser.epoch, draft
        tab.paper, tab.word, tab.revision = None, "", draft.revision
        if place is None:
            form = page.form(ends=inside, has="sending_id")
        else:
            box = f"q.{place}-0.0.v"
            form = page.form(ends=inside, has=box)
            key = (self._email(browser), chart.person, inside)
            kept = self.world.kept.get(key, "")
            self._shows_kept(browser, chart, inside, page, form.value(box))
            stands = draft.answers[place]
            if not kept:
                self.say(
                    form.value(box) == stands, page, f"shows {form.value(box)!r}, not {stands!r}"
                )
            tab.place, tab.word = place, kept
            tab.base = self.world.kept_base.get(key, stands) if kept else stands
        tab.action, tab.fields = form.action, form.fields

    def _answers_arrive(self, browser: Browser, tab: Tab, chart: Chart, form: Form) -> None:
        draft, person, world = tab.form, chart.person, self.world
        assert draft is not None
        if draft not in person.forms:
            self.kinds["another's form"] += 1
            return self.expect(self.post(browser, form), 404)
        if tab.page.endswith("/check/"):
            return self._form_sent(browser, tab, chart, form)
        stands = draft.answers[tab.place]
        if draft.sent:
            page = self.post(browser, form)
            self.kinds["answer after sending"] += 1
            return self.expect(page, 302 if tab.word == stands else 409)
        if tab.word not in {tab.base, stands}:
            if stands != tab.base:
                self.kinds["answer conflict"] += 1
                return self.expect(self.post(browser, form), 409)
            draft.answers[tab.place] = tab.word
            draft.revision += 1
            world.note(person, "send", "draft", "form")
            self.kinds["answer saved"] += 1
        page = self.post(browser, form)
        world.kept_base.pop((self._email(browser), person, tab.page), None)
        return self._sent(browser, tab, chart, page)

    def _form_sent(self, browser: Browser, tab: Tab, chart: Chart, form: Form) -> None:
        draft = tab.form
        assert draft is not None
        if not draft.sent and draft.revision != tab.revision:
            self.kinds["form changed meanwhile"] += 1
            return self.expect(self.post(browser, form), 409)
        if not draft.sent:
            draft.sent, draft.status = True, "received"
            self.world.note(chart.person, "send", "ok", "form")
            self.kinds["form sent"] += 1
        else:
            self.kinds["form sent twice"] += 1
        page = self.post(browser, form)
        return self.expect(page, 302, f"{chart.home}forms/{draft.public_id}/")

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

    # --- the practice -----------------------------------------------------------------

    def _staff_page(self, page: Page) -> Page:
        self.answers[page.status] += 1
        self.say(page.status < 500, page, "the portal failed staff")
        return page

    def staff_get(self, path: str) -> Page:
        page = self._staff_page(self.staff.get(path))
        self.expect(page, 200)
        return page

    def staff_press(self, form: Form, status: int = 302) -> Page:
        page = self._staff_page(self.staff.post(form.action, form.fields))
        self.expect(page, status)
        return page

    def _save_person(self, person: Person, form: Form) -> None:
        page = self._staff_page(self.staff.post(form.action, form.fields))
        if page.status == 200:
            asked = page.form(has="confirmed")
            if "together" in asked.names:
                asked = asked.typed(together="yes")
            page = self._staff_page(self.staff.post(asked.action, asked.fields))
        self.expect(page, 302)

    def _person_form(self, person: Person) -> Form:
        page = self.staff_get(f"/admin/households/member/{person.number}/change/")
        return page.form(has="first_name")

    def staff_moves(self, person: Person, email: str) -> None:
        self.tell(f"staff: change {person}'s email to {email}")
        form = self._person_form(person).typed(email=email)
        self._save_person(person, form)
        before, person.email = person.email, email
        if before != email:
            self.kinds["email changed"] += 1
            self.world.end_charts(person)
            self.world.left(before)
            if person.is_opened:
                self.world.login(email).exists = True

    def staff_writes(self, person: Person, **columns: str) -> None:
        """First name or birth date, on the person's page."""
        self.tell(f"staff: write {columns} for {person}")
        self._save_person(person, self._person_form(person).typed(**columns))
        self.kinds["person corrected"] += 1
        self.world.end_charts(person)
        person.first = columns.get("first_name", person.first)
        person.born = columns.get("date_of_birth", person.born)

    def staff_activates(self, person: Person, on: bool) -> None:
        self.tell(f"staff: make {person} {'active' if on else 'inactive'}")
        form = self._person_form(person).typed(status="active" if on else "inactive")
        self._save_person(person, form)
        self.kinds["person activated" if on else "person deactivated"] += 1
        person.active = on
        self.world.end_charts(person)
        self._opened_or_lost(person)

    def staff_opens_chart(self, person: Person, on: bool) -> None:
        """Portal access, by the tick on the person's page."""
        self.tell(f"staff: {person} is {'opened' if on else 'not opened'} by the portal")
        form = self._person_form(person).without("portal_access")
        if on:
            form = form.typed(portal_access="on")
        self._save_person(person, form)
        self.kinds["access on" if on else "access off"] += 1
        person.access = on
        self.world.end_charts(person)
        self._opened_or_lost(person)

    def _opened_or_lost(self, person: Person) -> None:
        if person.is_opened:
            self.world.login(person.email).exists = True
        else:
            self.world.left(person.email)

    def _login_page(self, login: Login) -> Page:
        (row,) = self.portal.query(
            "SELECT id FROM accounts_householdaccount WHERE email_key = %s", login.email
        )
        return self.staff_get(f"/admin/accounts/householdaccount/{row[0]}/change/")

    def staff_ends_sessions(self, login: Login) -> None:
        self.tell(f"staff: end all sessions of {login}")
        page = self._login_page(login)
        open_now = [one for one in self.world.sessions() if one.login is login and not one.is_over]
        open_now = [one for one in open_now if not self.world.is_too_old(one)]
        offered = any(form.action.endswith("/end-sessions/") for form in page.forms)
        if open_now or offered:
            self.staff_press(page.form(ends="/end-sessions/"))
            self.kinds["sessions ended"] += 1
        self.world.end_sessions(login)

    def staff_pauses(self, login: Login, is_open: bool) -> None:
        self.tell(f"staff: {'open' if is_open else 'pause'} the login {login}")
        ends = "/open-login/" if is_open else "/close-login/"
        self.staff_press(self._login_page(login).form(ends=ends))
        self.kinds["login opened" if is_open else "login paused"] += 1
        login.is_open = is_open
        if not is_open:
            self.world.end_sessions(login)

    def staff_decides_paper(self, person: Person, paper: Paper, decision: str) -> None:
        self.tell(f"staff: {decision} {paper} of {person}")
        page = self.staff_get(f"/admin/documents/document/{paper.number}/change/")
        self.say(person.name in page.text and paper.word in page.text, page, "another document")
        if paper.status == "received":
            paper.status = "seen"
        if decision == "see" or paper.status == {"file": "filed", "return": "returned"}[decision]:
            return
        form = page.form(ends=f"/{decision}/")
        self.staff_press(form.typed(words="Too dark to read.") if decision == "return" else form)
        paper.status = {"file": "filed", "return": "returned"}[decision]
        self.kinds[f"document {paper.status}"] += 1

    def staff_refiles(self, person: Person, paper: Paper, to: Person) -> None:
        self.tell(f"staff: move {paper} from {person} to {to}")
        (row,) = self.portal.query(
            "SELECT submission_id FROM documents_document WHERE id = %s", paper.number
        )
        page = self.staff_get(f"/admin/submissions/submission/{row[0]}/refile/")
        form = page.form(has="reason").typed(to=str(to.number), reason="It names somebody else")
        page = self._staff_page(self.staff.post(form.action, form.fields))
        if paper.status in {"withdrawn", "returned"}:
            self.kinds["refile refused"] += 1
            self.expect(page, 422)
            return
        self.expect(page, 200)
        self.staff_press(page.form(has="confirmed"))
        self.kinds["document refiled"] += 1
        person.papers.remove(paper)
        to.papers.append(paper)
        paper.sending = "moved"
        if paper.status == "filed":
            paper.status = "seen"

    def staff_decides_address(self, person: Person, accept: bool) -> None:
        self.tell(f"staff: {'accept' if accept else 'return'} the address of {person}")
        change = person.waiting
        assert change is not None
        (row,) = self.portal.query(
            "SELECT id, submission_id FROM demographics_detailchange "
            "WHERE member_id = %s AND decision = 'waiting'",
            person.number,
        )
        page = self.staff_get(f"/admin/demographics/detailchange/of/{row[1]}/")
        self.say(person.name in page.text and change.word in page.words, page, "another change")
        form = page.form(ends=f"/{row[0]}/{'accept' if accept else 'return'}/")
        self.staff_press(form if accept else form.typed(words="Which street?"))
        change.decision = "accepted" if accept else "returned"
        if accept:
            person.address = change.word
        self.kinds[f"address {change.decision}"] += 1

    def staff_decides_allergy(self, person: Person, allergy: Allergy, accept: bool) -> None:
        self.tell(f"staff: {'accept' if accept else 'return'} {allergy.word} of {person}")
        (row,) = self.portal.query(
            "SELECT id, submission_id FROM history_entrychange WHERE member_id = %s "
            "AND decision = 'waiting' AND CAST(\"values\" AS TEXT) LIKE %s",
            person.number,
            f"%{allergy.word}%",
        )
        page = self.staff_get(f"/admin/history/entrychange/of/{row[1]}/")
        form = page.form(ends=f"/{row[0]}/{'accept' if accept else 'return'}/")
        self.staff_press(form if accept else form.typed(words="Since when?"))
        allergy.decision = "accepted" if accept else "returned"
        self.kinds[f"allergy {allergy.decision}"] += 1

    def staff_decides_form(self, person: Person, form: Answers, decision: str) -> None:
        self.tell(f"staff: {decision} the form of {person}")
        response = self._response(person, form)
        page = self.staff_get(f"/admin/intake/questionnaireresponse/{response}/change/")
        answers = {one for one in form.answers if one}
        self.say(answers <= page.words, page, f"does not show {answers - page.words}")
        button = page.form(ends=f"/{decision}/")
        self.staff_press(button.typed(words="Say more.") if decision == "return" else button)
        form.status = {"file": "filed", "return": "returned"}[decision]
        self.kinds[f"form {form.status}"] += 1

    def _response(self, person: Person, form: Answers) -> int:
        rows = self.portal.query(
            "SELECT id, public_id FROM intake_questionnaireresponse WHERE member_id = %s",
            person.number,
        )
        (number,) = (
            pk
            for pk, public_id in rows
            if str(public_id).replace("-", "") == form.public_id.replace("-", "")
        )
        return int(number)

    # --- time and accidents -----------------------------------------------------------

    def time_passes(self, minutes: int) -> None:
        self.tell(f"{minutes} minutes pass")
        in_the_past(self.portal, minutes * 60, self.code)
        self.world.time_passes(minutes * 60)
        self.kinds[f"{minutes} minutes pass"] += 1

    def restart(self) -> None:
        self.tell("the portal is killed and started again")
        self.portal.restart()
        self.kinds["restart"] += 1
