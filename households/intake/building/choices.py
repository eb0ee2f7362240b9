"""The choices of a question as lines of text: "Several days = 1"."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from django.utils.text import slugify
from django.utils.translation import gettext as _

from households.intake.building.kinds import (
    EXCLUSIVE,
    ORDINAL,
    CannotBuild,
    Item,
    extension_value,
    set_extension,
)
from households.intake.engine.extensions import weight_of

MOST_CHOICES = 400
LONGEST_CHOICE = 500


class NotAmongThem(CannotBuild):
    """The choice that rules the others out is not one of them."""


@dataclass(frozen=True)
class Line:
    label: str
    weight: Decimal | None


def label_of(option: Item) -> str:
    """What a family reads of a choice, in one line."""
    coding = option.get("valueCoding")
    if coding is None:
        value = next((value for name, value in option.items() if name.startswith("value")), "")
        return " ".join(str(value).split())
    return " ".join((coding.get("display") or coding.get("code") or "").split())


def weight_in(option: Item) -> Decimal | None:
    return weight_of(option, option.get("valueCoding", {}))


def can_be_lines(item: Item) -> bool:
    """Whether the choices are words in the form itself, and not numbers, dates or a list elsewhere."""
    known = {"valueCoding", "valueString"}
    return "answerValueSet" not in item and all(
        known & option.keys() for option in item.get("answerOption", [])
    )


def lines_of(item: Item) -> str:
    return "\n".join(_line_of(option) for option in item.get("answerOption", []))


def _line_of(option: Item) -> str:
    weight = weight_in(option)
    return label_of(option) if weight is None else f"{label_of(option)} = {weight:f}"


# Nobody changes the default.
def read_lines(typed: str, known: set[str] = frozenset()) -> list[Line]:  # type: ignore[assignment]
    """One choice a line, empty lines left out. A line in `known` is a label as it stands, "=" and all.

    Raises CannotBuild naming the line: twice the same choice, a weight that is no number, too many, too long.
    """
    read: dict[str, tuple[int, Line]] = {}
    for number_of_line, raw in enumerate(typed.splitlines(), 1):
        words = " ".join(raw.split())
        if not words:
            continue
        line = Line(words, None) if words in known else _read_line(words, number_of_line)
        key = line.label.casefold()
        if key in read:
            raise CannotBuild(
                _("“%(label)s” stands in lines %(one)d and %(two)d. Delete or change one of them.")
                % {"label": line.label, "one": read[key][0], "two": number_of_line}
            )
        read[key] = (number_of_line, line)
    if len(read) > MOST_CHOICES:
        raise CannotBuild(
            _(
                "These are %(count)d choices; a question can have %(most)d. Leave some out, or take the "
                "kind “Short text” and let families write."
            )
            % {"count": len(read), "most": MOST_CHOICES}
        )
    return [line for _at, line in read.values()]


def _read_line(words: str, at: int) -> Line:
    label, equals, weight = words.rpartition("=")
    label = label.strip() if equals else words
    if not label:
        raise CannotBuild(_("Line %(at)d has no words. Write the choice before “=”.") % {"at": at})
    if len(label) > LONGEST_CHOICE:
        raise CannotBuild(
            _("Line %(at)d is too long. Write at most %(most)d letters.")
            % {"at": at, "most": LONGEST_CHOICE}
        )
    if not equals:
        return Line(label, None)
    return Line(label, read_number(weight, at))


def read_number(words: str, at: int) -> Decimal:
    """A weight as typed. Raises CannotBuild naming the line."""
    try:
        found = Decimal(words.strip().replace("−", "-"))
        # A number, since it is finite.
        if found.is_finite() and abs(found) < 10**6 and found.as_tuple().exponent >= -4:  # type: ignore[operator]
            return found
    except InvalidOperation:
        pass
    raise CannotBuild(
        _("Line %(at)d: “%(typed)s” is no number. Write it like “Several days = 1”.")
        % {"at": at, "typed": words.strip()}
    )


def written_number(value: Decimal) -> int | float:
    """As JSON has it."""
    return int(value) if value == value.to_integral_value() else float(value)


def set_choices(item: Item, typed: str, exclusive: str) -> None:
    """Changes the item. A choice that stays, or only got other words in its place, keeps its code.

    Raises CannotBuild for lines that cannot be read, no choice, or an `exclusive` that is none of them.
    """
    old = item.get("answerOption", [])
    is_same = _evened(typed) == _evened(lines_of(item)) and _excluding(old) == exclusive
    if not is_same:
        known = {_line_of(option) for option in old}
        lines = read_lines(typed, known & {label_of(option) for option in old})
        if not lines:
            raise CannotBuild(_("Write at least one choice."))
        options = _options(lines, old)
        _mark_exclusive(options, " ".join(exclusive.split()))
        item["answerOption"] = options


def _evened(typed: str) -> list[str]:
    return [" ".join(line.split()) for line in typed.splitlines() if line.strip()]


def _excluding(options: list[Item]) -> str:
    return next((label_of(one) for one in options if extension_value(one, EXCLUSIVE) is True), "")


def exclusive_of(item: Item) -> str:
    """The choice that rules the others out; "" without one."""
    return _excluding(item.get("answerOption", []))


def _options(lines: list[Line], old: list[Item]) -> list[Item]:
    by_label = {label_of(option).casefold(): option for option in reversed(old)}
    stays = {line.label.casefold() for line in lines}
    codes = {_code_of(option) for option in old}
    options = []
    for at, line in enumerate(lines):
        found = by_label.get(line.label.casefold())
        if found is None and len(lines) == len(old):
            found = _renamed(old[at], stays)
        option = deepcopy(found) if found is not None else _new_option(line, old, codes)
        _set_label(option, line.label)
        if weight_in(option) != line.weight:
            _set_weight(option, line.weight)
        codes.add(_code_of(option))
        options.append(option)
    return options


def _renamed(option: Item, stays: set[str]) -> Item | None:
    """The choice of this line, when only its words changed. A code of somebody's system means what its
    words there say, so it does not get others."""
    if label_of(option).casefold() in stays or option.get("valueCoding", {}).get("system"):
        return None
    return option


def _new_option(line: Line, old: list[Item], codes: set[str]) -> Item:
    if old and all("valueString" in option for option in old):
        return {"valueString": line.label}
    code = base = slugify(line.label)[:40].strip("-") or "choice"
    count = 1
    while code in codes:
        count += 1
        code = f"{base}-{count}"
    return {"valueCoding": {"code": code, "display": line.label}}


def _code_of(option: Item) -> str:
    return option.get("valueCoding", {}).get("code", "")


def _set_label(option: Item, label: str) -> None:
    if label_of(option) == label:
        return
    if "valueString" in option:
        option["valueString"] = label
    else:
        option["valueCoding"]["display"] = label


def _set_weight(option: Item, weight: Decimal | None) -> None:
    for element in (option, option.get("valueCoding")):
        if element:
            set_extension(element, ORDINAL, None)
    if weight is not None:
        set_extension(option, ORDINAL, {"valueDecimal": written_number(weight)})


def _mark_exclusive(options: list[Item], exclusive: str) -> None:
    wanted = exclusive.casefold()
    if wanted and wanted not in {label_of(option).casefold() for option in options}:
        raise NotAmongThem(
            _("“%(label)s” is none of the choices. Write it among them too, or leave this empty.")
            % {"label": exclusive}
        )
    for option in options:
        is_it = bool(wanted) and label_of(option).casefold() == wanted
        if is_it != (extension_value(option, EXCLUSIVE) is True):
            set_extension(option, EXCLUSIVE, {"valueBoolean": True} if is_it else None)
