"""The staff's second factor: codes of an authenticator app, and recovery codes (SECURITY R-AU-14).

The app and the portal share a secret, a django-otp device, and make a code of six figures from it every 30
seconds (RFC 6238). Each code is good once, in its own half minute and the ones beside it. A recovery code is
what somebody without their phone has on paper; only its hash is kept.
"""

from __future__ import annotations

import base64
import re
import secrets
import time
import unicodedata
from urllib.parse import quote, urlencode

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts import audit, passwords, throttle
from accounts.models import StaffAccount, StaffRecoveryCode
from accounts.staff.sessions import sign_ins_end

RECOVERY_CODES = 10
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
# 59 bits, and hashed like a password.
_CODE_LETTERS = 12
_SECRET_BYTES = 20


# --- the secret that app and portal share ---------------------------------------------


def new_secret() -> str:
    return secrets.token_bytes(_SECRET_BYTES).hex()


def in_base32(secret: str) -> str:
    """As apps want it typed."""
    return base64.b32encode(bytes.fromhex(secret)).decode().rstrip("=")


def from_base32(typed: str) -> str:
    """The secret that a script gives. Raises ValidationError."""
    letters = re.sub(r"[\s=-]", "", typed).upper()
    try:
        secret = base64.b32decode(letters + "=" * (-len(letters) % 8))
    except ValueError:
        raise ValidationError(
            _("The secret has to be base32: the letters A to Z and the figures 2 to 7.")
        ) from None
    if not 10 <= len(secret) <= 40:
        raise ValidationError(
            _("The secret has to have 16 to 64 letters and figures; it has %(length)d."),
            params={"length": len(letters)},
        )
    return secret.hex()


def address_for_app(secret: str, staff: StaffAccount, practice: str) -> str:
    """What the QR code says, and what opens the app on the phone itself (Google's key URI format)."""
    issuer = " ".join(practice.replace(":", " ").split()) or "Kinchart"
    asked = urlencode({"secret": in_base32(secret), "issuer": issuer}, quote_via=quote)
    return f"otpauth://totp/{quote(f'{issuer}:{staff.email}', safe='@:')}?{asked}"


# --- codes of the app -----------------------------------------------------------------


def code_in(typed: str) -> str:
    """The six figures in what was typed, with blanks anywhere; "" where it is anything else."""
    figures = re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", typed[:100]))
    return figures if re.fullmatch(r"[0-9]{6}", figures) else ""


def device_of(staff: StaffAccount) -> TOTPDevice | None:
    return TOTPDevice.objects.filter(user=staff, confirmed=True).order_by("pk").first()


def _step_of(secret: str, code: str) -> int | None:
    """The half minute whose code this is, of those that are good now."""
    totp = TOTP(bytes.fromhex(secret))
    totp.time = time.time()
    return totp.t() if code and totp.verify(int(code), tolerance=1) else None


@transaction.atomic
def code_use(*, request: HttpRequest, staff: StaffAccount, device_id: int, code: str) -> bool:
    """Use up a code. False, and the entry in the audit says so, for one that is wrong or was used, and where
    the device is gone."""
    device = (
        TOTPDevice.objects.select_for_update()
        .filter(pk=device_id, user=staff, confirmed=True)
        .first()
    )
    right = device is not None and bool(code) and device.verify_token(code)
    _record(request, "ok" if right else "refused", staff)
    return right


# --- from no app to one, from one to another, to none ---------------------------------


class ChangedMeanwhile(Exception):
    """The second factor is not any more what it was when the page was opened."""


@transaction.atomic
def device_enrol(
    *, request: HttpRequest, staff: StaffAccount, secret: str, code: str, instead_of: int = 0
) -> TOTPDevice | None:
    """Confirm `secret` by a code made from it, which is used up by that. `instead_of` is the id of the device
    that it replaces, 0 for none: its codes open nothing any more, and the sign-ins from before are over.

    Returns None for a wrong code. Raises ChangedMeanwhile where somebody else was faster.
    """
    _take_turns(staff)
    before = device_of(staff)
    if (before.pk if before else 0) != instead_of:
        raise ChangedMeanwhile
    step = _step_of(secret, code)
    if step is None:
        _record(request, "enrol-refused", staff)
        return None
    TOTPDevice.objects.filter(user=staff).delete()
    if before is not None:
        sign_ins_end(request=request, staff=staff)
    else:
        StaffAccount.objects.filter(pk=staff.pk).update(recovery_codes_due=True)
    device = TOTPDevice.objects.create(
        user=staff, name="app", key=secret, confirmed=True, last_t=step
    )
    _record(request, "renewed" if before else "enrolled", staff)
    return device


