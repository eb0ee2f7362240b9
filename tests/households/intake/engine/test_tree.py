"""Answers put in their places: what is put is there, what is off stays in the draft alone."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from households.intake.engine.evaluation import (
    add_instance,
    begin,
    evaluate,
    put,
    remove_instance,
)
from households.intake.engine.items import Definition, read_definition
from tests.questionnaires import NOW, ours, path_of, with_answers

YES = {"valueBoolean": True}
NO = {"valueBoolean": False}


def words(text: str) -> dict:
    return {"valueString": text}


def answers_at(definition: Definition, items: list[dict], link_id: str) -> list[list[dict]]:
    nodes = evaluate(definition, items, now=NOW).walk()
    return [node.answers for node in nodes if node.item.link_id == link_id]


def test_paths_are_names_for_fields():
    filled = evaluate(ours("all-types"), [], now=NOW)
    paths = [node.path for node in filled.walk()]
    assert len(set(paths)) == len(paths)
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", path) for path in paths)
    assert all(filled.node(node.path) is node for node in filled.walk())
    assert filled.node("7.7") is None


def test_instances_come_and_go():
    form = ours("medicines")
    items = with_answers(form, [], {"what": words("Aspirin"), "why": words("pain")})
    items = add_instance(form, items, "1-0")
    items = put(form, items, {path_of(form, items, "what", 1): [words("Iron")]})
    assert answers_at(form, items, "what") == [[words("Aspirin")], [words("Iron")]]
    # What the form starts with, it starts with in each instance.
    assert answers_at(form, items, "daily") == [[], [YES]]
    items = remove_instance(form, items, "1-0")
    assert answers_at(form, items, "what") == [[words("Iron")]]
    assert answers_at(form, items, "why") == [[]]


def test_an_instance_that_was_added_stays_while_it_is_empty():
    form = ours("medicines")
    items = with_answers(form, [], {"what": words("Aspirin")})
    inner = path_of(form, items, "reason")
    items = add_instance(form, items, inner)
    assert len(answers_at(form, items, "why")) == 2
    kept = evaluate(form, items, now=NOW).items(with_disabled=True)
    assert len(answers_at(form, kept, "why")) == 2
    sent = evaluate(form, items, now=NOW).items(with_disabled=False)
    assert "reason" not in str(sent)


def test_only_repeating_groups_have_instances():
    form = ours("all-types")
    for path in ("1-0", "1-0.0", "nowhere"):
        assert add_instance(form, [], path) == []
        assert remove_instance(form, [], path) == []


def test_the_only_instance_is_emptied():
    form = ours("medicines")
    items = with_answers(form, [], {"what": words("Aspirin")})
    items = remove_instance(form, items, path_of(form, items, "medicine"))
    assert answers_at(form, items, "what") == [[]]


def pet(code: str) -> dict:
    return {"valueCoding": {"code": code}}


def test_what_is_asked_under_an_answer_stays_with_it():
    form = ours("all-types")
    items = with_answers(form, [], {"pets": [pet("cat"), pet("dog")]})
    first, second = (path_of(form, items, "pet-name", nth) for nth in range(2))
    items = put(form, items, {first: [words("Tom")], second: [words("Rex")]})
    items = with_answers(form, items, {"pets": [pet("dog"), words("a hen")]})
    assert answers_at(form, items, "pet-name") == [[words("Rex")], []]
    items = with_answers(form, items, {"pets": []})
    assert answers_at(form, items, "pets") == [[]]


def test_what_is_read_only_is_not_put():
    form = read_definition({"item": [{"linkId": "a", "type": "string", "readOnly": True}]})
    assert put(form, [], {"0": [words("x")]}) == []


def test_blank_answers_are_none():
    form = ours("all-types")
    path = path_of(form, [], "name")
    for blank in (words(""), words("  "), {"valueString": None}, {}):
        assert put(form, [], {path: [blank]}) == []


def test_a_browser_cannot_add_without_end():
    form = ours("medicines")
    items = [{"linkId": "medicine", "item": []} for _ in range(5000)]
    assert len(answers_at(form, items, "what")) == 100
    items = put(form, [], {path_of(form, [], "person"): [words("x")] * 5000})
    assert len(answers_at(form, items, "person")[0]) == 500


# Any form -------------------------------------------------------------------------------------------

_KINDS = {
    "boolean": st.booleans().map(lambda held: {"valueBoolean": held}),
    "integer": st.integers(-5, 5).map(lambda held: {"valueInteger": held}),
    "string": st.sampled_from(["a", "b c", "Zoë"]).map(words),
}


@st.composite
def forms(draw: st.DrawFn) -> dict:
    """Groups in groups, questions under questions, and conditions on any boolean, in circles too."""
    count = draw(st.integers(1, 12))
    items: list[dict] = []
    for number in range(count):
        kind = draw(st.sampled_from(["group", *_KINDS]))
        item: dict = {"linkId": f"q{number}", "type": kind, "repeats": draw(st.booleans())}
        if draw(st.integers(0, 2)) == 0:
            other = draw(st.integers(0, count - 1))
            operator, than = draw(
                st.sampled_from([("=", True), ("!=", True), ("exists", True), ("exists", False)])
            )
            item["enableWhen"] = [
                {"question": f"q{other}", "operator": operator, "answerBoolean": than}
            ]
        holder = draw(st.sampled_from([None, *items]))
        (items if holder is None else holder.setdefault("item", [])).append(item)
        if holder is not None:
            # So that later ones may go into it as well.
            items.append(item)
    tops = [item for item in items if not _is_inside(item, items)]
    return {"item": tops}


def _is_inside(item: dict, items: list[dict]) -> bool:
    return any(item is inner for holder in items for inner in holder.get("item", []))


@st.composite
def drafts(draw: st.DrawFn) -> tuple[Definition, list[dict]]:
    definition = read_definition(draw(forms()))
    items: list[dict] = []
    for _ in range(draw(st.integers(0, 4))):
        nodes = list(evaluate(definition, items, now=NOW).walk())
        node = draw(st.sampled_from(nodes))
        if node.item.type == "group":
            items = add_instance(definition, items, node.path)
        else:
            most = 3 if node.item.repeats else 1
            answers = draw(st.lists(_KINDS[node.item.type], max_size=most))
            items = put(definition, items, {node.path: answers})
    return definition, items


@settings(max_examples=150, deadline=None)
@given(drafts())
def test_a_draft_comes_back_as_it_was(draft):
    definition, items = draft
    filled = evaluate(definition, items, now=NOW)
    assert filled.items(with_disabled=True) == items
    assert put(definition, items, {}) == items


@settings(max_examples=150, deadline=None)
@given(drafts())
def test_what_is_sent_has_nothing_that_is_off(draft):
    definition, items = draft
    filled = evaluate(definition, items, now=NOW)
    sent = filled.items(with_disabled=False)
    asked = {node.item.link_id for node in filled.walk() if node.is_enabled}
    assert _link_ids(sent) <= asked
    said = [
        answer
        for node in filled.walk()
        for answer in node.answers
        if node.is_enabled and node.item.is_question
    ]
    assert sum(1 for _ in _values(sent)) == len(said)


@settings(max_examples=150, deadline=None)
@given(drafts(), st.data())
def test_what_is_put_is_there_and_nothing_else_changes(draft, data):
    definition, items = draft
    before = {node.path: node for node in evaluate(definition, items, now=NOW).walk()}
    questions = [
        node for node in before.values() if node.item.is_question and not node.item.children
    ]
    if not questions:
        return
    node = data.draw(st.sampled_from(questions))
    answers = [data.draw(_KINDS[node.item.type])]
    after = evaluate(definition, put(definition, items, {node.path: answers}), now=NOW)
    assert after.node(node.path).answers == answers
    for path, other in before.items():
        if path != node.path:
            assert after.node(path).answers == other.answers


@settings(max_examples=100, deadline=None)
@given(drafts())
def test_switching_off_and_on_again_restores(draft):
    definition, items = draft
    form = {
        "item": [
            {"linkId": "on", "type": "boolean"},
            {
                "linkId": "all",
                "type": "group",
                "item": [item.raw for item in definition.items],
                "enableWhen": [{"question": "on", "operator": "=", "answerBoolean": True}],
            },
        ]
    }
    gated = read_definition(form)
    inside = [{"linkId": "all", "item": items}] if items else []
    on = put(gated, inside, {"0": [YES]})
    off = put(gated, on, {"0": [NO]})
    assert "all" not in _link_ids(evaluate(gated, off, now=NOW).items(with_disabled=False))
    assert put(gated, off, {"0": [YES]}) == on
    assert begin(gated, now=NOW) == []


def _link_ids(items: list[dict]) -> set[str]:
    return {each["linkId"] for each in _elements(items)}


def _elements(items: list[dict]):
    for each in items:
        yield each
        for inner in [each, *each.get("answer", [])]:
            yield from _elements(inner.get("item", []))


def _values(items: list[dict]):
    for each in _elements(items):
        yield from (answer for answer in each.get("answer", []) if set(answer) - {"item"})
