"""What of the things that families send a person at the practice may see (PRODUCT H7).

The front desk does not see the history, not even that some was sent. Of a clinical form it sees that it
came, for whom, and whether it suggests danger, so that somebody reacts, and nothing of the answers. Every
list, count, page and file of staff that holds things which families sent asks here.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from households.submissions.models import Submission

Kind = Submission.Kind

# Whoever lacks the permission does not see that there is anything of the kind.
_SEES = {
    Kind.DOCUMENT: "documents.view_document",
    Kind.DEMOGRAPHICS: "demographics.view_detailchange",
    Kind.HISTORY: "history.view_entrychange",
    Kind.FORM: "intake.view_questionnaireresponse",
}
_DECIDES = {
    Kind.DOCUMENT: "documents.change_document",
    Kind.DEMOGRAPHICS: "demographics.change_detailchange",
    Kind.HISTORY: "history.change_entrychange",
    Kind.FORM: "intake.change_questionnaireresponse",
}
CLINICAL = "intake.view_clinical_answers"
# What Submission.about says of a document that is an answer in a clinical form.
CLINICAL_DOCUMENT = "clinical"


def sees_clinical_answers(user: Any) -> bool:
    """Whether `user` reads the answers of clinical forms, and what they are called."""
    return bool(user.has_perm(CLINICAL))


def kinds_seen_by(user: Any) -> list[Kind]:
    return [kind for kind, permission in _SEES.items() if user.has_perm(permission)]


def kinds_decided_by(user: Any) -> list[Kind]:
    """The kinds of which `user` may mark, file, accept and return."""
    return [kind for kind, permission in _DECIDES.items() if user.has_perm(permission)]


def seen_by(user: Any, through: str = "") -> Q:
    """Of submissions, those that `user` may know of. `through` is the way to them, such as "submission__"."""
    kinds = kinds_seen_by(user)
    seen = Q() if len(kinds) == len(_SEES) else Q(**{f"{through}kind__in": kinds})
    if sees_clinical_answers(user):
        return seen
    return seen & ~Q(**{f"{through}about": CLINICAL_DOCUMENT})