def device_give(staff: StaffAccount, secret: str) -> TOTPDevice:
    """For commands that make an account together with its second factor. Call inside the transaction."""
    return TOTPDevice.objects.create(user=staff, name="given", key=secret, confirmed=True)


@transaction.atomic
def second_factor_remove(*, request: HttpRequest | None, staff: StaffAccount) -> bool:
    """Remove app and recovery codes, and end every sign-in, at once: the next one sets up an app anew. What
    was counted of wrong tries is forgotten. Returns whether there was anything to remove."""
    _take_turns(staff)
    there = TOTPDevice.objects.filter(user=staff).delete()[0]
    there += StaffRecoveryCode.objects.filter(staff=staff).delete()[0]
    StaffAccount.objects.filter(pk=staff.pk).update(recovery_codes_due=False)
    sign_ins_end(request=request, staff=staff)
    pauses_lift(staff)
    _record(request, "removed", staff)
    return bool(there)


def pauses_lift(staff: StaffAccount) -> None:
    """For who signed in by both steps, and for whom somebody else has vouched."""
    throttle.clear(throttle.STAFF_SIGN_IN, staff.email)
    throttle.clear(throttle.STAFF_CODE, str(staff.pk))
    throttle.clear(throttle.STAFF_RECOVERY, str(staff.pk))


# --- recovery codes -------------------------------------------------------------------


def new_recovery_codes() -> list[str]:
    """Codes to write down, such as "3-abcd-efgh-jkmn". Good for nothing until they are kept."""
    return [f"{number}-{_random_groups()}" for number in range(1, RECOVERY_CODES + 1)]


def _random_groups() -> str:
    letters = [secrets.choice(_LETTERS) for _place in range(_CODE_LETTERS)]
    return "-".join("".join(letters[at : at + 4]) for at in range(0, _CODE_LETTERS, 4))


def recovery_codes_keep(*, request: HttpRequest, staff: StaffAccount, codes: list[str]) -> None:
    """These, and none from before. Raises passwords.TooBusy, and nothing is changed."""
    rows = []
    for code in codes:
        number, letters = _parts_of(code)
        hashed = passwords.hashed(letters)
        rows.append(StaffRecoveryCode(staff=staff, number=number, code_hash=hashed))
    with transaction.atomic():
        _take_turns(staff)
        StaffRecoveryCode.objects.filter(staff=staff).delete()
        StaffRecoveryCode.objects.bulk_create(rows)
        StaffAccount.objects.filter(pk=staff.pk).update(recovery_codes_due=False)
        _record(request, "codes-made", staff)


def recovery_codes_left(staff: StaffAccount) -> int:
    return StaffRecoveryCode.objects.filter(staff=staff, used_at=None).count()


def recovery_code_use(*, request: HttpRequest, staff: StaffAccount, typed: str) -> bool:
    """Use up a recovery code. False for one that is wrong or was used. Raises passwords.TooBusy."""
    number, letters = _parts_of(typed)
    row = StaffRecoveryCode.objects.filter(staff=staff, number=number, used_at=None).first()
    right, _outdated = passwords.matches(letters, row.code_hash if row else "")
    with transaction.atomic():
        # Of two that post it at once, one has used it; and it may have been replaced meanwhile.
        used = (
            right
            and row is not None
            and (
                StaffRecoveryCode.objects.filter(
                    pk=row.pk, code_hash=row.code_hash, used_at=None
                ).update(used_at=timezone.now())
            )
        )
        _record(request, "recovery-code" if used else "recovery-refused", staff)
    return bool(used)


def _parts_of(typed: str) -> tuple[int, str]:
    """The number of a recovery code and its letters, however they are spaced; (0, "") for anything else."""
    plain = re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", typed[:100])).lower()
    found = re.fullmatch(rf"([0-9]{{1,2}})([a-z0-9]{{{_CODE_LETTERS}}})", plain)
    return (int(found[1]), found[2]) if found else (0, "")


# --- inside ---------------------------------------------------------------------------


def _take_turns(staff: StaffAccount) -> None:
    """Until the transaction ends, nobody else changes this person's second factor."""
    StaffAccount.objects.select_for_update(no_key=True).get(pk=staff.pk)


def _record(request: HttpRequest | None, outcome: str, staff: StaffAccount) -> None:
    # Before the second step nobody is signed in: it is about whom the password was of.
    half_way = request is not None and not request.user.is_authenticated
    audit.record(
        audit.Action.SECOND_FACTOR,
        outcome,
        request=request,
        staff_id=staff.pk if half_way else None,
        object_type="staffaccount",
        object_id=staff.pk,
    )
