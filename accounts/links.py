"""Mailed links that let a family choose its password, and the mails around them.

A request only puts the typed address into the queue, whatever it is: same answer, same time (R-AU-8).
The background worker looks the address up, makes the link and sends it. The token exists in the worker's
memory and in the mail; the database has its hash, the queue and the logs have nothing of it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import datetime, timedelta
from email.utils import formataddr

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django_tasks import TaskContext, task
from django_tasks.base import Task

from accounts import audit, mail_log, practice_file
from accounts.emails import email_mark
from accounts.models import HouseholdAccount, Mail, PasswordLink

TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)  # 32 random bytes, base64 for addresses

# Minutes to wait before each new try while the mail server is down; after the last one staff send anew.
RETRY_AFTER_MINUTES = (1, 2, 5, 10, 30, 60, 120, 240, 480)


def send_for_staff(account: HouseholdAccount) -> Mail:
    """The practice wants this household to get a link. Call inside the transaction that says so."""
    mail = mail_log.note_queued(account, Mail.Kind.LINK, by_staff=True)
    send_password_link.enqueue(account.email_key, mail_id=mail.pk)
    return mail


@task(takes_context=True)
def send_password_link(
    context: TaskContext, email_key: str, tries: int = 0, mail_id: int = 0
) -> str:
    """Mail a link to `email_key` if the practice has it on file. Returns what became of it, in a word.

    The mail goes to the stored address only (CVE-2019-19844). A failing mail server leaves no link
    behind; the task puts itself into the queue again for later. `mail_id` is the entry of the mail log, 0
    where there is none yet: a family's request makes one here, and only for an address on file.
    """
    mail = Mail.objects.filter(pk=mail_id).first()
    if not practice_file.ask().is_on_file(email_key):
        audit.record(
            audit.Action.LINK_MAIL,
            "not-on-file",
            account_id=mail.account_id if mail else None,
            object_type="email",
            object_id=email_mark(email_key),
        )
        return _not_sent(mail, "not-on-file")
    account, _made = HouseholdAccount.objects.get_or_create(email_key=email_key)
    if not account.is_active:
        audit.record(audit.Action.LINK_MAIL, "closed", account_id=account.pk)
        return _not_sent(mail, "closed")
    mail = mail or mail_log.note_queued(account, Mail.Kind.LINK, at=_asked_at(context))
    token = secrets.token_urlsafe(32)
    # No transaction around the sending: a mail server that hangs would hold SQLite's one write lock, and
    # the mail could be there before its link. Until it is sent, nobody knows the token.
    link = PasswordLink.objects.create(
        account=account,
        token_hash=token_hash(token),
        expires_at=timezone.now() + timedelta(seconds=settings.LINK_SECONDS),
    )
    try:
        _send(
            "password_link",
            account,
            {
                "link": settings.PORTAL_URL + reverse("password_open", args=[token]),
                "hours": max(1, settings.LINK_SECONDS // 3600),
                "has_password": account.has_password,
            },
        )
    except OSError as error:  # smtplib's errors are OSErrors too
        link.delete()
        return _try_again(send_password_link, email_key, tries, mail, error)
    mail_log.note_sent(mail, link)
    audit.record(audit.Action.LINK_MAIL, "sent", account_id=account.pk)
    return "sent"


@task(takes_context=True)
def send_password_notice(
    context: TaskContext, account_id: int, tries: int = 0, mail_id: int = 0
) -> str:
    """Mail the account that its password was set or changed. Returns what became of it, in a word."""
    account = HouseholdAccount.objects.filter(pk=account_id).first()
    if account is None:
        return "gone"
    mail = Mail.objects.filter(pk=mail_id).first()
    mail = mail or mail_log.note_queued(account, Mail.Kind.NOTICE, at=_asked_at(context))
    try:
        _send("password_set", account, {"portal_url": settings.PORTAL_URL})
    except OSError as error:
        return _try_again(send_password_notice, account_id, tries, mail, error)
    mail_log.note_sent(mail)
    return "sent"


def _asked_at(context: TaskContext) -> datetime | None:
    return context.task_result.enqueued_at


def _not_sent(mail: Mail | None, why: str) -> str:
    if mail is not None:
        mail_log.note_not_sent(mail)
    return why


def _try_again(again: Task, argument: str | int, tries: int, mail: Mail, error: OSError) -> str:
    if tries >= len(RETRY_AFTER_MINUTES):
        mail_log.note_failed(mail, error, next_try_at=None)
        audit.record(audit.Action.LINK_MAIL, "gave-up", account_id=mail.account_id)
        return "gave-up"
    later = timezone.now() + timedelta(minutes=RETRY_AFTER_MINUTES[tries])
    mail_log.note_failed(mail, error, next_try_at=later)
    audit.record(audit.Action.LINK_MAIL, "mail-server-failed", account_id=mail.account_id)
    again.using(run_after=later).enqueue(argument, tries + 1, mail_id=mail.pk)
    return "later"


def _send(mail: str, account: HouseholdAccount, context: dict[str, object]) -> None:
    practice = practice_file.ask().mail_facts()
    context = {**context, "practice": practice}
    message = EmailMultiAlternatives(
        subject=render_to_string(f"accounts/mail/{mail}_subject.txt", context).strip(),
        body=render_to_string(f"accounts/mail/{mail}.txt", context),
        from_email=formataddr((practice["name"].replace("\n", " "), practice["sender"])),
        to=[account.email_key],
        headers={"Auto-Submitted": "auto-generated"},
    )
    message.attach_alternative(render_to_string(f"accounts/mail/{mail}.html", context), "text/html")
    message.send()


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode("ascii")).hexdigest()


def find(token: str) -> PasswordLink | None:
    """The link of this token, with its account, whatever has become of it."""
    if not TOKEN.fullmatch(token):
        return None
    of_token = PasswordLink.objects.filter(token_hash=token_hash(token))
    return of_token.select_related("account").first()


def why_over(link: PasswordLink | None) -> str:
    """Why a link cannot be used, in a fixed word; "" when it can: not used, not ended, not expired, its
    account open, and somebody on file under its email."""
    if link is None:
        return "over"
    if link.state != PasswordLink.State.OPEN:
        return link.state.value
    if not link.account.is_active:
        return "closed"
    return "" if practice_file.ask().is_on_file(link.account.email_key) else "nobody-on-file"
