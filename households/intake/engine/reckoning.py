"""The expressions of one filled form: their environment, their variables, and what their values are as
answers."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from households.intake.engine.answers import is_blank, option_of, plain, same, weighed
from households.intake.engine.expressions import Clock, Failure, exact, node, work_out
from households.intake.engine.extensions import number, weight_of
from households.intake.engine.parts import ANSWER_KEYS, Definition, Expression, Item, Option
from households.intake.engine.tree import Node

_ITEM = "QuestionnaireResponse.item"


class Reckoning:
    """Works out expressions on the tree as it stood at the last `look`."""

    def __init__(
        self,
        definition: Definition,
        nodes: list[Node],
        patient: dict | None,
        now: datetime.datetime,
    ) -> None:
        self.clock = Clock(now)
        # Link ids whose expressions failed.
        self.failed: dict[str, None] = {}
        self._nodes = nodes
        self._definition = definition
        form = definition.derived.get("form")
        if form is None:
            form = {**exact(definition.raw), "resourceType": "Questionnaire"}
            definition.derived["form"] = form
        the_patient = node(exact(patient), "Patient") if patient else None
        self._environment: dict[str, Any] = {
            "questionnaire": node(form, "Questionnaire"),
            **dict.fromkeys(definition.patient_names, the_patient),
            "patient": the_patient,
            "ucum": "http://unitsofmeasure.org",
            "loinc": "http://loinc.org",
            "sct": "http://snomed.info/sct",
        }
        self.look()

    def look(self) -> None:
        """Takes the answers as they are now: enabled questions only, choices with their weights."""
        self._elements: dict[Node | None, dict] = {}
        self._values: dict[tuple[Node | None, str], list[Any]] = {}
        self._open: set[tuple[Node | None, str]] = set()
        self.clock.kept[True].clear()
        response: dict = {"resourceType": "QuestionnaireResponse"}
        if self._definition.url:
            response["questionnaire"] = self._definition.url
        response["item"] = self._items(self._nodes)
        self._elements[None] = response
        self._environment["resource"] = node(response, "QuestionnaireResponse")
        self._environment["rootResource"] = self._environment["resource"]

    def _items(self, nodes: list[Node]) -> list[dict]:
        items: list[dict] = []
        for each in nodes:
            if not each.is_enabled or each.item.type == "display":
                continue
            element: dict = {"linkId": each.item.link_id}
            if each.item.is_question:
                answers = self._answers(each)
                if answers:
                    element["answer"] = answers
            elif inner := self._items(each.children):
                element["item"] = inner
            if len(element) > 1:
                items.append(element)
            self._elements[each] = element
        return items

    def _answers(self, question: Node) -> list[dict]:
        answers: list[dict] = []
        for place, answer in enumerate(question.answers or [{}]):
            answer = {} if is_blank(answer) else exact(weighed(question.item, answer))
            under = [child for child in question.children if child.under == place]
            if under and (inner := self._items(under)):
                answer = {**answer, "item": inner}
            if answer:
                answers.append(answer)
        return answers

    # Values

    def value(self, expression: Expression, at: Node | None) -> list[Any]:
        """What it is in this place (None: of the form). Raises Failure."""
        return work_out(expression.text, self._focus(at), _Scope(self, at), self.clock)

    def is_true(self, expression: Expression, at: Node | None, *, otherwise: bool) -> bool:
        """`otherwise` is said where it fails. Nothing, and what is no boolean, is not true."""
        try:
            return self.value(expression, at) == [True]
        except Failure:
            self._note(at)
            return otherwise

    def answers(self, expression: Expression, at: Node) -> list[dict]:
        """Its values as answers to this question; none where it fails."""
        try:
            values = self.value(expression, at)
        except Failure:
            self._note(at)
            return []
        found = [answer for each in values if (answer := answer_of(at.item, each)) is not None]
        return found if at.item.repeats else found[:1]

    def options(self, at: Node) -> tuple[Option, ...] | None:
        """The choices where expressions decide about them, else None."""
        item = at.item
        options = item.options
        if item.answer_expression is not None:
            try:
                values = self.value(item.answer_expression, at)
            except Failure:
                self._note(at)
                return None
            options = tuple(_option(each) for each in values if each is not None)
        for toggle in item.toggles:
            if not self.is_true(toggle.expression, at, otherwise=True):
                options = tuple(
                    option
                    for option in options
                    if not any(same(option.answer, off) for off in toggle.options)
                )
        return options if item.answer_expression is not None or item.toggles else None

    def _note(self, at: Node | None) -> None:
        self.failed[at.item.link_id if at else ""] = None

    def _focus(self, at: Node | None) -> Any:
        if at is None:
            return self._environment["resource"]
        return node(self._elements.get(at) or {"linkId": at.item.link_id}, _ITEM)

    def variable(self, name: str, at: Node | None) -> list[Any]:
        """A declared variable, worked out when it is first asked for."""
        key = (at, name)
        if key not in self._values:
            declared = _declared(self._definition, at)[name]
            self._open.add(key)
            try:
                scope = _Scope(self, at)
                self._values[key] = work_out(declared.text, self._focus(at), scope, self.clock)
            except Failure:
                self._note(at)
                self._values[key] = []
            finally:
                self._open.discard(key)
        return self._values[key]

    def holder(self, name: str, at: Node | None) -> tuple[Node | None] | None:
        """Where the variable of this name is declared that is seen from here: (place,), or None. One that
        is being worked out is not seen by itself: `X := %X + 1` names the X further out."""
        for place in _outwards(at):
            if name in _declared(self._definition, place) and (place, name) not in self._open:
                return (place,)
        return None

    def environment(self, name: str, at: Node | None) -> Any:
        if name == "context":
            return self._focus(at)
        if name == "qitem":
            return node(exact(at.item.raw), "Questionnaire.item") if at else None
        return self._environment[name]

    def knows(self, name: str) -> bool:
        return name in ("context", "qitem") or name in self._environment


class _Scope(Mapping[str, Any]):
    """The variables as the library asks for them, by name."""

    def __init__(self, reckoning: Reckoning, at: Node | None) -> None:
        self._reckoning = reckoning
        self._at = at

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (
            self._reckoning.holder(name, self._at) is not None or self._reckoning.knows(name)
        )

    def __getitem__(self, name: str) -> Any:
        place = self._reckoning.holder(name, self._at)
        if place is not None:
            return list(self._reckoning.variable(name, place[0]))
        return self._reckoning.environment(name, self._at)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _outwards(at: Node | None) -> Iterator[Node | None]:
    if at is not None:
        yield at
        yield from at.ancestors()
    yield None


def _declared(definition: Definition, at: Node | None) -> dict[str, Expression]:
    variables = at.item.variables if at else definition.variables
    return {each.name: each for each in variables}


# Values as answers ----------------------------------------------------------------------------------


def answer_of(item: Item, value: Any) -> dict | None:
    """A value as an answer to this question; None where it is of another kind."""
    if item.type in ("choice", "open-choice"):
        return _chosen(item, value)
    read = number(value)
    if item.type == "integer":
        return (
            None if read is None else {"valueInteger": int(read.to_integral_value(ROUND_HALF_UP))}
        )
    if item.type == "decimal":
        return None if read is None else {"valueDecimal": plain(read)}
    if item.type == "quantity":
        return _quantity(item, value)
    if item.type == "boolean":
        return {"valueBoolean": value} if isinstance(value, bool) else None
    if item.type in ("string", "text", "url"):
        words = _words(value)
        return None if words is None else {ANSWER_KEYS[item.type][0]: words}
    if item.type == "date" and isinstance(value, str):
        return {"valueDate": value[:10]}
    if item.type in ("dateTime", "time") and isinstance(value, str):
        return {ANSWER_KEYS[item.type][0]: value}
    if item.type in ("reference", "attachment") and isinstance(value, dict):
        return {ANSWER_KEYS[item.type][0]: _json(value)}
    return None


def _chosen(item: Item, value: Any) -> dict | None:
    if isinstance(value, dict):
        coding = value["coding"][0] if value.get("coding") else value
        coding = {key: coding[key] for key in ("system", "code", "display") if coding.get(key)}
        return {"valueCoding": coding} if coding else None
    words = _words(value)
    if words is None:
        return None
    option = option_of(item, {"valueString": words})
    if option is not None:
        return dict(option.answer)
    return {"valueString": words} if item.type == "open-choice" else None


def _quantity(item: Item, value: Any) -> dict | None:
    if isinstance(value, dict):
        return {"valueQuantity": _json(value)} if "value" in value else None
    read = number(value)
    if read is None:
        return None
    quantity: dict = {"value": plain(read)}
    if item.unit:
        quantity["unit"] = item.unit.get("display") or item.unit.get("code")
        quantity |= {key: item.unit[key] for key in ("system", "code") if item.unit.get(key)}
    return {"valueQuantity": quantity}


def _words(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    read = number(value) if isinstance(value, int | Decimal) else None
    if read is not None:
        return f"{read:f}"
    return value if isinstance(value, str) and value else None


def _json(value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, dict):
        return {key: _json(held) for key, held in value.items()}
    return [_json(each) for each in value] if isinstance(value, list) else value


def _option(value: Any) -> Option:
    if isinstance(value, dict):
        coding = {key: value[key] for key in ("system", "code", "display") if value.get(key)}
        label = str(coding.get("display") or coding.get("code") or "")
        return Option({"valueCoding": coding}, label, weight_of(value))
    words = _words(value) or ""
    return Option({"valueString": words}, words)
