"""The staff's forms for building: one for each kind of question, one for a condition, one for a new form."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from households.intake.builder_fields import (
    LINE,
    fields_of,
    lines_field,
    tick_field,
)
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
            fields["text"] = lines_field(gettext_lazy("Text"), rows=8, max_length=20000)
        else:
            label = gettext_lazy("Title") if kind is Kind.SECTION else gettext_lazy("Question")
            if kind is Kind.SCORE:
                label = gettext_lazy("Name of the score")
            fields["text"] = lines_field(label, rows=2, max_length=4000)
        sisters = next((group for group in SISTERS if kind in group), None)
        if sisters:
            fields["kind"] = forms.ChoiceField(
                label=gettext_lazy("Kind"), choices=[(one.value, WORDS[one][0]) for one in sisters]
            )
        fields.update(fields_of(kind))
        if "choices" in fields:
            self._fit_choices()
        if kind not in (Kind.READ, Kind.SCORE):
            help_text = gettext_lazy("A sentence that stands under it, for the family.")
            fields["help"] = lines_field(gettext_lazy("Help"), help_text, rows=2, max_length=4000)
        if kind not in (Kind.READ, Kind.SCORE, Kind.SECTION):
            fields["required"] = tick_field(gettext_lazy("Must be answered"))
        if "members" in fields:
            counted = scores.counted_for(definition, self.item)
            # A choice field, which the types of forms forget.
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
        # A choice field, which the types of forms forget.
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
        # A choice field, which the types of forms forget.
        self.fields["place"].choices = [  # type: ignore[attr-defined]
            (place, f"{'– ' * depth}{words}") for place, words, depth in places
        ]


class TitleForm(BuilderForm):
    was = forms.CharField(required=False, widget=forms.HiddenInput)
    title = forms.CharField(
        label=gettext_lazy("Title"),
        max_length=200,
        widget=forms.TextInput(attrs=LINE),
        help_text=gettext_lazy("As families read it."),
        error_messages={"required": gettext_lazy("Write the title of the form.")},
    )
    description = lines_field(
        gettext_lazy("Introduction"),
        gettext_lazy("What it is for, in a sentence or two. Families read it before they begin."),
        max_length=4000,
    )


class NewFormForm(BuilderForm):
    public_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)
    title = forms.CharField(
        label=gettext_lazy("Title"),
        max_length=200,
        widget=forms.TextInput(attrs=LINE),
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
        widget=forms.TextInput(attrs=LINE),
        help_text=gettext_lazy("Each section is a page of its own for the family."),
        error_messages={"required": gettext_lazy("Write the title of the first section.")},
    )
