"""What happened with a login, as the audit has it, in the family's words.

Whoever shares the login reads it, so it says that a chart was opened and never whose: the people of the
household are nowhere listed before they were chosen by name and birth date.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.audit.models import AuditEvent
from accounts.emails import email_mark
from accounts.models import HouseholdAccount

ENTRIES = 30
MOST_PAGES = 20

_ENDED_BY_PORTAL = _("Signed out by the portal")
_WRONG_PERSON = _("No chart was opened: the name or the birth date did not fit")
_WORDS = {
    ("sign-in", "ok"): _("Signed in"),
    ("sign-in", "wrong-password"): _("Sign-in failed: wrong password"),
    ("sign-in", "never-set-up"): _("Sign-in failed: no password was chosen yet"),
    ("sign-in", "closed"): _("Sign-in failed: the practice had closed this login"),
    ("sign-in", "nobody-on-file"): _("Sign-in failed: this login opens nobody"),
    ("sign-in", "password-changed"): _("Sign-in failed: the password had just been changed"),
    ("sign-out", "signed-out"): _("Signed out"),
    ("session-end", "idle"): _ENDED_BY_PORTAL,
    ("session-end", "too-old"): _ENDED_BY_PORTAL,
    ("session-end", "new-sign-in"): _("Signed out by signing in again"),
    ("session-end", "password"): _("Signed out because the password was changed"),
    ("session-end", "family"): _("Signed out from another browser"),
    ("session-end", "staff"): _("Signed out by the practice"),
    ("session-end", "paused"): _("Signed out: the practice closed this login"),
    ("throttle", "sign-in"): _("Sign-in failed: too many wrong passwords"),
    ("throttle", "sign-in-address"): _("Sign-in failed: too many wrong tries from one network"),
    ("throttle", "pick"): _("No chart was opened: too many wrong names or birth dates"),
    ("throttle", "password-change"): _("Password not changed: too many wrong tries"),
    ("link-request", "asked"): _("A link to choose a password was asked for"),
    ("link-request", "too-many"): _("A link to choose a password was asked for too often"),
    ("link-mail", "sent"): _("A link to choose a password was mailed"),
    ("link-open", "ok"): _("A mailed link was opened"),
    ("link-open", "used"): _("A link that was used before was opened"),
    ("link-open", "ended"): _("A link that was replaced was opened"),
    ("link-open", "expired"): _("A link that was too old was opened"),
    ("password-set", "ok"): _("A password was chosen with a mailed link"),
    ("password-change", "ok"): _("The password was changed"),
    ("password-change", "wrong-password"): _("Password not changed: the current one was wrong"),
    ("pick", "ok"): _("A chart was opened"),
    ("pick", "name"): _WRONG_PERSON,
    ("pick", "date"): _WRONG_PERSON,
    ("pick", "no-match"): _WRONG_PERSON,
    ("pick", "age-rule"): _WRONG_PERSON,
    ("pick", "no-access"): _WRONG_PERSON,
    ("pick", "ambiguous"): _WRONG_PERSON,
    ("staff-change", "link-sent"): _("The practice asked for a link to be mailed to you"),
    ("staff-change", "pause-lifted"): _("The practice let you try again"),
    ("staff-change", "login-closed"): _("The practice closed this login"),
    ("staff-change", "login-opened"): _("The practice opened this login"),
}
_ACTIONS = sorted({action for action, _outcome in _WORDS} - {"link-request"})


@dataclass(frozen=True)
class Line:
    """`address` and `session_id` are of the browser that did it, where one did."""

    at: datetime.datetime
    words: str
    address: str
    session_id: int | None


@dataclass(frozen=True)
class Activity:
    lines: list[Line]
    there_is_more: bool


def activity_of(account: HouseholdAccount, page: int = 1) -> Activity:
    """The latest first; `page` counts from 1 to MOST_PAGES. Two queries: who asks for a link is nobody yet,
    so that stands in the audit under the mark of the address only."""
    wanted = page * ENTRIES + 1
    said = Q()
    for action in _ACTIONS:
        outcomes = [outcome for one, outcome in _WORDS if one == action]
        said |= Q(action=action, outcome__in=outcomes)
    of_login = AuditEvent.objects.filter(said, account_id=account.pk)
    of_email = AuditEvent.objects.filter(
        action="link-request", object_type="email", object_id=email_mark(account.email_key)
    )
    found = [*of_login.order_by("-pk")[:wanted], *of_email.order_by("-pk")[:wanted]]
    found.sort(key=lambda event: event.pk, reverse=True)
    start = wanted - 1 - ENTRIES
    lines = [_line(event) for event in found[start : start + ENTRIES]]
    return Activity(lines, there_is_more=len(found) >= wanted and page < MOST_PAGES)


def _line(event: AuditEvent) -> Line:
    is_staffs = event.staff_id is not None
    return Line(
        at=event.at,
        words=str(_WORDS[event.action, event.outcome]),
        address="" if is_staffs else event.client_address or "",
        session_id=None if is_staffs else event.session_id,
    )
