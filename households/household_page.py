"""The page that answers "I can't get in": one email, everybody on it, what stops them, and the buttons that
help. Found by what the family says their email is, also when nobody has that on file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts import audit
from accounts.actions import ensure_accounts
from accounts.emails import MAX_LENGTH, email_key, email_mark
from accounts.models import HouseholdAccount
from accounts.staff_pages import keep_search, words_of_search
from households import close_emails
from households.household_facts import read
from households.models import Member
from households.staff_pages import person_line

_MOST_NAMES = 6


@dataclass(frozen=True)
class Wrong:
    """A form of the page that was not accepted: whose, which, why, and what was typed."""

    member_pk: int
    field: str
    text: str
    typed: str


@dataclass(frozen=True)
class Near:
    """An email on file that is nearly the one asked for."""

    account: HouseholdAccount
    names: list[str]


def may_look(request: HttpRequest) -> bool:
    return request.user.has_perm("accounts.view_householdaccount") or request.user.has_perm(
        "accounts.change_householdaccount"
    )


def account_url(account: HouseholdAccount) -> str:
    return reverse("admin:accounts_householdaccount_change", args=[account.pk])


def household_page(
    request: HttpRequest, site: AdminSite, key: str, *, wrong: Wrong | None = None, search: str = ""
) -> HttpResponse:
    """The page of the email with this key. `search` stands for it in addresses where it has no account.
    Status 422 with `wrong`. In the audit as a look at the account, or at an email without one."""
    facts = read(key)
    account = facts.account
    audit.record(
        audit.Action.STAFF_VIEW,
        "ok" if account else "no-account",
        request=request,
        account_id=account.pk if account else None,
        object_type="householdaccount" if account else "email",
        object_id=account.pk if account else email_mark(key),
    )
    user = request.user
    may_change_members = user.has_perm("households.change_member")
    context = {
        **site.each_context(request),
        **search_form(),
        "title": _("Household"),
        "subtitle": key,
        "facts": facts,
        "account": account,
        "search": search,
        "people": [(person, person_line(person.member)) for person in facts.people],
        "near": [] if facts.people else _near(request, key),
        "wrong": wrong,
        "may_change": user.has_perm("accounts.change_householdaccount"),
        "may_open_members": user.has_perm("households.view_member"),
        "may_change_members": may_change_members,
        "may_add_names": may_change_members and user.has_perm("households.add_alsocalled"),
    }
    status = 422 if wrong else 200
    return TemplateResponse(request, "admin/household.html", context, status=status)


def search_form(typed: str = "", error: str = "") -> Mapping[str, Any]:
    """What templates/admin/household_search.html needs."""
    return {"household_typed": typed, "household_error": error}


def _near(request: HttpRequest, key: str) -> list[Near]:
    keys = close_emails.close_to(key)
    accounts = {one.email_key: one for one in HouseholdAccount.objects.filter(email_key__in=keys)}
    names: dict[str, list[str]] = {key: [] for key in keys}
    if request.user.has_perm("households.view_member"):
        for member in Member.objects.filter(email_key__in=keys)[: _MOST_NAMES * len(keys)]:
            names[member.email_key].append(member.full_name)
    return [Near(accounts[key], names[key]) for key in keys if key in accounts]


# --- finding it -----------------------------------------------------------------------


def staff_paths(site: AdminSite) -> list[URLPattern]:
    """For the staff site, which mounts them."""

    def search(request: HttpRequest) -> HttpResponse:
        return _search(site, request)

    found = require_http_methods(["GET", "HEAD", "POST"])(search)
    return [
        path("household/", site.admin_view(found), name="household"),
        path(
            "household/make-login/",
            site.admin_view(require_POST(_make_login)),
            name="household_make_login",
        ),
    ]


def _search(site: AdminSite, request: HttpRequest) -> HttpResponse:
    if not may_look(request):
        raise PermissionDenied
    if request.method == "POST":
        return _asked(site, request)
    search = request.GET.get("q", "")
    key = email_key(words_of_search(request, search)) if search.startswith("~") else ""
    if not key:
        if search:
            messages.info(request, _("That search is over. Type the email again."))
        return _box(site, request)
    account = HouseholdAccount.objects.filter(email_key=key).first()
    if account is not None:
        return HttpResponseRedirect(account_url(account))
    return household_page(request, site, key, search=search)


def _asked(site: AdminSite, request: HttpRequest) -> HttpResponse:
    typed = request.POST.get("email", "")[: MAX_LENGTH + 1].replace("\0", "")
    key = email_key(typed)
    if not key:
        return _box(site, request, typed, _("Type the email that the family says."))
    if len(typed) > MAX_LENGTH:
        return _box(site, request, typed, _("That is too long for an email."))
    if "@" not in key:
        if not request.user.has_perm("households.view_member"):
            return _box(site, request, typed, _("Type the whole email, with @."))
        # A name, then: the people who are called so are the way to their email.
        messages.info(request, _("That is no email. These people were found by it."))
        query = urlencode({"q": keep_search(request, typed.strip())})
        url = reverse("admin:households_member_changelist")
        return HttpResponseRedirect(f"{url}?{query}")
    account = HouseholdAccount.objects.filter(email_key=key).first()
    if account is not None:
        return HttpResponseRedirect(account_url(account))
    query = urlencode({"q": keep_search(request, key)})
    return HttpResponseRedirect(f"{reverse('admin:household')}?{query}")


def _box(site: AdminSite, request: HttpRequest, typed: str = "", error: str = "") -> HttpResponse:
    context = {
        **site.each_context(request),
        **search_form(typed, error),
        "title": _("“I can't get in”: find the household"),
    }
    status = 422 if error else 200
    return TemplateResponse(request, "admin/household_find.html", context, status=status)


def _make_login(request: HttpRequest) -> HttpResponse:
    """For people on file whose email has no account, which the portal's own doors never leave behind."""
    if not request.user.has_perm("accounts.change_householdaccount"):
        raise PermissionDenied
    search = request.POST.get("q", "")
    key = email_key(words_of_search(request, search)) if search.startswith("~") else ""
    with transaction.atomic():
        if not Member.objects.with_portal_access().filter(email_key=key).exists():
            text = _("No login is made: nobody with portal access has that email.")
            messages.warning(request, text)
            return HttpResponseRedirect(reverse("admin:household"))
        ensure_accounts([key])
        account = HouseholdAccount.objects.get(email_key=key)
        audit.record(
            audit.Action.STAFF_CHANGE,
            "login-made",
            request=request,
            account_id=account.pk,
            object_type="householdaccount",
            object_id=account.pk,
        )
    messages.success(request, _("The login is made. Send a link to it now."))
    return HttpResponseRedirect(account_url(account))
