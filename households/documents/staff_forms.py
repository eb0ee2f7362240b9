"""The forms of the staff's pages: sharing a paper, asking for one, returning one. None of them has the
person in it; whom it is for stands in the address and on the page."""

from __future__ import annotations

import uuid
from pathlib import PurePath
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.staff_pages import VersionedForm
from households.documents.models import DocumentKind, DocumentRequest
from households.submissions.staff_forms import ReturnForm

# Whole sentences, because the family reads them.
QUICK_REASONS = (
    ("blurry", _("The photo is blurry. Take it again in good light and hold the phone still.")),
    ("cut-off", _("A part of the paper is cut off. Take the photo again with all four corners.")),
    (
        "wrong-person",
        _("This paper is about somebody else. Switch to that person and send it there."),
    ),
    ("wrong-paper", _("This is not the paper that we asked for.")),
    ("too-old", _("This paper is too old. Send the newest one.")),
)


class YearFirstDateField(forms.DateField):
    """A day, year first and in no other order, like everywhere in the portal (SECURITY R-WP-5)."""

    widget = forms.DateInput(format="%Y/%m/%d", attrs={"autocomplete": "off"})

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            input_formats=["%Y/%m/%d", "%Y-%m-%d"],
            error_messages={"invalid": _("Type the day year first, like this: 2026/12/31.")},
            required=False,
            **kwargs,
        )


class SentOnceForm(forms.Form):
    """Knows which page it came from, so that a button pressed twice does its work once."""

    sending_id = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("sending_id", uuid.uuid4())

    def clean_sending_id(self) -> uuid.UUID:
        return self.cleaned_data["sending_id"] or uuid.uuid4()


class ShareForm(SentOnceForm):
    file = forms.FileField(
        label=_("File"),
        allow_empty_file=True,  # the portal's own checks say what is wrong with it
        widget=forms.FileInput(
            attrs={"accept": ".pdf,.jpg,.jpeg,.png,.heic,.heif,.webp,image/*"},
        ),
        error_messages={"required": _("Choose the file to share.")},
    )
    kind = forms.ModelChoiceField(
        label=_("Kind"),
        queryset=DocumentKind.objects.filter(is_offered=True),
        required=False,
        empty_label=_("none of these"),
    )
    name = forms.CharField(
        label=_("Name"),
        required=False,
        max_length=100,
        help_text=_("As the family reads it: “Lab result of May”. Empty: the file's own name."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "class": "vTextField"}),
    )
    note = forms.CharField(
        label=_("Note to the family"),
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["file"].help_text = _("PDF, JPEG, PNG, HEIC or WebP, up to %(size)d MB.") % {
            "size": settings.FILE_MB
        }

    def file_name(self) -> str:
        """The name as it is kept: the typed one with the file's ending, so that it opens when saved."""
        given: str = self.cleaned_data["file"].name
        typed = self.cleaned_data["name"].replace("/", "-").replace("\\", "-")
        ending = PurePath(given).suffix
        if not typed:
            return given
        return typed if typed.lower().endswith(ending.lower()) else f"{typed}{ending}"


class RequestForm(VersionedForm):
    """Asks for a paper, and changes what is asked."""

    kind = forms.ModelChoiceField(
        label=_("Kind"),
        queryset=DocumentKind.objects.filter(is_offered=True),
        required=False,
        empty_label=_("none of these"),
    )
    due_on = YearFirstDateField(
        label=_("Due"), help_text=_("Year first, for example 2026/12/31. It may stay empty.")
    )
    expires_on = YearFirstDateField(
        label=_("No longer wanted after"),
        help_text=_("After this day the family is not asked any more. It may stay empty."),
    )

    class Meta:
        model = DocumentRequest
        fields = ("kind", "what", "why", "due_on", "expires_on")
        widgets = {
            "what": forms.TextInput(attrs={"autocomplete": "off", "class": "vTextField"}),
            "why": forms.TextInput(attrs={"autocomplete": "off", "class": "vTextField"}),
        }
        error_messages = {"what": {"required": _("Say what you ask for.")}}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.kind is not None and "kind" in self.fields:
            # One that is not offered any more stays with what has it.
            mine = DocumentKind.objects.filter(pk=self.instance.kind_id)
            kinds = self.fields["kind"]
            # A field of models, which the types of forms forget.
            kinds.queryset = kinds.queryset | mine  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        due, expires = self.cleaned_data.get("due_on"), self.cleaned_data.get("expires_on")
        if due and expires and due > expires:
            self.add_error(
                "due_on", _("It is due after the day on which it is no longer wanted. Change one.")
            )
        return cleaned


class AskForm(SentOnceForm, RequestForm):
    """The same for a new one."""

    version = None  # type: ignore[assignment] # there is nothing on file to compare with


class ReturnDocumentForm(ReturnForm):
    quick_reasons = QUICK_REASONS
