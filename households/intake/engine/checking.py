"""What is wrong with the answers to a form, and how to put it right.

Sources: FHIR R4 Questionnaire (required, repeats, maxLength, answerOption), its extensions (minValue and so
on), and the data types of FHIR R4 for what a value may look like.
"""

from __future__ import annotations

import binascii
import datetime
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from households.intake.engine.answers import compared, is_blank, same, unit_words, words_of
from households.intake.engine.evaluation import Filled, evaluate
from households.intake.engine.extensions import number, objects, text, value, value_key
from households.intake.engine.parts import Definition, Item
from households.intake.engine.patterns import fits
from households.intake.engine.tree import Node
from households.intake.engine.values import fault_of, resource_type_of

# Kind: what the family reads. A translation is looked up by the sentence, before its values go in.
SAYS = {
    "required": "Answer this question.",
    "required-group": "Answer at least one question in this part.",
    "min-count": "Give at least %(limit)s answers.",
    "max-count": "Give at most %(limit)s answers.",
    "min-entries": "Fill in at least %(limit)s entries.",
    "max-entries": "Keep at most %(limit)s entries.",
    "repeats": "Give one answer only.",
    "type": "Give the kind of answer that this question asks for.",
    "whole-number": "Enter a whole number, like 3.",
    "number": "Enter a number, like 3 or 3.5.",
    "date": "Enter a date that exists, like 2026/11/27.",
    "date-time": "Enter a date and a time, like 2026/11/27 14:30.",
    "time": "Enter a time, like 14:30.",
    "address": "Enter a web address, like https://example.org.",
    "reference": "Enter what this question asks for, in words.",
    "reference-type": "Choose something of this kind: %(types)s.",
    "not-an-option": "Choose an answer from the list.",
    "coding": "Choose an answer as the list has it.",
    "exclusive": "Choose “%(option)s” alone, or take it away.",
    "minimum": "Enter %(limit)s or more.",
    "maximum": "Enter %(limit)s or less.",
    "earliest": "Enter %(limit)s or later.",
    "latest": "Enter %(limit)s or earlier.",
    "min-length": "Write at least %(limit)s characters.",
    "max-length": "Write at most %(limit)s characters.",
    "new-line": "Write this in one line.",
    "pattern": "Check how this is written.",
    "pattern-like": "Write it like this: %(format)s.",
    "decimal-places": "Enter at most %(limit)s digits after the point.",
    "unit": "Choose one of these units: %(units)s.",
    "attachment-type": "Send a file of this kind: %(types)s.",
    "attachment-size": "Send a file of at most %(limit)s bytes.",
    "attachment-data": "Send the file again.",
    "constraint": "%(human)s",
    "unknown-link-id": "This form has no such question here.",
    "answer-on-group": "A group has no answer of its own.",
    "answer-on-display": "A text has no answer.",
}

# What R4 asks of a finished response only.
_WHEN_FINISHED = {"required", "required-group", "min-count", "min-entries"}


@dataclass(frozen=True)
class Problem:
    """`kind` is a key of SAYS; `values` are what goes into its sentence."""

    path: str
    link_id: str
    kind: str
    values: dict[str, str] = field(default_factory=dict)

    @property
    def says(self) -> str:
        return SAYS[self.kind] % self.values


Found = tuple[str, dict[str, str]]


def problems_of(filled: Filled) -> list[Problem]:
    """What keeps this form from being sent: of the questions that are asked, and that somebody can answer
    (not of hidden, read-only and calculated ones), in the order of the form."""
    problems = [
        Problem(node.path, node.item.link_id, kind, values)
        for node, beside in _asked(filled.nodes)
        for kind, values in _wrong(node, beside)
    ]
    for node, constraint in filled.broken:
        if constraint.is_error and constraint.human:
            path, link_id = (node.path, node.item.link_id) if node else ("", "")
            problems.append(Problem(path, link_id, "constraint", {"human": constraint.human}))
    return problems


def _asked(nodes: list[Node]) -> Iterator[tuple[Node, list[Node]]]:
    """What a family sees, each with what stands on its level."""
    for node in nodes:
        if node.is_enabled and not node.item.is_hidden:
            yield node, nodes
            yield from _asked(node.children)


def _wrong(node: Node, beside: list[Node]) -> Iterator[Found]:
    item = node.item
    if item.type == "group":
        if node.instance == 0:
            yield from _wrong_group(
                [each for each in beside if each.item is item and each.under == node.under]
            )
    elif item.is_question and not item.read_only and not item.is_calculated:
        answers = [answer for answer in node.answers if not is_blank(answer)]
        yield from _wrong_count(item, len(answers))
        # Of all that is wrong with the answers, the first is enough to read.
        faults = (fault for answer in answers for fault in _wrong_value(node, answer))
        yield from islice(faults, 1)
        yield from _wrong_together(node, answers)


