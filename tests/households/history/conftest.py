"""A family with a chart open, and the practice at its own pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import lxml.html
import pytest
from django.test import Client

from tests.cast import pick, sign_in, sign_in_as_staff
from tests.pages import fields_of

ADMIN = "/admin/history/entrychange"


class Chart:
    """A browser with somebody's chart open, at its history."""

    def __init__(self, client: Client, email: str, first_name: str, born: str) -> None:
        self.client = client
        sign_in(client, email)
        self.open(first_name, born)

    def open(self, first_name: str, born: str) -> None:
        self.home = f"/for/{pick(self.client, first_name, born)}/"
        self.history = f"{self.home}history/"

    def get(self, page: str = "", **question: Any) -> Any:
        return self.client.get(f"{self.history}{page}", question)

    def post(self, page: str, **typed: Any) -> Any:
        return self.client.post(f"{self.history}{page}", typed)

    def send(self, page: str, **typed: Any) -> Any:
        """What a browser sends: the form of the page with `typed` in it."""
        shown = self.get(page)
        of_questions = page.endswith("add/") and b'id="questions"' in shown.content
        fields = fields_of(shown, form_id="questions" if of_questions else "")
        return self.client.post(f"{self.history}{page}", {**fields, **typed})

    def add(self, section: str, **typed: Any) -> Any:
        """A new entry through its page; returns its row."""
        from households.history.models import MODEL_OF, Section

        answer = self.send(f"{section}/add/", **typed)
        assert answer.status_code == 302, answer.content.decode()
        return MODEL_OF[Section(section)].objects.latest("pk")


@pytest.fixture(autouse=True)
def topics_are_there(db: None) -> None:
    """Tests with real transactions empty the tables that migrations filled, for the ones after them."""
    from households.history.models import Section, SectionSetting

    for section in Section:
        private = section in {Section.PREGNANCY, Section.WELLBEING}
        SectionSetting.objects.get_or_create(section=section, defaults={"is_private": private})


@pytest.fixture
def mia(cast) -> Chart:
    return Chart(Client(), "rivera@example.org", "Mia", "2016/04/27")


@pytest.fixture
def nora(cast) -> Chart:
    """Alone on her login."""
    return Chart(Client(), "nurse@example.org", "Nora", "1990/01/15")


@dataclass
class Desk:
    """Somebody at the practice, who does everything through admin's pages."""

    client: Client

    def page_of(self, change: Any) -> Any:
        return self.client.get(f"{ADMIN}/of/{change.submission_id}/")

    def accept(self, change: Any) -> Any:
        page = lxml.html.fromstring(self.page_of(change).content.decode())
        [form] = [one for one in page.forms if one.action.endswith(f"/{change.pk}/accept/")]
        return self.client.post(form.action, dict(form.form_values()))

    def correct(self, change: Any, **typed: Any) -> Any:
        address = f"{ADMIN}/{change.pk}/edit/"
        page = self.client.get(address)
        return self.client.post(address, fields_of(page, **typed))

    def give_back(self, change: Any, reason: str = "Which kind of penicillin?") -> Any:
        answer = self.client.post(f"{ADMIN}/{change.pk}/return/", {"words": reason})
        assert answer.status_code == 302, answer.content.decode()
        return answer


@pytest.fixture
def desk(cast) -> Desk:
    client = Client()
    sign_in_as_staff(client)
    return Desk(client)


def page_of(answer: Any) -> Any:
    return lxml.html.fromstring(answer.content.decode())


def entries_on(answer: Any) -> list[tuple[str, str, str]]:
    """Status, decision and title of each entry of a page."""
    return [
        (row.get("data-status"), row.get("data-decision"), row.findtext(".//strong"))
        for row in page_of(answer).xpath("//*[@data-entry]")
    ]
