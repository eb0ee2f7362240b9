"""What a family typed at the picker when it chose nobody: why, and what staff may learn from it (PRODUCT B7).

The family gets one answer whatever the cause. The cause is for staff. Nothing is
guessed by likeness: a name that is typed again and again with the birth date of somebody there is shown to
staff, and they decide. What was typed is kept in one table, little of it and not for long, and only where
there is something to mend.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db import connection, transaction
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, When
from django.http import HttpRequest
from django.utils import timezone

from accounts import audit
from accounts.models import HouseholdAccount
from households.matching import Ambiguous, NoMatch, choose, name_key
from households.models import AlsoCalled, Binding, Member, PickerMiss
from households.portal_access import opened_by
from households.search import starts_with

# Typed once is a slip; typed again it is what the family calls the person, or the date they know.
REPEATED = 2
MOST_OF_A_HOUSEHOLD = 20
KEPT_DAYS = 90
# An email that hundreds share is an office's. Whom a name or a date could mean is looked for among so many.
_MOST_PEOPLE = 100


class Cause(StrEnum):
    """Why nobody was chosen; the audit's words for it."""

    NAME = "name"  # somebody there was born that day, and is called otherwise
    DATE = "date"  # somebody there is called that, and was born on another day
    AMBIGUOUS = "ambiguous"
    AGE_RULE = "age-rule"  # both fit an adult whose own consent is not recorded
    NO_ACCESS = "no-access"  # both fit somebody on this email whom the portal does not open
    NO_MATCH = "no-match"


# Those that staff can mend, and so those that are kept.
_MENDED = {Cause.NAME, Cause.DATE, Cause.AMBIGUOUS}


def cause_of(people: Iterable[Member], name: str, date_of_birth: datetime.date) -> Cause | None:
    """Why `name` and `date_of_birth` choose none of `people`, who are all those on one email that either
    could mean. None when they do choose somebody."""
    opened = [member for member in people if opened_by(member)]
    born_then = [member for member in opened if member.date_of_birth == date_of_birth]
    chosen = choose(born_then, name)
    if isinstance(chosen, Ambiguous):
        return Cause.AMBIGUOUS
    if not isinstance(chosen, NoMatch):
        return None
    closed = [
        member
        for member in people
        if not opened_by(member) and member.date_of_birth == date_of_birth
    ]
    shut_out = [member for member in closed if not isinstance(choose([member], name), NoMatch)]
    if shut_out:
        by_age = any(member.portal_access and member.waits_for_consent for member in shut_out)
        return Cause.AGE_RULE if by_age else Cause.NO_ACCESS
    # Before the name: what is somebody else's name there is no nickname of who was born that day.
    if not isinstance(choose(opened, name), NoMatch):
        return Cause.DATE
    return Cause.NAME if born_then else Cause.NO_MATCH


def _could_mean(typed: Iterable[tuple[str, str, datetime.date]]) -> Q:
    """Those on the emails whom a name or a date could mean, and perhaps others there: for (email key, name,
    birth date) of any number, one condition that the index on the email answers."""
    emails, names, dates = (set(column) for column in zip(*typed, strict=True))
    could = Q(Exists(AlsoCalled.objects.filter(member=OuterRef("pk"))))
    could |= Q(date_of_birth__in=dates)
    for key in {name_key(name) for name in names} - {""}:
        could |= starts_with("first_name_key", key) | Q(preferred_name_key=key)
    return Q(email_key__in=emails) & could


def _likeliest(name: str, date_of_birth: datetime.date) -> Case:
    """First whom the date or the whole name fits: of an office's email not everybody is looked at."""
    key = name_key(name)
    return Case(
        When(date_of_birth=date_of_birth, then=0),
        When(Q(first_name_key=key) | Q(preferred_name_key=key), then=1),
        default=2,
    )


# --- keeping --------------------------------------------------------------------------

_KEEP = """
INSERT INTO households_pickermiss AS kept
    (account_id, name, name_key, date_of_birth, cause, times, first_at, last_at)
SELECT %(account)s, %(name)s, %(key)s, %(born)s, %(cause)s, 1, %(now)s, %(now)s WHERE %(worth)s = 1
ON CONFLICT (account_id, name_key, date_of_birth) DO UPDATE SET
    times = kept.times + 1, last_at = excluded.last_at, cause = excluded.cause
"""


def miss_record(*, request: HttpRequest, account: HouseholdAccount, name: str,
                date_of_birth: datetime.date) -> None:  # fmt: skip
    """The picker chose nobody: put why into the audit, and keep what was typed where staff can mend it.

    Every cause looks, writes and lets go alike, so that how long it takes tells the family next to nothing.
    """
    name = " ".join(name.split())
    people = Member.objects.filter(_could_mean([(account.email_key, name, date_of_birth)]))
    people = people.order_by(_likeliest(name, date_of_birth), "pk")
    people = people.prefetch_related("also_called")[:_MOST_PEOPLE]
    cause = cause_of(people, name, date_of_birth) or Cause.NO_MATCH
    key = name_key(name)
    worth = cause in _MENDED and bool(key) and len(name) <= PickerMiss.LONGEST
    now = timezone.now()
    with transaction.atomic():
        audit.record(audit.Action.PICK, cause, request=request)
        with connection.cursor() as cursor:
            cursor.execute(
                _KEEP,
                {
                    "account": account.pk,
                    "name": name if worth else "",
                    "key": key if worth else "",
                    "born": connection.ops.adapt_datefield_value(date_of_birth),
                    "cause": str(cause),
                    "now": connection.ops.adapt_datetimefield_value(now),
                    "worth": int(worth),
                },
            )
    # By itself: two households that let old ones go at once never wait for each other's.
    _let_go(account, now)


