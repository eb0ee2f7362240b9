"""The audit's vocabulary: closed, and with a sentence for each word (SECURITY R-AL-2)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib import admin

from accounts import audit
from accounts.audit.models import AuditEvent
from accounts.audit.words import SAYS, THINGS, NotAWord, sentence

ROOT = Path(__file__).parents[3]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "typed",
    [
        {"outcome": "Mia"},
        {"outcome": ""},
        {"outcome": "ok", "object_type": "Penicillin"},
        {"outcome": "ok", "object_id": "mia@example.org"},
        {"outcome": "ok", "object_id": "Mia Rivera"},
        {"outcome": "ok", "object_id": "2016/04/27"},
        {"outcome": "ok", "object_id": "x" * 41},
        {"outcome": "ok\n"},
        {"outcome": "no-match"},  # a word, but of another action
    ],
)
def test_what_is_no_word_is_refused_and_nothing_is_written(typed):
    outcome = typed.pop("outcome")
    with pytest.raises(NotAWord):
        audit.record(audit.Action.VIEW, outcome, **typed)
    assert not AuditEvent.objects.exists()


def test_every_action_has_its_outcomes():
    assert SAYS.keys() == {*map(str, audit.Action)}
    assert all(len(word) <= 40 for outcomes in SAYS.values() for word in outcomes)


def test_every_entry_has_a_sentence_without_codes():
    for action, outcomes in SAYS.items():
        for outcome in outcomes:
            for thing in THINGS:
                text = sentence(action, outcome, thing)
                assert text[0].isupper(), (action, outcome)
                assert "{" not in text, (action, outcome)
    assert sentence("staff-change", "age-18-seen", "member")
    assert sentence("of a later release", "ok", "thing") == "of a later release ok thing"


def test_everything_that_admin_shows_is_a_thing():
    for model in admin.site._registry:
        assert model._meta.model_name in THINGS, model


def calls() -> Iterator[tuple[Path, ast.Call]]:
    for app in apps.get_app_configs():
        folder = Path(app.path)
        if ROOT not in folder.parents or ".venv" in folder.parts:
            continue
        for file in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("record"):
                    yield file, node


def literals(node: ast.AST) -> Iterator[str]:
    """The words that an argument may come to, as far as they stand there."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from literals(node.body)
        yield from literals(node.orelse)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from literals(value)


def test_every_word_in_the_source_is_known():
    """Also on paths that no test goes: there the family or staff would get an error."""
    found = 0
    for file, call in calls():
        action = next(
            (
                str(getattr(audit.Action, arg.attr))
                for arg in call.args
                if isinstance(arg, ast.Attribute) and hasattr(audit.Action, arg.attr)
            ),
            None,
        )
        if action is None:
            continue
        place = next(
            number for number, arg in enumerate(call.args) if isinstance(arg, ast.Attribute)
        )
        for arg in call.args[place + 1 : place + 2]:
            for word in literals(arg):
                found += 1
                assert word in SAYS[action], (file, word)
        for keyword in call.keywords:
            if keyword.arg == "object_type":
                for word in literals(keyword.value):
                    assert word in THINGS, (file, word)
    assert found > 80