def _wrong_group(instances: list[Node]) -> Iterator[Found]:
    item = instances[0].item
    count = sum(_has_answers(each) for each in instances)
    if item.repeats and item.min_occurs is not None and count < item.min_occurs:
        yield "min-entries", {"limit": str(item.min_occurs)}
    elif item.required and not count:
        yield "required-group", {}
    if item.repeats and item.max_occurs is not None and count > item.max_occurs:
        yield "max-entries", {"limit": str(item.max_occurs)}


def _has_answers(node: Node) -> bool:
    return any(each.is_answered and each.is_enabled for each in node.walk())


def _wrong_count(item: Item, count: int) -> Iterator[Found]:
    if item.min_occurs is not None and count < item.min_occurs and (count or item.min_occurs > 1):
        yield "min-count", {"limit": str(item.min_occurs)}
    elif not count and (item.required or item.min_occurs):
        yield "required", {}
    if item.max_occurs is not None and count > item.max_occurs:
        yield "max-count", {"limit": str(item.max_occurs)}
    elif count > 1 and not item.repeats and item.max_occurs is None:
        yield "repeats", {}


def _wrong_together(node: Node, answers: list[dict]) -> Iterator[Found]:
    if len(answers) < 2:
        return
    for option in node.options:
        if option.is_exclusive and any(same(option.answer, answer) for answer in answers):
            yield "exclusive", {"option": option.label}
            return


# One value ------------------------------------------------------------------------------------------


def _wrong_value(node: Node, answer: dict) -> Iterator[Found]:
    item = node.item
    key, held = value_key(answer), value(answer)
    if key not in item.answer_keys:
        yield "type", {}
        return
    fault = fault_of(key, held)
    if fault is not None:
        yield fault, {}
        return
    yield from _wrong_choice(node, answer)
    if key == "valueString":
        if item.type == "string" and ("\n" in held or "\r" in held):
            yield "new-line", {}
        yield from _wrong_length(item, held)
    elif key == "valueUri":
        yield from _wrong_length(item, held)
    elif key == "valueQuantity":
        yield from _wrong_unit(node, held)
    elif key == "valueAttachment":
        yield from _wrong_attachment(item, held)
    elif key == "valueReference":
        yield from _wrong_reference(item, held)
    if item.regex and not isinstance(held, dict | bool) and not fits(item.regex, str(held)):
        yield (
            ("pattern-like", {"format": item.entry_format})
            if item.entry_format
            else ("pattern", {})
        )
    yield from _wrong_places(item, held)
    yield from _wrong_limits(node, answer)


def _wrong_choice(node: Node, answer: dict) -> Iterator[Found]:
    item = node.item
    if not node.options or (
        item.type not in ("choice", "open-choice") and not item.raw.get("answerOption")
    ):
        return
    option = next((each for each in node.options if same(each.answer, answer)), None)
    if option is None:
        if item.type != "open-choice" or value_key(answer) != "valueString":
            yield "not-an-option", {}
    elif item.value_set and "valueCoding" in answer:
        shown = text(answer["valueCoding"].get("display"))
        if shown and option.label and shown.casefold() != option.label.casefold():
            yield "coding", {}


def _wrong_length(item: Item, held: str) -> Iterator[Found]:
    if item.min_length is not None and len(held) < item.min_length:
        yield "min-length", {"limit": str(item.min_length)}
    if item.max_length is not None and len(held) > item.max_length:
        yield "max-length", {"limit": str(item.max_length)}


def _wrong_places(item: Item, held: Any) -> Iterator[Found]:
    read = number(held.get("value")) if isinstance(held, dict) else number(held)
    if item.max_decimal_places is None or read is None or isinstance(held, str):
        return
    exponent = read.normalize().as_tuple().exponent
    if isinstance(exponent, int) and -exponent > item.max_decimal_places:
        yield "decimal-places", {"limit": str(item.max_decimal_places)}


def _wrong_unit(node: Node, held: dict) -> Iterator[Found]:
    units = node.item.units
    if not units or node.item.units_are_open:
        return
    mine = {text(held.get("code")), text(held.get("unit"))} - {""}
    known = {text(unit.get(key)) for unit in units for key in ("code", "display")}
    if mine and not mine & known:
        yield "unit", {"units": ", ".join(unit_words(unit) for unit in units)}


