"""The forms by which staff ask families to fill in a form: everyone, an age, a household, or one person."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.emails import usable_email_key
from accounts.staff_pages import VersionedForm
from households.documents.staff_forms import SentOnceForm, YearFirstDateField
from households.intake.models import Ask, Asking, MemberAsk, Questionnaire, QuestionnaireVersion
from households.models import Member

# The longest somebody lives, with room: a mistyped "170" is caught.
_OLDEST = 130


def published_forms() -> Any:
    """What can be asked: the forms of which a version is published."""
    published = QuestionnaireVersion.objects.filter(status=QuestionnaireVersion.Status.PUBLISHED)
    return Questionnaire.objects.filter(pk__in=published.values("questionnaire"))


class AskingForm(VersionedForm):
    """What every request has, whomever it is put to."""

    questionnaire = forms.ModelChoiceField(
        label=_("Form"),
        queryset=Questionnaire.objects.none(),
        empty_label=_("choose one"),
        help_text=_("Only forms that are published can be asked."),
        error_messages={"required": _("Choose the form.")},
    )
    again = forms.ChoiceField(label=_("How often"), choices=Asking.Again, initial="once")
    months = forms.IntegerField(
        label=_("Months"),
        required=False,
        min_value=1,
        max_value=120,
        help_text=_("For “every few months”: how many, from one sending to the next."),
        widget=forms.NumberInput(attrs={"autocomplete": "off"}),
    )
    due_on = YearFirstDateField(
        label=_("Due"), help_text=_("Year first, for example 2026/12/31. It may stay empty.")
    )

    class Meta:
        model: Any = MemberAsk
        fields: tuple[str, ...] = ("questionnaire", "again", "months", "due_on", "why")
        widgets = {"why": forms.TextInput(attrs={"autocomplete": "off", "class": "vTextField"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "questionnaire" in self.fields:
            # A field of models, which the types of forms forget.
            self.fields["questionnaire"].queryset = published_forms()  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        again, months = self.cleaned_data.get("again"), self.cleaned_data.get("months")
        if "months" in self.errors or "months" not in self.fields:
            return cleaned
        if again == Asking.Again.MONTHS and not months:
            self.add_error("months", _("Say after how many months it is asked again."))
        elif again != Asking.Again.MONTHS and months:
            text = _("This number is for “every few months”. Choose that, or empty the box.")
            self.add_error("months", text)
        return cleaned


class AskOneForm(SentOnceForm, AskingForm):
    """Of one person, whose page it is, or of the people who were ticked."""

    version = None  # type: ignore[assignment] # there is nothing on file to compare with


class MemberAskForm(AskingForm):
    """Changes a request to one person. Of which form it is stays: another one is asked anew."""

    class Meta(AskingForm.Meta):
        fields = ("again", "months", "due_on", "why")

    questionnaire = None  # type: ignore[assignment] # Django's way to leave out a field of the base


class AskForm(AskingForm):
    """Of many, by a rule that is asked anew each time a family opens its page."""

    whom = forms.ChoiceField(label=_("Whom"), choices=Ask.Whom, initial="everyone")
    email = forms.CharField(
        label=_("Email"),
        required=False,
        max_length=254,
        help_text=_("For “everyone on one email”: the primary email on file."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "class": "vTextField"}),
    )
    age_from = forms.IntegerField(
        label=_("From age"),
        required=False,
        min_value=0,
        max_value=_OLDEST,
        help_text=_("In years, included. For “everyone of an age”; one of the two may stay empty."),
        widget=forms.NumberInput(attrs={"autocomplete": "off"}),
    )
    age_to = forms.IntegerField(
        label=_("To age"),
        required=False,
        min_value=0,
        max_value=_OLDEST,
        help_text=_("In years, included: 17 is until the 18th birthday."),
        widget=forms.NumberInput(attrs={"autocomplete": "off"}),
    )

    class Meta(AskingForm.Meta):
        model = Ask
        fields = (
            *("questionnaire", "whom", "age_from", "age_to"),
            *("again", "months", "due_on", "why"),
        )

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        whom = self.cleaned_data.get("whom")
        # A box that does not belong to the choice is a mistake: asking everyone for one family's sake.
        self._clean_email(whom)
        self._clean_ages(whom)
        if not self.errors and self._stands_already():
            raise ValidationError(
                _("Nothing was saved: just this is asked of them already. It stands in the list."),
                code="asked-already",
            )
        return cleaned

    def _clean_email(self, whom: str | None) -> None:
        typed = self.cleaned_data.get("email", "").strip()
        self.instance.email_key = ""
        if whom != Ask.Whom.HOUSEHOLD:
            if typed:
                text = _("An email is for “everyone on one email”. Choose that, or empty the box.")
                self.add_error("email", text)
            return
        try:
            key = usable_email_key(typed)
        except ValidationError as error:
            self.add_error("email", error)
            return
        if not Member.objects.filter(email_key=key).exists():
            self.add_error("email", _("Nobody on file has this email. Look it up on the person."))
            return
        self.instance.email_key = key

    def _clean_ages(self, whom: str | None) -> None:
        first, last = self.cleaned_data.get("age_from"), self.cleaned_data.get("age_to")
        if {"age_from", "age_to"} & {*self.errors}:
            return
        if whom != Ask.Whom.AGES:
            if first is not None or last is not None:
                text = _("Ages are for “everyone of an age”. Choose that, or empty the boxes.")
                self.add_error("age_from", text)
        elif first is None and last is None:
            self.add_error("age_from", _("Say from which age, or to which, or both."))
        elif first is not None and last is not None and first > last:
            self.add_error("age_to", _("This is under the first age. Change one of them."))

    def _stands_already(self) -> bool:
        """The same people, the same form, as often: a button pressed twice, or somebody else's work."""
        names = ("questionnaire", "whom", "age_from", "age_to", "again", "months")
        return Ask.objects.filter(
            ended_at=None,
            email_key=self.instance.email_key,
            **{name: self.cleaned_data.get(name) for name in names},
        ).exists()


class AskChangeForm(AskingForm):
    """Changes a rule. Whom it means, and which form, stay: others are asked by another rule."""

    questionnaire = None  # type: ignore[assignment] # Django's way to leave out a field of the base

    class Meta(AskingForm.Meta):
        model = Ask
        fields = ("again", "months", "due_on", "why")
