"""The boxes of each kind of question. What is missing or wrong in them is decided by building, not here."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from households.intake.building.kinds import Kind

LINE = {"class": "vTextField"}
_SHORT = {"class": "vTextField builder-short"}


def line_field(
    label: Any, help_text: Any = "", attrs: dict[str, str] = LINE, **kwargs: Any
) -> forms.CharField:
    widget = forms.TextInput(attrs=attrs)
    return forms.CharField(
        label=label, help_text=help_text, required=False, widget=widget, **kwargs
    )


def lines_field(label: Any, help_text: Any = "", rows: int = 3, **kwargs: Any) -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": rows, "class": "vLargeTextField"})
    return forms.CharField(
        label=label, help_text=help_text, required=False, widget=widget, **kwargs
    )


def count_field(label: Any, help_text: Any, most: int, least: int = 1) -> forms.IntegerField:
    says = gettext_lazy("Write a whole number from %(least)d to %(most)d, or leave it empty.")
    words = str(says) % {"least": least, "most": most}
    return forms.IntegerField(
        label=label,
        help_text=help_text,
        required=False,
        min_value=least,
        max_value=most,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "size": 8}),
        error_messages={"invalid": words, "min_value": words, "max_value": words},
    )


def tick_field(label: Any, help_text: Any = "") -> forms.BooleanField:
    return forms.BooleanField(label=label, help_text=help_text, required=False)


def fields_of(kind: Kind | None) -> dict[str, forms.Field]:
    """The boxes of a kind, in order. What may be missing or wrong is decided by building, not here."""
    limits: dict[str, forms.Field] = {
        "smallest": line_field(gettext_lazy("Smallest"), attrs=_SHORT, max_length=20),
        "largest": line_field(gettext_lazy("Largest"), attrs=_SHORT, max_length=20),
    }
    initial = {
        "initial": line_field(
            gettext_lazy("Filled in at first"),
            gettext_lazy(
                "The family can change it. Leave it empty unless nearly everybody answers this."
            ),
            max_length=500,
        )
    }
    match kind:
        case Kind.SECTION:
            return {
                "repeats": tick_field(
                    gettext_lazy("Can be given several times"),
                    gettext_lazy(
                        "For a list, such as medications: families add one after the other."
                    ),
                ),
                "most": count_field(gettext_lazy("At most how many times"), "", 100),
            }
        case Kind.SHORT | Kind.LONG:
            longest = count_field(
                gettext_lazy("Longest"), gettext_lazy("In letters, blanks counted."), 20000
            )
            return {"longest": longest, **initial}
        case Kind.YES_NO:
            return {"initial": _yes_no(), "danger_yes": tick_field(_DANGER_YES, _DANGER_HELP)}
        case Kind.ONE | Kind.ONE_OR_OWN | Kind.SEVERAL:
            return _choosing_fields(kind)
        case Kind.NUMBER:
            return {**limits, **initial}
        case Kind.DECIMAL:
            unit = line_field(
                gettext_lazy("Unit"),
                gettext_lazy("For example kg, cm, °C, hours."),
                _SHORT,
                max_length=40,
            )
            return {"unit": unit, **limits, **initial}
        case Kind.DATE:
            for field in limits.values():
                field.help_text = gettext_lazy("Year first, for example 2026/04/27")
            limits["smallest"].label = gettext_lazy("Earliest")
            limits["largest"].label = gettext_lazy("Latest")
            return limits
        case Kind.SCORE:
            return _score_fields()
    return {}


_DANGER_YES = gettext_lazy("“Yes” is a danger")
_DANGER_HELP = gettext_lazy(
    "The family sees at once whom to call, and the filled form comes first in your inbox."
)


def _yes_no() -> forms.ChoiceField:
    choices = [
        ("", gettext_lazy("nothing")),
        ("true", gettext_lazy("Yes")),
        ("false", gettext_lazy("No")),
    ]
    return forms.ChoiceField(
        label=gettext_lazy("Filled in at first"), choices=choices, required=False
    )


def _choosing_fields(kind: Kind) -> dict[str, forms.Field]:
    fields: dict[str, forms.Field] = {
        "choices": lines_field(
            gettext_lazy("Choices"),
            gettext_lazy(
                "One on each line. For a score, write the number after it: “Several days = 1”."
            ),
            rows=8,
        )
    }
    if kind is Kind.SEVERAL:
        fields["exclusive"] = line_field(
            gettext_lazy("Rules out the others"),
            gettext_lazy("One of the choices, such as “None of these”."),
        )
    fields["initial"] = line_field(
        gettext_lazy("Chosen at first"),
        gettext_lazy("One of the choices. Leave it empty unless nearly everybody chooses this."),
    )
    label = gettext_lazy("Danger from this number up")
    fields["danger_from"] = count_field(label, _DANGER_HELP, 1000, least=-1000)
    return fields


def _score_fields() -> dict[str, forms.Field]:
    return {
        "members": forms.MultipleChoiceField(
            label=gettext_lazy("Adds up"),
            required=False,
            widget=forms.CheckboxSelectMultiple,
            help_text=gettext_lazy(
                "There is no score until all of these are answered. Numbers are listed, and questions "
                "whose choices all have a number."
            ),
            error_messages={
                "invalid_choice": gettext_lazy(
                    "One of these cannot be added up any more. Look through the list and save again."
                )
            },
        ),
        "bands": lines_field(
            gettext_lazy("What it means"),
            gettext_lazy("For staff, one on each line: “10-14 moderate”, “20+ severe”."),
            rows=5,
        ),
        "is_shown": tick_field(
            gettext_lazy("Families see the score"),
            gettext_lazy("Without what it means, which only staff see."),
        ),
    }
