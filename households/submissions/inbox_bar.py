"""What stands on the staff's page of every thing that a family sent, whatever kind it is: where it is in the
inbox, what comes before and after it, who takes care of it, and its buttons.

The buttons are the list's own (admin.py). A slice's page includes admin/submissions/bar.html and hands its
context on (SentThingAdmin.bar).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import URLPattern, reverse
from django.utils.translation import gettext as _

from households.staff_pages import MemberOwnedAdmin, moment, person_line
from households.submissions.inbox import (
    MODELS,
    Walk,
    kinds_seen_by,
    may_decide,
    on_the_way,
    walk_of,
)
from households.submissions.models import Submission

Status = Submission.Status


def address_of(submission: Submission) -> str:
    """The staff's page of the thing that was sent."""
    app, model = MODELS[Submission.Kind(submission.kind)]
    return reverse(f"admin:{app}_{model}_of", args=[submission.pk])


class SentThingAdmin(MemberOwnedAdmin):
    """The pages of one kind of thing that families send. A slice says it in words, and which of many at
    once are left for somebody to look at."""

    def text_of(self, request: HttpRequest, submission: Submission) -> str:
        """The whole of it as plain text, to paste into another record system."""
        raise NotImplementedError  # every slice says it

    def left_alone(self, submissions: Sequence[Submission], *, filing: bool) -> set[int]:
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
            if isinstance(response, HttpResponseRedirect):
                response.headers["Location"] = on_the_way(request, response.url)
            return response

        return super().own_path(route, staying, methods)

    # --- the bar ----------------------------------------------------------------------

    def bar(
        self, request: HttpRequest, submission: Submission, *, may_file: bool, file_url: str = ""
    ) -> dict[str, Any]:
        """The context of admin/submissions/bar.html. `may_file` when nothing in it waits for a decision;
        `file_url` is the slice's own button that files it."""
        walk = walk_of(request)
        decides = may_decide(request.user, submission.kind)
        living = submission.status != Status.WITHDRAWN
        in_inbox = submission.kind in kinds_seen_by(request.user)
        return {
            "way": _way(walk, submission) if in_inbox else None,
            "submission": submission,
            "query": on_the_way(request, ""),
            "files": decides and living and may_file and submission.status != Status.FILED,
            "file_url": file_url,
            "assigns": decides and living and in_inbox,
            "is_mine": submission.assigned_to_id == request.user.pk,
            "may_refile": living
            and decides
            and request.user.has_perm("submissions.refile_submission"),
        }


def _way(walk: Walk, submission: Submission) -> dict[str, Any]:
    neighbours = walk.neighbours(submission)
    ends = {"previous": neighbours.previous, "following": neighbours.following}
    return {
        "neighbours": neighbours,
        "list_url": reverse("admin:submissions_submission_changelist") + walk.list_query,
        **{
            f"{which}_url": f"{address_of(one)}{walk.query}" if one is not None else ""
            for which, one in ends.items()
        },
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
