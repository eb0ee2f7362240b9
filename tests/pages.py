"""Reading pages as a browser does: the fields of a form with what stands in them, and the text."""

from __future__ import annotations

from typing import Any

import lxml.html
from django.http import HttpResponseBase


def fields_of(answer: HttpResponseBase, form_id: str = "", **changes: Any) -> dict[str, Any]:
    """What a browser would send: every field of the form, hidden ones too, with `changes` typed over.
    Without `form_id`, the last form of the page. None as a change leaves a field out."""
    forms = [form for form in _page(answer).forms if form.get("id", "") == form_id or not form_id]
    # Not those of the warning before somebody is signed out, which is closed.
    forms = [form for form in forms if next(form.iterancestors("dialog"), None) is None]
    # lxml takes a chosen radio button with an empty value for one without a value.
    empty = {one.get("name") for one in forms[-1].xpath(".//input[@checked][@value='']")}
    fields: dict[str, Any] = {}
    for box in forms[-1].iter("textarea"):
        box.text = (box.text or "").removeprefix("\n")  # browsers drop the first line break
    # lxml says "on" where a chosen radio has an empty value, a browser says nothing.
    empty = set(forms[-1].xpath(".//input[@type='radio' and @checked and @value='']/@name"))
    for name, value in forms[-1].form_values():
        fields.setdefault(name, []).append("" if name in empty else value)
    fields.update(changes)
    return {name: value for name, value in fields.items() if value is not None}


def text_of(answer: HttpResponseBase) -> str:
    return " ".join(" ".join(_page(answer).itertext()).split())


def title_of(answer: HttpResponseBase) -> str:
    return " ".join(_page(answer).findtext(".//title").split())


def _page(answer: HttpResponseBase) -> Any:
    return lxml.html.fromstring(answer.content.decode())
