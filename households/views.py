"""Who is this for: the picker, the switch, and the public help page."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from accounts import audit, throttle
from accounts.access import public, sign_in_needed
from accounts.sessions import address_group
from accounts.views import own_page, paused
from households import binding as bindings
from households import kept, misses
from households.forms import WhoForm
from households.instructions import as_text, instructions
from households.matching import Ambiguous, NoMatch, choose
from households.models import Binding, Member, PracticeLogo
from households.requests import HouseholdRequest, PracticeRequest

_TIPS_AFTER = 3


@public
@require_safe
def home(request: PracticeRequest) -> HttpResponse:
    """Sends everybody on to where they belong."""
    if request.household_session is not None:
        binding = bindings.current(request.household_session)
        return redirect("overview", binding.key) if binding else redirect("who")
    if request.user.is_authenticated:
        return redirect("admin:index")
    return redirect("login")


@sign_in_needed
@require_http_methods(["GET", "HEAD", "POST"])
def who(request: HouseholdRequest) -> HttpResponse:
    """First name and date of birth choose the person, inside this household only. Opening the page
    changes nothing; every other answer than a match chooses nobody."""
    next_page = own_page(request.POST.get("next") or request.GET.get("next"))
    if request.method != "POST":
        return _who_page(request, WhoForm(), next_page)
    if request.POST.get("again"):
        return _pick_again(request, request.POST["again"], next_page)

    form = WhoForm(request.POST)
    if not form.is_valid():
        return _who_page(request, form, next_page, status=422)
    account = request.household_session.account
    counters = (
        (throttle.PICK_ADDRESS, address_group(request)),
        (throttle.PICK, str(account.pk)),
    )
    seconds = throttle.admit(*counters)
    if seconds:
        audit.record(audit.Action.THROTTLE, "pick", request=request)
        return paused(request, "pick", seconds)
    household = Member.objects.in_household_of(account).prefetch_related("also_called")
    born_then = household.filter(date_of_birth=form.cleaned_data["date_of_birth"])
    chosen = choose(list(born_then), form.cleaned_data["first_name"])
    if isinstance(chosen, Ambiguous | NoMatch):
        misses.miss_record(
            request=request,
            account=account,
            name=form.cleaned_data["first_name"],
            date_of_birth=form.cleaned_data["date_of_birth"],
        )
    if isinstance(chosen, Ambiguous):
        return render(request, "households/ambiguous.html", status=422)
    if isinstance(chosen, NoMatch):
        return _who_page(request, form, next_page, status=422, no_match=True)

    throttle.clear(throttle.PICK, str(account.pk))
    throttle.forgive(throttle.PICK_ADDRESS, address_group(request))
    return _to_chart(request, chosen, next_page)


def _pick_again(request: HouseholdRequest, public_id: str, next_page: str) -> HttpResponse:
    """One-tap switching: only to somebody this session already chose by the two facts."""
    chosen = next(
        (
            choice.member
            for choice in _offered(request)
            if str(choice.member.public_id) == public_id
        ),
        None,
    )
    if chosen is None:
        audit.record(audit.Action.PICK, "not-offered", request=request)
        return _who_page(request, WhoForm(), next_page, status=422)
    return _to_chart(request, chosen, next_page)


def _to_chart(request: HouseholdRequest, member: Member, next_page: str) -> HttpResponse:
    binding = bindings.pick(request, member)
    return redirect(bindings.page_after_pick(binding, next_page))


def _offered(request: HouseholdRequest) -> list[Binding]:
    if not request.practice.one_tap_switching:
        return []
    return bindings.chosen_before(request.household_session)


def _who_page(
    request: HouseholdRequest,
    form: WhoForm,
    next_page: str,
    *,
    status: int = 200,
    no_match: bool = False,
) -> HttpResponse:
    context = {
        "form": form,
        "next": next_page,
        "no_match": no_match,
        "confirmed": _offered(request),
        "open_now": bindings.current(request.household_session),
        "kept_for_going_back": kept.lately(request.household_session.account),
        "tips": no_match
        and throttle.attempts_of(throttle.PICK, str(request.household_session.account_id))
        >= _TIPS_AFTER,
    }
    return render(request, "households/who.html", context, status=status)


@sign_in_needed
@require_POST
def switch(request: HouseholdRequest) -> HttpResponse:
    """Close the open chart and ask who it is for. A POST: no link, prefetch or image can switch."""
    with transaction.atomic():
        closed = bindings.end_current(request.household_session)
        if closed is not None:
            audit.record(audit.Action.SWITCH, "ok", request=request, member_id=closed.member_id)
    if closed is not None:
        messages.success(request, _("%(name)s's chart is closed.") % {"name": closed.member.called})
    return redirect("who")


@public
@require_safe
def help_family(request: PracticeRequest) -> HttpResponse:
    """How to add family members under one email, in the practice's own words."""
    parts = instructions(request.practice)
    context = {
        "title": parts[0].line,
        "parts": parts,
        "portal_url": settings.PORTAL_URL,
        "help_text": as_text(parts),
    }
    return render(request, "households/help_family.html", context)


@public
@require_safe
def practice_logo(request: PracticeRequest, key: str) -> HttpResponse:
    """The practice's logo. Its key changes with the picture, so browsers may keep it for good."""
    logo = get_object_or_404(PracticeLogo, key=key)
    response = HttpResponse(
        bytes(logo.picture),
        content_type="image/png",
        headers={
            "Cache-Control": "public, max-age=31536000, immutable",
            # Opened by itself it is a picture, whatever it may hold.
            "Content-Security-Policy": "default-src 'none'; sandbox",
        },
    )
    response.may_be_kept = True  # type: ignore[attr-defined] # a mark of ours for portal/middleware.py
    return response
