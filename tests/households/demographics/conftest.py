"""A family with a chart open, and the practice at its own pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from tests.cast import pick, sign_in, sign_in_as_staff
from tests.pages import fields_of

ADMIN = "/admin/demographics/detailchange"


class Family(Client):
    """A browser with one chart open; `details` is the address of its summary."""

    details = ""

    def open(self, first_name: str, born: str, email: str = "rivera@example.org") -> Family:
        if not self.details:
            sign_in(self, email)
        self.details = f"/for/{pick(self, first_name, born)}/demographics/"
        return self

    def page(self, name: str = "") -> Any:
        return self.get(f"{self.details}{name}")

    def change(self, name: str, /, **typed: Any) -> Any:
        """Open the page of a field, type over some boxes, send it."""
        opened = self.page(name)
        assert opened.status_code == 200, (name, opened.status_code)
        return self.send(name, fields_of(opened, **typed))

    def send(self, name: str, fields: dict[str, Any]) -> Any:
        return self.post(f"{self.details}{name}", fields)

    def confirm(self) -> Any:
        return self.send("confirm/", fields_of(self.page()))


@pytest.fixture
def mia(cast) -> Family:
    return Family().open("Mia", "2016/04/27")


@pytest.fixture
def leo(cast) -> Family:
    return Family().open("Leo", "2018/09/03")


@dataclass
class Desk:
    """Somebody at the practice, who does everything through admin's pages."""

    client: Client

    def see(self, change: Any) -> Any:
        answer = self.client.get(f"{ADMIN}/of/{change.submission_id}/")
        assert answer.status_code == 200
        return answer

    def accept(self, change: Any, page: Any = None) -> Any:
        """Press Accept on `page`, or on the page as it is now."""
        page = page or self.see(change)
        return self._press(page, f"{ADMIN}/{change.pk}/accept/")

    def give_back(self, change: Any, reason: str = "Send a photo of the paper.") -> Any:
        return self._press(self.see(change), f"{ADMIN}/{change.pk}/return/", words=reason, quick="")

    def correct(self, change: Any, **typed: Any) -> Any:
        address = f"{ADMIN}/{change.pk}/edit/"
        return self.client.post(address, fields_of(self.client.get(address), **typed))

    def accept_all(self, change: Any) -> Any:
        return self.client.post(f"{ADMIN}/of/{change.submission_id}/accept-all/")

    def _press(self, page: Any, address: str, **typed: Any) -> Any:
        import lxml.html

        forms = lxml.html.fromstring(page.content.decode()).forms
        fields = [dict(form.form_values()) for form in forms if form.get("action") == address]
        assert len(fields) == 1, address
        return self.client.post(address, {**fields[0], **typed})


@pytest.fixture
def desk(cast) -> Desk:
    client = Client()
    sign_in_as_staff(client)
    return Desk(client)
