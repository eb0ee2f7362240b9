"""A member's home. It may read every slice; no slice reads it.

It is the page that is opened most, and building a statement costs more than reading a few rows too many: so
it asks for a member's rows as plainly as can be, and sorts them out in Python.
"""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts import audit
from accounts.requests import page_number
from households import kept
from households.binding import member_url
from households.demographics.standing import AllStanding
from households.history.sections import is_shared
from households.models import Member
from households.overview import activity
from households.overview.checklist import page_of, tasks_of
from households.overview.document_rows import asked_for, documents_of
from households.overview.lately import recent
from households.overview.standing import Standing, standing_of
from households.requests import MemberRequest

_SHARED = 5


@require_safe
def overview(request: MemberRequest, member: Member) -> HttpResponse:
    """What is to do, what the practice shared, what happened lately, what was typed and not sent."""
    documents = documents_of(member)
    standing = standing_of(member)
    # Asked only where it can be so: “This is all correct” is not taken while something is missing.
    missing = len(AllStanding.of(member).missing()) if standing.asked_since else 0
    tasks = tasks_of(
        request,
        asked=asked_for(member),
        documents=documents,
        forms=standing.forms.rows(member, timezone.localdate()),
        standing=standing,
        missing=missing,
    )
    audit.record(audit.Action.VIEW, "ok", request=request, object_type="overview")
    # What is new stands among the tasks.
    shared = [one for one in documents if not one.status and one.opened_at]
    context = {
        "member": member,
        "tasks": tasks,
        "done_count": sum(task["done"] is True for task in tasks),
        "total": sum(task["done"] is not None for task in tasks),
        "today": timezone.localdate(),
        "recent": recent(
            documents,
            standing.sent,
            standing.moved,
            _hidden(request, standing),
            standing.forms.titles,
        ),
        "shared": [(page_of(request, document), document) for document in shared[:_SHARED]],
        "kept": _kept(request, member),
    }
    return render(request, "households/overview/home.html", context)


@require_safe
def chart_activity(request: MemberRequest, member: Member) -> HttpResponse:
    """Who did what in this chart, as far as a family's shared login can say it."""
    number = page_number(request, activity.MOST_PAGES)
    happened = activity.activity_of(member, request.household_session.account, number)
    audit.record(audit.Action.VIEW, "ok", request=request, object_type="activity")
    context = {
        "member": member,
        "lines": happened.lines,
        "newer": number - 1,
        "older": number + 1 if happened.there_is_more else 0,
    }
    return render(request, "households/overview/activity.html", context)


def _hidden(request: MemberRequest, standing: Standing) -> frozenset[str]:
    """The topics that this login may not be told of. Asked only where something could be."""
    if standing.private_topics.isdisjoint(row.about for row in standing.sent):
        return frozenset()
    shared = is_shared(request.household_session.account)
    return frozenset(standing.private_topics) if shared else frozenset()


def _kept(request: MemberRequest, member: Member) -> list[dict[str, object]]:
    """Text typed for this person that was not sent, with the page to carry on at."""
    home = member_url(request, "overview")
    account = request.household_session.account
    return [
        {"title": _page_title(page), "url": f"{home}{page}", "kept_at": kept_at}
        for page, kept_at in kept.pages(account, member)
    ]


def _page_title(page: str) -> str:
    if page == "documents/":
        return _("Documents")
    if page.startswith("documents/requests/"):
        return _("A document the practice asks for")
    if page.startswith("documents/") and page.endswith("/again/"):
        return _("A document to send again")
    if page.startswith("demographics/"):
        return _("Details")
    if page.startswith("history/"):
        return _("Medical history")
    if page.startswith("forms/"):
        return _("A form")
    return _("A page")
