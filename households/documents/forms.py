"""The forms of the family's pages: the one that sends documents, the one that puts photos in order."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.forms.boundfield import BoundField
from django.utils.translation import gettext_lazy as _

from accounts.forms import PlainForm
from accounts.widgets import Radios, TextBox
from households.documents.joining import MOST_PHOTOS
from households.documents.models import Document, DocumentKind

_NUMBER = "number-"


class SeveralFilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class SeveralFilesField(forms.FileField):
    """Several files at once. Each is checked on its own later, so that one bad file loses no other."""

    widget = SeveralFilesInput

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile]:
        files = data if isinstance(data, list | tuple) else [data]
        if not any(files):
            raise forms.ValidationError(self.error_messages["required"], code="required")
        return [file for file in files if file]


class DocumentsForm(PlainForm):
    """Sends documents. `kinds` are those to choose from: none where it is clear what is sent. `initial` may
    hold what was typed before, and the sending's id."""

    # Django's forms have an attribute of this name too; the declared field is taken out of the class.
    # A field in the place of the attribute that the form fills.
    files = SeveralFilesField(  # type: ignore[assignment]
        label=_("Choose files or take a photo"),
        error_messages={"required": _("Choose a file, or take a photo of the paper.")},
        widget=SeveralFilesInput(
            attrs={"accept": ".pdf,.jpg,.jpeg,.png,.heic,.heif,.webp,image/*"},
        ),
    )
    join = forms.BooleanField(
        label=_("These photos are pages of one paper: join them to one PDF"),
        required=False,
    )
    kind = forms.TypedChoiceField(
        label=_("What is it?"),
        required=False,
        widget=Radios,
        empty_value=None,
        error_messages={
            "invalid_choice": _("The practice has changed this list. Choose again what it is.")
        },
    )
    note = forms.CharField(
        label=_("Note to the practice"),
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off"}),
        error_messages={
            "max_length": _(
                "The note can have %(limit_value)d characters; it has %(show_value)d. Make it shorter."
            )
        },
    )
    sending_id = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, kinds: Iterable[DocumentKind] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("sending_id", uuid.uuid4())
        self.fields["files"].help_text = _(
            "PDF, JPEG, PNG, HEIC or WebP, up to %(size)d MB each and %(most)d files in one go."
        ) % {"size": settings.FILE_MB, "most": settings.FILES_AT_ONCE}
        offered = {str(kind.pk): kind for kind in kinds}
        if offered:
            kind_field = self.fields["kind"]
            # A choice field, which the types of forms forget.
            kind_field.choices = [(key, kind.name) for key, kind in offered.items()]  # type: ignore[attr-defined]
            # A choice field, which the types of forms forget.
            kind_field.coerce = offered.__getitem__  # type: ignore[attr-defined]
        else:
            del self.fields["kind"]

    def clean_sending_id(self) -> uuid.UUID:
        """Which page was sent, so that sending it twice saves once; a page without one is its own."""
        return self.cleaned_data["sending_id"] or uuid.uuid4()


class JoinForm(PlainForm):
    """A box for the page number of each of `photos`; a photo without a number is left as it is. `first`
    are those that have theirs already, in this order."""

    def __init__(
        self,
        *args: Any,
        photos: Iterable[Document],
        first: Iterable[Document] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.photos = {number_box(photo): photo for photo in photos}
        for name, photo in self.photos.items():
            self.fields[name] = forms.IntegerField(
                label=_("Page number of %(name)s") % {"name": photo.name},
                required=False,
                min_value=1,
                max_value=999,
                widget=TextBox(attrs={"inputmode": "numeric", "autocomplete": "off"}),
                error_messages={
                    key: _("Type a whole number from 1 to 999, or leave the box empty.")
                    for key in ("invalid", "min_value", "max_value")
                },
            )
        for number, photo in enumerate(first, start=1):
            self.initial[number_box(photo)] = number

    def rows(self) -> Iterator[tuple[Document, BoundField]]:
        for name, photo in self.photos.items():
            yield photo, self[name]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        known = {photo.public_id for photo in self.photos.values()}
        if not known.issuperset(posted_photos(self.data)):
            self.add_error(
                None,
                _(
                    "One of these photos cannot be joined any more: the practice has seen it, or it was "
                    "taken back. Nothing was changed. Look at the numbers and press the button again."
                ),
            )
        chosen = [name for name in self.photos if cleaned.get(name)]
        if not self.errors and not 2 <= len(chosen) <= MOST_PHOTOS:
            self.add_error(
                None,
                _("Give page numbers to at least 2 photos, and to %(most)d at most.")
                % {"most": MOST_PHOTOS},
            )
        # The same number twice, or a number left out, is no reason to ask again: the photo sent first
        # comes first.
        chosen.sort(key=lambda name: (cleaned[name], self.photos[name].pk))
        cleaned["photos"] = [self.photos[name] for name in chosen]
        return cleaned


def number_box(photo: Document) -> str:
    """The name of a photo's box in the form."""
    return f"{_NUMBER}{photo.public_id}"


def posted_photos(posted: Mapping[str, str]) -> list[uuid.UUID]:
    """The public ids of the photos that were given a number, whosever they are."""
    found = []
    for name, value in posted.items():
        if name.startswith(_NUMBER) and value.strip():
            with contextlib.suppress(ValueError):
                found.append(uuid.UUID(name.removeprefix(_NUMBER)))
    return found