def _let_go(account: HouseholdAccount, now: datetime.datetime) -> None:
    """What is old, of anybody; and of this household what is too much. A name that was typed again outlives
    any number of slips."""
    theirs = PickerMiss.objects.filter(account=account)
    again = theirs.filter(times__gte=REPEATED, dismissed_at=None)
    slips = theirs.exclude(pk__in=again.values("pk"))
    PickerMiss.objects.filter(
        Q(last_at__lt=now - datetime.timedelta(days=KEPT_DAYS))
        | Q(pk__in=_beyond(again))
        | Q(pk__in=_beyond(slips))
    ).delete()


def _beyond(rows: QuerySet[PickerMiss]) -> QuerySet[PickerMiss, Any]:
    return rows.order_by("-last_at", "-pk").values("pk")[MOST_OF_A_HOUSEHOLD:]


# --- what staff may mend --------------------------------------------------------------


@dataclass(frozen=True)
class Miss:
    """One that still stands. `people`: with NAME who was born that day, with DATE the one who is called
    that, with AMBIGUOUS those who cannot be told apart. `born_then`: with DATE, whose birth date it is."""

    row: PickerMiss
    cause: Cause
    people: list[Member]
    born_then: list[Member]


def misses_waiting(most: int) -> list[Miss]:
    """Up to `most` of those that staff can mend, the oldest first. At most five queries.

    They follow from the file as it is now: a name that was added, a birth date that was corrected, a record
    that was merged ends them, whoever did it and where. What is over is let go here.
    """
    rows = _of_staff().select_related("account").order_by("first_at", "pk")[:most]
    return standing(list(rows))


def _of_staff() -> QuerySet[PickerMiss]:
    again = Q(times__gte=REPEATED) | Q(cause=Cause.AMBIGUOUS.value)
    return PickerMiss.objects.filter(again, dismissed_at=None)


def standing(rows: Sequence[PickerMiss]) -> list[Miss]:
    """What stands of `rows`, with the people it is about."""
    if not rows:
        return []
    could_mean = _could_mean([(row.account.email_key, row.name, row.date_of_birth) for row in rows])
    people: dict[str, list[Member]] = defaultdict(list)
    for member in Member.objects.filter(could_mean).prefetch_related("also_called"):
        people[member.email_key].append(member)
    found = [_as_it_stands(row, people[row.account.email_key]) for row in rows]
    chosen_since = _chosen_since([miss for miss in found if miss and miss.cause == Cause.DATE])
    waiting, over = [], []
    for row, miss in zip(rows, found, strict=True):
        if miss is None or row.pk in chosen_since:
            over.append(row.pk)
        else:
            waiting.append(miss)
    if over:
        PickerMiss.objects.filter(pk__in=over).delete()
    return waiting


def _as_it_stands(row: PickerMiss, people: Sequence[Member]) -> Miss | None:
    cause = cause_of(people, row.name, row.date_of_birth)
    opened = [member for member in people if opened_by(member)]
    born_then = [member for member in opened if member.date_of_birth == row.date_of_birth]
    if cause == Cause.AMBIGUOUS:
        return Miss(row, cause, all_meant(born_then, row.name), [])
    if row.times < REPEATED:
        return None
    if cause == Cause.NAME:
        return Miss(row, cause, born_then, [])
    if cause == Cause.DATE:
        named = choose(opened, row.name)
        # Two who are called that: whose date was meant cannot be said, and nobody guesses.
        if isinstance(named, Member):
            return Miss(row, cause, [named], born_then)
    return None


def all_meant(people: Sequence[Member], name: str) -> list[Member]:
    """Those of `people` who stand in each other's way for this name."""
    meant = [member for member in people if not isinstance(choose([member], name), NoMatch)]
    return [
        member
        for member in meant
        if any(isinstance(choose([member, one], name), Ambiguous) for one in meant if one != member)
    ]


def _chosen_since(misses: Sequence[Miss]) -> set[int]:
    """Of misses by the date: after them the same login chose that very person, so the right date is known."""
    if not misses:
        return set()
    chosen = Binding.objects.filter(
        member__in=[miss.people[0] for miss in misses],
        session__account__in=[miss.row.account_id for miss in misses],
        bound_at__gte=min(miss.row.last_at for miss in misses),
    ).values_list("session__account", "member", "bound_at")
    latest: dict[tuple[int, int], datetime.datetime] = {}
    for account, member, at in chosen:
        latest[account, member] = max(at, latest.get((account, member), at))
    return {
        miss.row.pk
        for miss in misses
        if latest.get((miss.row.account_id, miss.people[0].pk), miss.row.first_at)
        > miss.row.last_at
    }


def miss_dismiss(*, request: HttpRequest, row: PickerMiss) -> bool:
    """Nothing is to be learned from it; typed again, it stays dismissed. False when it was so already."""
    with transaction.atomic():
        dismissed = PickerMiss.objects.filter(pk=row.pk, dismissed_at=None).update(
            dismissed_at=timezone.now(), dismissed_by=request.user.pk
        )
        if dismissed:
            audit.record(
                audit.Action.STAFF_CHANGE,
                "miss-dismissed",
                request=request,
                account_id=row.account_id,
                object_type="pickermiss",
                object_id=row.pk,
            )
    return bool(dismissed)
