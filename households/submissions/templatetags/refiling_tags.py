"""For the staff's pages of one thing that was sent: whose it was before, and where it went."""

from __future__ import annotations

from typing import Any

from django import template

from households.staff_pages import moment, name_and_birth_date
from households.submissions.models import Submission

register = template.Library()


@register.inclusion_tag("admin/submissions/moved.html")
def moves_of(submission: Submission | None) -> dict[str, Any]:
    """Every move of this thing, the first one first. Nothing where it was never moved, and no query."""
    if submission is None or submission.moved_at is None:
        return {"moves": []}
    here = submission.refilings.select_related("from_member", "member", "staff")
    away = submission.refilings_away.select_related("from_member", "member", "staff")
    moves = sorted([*here, *away], key=lambda one: (one.at, one.pk))
    return {
        "moves": [
            {
                "refiling": one,
                "at": moment(one.at),
                "from_line": name_and_birth_date(one.from_member),
                "to_line": name_and_birth_date(one.member),
            }
            for one in moves
        ]
    }
