"""A Questionnaire, read once into what the other modules ask of it.

Source: FHIR R4 Questionnaire and the extensions of FHIR R4 and SDC that FORMS.md 1.5 lists.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from weakref import ref

from households.intake.engine.extensions import (
    FHIR,
    SDC,
    all_of,
    codes_of,
    number,
    objects,
    text,
    truth,
    value,
    value_key,
    value_of,
    weight_of,
    whole,
)
from households.intake.engine.parts import (
    ANSWER_KEYS,
    Condition,
    Constraint,
    Definition,
    Item,
    Option,
    Toggle,
)
from households.intake.engine.scopes import ENVIRONMENT, Scope
from households.intake.engine.value_sets import ValueSets, bare

__all__ = ["ANSWER_KEYS", "DANGER", "Definition", "Item", "Option", "read_definition"]

DANGER = "urn:kinchart:danger"
# On a calculated item: its value also counts where some of its questions are unanswered.
PARTIAL_SCORE = "urn:kinchart:partial-score"
_HELP_CODES = {"help", "instructions", "flyover"}
_DEEPEST = 40


def read_definition(
    definition: dict, value_sets: Mapping[str, Sequence[dict]] | None = None
) -> Definition:
    """The form in this Questionnaire. `value_sets`: concepts by the address of an outside value set, as
    ValueSet.concepts keeps them. Never raises: what it cannot read is left out (lint.py names it)."""
    patient_names = frozenset(_patient_names(definition))
    form = Scope(ENVIRONMENT | patient_names).within(definition)
    reader = _Reader(ValueSets(definition, value_sets or {}))
    items = reader.children(objects(definition.get("item")), None, form, 0)
    return Definition(
        url=text(definition.get("url")),
        version=text(definition.get("version")),
        title=text(definition.get("title")) or text(definition.get("name")),
        description=text(definition.get("description")),
        items=items,
        by_link_id=reader.by_link_id,
        value_sets=frozenset(reader.outside),
        variables=form.variables,
        constraints=_constraints(definition, form),
        patient_names=patient_names,
        raw=copy.deepcopy(definition),
    )


class _Reader:
    def __init__(self, value_sets: ValueSets) -> None:
        self.value_sets = value_sets
        self.by_link_id: dict[str, Item] = {}
        self.outside: set[str] = set()

    def children(
        self, elements: list[dict], parent: Item | None, scope: Scope, depth: int
    ) -> tuple[Item, ...]:
        """The items of a level; help texts go to their question instead."""
        found: list[Item] = []
        for element in elements:
            inner = scope.within(element)
            item = self.item(element, parent, inner)
            if parent is not None and _is_help(item, parent, found):
                parent.help = "\n".join(filter(None, [parent.help, item.text]))
            else:
                found.append(item)
            if depth < _DEEPEST:
                item.children = self.children(objects(element.get("item")), item, inner, depth + 1)
        return tuple(found)

    def item(self, element: dict, parent: Item | None, scope: Scope) -> Item:
        link_id = text(element.get("linkId")) or f"item-{len(self.by_link_id) + 1}"
        item = Item(
            link_id=link_id,
            type=_type(element),
            text=text(element.get("text")),
            inside=None if parent is None else ref(parent),
            prefix=text(element.get("prefix")),
            codes=tuple(objects(element.get("code"))),
            raw=element,
        )
        _read_presentation(item, element)
        if item.type != "display":
            _read_limits(item, element, scope)
        _read_behaviour(item, element, scope)
        if item.is_question:
            self._read_choices(item, element)
            _read_danger(item, element)
        self.by_link_id.setdefault(link_id, item)
        return item

    def _read_choices(self, item: Item, element: dict) -> None:
        item.units = tuple(
            each
            for extension in all_of(element, FHIR + "questionnaire-unitOption")
            if isinstance(each := value(extension), dict)
        )
        units_url = text(value_of(element, FHIR + "questionnaire-unitValueSet"))
        if units_url:
            item.units += tuple(_coding(each) for each in self._concepts(units_url))
        item.units_are_open = text(value_of(element, SDC + "unitOpen")).startswith("optionsOr")
        if item.unit is None and len(item.units) == 1:
            item.unit = item.units[0]
        item.options = tuple(_options(element))
        item.value_set = text(element.get("answerValueSet"))
        if item.value_set and not item.options:
            item.options = tuple(
                Option(
                    {"valueCoding": _coding(concept)},
                    text(concept.get("display")) or text(concept.get("code")),
                    number(concept.get("weight")),
                )
                for concept in self._concepts(item.value_set)
            )

    def _concepts(self, url: str) -> list[dict]:
        if not url.startswith("#") and not self.value_sets.is_contained(url):
            self.outside.add(bare(url))
        return self.value_sets.concepts(url)


def _type(element: dict) -> str:
    """One of FHIR R4's; R5's "coding" and what nobody knows as the nearest of them."""
    named = text(element.get("type"))
    if named in ANSWER_KEYS or named in ("group", "display"):
        return named
    if named == "coding":
        constraint = element.get("answerConstraint")
        return "open-choice" if constraint == "optionsOrString" else "choice"
    if "item" in element:
        return "group"
    return "choice" if element.get("answerOption") else "string"


def _read_presentation(item: Item, element: dict) -> None:
    item.is_hidden = truth(value_of(element, FHIR + "questionnaire-hidden"))
    controls = [
        code
        for extension in all_of(element, FHIR + "questionnaire-itemControl")
        for code in codes_of(value(extension))
    ]
    item.control = controls[0] if controls else ""
    if not item.control:
        categories = codes_of(value_of(element, FHIR + "questionnaire-displayCategory"))
        item.control = categories[0] if categories and item.type == "display" else ""
    item.entry_format = text(value_of(element, FHIR + "entryFormat"))


def _is_help(item: Item, parent: Item, before: list[Item]) -> bool:
    """Whether this text belongs to its parent's own words: a help or instruction that always shows, and
    that stands, in a group, before everything else (further down it speaks of what follows it)."""
    return (
        item.type == "display"
        and item.control in _HELP_CODES
        and not item.enable_when
        and item.enable_expression is None
        and not item.is_hidden
        and not item.raw.get("item")
        and (parent.is_question or not before)
    )


def _read_limits(item: Item, element: dict, scope: Scope) -> None:
    item.required = truth(element.get("required"))
    item.repeats = truth(element.get("repeats"))
    item.read_only = truth(element.get("readOnly"))
    item.min_value = _limit(element, FHIR + "minValue", SDC + "minQuantity")
    item.max_value = _limit(element, FHIR + "maxValue", SDC + "maxQuantity")
    item.min_expression = scope.read(_worked_out(element, FHIR + "minValue"))
    item.max_expression = scope.read(_worked_out(element, FHIR + "maxValue"))
    item.min_length = whole(value_of(element, FHIR + "minLength"))
    item.max_length = whole(element.get("maxLength"))
    item.regex = _pattern(text(value_of(element, FHIR + "regex")))
    item.max_decimal_places = whole(value_of(element, FHIR + "maxDecimalPlaces"))
    item.min_occurs = whole(value_of(element, FHIR + "questionnaire-minOccurs"))
    # Real files say 0 where they mean that there is no limit; nobody asks what must not be answered.
    item.max_occurs = whole(value_of(element, FHIR + "questionnaire-maxOccurs")) or None
    unit = value_of(element, FHIR + "questionnaire-unit")
    item.unit = unit if isinstance(unit, dict) else None
    item.mime_types = tuple(
        mime for extension in all_of(element, FHIR + "mimeType") if (mime := text(value(extension)))
    )
    item.max_size = whole(value_of(element, FHIR + "maxSize"))
    item.resource_types = tuple(
        code
        for extension in all_of(element, FHIR + "questionnaire-referenceResource")
        for code in codes_of(value(extension))
    )


def _pattern(written: str) -> str:
    """Some forms write the FHIRPath call matches('…') where the pattern alone belongs."""
    for start, end in (("matches('", "')"), ('matches("', '")')):
        if written.startswith(start) and written.endswith(end):
            return written[len(start) : -len(end)]
    return written


def _worked_out(element: dict, url: str) -> object:
    """The expression of a limit that has no fixed value (cqf-calculatedValue, SDC's cqf-expression)."""
    for extension in all_of(element, url):
        for key, beside in extension.items():
            if key.startswith("_value") and isinstance(beside, dict):
                return value_of(beside, FHIR + "cqf-calculatedValue", FHIR + "cqf-expression")
    return None


def _limit(element: dict, *urls: str) -> dict | None:
    for url in urls:
        for extension in all_of(element, url):
            key = value_key(extension)
            if key and isinstance(extension[key], dict) is (key == "valueQuantity"):
                return {key: extension[key]}
    return None


def _read_behaviour(item: Item, element: dict, scope: Scope) -> None:
    item.enable_when = tuple(_conditions(element))
    # R4 demands enableBehavior with several conditions; where it is missing, any of them (FORMS.md 1.5).
    item.enable_all = element.get("enableBehavior") == "all"
    # Where nobody can say whether it is asked, it is asked.
    item.enable_expression = scope.read(value_of(element, SDC + "enableWhenExpression"))
    item.variables = scope.variables
    item.constraints = _constraints(element, scope)
    if not item.is_question:
        return
    item.initial = tuple(_answers(element, "initial"))
    item.initial_expression = scope.read(value_of(element, SDC + "initialExpression"))
    item.answer_expression = scope.read(value_of(element, SDC + "answerExpression"))
    item.toggles = tuple(_toggles(element, scope))
    calculated = value_of(element, SDC + "calculatedExpression")
    item.calculated = scope.read(calculated)
    item.may_be_partial = truth(value_of(element, PARTIAL_SCORE))
    if calculated is not None and item.calculated is None:
        # Nobody else fills it in, so people must be able to.
        item.read_only = False


def _conditions(element: dict) -> Iterator[Condition]:
    for each in objects(element.get("enableWhen")):
        key = next((key for key in each if key.startswith("answer")), "")
        if each.get("question") and key:
            answer = {"value" + key.removeprefix("answer"): each[key]}
            yield Condition(text(each["question"]), text(each.get("operator")) or "=", answer)


def _patient_names(definition: dict) -> Iterator[str]:
    for extension in all_of(definition, SDC + "launchContext"):
        types = [each.get("valueCode") for each in all_of(extension, "type")]
        name = value_of(extension, "name")
        name = name.get("code") if isinstance(name, dict) else name
        if "Patient" in types and text(name):
            yield text(name)


def _toggles(element: dict, scope: Scope) -> Iterator[Toggle]:
    for extension in all_of(element, SDC + "answerOptionsToggleExpression"):
        expression = scope.read(value_of(extension, "expression"))
        options = tuple(
            {key: each[key]} for each in all_of(extension, "option") if (key := value_key(each))
        )
        if expression is not None and options:
            yield Toggle(options, expression)


def _constraints(element: dict, scope: Scope) -> tuple[Constraint, ...]:
    found: list[Constraint] = []
    for url in (FHIR + "questionnaire-constraint", FHIR + "targetConstraint"):
        for extension in all_of(element, url):
            written = value_of(extension, "expression")
            if isinstance(written, str):
                written = {"expression": written}
            expression = scope.read(written)
            if expression is not None:
                found.append(
                    Constraint(
                        key=text(value_of(extension, "key")),
                        expression=expression,
                        human=text(value_of(extension, "human")),
                        is_error=value_of(extension, "severity") != "warning",
                    )
                )
    return tuple(found)


def _answers(element: dict, name: str) -> Iterator[dict]:
    for each in objects(element.get(name)):
        key = value_key(each)
        if key and not key.startswith("_"):
            yield {key: each[key]}


def _options(element: dict) -> Iterator[Option]:
    for each in objects(element.get("answerOption")):
        key = value_key(each)
        if not key:
            continue
        chosen = each[key]
        yield Option(
            {key: chosen},
            _label(chosen),
            weight_of(each, chosen),
            text(value_of(each, FHIR + "questionnaire-optionPrefix")),
            truth(value_of(each, FHIR + "questionnaire-optionExclusive")),
            truth(each.get("initialSelected")),
        )


def _label(chosen: Any) -> str:
    if isinstance(chosen, dict):
        return next(
            (label for key in ("display", "code", "reference") if (label := text(chosen.get(key)))),
            "",
        )
    return str(chosen)


def _coding(concept: dict) -> dict:
    return {key: concept[key] for key in ("system", "code", "display") if concept.get(key)}


def _read_danger(item: Item, element: dict) -> None:
    for extension in all_of(element, DANGER):
        item.danger_weight = whole(extension.get("valueInteger"))
        item.is_danger_if_yes = extension.get("valueBoolean") is True
