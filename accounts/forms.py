"""The forms of the family's door."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from accounts import practice_file
from accounts.emails import MAX_LENGTH as LONGEST_EMAIL
from accounts.emails import email_key
from accounts.models import HouseholdAccount
from accounts.passwords import MAX_LENGTH as LONGEST_PASSWORD
from accounts.passwords import StrongEnough
from accounts.widgets import EmailBox, PasswordBox

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise


class PlainForm(forms.Form):
    """The server says what is missing; browsers do not (UX ALL-7)."""

    use_required_attribute = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        for field in self.fields.values():
            # A text over the limit must reach the server to be told so, not be cut in silence.
            field.widget.attrs.pop("maxlength", None)

    @cached_property
    def all_optional(self) -> bool:
        """Saying so at every box would say nothing."""
        return not any(box.field.required for box in self.visible_fields())


def email_field(hint: StrOrPromise = "") -> forms.CharField:
    return forms.CharField(
        label=_("Email"),
        help_text=hint,
        max_length=LONGEST_EMAIL,
        widget=EmailBox(
            attrs={
                "autocomplete": "username",
                "spellcheck": "false",
                "autocapitalize": "none",
            }
        ),
        error_messages={
            "required": _("Type your email address."),
            "max_length": _("That is too long for an email address. Type it again."),
        },
    )


def password_field(
    label: StrOrPromise, autocomplete: str, hint: StrOrPromise = ""
) -> forms.CharField:
    return forms.CharField(
        label=label,
        help_text=hint,
        strip=False,
        max_length=LONGEST_PASSWORD,
        widget=PasswordBox(
            attrs={
                "autocomplete": autocomplete,
                "spellcheck": "false",
                "autocapitalize": "none",
            }
        ),
        error_messages={
            "required": _("Type the password."),
            "max_length": _(
                "That is longer than any password here can be (%(limit_value)d characters)."
            ),
        },
    )


class SignInForm(PlainForm):
    email = email_field()
    password = password_field(_("Password"), "current-password")


class LinkRequestForm(PlainForm):
    email = email_field(_("The address that the practice has on file for your family."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].widget.attrs["autocomplete"] = "email"

    def clean_email(self) -> str:
        typed = self.cleaned_data["email"]
        if "@" not in email_key(typed).strip("@"):
            raise ValidationError(_("Type a whole email address, like name@example.org."))
        return typed


class NewPasswordForm(PlainForm):
    """A new password typed twice. `account` is whose it will be."""

    new_password1 = password_field(_("Create a password"), "new-password")
    new_password2 = password_field(_("Type the new password again"), "new-password")

    def __init__(self, *args: Any, account: HouseholdAccount, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.account = account
        self.fields["new_password1"].help_text = StrongEnough().get_help_text()
        self.fields["new_password1"].error_messages["required"] = _("Type a new password.")
        self.fields["new_password2"].error_messages["required"] = _(
            "Type the new password a second time."
        )

    def clean_new_password1(self) -> str:
        password = self.cleaned_data["new_password1"]
        words = practice_file.ask().words_about(self.account.email_key)
        StrongEnough().validate(password, self.account, words=words)
        return password

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, second = cleaned.get("new_password1"), cleaned.get("new_password2")
        if first and second and first != second:
            self.add_error(
                "new_password2",
                _("The two passwords are not the same. Type the new password in both boxes again."),
            )
        return cleaned


class PasswordChangeForm(NewPasswordForm):
    old_password = password_field(_("Current password"), "current-password")
    field_order = ("old_password", "new_password1", "new_password2")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["old_password"].error_messages["required"] = _("Type the current password.")
        self.fields["new_password1"].label = _("New password")
