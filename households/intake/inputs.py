"""The boxes of a question, with what stands in them. What is typed into them is read in typed.py."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from accounts.widgets import Radios, TextBox, Ticks
from households.history import partial_date
from households.intake.engine.evaluation import Node
from households.intake.engine.items import Item, Option

MOST_RADIOS = 8
OTHER = "other"


class AnswerField(forms.Field):
    """Takes whatever was typed. `required` only says whether the page calls it optional."""

    def validate(self, value: Any) -> None:
        pass

    def clean(self, value: Any) -> Any:
        return value


class TypedField(AnswerField):
    def clean(self, value: Any) -> str:
        return value.strip() if isinstance(value, str) else ""


class ChoiceField(AnswerField):
    widget: type[forms.Widget] = Radios

    def __init__(self, *, choices: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # A choice field, which the types of forms forget.
        self.widget.choices = choices  # type: ignore[attr-defined]


class TicksField(ChoiceField):
    widget = Ticks

    def clean(self, value: Any) -> list[str]:
        return [str(one) for one in value or []]


# --- names ----------------------------------------------------------------------------


def box(node: Node, part: str = "v") -> str:
    """The name of a box: `part` is "v" for the answer itself. No name that a form of ours has otherwise can
    come out of a link id."""
    return f"q.{node.path}.{part}"


def key_of(option: Option | dict[str, Any]) -> str:
    """What stands for a choice in a form: made of the answer itself, so that a list that changed meanwhile
    never turns one choice into another."""
    answer = option.answer if isinstance(option, Option) else option
    return hashlib.sha256(repr(_identity(answer)).encode("utf-8", "surrogatepass")).hexdigest()[:10]


def _identity(answer: Mapping[str, Any]) -> tuple[Any, ...]:
    """A Coding is its system and code; its words, and its weight, may be put differently."""
    for kind, value in answer.items():
        if kind == "valueCoding":
            named = value.get("code") or value.get("display")
            return ("coding", value.get("system", ""), named)
        if kind.startswith("value"):
            return (kind, json.dumps(value, sort_keys=True, default=str))
    return ()


# --- from a question to its boxes -----------------------------------------------------


def fields_of(node: Node) -> dict[str, forms.Field]:
    """The boxes of a question with what stands in them, by name; none for what nobody types: text, files,
    what is calculated."""
    item = node.item
    if not is_typed(node):
        return {}
    made: dict[str, forms.Field] = {}
    if item.type == "boolean":
        made["v"] = _radios(item, [("true", _("Yes")), ("false", _("No"))], bool(node.answers))
        made["v"].initial = {True: "true", False: "false"}.get(_value(node), "")
    elif node.options and item.type not in {"quantity"}:
        made = _choice_fields(node)
    elif item.type in {"choice", "open-choice"}:
        # Its list is not on file: in one's own words.
        made["v"] = _line(item)
        made["v"].initial = "\n".join(_words(one) for one in node.answers)
    elif item.type == "quantity":
        made = _quantity_fields(node)
    elif item.type == "dateTime" and not item.repeats:
        date, _separator, time = str(_value(node) or "").partition("T")
        made["v"] = _line(item, hint=_("YYYY/MM/DD, for example 2016/04/27"))
        made["t"] = _line(item, label=_("At what time?"), hint=_time_hint())
        made["t"].required = False
        made["v"].initial, made["t"].initial = _local_parts(date, time)
    else:
        made["v"] = _text_field(node)
    return {box(node, part): field for part, field in made.items()}


def is_typed(node: Node) -> bool:
    """Whether a family answers it in boxes of the page."""
    item = node.item
    if item.type == "choice" and item.answer_expression is not None and not node.options:
        return False  # its choices come out of another answer, which is not there
    return (
        item.is_question
        and item.type != "attachment"
        and not (item.read_only or item.is_calculated or item.is_hidden)
    )


def _radios(item: Item, pairs: list[tuple[str, str]], is_answered: bool) -> forms.Field:
    """A radio cannot be taken back by pressing it again: where that is allowed, there is one for it."""
    if is_answered and not item.required:
        pairs = [*pairs, ("", _("No answer"))]
    return ChoiceField(choices=pairs, **_label(item))


def _label(item: Item, hint: str = "", label: str = "") -> dict[str, Any]:
    """`hint` says how to type it, after what the form itself says."""
    helps = " ".join(filter(None, [item.help, hint or ""]))
    return {
        "label": label or label_of(item),
        "help_text": helps,
        "required": item.required,
    }


def label_of(item: Item) -> str:
    """How a question reads."""
    return " ".join(filter(None, [item.prefix, item.text])) or _("Question")


def _line(item: Item, *, hint: str = "", label: str = "", mode: str = "") -> forms.Field:
    attrs = {"autocomplete": "off"}
    if mode:
        attrs["inputmode"] = mode
    if item.repeats:
        hint = " ".join(filter(None, [hint, _("Several? Type one on each line.")]))
        return TypedField(
            widget=forms.Textarea(attrs={**attrs, "rows": 3}), **_label(item, hint, label)
        )
    return TypedField(widget=TextBox(attrs=attrs), **_label(item, hint, label))


def _choice_fields(node: Node) -> dict[str, forms.Field]:
    item = node.item
    pairs = [
        (key_of(option), " ".join(filter(None, [option.prefix, option.label])))
        for option in node.options
    ]
    chosen = [key_of(one) for one in node.answers]
    written = "\n".join(_words(one) for one in node.answers if key_of(one) not in dict(pairs))
    may_write = item.type == "open-choice"
    made: dict[str, forms.Field] = {}
    if item.repeats:
        made["v"] = TicksField(choices=pairs, **_label(item, _("Choose all that fit.")))
        made["v"].initial = [key for key in chosen if key in dict(pairs)]
    else:
        if may_write:
            pairs = [*pairs, (OTHER, _("Other"))]
        if len(pairs) > MOST_RADIOS or (item.control == "drop-down" and len(pairs) > 4):
            made["v"] = ChoiceField(
                choices=[("", _("Choose one")), *pairs], widget=forms.Select(), **_label(item)
            )
        else:
            made["v"] = _radios(item, pairs, bool(node.answers))
        made["v"].initial = OTHER if may_write and written else next(iter(chosen), "")
    if may_write:
        made["o"] = TypedField(
            label=_("Other: write it in"),
            required=False,
            widget=TextBox(attrs={"autocomplete": "off"}),
        )
        if item.repeats:
            made["o"].widget = forms.Textarea(attrs={"rows": 2, "autocomplete": "off"})
            made["o"].help_text = _("Several? Type one on each line.")
        made["o"].initial = written
    return made


def _quantity_fields(node: Node) -> dict[str, forms.Field]:
    item = node.item
    quantity = _value(node) or {}
    made: dict[str, forms.Field] = {"v": _one_line(item, hint=_unit_hint(item), mode="decimal")}
    made["v"].initial = _number_text(quantity.get("value"))
    if len(item.units) > 1:
        pairs = [(unit_key(unit), unit_words(unit)) for unit in item.units]
        made["u"] = ChoiceField(choices=pairs, label=_("In which unit?"), required=item.required)
        if len(pairs) > MOST_RADIOS:
            made["u"].widget = forms.Select()
            made["u"].widget.choices = [("", _("Choose one")), *pairs]
        made["u"].initial = quantity.get("code") or quantity.get("unit") or ""
    elif not only_unit(item):
        made["u"] = TypedField(
            label=_("Unit"),
            required=False,
            help_text=_("For example kg or tablets"),
            widget=TextBox(attrs={"autocomplete": "off"}),
        )
        made["u"].initial = quantity.get("unit", "")
    return made


def _one_line(item: Item, *, hint: str, mode: str = "") -> forms.Field:
    """The first of several boxes that are one answer: never several lines."""
    attrs = {"autocomplete": "off", **({"inputmode": mode} if mode else {})}
    return TypedField(widget=TextBox(attrs=attrs), **_label(item, hint))


def _text_field(node: Node) -> forms.Field:
    item = node.item
    if item.type == "integer" and (steps := _steps(item)):
        field = _radios(item, [(str(step), str(step)) for step in steps], bool(node.answers))
        field.initial = _number_text(_value(node))
        return field
    if item.type == "text":
        field = TypedField(
            widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "off"}), **_label(item)
        )
    elif item.type in {"integer", "decimal"}:
        mode = "numeric" if item.type == "integer" else "decimal"
        field = _line(item, hint=_unit_hint(item), mode=mode)
    elif item.type in {"date", "dateTime"}:
        field = _line(item, hint=_date_hint(item))
    elif item.type == "time":
        field = _line(item, hint=_time_hint())
    else:
        field = _line(item, hint=item.entry_format or "")
    field.initial = "\n".join(_typed(one) for one in node.answers)
    return field


def _steps(item: Item) -> range | None:
    """A scale is radios, never a slider (WCAG 2.5.7), where it fits on a screen."""
    if item.control != "slider" or item.repeats:
        return None
    least, most = _integer(item.min_value), _integer(item.max_value)
    if least is None or most is None or not 1 <= most - least <= 10:
        return None
    return range(least, most + 1)


def _integer(answer: Mapping[str, Any] | None) -> int | None:
    value = (answer or {}).get("valueInteger")
    return value if isinstance(value, int) else None


def _date_hint(item: Item) -> str:
    if may_be_partial(item):
        return _("YYYY, YYYY/MM or YYYY/MM/DD. About is fine.")
    return _("YYYY/MM/DD, for example 2016/04/27")


def _time_hint() -> str:
    return _("Hours and minutes, for example 14:30 or 2:30 pm")


def may_be_partial(item: Item) -> bool:
    """Only where the form says so: a format without a day."""
    return bool(item.entry_format) and "d" not in item.entry_format.lower()


def _unit_hint(item: Item) -> str:
    unit = only_unit(item)
    return _("In %(unit)s") % {"unit": unit_words(unit)} if unit else ""


def only_unit(item: Item) -> dict[str, Any] | None:
    if item.unit:
        return item.unit
    return item.units[0] if len(item.units) == 1 else None


def unit_words(unit: Mapping[str, Any]) -> str:
    return str(unit.get("display") or unit.get("unit") or unit.get("code") or "")


def unit_key(unit: Mapping[str, Any]) -> str:
    return str(unit.get("code") or unit.get("display") or "")


# --- what stands in the boxes ---------------------------------------------------------


def _value(node: Node) -> Any:
    """The value of the first answer."""
    for answer in node.answers[:1]:
        for kind, value in answer.items():
            if kind.startswith("value"):
                return value
    return None


def _words(answer: Mapping[str, Any]) -> str:
    coding = answer.get("valueCoding")
    if isinstance(coding, dict):
        return str(coding.get("display") or coding.get("code") or "")
    return _typed(answer)


def _typed(answer: Mapping[str, Any]) -> str:
    """An answer as it is typed."""
    for kind, value in answer.items():
        if kind == "valueDate":
            return partial_date.typed(str(value))
        if kind == "valueTime":
            return str(value)[:5]
        if kind == "valueReference":
            return str(value.get("display") or value.get("reference") or "")
        if kind == "valueDateTime":
            date, _separator, time = str(value).partition("T")
            return " ".join(filter(None, _local_parts(date, time)))
        if kind in {"valueInteger", "valueDecimal"}:
            return _number_text(value)
        if kind.startswith("value"):
            return str(value)
    return ""


def _number_text(value: Any) -> str:
    if value is None:
        return ""
    return format(Decimal(str(value)), "f")


def _local_parts(date: str, time: str) -> tuple[str, str]:
    """A date and a time as they are typed, at the practice."""
    at = parse_datetime(f"{date}T{time}") if time else None
    if at is None:
        return partial_date.typed(date), time[:5]
    if timezone.is_aware(at):
        at = timezone.localtime(at)
    return f"{at:%Y/%m/%d}", f"{at:%H:%M}"
