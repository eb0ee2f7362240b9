"""The form that sends papers."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from accounts.forms import PlainForm
from accounts.widgets import TextBox

MOST_FILES = 10


class SeveralFilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class SeveralFilesField(forms.FileField):
    """Several files at once. Each is checked on its own later, so that one bad file loses no other."""

    widget = SeveralFilesInput

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile]:
        files = data if isinstance(data, list | tuple) else [data]
        if not any(files):
            raise forms.ValidationError(self.error_messages["required"], code="required")
        if len(files) > MOST_FILES:
            raise forms.ValidationError(
                _("Choose %(most)d files at most, send them, then send the others.")
                % {"most": MOST_FILES}
            )
        return [file for file in files if file]


class DocumentsForm(PlainForm):
    # Django's forms have an attribute of this name too; the declared field is taken out of the class.
    files = SeveralFilesField(  # type: ignore[assignment]
        label=_("Choose files or take a photo"),
        error_messages={"required": _("Choose a file, or take a photo of the paper.")},
        widget=SeveralFilesInput(attrs={"accept": ".pdf,.jpg,.jpeg,.png,image/jpeg,image/png"}),
    )
    note = forms.CharField(
        label=_("Note to the practice"),
        required=False,
        max_length=500,
        widget=TextBox(attrs={"autocomplete": "off"}),
        error_messages={
            "max_length": _(
                "The note can have %(limit_value)d characters; it has %(show_value)d. Make it shorter."
            )
        },
    )
    sending_id = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("sending_id", uuid.uuid4())
        self.fields["files"].help_text = _("PDF, JPEG or PNG, up to %(size)d MB each.") % {
            "size": settings.FILE_MB
        }

    def clean_sending_id(self) -> uuid.UUID:
        """Which page was sent, so that sending it twice saves once; a page without one is its own."""
        return self.cleaned_data["sending_id"] or uuid.uuid4()
