"""Mail to staff that something came in: how much, how much of it is urgent, and nothing else (PRODUCT H9).

The background worker looks once a minute, as long as anybody wants mail. It looks at what is in the database
instead of being told of each thing that is sent: so nothing is lost when the worker is down, and sending
something costs a family nothing.

What a mail is about is noted before it is sent, and the note is taken back when the mail server does not take
it: a worker that is killed in between has one mail too few, never a second digest.
"""

from __future__ import annotations

import datetime
import zoneinfo
from datetime import timedelta
from email.utils import formataddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import Max, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django_tasks import task
from django_tasks_db.models import DBTaskResult

from accounts import audit
from accounts.links import RETRY_AFTER_MINUTES
from accounts.models import StaffAccount
from households.desk.models import StaffMailSubscription
from households.models import Practice
from households.submissions.inbox import (
    MOST_IN_HEADER,
    Waiting,
    inbox_of,
    waiting_for,
)
from households.submissions.models import InboxPlace
from households.submissions.sight import kinds_seen_by

Mode = StaffMailSubscription.Mode
LOOK_EVERY = timedelta(minutes=1)
# So many things in a row are one mail, not as many.
AT_MOST_EVERY = timedelta(minutes=5)
# Somebody who sends may be a moment behind another who got the higher number.
_SETTLED = timedelta(seconds=30)


def sees_inbox(staff: StaffAccount) -> bool:
    """Whether a mail about the inbox is any of their business, now."""
    return staff.is_active and staff.is_staff and bool(kinds_seen_by(staff))


def mode_set(*, request: HttpRequest, staff: StaffAccount, mode: str) -> bool:
    """Let one of the staff have mail within minutes, once a day, or ("") none. What waits already is not told
    of within minutes. Returns whether it was otherwise before."""
    with transaction.atomic():
        kept = StaffMailSubscription.objects.select_for_update().filter(staff=staff).first()
        if (kept.mode if kept else "") == mode:
            return False
        if not mode:
            StaffMailSubscription.objects.filter(staff=staff).delete()
        else:
            practice = Practice.load()
            now = _practice_now(practice)
            past_the_hour = now.hour >= practice.digest_hour
            StaffMailSubscription.objects.update_or_create(
                staff=staff,
                defaults={
                    "mode": mode,
                    "told_up_to": _newest(staff, timezone.now()),
                    "digest_of": now.date() if past_the_hour else None,
                    "tries": 0,
                    "try_after": None,
                },
            )
            keep_looking()
        audit.record(
            audit.Action.STAFF_CHANGE,
            f"mail-{mode or 'off'}",
            request=request,
            object_type="staffaccount",
            object_id=staff.pk,
        )
    return True


# --- the worker, once a minute --------------------------------------------------------


def keep_looking() -> None:
    """Have the worker look, if anybody wants mail and it does not do so already. The portal calls it when it
    starts, too: what fell out of the queue, whatever the reason, is put back."""
    if not StaffMailSubscription.objects.exists():
        return
    if not _tasks().filter(status="READY").exists():
        look.using(run_after=timezone.now() + LOOK_EVERY).enqueue()


@task()
def look() -> str:
    """See who has to be told of something, and mail it. Returns how many mails went out, as a word."""
    # First of all, so that nothing that goes wrong below ends it. Of what was done the newest is enough.
    keep_looking()
    _tasks().filter(status="SUCCESSFUL", finished_at__lt=timezone.now() - LOOK_EVERY).delete()
    practice = Practice.load()
    sent = 0
    for subscription in StaffMailSubscription.objects.select_related("staff").order_by("pk"):
        if sees_inbox(subscription.staff) and _is_time(subscription, practice):
            sent += _tell(subscription, practice)
    return str(sent)


def _tasks() -> QuerySet[DBTaskResult]:
    return DBTaskResult.objects.filter(task_path=look.module_path)


def _is_time(subscription: StaffMailSubscription, practice: Practice) -> bool:
    now = timezone.now()
    if subscription.try_after and subscription.try_after > now:
        return False
    if subscription.mode == Mode.INSTANT:
        last = subscription.last_sent_at
        return last is None or last <= now - AT_MOST_EVERY
    here = _practice_now(practice)
    return here.hour >= practice.digest_hour and subscription.digest_of != here.date()


def _tell(subscription: StaffMailSubscription, practice: Practice) -> int:
    """Note it, send it, and take the note back if that failed. Returns 1 when a mail went out."""
    now = timezone.now()
    newest = _newest(subscription.staff, now)
    waiting = waiting_for(subscription.staff)
    is_new = newest > subscription.told_up_to
    noted: dict[str, Any] = {"tries": 0, "try_after": None, "told_up_to": newest}
    if subscription.mode == Mode.DIGEST:
        noted["digest_of"] = _practice_now(practice).date()
        is_new = waiting is not None and waiting.unseen > 0
    if is_new:
        noted["last_sent_at"] = now
    before = {name: getattr(subscription, name) for name in noted}
    # As it stands: a worker of another portal on this database would have been quicker.
    mine = StaffMailSubscription.objects.filter(
        pk=subscription.pk, told_up_to=before["told_up_to"], digest_of=subscription.digest_of
    )
    if not mine.update(**noted) or not is_new or waiting is None or not waiting.unseen:
        return 0
    try:
        _send(subscription.staff, waiting, practice)
    except OSError:  # smtplib's errors are OSErrors too
        tries = min(before["tries"], len(RETRY_AFTER_MINUTES) - 1)
        before |= {
            "tries": tries + 1,
            "try_after": now + timedelta(minutes=RETRY_AFTER_MINUTES[tries]),
        }
        StaffMailSubscription.objects.filter(pk=subscription.pk).update(**before)
        _record(subscription, "mail-server-failed")
        return 0
    _record(subscription, "sent")
    return 1


def _newest(staff: StaffAccount, now: datetime.datetime) -> int:
    """The number of the newest thing that this one of the staff may see and nobody has looked at."""
    unseen = inbox_of(staff).filter(place__lte=InboxPlace.UNSEEN, sent_at__lte=now - _SETTLED)
    newest: int | None = unseen.order_by().aggregate(newest=Max("pk"))["newest"]
    return newest or 0


def _practice_now(practice: Practice) -> datetime.datetime:
    return timezone.localtime(timezone=zoneinfo.ZoneInfo(practice.time_zone))


def _send(staff: StaffAccount, waiting: Waiting, practice: Practice) -> None:
    context = {
        "unseen": waiting.unseen,
        "more": waiting.unseen > MOST_IN_HEADER,
        "words": waiting.words,
        "dangers": waiting.dangers,
        "practice": practice,
        "link": settings.PORTAL_URL + reverse("admin:index"),
    }
    message = EmailMultiAlternatives(
        subject=render_to_string("admin/desk/mail/waiting_subject.txt", context).strip(),
        body=render_to_string("admin/desk/mail/waiting.txt", context),
        from_email=formataddr((practice.name.replace("\n", " "), practice.sender)),
        to=[staff.email],
        headers={"Auto-Submitted": "auto-generated"},
    )
    html = render_to_string("admin/desk/mail/waiting.html", context)
    message.attach_alternative(html, "text/html")
    message.send()


def _record(subscription: StaffMailSubscription, outcome: str) -> None:
    audit.record(
        audit.Action.STAFF_MAIL,
        outcome,
        object_type="staffaccount",
        object_id=subscription.staff_id,
    )
