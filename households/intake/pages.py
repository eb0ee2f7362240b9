"""Which page of a form shows which of its questions: a section, or a tight group of questions, on each.

The plan is made of the definition alone, so that a page keeps its name and its place while answers switch
questions on and off; what is on it now comes from the filled form. Pure functions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from households.intake.engine.evaluation import Filled, Node
from households.intake.engine.items import Definition, Item

# More questions than that are too many for one page of a phone.
MOST_QUESTIONS = 10


@dataclass(frozen=True)
class Page:
    """What stands on one page. `above` is the section that its own section is a part of."""

    name: str
    title: str
    above: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class FilledPage:
    """The same as it is filled now. `nodes` are the enabled ones, in order, and their children."""

    page: Page
    nodes: tuple[Node, ...]

    @property
    def name(self) -> str:
        return self.page.name

    @property
    def title(self) -> str:
        return self.page.title

    def questions(self) -> Iterator[Node]:
        """Every question that a family sees on it, those in groups and under questions too."""
        for node in self.nodes:
            yield from _seen_questions(node)


def name_of(link_id: str) -> str:
    """How addresses call a question or the page that begins with it. Not the link id itself: that may be a
    word that says what somebody is asked, and addresses are logged (PRODUCT I)."""
    return hashlib.sha256(link_id.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def pages_of(definition: Definition) -> list[Page]:
    """All pages, in order."""
    title = definition.title or _("Questions")
    return [*_numbered(_split(definition.items, title, ""))]


def filled_pages(pages: Sequence[Page], filled: Filled) -> list[FilledPage]:
    """Those pages that have something to show now."""
    standing: dict[str, list[Node]] = {}
    for node in _not_repeated(filled.nodes):
        standing.setdefault(node.item.link_id, []).append(node)
    found = []
    for page in pages:
        nodes = tuple(
            node
            for item in page.items
            for node in standing.get(item.link_id, ())
            if node.is_enabled and not item.is_hidden
        )
        if any(_shows_something(node) for node in nodes):
            found.append(FilledPage(page, nodes))
    return found


def is_seen(node: Node) -> bool:
    return node.is_enabled and not node.item.is_hidden


def _seen_questions(node: Node) -> Iterator[Node]:
    if not is_seen(node):
        return
    if node.item.is_question:
        yield node
    for child in node.children:
        yield from _seen_questions(child)


def _shows_something(node: Node) -> bool:
    """Something to answer or to read; a heading over nothing is not."""
    if not is_seen(node):
        return False
    if node.item.type != "group":
        return True
    return node.item.repeats or any(_shows_something(child) for child in node.children)


def _not_repeated(nodes: Iterable[Node]) -> Iterator[Node]:
    """The nodes that stand once, or begin a repetition: pages are cut between these only."""
    for node in nodes:
        yield node
        if node.item.type == "group" and not node.item.repeats:
            yield from _not_repeated(node.children)


# --- cutting --------------------------------------------------------------------------


def _split(items: Sequence[Item], title: str, above: str) -> Iterator[Page]:
    """The pages of one level. Questions that stand between groups are pages too; text that stands alone
    comes to the page after it."""
    loose: list[Item] = []
    pages: list[Page] = []
    for item in items:
        if item.is_hidden:
            continue
        if item.type != "group" or not _questions_in(item):
            loose.append(item)
            continue
        texts: list[Item] = []
        if any(map(_questions_in, loose)):
            pages.extend(_chunks(loose, title, above))
        else:
            texts = loose
        loose = []
        pages.extend(_pages_of_group(item, texts, title, above))
    if loose and (any(map(_questions_in, loose)) or not pages):
        pages.extend(_chunks(loose, title, above))
    elif loose:
        last = pages[-1]
        pages[-1] = Page(last.name, last.title, last.above, (*last.items, *loose))
    yield from pages


def _pages_of_group(group: Item, texts: Sequence[Item], title: str, above: str) -> Iterator[Page]:
    called = group.text or title
    is_small = group.repeats or _questions_in(group) <= MOST_QUESTIONS
    if is_small or (len(group.children) == 1 and group.children[0].type != "group"):
        yield Page(name_of(group.link_id), called, above, (*texts, group))
        return
    yield from _split((*texts, *group.children), called, title if group.text and above else "")


def _chunks(items: Sequence[Item], title: str, above: str) -> Iterator[Page]:
    """Questions that stand side by side, on pages of about the same length."""
    total = sum(map(_questions_in, items))
    goal = total / max(1, -(-total // MOST_QUESTIONS))
    piece: list[Item] = []
    asked, left = 0, total
    for item in items:
        count = _questions_in(item)
        # A text belongs to what follows it: so a piece ends before a text, not behind it.
        if left and (asked >= goal or (asked and asked + count > MOST_QUESTIONS)):
            yield _chunk(piece, title, above)
            piece, asked = [], 0
        piece.append(item)
        asked += count
        left -= count
    if piece:
        yield _chunk(piece, title, above)


def _chunk(items: Sequence[Item], title: str, above: str) -> Page:
    first = next((item for item in items if _questions_in(item)), items[0])
    return Page(name_of(first.link_id), title, above, tuple(items))


def _numbered(pages: Iterable[Page]) -> Iterator[Page]:
    """Pages that go on under one title say so: no two pages are called the same."""
    pages = list(pages)
    count: dict[str, int] = {}
    for page in pages:
        count[page.title] = count.get(page.title, 0) + 1
    number: dict[str, int] = {}
    for page in pages:
        if count[page.title] == 1:
            yield page
            continue
        number[page.title] = number.get(page.title, 0) + 1
        title = _("%(title)s (part %(number)d)") % {
            "title": page.title,
            "number": number[page.title],
        }
        yield Page(page.name, title, page.above, page.items)


def _questions_in(item: Item) -> int:
    """How many questions a family may see in it."""
    if item.is_hidden:
        return 0
    return int(item.is_question) + sum(map(_questions_in, item.children))
