"""The inbox: which of the things that families sent somebody at the practice may see, in which order they are
gone through, and how many wait.

Whoever goes from one thing to the next changes the list by looking: what was unseen is seen, and would stand
further down. So the way through is the list as it was when it was opened: what was seen since then keeps its
place (Walk.since).
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Exists, Q, QuerySet, Subquery
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.http import urlencode

from accounts.staff_pages import words_of_search
from households.staff_pages import rows_of_people
from households.submissions.models import InboxPlace, Submission, SubmissionQuerySet
from households.submissions.sight import kinds_seen_by, seen_by

Kind = Submission.Kind

# The slice and the model whose pages show a kind.
MODELS = {
    Kind.DOCUMENT: ("documents", "document"),
    Kind.DEMOGRAPHICS: ("demographics", "detailchange"),
    Kind.HISTORY: ("history", "entrychange"),
    Kind.FORM: ("intake", "questionnaireresponse"),
}

OPEN = "open"
# What each choice of the list's status shows, from which place to which: each is one piece of an index.
PLACES = {
    OPEN: (InboxPlace.DANGER, InboxPlace.SEEN),
    Submission.Status.RECEIVED.value: (InboxPlace.DANGER, InboxPlace.UNSEEN),
    Submission.Status.SEEN.value: (InboxPlace.SEEN, InboxPlace.SEEN),
    Submission.Status.PARTLY.value: (InboxPlace.PARTLY, InboxPlace.PARTLY),
    Submission.Status.RETURNED.value: (InboxPlace.RETURNED, InboxPlace.RETURNED),
    Submission.Status.FILED.value: (InboxPlace.FILED, InboxPlace.FILED),
    Submission.Status.WITHDRAWN.value: (InboxPlace.WITHDRAWN, InboxPlace.WITHDRAWN),
    "all": (InboxPlace.DANGER, InboxPlace.FILED),
}
ASSIGNED = ("me", "nobody", "somebody")

IN_ORDER = ("place", "-sent_at", "-pk")

MOST_COUNTED = 1000
MOST_IN_HEADER = 99


# --- who sees what --------------------------------------------------------------------


def kinds_in_inbox(user: Any) -> list[Kind]:
    """None for somebody without the right to see the inbox."""
    return kinds_seen_by(user) if user.has_perm("submissions.view_submission") else []


def inbox_of(user: Any) -> SubmissionQuerySet:
    """Everything that `user` may see of what families sent."""
    return Submission.objects.of_kinds(kinds_in_inbox(user)).filter(seen_by(user))


@dataclass(frozen=True)
class Waiting:
    """How much nobody has seen yet, up to 99: `unseen`, and the `dangers` among it."""

    unseen: int
    dangers: int

    @property
    def words(self) -> str:
        return f"{MOST_IN_HEADER}+" if self.unseen > MOST_IN_HEADER else str(self.unseen)


def waiting_for(user: Any) -> Waiting | None:
    """For the head of every page; None for somebody who sees no inbox. One query, of one piece of an
    index."""
    kinds = kinds_in_inbox(user)
    if not kinds:
        return None
    unseen = inbox_of(user).filter(place__lte=InboxPlace.UNSEEN)
    places = [*unseen.order_by("place").values_list("place", flat=True)[: MOST_IN_HEADER + 1]]
    return Waiting(len(places), places.count(InboxPlace.DANGER))


# --- the list's choices ---------------------------------------------------------------


def with_status(rows: SubmissionQuerySet, status: str) -> SubmissionQuerySet:
    """What a choice of status shows; without one, what is not dealt with."""
    first, last = PLACES.get(status, PLACES[OPEN])
    return rows.filter(place__gte=first, place__lte=last)


def with_kind(rows: SubmissionQuerySet, kind: str) -> SubmissionQuerySet:
    return rows.filter(kind=kind) if kind in Kind.values else rows


def with_assigned(rows: SubmissionQuerySet, whose: str, user: Any) -> SubmissionQuerySet:
    if whose == "me":
        return rows.filter(assigned_to=user.pk)
    if whose in ASSIGNED:
        return rows.filter(assigned_to__isnull=whose == "nobody")
    return rows


def with_danger(rows: SubmissionQuerySet, urgent: str) -> SubmissionQuerySet:
    return rows.filter(is_urgent=True) if urgent == "yes" else rows


# --- the way through ------------------------------------------------------------------

# The choices of the list that go along in addresses. What was searched for goes as the key of the search.
CHOICES = ("status", "kind", "assigned", "urgent", "q")
_PARAMETER = "inbox"
_LONGEST_PARAMETER = 300
_LONGEST = datetime.timedelta(hours=12)
# Somebody who comes from elsewhere and not from the list: what was just seen, by this very look too, keeps
# its place.
_A_WHILE = datetime.timedelta(minutes=15)


@dataclass(frozen=True)
class Neighbours:
    """Where a thing stands in the list: the `number`-th of `total`, None when it is not in it any more;
    what comes before and after it. `total` is counted up to MOST_COUNTED."""

    number: int | None
    total: int
    previous: Submission | None
    following: Submission | None

    @property
    def total_words(self) -> str:
        return f"{MOST_COUNTED}+" if self.total >= MOST_COUNTED else str(self.total)


@dataclass(frozen=True)
class Walk:
    """One way through the inbox: the choices of the list that somebody came from, and when they saw it."""

    rows: QuerySet[Any]
    choices: Mapping[str, str]
    since: datetime.datetime

    @property
    def query(self) -> str:
        """For the end of an address: which way somebody is on."""
        return walk_query(self.choices, self.since)

    @property
    def list_query(self) -> str:
        """For the end of the list's address: the same choices."""
        return f"?{urlencode(self.choices)}" if self.choices else ""

    def neighbours(self, submission: Submission) -> Neighbours:
        """Where it stands, and what is before and after it: four queries, each of a few pieces of an
        index."""
        here, at, pk = self._place_then(submission), submission.sent_at, submission.pk
        newer = Q(sent_at__gte=at) & (Q(sent_at__gt=at) | Q(pk__gt=pk))
        older = Q(sent_at__lte=at) & (Q(sent_at__lt=at) | Q(pk__lt=pk))
        pieces = self._pieces()
        before = [(place, piece) for place, piece in pieces if place < here]
        before += [(place, piece & newer) for place, piece in pieces if place == here]
        after = [(place, piece & older) for place, piece in pieces if place == here]
        after += [(place, piece) for place, piece in pieces if place > here]
        nearest = [Subquery(self._nearest(piece, "sent_at", "pk")) for _place, piece in before]
        nearest += [Subquery(self._nearest(piece, "-sent_at", "-pk")) for _place, piece in after]
        everything = [piece for _place, piece in pieces]
        mine = self.rows.filter(_any_of(everything), pk=pk)
        itself = Submission.objects.for_member(submission.member).filter(pk=pk)
        in_list, *found = itself.values_list(Exists(mine), *nearest).get()
        # Itself too, so that the ends of the list cost the same.
        rows = self.rows.in_bulk([pk, *(one for one in found if one is not None)])
        # A place counts as it was, so what is nearest is told apart by hand.
        told = [
            ((place, -rows[one].sent_at.timestamp(), -one), rows[one])
            for (place, _piece), one in zip([*before, *after], found, strict=True)
            if one in rows
        ]
        key = (here, -at.timestamp(), -pk)
        ahead = self._count(piece for _place, piece in before)
        return Neighbours(
            number=ahead + 1 if in_list and ahead < MOST_COUNTED else None,
            total=self._count(everything),
            previous=max((one for one in told if one[0] < key), key=_by_key, default=(0, None))[1],
            following=min((one for one in told if one[0] > key), key=_by_key, default=(0, None))[1],
        )

    def _pieces(self) -> list[tuple[int, Q]]:
        """The list as it was: the place that things had then, and which things. Each is one piece of one
        index."""
        first, last = self._places
        looked_at = Q(status=Submission.Status.SEEN, seen_at__gt=self.since)
        pieces = []
        for place in range(first, last + 1):
            piece = Q(place=place)
            if place <= InboxPlace.UNSEEN:
                pieces.append((place, looked_at & Q(is_urgent=place == InboxPlace.DANGER)))
            elif place == InboxPlace.SEEN and first <= InboxPlace.UNSEEN:
                piece &= ~Q(seen_at__gt=self.since)
            pieces.append((place, piece))
        return pieces

    def _place_then(self, submission: Submission) -> int:
        """The place that it had when the list was opened; also of what is in the list no more."""
        unseen = InboxPlace.DANGER if submission.is_urgent else InboxPlace.UNSEEN
        if submission.status == Submission.Status.RECEIVED:
            return unseen
        now = InboxPlace[submission.status.upper()]
        first, _last = self._places
        dates = (submission.filed_at, submission.partly_at, submission.returned_at)
        if submission.seen_at and submission.seen_at > self.since and first <= InboxPlace.UNSEEN:
            return unseen
        if first <= InboxPlace.SEEN and any(at is not None and at > self.since for at in dates):
            return InboxPlace.SEEN
        return now

    @property
    def _places(self) -> tuple[InboxPlace, InboxPlace]:
        return PLACES.get(self.choices.get("status", OPEN), PLACES[OPEN])

    def _nearest(self, piece: Q, *order: str) -> QuerySet[Any]:
        return self.rows.filter(piece).order_by(*order).values("pk")[:1]

    def _count(self, pieces: Iterable[Q]) -> int:
        rows = self.rows.filter(_any_of(pieces)).order_by().values("pk")
        return rows[:MOST_COUNTED].count()


