"""The staff's forms for building: one for each kind of question, one for a condition, one for a new form."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from households.intake.building import scores
from households.intake.building.changes import with_item, with_parts
from households.intake.building.choices import can_be_lines
from households.intake.building.conditions import answers_of, comparisons_of, words_of
from households.intake.building.kinds import (
    SISTERS,
    WORDS,
    Definition,
    Item,
    Kind,
    kind_of,
)
from households.intake.building.parts import new_item, read_parts
from households.intake.building.structure import (
    MADE_HERE,
    end_of,
    name_of,
    new_link_id,
    places_for,
    row_of,
)
from households.intake.definitions import sha256_of
from households.intake.models import Questionnaire

_LINE = {"class": "vTextField"}


class BuilderForm(forms.Form):
    use_required_attribute = False

    def now_stands(self, was: str) -> None:
        """The page says from now on that it was opened on this state."""
        data: Any = self.data.copy()  # type: ignore[attr-defined] # what was posted
        data["was"] = was
        self.data = data


class GoneMeanwhile(Exception):
    """Somebody deleted what this page changes."""


class ItemChangedMeanwhile(Exception):
    def __init__(self, item: Item) -> None:
        self.item = item


_SHORT = {"class": "vTextField builder-short"}
# What nearly every question needs comes first.
_ORDER = [
    "text",
    "kind",
    "choices",
    "members",
    "bands",
    "unit",
    "help",
    "required",
    "repeats",
    "most",
]


def _line(
    label: Any, help_text: Any = "", attrs: dict[str, str] = _LINE, **kwargs: Any
) -> forms.CharField:
    widget = forms.TextInput(attrs=attrs)
    return forms.CharField(
        label=label, help_text=help_text, required=False, widget=widget, **kwargs
    )


def _lines(label: Any, help_text: Any = "", rows: int = 3, **kwargs: Any) -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": rows, "class": "vLargeTextField"})
    return forms.CharField(
        label=label, help_text=help_text, required=False, widget=widget, **kwargs
    )


def _count(label: Any, help_text: Any, most: int, least: int = 1) -> forms.IntegerField:
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


def _tick(label: Any, help_text: Any = "") -> forms.BooleanField:
    return forms.BooleanField(label=label, help_text=help_text, required=False)


def _fields_of(kind: Kind | None) -> dict[str, forms.Field]:
    """The boxes of a kind, in order. What may be missing or wrong is decided by building, not here."""
    limits: dict[str, forms.Field] = {
        "smallest": _line(gettext_lazy("Smallest"), attrs=_SHORT, max_length=20),
        "largest": _line(gettext_lazy("Largest"), attrs=_SHORT, max_length=20),
    }
    initial = {
        "initial": _line(
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
                "repeats": _tick(
                    gettext_lazy("Can be given several times"),
                    gettext_lazy(
                        "For a list, such as medications: families add one after the other."
                    ),
                ),
                "most": _count(gettext_lazy("At most how many times"), "", 100),
            }
        case Kind.SHORT | Kind.LONG:
            longest = _count(
                gettext_lazy("Longest"), gettext_lazy("In letters, blanks counted."), 20000
            )
            return {"longest": longest, **initial}
        case Kind.YES_NO:
            return {"initial": _yes_no(), "danger_yes": _tick(_DANGER_YES, _DANGER_HELP)}
        case Kind.ONE | Kind.ONE_OR_OWN | Kind.SEVERAL:
            return _choosing_fields(kind)
        case Kind.NUMBER:
            return {**limits, **initial}
        case Kind.DECIMAL:
            unit = _line(
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
        "choices": _lines(
            gettext_lazy("Choices"),
            gettext_lazy(
                "One on each line. For a score, write the number after it: “Several days = 1”."
            ),
            rows=8,
        )
    }
    if kind is Kind.SEVERAL:
        fields["exclusive"] = _line(
            gettext_lazy("Rules out the others"),
            gettext_lazy("One of the choices, such as “None of these”."),
        )
    fields["initial"] = _line(
        gettext_lazy("Chosen at first"),
        gettext_lazy("One of the choices. Leave it empty unless nearly everybody chooses this."),
    )
    label = gettext_lazy("Danger from this number up")
    fields["danger_from"] = _count(label, _DANGER_HELP, 1000, least=-1000)
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
        "bands": _lines(
            gettext_lazy("What it means"),
            gettext_lazy("For staff, one on each line: “10-14 moderate”, “20+ severe”."),
            rows=5,
        ),
        "is_shown": _tick(
            gettext_lazy("Families see the score"),
            gettext_lazy("Without what it means, which only staff see."),
        ),
    }


class ItemForm(BuilderForm):
    """A section or a question, new or on file. `change` is what saving it does to a definition."""

    link_id = forms.CharField(required=False, widget=forms.HiddenInput)
    # What stood there when the page was opened.
    was = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(
        self,
        data: Any = None,
        *,
        definition: Definition,
        kind: Kind | None,
        item: Item | None = None,
        section: str = "",
    ) -> None:
        super().__init__(data)
        self.is_new, self.kind = item is None, kind
        self.item = item or new_item(kind or Kind.READ, self._new_link_id(data))
        self._add_fields(definition)
        self.initial = {
            **read_parts(self.item, kind),
            "link_id": self.item["linkId"],
            "was": "" if self.is_new else sha256_of(self.item),
            "place": end_of(definition, section),
        }
        if self.is_new:
            self.initial["is_shown"] = False

    def _new_link_id(self, data: Any) -> str:
        """The one that the page got, so that a page sent twice adds one question."""
        given = (data or {}).get("link_id", "")
        return given if MADE_HERE.fullmatch(given) else new_link_id(self.kind or Kind.READ)

    def _add_fields(self, definition: Definition) -> None:
        kind, fields = self.kind, self.fields
        if kind is Kind.READ:
            fields["text"] = _lines(gettext_lazy("Text"), rows=8, max_length=20000)
        else:
            label = gettext_lazy("Title") if kind is Kind.SECTION else gettext_lazy("Question")
            if kind is Kind.SCORE:
                label = gettext_lazy("Name of the score")
            fields["text"] = _lines(label, rows=2, max_length=4000)
        sisters = next((group for group in SISTERS if kind in group), None)
        if sisters:
            fields["kind"] = forms.ChoiceField(
                label=gettext_lazy("Kind"), choices=[(one.value, WORDS[one][0]) for one in sisters]
            )
        fields.update(_fields_of(kind))
        if "choices" in fields:
            self._fit_choices()
        if kind not in (Kind.READ, Kind.SCORE):
            help_text = gettext_lazy("A sentence that stands under it, for the family.")
            fields["help"] = _lines(gettext_lazy("Help"), help_text, rows=2, max_length=4000)
        if kind not in (Kind.READ, Kind.SCORE, Kind.SECTION):
            fields["required"] = _tick(gettext_lazy("Must be answered"))
        if "members" in fields:
            counted = scores.counted_for(definition, self.item)
            fields["members"].choices = [  # type: ignore[attr-defined]
                (row.link_id, name_of(row.item)) for row in counted
            ]
        if self.is_new:
            self._add_place(definition)
        else:
            self._add_conditions(definition)
        self.order_fields(_ORDER)

    def _fit_choices(self) -> None:
        if not can_be_lines(self.item):
            for name in ("choices", "exclusive", "initial", "danger_from"):
                self.fields.pop(name, None)

    def _add_place(self, definition: Definition) -> None:
        places = places_for(definition, self.item)
        self.fields["place"] = forms.ChoiceField(
            label=gettext_lazy("Place"),
            choices=[(place, f"{'– ' * depth}{words}") for place, words, depth in places],
            error_messages={
                "invalid_choice": gettext_lazy("This place is not there any more. Choose another.")
            },
        )

    def _add_conditions(self, definition: Definition) -> None:
        conditions = self.item.get("enableWhen", [])
        if conditions:
            self.fields["dropped"] = forms.MultipleChoiceField(
                label=gettext_lazy("Take away these conditions"),
                required=False,
                widget=forms.CheckboxSelectMultiple,
                choices=[(str(at), words_of(definition, one)) for at, one in enumerate(conditions)],
            )
        if len(conditions) > 1:
            self.fields["behavior"] = forms.ChoiceField(
                label=gettext_lazy("Shown if"),
                choices=[
                    ("any", gettext_lazy("any of the conditions is so")),
                    ("all", gettext_lazy("all of the conditions are so")),
                ],
            )

    def parts(self) -> dict[str, Any]:
        """What was typed, under the names of building.parts."""
        parts = {
            name: value
            for name, value in self.cleaned_data.items()
            if name not in ("link_id", "was", "place", "dropped")
        }
        # Browsers send line ends as CR LF; FHIR's text has LF.
        return {
            name: value.replace("\r\n", "\n") if isinstance(value, str) else value
            for name, value in parts.items()
        }

    def change(self, definition: Definition) -> Definition:
        """Raises GoneMeanwhile, ItemChangedMeanwhile, and what building refuses."""
        link_id, typed = self.item["linkId"], self.cleaned_data
        if self.is_new:
            assert self.kind is not None  # a new one is of a kind that there is
            return with_item(definition, self.kind, link_id, typed["place"], self.parts())
        row = row_of(definition, link_id)
        if row is None:
            raise GoneMeanwhile
        if sha256_of(row.item) != typed["was"]:
            raise ItemChangedMeanwhile(row.item)
        dropped = {int(at) for at in typed.get("dropped", [])}
        return with_parts(definition, link_id, self.parts(), dropped)

    def show_both(self, item: Item) -> None:
        """Keep what was typed, say what stands there now, and let the next save replace it."""
        now = read_parts(item, kind_of(item))
        errors = [
            _(
                "Somebody changed this after you opened it. Nothing of yours is saved yet. Compare, and save "
                "again to replace what is there now with what stands here."
            ),
            *(
                _("%(field)s now: %(value)s")
                % {"field": self[name].label, "value": _shown(now[name])}
                for name, typed in self.parts().items()
                if now.get(name, typed) != typed
            ),
        ]
        self.now_stands(sha256_of(item))
        self.add_error(None, [ValidationError(error, code="changed-meanwhile") for error in errors])


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(str(one) for one in value) or "–"
    return " / ".join(str(value).splitlines()) if value not in (None, "") else "–"


class ConditionForm(BuilderForm):
    """How the answer to `question` decides."""

    comparison = forms.ChoiceField(label=gettext_lazy("Its answer"), required=False)
    answer = forms.CharField(label=gettext_lazy("this"), required=False, max_length=500)

    def __init__(self, data: Any = None, *, question: Item) -> None:
        super().__init__(data)
        comparisons, answers = comparisons_of(question), answers_of(question)
        self.fields["comparison"].choices = comparisons  # type: ignore[attr-defined]
        if len(comparisons) == 2:  # answered, or not
            del self.fields["answer"]
        elif answers:
            self.fields["answer"] = forms.ChoiceField(
                label=gettext_lazy("Answer"),
                choices=answers,
                required=False,
                widget=forms.RadioSelect,
                error_messages={"invalid_choice": gettext_lazy("Choose the answer.")},
            )
        else:
            self.fields["answer"].label = gettext_lazy("Answer")
            self.fields["answer"].help_text = gettext_lazy(
                "Leave it empty for “is answered” and “is not answered”."
            )


class MoveForm(BuilderForm):
    place = forms.ChoiceField(
        label=gettext_lazy("New place"),
        error_messages={
            "invalid_choice": gettext_lazy("This place is not there any more. Choose another."),
            "required": gettext_lazy("Choose the new place."),
        },
    )

    def __init__(
        self, data: Any = None, *, places: Iterable[tuple[str, str, int]], now: str
    ) -> None:
        super().__init__(data, initial={"place": now})
        self.fields["place"].choices = [  # type: ignore[attr-defined]
            (place, f"{'– ' * depth}{words}") for place, words, depth in places
        ]


class TitleForm(BuilderForm):
    was = forms.CharField(required=False, widget=forms.HiddenInput)
    title = forms.CharField(
        label=gettext_lazy("Title"),
        max_length=200,
        widget=forms.TextInput(attrs=_LINE),
        help_text=gettext_lazy("As families read it."),
        error_messages={"required": gettext_lazy("Write the title of the form.")},
    )
    description = _lines(
        gettext_lazy("Introduction"),
        gettext_lazy("What it is for, in a sentence or two. Families read it before they begin."),
        max_length=4000,
    )


class NewFormForm(BuilderForm):
    public_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)
    title = forms.CharField(
        label=gettext_lazy("Title"),
        max_length=200,
        widget=forms.TextInput(attrs=_LINE),
        help_text=gettext_lazy("As families read it, for example “New patient visit”."),
        error_messages={"required": gettext_lazy("Write the title of the form.")},
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"),
        choices=[
            (Questionnaire.Kind.FORM, gettext_lazy("A form: questions to answer")),
            (
                Questionnaire.Kind.CONSENT,
                gettext_lazy("A consent: a text to accept or decline, and to sign"),
            ),
        ],
        initial=Questionnaire.Kind.FORM,
        widget=forms.RadioSelect,
        error_messages={"required": gettext_lazy("Choose the kind.")},
    )
    section = forms.CharField(
        label=gettext_lazy("Title of the first section"),
        max_length=200,
        widget=forms.TextInput(attrs=_LINE),
        help_text=gettext_lazy("Each section is a page of its own for the family."),
        error_messages={"required": gettext_lazy("Write the title of the first section.")},
    )
