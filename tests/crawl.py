"""Finding every form and every question of an address by following links, as each person would."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urldefrag, urljoin, urlsplit

import lxml.html
from django.test import Client
from django.urls import Resolver404, resolve

_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class Box:
    """One field of a form, with what stands in it; `choices` of a list, a row of buttons or a tick box."""

    name: str
    kind: str
    value: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Form:
    page: str
    action: str
    method: str
    boxes: tuple[Box, ...]
    sends_files: bool = False

    @property
    def route(self) -> str:
        return route_of(self.action)

    @property
    def shape(self) -> tuple[Any, ...]:
        """The same for forms that differ in rows and values only."""
        names = sorted({(_NUMBER.sub("0", box.name)[:40], box.kind) for box in self.boxes})
        return (self.route, self.method, tuple(names))

    def as_it_stands(self) -> list[tuple[str, str]]:
        """What a browser would send of it."""
        return [
            (box.name, box.value)
            for box in self.boxes
            if box.kind not in {"file", "button"} and not (box.choices and not box.value)
        ]


def route_of(address: str) -> str:
    """The name of the view behind an address; "" where there is none."""
    try:
        found = resolve(urlsplit(address).path)
    except Resolver404:
        return ""
    return (f"admin:{found.url_name}" if "admin" in found.namespaces else found.url_name) or ""


@dataclass
class Crawl:
    """What one person found: the forms, by shape, and the names of questions in addresses, by route."""

    forms: dict[tuple[Any, ...], Form] = field(default_factory=dict)
    asked: dict[str, tuple[str, set[str]]] = field(default_factory=dict)
    pages: dict[str, Any] = field(default_factory=dict)


def crawl(
    client: Client,
    starts: Iterable[str],
    *,
    of_a_route: int = 6,
    ask: Callable[[Client, str], Any] = lambda client, address: client.get(address),
) -> Crawl:
    """Follow every link from `starts`; of each route at most so many addresses."""
    found = Crawl()
    waiting, seen, visits = [*starts], set(), {}
    while waiting:
        address = waiting.pop(0)
        if address in seen:
            continue
        seen.add(address)
        path, route = urlsplit(address).path, route_of(address)
        if not route or path.startswith("/static/"):
            continue
        visits[route] = visits.get(route, 0) + 1
        if visits[route] > of_a_route:
            continue
        note_questions(found, address)
        answer = ask(client, address)
        if answer.streaming:
            answer.bytes = b"".join(answer)  # and so closes the file
        if answer.status_code in {301, 302}:
            waiting.append(urljoin(address, answer.headers["Location"]))
            continue
        found.pages[address] = answer
        page = page_of(answer)
        if page is None:
            continue
        for link in page.iter("a"):
            linked = urldefrag(urljoin(address, link.get("href") or "")).url
            if linked.startswith("/") and linked not in seen:
                waiting.append(linked)
        for form in forms_of(page, address):
            found.forms.setdefault(form.shape, form)
            if form.method == "get":
                note_questions(found, form.action, [box.name for box in form.boxes])
    return found


def note_questions(found: Crawl, address: str, names: Iterable[str] = ()) -> None:
    parts = urlsplit(address)
    asked = {name for name, _value in parse_qsl(parts.query, keep_blank_values=True)}
    _, known = found.asked.setdefault(route_of(address), (parts.path, set()))
    known |= asked | {*names}


def page_of(answer: Any) -> Any:
    """The page as a tree; None where the answer is no page."""
    if answer.streaming or not answer.headers.get("Content-Type", "").startswith("text/html"):
        return None
    text = answer.content.decode()
    return lxml.html.fromstring(text) if text.strip() else None


def forms_of(page: Any, address: str) -> Iterator[Form]:
    for form in page.forms:
        action = urljoin(address, form.get("action") or address)
        method = (form.get("method") or "get").lower()
        boxes = tuple(_boxes(page, form))
        yield Form(address, action, method, boxes, "multipart" in (form.get("enctype") or ""))


def _boxes(page: Any, form: Any) -> Iterator[Box]:
    elements = list(form.xpath(".//input | .//select | .//textarea | .//button"))
    if form.get("id"):
        elements += page.xpath(f"//*[@form='{form.get('id')}']")
    buttons: dict[str, list[Any]] = {}
    for element in elements:
        name = element.get("name")
        if not name or name == "csrfmiddlewaretoken":
            continue
        kind = element.get("type") or element.tag
        if element.tag == "textarea":
            yield Box(name, "textarea", (element.text or "").removeprefix("\n"))
        elif element.tag == "select":
            options = tuple(one.get("value", one.text or "") for one in element.iter("option"))
            chosen = element.xpath(".//option[@selected]/@value")
            if element.get("multiple") is not None:
                yield Box(name, "select", chosen[0] if chosen else "", options)
            else:
                yield Box(name, "select", chosen[0] if chosen else (options or ("",))[0], options)
        elif element.tag == "button" or kind == "submit":
            yield Box(name, "button", element.get("value", ""))
        elif kind in {"radio", "checkbox"}:
            buttons.setdefault(name, []).append(element)
        else:
            yield Box(name, kind, element.get("value", ""))
    for name, group in buttons.items():
        values = tuple(one.get("value", "on") for one in group)
        ticked = [one.get("value", "on") for one in group if one.get("checked") is not None]
        yield Box(name, group[0].get("type"), ticked[0] if ticked else "", values)
