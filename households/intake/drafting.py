"""Saving what staff build: each change of a draft with its entry in the audit, in one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from accounts import audit
from households.intake.building.changes import begun
from households.intake.definitions import sha256_of
from households.intake.models import Questionnaire, QuestionnaireVersion

Definition = dict[str, Any]


class NotADraft(Exception):
    """What is published is frozen."""


class ChangedMeanwhile(Exception):
    """Somebody saved the draft after this page was opened."""


@transaction.atomic
def draft_change(
    *,
    request: HttpRequest,
    version_pk: int,
    change: Callable[[Definition], Definition],
    what: str,
    revision: int | None = None,
) -> QuestionnaireVersion:
    """The draft as `change` makes it of what stands there now. `what` is its audit word.

    Raises NotADraft, ChangedMeanwhile when the draft is not at `revision` any more, and what `change` raises;
    then nothing is saved. Http404 for no such version.
    """
    rows = QuestionnaireVersion.objects.select_for_update(of=("self",), no_key=True)
    version = get_object_or_404(rows.select_related("questionnaire"), pk=version_pk)
    if version.status != QuestionnaireVersion.Status.DRAFT:
        raise NotADraft
    if revision is not None and version.revision != revision:
        raise ChangedMeanwhile
    definition = change(version.definition)
    if definition == version.definition:
        return version
    version.definition = definition
    version.sha256 = sha256_of(definition)
    version.revision += 1
    version.save(update_fields=["definition", "sha256", "revision"])
    _follow_title(version)
    _record(request, f"draft-{what}", version)
    return version


def _follow_title(version: QuestionnaireVersion) -> None:
    """Until a form is published, it is called what its draft is called."""
    questionnaire, title = version.questionnaire, version.definition.get("title", "")
    if version.number == 1 and title and questionnaire.title != title[:200]:
        questionnaire.title = title[:200]
        questionnaire.save(update_fields=["title"])


@transaction.atomic
def questionnaire_begin(
    *, request: HttpRequest, public_id: uuid.UUID, title: str, kind: str, section: str
) -> QuestionnaireVersion:
    """A new form with one section. The same page sent twice begins one form."""
    questionnaire, is_new = Questionnaire.objects.get_or_create(
        public_id=public_id,
        defaults={
            "url": public_id.urn,
            "title": title,
            "kind": kind,
            "needs_signature": kind == Questionnaire.Kind.CONSENT,
            "is_clinical": kind != Questionnaire.Kind.CONSENT,
        },
    )
    if not is_new:
        return questionnaire.versions.latest("number")
    definition = begun(questionnaire.url, title, section)
    version = QuestionnaireVersion.objects.create(
        questionnaire=questionnaire,
        number=1,
        definition=definition,
        sha256=sha256_of(definition),
    )
    _record(request, "form-begun", version)
    return version


def _record(request: HttpRequest, outcome: str, version: QuestionnaireVersion) -> None:
    audit.record(
        audit.Action.STAFF_CHANGE,
        outcome,
        request=request,
        object_type="questionnaireversion",
        object_id=version.pk,
    )
