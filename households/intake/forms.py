"""The forms around a filled form: the boxes of one page, its files, and what is said when it is sent."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from accounts.forms import PlainForm
from accounts.widgets import Radios, TextBox, Ticks
from households.documents.forms import SeveralFilesField, SeveralFilesInput
from households.intake import inputs, typed
from households.intake.engine.evaluation import Node
from households.intake.filling import Change, base_of
from households.intake.models import Signature

_LONGEST_NAME = 120
_LONGEST_RELATIONSHIP = 80
# Which questions a page showed, and what they said then. Called a version, so that it is kept beside typed
# text, and for nothing alone (households/kept.py).
SHOWN = "shown-version"


class PageForm(PlainForm):
    """The boxes of the questions `nodes`. `typed` stands in its boxes instead of what is saved; `bases` says
    what else than the present answer a page showed of a question.

    It is never bound: what was posted is read by read_page(), since a page that is shown again may ask
    other questions than the one before.
    """

    def __init__(
        self,
        nodes: Iterable[Node],
        typed: Mapping[str, Any] | None = None,
        bases: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        asked = [*nodes]
        self.nodes = [node for node in asked if inputs.is_typed(node)]
        # A file that is demanded counts too, though it has no box here.
        self.all_optional = not any(node.item.required for node in asked)
        self.boxes: dict[str, list[str]] = {}
        self._errors = self.errors
        for node in self.nodes:
            fields = inputs.fields_of(node)
            self.boxes[node.path] = [*fields]
            self.fields.update(fields)
        for name, value in (typed or {}).items():
            if name in self.fields:
                self.initial[name] = value
        bases = bases or {}
        self.shown = " ".join(
            f"{node.path}:{bases.get(node.path) or base_of(node.answers)}" for node in self.nodes
        )

    def say(self, path: str, text: str, name: str = "") -> None:
        """What is wrong with the question at `path`, or with its box called `name`."""
        name = name or next(iter(self.boxes.get(path, ())), "")
        key = name if name in self.fields else NON_FIELD_ERRORS
        self._errors.setdefault(key, self.error_class()).append(text)


class ReadPage:
    """What was posted: a change for each question that can be read, and what is wrong with the others."""

    def __init__(self, posted: QueryDict, nodes: Mapping[str, Node]) -> None:
        self.bases = shown_of(posted.get(SHOWN, ""))
        self.changes: list[Change] = []
        # Path: the box and what to type instead.
        self.unreadable: dict[str, typed.Unreadable] = {}
        self.typed: dict[str, dict[str, Any]] = {}
        for path, base in self.bases.items():
            node = nodes.get(path)
            if node is None or not inputs.is_typed(node):
                continue
            fields = inputs.fields_of(node)
            raw = {
                name: field.widget.value_from_datadict(posted, {}, name)
                for name, field in fields.items()
            }
            self.typed[path] = raw
            try:
                values = {name: field.clean(raw[name]) for name, field in fields.items()}
                answers = typed.answers_from(node, values)
            except typed.Unreadable as error:
                self.unreadable[path] = error
            else:
                self.changes.append(Change(path, answers, base))


def shown_of(text: str) -> dict[str, str]:
    """The questions that a page showed, with what they said then."""
    pairs = (one.partition(":") for one in text.split())
    return {path: base for path, _colon, base in pairs if base}


class SendForm(PlainForm):
    """The page that is sent, and the state of the draft that it showed."""

    sending_id = forms.UUIDField(required=False, widget=forms.HiddenInput)
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("sending_id", uuid.uuid4())

    @classmethod
    def read(cls, posted: Any) -> tuple[uuid.UUID, int | None]:
        """Which page, and which state; a page that says nothing is its own, and showed nothing."""
        form = cls(posted)
        form.is_valid()
        return form.cleaned_data.get("sending_id") or uuid.uuid4(), form.cleaned_data.get("version")


class SignForm(PlainForm):
    """A typed name, what they are to the patient, and a tick; of a consent first the decision."""

    decision = forms.ChoiceField(
        label=_("Your decision"),
        choices=[
            (Signature.Decision.ACCEPTED, _("I accept")),
            (Signature.Decision.DECLINED, _("I decline")),
        ],
        widget=Radios,
        error_messages={
            "required": _("Choose whether you accept or decline."),
            "invalid_choice": _("Choose whether you accept or decline."),
        },
    )
    typed_name = forms.CharField(
        label=_("Your full name, as your signature"),
        max_length=_LONGEST_NAME,
        widget=TextBox(attrs={"autocomplete": "name", "spellcheck": "false"}),
        error_messages={
            "required": _("Type your full name."),
            "max_length": _("That is too long for a name. Type first and last name only."),
        },
    )
    relationship = forms.CharField(
        label=_("What you are to the patient"),
        help_text=_("For example mother, father, guardian, or “I am the patient”"),
        max_length=_LONGEST_RELATIONSHIP,
        widget=TextBox(attrs={"autocomplete": "off"}),
        error_messages={
            "required": _("Type what you are to the patient, for example mother."),
            "max_length": _("That is too long. A word or two is enough, for example mother."),
        },
    )
    signs = forms.MultipleChoiceField(
        label=_("Sign"),
        choices=[("yes", _("My typed name is my signature."))],
        widget=Ticks,
        error_messages={
            "required": _("Tick the box to sign."),
            "invalid_choice": _("Tick the box to sign."),
        },
    )

    def __init__(self, *args: Any, is_consent: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not is_consent:
            del self.fields["decision"]


class FilesForm(PlainForm):
    """The files that answer a question; several where it takes several."""

    # Django's forms have an attribute of this name too; the declared field is taken out of the class.
    # A field in the place of the attribute that the form fills.
    files = SeveralFilesField(  # type: ignore[assignment]
        label=_("Choose a file or take a photo"),
        error_messages={"required": _("Choose a file, or take a photo of the paper.")},
        widget=SeveralFilesInput(
            attrs={"accept": ".pdf,.jpg,.jpeg,.png,.heic,.heif,.webp,image/*"},
        ),
    )
    sending_id = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("sending_id", uuid.uuid4())
        self.fields["files"].help_text = _("PDF, JPEG, PNG, HEIC or WebP, up to %(size)d MB.") % {
            "size": settings.FILE_MB
        }

    def clean_sending_id(self) -> uuid.UUID:
        return self.cleaned_data["sending_id"] or uuid.uuid4()
