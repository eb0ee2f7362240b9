"""What a question is made of, read from its JSON for a form and written back.

`read_parts` and `write_parts` speak the same names: text, help, required, kind, and what the kind has. What
they do not name stays in the item as it was.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from households.intake.building import choices, scores
from households.intake.building.conditions import read_answer
from households.intake.building.kinds import (
    CHOOSING,
    DANGER,
    DISPLAY_CATEGORY,
    MAX_OCCURS,
    MAX_VALUE,
    MIN_VALUE,
    UNIT,
    WORDS,
    CannotBuild,
    Item,
    Kind,
    extension_value,
    set_extension,
    set_or_drop,
)
from households.intake.building.structure import help_of, new_link_id

_CATEGORY = "http://hl7.org/fhir/questionnaire-display-category"
_UCUM = "http://unitsofmeasure.org"
# How practices write units, and their code (UCUM).
_UNITS = {
    "cm": "cm",
    "m": "m",
    "mm": "mm",
    "in": "[in_i]",
    "ft": "[ft_i]",
    "kg": "kg",
    "g": "g",
    "lb": "[lb_av]",
    "oz": "[oz_av]",
    "°C": "Cel",
    "°F": "[degF]",
    "mmHg": "mm[Hg]",
    "%": "%",
    "mg/dL": "mg/dL",
    "mmol/L": "mmol/L",
    "ml": "mL",
    "L": "L",
    "hours": "h",
    "minutes": "min",
    "days": "d",
    "weeks": "wk",
    "months": "mo",
    "years": "a",
    "per minute": "/min",
    "per day": "/d",
    "per week": "/wk",
}
_INITIAL = {
    "string": "valueString",
    "text": "valueString",
    "boolean": "valueBoolean",
    "integer": "valueInteger",
    "decimal": "valueDecimal",
    "date": "valueDate",
}


def new_item(kind: Kind, link_id: str) -> Item:
    """An item of this kind that says nothing yet."""
    item: Item = {"linkId": link_id, "type": WORDS[kind][2]}
    if kind is Kind.SEVERAL:
        item["repeats"] = True
    return item


# --- reading --------------------------------------------------------------------------


def read_parts(item: Item, kind: Kind | None) -> dict[str, Any]:
    """What the page of an item starts with, as typed text, yes and no, and lists."""
    helping = help_of(item)
    parts: dict[str, Any] = {
        "text": item.get("text", ""),
        "help": helping.get("text", "") if helping else "",
        "required": bool(item.get("required")),
        "kind": kind.value if kind else "",
        "initial": _initial(item),
        "behavior": item.get("enableBehavior", "any"),
    }
    match kind:
        case Kind.SECTION:
            most = extension_value(item, MAX_OCCURS)
            parts |= {"repeats": bool(item.get("repeats")), "most": most}
        case Kind.SHORT | Kind.LONG:
            parts["longest"] = item.get("maxLength")
        case Kind.YES_NO:
            parts["danger_yes"] = extension_value(item, DANGER) is True
        case Kind.ONE | Kind.ONE_OR_OWN | Kind.SEVERAL if choices.can_be_lines(item):
            danger = extension_value(item, DANGER)
            parts |= {"choices": choices.lines_of(item), "exclusive": choices.exclusive_of(item)}
            parts["danger_from"] = danger if isinstance(danger, int) else None
        case Kind.NUMBER | Kind.DECIMAL | Kind.DATE:
            parts |= {"smallest": _limit(item, MIN_VALUE), "largest": _limit(item, MAX_VALUE)}
            parts["unit"] = _unit(item)
        case Kind.SCORE:
            parts["members"] = scores.members_of(item)
            parts["bands"] = "\n".join(str(band) for band in scores.bands_of(item))
            parts["is_shown"] = scores.is_shown(item)
    return parts


def _initial(item: Item) -> str:
    chosen = [one for one in item.get("answerOption", []) if one.get("initialSelected")]
    if chosen:
        return choices.label_of(chosen[0])
    first = (item.get("initial") or [{}])[0]
    return _words_of(next((value for value in first.values()), ""), item)


def _limit(item: Item, url: str) -> str:
    return _words_of(extension_value(item, url), item)


def _words_of(value: Any, item: Item) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{Decimal(str(value)):f}"
    return str(value).replace("-", "/") if item.get("type") == "date" else str(value)


def _unit(item: Item) -> str:
    coding = extension_value(item, UNIT) or {}
    return coding.get("display") or coding.get("code") or ""


# --- writing --------------------------------------------------------------------------


class WrongPart(CannotBuild):
    """One part cannot be as it was typed: `part` is its name."""

    def __init__(self, part: str, says: Any) -> None:
        super().__init__(str(says))
        self.part = part


def write_parts(item: Item, kind: Kind | None, parts: dict[str, Any]) -> None:
    """Changes the item. Parts that are as they were are not touched. Raises WrongPart."""
    before = read_parts(item, kind)
    changed = {name: value for name, value in parts.items() if before.get(name) != value}
    if kind and (new := parts.get("kind")) and new != kind.value:
        _become(item, Kind(new))
        kind = Kind(new)
    if not parts.get("text", "").strip():
        raise WrongPart("text", _no_text(kind))
    item["text"] = parts["text"]
    if "help" in changed:
        _set_help(item, parts["help"])
    if "required" in changed:
        set_or_drop(item, "required", parts["required"])
    if "behavior" in changed and len(item.get("enableWhen", [])) > 1:
        item["enableBehavior"] = parts["behavior"]
    if kind:
        _write_of_kind(item, kind, parts, changed)


def _no_text(kind: Kind | None) -> str:
    if kind is Kind.SECTION:
        return _("Write the title of the section.")
    if kind is Kind.READ:
        return _("Write what families read here.")
    return _("Write what families are asked.")


def _become(item: Item, kind: Kind) -> None:
    item["type"] = WORDS[kind][2]
    if kind in CHOOSING:
        set_or_drop(item, "repeats", kind is Kind.SEVERAL)


def _write_of_kind(item: Item, kind: Kind, parts: dict[str, Any], changed: dict[str, Any]) -> None:
    if kind in CHOOSING and "choices" in parts:
        _write_choices(item, parts, changed)
    elif "initial" in changed:
        _set_initial(item, parts["initial"])
    if "repeats" in changed or "most" in changed:
        set_or_drop(item, "repeats", parts["repeats"])
        most = parts.get("most") if parts["repeats"] else None
        set_extension(item, MAX_OCCURS, {"valueInteger": most} if most else None)
    if "longest" in changed:
        set_or_drop(item, "maxLength", parts["longest"])
    if "danger_yes" in changed:
        set_extension(item, DANGER, {"valueBoolean": True} if parts["danger_yes"] else None)
    if "unit" in changed:
        _set_unit(item, parts["unit"])
    if "smallest" in parts and {"smallest", "largest"} & changed.keys():
        _set_limits(item, parts)
    if kind is Kind.SCORE:
        _write_score(item, parts)


def _set_help(item: Item, words: str) -> None:
    helping = help_of(item)
    if helping is not None:
        if words:
            helping["text"] = words
        else:
            item["item"] = [child for child in item["item"] if child is not helping]
            set_or_drop(item, "item", item["item"])
    elif words:
        coding = {"system": _CATEGORY, "code": "instructions"}
        category = {"valueCodeableConcept": {"coding": [coding]}}
        helping = {"linkId": new_link_id(Kind.READ), "type": "display", "text": words}
        set_extension(helping, DISPLAY_CATEGORY, category)
        item["item"] = [helping, *item.get("item", [])]


def _write_choices(item: Item, parts: dict[str, Any], changed: dict[str, Any]) -> None:
    try:
        choices.set_choices(
            item, parts["choices"], parts.get("exclusive", choices.exclusive_of(item))
        )
    except choices.NotAmongThem as error:
        raise WrongPart("exclusive", error) from None
    except CannotBuild as error:
        raise WrongPart("choices", error) from None
    if "answerOption" not in item:  # an imported one, whose choices are worked out
        return
    if "initial" in changed:
        _select_at_first(item, parts["initial"])
    if "danger_from" in changed:
        least = parts["danger_from"]
        set_extension(item, DANGER, None if least is None else {"valueInteger": least})
    least = extension_value(item, DANGER)
    if isinstance(least, int) and not isinstance(least, bool):
        weights = [choices.weight_in(option) for option in item["answerOption"]]
        if not any(weight is not None and weight >= least for weight in weights):
            says = _(
                "No choice has this number or more. Write a number after the choice: “Often = 2”."
            )
            raise WrongPart("danger_from", says)


def _select_at_first(item: Item, label: str) -> None:
    """que-11: what has choices marks one of them and has no `initial`."""
    wanted = " ".join(label.split()).casefold()
    labels = [choices.label_of(option).casefold() for option in item["answerOption"]]
    if wanted and wanted not in labels:
        says = _(
            "“%(label)s” is none of the choices. Write it as it stands there, or leave this empty."
        )
        raise WrongPart("initial", says % {"label": label})
    item.pop("initial", None)
    for option, name in zip(item["answerOption"], labels, strict=True):
        set_or_drop(option, "initialSelected", bool(wanted) and name == wanted)


def _set_initial(item: Item, typed: str) -> None:
    kind = item["type"]
    if not typed:
        item.pop("initial", None)
    elif kind == "boolean":
        item["initial"] = [{"valueBoolean": typed == "true"}]
    elif kind in _INITIAL:
        item["initial"] = [{_INITIAL[kind]: _read("initial", kind, typed)}]


def _read(part: str, kind: str, typed: str) -> Any:
    try:
        return read_answer(kind, typed)
    except CannotBuild as error:
        raise WrongPart(part, error) from None


def _set_limits(item: Item, parts: dict[str, Any]) -> None:
    kind, read = item["type"], dict[str, Any]()
    for part, url in (("smallest", MIN_VALUE), ("largest", MAX_VALUE)):
        typed = parts.get(part) or ""
        read[part] = _read(part, kind, typed) if typed else None
        value = None if read[part] is None else {_INITIAL[kind]: read[part]}
        set_extension(item, url, value)
    smallest, largest = read["smallest"], read["largest"]
    if smallest is not None and largest is not None and largest < smallest:
        raise WrongPart("largest", _("This comes before the other limit. Change one of the two."))


def _set_unit(item: Item, words: str) -> None:
    words = " ".join(words.split())
    code = _UNITS.get(words)
    coding: Item = {"system": _UCUM, "code": code} if code else {}
    new = {"valueCoding": {**coding, "display": words}} if words else None
    set_extension(item, UNIT, new)


def _write_score(item: Item, parts: dict[str, Any]) -> None:
    if not parts.get("members"):
        raise WrongPart("members", _("Choose the questions that are added up."))
    try:
        bands = scores.read_bands(parts.get("bands", ""))
    except CannotBuild as error:
        raise WrongPart("bands", error) from None
    scores.set_score(item, parts["members"], bands, is_shown=bool(parts.get("is_shown")))
