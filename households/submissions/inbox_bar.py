"""What stands on the staff's page of every thing that a family sent, whatever kind it is: where it is in the
inbox, what comes before and after it, who takes care of it, and its buttons.

The buttons are the list's own (admin.py). A slice's page includes admin/submissions/bar.html and hands its
context on (SentThingAdmin.bar).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import URLPattern, reverse
from django.utils.translation import gettext as _

from households.staff_pages import MemberOwnedAdmin, moment, person_line
from households.submissions.inbox import (
    MODELS,
    Walk,
    kinds_in_inbox,
    on_the_way,
    walk_of,
)
from households.submissions.models import Submission
from households.submissions.refiling import may_refile
from households.submissions.sight import kinds_decided_by

Status = Submission.Status


def address_of(submission: Submission) -> str:
    """The staff's page of the thing that was sent."""
    app, model = MODELS[Submission.Kind(submission.kind)]
    return reverse(f"admin:{app}_{model}_of", args=[submission.pk])


def to_the_next(request: HttpRequest, submission: Submission) -> HttpResponseRedirect:
    """To what comes after it by now in the list that it was opened from, or back to the list."""
    walk = walk_of(request)
    last = _("That was the last one in this list.")
    return _to(request, walk, walk.neighbours(submission).following, last)


def to_the_previous(request: HttpRequest, submission: Submission) -> HttpResponseRedirect:
    """To what is before it by now in the list that it was opened from, or back to the list."""
    walk = walk_of(request)
    first = _("That was the first one in this list.")
    return _to(request, walk, walk.neighbours(submission).previous, first)


def _to(
    request: HttpRequest, walk: Walk, neighbour: Submission | None, at_the_end: str
) -> HttpResponseRedirect:
    if neighbour is not None:
        return HttpResponseRedirect(f"{address_of(neighbour)}{walk.query}")
    messages.info(request, at_the_end)
    inbox = reverse("admin:submissions_submission_changelist")
    return HttpResponseRedirect(f"{inbox}{walk.list_query}")


class SentThingAdmin(MemberOwnedAdmin):
    """The pages of one kind of thing that families send. A slice says it in words, and which of many at
    once are left for somebody to look at."""

    def text_of(self, request: HttpRequest, submission: Submission) -> str:
        """The whole of it as plain text, to paste into another record system."""
        raise NotImplementedError  # every slice says it

    def left_alone(
        self, request: HttpRequest, submissions: Sequence[Submission], *, filing: bool
    ) -> set[int]:
        """Of many that somebody wants to mark as seen, or with `filing` as filed, those (by number) that
        need more than a mark."""
        return set()

    # --- staying on the way -----------------------------------------------------------

    def own_path(
        self, route: str, view: Callable[..., HttpResponseBase], methods: str = "GET, HEAD"
    ) -> URLPattern:
        """After a button the way through the inbox goes on where it was."""

        @wraps(view)
        def staying(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            response = view(request, *args, **kwargs)
            if isinstance(response, HttpResponseRedirect) and "?" not in response.url:
                response.headers["Location"] = on_the_way(request, response.url)
            return response

        return super().own_path(route, staying, methods)

    # --- the bar ----------------------------------------------------------------------

    def bar(
        self,
        request: HttpRequest,
        submission: Submission,
        *,
        may_file: bool,
        file_url: str = "",
        has_text: bool = True,
    ) -> dict[str, Any]:
        """The context of admin/submissions/bar.html. `may_file` when nothing in it waits for a decision;
        `file_url` is the slice's own button that files it; without `has_text` the visitor may not read
        it."""
        walk = walk_of(request)
        decides = submission.kind in kinds_decided_by(request.user)
        living = submission.status != Status.WITHDRAWN
        in_inbox = submission.kind in kinds_in_inbox(request.user)
        return {
            "way": _way(walk, submission) if in_inbox else None,
            "submission": submission,
            "query": on_the_way(request, ""),
            "files": decides and living and may_file and submission.status != Status.FILED,
            "file_url": file_url,
            "has_text": in_inbox and has_text,
            "assigns": decides and living and in_inbox,
            "is_mine": submission.assigned_to_id == request.user.pk,
            "may_refile": living and may_refile(request.user, submission),
        }


def _way(walk: Walk, submission: Submission) -> dict[str, Any]:
    return {
        "neighbours": walk.neighbours(submission),
        "query": walk.query,
        "list_url": reverse("admin:submissions_submission_changelist") + walk.list_query,
    }


# --- words ----------------------------------------------------------------------------


def text_head(submission: Submission, title: str) -> list[str]:
    """The first lines of a thing as text: what it is, whose, from whom and when, and what became of it."""
    filler = submission.filler or _("nobody said who filled it in")
    sent = {"at": moment(submission.sent_at), "filler": filler}
    lines = [title, person_line(submission.member), _("Sent %(at)s (%(filler)s)") % sent]
    lines += [f"{word}: {moment(at)}" for word, at in submission.steps[1:]]
    if submission.reason:
        lines.append(_("Returned, because: %(reason)s") % {"reason": submission.reason})
    return [one_line(line) for line in lines]


def one_line(text: str) -> str:
    """Pasted into a spreadsheet, a value stays in its cell (SECURITY IN-07)."""
    return " ".join(text.split())
