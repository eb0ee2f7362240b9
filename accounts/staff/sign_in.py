"""The two steps of the staff's sign-in, and the one place that signs staff in (SECURITY R-AU-14).

A right password signs nobody in. It leaves a mark in a session of nobody's: whose password it was, for some
minutes. Every page of admin takes a visitor with that mark for what they are, a stranger. Only a code, or a
recovery code, leads from the mark to a session of that person's.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import login, update_session_auth_hash
from django.db import transaction
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts import audit
from accounts.models import StaffAccount
from accounts.staff import second_factor, sessions

_MARK = "half_signed_in"
_RENEWAL = "renewal"
# To take the phone out; to find an app for it first, or paper for the recovery codes.
CODE_SECONDS = 5 * 60
SET_UP_SECONDS = 20 * 60


@dataclass(frozen=True)
class HalfWay:
    """Somebody whose password was right a moment ago. `device` is their app, None before there is one;
    `passed` says that its code was right too. `secret` is what an app is set up with, `codes` the recovery
    codes that they are shown; each of them one and the same however often the page is opened."""

    staff: StaffAccount
    device: TOTPDevice | None
    leads_to: str
    passed: bool
    secret: str
    codes: list[str]


def begin(request: HttpRequest, staff: StaffAccount, leads_to: str) -> HalfWay:
    """The password was right. Whoever was signed in in this browser is not any more."""
    device = second_factor.device_of(staff)
    sessions.end_own(request)
    request.session.flush()
    _mark(
        request,
        staff=staff.pk,
        checked=staff.get_session_auth_hash(),
        device=device.pk if device else 0,
        secret="" if device else second_factor.new_secret(),
        codes=[],
        passed=False,
        leads_to=leads_to,
        until=time.time() + (CODE_SECONDS if device else SET_UP_SECONDS),
    )
    audit.record(
        audit.Action.SECOND_FACTOR,
        "asked" if device else "set-up-asked",
        request=request,
        staff_id=staff.pk,
        object_type="staffaccount",
        object_id=staff.pk,
    )
    found = half_way(request)
    assert found is not None
    return found


def half_way(request: HttpRequest) -> HalfWay | None:
    """Who is between the two steps in this browser. None, and the mark is gone, when it took too long, and
    when the password, the app or the account is not any more what it was at the first step."""
    mark = request.session.get(_MARK)
    if mark is None:
        return None
    staff = StaffAccount.objects.filter(pk=mark["staff"], is_active=True).first()
    device = second_factor.device_of(staff) if staff else None
    if (
        staff is None
        or time.time() > mark["until"]
        or not constant_time_compare(mark["checked"], staff.get_session_auth_hash())
        or mark["device"] != (device.pk if device else 0)
    ):
        request.session.flush()
        return None
    return HalfWay(
        staff, device, mark["leads_to"], mark["passed"], secret=mark["secret"], codes=mark["codes"]
    )


def is_begun(request: HttpRequest) -> bool:
    """Whether there is a mark, good or not any more."""
    return _MARK in request.session


def show_recovery_codes(request: HttpRequest, device: TOTPDevice) -> None:
    """The second step is done but for one thing: that they keep their recovery codes."""
    _mark(
        request,
        device=device.pk,
        secret="",
        codes=second_factor.new_recovery_codes(),
        passed=True,
        until=time.time() + SET_UP_SECONDS,
    )


def finish(request: HttpRequest, half: HalfWay) -> None:
    """Sign in, with a session that has nothing of what was before. What was counted of wrong passwords and
    codes ends here, and nowhere earlier: who has the password alone gets no more tries at anything.

    Where password, app or account changed since `half` was read, the new session is over as it begins."""
    with transaction.atomic():
        second_factor.pauses_lift(half.staff)
        audit.record(audit.Action.STAFF_SIGN_IN, "ok", request=request, staff_id=half.staff.pk)
    request.session.flush()
    login(request, half.staff)
    sessions.begin(request, half.staff)


def _mark(request: HttpRequest, **facts: Any) -> None:
    request.session[_MARK] = {**request.session.get(_MARK, {}), **facts}


# --- somebody who is signed in and changes their second factor ------------------------


@dataclass(frozen=True)
class Renewal:
    """What somebody is shown who has just given their password and a code: the secret of a new app, or new
    recovery codes."""

    secret: str
    codes: list[str]


def renewal_begin(request: HttpRequest, *, app: bool) -> None:
    request.session[_RENEWAL] = {
        "secret": second_factor.new_secret() if app else "",
        "codes": [] if app else second_factor.new_recovery_codes(),
        "until": time.time() + SET_UP_SECONDS,
    }


def renewal(request: HttpRequest) -> Renewal | None:
    kept = request.session.get(_RENEWAL)
    if kept is None or time.time() > kept["until"]:
        return None
    return Renewal(kept["secret"], kept["codes"])


def renewal_end(request: HttpRequest) -> None:
    request.session.pop(_RENEWAL, None)


def stay(request: HttpRequest, staff: StaffAccount) -> None:
    """All sign-ins of this person were ended, but for this one, which goes on under a new id."""
    update_session_auth_hash(request, staff)
    sessions.goes_on(request, staff)
