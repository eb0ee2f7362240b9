"""The one function that writes the audit.

Call it inside the transaction of what it records: then both are there or neither is (R-AL-4), and an
action whose entry cannot be written does not happen.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.utils import timezone

if TYPE_CHECKING:
    from django.http import HttpRequest


class Action(StrEnum):
    """What the audit knows. Fixed words, so that a reader can count them (R-AL-1)."""

    SIGN_IN = "sign-in"
    SIGN_OUT = "sign-out"
    SESSION_END = "session-end"
    THROTTLE = "throttle"
    ALARM = "alarm"
    LINK_REQUEST = "link-request"
    LINK_MAIL = "link-mail"
    LINK_OPEN = "link-open"
    PASSWORD_SET = "password-set"
    PASSWORD_CHANGE = "password-change"
    PICK = "pick"
    SWITCH = "switch"
    STALE_PAGE = "stale-page"
    BINDING_END = "binding-end"
    VIEW = "view"
    SEND = "send"
    WITHDRAW = "withdraw"
    SHARE = "share"
    OPEN = "open"
    SCAN = "scan"
    DOWNLOAD = "download"
    EXPORT = "export"
    STAFF_SIGN_IN = "staff-sign-in"
    SECOND_FACTOR = "second-factor"
    STAFF_SIGN_OUT = "staff-sign-out"
    STAFF_VIEW = "staff-view"
    STAFF_CHANGE = "staff-change"
    STAFF_MAIL = "staff-mail"
    ROSTER_IMPORT = "roster-import"


# Written by hand: every page writes an entry, and building this statement anew cost a twentieth of it.
_INSERT = """
INSERT INTO audit_auditevent (at, action, outcome, staff_id, account_id, session_id, member_id,
                              object_type, object_id, client_address)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


def record(
    action: Action,
    outcome: str = "",
    *,
    request: HttpRequest | None = None,
    staff_id: int | None = None,
    account_id: int | None = None,
    session_id: int | None = None,
    member_id: int | None = None,
    object_type: str = "",
    object_id: Any = "",
) -> None:
    """Write one entry.

    `outcome` is a fixed word such as "ok", "no-match" or "paused", never something typed. What is not
    given is read from `request` where it stands there: the client's address, the household session
    (`request.household_session`), its account, the signed-in staff member, the open chart's member.
    Raises what the database raises; callers let it through, so that the action fails with its entry.
    """
    client_address = None
    if request is not None:
        client_address = getattr(request, "client_address", None)
        session = getattr(request, "household_session", None)
        if session is not None:
            session_id = session_id or session.pk
            account_id = account_id or session.account_id
        binding = getattr(request, "binding", None)
        if binding is not None:
            member_id = member_id or binding.member_id
        if staff_id is None and request.path.startswith("/admin/"):
            staff_id = request.user.pk
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT,
            [
                connection.ops.adapt_datetimefield_value(timezone.now()),
                str(action),
                outcome,
                staff_id,
                account_id,
                session_id,
                member_id,
                object_type,
                str(object_id),
                client_address,
            ],
        )
