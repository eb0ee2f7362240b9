"""A member of staff at the builder, who sees pages and presses buttons as in a browser."""

from __future__ import annotations

from typing import Any

import lxml.html
from django.test import Client

from tests.pages import fields_of

NEW = "/admin/intake/questionnaire/new/"


class Builder:
    """What somebody does at the builder: each step reads the page first, as a browser would."""

    def __init__(self, browser: Client, version: Any) -> None:
        self.browser, self.version = browser, version
        self.at = f"/admin/intake/questionnaireversion/{version.pk}/build/"

    @property
    def definition(self) -> dict[str, Any]:
        self.version.refresh_from_db()
        return self.version.definition

    def items(self) -> list[dict[str, Any]]:
        def below(parent: dict[str, Any]) -> Any:
            for item in parent.get("item", []):
                yield item
                yield from below(item)

        return list(below(self.definition))

    def item(self, text: str) -> dict[str, Any]:
        (found,) = [item for item in self.items() if item.get("text") == text]
        return found

    def link(self, text: str) -> str:
        return self.item(text)["linkId"]

    def open(self, page: str = "", **query: str) -> Any:
        return self.browser.get(f"{self.at}{page}", query)

    def send(self, page: str, query: dict[str, str], /, **typed: Any) -> Any:
        """Open a page and send its form with what was typed."""
        opened = self.browser.get(f"{self.at}{page}", query)
        assert opened.status_code == 200, opened
        fields = form_fields(opened, **typed)
        return self.browser.post(f"{self.at}{page}?{opened.request['QUERY_STRING']}", fields)

    def add(self, kind: str, section: str, text: str, /, **typed: Any) -> Any:
        query = {"kind": kind, "in": self.link(section) if section else ""}
        return self.send("add/", query, text=text, **typed)

    def change(self, text: str, /, **typed: Any) -> Any:
        return self.send("item/", {"item": self.link(text)}, **typed)

    def press(self, button: str, text: str) -> Any:
        fields = form_fields(self.open(), **{button: self.link(text)})
        return self.browser.post(self.at, fields)

    def show_if(self, text: str, question: str, /, **typed: Any) -> Any:
        query = {"item": self.link(text), "question": self.link(question)}
        return self.send("show-if/", query, **typed)

    def delete(self, text: str, /, **pressed: Any) -> Any:
        return self.send("delete/", {"item": self.link(text)}, **pressed)


def form_fields(page: Any, /, **typed: Any) -> dict[str, Any]:
    """The builder's form is the one that is not the sign-out button."""
    html = lxml.html.fromstring(page.content.decode())
    forms = [form for form in html.forms if form.get("id") != "logout-form"]
    forms = [form for form in forms if next(form.iterancestors("dialog"), None) is None]
    assert len(forms) == 1
    return {**fields_of(page), **typed}


def begin(browser: Client, title: str = "New patient visit", **typed: Any) -> Any:
    fields = fields_of(browser.get(NEW), title=title, **{"section": "About you", **typed})
    return browser.post(NEW, fields)
