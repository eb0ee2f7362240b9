"""Mailed links that let a family choose its password, and the mails around them.

A request only puts the typed address into the queue, whatever it is: same answer, same time (R-AU-8).
The background worker looks the address up, makes the link and sends it. The token exists in the worker's
memory and in the mail; the database has its hash, the queue and the logs have nothing of it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import timedelta
from email.utils import formataddr

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django_tasks import task
from django_tasks.base import Task

from accounts import audit, practice_file
from accounts.models import HouseholdAccount, PasswordLink

TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)  # 32 random bytes, base64 for addresses

# Minutes to wait before each new try while the mail server is down; after the last one staff send anew.
RETRY_AFTER_MINUTES = (1, 2, 5, 10, 30, 60, 120, 240, 480)


@task()
def send_password_link(email_key: str, tries: int = 0) -> str:
    """Mail a link to `email_key` if the practice has it on file. Returns what became of it, in a word.

    The mail goes to the stored address only (CVE-2019-19844). A failing mail server leaves no link
    behind; the task puts itself into the queue again for later.
    """
    if not practice_file.ask().is_on_file(email_key):
        audit.record(audit.Action.LINK_MAIL, "not-on-file")
        return "not-on-file"
    account, _made = HouseholdAccount.objects.get_or_create(email_key=email_key)
    if not account.is_active:
        audit.record(audit.Action.LINK_MAIL, "closed", account_id=account.pk)
        return "closed"
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
    except OSError:  # smtplib's errors are OSErrors too
        link.delete()
        return _try_again(send_password_link, email_key, tries, account)
    audit.record(audit.Action.LINK_MAIL, "sent", account_id=account.pk)
    return "sent"


@task()
def send_password_notice(account_id: int, tries: int = 0) -> str:
    """Mail the account that its password was set or changed. Returns what became of it, in a word."""
    account = HouseholdAccount.objects.filter(pk=account_id).first()
    if account is None:
        return "gone"
    try:
        _send("password_set", account, {"portal_url": settings.PORTAL_URL})
    except OSError:
        return _try_again(send_password_notice, account_id, tries, account)
    return "sent"


def _try_again(again: Task, argument: str | int, tries: int, account: HouseholdAccount) -> str:
    if tries >= len(RETRY_AFTER_MINUTES):
        audit.record(audit.Action.LINK_MAIL, "gave-up", account_id=account.pk)
        return "gave-up"
    audit.record(audit.Action.LINK_MAIL, "mail-server-failed", account_id=account.pk)
    wait = timedelta(minutes=RETRY_AFTER_MINUTES[tries])
    again.using(run_after=timezone.now() + wait).enqueue(argument, tries + 1)
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


def find_open(token: str) -> PasswordLink | None:
    """The link of this token if it can still be used: not used, not ended, not expired, its account
    open, and somebody on file under its email."""
    if not TOKEN.fullmatch(token):
        return None
    link = (
        PasswordLink.objects.filter(token_hash=token_hash(token))
        .open()
        .select_related("account")
        .first()
    )
    if link is None or not practice_file.ask().is_on_file(link.account.email_key):
        return None
    return link
