"""Show-if: which answers to which questions let an item appear (FHIR enableWhen)."""

from __future__ import annotations

import datetime
import re
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from households.intake.building.choices import label_of
from households.intake.building.kinds import CannotBuild, Definition, Item
from households.intake.building.structure import Row, name_of, row_or_refuse, rows_of

MOST_CONDITIONS = 20

ANSWERED, NOT_ANSWERED = "answered", "not-answered"
_IS = [("=", gettext_lazy("is")), ("!=", gettext_lazy("is not"))]
_ORDER = [
    (">", gettext_lazy("is more than")),
    (">=", gettext_lazy("is at least")),
    ("<", gettext_lazy("is less than")),
    ("<=", gettext_lazy("is at most")),
]
_DAYS = [
    (">", gettext_lazy("is after")),
    (">=", gettext_lazy("is on or after")),
    ("<", gettext_lazy("is before")),
    ("<=", gettext_lazy("is on or before")),
]
_EXISTS = [
    (ANSWERED, gettext_lazy("is answered")),
    (NOT_ANSWERED, gettext_lazy("is not answered")),
]
# What the answer to a question of this type is called in a condition.
_VALUES = {
    "boolean": "answerBoolean",
    "choice": "answerCoding",
    "open-choice": "answerCoding",
    "integer": "answerInteger",
    "decimal": "answerDecimal",
    "date": "answerDate",
    "dateTime": "answerDateTime",
    "time": "answerTime",
    "string": "answerString",
    "text": "answerString",
}


def comparisons_of(question: Item) -> list[tuple[str, Any]]:
    """How its answer can be compared: pairs of a word for the form and the words that staff read."""
    kind = question.get("type")
    if kind in ("integer", "decimal"):
        return [*_IS, *_ORDER, *_EXISTS]
    if kind in ("date", "dateTime", "time"):
        return [*_IS, *_DAYS, *_EXISTS]
    if kind in ("choice", "open-choice") and not question.get("answerOption"):
        return _EXISTS  # its list stands elsewhere
    return [*_IS, *_EXISTS] if kind in _VALUES else _EXISTS


def answers_of(question: Item) -> list[tuple[str, str]]:
    """The answers to choose from, as pairs of a value and words; empty where the answer is typed."""
    if question.get("type") == "boolean":
        return [("true", _("Yes")), ("false", _("No"))]
    if question.get("type") in ("choice", "open-choice"):
        return [(_key(one), label_of(one)) for one in question.get("answerOption", [])]
    return []


def _key(option: Item) -> str:
    """Tells a choice from the others, wherever it stands by the time the page comes back."""
    return "|".join(_choice(option))


def deciders_for(definition: Definition, link_id: str) -> list[Row]:
    """The questions that may decide whether this item is shown: asked before it, and not in a section given
    several times unless it stands in the same one."""
    own = row_or_refuse(definition, link_id)
    found = []
    for row in rows_of(definition):
        if row.item is own.item:
            break
        is_around = any(one is row.item for one in own.parents)
        if row.item.get("type") in ("group", "display") or is_around:
            continue
        if row.repeated_in in ("", own.repeated_in):
            found.append(row)
    return found


def condition_of(question: Item, comparison: str, answer: str) -> Item:
    """The condition, out of what was chosen and typed. CannotBuild for what cannot be read."""
    if comparison not in {value for value, _words in comparisons_of(question)}:
        raise CannotBuild(_("Choose how the answer is compared."))
    link_id = question["linkId"]
    if comparison in (ANSWERED, NOT_ANSWERED):
        return {"question": link_id, "operator": "exists", "answerBoolean": comparison == ANSWERED}
    return {"question": link_id, "operator": comparison, **_answer(question, answer.strip())}


def _answer(question: Item, typed: str) -> Item:
    kind = question["type"]
    if kind in ("boolean", "choice", "open-choice"):
        if typed not in dict(answers_of(question)):
            raise CannotBuild(_("Choose the answer."))
        if kind == "boolean":
            return {"answerBoolean": typed == "true"}
        option = next(one for one in question["answerOption"] if _key(one) == typed)
        value = next(name for name in option if name.startswith("value"))
        return {value.replace("value", "answer"): _bare(option[value])}
    if not typed:
        raise CannotBuild(_("Write the answer that it is compared with."))
    return {_VALUES[kind]: read_answer(kind, typed)}


def _bare(value: Any) -> Any:
    """A Coding without what hangs on it: its code is what is compared."""
    if not isinstance(value, dict):
        return value
    return {name: value[name] for name in ("system", "code", "display") if name in value}


def read_answer(kind: str, typed: str) -> Any:
    """A typed answer as FHIR writes it. Raises CannotBuild with an example of how to write it."""
    slashes = re.sub(r"[/.]", "-", typed)
    try:
        match kind:
            case "integer":
                return int(typed)
            case "decimal":
                if not re.fullmatch(r"-?\d{1,9}(\.\d{1,6})?", typed):
                    raise ValueError
                return float(typed) if "." in typed else int(typed)
            case "date":
                return datetime.date.fromisoformat(slashes).isoformat()
            case "time":
                return datetime.time.fromisoformat(typed).isoformat()
            case "dateTime":
                return datetime.date.fromisoformat(slashes[:10]).isoformat()
    except ValueError:
        raise CannotBuild(_EXAMPLES[kind]) from None
    return typed