def _any_of(pieces: Iterable[Q]) -> Q:
    return reduce(or_, pieces, Q(pk__in=[]))


def _by_key(one: tuple[Any, Any]) -> Any:
    return one[0]


def walk_of(request: HttpRequest) -> Walk:
    """The way that the address names, or, where it names none, the inbox as it comes. Nothing in it is
    believed: what the list does not know is left out."""
    given = QueryDict(request.GET.get(_PARAMETER, "")[:_LONGEST_PARAMETER])
    choices = {name: given[name] for name in CHOICES if given.get(name)}
    if not choices.get("q", "~").startswith("~"):
        del choices["q"]  # typed words have no place in an address
    now = timezone.now()
    since = now - _A_WHILE
    if (told := given.get("t", "")).isdecimal() and len(told) <= len(_stamp(now)):
        since = datetime.datetime.fromtimestamp(int(told) / 1000, datetime.UTC)
    since = min(max(since, now - _LONGEST), now)
    rows = with_kind(inbox_of(request.user), choices.get("kind", ""))
    rows = with_assigned(rows, choices.get("assigned", ""), request.user)
    rows = with_danger(rows, choices.get("urgent", ""))
    words = words_of_search(request, choices.get("q", ""))
    return Walk(rows_of_people(rows, "member", words), choices, since)


def walk_query(choices: Mapping[str, str], since: datetime.datetime) -> str:
    """For the end of the address of a thing: the list that it was opened from."""
    kept = {name: choices[name] for name in CHOICES if choices.get(name)}
    return "?" + urlencode({_PARAMETER: urlencode({**kept, "t": _stamp(since)})})


def on_the_way(request: HttpRequest, address: str) -> str:
    """`address` for somebody who stays on the way that this request's address names."""
    given = request.GET.get(_PARAMETER)
    if not given or "?" in address:
        return address
    return f"{address}?{urlencode({_PARAMETER: given[:_LONGEST_PARAMETER]})}"


def _stamp(at: datetime.datetime) -> str:
    return str(int(at.timestamp() * 1000))
