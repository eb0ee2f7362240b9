"""The one function that writes the audit.

Call it inside the transaction of what it records: then both are there or neither is (R-AL-4), and an
action whose entry cannot be written does not happen.
"""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.utils import timezone

from accounts.audit import anchor, chain, keys
from accounts.audit.words import check

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
    SWEEP = "sweep"
    STAFF_SIGN_IN = "staff-sign-in"
    SECOND_FACTOR = "second-factor"
    STAFF_SIGN_OUT = "staff-sign-out"
    STAFF_VIEW = "staff-view"
    STAFF_CHANGE = "staff-change"
    ANCHOR = "audit-anchor"
    STAFF_MAIL = "staff-mail"
    ROSTER_IMPORT = "roster-import"


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
    Raises NotAWord for a word that words.py does not know, and what the database raises; callers let both
    through, so that the action fails with its entry.
    """
    check(action, outcome, object_type, str(object_id))
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
    now = timezone.now()
    words = [str(action), str(outcome), object_type, str(object_id)]
    ids = [
        None if number is None else int(number)
        for number in (staff_id, account_id, session_id, member_id)
    ]
    address = client_address or None
    key = keys.writing()
    secret = chain.secret(
        key,
        now.isoformat(timespec="microseconds")[:26],
        [*words, chain.plain_address(address)],
        ids,
    )
    anchored = anchor.before()
    head = chain.append(
        connection,
        [
            connection.ops.adapt_datetimefield_value(now),
            *words[:2],
            *ids,
            *words[2:],
            address,
        ],
        key,
        secret,
    )
    anchor.compare(anchored, head)
    transaction.on_commit(partial(anchor.move_up, head))
