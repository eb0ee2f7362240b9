"""The staff's form for importing a file, and where the file lies until they have read the report."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path
from typing import Any

from django import forms
from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from households.intake.importing import MOST_BYTES, FileRead, Unreadable, read_file

_SALT = "households.intake.import"
# As long as a staff session is idle at most; what nobody confirms, sweep_files takes away.
_KEPT_FOR = 3600


class ImportForm(forms.Form):
    """A file, or the sign that stands for one whose report was shown: `cleaned_data["read"]`."""

    file = forms.FileField(
        label=_("File"),
        required=False,
        allow_empty_file=True,  # parse() says what is wrong with it
        widget=forms.FileInput(attrs={"accept": ".json,application/json,application/fhir+json"}),
        help_text=_(
            "A FHIR R4 Questionnaire, ValueSet or CodeSystem, or a Bundle with some: JSON, up to 5 MB."
        ),
    )
    kept = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, staff_pk: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.staff_pk = staff_pk

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        data = self._bytes(cleaned)
        try:
            cleaned["read"] = read_file(data)
        except Unreadable as unreadable:
            raise ValidationError({"file": str(unreadable)}) from None
        cleaned["data"] = data
        return cleaned

    def _bytes(self, cleaned: dict[str, Any]) -> bytes:
        file = cleaned.get("file")
        if file is not None:
            if file.size > MOST_BYTES or getattr(file, "is_let_go", False):
                raise ValidationError(
                    {"file": _("The file is larger than 5 MB. Take the form out of it.")}
                )
            data: bytes = file.read()
            return data
        if cleaned.get("kept"):
            with contextlib.suppress(signing.BadSignature, OSError):
                return _path(self._name(cleaned["kept"])).read_bytes()
            text = _("The file was not kept any longer. Choose it again.")
            raise ValidationError({"file": text})
        raise ValidationError({"file": _("Choose the file to import.")})

    def _name(self, kept: str) -> str:
        staff_pk, name = signing.loads(kept, salt=_SALT, max_age=_KEPT_FOR)
        if staff_pk != self.staff_pk:
            raise signing.BadSignature
        return str(name)

    def read(self) -> FileRead:
        read: FileRead = self.cleaned_data["read"]
        return read

    def keep(self) -> str:
        """Put the file aside until it is confirmed; the sign that stands for it."""
        name = secrets.token_hex(16)
        _path(name).write_bytes(self.cleaned_data["data"])
        return signing.dumps([self.staff_pk, name], salt=_SALT)

    def let_go(self) -> None:
        """It is imported: the file put aside is not needed any more."""
        with contextlib.suppress(signing.BadSignature):
            _path(self._name(self.cleaned_data.get("kept", ""))).unlink(missing_ok=True)


def _path(name: str) -> Path:
    # Only names of our own signing come here, which are hexadecimal.
    return Path(settings.UPLOADING) / f"{name}.questionnaire"
