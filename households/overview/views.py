"""A member's home. It may read every slice; no slice reads it."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from accounts import audit
from households import kept
from households.binding import member_url
from households.documents.models import Document
from households.models import Member
from households.requests import MemberRequest

_RECENT = 5


@require_safe
def overview(request: MemberRequest, member: Member) -> HttpResponse:
    """What is to do, what was sent, what was typed and not sent."""
    documents = list(
        Document.objects.for_member(member).sent().values_list("sent_at", "submission__status")
    )
    audit.record(audit.Action.VIEW, "ok", request=request, object_type="overview")
    tasks = [_documents_task(request, documents)]
    context = {
        "member": member,
        "tasks": tasks,
        "done_count": sum(bool(task["done"]) for task in tasks),
        "total": len(tasks),
        "recent": [
            {"at": sent_at, "words": _("A document was sent")}
            for sent_at, _status in documents[:_RECENT]
        ],
        "shared": [],
        "kept": _kept(request, member),
    }
    return render(request, "households/overview/home.html", context)


def _documents_task(request: MemberRequest, documents: list) -> dict[str, object]:
    sent = len(documents)
    return {
        "title": _("Documents"),
        "url": member_url(request, "documents"),
        "status": "sent" if sent else "not-started",
        "status_words": ngettext("%(count)d sent", "%(count)d sent", sent) % {"count": sent}
        if sent
        else _("Nothing sent yet"),
        "done": bool(sent),
    }


def _kept(request: MemberRequest, member: Member) -> list[dict[str, object]]:
    """Text typed for this person that was not sent, with the page to carry on at."""
    home = member_url(request, "overview")
    titles = {"documents/": _("Documents")}
    account = request.household_session.account
    kept_pages = kept.for_member(account, member).values_list("page", "kept_at")
    return [
        {"title": titles.get(page, _("A page")), "url": f"{home}{page}", "kept_at": kept_at}
        for page, kept_at in kept_pages
    ]
