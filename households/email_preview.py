"""The page between a save that moves access and the save itself: who gains the chart, who loses it, what
closes. Nothing is saved until somebody presses its button, which confirms what was shown and nothing else."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

from accounts import audit
from households.email_change import EmailChange
from households.models import Member
from households.staff_pages import name_and_birth_date

_OWN = {"csrfmiddlewaretoken", "confirmed", "together"}


class NeedsConfirmation(Exception):
    """Raised in the middle of a save, so that its transaction is undone."""

    def __init__(self, change: EmailChange) -> None:
        self.change = change


def confirm(request: HttpRequest, change: EmailChange) -> None:
    """Raises NeedsConfirmation unless nothing needs it, or this request comes from the page that showed this
    very change. Where two households join, the box that says so is ticked as well (R-WP-11)."""
    if not change.needs_confirmation:
        return
    seen = constant_time_compare(request.POST.get("confirmed", ""), change.fingerprint)
    if not seen or (change.joins and not request.POST.get("together")):
        raise NeedsConfirmation(change)


def preview_page(
    request: HttpRequest, site: AdminSite, change: EmailChange, *, back: str
) -> HttpResponse:
    """The page. It posts what was typed to the same address again; `back` is where nothing is saved."""
    typed = [
        (name, value)
        for name, values in request.POST.lists()
        if name not in _OWN
        for value in values
    ]
    audit.record(
        audit.Action.STAFF_VIEW,
        "email-join" if change.joins else "email-change",
        request=request,
        member_id=change.before.pk if change.before else None,
        object_type="member",
    )
    seen = constant_time_compare(request.POST.get("confirmed", ""), change.fingerprint)
    context = {
        **site.each_context(request),
        "title": _("Check who could open this chart"),
        "subtitle": name_and_birth_date(change.after),
        "opts": Member._meta,
        "change": change,
        "typed": typed,
        "tick_missing": seen and bool(change.joins),
        "back": back,
    }
    return TemplateResponse(request, "admin/households/member/confirm_email.html", context)
