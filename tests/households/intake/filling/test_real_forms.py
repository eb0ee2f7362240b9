"""Real forms that nobody here wrote: each opens page by page, takes answers, is checked and sent."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from households.intake import inputs
from households.intake.bundled import bundled_lists
from households.intake.definitions import definition_of, lists_named
from households.intake.models import QuestionnaireResponse, ValueSet
from households.intake.pages import pages_of
from tests.files import png
from tests.households.intake.filling.conftest import published
from tests.pages import fields_of
from tests.questionnaires import files

# Some lie in both places.
FILES = [*{path.name: path for path in files()}.values()]
MOST_PAGES = 120


def typed_into(node: Any, luck: random.Random) -> dict[str, Any]:
    """Something valid for the boxes of a question, as it is typed."""
    item, box = node.item, inputs.box
    fields = inputs.fields_of(node)
    field = fields[box(node)]
    choices = [
        key for key, _words in getattr(field.widget, "choices", ()) if key and key != "other"
    ]
    if choices:
        chosen = luck.sample(choices, item.min_occurs or 1)
        return {box(node): chosen if item.repeats else chosen[0]}
    if item.type in {"integer", "decimal", "quantity"}:
        low, high = (_number(limit) for limit in (item.min_value, item.max_value))
        number = low if low is not None else high if high is not None else 3
        typed = {box(node): f"{number:g}" if item.type != "integer" else str(int(number))}
        if box(node, "u") in fields:
            units = [k for k, _w in getattr(fields[box(node, "u")].widget, "choices", ()) if k]
            typed[box(node, "u")] = units[0] if units else "kg"
        return typed
    if item.type in {"date", "dateTime"}:
        return {box(node): "2020/02/03"}
    if item.type == "time":
        return {box(node): "14:30"}
    if item.type == "url":
        return {box(node): "https://example.org/"}
    if item.regex:
        return {box(node): _fitting(item)}
    text = "Something else"
    if item.min_length:
        text = text.ljust(item.min_length, "x")
    return {box(node): text[: item.max_length or 500]}


def _number(limit: dict[str, Any] | None) -> float | None:
    value = next(iter((limit or {}).values()), None)
    value = value.get("value") if isinstance(value, dict) else value
    return float(value) if isinstance(value, int | float) else None


def _fitting(item: Any) -> str:
    import re

    tries = ("", "12345", "555-123-4567", "5551234567", "a@b.example", "12", "NY", "04/27/2016")
    tries = (*tries, "K1A 0B1", "12345-6789", "1-555-123-4567", "anna@example.org")
    tries = (*tries, "(555) 123-4567", "Anna", "1234", "123-45-6789", "+15551234567", "123 / 80")
    try:
        return next((text for text in tries if text and re.fullmatch(item.regex, text)), "")
    except re.error:
        return ""


def put_on_file(whole: dict[str, Any]) -> None:
    """The lists of choices that come with the portal and that this form names."""
    for url in lists_named(whole) & bundled_lists().keys():
        one = bundled_lists()[url]
        ValueSet.objects.get_or_create(
            url=url, defaults={"title": one["title"], "concepts": one["concepts"]}
        )


def post(filler: Any, answer: Any, fields: dict[str, Any]) -> Any:
    given = {name: value for name, value in fields.items() if value not in ("", [])}
    return filler.client.post(answer.request["PATH_INFO"], given, follow=True)


def send_files(filler: Any, answer: Any, response: Any) -> None:
    for node in answer.context["shown"].questions():
        if node.item.type == "attachment" and not node.answers:
            address = filler.at(f"{response.public_id}/file/{node.path}/")
            assert filler.client.post(address, {"files": png()}).status_code == 302


def wrong_left_out(answer: Any) -> dict[str, Any]:
    """What somebody does who cannot say it as the form wants it: leaves it out, where that is allowed."""
    form = answer.context["form"]
    fields = fields_of(answer, "page-form")
    optional = {name for name in form.errors if name in fields and not form.fields[name].required}
    return {name: value for name, value in fields.items() if name not in optional}


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_real_form_is_filled_and_sent(path: Path, mia, cast):
    luck = random.Random(path.stem)
    whole = json.loads(path.read_text())
    put_on_file(whole)
    version = published(whole=whole)
    answer = mia.begin(version)
    visited = []
    while answer.status_code == 200 and "/page/" in answer.request["PATH_INFO"]:
        assert len(visited) < MOST_PAGES, visited
        visited.append(answer.request["PATH_INFO"])
        form = answer.context["form"]
        fields = fields_of(answer, "page-form")
        for node in form.nodes:
            if not node.answers:
                fields |= typed_into(node, luck)
        answer = post(mia, answer, fields)
        if "__all__" in (answer.context["form"].errors if "form" in answer.context else ()):
            send_files(mia, answer, QuestionnaireResponse.objects.for_member(cast.mia).get())
            answer = post(mia, answer, fields_of(answer, "page-form"))
        if answer.status_code == 422:
            answer = post(mia, answer, wrong_left_out(answer))
    names = [page.name for page in pages_of(definition_of(version))]
    assert len(set(names)) == len(names)
    assert answer.status_code == 200, answer.context["form"].errors
    problems = answer.context["problems"]
    assert not problems, [(p.link_id, p.kind, p.says) for one in problems for p in one.problems]
    done = mia.send(answer)
    assert done.status_code == 200
    response = QuestionnaireResponse.objects.for_member(cast.mia).get()
    assert not response.is_draft
