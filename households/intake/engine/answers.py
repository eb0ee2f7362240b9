"""One FHIR answer, {"valueInteger": 3}: whether it says anything, which of two is more, what it weighs, and
how it reads."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from households.intake.engine.extensions import FHIR, number, text, value, value_key, weight_of
from households.intake.engine.items import Item, Option

ORDINAL = FHIR + "ordinalValue"


def is_blank(answer: dict) -> bool:
    """Whether it has no value: it may hold the answers to the questions under it nevertheless."""
    key = value_key(answer)
    if not key:
        return True
    held = answer[key]
    return held is None or held == "" or held == {} or (isinstance(held, str) and not held.strip())


def bare(answer: dict) -> dict:
    """The value alone, without the questions under it."""
    return {key: held for key, held in answer.items() if key != "item"}


# Which of two ---------------------------------------------------------------------------------------


def same(one: dict, other: dict) -> bool:
    """FHIR equality, as enableWhen and answerOption need it: codes by system and code, numbers by value.

    A form that names only one of system and display means whatever has the code, so what one side leaves
    out is no difference.
    """
    mine, theirs = value(one), value(other)
    if isinstance(mine, dict) and isinstance(theirs, dict):
        if value_key(one) == "valueCoding":
            return _same_coding(mine, theirs)
        if value_key(one) == "valueQuantity":
            return _same_unit(mine, theirs) and number(mine.get("value")) == number(
                theirs.get("value")
            )
        if value_key(one) == "valueReference":
            return mine.get("reference") == theirs.get("reference")
        return mine == theirs
    if isinstance(mine, bool) or isinstance(theirs, bool):
        return mine is theirs
    if isinstance(mine, dict) or isinstance(theirs, dict):
        # Free text beside a choice: the same where it is what the choice reads, or its code.
        coding, typed = (mine, theirs) if isinstance(mine, dict) else (theirs, mine)
        return (
            isinstance(typed, str)
            and typed != ""
            and typed
            in (
                coding.get("code"),
                coding.get("display"),
            )
        )
    # Some forms write a date under answerInteger: the same word is the same answer.
    return (isinstance(mine, str) and mine == theirs) or compared(one, other) == 0


def _same_coding(mine: dict, theirs: dict) -> bool:
    if "code" in mine and "code" in theirs:
        return mine["code"] == theirs["code"] and (
            not mine.get("system") or not theirs.get("system") or mine["system"] == theirs["system"]
        )
    return bool(mine.get("display")) and mine.get("display") == theirs.get("display")


def _same_unit(mine: dict, theirs: dict) -> bool:
    """The same code, or the same word where one side has no code; two without any unit agree."""
    codes = text(mine.get("code")), text(theirs.get("code"))
    if all(codes):
        return codes[0] == codes[1]
    return _units(mine) == _units(theirs) or bool(_units(mine) & _units(theirs))


def _units(quantity: dict) -> set[str]:
    return {text(quantity.get("code")), text(quantity.get("unit"))} - {""}


def compared(one: dict, other: dict) -> int | None:
    """-1, 0 or 1; None where the two cannot be put in an order (other units, other kinds, nothing)."""
    mine, theirs = _ordered(one, other), _ordered(other, one)
    if mine is None or theirs is None or type(mine) is not type(theirs):
        return None
    if isinstance(mine, str) and isinstance(theirs, str) and "Date" in value_key(one):
        # Of dates that are known to the year or the month only, what both say is compared.
        shortest = min(len(mine), len(theirs))
        mine, theirs = mine[:shortest], theirs[:shortest]
    return (mine > theirs) - (mine < theirs)


def _ordered(answer: dict, beside: dict) -> Any:
    key, held = value_key(answer), value(answer)
    if isinstance(held, bool):
        return int(held)
    if key in ("valueInteger", "valueDecimal"):
        return number(held)
    if key == "valueQuantity" and isinstance(held, dict):
        theirs = value(beside)
        if isinstance(theirs, dict) and not _same_unit(held, theirs):
            return None
        return number(held.get("value"))
    if not isinstance(held, str):
        return None
    if key == "valueDateTime":
        return _in_utc(held)
    return held


def _in_utc(held: str) -> str:
    try:
        at = datetime.datetime.fromisoformat(held)
    except ValueError:
        return held
    if at.tzinfo is None or "T" not in held:
        return held
    return at.astimezone(datetime.UTC).isoformat()


# What it weighs -------------------------------------------------------------------------------------


def option_of(item: Item, answer: dict) -> Option | None:
    """The choice that this answer is."""
    return next((option for option in item.options if same(option.answer, answer)), None)


def weight(item: Item, answer: dict) -> Decimal | None:
    """What it carries itself, or what the form gives the choice."""
    carried = weight_of(value(answer))
    if carried is not None:
        return carried
    option = option_of(item, answer)
    return option.weight if option else None


def weighed(item: Item, answer: dict) -> dict:
    """The answer with its weight on its Coding, where scores look for it (FORMS.md 1.2)."""
    coding = answer.get("valueCoding")
    if not isinstance(coding, dict) or not item.options or weight_of(coding) is not None:
        return answer
    weighs = weight(item, answer)
    if weighs is None:
        return answer
    extension = {"url": ORDINAL, "valueDecimal": plain(weighs)}
    return {
        **answer,
        "valueCoding": {**coding, "extension": [*coding.get("extension", []), extension]},
    }


def plain(value: Decimal) -> int | float:
    """A number as JSON has it."""
    return int(value) if value == value.to_integral_value() else float(value)


# How it reads ---------------------------------------------------------------------------------------

_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")
_DATE_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)")


def words_of(item: Item, answers: Iterable[dict]) -> list[str]:
    """How the answers read, one string each: "4 hours", "Yes", "2026/11/27". Blank ones are left out."""
    return [words for answer in answers if not is_blank(answer) if (words := _words(item, answer))]


def _words(item: Item, answer: dict) -> str:
    key, held = value_key(answer), value(answer)
    if isinstance(held, bool):
        return "Yes" if held else "No"
    if isinstance(held, dict):
        return _words_of_object(item, key, held, answer)
    words = str(held)
    if key in ("valueInteger", "valueDecimal"):
        words = _number(held)
        return f"{words} {unit}" if (unit := unit_words(item.unit)) else words
    if key == "valueDate":
        return _DATE.sub(lambda day: "/".join(filter(None, day.groups())), words)
    if key == "valueDateTime":
        at = _DATE_TIME.match(words)
        return f"{at[1].replace('-', '/')}, {at[2]}" if at else words.replace("-", "/")
    if key == "valueTime":
        return words[:5] if re.fullmatch(r"\d\d:\d\d:00(\.0+)?", words) else words
    return words


def _words_of_object(item: Item, key: str, held: dict, answer: dict) -> str:
    if key == "valueQuantity":
        unit = text(held.get("unit")) or text(held.get("code")) or unit_words(item.unit)
        words = text(held.get("comparator")) + _number(held.get("value"))
        return f"{words} {unit}".strip()
    if key == "valueCoding":
        option = option_of(item, answer)
        return (
            text(held.get("display")) or (option.label if option else "") or text(held.get("code"))
        )
    names = ("title", "url") if key == "valueAttachment" else ("display", "reference")
    return next((words for name in names if (words := text(held.get(name)))), "")


def unit_words(unit: dict | None) -> str:
    """A unit as people read it."""
    return (text(unit.get("display")) or text(unit.get("code"))) if unit else ""


def _number(held: object) -> str:
    read = number(held)
    return "" if read is None else f"{plain(read)}"