_EXAMPLES = {
    "integer": gettext_lazy("Write a whole number, for example 3."),
    "decimal": gettext_lazy("Write a number, for example 37.5."),
    "date": gettext_lazy("Write the day with the year first, for example 2026/04/27."),
    "time": gettext_lazy("Write the time in 24 hours, for example 14:30."),
    "dateTime": gettext_lazy("Write the day with the year first, for example 2026/04/27."),
}


# --- in words -------------------------------------------------------------------------


def words_of(definition: Definition, condition: Item) -> str:
    """A condition as staff read it: “Do you smoke?” is “Yes”."""
    row = next(
        (one for one in rows_of(definition) if one.link_id == condition.get("question")), None
    )
    name = name_of(row.item) if row else condition.get("question", "")
    operator = condition.get("operator", "")
    value = _value(condition)
    if operator == "exists":
        comparison = dict(_EXISTS)[NOT_ANSWERED if value is False else ANSWERED]
        return f"“{name}” {comparison}"
    comparisons = dict(comparisons_of(row.item) if row else [*_IS, *_ORDER])
    words = comparisons.get(operator) or dict([*_IS, *_ORDER]).get(operator, operator)
    return f"“{name}” {words} “{_value_words(value)}”"


def _value(condition: Item) -> Any:
    return next((value for name, value in condition.items() if name.startswith("answer")), None)


def _value_words(value: Any) -> str:
    if value is True:
        return _("Yes")
    if value is False:
        return _("No")
    if isinstance(value, dict):
        words = value.get("display") or value.get("code") or value.get("value", "")
        return str(words)
    return str(value)


# --- what must stay so ----------------------------------------------------------------


def too_early(definition: Definition) -> list[tuple[Item, Item]]:
    """The items that stand before, or around, a question that decides about them: item and question."""
    rows = rows_of(definition)
    at = {row.link_id: number for number, row in enumerate(rows)}
    return [
        (row.item, rows[at[condition["question"]]].item)
        for number, row in enumerate(rows)
        for condition in row.item.get("enableWhen", [])
        if at.get(condition.get("question", ""), -1) >= number
    ]


def refuse_too_early(before: Definition, after: Definition) -> None:
    """Raises CannotBuild for a condition on a later question that was not there before."""
    known = {(item["linkId"], question["linkId"]) for item, question in too_early(before)}
    for item, question in too_early(after):
        if (item["linkId"], question["linkId"]) not in known:
            raise CannotBuild(
                _(
                    "“%(item)s” is shown only if “%(question)s” has a certain answer, so it must come after "
                    "it. Move both, or take the condition away first."
                )
                % {"item": name_of(item), "question": name_of(question)}
            )


def refuse_lost_choices(before: Definition, after: Definition) -> None:
    """Raises CannotBuild for a condition on a choice that was there before and is not any more."""
    was, now = _choices_by_link_id(before), _choices_by_link_id(after)
    for row in rows_of(after):
        for condition in row.item.get("enableWhen", []):
            link_id, wanted = condition.get("question", ""), _wanted(condition)
            if wanted in was.get(link_id, ()) and wanted not in now.get(link_id, (wanted,)):
                raise CannotBuild(
                    _(
                        "“%(item)s” is shown only by the choice “%(choice)s”. Keep that choice as it is, or "
                        "change that condition first."
                    )
                    % {"item": name_of(row.item), "choice": _value_words(_value(condition))}
                )


def _choices_by_link_id(definition: Definition) -> dict[str, list[tuple[str, str, str]]]:
    return {
        row.link_id: [_choice(option) for option in row.item["answerOption"]]
        for row in rows_of(definition)
        if row.item.get("answerOption")
    }


def _choice(option: Item) -> tuple[str, str, str]:
    coding = option.get("valueCoding")
    if coding is None:
        return "", "", label_of(option)
    return coding.get("system", ""), coding.get("code", ""), ""


def _wanted(condition: Item) -> tuple[str, str, str]:
    coding = condition.get("answerCoding")
    if coding is None:
        return "", "", str(condition.get("answerString", ""))
    return coding.get("system", ""), coding.get("code", ""), ""


def follow_choices(definition: Definition) -> None:
    """Changes the definition: conditions show a choice under the words that it has now."""
    displays = {
        (row.link_id, _choice(option)): option["valueCoding"].get("display")
        for row in rows_of(definition)
        for option in row.item.get("answerOption", [])
        if "valueCoding" in option
    }
    for row in rows_of(definition):
        for condition in row.item.get("enableWhen", []):
            coding = condition.get("answerCoding", {})
            display = displays.get((condition.get("question", ""), _wanted(condition)))
            if display and coding.get("display") and not coding.get("system"):
                coding["display"] = display


def added_condition(definition: Definition, link_id: str, condition: Item) -> None:
    """Changes the definition. Raises CannotBuild for a question that does not come before the item."""
    row = row_or_refuse(definition, link_id)
    if condition["question"] not in {one.link_id for one in deciders_for(definition, link_id)}:
        raise CannotBuild(
            _(
                "Only a question that comes before “%(item)s” can decide whether it is shown. Move that "
                "question up first."
            )
            % {"item": name_of(row.item)}
        )
    conditions = row.item.setdefault("enableWhen", [])
    if condition in conditions:
        return
    if len(conditions) >= MOST_CONDITIONS:
        raise CannotBuild(
            _("An item can have %(most)d conditions. Delete one first.") % {"most": MOST_CONDITIONS}
        )
    conditions.append(condition)
    if len(conditions) > 1:
        row.item.setdefault("enableBehavior", "any")
