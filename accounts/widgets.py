"""Text boxes written straight to HTML, and choices that an error can lead to.

Django draws each widget with a template of its own, which was a quarter of the sign-in page's cost. These
have the same attributes in the same order; a test holds them against Django's.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.forms.utils import flatatt
from django.utils.html import format_html
from django.utils.safestring import SafeString


class _StraightInput(forms.TextInput):
    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        shown = {"type": self.input_type, "name": name}
        formatted = self.format_value(value)
        if formatted is not None:
            shown["value"] = formatted
        return format_html("<input{}>", flatatt({**shown, **self.build_attrs(self.attrs, attrs)}))


class TextBox(_StraightInput):
    pass


class EmailBox(_StraightInput):
    input_type = "email"


class PasswordBox(_StraightInput):
    """Never shows what was typed before (UX ALL-6). The field's template adds its Show button."""

    input_type = "password"

    def format_value(self, value: Any) -> None:
        return None


class Radios(forms.RadioSelect):
    """The links of an error summary lead to the first of them, not to a box that is not there."""

    def id_for_label(self, id_: str, index: str | None = None) -> str:
        return super().id_for_label(id_, index or "0")


class Ticks(forms.CheckboxSelectMultiple):
    """The same."""

    def id_for_label(self, id_: str, index: str | None = None) -> str:
        return super().id_for_label(id_, index or "0")
