"""Pages as a browser has them: forms with what stands in their fields, links, and the words that show."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import lxml.html

WORD = re.compile(rb"zq[a-z]{4,10}qz")


@dataclass
class Form:
    action: str
    fields: list[tuple[str, str]]
    names: set[str] = field(default_factory=set)

    def value(self, name: str) -> str:
        return next((value for one, value in self.fields if one == name), "")

    def without(self, name: str) -> Form:
        return Form(self.action, [pair for pair in self.fields if pair[0] != name], self.names)

    def typed(self, **values: str) -> Form:
        """With something else in some of its fields; "__" stands for the dash of a name."""
        named = {name.replace("__", "-"): value for name, value in values.items()}
        kept = [(name, value) for name, value in self.fields if name not in named]
        return Form(self.action, [*kept, *named.items()], self.names)


@dataclass
class Page:
    """An answer, read as a page where it is one."""

    status: int
    location: str
    body: bytes
    path: str

    @property
    def is_html(self) -> bool:
        return self.body[:200].lstrip().lower().startswith(b"<!doctype html")

    @cached_property
    def html(self) -> Any:
        return lxml.html.fromstring(self.body.decode())

    @cached_property
    def text(self) -> str:
        return " ".join(self.html.text_content().split()) if self.is_html else ""

    @cached_property
    def forms(self) -> list[Form]:
        found = []
        for form in self.html.xpath("//form[@method='post']"):
            for box in form.iter("textarea"):
                box.text = (box.text or "").removeprefix("\n")  # browsers drop the first line break
            for box in form.xpath(
                ".//input[not(@value) and not(@type='radio' or @type='checkbox')]"
            ):
                box.set("value", "")
            fields = [
                (name, "" if value is None else str(value)) for name, value in form.form_values()
            ]
            for button in form.xpath(".//input[@type='submit']/@name"):
                fields = [pair for pair in fields if pair[0] != button]
            names = set(form.xpath(".//*/@name"))
            found.append(Form(form.get("action") or self.path, fields, names))
        return found

    def form(self, *, ends: str = "", has: str = "", **values: object) -> Form:
        """The one whose action ends so, that has this field, with these values; the last of them."""
        found = [
            form
            for form in self.forms
            if form.action.split("?")[0].endswith(ends)
            and (not has or has in form.names)
            and all(form.value(name) == str(value) for name, value in values.items())
        ]
        assert found, f"no form {ends!r} {has!r} on {self.path} ({self.status}): {self.text[:600]}"
        return found[-1]

    @property
    def links(self) -> list[str]:
        return list(self.html.xpath("//a/@href"))

    @cached_property
    def words(self) -> set[str]:
        return {word.decode() for word in WORD.findall(self.body)}

    @property
    def bound(self) -> list[str]:
        """Who the page says it is for."""
        return [
            " ".join(one.text_content().split())
            for one in self.html.xpath("//*[@data-bound-member]")
        ]

    @property
    def title(self) -> str:
        return " ".join((self.html.findtext(".//title") or "").split())
