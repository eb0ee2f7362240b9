"""What an imported file says of an item and the builder does not know: kept as it is, and named to staff."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from households.intake.building.choices import can_be_lines
from households.intake.building.kinds import (
    CALCULATED,
    DANGER,
    HIDDEN,
    MAX_OCCURS,
    MAX_VALUE,
    MIN_VALUE,
    SCORE,
    UNIT,
    Item,
    Kind,
    kind_of,
)

_EVERY = {"linkId", "type", "text", "item", "required", "enableWhen", "enableBehavior"}
# What else the page of a kind shows, elements and extensions.
_OF_KIND: dict[Kind, set[str]] = {
    Kind.SECTION: {"repeats", MAX_OCCURS},
    Kind.SHORT: {"maxLength", "initial"},
    Kind.LONG: {"maxLength", "initial"},
    Kind.YES_NO: {"initial", DANGER},
    Kind.ONE: {"answerOption", DANGER},
    Kind.ONE_OR_OWN: {"answerOption", DANGER},
    Kind.SEVERAL: {"answerOption", "repeats", DANGER},
    Kind.NUMBER: {"initial", MIN_VALUE, MAX_VALUE, UNIT},
    Kind.DECIMAL: {"initial", MIN_VALUE, MAX_VALUE, UNIT},
    Kind.DATE: {"initial", MIN_VALUE, MAX_VALUE},
    Kind.SCORE: {SCORE, CALCULATED, HIDDEN, "readOnly"},
}
_WORDS = {
    "prefix": gettext_lazy("number before the question: %s"),
    "code": gettext_lazy("code: %s"),
    "definition": gettext_lazy("definition: %s"),
    "answerValueSet": gettext_lazy("choices from the list %s"),
    "answerOption": gettext_lazy("choices: %s"),
    "readOnly": gettext_lazy("families cannot change it"),
    "repeats": gettext_lazy("can be answered several times"),
    "maxLength": gettext_lazy("at most %s letters"),
    "initial": gettext_lazy("filled in at first: %s"),
}


def kept_of(item: Item) -> list[str]:
    """In words, everything of an item that its page neither shows nor changes."""
    kind = kind_of(item)
    known = _EVERY | (_OF_KIND.get(kind, set()) if kind else set())
    if not can_be_lines(item):
        known -= {"answerOption"}
    return [words for name, words in _parts(item) if name not in known]


def _parts(item: Item) -> Iterator[tuple[str, str]]:
    for name, value in item.items():
        if name == "extension":
            for one in value:
                yield one.get("url", ""), _extension_words(one)
        elif name in _WORDS:
            pattern = str(_WORDS[name])
            yield name, pattern % _short(value) if "%s" in pattern else pattern
        else:
            yield name, f"{name}: {_short(value)}"


def _extension_words(one: Item) -> str:
    if one.get("url") == HIDDEN:
        return _("hidden from families")
    name = one.get("url", "").rpartition("/")[2]
    value = next((value for key, value in one.items() if key.startswith("value")), "")
    return f"{name}: {_short(value)}" if value not in ("", None) else name


def _short(value: object) -> str:
    """The telling part of any JSON value, in a line's length."""
    if isinstance(value, list):
        words = ", ".join(_short(one) for one in value[:5])
    elif isinstance(value, dict):
        names = ("text", "display", "expression", "code", "coding", "value", "reference")
        telling = [value[name] for name in names if value.get(name)]
        words = _short(telling[0]) if telling else ", ".join(_short(v) for v in value.values())
    else:
        words = str(value)
    return words if len(words) <= 160 else f"{words[:158]}…"
