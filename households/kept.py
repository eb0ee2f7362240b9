"""Text that was typed on a page which could not be saved any more, kept for going back to it.

It belongs to one login and one person, and is only ever offered to that login when that person is chosen
again (PRODUCT A4, SECURITY SE-06, UX TO-3). Files are not kept: a browser sends them again.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from django.http import QueryDict
from django.utils import timezone

from accounts.compiled import Compiled
from accounts.models import HouseholdAccount
from households.models import KeptText, Member

KEPT_DAYS = 30
_LONGEST_PAGE = 200
_MOST_CHARACTERS = 200_000
# More pages than that nobody has open; made-up ones must not fill the database.
_MOST_PAGES = 20
# Not typed by a person, or not to be kept anywhere.
_NOT_KEPT = re.compile(
    r"csrfmiddlewaretoken|sending_id|seen|confirmed_before|number-.*|next|keep_only|let_go|confirm"
    r"|.*password.*"
)
# Kept beside what was typed, and for nothing alone: which state of a thing a page showed.
_STATE = re.compile(r"(.+-)?version")


def keep(account: HouseholdAccount, member: Member, page: str, posted: QueryDict) -> bool:
    """Keep what `posted` holds for `page` of `member`. Returns whether there was anything to keep. A form
    whose text is not to be shown again to this login says `keep_nothing`."""
    if "keep_nothing" in posted:
        return False
    typed = {
        name: [value for value in values if value.strip() and "\0" not in value]
        for name, values in posted.lists()
        if not _NOT_KEPT.fullmatch(name) and "\0" not in name
    }
    # A box with several ticks has several values; any other has one.
    fields = {
        name: values[0] if len(values) == 1 else values for name, values in typed.items() if values
    }
    characters = sum(len(value) for values in typed.values() for value in values)
    if (
        all(map(_STATE.fullmatch, fields))
        or len(page) > _LONGEST_PAGE
        or characters > _MOST_CHARACTERS
    ):
        return False
    KeptText.objects.update_or_create(
        account=account,
        member=member,
        page=page,
        defaults={"fields": fields, "kept_at": timezone.now()},
    )
    all_kept = KeptText.objects.filter(account=account, member=member)
    oldest = all_kept.order_by("-kept_at", "-pk").values_list("pk", flat=True)[_MOST_PAGES:]
    KeptText.objects.filter(pk__in=list(oldest)).delete()
    return True


def pages(account: HouseholdAccount, member: Member) -> list[tuple[str, datetime]]:
    """The pages on which this login typed something for this person that was not sent, each with when;
    latest first."""
    since = timezone.now() - timedelta(days=KEPT_DAYS)
    rows = sorted(_pages(account.pk, member.pk), reverse=True)
    return [(page, kept_at) for kept_at, page in rows if kept_at > since]


_pages = Compiled(
    lambda account, member: KeptText.objects.filter(account=account, member=member).values_list(
        "kept_at", "page"
    ),
    int,
    int,
)


def lately(account: HouseholdAccount) -> bool:
    """Whether this login typed something within the hour that waits for its person to be chosen again."""
    since = timezone.now() - timedelta(hours=1)
    return KeptText.objects.filter(account=account, kept_at__gt=since).exists()


def on_page(account: HouseholdAccount, member: Member, page: str) -> dict[str, Any]:
    """The fields kept for one page, a list of values where there were several; empty when there are none."""
    since = timezone.now() - timedelta(days=KEPT_DAYS)
    text = KeptText.objects.filter(
        account=account, member=member, page=page, kept_at__gt=since
    ).first()
    return text.fields if text else {}


def let_go(account: HouseholdAccount, member: Member, page: str) -> None:
    """It was sent, or is not wanted any more."""
    KeptText.objects.filter(account=account, member=member, page=page).delete()
