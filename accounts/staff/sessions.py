"""Which sign-ins of staff are open, in which browsers, and how they are ended (SECURITY R-SE-3, R-SE-6).

The sessions are Django's, one row each, and Django reads them. What is kept here is a list of them for
people: a row that knows the key of Django's, by which it can be ended.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts import audit
from accounts.models import StaffAccount, StaffSession, longest_idle
from accounts.sessions import browser_name


def begin(request: Any, staff: StaffAccount) -> None:
    """This browser was signed in just now."""
    StaffSession.objects.create(
        staff=staff,
        session_key=request.session.session_key,
        client_address=request.client_address,
        browser=browser_name(request.headers.get("User-Agent", "")),
    )


def seen(request: HttpRequest) -> None:
    own(request).update(last_seen_at=timezone.now())


def own(request: HttpRequest) -> QuerySet[StaffSession]:
    """The row of this browser, if it is open."""
    return StaffSession.objects.filter(
        session_key=request.session.session_key or "-", ended_at=None
    )


def end_own(request: HttpRequest) -> None:
    own(request).update(ended_at=timezone.now(), session_key="")


def goes_on(request: Any, staff: StaffAccount) -> None:
    """All others were ended, by a new password or a new app. This one has a new key."""
    _close(StaffSession.objects.filter(staff=staff))
    begin(request, staff)


def open_sessions(staff: StaffAccount) -> QuerySet[StaffSession]:
    now = timezone.now()
    return StaffSession.objects.filter(
        staff=staff,
        ended_at=None,
        last_seen_at__gt=now - longest_idle(),
        signed_in_at__gt=now - timedelta(seconds=settings.STAFF_ABSOLUTE_SECONDS),
    )


@transaction.atomic
def session_end(*, request: HttpRequest, staff: StaffAccount, pk: int) -> bool:
    """End one sign-in, at once. Returns False where it was over already, or is not this person's."""
    chosen = open_sessions(staff).filter(pk=pk).select_for_update().first()
    if chosen is None:
        return False
    _close(StaffSession.objects.filter(pk=chosen.pk))
    audit.record(
        audit.Action.SESSION_END,
        "staff-one",
        request=request,
        object_type="staffaccount",
        object_id=staff.pk,
    )
    return True


@transaction.atomic
def sign_ins_end(*, request: HttpRequest | None, staff: StaffAccount) -> None:
    """End every sign-in of this person, also one that is half done: none of them opens anything from the
    next request on, also none that begins at this very moment by what was checked before."""
    audit.record(
        audit.Action.SESSION_END,
        "staff-everywhere",
        request=request,
        object_type="staffaccount",
        object_id=staff.pk,
    )
    StaffAccount.objects.filter(pk=staff.pk).update(sign_ins_ended=F("sign_ins_ended") + 1)
    staff.refresh_from_db(fields=["sign_ins_ended"])
    _close(StaffSession.objects.filter(staff=staff))


def _close(rows: QuerySet[StaffSession]) -> None:
    still_open = rows.filter(ended_at=None)
    keys = [*still_open.values_list("session_key", flat=True)]
    still_open.update(ended_at=timezone.now(), session_key="")
    Session.objects.filter(session_key__in=keys).delete()
