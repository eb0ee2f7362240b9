"""A member's form as it stands now: its definition, its answers and what the engine makes of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from households.intake.definitions import definition_of, sha256_of
from households.intake.engine.answers import words_of
from households.intake.engine.checking import SAYS, Problem, problems_of
from households.intake.engine.evaluation import Filled, Node, evaluate
from households.intake.engine.items import Definition, Item
from households.intake.engine.tree import grow
from households.intake.models import Questionnaire, QuestionnaireResponse
from households.intake.pages import FilledPage, filled_pages, is_seen, pages_of
from households.models import Member


class Filling:
    """One response, evaluated. Everything about it is asked here, once."""

    def __init__(self, response: QuestionnaireResponse, *, patient: dict[str, Any]) -> None:
        self.response = response
        self.definition: Definition = definition_of(response.version)
        self.filled: Filled = evaluate(
            self.definition, response.items, patient=patient, now=timezone.now()
        )
        if not response.is_draft:
            self._as_it_was_sent()

    def _as_it_was_sent(self) -> None:
        """What was calculated then stands, though "today" is another day now."""
        grown = grow(self.definition, self.response.items)
        sent = {node.path: node for top in grown for node in top.walk()}
        for node in self.filled.walk():
            if node.item.is_question:
                node.answers = sent[node.path].answers if node.path in sent else []
                node.is_enabled = node.is_enabled or bool(node.answers)

    @property
    def questionnaire(self) -> Questionnaire:
        return self.response.version.questionnaire

    @property
    def needs_signature(self) -> bool:
        return self.questionnaire.is_consent or self.questionnaire.needs_signature

    @cached_property
    def pages(self) -> list[FilledPage]:
        """Those to be filled now. The text of a consent stands on the page where it is signed, and needs
        no page of its own."""
        pages = filled_pages(pages_of(self.definition), self.filled)
        if self.questionnaire.is_consent:
            pages = [page for page in pages if any(page.questions())]
        return pages

    def page(self, name: str) -> FilledPage | None:
        return next((page for page in self.pages if page.name == name), None)

    def after(self, name: str) -> FilledPage | None:
        """The next page; None behind the last one, and where there is no such page now."""
        names = [page.name for page in self.pages]
        at = names.index(name) + 1 if name in names else len(names)
        return self.pages[at] if at < len(names) else None

    def before(self, name: str) -> FilledPage | None:
        names = [page.name for page in self.pages]
        at = names.index(name) - 1 if name in names else -1
        return self.pages[at] if at >= 0 else None

    @cached_property
    def problems(self) -> list[Problem]:
        """Those that the family can put right: what is hidden, read-only or calculated nobody types, and a
        form that demands it would never be sent."""
        nodes = {node.path: node for node in self.filled.walk()}
        return [one for one in problems_of(self.filled) if _can_be_put_right(nodes.get(one.path))]

    @cached_property
    def _problems_by_page(self) -> dict[str, list[Problem]]:
        """By the page to put them right on; under "" those of the form as a whole."""
        place: dict[str, str] = {}
        for page in self.pages:
            for top in page.nodes:
                for node in (*top.ancestors(), *top.walk()):
                    place.setdefault(node.path, page.name)
        found: dict[str, list[Problem]] = {}
        for problem in self.problems:
            found.setdefault(place.get(problem.path, ""), []).append(problem)
        return found

    def problems_on(self, page: FilledPage) -> list[Problem]:
        return self._problems_by_page.get(page.name, [])

    @property
    def problems_of_the_whole(self) -> list[str]:
        """What is wrong with no question alone, in words."""
        return [self.says(problem) for problem in self._problems_by_page.get("", [])]

    def says(self, problem: Problem) -> str:
        """What the family reads: which question it is, and the fix."""
        item = self.definition.by_link_id.get(problem.link_id)
        if problem.kind == "required" and item is not None and item.text:
            return _("Answer “%(question)s”.") % {"question": Truncator(item.text).chars(80)}
        return _(SAYS[problem.kind]) % problem.values

    @cached_property
    def first_open(self) -> FilledPage | None:
        """Where to go on: the first page that nobody passed, or that has something to put right."""
        done = set(self.response.pages_done)
        for page in self.pages:
            if page.name not in done or self.problems_on(page):
                return page
        return None

    @cached_property
    def dangerous_pages(self) -> set[str]:
        """The names of the pages on which an answer suggests danger."""
        links = set(self.filled.dangers)
        return {
            page.name
            for page in self.pages
            for node in page.questions()
            if node.item.link_id in links
        }


@dataclass(frozen=True)
class Change:
    """What a page wants a question to say, and what it showed of it before (base_of)."""

    path: str
    answers: list[dict[str, Any]]
    base: str


def base_of(answers: list[dict[str, Any]]) -> str:
    """What stands for answers in a page that showed them."""
    return sha256_of(answers)[:16]


def _can_be_put_right(node: Node | None) -> bool:
    if node is None:
        return True
    if any(one.item.is_hidden for one in (node, *node.ancestors())):
        return False
    if node.item.type == "choice" and node.item.answer_expression is not None and not node.options:
        return False  # its choices come out of another answer, which is not there
    return not (node.item.read_only or node.item.is_calculated)


def response_or_404(member: Member, public_id: uuid.UUID) -> QuestionnaireResponse:
    """A draft of this member's, or what was sent and not taken back."""
    rows = QuestionnaireResponse.objects.for_member(member).select_related(
        "version__questionnaire", "submission", "corrects", "signature"
    )
    response = get_object_or_404(rows, public_id=public_id)
    if response.submission is not None and response.submission.status == "withdrawn":
        raise Http404
    return response


