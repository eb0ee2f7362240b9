"""What families do in a chart: pages in several tabs, what is sent from them, papers and forms."""

from __future__ import annotations

import hashlib
import re

from tests.machine.asking import Asking
from tests.machine.model import (
    Allergy,
    Answers,
    Browser,
    Change,
    Chart,
    Paper,
    Person,
    Tab,
)
from tests.machine.pages import Form, Page
from tests.machine.portals import pdf

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


class ChartSteps(Asking):
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
            returned = chart.person.returned_form
            begin = self._begin_form if returned is None else self._correct_form
            draft = begin(browser, chart, page)
            chart.person.forms.append(draft)
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

    def _begin_form(self, browser: Browser, chart: Chart, page: Page) -> Answers:
        start = next(link for link in page.links if "/forms/start/" in link)
        answer = self.post(browser, self.get(browser, start).form(ends=start))
        self.expect(answer, 302)
        self.world.note(chart.person, "send", "begin", "form")
        self.kinds["form begun"] += 1
        return Answers(answer.location.rstrip("/").rpartition("/")[2])

    def _correct_form(self, browser: Browser, chart: Chart, page: Page) -> Answers:
        """The practice returned the latest: it stands first in the list, and no other is begun."""
        returned = chart.person.returned_form
        assert returned is not None
        begins = [link for link in page.links if "/forms/start/" in link]
        self.say(not begins, page, "offers another one beside the one that was returned")
        detail = f"{chart.home}forms/{returned.public_id}/"
        self.say(detail in page.links, page, "does not lead to the one that was returned")
        answer = self.post(browser, self.get(browser, detail).form(ends="/correct/"))
        self.expect(answer, 302)
        self.world.note(chart.person, "send", "correct", "form")
        self.kinds["form corrected"] += 1
        public_id = answer.location.removesuffix("/check/").rpartition("/")[2]
        return Answers(public_id, answers=[*returned.answers])

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
