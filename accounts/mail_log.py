"""What becomes of the mails to households: queued, sent, failed with the mail server's words.

"Sent" is what we can know: the mail server took it. What it did with it afterwards nobody tells us.
"""

from __future__ import annotations

import re
import smtplib
from datetime import datetime

from django.utils import timezone

from accounts.models import HouseholdAccount, Mail, PasswordLink

LONGEST_WORDS = 300
# Also inside brackets and quotes, as servers write addresses.
_ADDRESS = re.compile(r"[^\s<>\"'(),:;]+@[^\s<>\"'(),:;]+")


def note_queued(
    account: HouseholdAccount,
    kind: Mail.Kind,
    *,
    at: datetime | None = None,
    by_staff: bool = False,
) -> Mail:
    """A mail to this household is asked for, now or at `at`."""
    return Mail.objects.create(
        account=account, kind=kind, by_staff=by_staff, queued_at=at or timezone.now()
    )


def note_sent(mail: Mail, link: PasswordLink | None = None) -> None:
    """The mail server took it; `link` is the one that stood in it."""
    _note(mail, sent_at=timezone.now(), next_try_at=None, server_words="", link=link)


def note_failed(mail: Mail, error: OSError, *, next_try_at: datetime | None) -> None:
    """The mail server did not take it. Without `next_try_at` nobody tries again."""
    _note(mail, failed_at=timezone.now(), next_try_at=next_try_at, server_words=words_of(error))


def note_not_sent(mail: Mail) -> None:
    """It may not be sent any more: the login was closed, or opens nobody."""
    Mail.objects.filter(pk=mail.pk).update(failed_at=timezone.now(), next_try_at=None)


def _note(mail: Mail, **columns: object) -> None:
    Mail.objects.filter(pk=mail.pk).update(tries=mail.tries + 1, **columns)


def words_of(error: OSError) -> str:
    """What the mail server, or the way to it, said: one line without addresses, at most LONGEST_WORDS long.

    >>> words_of(smtplib.SMTPRecipientsRefused({"a@b.example": (550, b"5.1.1 <a@b.example> unknown")}))
    '550 5.1.1 <…> unknown'
    """
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, reply = next(iter(error.recipients.values()), (0, b""))
        words = _reply(code, reply)
    elif isinstance(error, smtplib.SMTPResponseException):
        words = _reply(error.smtp_code, error.smtp_error)
    else:
        words = error.strerror or str(error) or type(error).__name__
    words = _ADDRESS.sub("…", " ".join(words.split()))
    return "".join(one for one in words if one.isprintable())[:LONGEST_WORDS]


def _reply(code: int, reply: bytes | str) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return f"{code} {text}"
