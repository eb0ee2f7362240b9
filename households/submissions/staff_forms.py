"""The staff's forms on what a family sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _


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
