"""A chart from outside: its pages with their forms as a browser fills them in, and all that stands in it,
read back through a fresh login and by staff (SECURITY 2.1, "Oracle")."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Barrier
from typing import Any

import lxml.html

from tests.hostile.visitor import Answer, Visitor
from tests.real_portal import RealPortal

AVA, BEN = ("Ava", "2015/03/02"), ("Ben", "2017/09/14")
FAMILY, PATIENTS = "rivera@example.org", {"Ava": "P1", "Ben": "P2"}
DETAILS, HISTORY = "/admin/demographics/detailchange", "/admin/history/entrychange"


@dataclass
class Form:
    """A form as it stands on a page: where it goes, and what a browser would send."""

    action: str
    fields: list[tuple[str, str]]
    buttons: frozenset[str] = frozenset()

    def has(self, name: str) -> bool:
        """Whether it has a field or button of that name, or goes to an address that ends so."""
        names = {field for field, _value in self.fields} | self.buttons
        return name in names or self.action.endswith(name)

    def typed(self, values: Mapping[str, str | list[str]]) -> Form:
        """The same with `values` in it, also of boxes that nobody ticked yet, and of buttons."""
        kept = [(name, value) for name, value in self.fields if name not in values]
        for name, value in values.items():
            kept += [(name, one) for one in (value if isinstance(value, list) else [value])]
        return replace(self, fields=kept)

    def under(self, home: str) -> Form:
        """The same under another key."""
        return replace(self, action=re.sub(r"^/for/[^/]*/", home, self.action))

    def sent_by(self, visitor: Visitor, token: str | None = None) -> Answer:
        return visitor.post(self.action, self.fields, token=token)


def forms_of(answer: Answer, path: str) -> list[Form]:
    """The forms in the main part of the page at `path`."""
    page = lxml.html.fromstring(answer.text)
    forms = []
    for form in page.xpath("//main//form[@method='post']"):
        for box in form.iter("textarea"):
            box.text = (box.text or "").removeprefix("\n")  # browsers drop the first line break
        for box in form.xpath(".//input[not(@value) and not(@type='radio' or @type='checkbox')]"):
            box.set("value", "")
        # lxml says "on" where a chosen radio has an empty value, a browser says nothing.
        empty = set(form.xpath(".//input[@type='radio' and @checked and @value='']/@name"))
        fields = [(name, "" if name in empty else value) for name, value in form.form_values()]
        fields = [pair for pair in fields if pair[0] != "csrfmiddlewaretoken"]
        buttons = frozenset(form.xpath(".//button/@name | .//input[@type='radio']/@name"))
        forms.append(Form(form.get("action") or path, fields, buttons))
    return forms


def text_of(answer: Answer) -> str:
    """The words of the main part of a page, and what stands in its boxes."""
    (main,) = lxml.html.fromstring(answer.text).xpath("//main")
    boxes = main.xpath(".//input[@type='text']/@value")
    return " ".join(" ".join([*main.itertext(), *boxes]).split())


class Chart:
    """One browser of a family, with somebody's chart open in it."""

    def __init__(self, visitor: Visitor, person: tuple[str, str]) -> None:
        self.visitor, self.person = visitor, person
        self.home = visitor.choose(*person)

    def open_again(self) -> Chart:
        return Chart(self.visitor, self.person)

    def get(self, page: str = "") -> Answer:
        return self.visitor.get(f"{self.home}{page}")

    def form(self, page: str, having: str = "", **typed: str | list[str]) -> Form:
        """The form of a page that has the field or the end of the address `having`, or the last one."""
        return self.filled(page, typed, having)

    def filled(self, page: str, typed: Mapping[str, str | list[str]], having: str = "") -> Form:
        answer = self.get(page)
        assert answer.status == 200, (page, answer.status, answer.location)
        forms = forms_of(answer, f"{self.home}{page}")
        forms = [form for form in forms if not having or form.has(having)]
        assert forms, (page, having)
        return forms[-1].typed(typed)

    def send(self, page: str, having: str = "", **typed: str | list[str]) -> Answer:
        return self.filled(page, typed, having).sent_by(self.visitor)

    def saves(self, page: str, having: str = "", **typed: str | list[str]) -> Answer:
        answer = self.send(page, having, **typed)
        assert answer.status == 302, (page, answer.status, text_of(answer))
        assert answer.location.startswith(self.home), (page, answer.location)
        return answer

    def entry(self, section: str, text: str) -> str:
        """The id of the entry of a topic whose title begins so."""
        page = lxml.html.fromstring(self.get(f"history/{section}/").text)
        (link,) = page.xpath(
            "//*[@data-entry][strong[starts-with(., $text)]]//a[contains(@href, '/past/')]/@href",
            text=text,
        )
        return link.split("/")[-3]

    def contact(self, text: str) -> str:
        page = lxml.html.fromstring(self.get("demographics/contacts/").text)
        (link,) = page.xpath(
            "//*[@data-contact][contains(., $text)]//a[contains(@href, '/remove/')]/@href",
            text=text,
        )
        return link.split("/")[-3]


