"""The forms of the history: one for each kind of entry, one for the questions of a topic, and the small ones
around them. A form's fields are the columns of its entry and nothing else (SECURITY R-AZ-3).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.forms import PlainForm
from accounts.widgets import Radios, TextBox
from households.history import partial_date
from households.history.models import (
    Allergy,
    Condition,
    Entry,
    Fact,
    FamilyCondition,
    Goal,
    Immunization,
    Medication,
    Practitioner,
    Procedure,
    Screening,
    Section,
    SectionState,
)
from households.history.topics import QUESTION, QUESTIONS, WORDS, Question
from households.models import Member

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise

_OLDEST = 125
_SHORT = 300
_MOST_RADIOS = 7


# --- fields ---------------------------------------------------------------------------


class PartialDateField(forms.CharField):
    """One box for a year, a month or a day. Its value is as FHIR writes it; `born` is set by the form."""

    widget = TextBox(attrs={"autocomplete": "off", "spellcheck": "false"})

    def __init__(self, *, may_be_ahead: bool = False, **kwargs: Any) -> None:
        kwargs.setdefault("help_text", _("YYYY, YYYY/MM or YYYY/MM/DD. About is fine."))
        super().__init__(required=False, **kwargs)
        self.may_be_ahead = may_be_ahead
        self.born: Any = None

    def clean(self, value: Any) -> str:
        typed = super().clean(value)
        if not typed:
            return ""
        try:
            return partial_date.read(
                typed, today=timezone.localdate(), born=self.born, may_be_ahead=self.may_be_ahead
            )
        except partial_date.InvalidDate as error:
            raise ValidationError(str(error), code="invalid-date") from None

    def prepare_value(self, value: Any) -> Any:
        return partial_date.typed(value) if isinstance(value, str) else value


def _text(
    label: StrOrPromise, longest: int, hint: StrOrPromise = "", needed: StrOrPromise = ""
) -> forms.CharField:
    """`needed` is what is said when nothing was typed; without it the box may stay empty."""
    box: forms.Widget = TextBox(attrs={"autocomplete": "off"})
    if longest > _SHORT:
        box = forms.Textarea(attrs={"rows": 3, "autocomplete": "off"})
    return forms.CharField(
        label=label,
        help_text=hint,
        required=bool(needed),
        max_length=longest,
        widget=box,
        error_messages={
            "required": needed,
            "max_length": _(
                "This can have %(limit_value)d characters; it has %(show_value)d. Make it shorter."
            ),
        },
    )


def _choice(
    label: StrOrPromise,
    choices: Any,
    needed: StrOrPromise = "",
    unsaid: StrOrPromise = "",
    hint: StrOrPromise = "",
) -> forms.ChoiceField:
    """Radios where they fit on a screen. `unsaid` is the choice that stands for no answer."""
    pairs = list(getattr(choices, "choices", choices))
    widget: type[forms.Widget] = Radios
    if len(pairs) > _MOST_RADIOS:
        pairs, widget = [("", _("Choose one")), *pairs], forms.Select
    elif unsaid:
        pairs = [*pairs, ("", unsaid)]
    return forms.ChoiceField(
        label=label,
        help_text=hint,
        choices=pairs,
        required=bool(needed),
        widget=widget,
        error_messages={
            "required": needed,
            "invalid_choice": _("Choose one of these."),
        },
    )


def _age(label: StrOrPromise) -> forms.IntegerField:
    told = _("Type a whole number of years, or leave the box empty.")
    return forms.IntegerField(
        label=label,
        help_text=_("In years. About is fine."),
        required=False,
        min_value=0,
        max_value=_OLDEST,
        widget=TextBox(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        error_messages=dict.fromkeys(["invalid", "min_value", "max_value"], told),
    )


def _note() -> forms.CharField:
    return _text(_("Anything else the practice should know"), 500)


_NO_IDEA = _("I do not know")


# --- the forms of the lists -----------------------------------------------------------


class EntryForm(PlainForm):
    """What one entry says; `cleaned_data` are its columns. `member` is whose it is."""

    model: ClassVar[type[Entry]]

    def __init__(self, *args: Any, member: Member, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if isinstance(field, PartialDateField):
                field.born = member.date_of_birth

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and partial_date.is_before(until, since):
            self.add_error("until", _("That is before it began. Check both dates."))
        return cleaned


class AllergyForm(EntryForm):
    model = Allergy
    substance = _text(
        _("What is it?"),
        200,
        hint=_("For example penicillin, peanuts, bee stings"),
        needed=_("Type what it is, for example penicillin."),
    )
    category = _choice(_("What kind of thing is that?"), Allergy.Category, unsaid=_NO_IDEA)
    kind = _choice(_("Is it an allergy?"), Allergy.Kind)
    reaction = _text(
        _("What happens (reaction)?"),
        300,
        hint=_("For example a rash, swelling, trouble breathing"),
    )
    severity = _choice(_("How bad was it at worst (severity)?"), Allergy.Severity, unsaid=_NO_IDEA)
    since = PartialDateField(label=_("Since when?"))
    note = _note()


class MedicationForm(EntryForm):
    model = Medication
    name = _text(
        _("Name"),
        200,
        hint=_("As it stands on the box, for example amoxicillin or vitamin D"),
        needed=_("Type the name, as it stands on the box."),
    )
    kind = _choice(
        _("What is it?"),
        Medication.Kind,
        needed=_("Choose whether it is a medicine or a supplement."),
    )
    strength = _text(_("Strength"), 80, hint=_("As it stands on the box, for example 250 mg"))
    dose = _text(_("How much at a time (dose)"), 120, hint=_("For example 1 tablet, 5 mL, 2 drops"))
    how_often = _text(_("How often"), 120, hint=_("For example every morning, or twice a day"))
    route = _text(
        _("How is it taken (route)?"),
        80,
        hint=_("For example by mouth, on the skin, in the eye, breathed in, as a shot"),
    )
    reason = _text(_("What is it for (reason)?"), 200)
    since = PartialDateField(label=_("Since when?"))
    until = PartialDateField(label=_("Until when, if it stops?"), may_be_ahead=True)
    taking = _choice(_("Is it taken now?"), Medication.Taking)
    prescriber = _text(
        _("Who prescribed it?"), 120, hint=_("Leave it empty if you chose it by yourself.")
    )
    note = _note()


class ConditionForm(EntryForm):
    model = Condition
    name = _text(
        _("What is it called?"),
        200,
        hint=_("For example asthma. Your own words are fine."),
        needed=_("Type what it is called. Your own words are fine."),
    )
    since = PartialDateField(label=_("Since when?"))
    until = PartialDateField(label=_("Until when, if it is over?"))
    treated_by = _text(_("Who treats it?"), 120)
    note = _note()


class ProcedureForm(EntryForm):
    model = Procedure
    kind = _choice(
        _("What was it?"),
        Procedure.Kind,
        needed=_("Choose whether it was an operation or a hospital stay."),
    )
    what = _text(
        _("What was done, or what was the stay for?"),
        200,
        hint=_("For example tonsils out, broken arm, pneumonia"),
        needed=_("Type what was done, or what the stay was for."),
    )
    happened = PartialDateField(label=_("When?"))
    where = _text(_("Where? Name of the hospital, or the town"), 120)
    who = _text(_("Which doctor?"), 120)
    anaesthesia_problem = _choice(
        _("Was there a problem with being put to sleep (anesthesia)?"), Entry.Known
    )
    note = _note()


class FamilyConditionForm(EntryForm):
    model = FamilyCondition
    relative = _choice(_("Who?"), FamilyCondition.Relative, needed=_("Choose the relative."))
    condition = _text(
        _("Which health problem?"),
        200,
        hint=_("For example diabetes, heart attack, breast cancer"),
        needed=_("Type which health problem it is."),
    )
    age_at_onset = _age(_("How old when it began?"))
    deceased = _choice(_("Has this relative died?"), Entry.Known)
    age_at_death = _age(_("How old at death?"))
    note = _note()


class ImmunizationForm(EntryForm):
    model = Immunization
    vaccine = _text(
        _("Which vaccine?"),
        200,
        hint=_("For example flu, tetanus, measles"),
        needed=_("Type which vaccine it was."),
    )
    given = PartialDateField(label=_("When?"))
    where = _text(_("Where? Name of the clinic or pharmacy"), 120)
    lot_number = _text(_("Lot number, if it stands on the card"), 60)
    note = _note()


class ScreeningForm(EntryForm):
    model = Screening
    kind = _choice(_("Which check-up?"), Screening.Kind, needed=_("Choose the check-up."))
    what = _text(_("What was checked, if it is not in the list?"), 120)
    happened = PartialDateField(label=_("When was the last one?"))
    result = _text(_("What was found (result)?"), 200)
    note = _note()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("kind") == Screening.Kind.OTHER and not cleaned.get("what"):
            self.add_error("what", _("Type what was checked."))
        return cleaned


class PractitionerForm(EntryForm):
    model = Practitioner
    name = _text(_("Name"), 120, needed=_("Type the name."))
    role = _text(_("What kind of doctor or therapist?"), 120, hint=_("For example eye doctor"))
    where = _text(_("Where? Name of the practice, or the town"), 120)
    phone = _text(_("Phone"), 40)
    note = _note()


class GoalForm(EntryForm):
    model = Goal
    kind = _choice(_("What is it?"), Goal.Kind, needed=_("Choose whether it is a worry or a goal."))
    text = _text(_("In your words"), 500, needed=_("Type it in your own words."))


FORMS: dict[type[Entry], type[EntryForm]] = {
    form.model: form
    for form in (
        *(AllergyForm, MedicationForm, ConditionForm, ProcedureForm, FamilyConditionForm),
        *(ImmunizationForm, ScreeningForm, PractitionerForm, GoalForm),
    )
}


# --- the questions of a topic ---------------------------------------------------------


def fields_of_question(question: Question) -> dict[str, forms.Field]:
    """The boxes of one question, by the columns of a Fact that they fill."""
    fields: dict[str, forms.Field] = {}
    if question.choices:
        fields["value"] = _choice(question.asks, question.choices, unsaid=_("No answer"))
    if question.detail:
        fields["detail"] = _text(question.detail, 500)
        fields["detail"].widget = TextBox(attrs={"autocomplete": "off"})
    if question.since:
        fields["since"] = PartialDateField(label=question.since)
    if question.until:
        fields["until"] = PartialDateField(
            label=question.until, may_be_ahead=question.until_may_be_ahead
        )
    return fields


def fact_form(topic: str) -> type[EntryForm]:
    """The form of one answer, for staff to correct."""
    fields = fields_of_question(QUESTION[topic])
    return type("FactForm", (EntryForm,), {"model": Fact, **fields})


class QuestionsForm(PlainForm):
    """The questions of `section` that somebody of this age is asked. A question that was not on the page
    that is sent is left as it is: `answers()` leaves it out."""

    def __init__(
        self,
        *args: Any,
        section: str,
        member: Member,
        facts: Iterable[Fact] = (),
        only: Iterable[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        known = {fact.topic: fact for fact in facts if fact.status == Entry.Status.ACTIVE}
        versions = {fact.topic: fact.version for fact in facts}
        age = member.age or 0
        self.questions = [
            question
            for question in QUESTIONS[Section(section)]
            if (age >= question.from_age or question.topic in known)
            and (only is None or question.topic in only)
        ]
        for question in self.questions:
            fact = known.get(question.topic)
            for column, field in fields_of_question(question).items():
                if isinstance(field, PartialDateField):
                    field.born = member.date_of_birth
                field.widget.attrs.pop("maxlength", None)
                name = _box(question.topic, column)
                if column != "value" and question.choices:
                    # Where scripts run it is shown once there is an answer that needs it.
                    field.widget.attrs |= {
                        "data-follows": self.add_prefix(question.topic),
                        "data-not-after": " ".join(["", *question.says_all]),
                    }
                self.fields[name] = field
                self.initial.setdefault(name, getattr(fact, column) if fact else "")
            seen = _box(question.topic, "version")
            self.fields[seen] = forms.IntegerField(
                required=False, min_value=0, max_value=2**31 - 1, widget=forms.HiddenInput
            )
            self.initial.setdefault(seen, versions.get(question.topic, 0))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for question in self.questions:
            since = cleaned.get(_box(question.topic, "since"))
            until = cleaned.get(_box(question.topic, "until"))
            if since and until and partial_date.is_before(until, since):
                self.add_error(
                    _box(question.topic, "until"),
                    _("That is before it began. Check both dates."),
                )
        return cleaned

    def answers(self) -> dict[str, dict[str, str]]:
        """By question, the columns of its Fact; "" for a box that the question does not have."""
        return {
            question.topic: {
                column: self.cleaned_data.get(_box(question.topic, column), "")
                for column in ("value", "detail", "since", "until")
            }
            for question in self.questions
            if any(self.add_prefix(name) in self.data for name in _boxes(question))
        }

    def versions(self) -> dict[str, int]:
        """Which state of each answer the page showed."""
        return {
            question.topic: self.cleaned_data.get(_box(question.topic, "version")) or 0
            for question in self.questions
        }


def _boxes(question: Question) -> list[str]:
    return [_box(question.topic, column) for column in fields_of_question(question)]


def _box(topic: str, column: str) -> str:
    return topic if column == "value" else f"{topic}-{column}"


# --- around them ----------------------------------------------------------------------


class PageForm(forms.Form):
    """What every page that saves carries: which page it is, so that sending it twice saves once, and which
    state of the thing it showed."""

    sending_id = forms.UUIDField(required=False, widget=forms.HiddenInput)
    version = forms.IntegerField(
        required=False, min_value=0, max_value=2**31 - 1, widget=forms.HiddenInput
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": False, **kwargs})
        self.initial.setdefault("sending_id", uuid.uuid4())

    @classmethod
    def read(cls, posted: Mapping[str, Any]) -> tuple[uuid.UUID, int | None]:
        """Whatever was posted: a page without an id is its own, one without a version saw nothing."""
        form = cls(posted)
        form.is_valid()
        return form.cleaned_data.get("sending_id") or uuid.uuid4(), form.cleaned_data.get("version")


class AnswerForm(PlainForm):
    """None, Not sure, or yes: `cleaned_data["answer"]` is one of SectionState.Answer."""

    answer = forms.ChoiceField(
        label=_("Your answer"),
        widget=Radios,
        error_messages={
            "required": _("Choose one of the answers."),
            "invalid_choice": _("Choose one of these."),
        },
    )

    def __init__(self, *args: Any, section: str, member: Member, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        words, name = WORDS[Section(section)], {"name": member.called}
        choices = [
            (SectionState.Answer.NONE.value, str(words.none) % name),
            (SectionState.Answer.NOT_SURE.value, str(SectionState.Answer.NOT_SURE.label)),
        ]
        if words.yes:
            choices.append((SectionState.Answer.ENTRIES.value, str(words.yes)))
        # A choice field, which the types of forms forget.
        self.fields["answer"].choices = choices  # type: ignore[attr-defined]

    def instead_of(self, answer: str) -> list[tuple[str, str]]:
        """What could be said in place of `answer` without adding anything."""
        # A choice field, which the types of forms forget.
        choices = self.fields["answer"].choices  # type: ignore[attr-defined]
        return [one for one in choices if one[0] not in {answer, SectionState.Answer.ENTRIES}]


class EndForm(PlainForm):
    """What became of an entry: `cleaned_data["status"]`, and `cleaned_data["until"]` where it has one."""

    status = forms.ChoiceField(
        label=_("What is true now?"),
        widget=Radios,
        error_messages={
            "required": _("Choose what is true now."),
            "invalid_choice": _("Choose one of these."),
        },
    )
    until = PartialDateField(label=_("Until when, if you know?"), may_be_ahead=False)

    def __init__(
        self, *args: Any, entry: Entry, section: str, member: Member, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.since = getattr(entry, "since", "")
        words, status = WORDS[Section(section)], Entry.Status
        offered = {
            status.ACTIVE: _("It is current again"),
            status.ENDED: str(words.ended) % {"name": member.called},
            status.ERROR: _("It was entered by mistake: it was never so"),
        }
        # Sent twice, or by two browsers, it is so already.
        is_so = self.is_bound and self.data.get("status") == entry.status
        # A choice field, which the types of forms forget.
        self.fields["status"].choices = [  # type: ignore[attr-defined]
            (key.value, text)
            for key, text in offered.items()
            if text and (is_so or key != entry.status)
        ]
        # Of one answer there is nothing to choose: it is what the link that led here said.
        # A choice field, which the types of forms forget.
        if len(self.fields["status"].choices) == 1:  # type: ignore[attr-defined]
            # A choice field, which the types of forms forget.
            self.initial.setdefault("status", self.fields["status"].choices[0][0])  # type: ignore[attr-defined]
        until = self.fields["until"]
        may_end = is_so or entry.status == status.ACTIVE
        if "until" in entry.columns() and words.ended and may_end:
            # A field of ours, which the types of forms forget.
            until.born = member.date_of_birth  # type: ignore[attr-defined]
        else:
            del self.fields["until"]

    def clean_until(self) -> str:
        until: str = self.cleaned_data["until"]
        if self.since and until and partial_date.is_before(until, self.since):
            raise ValidationError(_("That is before it began. Check both dates."))
        return until
