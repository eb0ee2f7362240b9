"""Writes that concern an account, each with its audit entry in one transaction."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from accounts import audit, practice_file, sessions, throttle
from accounts.links import send_password_notice
from accounts.models import HouseholdAccount, HouseholdSession, PasswordLink
from accounts.requests import PortalRequest, SignedInRequest


def ensure_accounts(email_keys: Iterable[str]) -> int:
    """Make the missing household accounts of these email keys, without a password; "" is passed over.

    Returns how many were asked for. Asking again changes nothing.
    """
    wanted = {key for key in email_keys if key}
    HouseholdAccount.objects.bulk_create(
        (HouseholdAccount(email_key=key) for key in sorted(wanted)),
        ignore_conflicts=True,
        batch_size=500,
    )
    return len(wanted)


def login_end_if_empty(*, request: HttpRequest | None, email_key: str) -> int:
    """The practice took somebody off this login. When it opens nobody any more, its sessions and its mailed
    links end (SECURITY R-WP-12, R-AU-9). Returns how many sessions ended. Call inside the transaction."""
    if practice_file.ask().is_on_file(email_key):
        return 0
    PasswordLink.objects.filter(account__email_key=email_key, used_at=None, ended_at=None).update(
        ended_at=timezone.now()
    )
    of_login = HouseholdSession.objects.filter(account__email_key=email_key)
    return sessions.end(of_login, HouseholdSession.End.STAFF, request=request)


def password_of(account: HouseholdAccount | None) -> str:
    """The hash that a sign-in is compared with; "" where nobody may sign in."""
    return account.password if account is not None and account.is_active else ""


@transaction.atomic
def password_set(*, request: PortalRequest, link: PasswordLink, hashed: str) -> bool:
    """Use `link` to give its account the password with this hash. Ends every other link and every open
    session of the account, and any pause of its sign-in; a notice is mailed (R-AU-9, R-AU-10).

    Returns False, with nothing changed, when the link was used or ended in the meantime.
    """
    now = timezone.now()
    # Two links used at the same moment take turns.
    HouseholdAccount.objects.select_for_update().get(pk=link.account_id)
    used = PasswordLink.objects.filter(pk=link.pk).open().update(used_at=now)
    if not used:
        return False
    PasswordLink.objects.filter(account=link.account, used_at=None, ended_at=None).update(
        ended_at=now
    )
    HouseholdAccount.objects.filter(pk=link.account_id).update(password=hashed, password_set_at=now)
    account_sessions = Q(account=link.account)
    if request.household_session is not None:
        # Whoever is signed in here opened a mailed link: no page may mix two households (RS-12).
        account_sessions |= Q(pk=request.household_session.pk)
    sessions.end(
        HouseholdSession.objects.filter(account_sessions),
        HouseholdSession.End.PASSWORD,
        request=request,
    )
    throttle.clear(throttle.SIGN_IN, link.account.email_key)
    audit.record(audit.Action.PASSWORD_SET, "ok", request=request, account_id=link.account_id)
    send_password_notice.enqueue(link.account_id)
    return True


@transaction.atomic
def password_change(*, request: SignedInRequest, hashed: str) -> bool:
    """Give the signed-in account a new password. This session stays, every other ends, and so does
    every mailed link.

    Returns False, with nothing changed, when the password that was compared is not the account's any
    more: whoever knows an old one must not take the login back.
    """
    session = request.household_session
    now = timezone.now()
    as_checked = HouseholdAccount.objects.filter(
        pk=session.account_id, password=session.account.password
    )
    if not as_checked.update(password=hashed, password_set_at=now):
        return False
    PasswordLink.objects.filter(account=session.account, used_at=None, ended_at=None).update(
        ended_at=now
    )
    sessions.end(
        session.account.sessions.exclude(pk=session.pk),
        HouseholdSession.End.PASSWORD,
        request=request,
    )
    audit.record(audit.Action.PASSWORD_CHANGE, "ok", request=request)
    send_password_notice.enqueue(session.account_id)
    return True
