"""The picker's form."""

from __future__ import annotations

import datetime

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.forms import PlainForm
from accounts.widgets import TextBox
from households import matching


class WhoForm(PlainForm):
    """First name and date of birth. The date is read before anybody is looked up, so that its errors say
    nothing about who is on file. `cleaned_data["date_of_birth"]` is a date."""

    first_name = forms.CharField(
        label=_("First name"),
        help_text=_("First name only, as the practice has it on file."),
        max_length=matching.LONGEST_NAME,
        widget=TextBox(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={
            "required": _("Type the first name."),
            "max_length": _("That is too long for a first name. Type the first name only."),
        },
    )
    date_of_birth = forms.CharField(
        label=_("Date of birth"),
        help_text=_("YYYY/MM/DD, for example 2016/04/27"),
        max_length=matching.LONGEST_DATE,
        widget=TextBox(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={
            "required": _("Type the date of birth, year first, like 2016/04/27."),
            "max_length": _("Type the date of birth year first, like this: 2016/04/27."),
        },
    )

    def clean_date_of_birth(self) -> datetime.date:
        try:
            return matching.date_of_birth(
                self.cleaned_data["date_of_birth"], today=timezone.localdate()
            )
        except matching.InvalidDate as error:
            raise ValidationError(str(error), code="invalid-date") from None