def patient_of(member: Member) -> dict[str, Any]:
    """The member as the FHIR Patient that a form's expressions may ask (SDC: %patient)."""
    given = [name for name in (member.first_name, member.middle_name) if name]
    name = {"use": "official", "family": member.last_name, "given": given, "text": member.full_name}
    patient: dict[str, Any] = {
        "resourceType": "Patient",
        "id": str(member.public_id),
        "active": True,
        "name": [{key: value for key, value in name.items() if value}],
    }
    if member.date_of_birth:
        patient["birthDate"] = member.date_of_birth.isoformat()
    gender = {"f": "female", "m": "male"}.get(member.sex[:1].lower())
    if gender:
        patient["gender"] = gender
    return patient


# --- how it reads ---------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A question with its answers in words; none when it was not answered."""

    label: str
    words: Sequence[str]
    path: str
    is_dangerous: bool = False
    # The documents that are its answers: public id and name.
    files: Sequence[tuple[str, str]] = ()


@dataclass
class Part:
    """Rows under a heading; without one, those of the section itself."""

    title: str = ""
    rows: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Section:
    """What one page asked, to be read."""

    page: FilledPage
    parts: Sequence[Part]
    problems: Sequence[Problem] = ()

    @property
    def rows(self) -> list[Row]:
        return [row for part in self.parts for row in part.rows]


def sections_of(filling: Filling, *, with_problems: bool = False) -> list[Section]:
    """The whole form in words, by page."""
    found = []
    dangers = set(filling.filled.dangers)
    for page in filling.pages:
        parts = [Part()]
        alone = page.nodes[0] if len(page.nodes) == 1 else None
        for node in page.nodes:
            if node is alone and node.item.type == "group" and not node.item.repeats:
                for child in node.children:
                    _read(child, parts, dangers)
            else:
                _read(node, parts, dangers)
        kept = [part for part in parts if part.rows]
        problems = filling.problems_on(page) if with_problems else ()
        if kept or problems:
            found.append(Section(page, kept, problems))
    return found


def _read(node: Node, parts: list[Part], dangers: set[str]) -> None:
    if not is_seen(node) or (node.instance and not node.has_answers):
        return
    if node.item.type == "group":
        above = parts[-1].title
        parts.append(Part(title_of(node)))
        for child in node.children:
            _read(child, parts, dangers)
        # What stands behind a group is not of the group.
        parts.append(Part(above))
        return
    if node.item.is_question and not _says_nothing(node):
        parts[-1].rows.append(_row(node, dangers))
    for child in node.children:
        _read(child, parts, dangers)


def _says_nothing(node: Node) -> bool:
    """What nobody can fill in and nothing was computed for is not "not given"."""
    return not node.answers and (node.item.is_calculated or node.item.read_only)


def _row(node: Node, dangers: set[str]) -> Row:
    return Row(
        label=" ".join(filter(None, [node.item.prefix, node.item.text])) or _("Question"),
        words=words_of(node.item, node.answers),
        path=node.path,
        is_dangerous=node.item.link_id in dangers,
        files=[*files_of(node)],
    )


def title_of(node: Node) -> str:
    """The heading of a group; of a repeating one with its number."""
    text = " ".join(filter(None, [node.item.prefix, node.item.text]))
    if not node.item.repeats:
        return text
    return _("%(title)s: number %(number)d") % {
        "title": text or _("Entry"),
        "number": node.instance + 1,
    }


def files_of(node: Node) -> Iterator[tuple[str, str]]:
    """The documents that answer a question: public id and name."""
    for answer in node.answers:
        file = answer.get("valueAttachment")
        if isinstance(file, dict):
            public_id = str(file.get("url", "")).removeprefix("urn:uuid:")
            yield public_id, str(file.get("title", ""))


def consent_text(definition: Definition) -> str:
    """What is accepted or declined, to the letter: everything that is no question, in order, a paragraph
    each. The definition is frozen, so this is too."""
    parts = [definition.title, definition.description, *_texts(definition.items)]
    return "\n\n".join(part.strip() for part in parts if part.strip())


def _texts(items: Sequence[Item]) -> Iterator[str]:
    for item in items:
        if item.is_hidden:
            continue
        if not item.is_question:
            yield " ".join(filter(None, [item.prefix, item.text]))
            yield item.help
        yield from _texts(item.children)
