"""What the practice does: with people, with logins, and with what families send."""

from __future__ import annotations

from tests.machine.asking import Asking
from tests.machine.model import (
    Allergy,
    Answers,
    Login,
    Paper,
    Person,
)
from tests.machine.pages import Form, Page


class StaffSteps(Asking):
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
        # What was kept is offered on every page: sent from two of them it is there twice, and either may go.
        row, *_same = self.portal.query(
            "SELECT id, submission_id FROM history_entrychange WHERE member_id = %s "
            "AND decision = 'waiting' AND CAST(\"values\" AS TEXT) LIKE %s ORDER BY id",
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
