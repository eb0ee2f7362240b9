"""Signing in, from attempt to verdict: counted first, then hashed, then told apart from the throttle.

Flow without pages, so that it can be read and tested as what it is. Same work for every address: the
counters, one look-up, one hash (SECURITY AU-01 to AU-03).
"""

from __future__ import annotations

from dataclasses import dataclass

from accounts import actions, audit, passwords, practice_file, throttle
from accounts.compiled import Compiled
from accounts.emails import email_key, email_mark
from accounts.models import HouseholdAccount
from accounts.requests import PortalRequest
from accounts.sessions import address_group


@dataclass(frozen=True)
class Refused:
    """The email and password do not open a household; nothing says why."""


@dataclass(frozen=True)
class Paused:
    """Too many attempts. `seconds` until the next one is let through."""

    seconds: int


_account_of = Compiled(lambda email_key: HouseholdAccount.objects.filter(email_key=email_key), str)


def household_sign_in(
    request: PortalRequest, typed_email: str, password: str
) -> HouseholdAccount | Refused | Paused:
    """Check one attempt. Returns the account that is to be signed in, or why not. It stays counted until
    `forget_attempts`.

    Raises passwords.TooBusy when more sign-ins run at once than this process hashes.
    """
    key = email_key(typed_email)
    account = next(iter(_account_of(key)), None)
    counters = (
        (throttle.SIGN_IN_ADDRESS, address_group(request)),
        (throttle.SIGN_IN, key),
    )
    seconds = throttle.admit(*counters)
    if seconds:
        is_emails = throttle.pause_of(throttle.SIGN_IN, key)
        _record(
            request,
            audit.Action.THROTTLE,
            "sign-in" if is_emails else "sign-in-address",
            key,
            account,
        )
        return Paused(seconds)
    try:
        right, outdated = passwords.matches(password, actions.password_of(account))
    except passwords.TooBusy:
        throttle.take_back(*counters)
        raise
    on_file = practice_file.ask().is_on_file(key)
    if account is None or not right or not on_file:
        cause = _cause(account, right=right, on_file=on_file)
        _record(request, audit.Action.SIGN_IN, cause, key, account)
        throttle.failure_everywhere()
        return Refused()
    if outdated:
        # Only over the hash that was compared: the family may be choosing another password just now.
        as_checked = HouseholdAccount.objects.filter(pk=account.pk, password=account.password)
        account.password = passwords.hashed(password)
        as_checked.update(password=account.password)
    return account


def forget_attempts(request: PortalRequest, account: HouseholdAccount) -> None:
    """`account` was signed in: its count ends, and the address has one attempt less. Call it inside the
    transaction that signs in, so that both are written at once."""
    # In the order in which they were counted: two that sign in at once must not wait for each other.
    throttle.forgive(throttle.SIGN_IN_ADDRESS, address_group(request))
    throttle.clear(throttle.SIGN_IN, account.email_key)


def _record(
    request: PortalRequest,
    action: audit.Action,
    outcome: str,
    key: str,
    account: HouseholdAccount | None,
) -> None:
    """With a mark of the address, so that the practice can answer a family whose email nobody has on file."""
    audit.record(
        action,
        outcome,
        request=request,
        account_id=account.pk if account else None,
        object_type="email",
        object_id=email_mark(key),
    )


def _cause(account: HouseholdAccount | None, *, right: bool, on_file: bool) -> str:
    """For staff who are asked "why can't I get in?"; never for the page."""
    if account is None:
        return "unknown-email"
    if not account.is_active:
        return "closed"
    if not account.has_password:
        return "never-set-up"
    return "wrong-password" if on_file and not right else "nobody-on-file"
