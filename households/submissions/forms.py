"""The form that asks who fills in what is sent."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.forms import PlainForm
from accounts.widgets import Radios, TextBox
from households.models import FilledInBy

_LONGEST_NAME = 120


class FilledInByForm(PlainForm):
    """`cleaned_data["filled_in_by"]` is one of FilledInBy, `cleaned_data["filled_in_name"]` a name."""

    filled_in_by = forms.ChoiceField(
        label=_("You are"),
        choices=FilledInBy,
        widget=Radios,
        error_messages={
            "required": _("Choose who you are."),
            "invalid_choice": _("Choose one of these."),
        },
    )
    filled_in_name = forms.CharField(
        label=_("Your name"),
        max_length=_LONGEST_NAME,
        widget=TextBox(attrs={"autocomplete": "name", "spellcheck": "false"}),
        error_messages={
            "required": _("Type your name."),
            "max_length": _("That is too long for a name. Type first and last name only."),
        },
    )
