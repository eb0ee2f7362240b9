"""What a form is made of, as the engine keeps it. Nothing changes it after it was read (items.py)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from weakref import ref

from households.intake.engine.extensions import value_key

# Item type: the value[x] of its answers. The first is what the portal writes.
ANSWER_KEYS: dict[str, tuple[str, ...]] = {
    "boolean": ("valueBoolean",),
    "decimal": ("valueDecimal",),
    "integer": ("valueInteger",),
    "date": ("valueDate",),
    "dateTime": ("valueDateTime",),
    "time": ("valueTime",),
    "string": ("valueString",),
    "text": ("valueString",),
    "url": ("valueUri",),
    "choice": ("valueCoding",),
    "open-choice": ("valueCoding", "valueString"),
    "attachment": ("valueAttachment",),
    "reference": ("valueReference",),
    "quantity": ("valueQuantity",),
}


@dataclass(frozen=True)
class Option:
    """One permitted answer."""

    answer: dict
    label: str
    weight: Decimal | None = None
    prefix: str = ""
    is_exclusive: bool = False
    is_selected: bool = False


@dataclass(frozen=True)
class Condition:
    """One enableWhen."""

    question: str
    operator: str
    answer: dict


@dataclass(frozen=True)
class Expression:
    """FHIRPath as the form has it. `name` is set on a variable only."""

    text: str
    name: str = ""


@dataclass(frozen=True)
class Constraint:
    """questionnaire-constraint or targetConstraint: what must be true of the answers."""

    key: str
    expression: Expression
    human: str
    is_error: bool


@dataclass(frozen=True)
class Toggle:
    """answerOptionsToggleExpression: these choices are there only while this is true."""

    options: tuple[dict, ...]
    expression: Expression


@dataclass(eq=False)
class Item:
    """One question, group or text. Nothing changes it after read_definition."""

    link_id: str
    type: str
    text: str
    # Weak: a form that nobody uses any more is gone at once, and not when somebody looks for circles.
    inside: ref[Item] | None = field(default=None, repr=False)
    children: tuple[Item, ...] = field(default=(), repr=False)
    prefix: str = ""
    help: str = ""
    codes: tuple[dict, ...] = ()
    required: bool = False
    repeats: bool = False
    read_only: bool = False
    is_hidden: bool = False
    control: str = ""
    entry_format: str = ""
    # Choices
    options: tuple[Option, ...] = ()
    value_set: str = ""
    # Limits
    min_value: dict | None = None
    max_value: dict | None = None
    # Limits that are worked out: "not after today".
    min_expression: Expression | None = None
    max_expression: Expression | None = None
    min_length: int | None = None
    max_length: int | None = None
    regex: str = ""
    max_decimal_places: int | None = None
    min_occurs: int | None = None
    max_occurs: int | None = None
    unit: dict | None = None
    units: tuple[dict, ...] = ()
    # Other units than those may be typed (SDC unitOpen).
    units_are_open: bool = False
    mime_types: tuple[str, ...] = ()
    max_size: int | None = None
    resource_types: tuple[str, ...] = ()
    # Behaviour
    enable_when: tuple[Condition, ...] = ()
    enable_all: bool = False
    enable_expression: Expression | None = None
    initial: tuple[dict, ...] = ()
    initial_expression: Expression | None = None
    calculated: Expression | None = None
    may_be_partial: bool = False
    answer_expression: Expression | None = None
    variables: tuple[Expression, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    toggles: tuple[Toggle, ...] = ()
    danger_weight: int | None = None
    is_danger_if_yes: bool = False
    # The item as the form has it (%qitem).
    raw: dict = field(default_factory=dict, repr=False)

    @property
    def parent(self) -> Item | None:
        return None if self.inside is None else self.inside()

    @property
    def is_question(self) -> bool:
        return self.type not in ("group", "display")

    @property
    def is_calculated(self) -> bool:
        return self.calculated is not None

    @property
    def answer_keys(self) -> tuple[str, ...]:
        """Which value[x] its answers may have. Options of other types than Coding bring their own."""
        keys = ANSWER_KEYS.get(self.type, ())
        if self.type in ("choice", "open-choice") and self.options:
            of_options = dict.fromkeys(value_key(option.answer) for option in self.options)
            return (*of_options, *(keys[1:] if self.type == "open-choice" else ()))
        return keys

    def walk(self) -> Iterator[Item]:
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(eq=False)
class Definition:
    """A whole form."""

    url: str
    version: str
    title: str
    description: str
    items: tuple[Item, ...]
    # Every item, help texts too, that are no children of theirs; of doubles the first.
    by_link_id: dict[str, Item]
    # The outside value sets that it names.
    value_sets: frozenset[str]
    variables: tuple[Expression, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    # What the form calls the patient in its expressions, %patient apart.
    patient_names: frozenset[str] = frozenset()
    raw: dict = field(default_factory=dict, repr=False)
    # What other modules derive from it and want only once.
    derived: dict[str, Any] = field(default_factory=dict, repr=False)

    def walk(self) -> Iterator[Item]:
        for item in self.items:
            yield from item.walk()
