"""THE GATE: whose chart a request is for.

The likeliest way to hurt somebody with this product is a form for Mia saved to Leo: two tabs, a slow upload,
the back button. So a successful pick writes a row of `Binding` with a random key, every page of a member
lives under /for/<key>/, and one gate resolves the key for everything mounted there:

- the key is this session's current choice, and its member is still in this account's household: the view
  runs, with the member as its argument;
- another key: 409, which names whom the page was for and whom the portal is open for; nothing is saved, and
  what was typed is kept for going back;
- no choice, or no longer a permitted one: to the picker; not signed in: to the sign-in page.

A view that is not behind the gate gets no member and cannot run. Nothing else writes the choice.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import to_sign_in
from accounts.compiled import Compiled
from accounts.models import HouseholdAccount, HouseholdSession
from households import kept
from households.models import Binding, Member, in_household
from households.requests import HouseholdRequest, MemberRequest, PracticeRequest

COLOURS = 6
_KEY = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)  # 16 random bytes, base64 for addresses
_MEMBER_PAGE = re.compile(r"/for/([A-Za-z0-9_-]{22})/(.*)", re.ASCII)


def current(session: HouseholdSession) -> Binding | None:
    """The open choice of this session, with its member; None when there is none or the member is not in
    the account's household any more. One query: the household is asked in it, every time."""
    return next(iter(_open_one(session.pk, session.account.email_key)), None)


_open_one = Compiled(
    lambda session, email_key: Binding.objects.select_related("member").filter(
        in_household(HouseholdAccount(email_key=email_key), "member__"),
        session=session,
        ended_at=None,
    ),
    int,
    str,
)


def pick(request: HouseholdRequest, member: Member) -> Binding:
    """Make `member` the person this session is for and end the choice before, in one transaction.

    `member` comes from a query of the account's household. Two picks at once: the later one wins, whole.
    """
    session = request.household_session
    with transaction.atomic():
        # The row lock makes picks of one session take turns on PostgreSQL; SQLite has one writer anyway.
        # Not its key: what is sent meanwhile holds the choice, and looks at the session's key as it commits.
        HouseholdSession.objects.select_for_update(no_key=True).get(pk=session.pk)
        end_current(session)
        binding = Binding.objects.create(
            key=secrets.token_urlsafe(16),
            session=session,
            member=member,
            colour=_colour(session, member),
        )
        request.binding = binding
        audit.record(audit.Action.PICK, "ok", request=request)
    return binding


def end_current(session: HouseholdSession) -> Binding | None:
    """Close this session's open chart. Returns its binding, None when there was none."""
    binding = (
        Binding.objects.filter(session=session, ended_at=None).select_related("member").first()
    )
    if binding is not None:
        Binding.objects.filter(pk=binding.pk).update(ended_at=timezone.now())
    return binding


def note_sending(binding: Binding) -> None:
    """Something is sent under this choice. From the first time on its pages ask who fills it in."""
    if binding.sent_at is None:
        binding.sent_at = timezone.now()
        Binding.objects.filter(pk=binding.pk, sent_at=None).update(sent_at=binding.sent_at)


def note_who_fills_in(binding: Binding, *, by: str, name: str) -> None:
    """`by` is one of FilledInBy. For this choice of the person, and for no other."""
    binding.filled_in_by, binding.filled_in_name = by, name
    binding.save(update_fields=["filled_in_by", "filled_in_name"])


def name_given_before(session: HouseholdSession) -> str:
    """The name that somebody gave for another chart of this session; "" when nobody did."""
    said = Binding.objects.filter(session=session).exclude(filled_in_name="")
    return said.order_by("-pk").values_list("filled_in_name", flat=True).first() or ""


def _close_lost(session: HouseholdSession) -> None:
    """Close a chart that this session may not open any more, so that it does not come back by itself.
    Never the one that another tab has just chosen: only a pick or a switch ends that (R-WP-2)."""
    lost = Binding.objects.filter(session=session, ended_at=None).exclude(
        in_household(session.account, "member__")
    )
    lost.update(ended_at=timezone.now())


def end_for_members(members: Iterable[Member]) -> int:
    """The practice changed who these people are or whether they may be opened: whoever has their chart
    open chooses again (R-WP-3). Returns how many open charts were closed. Call inside the transaction."""
    closed = 0
    open_ones = Binding.objects.filter(member__in=list(members), ended_at=None)
    for binding in open_ones.select_related("session"):
        closed += Binding.objects.filter(pk=binding.pk, ended_at=None).update(
            ended_at=timezone.now()
        )
        audit.record(
            audit.Action.BINDING_END,
            "practice-change",
            account_id=binding.session.account_id,
            session_id=binding.session_id,
            member_id=binding.member_id,
        )
    return closed


def chosen_before(session: HouseholdSession) -> list[Binding]:
    """The latest choice of everybody whom this session chose by the two facts and may still open; the
    one open now is left out. Latest first."""
    choices = Binding.objects.filter(in_household(session.account, "member__"), session=session)
    latest: dict[int, Binding] = {}
    for binding in choices.select_related("member").order_by("-bound_at", "-pk"):
        latest.setdefault(binding.member_id, binding)
    return [binding for binding in latest.values() if binding.ended_at is not None]


def _colour(session: HouseholdSession, member: Member) -> int:
    """One of six, by the person's place in the family (UX BAN-4)."""
    older = Member.objects.in_household_of(session.account).filter(pk__lt=member.pk)
    return older.count() % COLOURS


# --- the gate -------------------------------------------------------------------------


def gated(patterns: list[URLPattern]) -> list[URLPattern]:
    """The patterns of a slice, each view behind the gate. What portal/urls.py mounts under /for/<key>/."""
    for pattern in patterns:
        pattern.callback = _gate(pattern.callback)
    return patterns


