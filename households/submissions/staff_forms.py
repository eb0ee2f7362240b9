"""The staff's forms on what a family sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from households.models import Member
from households.portal_access import opened_by, why_closed
from households.staff_pages import person_line

_FEWEST_LETTERS = 4


class ReturnForm(forms.Form):
    """Why something goes back to the family: `cleaned_data["reason"]`, whole sentences that they read.
    A slice names the usual ones in `quick_reasons`, pairs of a word and a sentence."""

    quick_reasons: ClassVar[Sequence[tuple[str, Any]]] = ()

    quick = forms.ChoiceField(label=_("Reason"), required=False)
    words = forms.CharField(
        label=_("In your own words"),
        required=False,
        max_length=400,
        help_text=_("The family reads this."),
        widget=forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        quick = self.fields["quick"]
        # A choice field, which the types of forms forget.
        quick.choices = [("", _("in your own words:")), *self.quick_reasons]  # type: ignore[attr-defined]
        if not self.quick_reasons:
            del self.fields["quick"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        quick = str(dict(self.quick_reasons).get(cleaned.get("quick", ""), ""))
        cleaned["reason"] = " ".join(filter(None, [quick, cleaned.get("words", "").strip()]))
        if not self.errors and not cleaned["reason"]:
            raise ValidationError(
                {"words": _("Say why, so that the family knows what to send instead.")}
            )
        return cleaned


class RefileForm(forms.Form):
    """To whom something is moved, `cleaned_data["to"]`, the number of one of `people`, and why:
    `cleaned_data["reason"]`, for the practice only."""

    to = forms.ChoiceField(
        label=_("Move it to"),
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Choose the person it is about."),
            "invalid_choice": _("Choose one of these people."),
        },
    )
    reason = forms.CharField(
        label=_("Why"),
        max_length=400,
        help_text=_("Only the practice reads this, for example: “Leo's name stands on the paper.”"),
        widget=forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField"}),
        error_messages={"required": _("Say why it is moved.")},
    )

    def __init__(self, *args: Any, people: Iterable[Member], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A choice field, which the types of forms forget.
        self.fields["to"].choices = [(one.pk, _told_apart(one)) for one in people]  # type: ignore[attr-defined]

    def clean_reason(self) -> str:
        reason: str = " ".join(self.cleaned_data["reason"].split())
        if sum(letter.isalpha() for letter in reason) < _FEWEST_LETTERS:
            raise ValidationError(_("Say in a few words why it is moved."))
        return reason


def _told_apart(member: Member) -> str:
    """Name, birth date and age, and the record number: two people of one name are told apart by it."""
    number = gettext("record %(number)s") % {"number": member.mrn or member.patient_id}
    about = f"{person_line(member)}, {number}"
    if opened_by(member):
        return about
    closed = gettext("%(about)s. No family can open this chart now: %(why)s.")
    return closed % {"about": about, "why": why_closed(member)}