def _wrong_limits(node: Node, answer: dict) -> Iterator[Found]:
    for limit, is_least in ((node.min_value, True), (node.max_value, False)):
        if limit is None:
            continue
        order = compared(*_comparable(answer, limit))
        if order is None:
            if "valueQuantity" in answer and "valueQuantity" in limit:
                yield "unit", {"units": unit_words(_unit_of(limit))}
        elif order and (order < 0) is is_least:
            words = "".join(words_of(node.item, [limit]))
            is_time = "Date" in value_key(answer) or "Time" in value_key(answer)
            kinds = ("earliest", "latest") if is_time else ("minimum", "maximum")
            yield kinds[not is_least], {"limit": words}


def _comparable(answer: dict, limit: dict) -> tuple[dict, dict]:
    """A quantity beside a plain number is compared by its number, a time beside a day by its day."""
    if "valueQuantity" in answer and "valueQuantity" not in limit:
        return {"valueDecimal": answer["valueQuantity"].get("value")}, limit
    if "valueDateTime" in answer and "valueDate" in limit:
        return {"valueDate": answer["valueDateTime"][:10]}, limit
    return answer, limit


def _unit_of(limit: dict) -> dict:
    quantity = limit["valueQuantity"]
    return {"display": quantity.get("unit"), "code": quantity.get("code")}


def _wrong_attachment(item: Item, held: dict) -> Iterator[Found]:
    kind = text(held.get("contentType")).partition(";")[0].strip().lower()
    if item.mime_types and not any(_is_of(kind, mime.lower()) for mime in item.mime_types):
        yield "attachment-type", {"types": ", ".join(item.mime_types)}
    size = number(held.get("size"))
    if "data" in held:
        try:
            length = len(b64decode(text(held["data"]), validate=True))
        except (binascii.Error, ValueError):
            yield "attachment-data", {}
            return
        if size is not None and size != length:
            yield "attachment-data", {}
        size = number(length)
    if item.max_size is not None and size is not None and size > item.max_size:
        yield "attachment-size", {"limit": str(item.max_size)}


def _is_of(kind: str, mime: str) -> bool:
    return kind == mime or (mime.endswith("/*") and kind.startswith(mime[:-1]))


def _wrong_reference(item: Item, held: dict) -> Iterator[Found]:
    reference = text(held.get("reference"))
    if not reference:
        if not text(held.get("display")) and not held.get("identifier"):
            yield "reference", {}
        return
    named = resource_type_of(reference)
    if named is None:
        yield "reference", {}
    elif named and item.resource_types and named not in item.resource_types:
        yield "reference-type", {"types": ", ".join(item.resource_types)}


# A response of somebody else ------------------------------------------------------------------------


def check_response(definition: Definition, response: dict) -> list[Problem]:
    """What is wrong with a foreign QuestionnaireResponse: of its shape, and of its answers.

    What is required counts in a finished response, inside groups that it has (R4: what an absent group
    requires is not missing). Never raises.
    """
    items = objects(response.get("item"))
    problems = list(_misshapen(definition.items, items))
    filled = evaluate(definition, items, now=datetime.datetime.now(datetime.UTC))
    is_open = response.get("status") == "in-progress"
    for problem in problems_of(filled):
        node = filled.node(problem.path)
        is_absent = node is not None and node.parent is not None and not node.parent.has_answers
        if problem.kind in _WHEN_FINISHED and (is_open or is_absent):
            continue
        problems.append(problem)
    return problems


def _misshapen(
    level: tuple[Item, ...], items: list[dict], within: Item | None = None
) -> Iterator[Problem]:
    known = {item.link_id: item for item in reversed(level)}
    seen: set[str] = set()
    for each in items:
        link_id = text(each.get("linkId"))
        item = known.get(link_id)
        if item is None:
            if within is None or link_id not in _helps(within):
                yield Problem("", link_id, "unknown-link-id")
            continue
        answers = objects(each.get("answer"))
        if answers and not item.is_question:
            yield Problem("", link_id, f"answer-on-{item.type}")
        if item.type == "group" and link_id in seen and not item.repeats:
            yield Problem("", link_id, "repeats")
        seen.add(link_id)
        for inner in [each, *answers]:
            yield from _misshapen(item.children, objects(inner.get("item")), item)


def _helps(item: Item) -> set[str]:
    """Link ids of the texts that went into the words of their question."""
    return {
        text(each.get("linkId"))
        for each in objects(item.raw.get("item"))
        if each.get("type") == "display"
    }
