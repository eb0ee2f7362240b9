"""The forms of the second step, each behind the throttle: counted before the code is checked (R-AU-5)."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import audit, passwords, throttle
from accounts.models import StaffAccount
from accounts.passwords import TooBusy
from accounts.requests import PortalRequest
from accounts.sessions import address_group
from accounts.staff import second_factor
from accounts.staff.door import busy, paused

# As it comes from an app or out of a password manager; nothing is corrected on the way (WCAG 3.3.8).
_AS_TYPED = {"autocapitalize": "off", "autocorrect": "off", "spellcheck": "false"}
_APP_FIELD = {
    "autocomplete": "one-time-code",
    "inputmode": "numeric",
    "class": "vTextField portal-code",
    **_AS_TYPED,
}


class OneTimeInput(forms.TextInput):
    """Comes back empty: a code that was refused is not right later either."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, None, attrs)


class StaffForm(forms.Form):
    """About one member of staff and, where they have one, their app."""

    use_required_attribute = False

    def __init__(
        self, request: HttpRequest, staff: StaffAccount, device_id: int, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.request, self.staff, self.device_id = request, staff, device_id

    def attempt(self, rule: throttle.Rule, what: str) -> None:
        """Count a try. Raises ValidationError while the door is paused."""
        seconds = throttle.admit(*self._counters(rule))
        if seconds:
            audit.record(
                audit.Action.THROTTLE,
                what,
                request=self.request,
                object_type="staffaccount",
                object_id=self.staff.pk,
            )
            raise paused(seconds)

    def was_no_failure(self, rule: throttle.Rule) -> None:
        throttle.take_back(*self._counters(rule))

    def _counters(self, rule: throttle.Rule) -> tuple[tuple[throttle.Rule, str], ...]:
        address = address_group(cast(PortalRequest, self.request))
        return (throttle.SIGN_IN_ADDRESS, address), (rule, str(self.staff.pk))

    def use_code(self, code: str) -> None:
        """Use up a code of the app. Raises ValidationError."""
        self.attempt(throttle.STAFF_CODE, "staff-code")
        if not second_factor.code_use(
            request=self.request, staff=self.staff, device_id=self.device_id, code=code
        ):
            throttle.failure_everywhere()
            raise ValidationError(
                _(
                    "That code is not right, or it was used before. Wait until the app shows the next one, "
                    "and type that."
                )
            )
        self.was_no_failure(throttle.STAFF_CODE)

    def use_recovery_code(self, typed: str) -> None:
        """Use up a recovery code. Raises ValidationError."""
        self.attempt(throttle.STAFF_RECOVERY, "staff-recovery")
        try:
            right = second_factor.recovery_code_use(
                request=self.request, staff=self.staff, typed=typed
            )
        except TooBusy:
            self.was_no_failure(throttle.STAFF_RECOVERY)
            raise busy() from None
        if not right:
            throttle.failure_everywhere()
            raise ValidationError(
                _("That recovery code is not right, or it was used before. Take another one.")
            )
        self.was_no_failure(throttle.STAFF_RECOVERY)


def _six_figures(typed: str) -> str:
    """Nothing else is a try. Raises ValidationError."""
    code = second_factor.code_in(typed)
    if not code:
        raise ValidationError(_("The code has 6 figures."))
    return code


class CodeForm(StaffForm):
    otp_token = forms.CharField(
        label=gettext_lazy("Code from your app"),
        widget=OneTimeInput({**_APP_FIELD, "autofocus": True}),
        error_messages={"required": gettext_lazy("Type the code that your app shows.")},
    )

    def clean_otp_token(self) -> str:
        return _six_figures(self.cleaned_data["otp_token"])

    def clean(self) -> None:
        if not self.errors:
            self.use_code(self.cleaned_data["otp_token"])


class RecoveryForm(StaffForm):
    recovery_code = forms.CharField(
        label=gettext_lazy("Recovery code"),
        widget=forms.TextInput(
            {"autocomplete": "off", "class": "vTextField", "autofocus": True, **_AS_TYPED}
        ),
        error_messages={"required": gettext_lazy("Type one of your recovery codes.")},
    )

    def clean(self) -> None:
        if not self.errors:
            self.use_recovery_code(self.cleaned_data["recovery_code"])


class SetUpForm(StaffForm):
    """The first code of a new app, made from `secret`. `device` is what came of it."""

    otp_token = CodeForm.base_fields["otp_token"]

    def __init__(self, *args: Any, secret: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.secret = secret
        self.device: Any = None
        # They begin with the app above it.
        self.fields["otp_token"].widget.attrs.pop("autofocus", None)

    def clean_otp_token(self) -> str:
        return _six_figures(self.cleaned_data["otp_token"])

    def clean(self) -> None:
        if self.errors:
            return
        self.attempt(throttle.STAFF_CODE, "staff-code")
        # Raises ChangedMeanwhile, which is the page's matter.
        self.device = second_factor.device_enrol(
            request=self.request,
            staff=self.staff,
            secret=self.secret,
            code=self.cleaned_data["otp_token"],
            instead_of=self.device_id,
        )
        if self.device is None:
            raise ValidationError(
                _(
                    "That code does not belong to this set-up. Type the code that your app shows now. If it "
                    "is still refused: is the time on your phone right?"
                )
            )
        self.was_no_failure(throttle.STAFF_CODE)


class BothForm(StaffForm):
    """Password and code of somebody who is signed in: a browser left open is not enough to change how they
    sign in."""

    password = forms.CharField(
        label=gettext_lazy("Your password"),
        strip=False,
        widget=forms.PasswordInput(
            {"autocomplete": "current-password", "class": "vTextField", "autocapitalize": "off"}
        ),
        error_messages={"required": gettext_lazy("Type your password.")},
    )
    otp_token = forms.CharField(
        label=gettext_lazy("Code from your app, or a recovery code"),
        widget=forms.TextInput(
            {"autocomplete": "one-time-code", "class": "vTextField", **_AS_TYPED}
        ),
        error_messages={"required": gettext_lazy("Type the code that your app shows.")},
    )

    def clean(self) -> None:
        if self.errors:
            return
        subject = f"staff {self.staff.pk}"
        verdict = throttle.count(throttle.PASSWORD_CHANGE, subject)
        if not verdict.admitted:
            audit.record(audit.Action.THROTTLE, "staff-password-change", request=self.request)
            raise paused(max(1, verdict.seconds))
        if not self._password_is_right():
            raise ValidationError(_("That is not your password now."))
        typed = self.cleaned_data["otp_token"]
        code = second_factor.code_in(typed)
        if code:
            self.use_code(code)
        else:
            self.use_recovery_code(typed)
        throttle.clear(throttle.PASSWORD_CHANGE, subject)

    def _password_is_right(self) -> bool:
        try:
            right, _outdated = passwords.matches(self.cleaned_data["password"], self.staff.password)
        except TooBusy:
            throttle.forgive(throttle.PASSWORD_CHANGE, f"staff {self.staff.pk}")
            raise busy() from None
        return right