def family(portal: RealPortal, person: tuple[str, str] = AVA, email: str = FAMILY) -> Chart:
    """A browser that has just signed in."""
    return Chart(Visitor(portal).signed_in(email), person)


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What each returns, all begun at the same moment."""
    ready = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        ready.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


# --- what stands in a chart -----------------------------------------------------------


def stands(portal: RealPortal, person: tuple[str, str], email: str = FAMILY) -> dict[str, Any]:
    """All that a login, signed in for this alone, is told of somebody, and how often what was sent."""
    chart = family(portal, person, email)
    record = json.loads(chart.get("record/fhir/").body)
    del record["timestamp"], record["id"]  # of this very file
    pages = ["demographics/", "demographics/contacts/", "history/"]
    return {
        "record": record,
        **{page: text_of(chart.get(page)) for page in pages},
        **counts(portal, record_number(record)),
    }


def record_number(record: dict[str, Any]) -> str:
    (patient,) = (
        entry["resource"]
        for entry in record["entry"]
        if entry["resource"]["resourceType"] == "Patient"
    )
    return str(patient["identifier"][0]["value"])


_AUDITED = "audit_auditevent WHERE outcome NOT IN ('refused', 'conflict', 'changed-meanwhile')"
# What is counted of one patient, and the rows of it.
_COUNTED = {
    "changes of details": "demographics_detailchange WHERE ",
    "contacts": "demographics_contact WHERE ",
    "changes of history": "history_entrychange WHERE ",
    "allergies": "history_allergy WHERE ",
    "submissions": "submissions_submission WHERE ",
    "audited": f"{_AUDITED} AND action = 'send' AND ",
    "taken back": f"{_AUDITED} AND action = 'withdraw' AND ",
}


def counts(portal: RealPortal, patient_id: str) -> dict[str, int]:
    """How many of each there are; of the audit, the entries that say that something was saved."""
    of_patient = "member_id = (SELECT id FROM households_member WHERE patient_id = %s)"
    return {
        what: portal.query(f"SELECT count(*) FROM {rows}{of_patient}", patient_id)[0][0]
        for what, rows in _COUNTED.items()
    }


class Practice:
    """Somebody at the practice, who reads and decides through the pages of the staff."""

    def __init__(self, portal: RealPortal) -> None:
        self.portal = portal
        self.visitor = Visitor(portal).sign_in_as_staff()

    def copy(self) -> Practice:
        """Somebody else there, who looks at the same moment."""
        return Practice(self.portal)

    def member(self, patient_id: str) -> int:
        rows = self.portal.query(
            "SELECT id FROM households_member WHERE patient_id = %s", patient_id
        )
        return int(rows[0][0])

    def record(self, patient_id: str) -> str:
        """The record to copy: what is on file, in words."""
        page = lxml.html.fromstring(
            self.visitor.get(f"/admin/record/{self.member(patient_id)}/").text
        )
        return "\n".join(page.xpath("//main//textarea/text()"))

    def sent(self, mark: str) -> list[tuple[str, int, int]]:
        """Admin's address, number and submission of every change that says so."""
        found = []
        for admin, table in (
            (DETAILS, "demographics_detailchange"),
            (HISTORY, "history_entrychange"),
        ):
            rows = self.portal.query(
                f'SELECT id, submission_id FROM {table} WHERE CAST("values" AS TEXT) LIKE %s ORDER BY id',
                f"%{mark}%",
            )
            found += [(admin, pk, submission) for pk, submission in rows]
        return found

    def review(self, admin: str, submission: int) -> Answer:
        return self.visitor.get(f"{admin}/of/{submission}/")

    def button(self, admin: str, pk: int, submission: int, word: str, **typed: str) -> Form:
        """A button of a change, as it stands on the page of its submission now."""
        page = self.review(admin, submission)
        (form,) = (
            form
            for form in forms_of(page, f"{admin}/of/{submission}/")
            if form.action.endswith(f"/{pk}/{word}/")
        )
        return form.typed(typed)

    def decisions(self, mark: str) -> list[str]:
        """What stands on the review pages about every change that says so."""
        found = []
        for admin, submission in {(admin, sub) for admin, _pk, sub in self.sent(mark)}:
            page = lxml.html.fromstring(self.review(admin, submission).text)
            for part in page.xpath("//section[@data-part][contains(., $mark)]", mark=mark):
                found += part.xpath(".//@data-decision") or ["waiting"]
        return sorted(found)