def _gate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    @wraps(view)
    def gate(request: Any, key: str, **kwargs: Any) -> HttpResponse:
        session = request.household_session
        if request.method == "POST" and "keep_only" in request.POST:
            return _only_keep_typed(request, key)
        if session is None:
            ended = request.ended_session
            opened_for = _keep_typed(request, ended, key) if ended is not None else None
            if request.method == "POST":
                if ended is not None:
                    _record_refusal(request, "signed-out", ended, opened_for)
                _say_not_sent(request, opened_for)
            return to_sign_in(request)
        binding = current(session)
        if binding is not None and secrets.compare_digest(binding.key.encode(), key.encode()):
            request.binding = binding
            return view(request, member=binding.member, **kwargs)
        opened_for = _keep_typed(request, session, key)
        if binding is None:
            _close_lost(session)
            # The picker itself says that typed text is kept.
            if request.method == "POST":
                _record_refusal(request, "closed", session, opened_for)
                messages.warning(request, _("Nothing was sent: the chart was closed."))
            else:
                messages.warning(request, _("The chart is closed. Choose the person to go on."))
            return redirect("who")
        return _stale_page(request, opened_for, binding)

    gate.access = "member"  # type: ignore[attr-defined] # a mark of ours that the routes are checked by
    return gate


@dataclass(frozen=True)
class OpenedFor:
    """Whom a page with an old key was opened for, and whether text typed on it was kept for them."""

    member: Member
    text_kept: bool


def _keep_typed(request: HttpRequest, session: HouseholdSession, key: str) -> OpenedFor | None:
    """Whose page this was, if it was this login's and is still in its household; None otherwise, so that
    a key from elsewhere tells nothing. What was typed on it is kept for that person."""
    if not _KEY.fullmatch(key) or not session.account.is_active:
        return None
    binding = (
        Binding.objects.select_related("member")
        .filter(
            in_household(session.account, "member__"),
            key=key,
            session__account=session.account_id,
        )
        .first()
    )
    if binding is None:
        return None
    text_kept = kept.keep(session.account, binding.member, _page_of(request), request.POST)
    return OpenedFor(binding.member, text_kept)


def _record_refusal(
    request: HttpRequest, why: str, session: HouseholdSession, opened_for: OpenedFor | None
) -> None:
    """A form that nobody took in. Of a browser that was never signed in there is none: anybody could fill the
    audit."""
    audit.record(
        audit.Action.STALE_PAGE,
        why,
        request=request,
        account_id=session.account_id,
        session_id=session.pk,
        member_id=opened_for.member.pk if opened_for else None,
    )


def _say_not_sent(request: HttpRequest, opened_for: OpenedFor | None) -> None:
    """Nobody who pressed Send may think that it went. Names no one: the message waits in a cookie."""
    if opened_for is not None and opened_for.text_kept:
        messages.warning(request, _("Nothing was sent. What you typed is kept: sign in to go on."))
    else:
        messages.warning(request, _("Nothing was sent: you were signed out."))


def _only_keep_typed(request: PracticeRequest, key: str) -> HttpResponse:
    """The idle warning ran out and the page posts its form to be kept, not sent: nobody pressed the
    button (static/portal.js). Shows the page again, with the text, after signing in where needed."""
    session = request.household_session or request.ended_session
    if session is not None:
        opened_for = _keep_typed(request, session, key)
        if opened_for is not None and opened_for.text_kept:
            _record_refusal(request, "kept", session, opened_for)
    return to_sign_in(request) if request.household_session is None else redirect(request.path)


def _page_of(request: HttpRequest) -> str:
    """The page inside the chart: the address without the key, the same for every choice of a person."""
    found = _MEMBER_PAGE.fullmatch(request.path)
    return found[2] if found else ""


def _stale_page(
    request: HouseholdRequest, opened_for: OpenedFor | None, binding: Binding
) -> HttpResponse:
    audit.record(
        audit.Action.STALE_PAGE,
        "refused",
        request=request,
        member_id=opened_for.member.pk if opened_for else binding.member_id,
    )
    same_person = opened_for is not None and opened_for.member == binding.member
    page = _page_of(request) if same_person else ""
    context = {
        "opened_for": opened_for and opened_for.member,
        "open_for": binding.member,
        "text_kept": bool(opened_for and opened_for.text_kept),
        "same_person": same_person,
        "back_url": f"/for/{binding.key}/{page}",
        "switch_to": opened_for and _offered_again(request, opened_for.member),
        "next": request.path,
    }
    return render(request, "households/stale_page.html", context, status=409)


def _offered_again(request: HouseholdRequest, member: Member) -> bool:
    """Whether `member` is one tap away: chosen in this session before, and the practice allows it."""
    return request.practice.one_tap_switching and any(
        before.member_id == member.pk for before in chosen_before(request.household_session)
    )


# --- addresses ------------------------------------------------------------------------


def member_url(request: MemberRequest, name: str, **kwargs: Any) -> str:
    """The address of a member page under the chart that is open in `request`."""
    return reverse(name, kwargs={"key": request.binding.key, **kwargs})


def page_after_pick(binding: Binding, next_page: str) -> str:
    """Where to go after a pick: the page that was asked for, if it was a page of the same person, under
    the new key; the person's home otherwise."""
    home = reverse("overview", args=[binding.key])
    found = _MEMBER_PAGE.fullmatch(next_page)
    if not found:
        return home
    before = Binding.objects.filter(
        key=found[1],
        session__account=binding.session.account_id,
        member=binding.member_id,
    )
    return f"{home}{found[2]}" if before.exists() else home
