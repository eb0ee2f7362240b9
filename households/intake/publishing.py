"""What becomes of a form's versions: kept from a file, published, retired, begun anew, let go.

Each step is conditional on what the person saw (SECURITY R-RE-2): of two who act at once one gets False and
nothing happens. Each writes the audit in its own transaction.
"""

from __future__ import annotations

import contextlib
import copy
from enum import StrEnum
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max, ProtectedError
from django.http import HttpRequest
from django.utils import timezone

from accounts import audit
from accounts.models import StaffAccount
from households.intake.building.structure import empty_sections, name_of
from households.intake.bundled import bundled_lists
from households.intake.definitions import lists_named, sha256_of
from households.intake.engine.findings import REFUSE, children, extensions, tail, walk
from households.intake.engine.lint import looked
from households.intake.importing import FormRead, ListRead
from households.intake.models import (
    Questionnaire,
    QuestionnaireVersion,
    ValueSet,
)

Status = QuestionnaireVersion.Status


class Outcome(StrEnum):
    """What keeping a form did."""

    NEW = "new"
    NEW_VERSION = "new-version"
    DRAFT_REPLACED = "draft-replaced"
    SAME = "same"


def outcome_of(form: FormRead) -> tuple[Outcome, QuestionnaireVersion | None]:
    """What keeping it would do now, and the version that it is the same as or takes the place of."""
    versions = list(QuestionnaireVersion.objects.filter(questionnaire__url=form.url))
    same = next((one for one in versions if _is_same(one.definition, form.definition)), None)
    draft = next((one for one in versions if one.status == Status.DRAFT), None)
    if same is not None:
        return Outcome.SAME, same
    if draft is not None:
        return Outcome.DRAFT_REPLACED, draft
    return (Outcome.NEW_VERSION if versions else Outcome.NEW), None


def _is_same(kept: dict[str, Any], read: dict[str, Any]) -> bool:
    """Publishing sets the status, and a version where there is none."""

    def content(definition: dict[str, Any]) -> dict[str, Any]:
        ours = {"status"} if read.get("version") else {"status", "version"}
        return {key: value for key, value in definition.items() if key not in ours}

    return sha256_of(content(kept)) == sha256_of(content(read))


def form_keep(
    *, request: HttpRequest | None, form: FormRead
) -> tuple[Outcome, QuestionnaireVersion]:
    """A form of a file as a draft: of a new form, as the next version of one that is on file, or in the
    place of its draft. What is on file already stays as it is."""
    assert not form.is_refused  # the page does not offer it
    with transaction.atomic():
        # Locked, so that two imports at once count on from each other.
        questionnaire, is_new = Questionnaire.objects.select_for_update().get_or_create(
            url=form.url, defaults=_settings_of(form)
        )
        outcome, standing = outcome_of(form)
        if outcome == Outcome.SAME:
            assert standing is not None
            return outcome, standing
        values = {
            "definition": form.definition,
            "sha256": sha256_of(form.definition),
            "version": str(form.definition.get("version") or "")[:60],
            "report": [finding.as_json() for finding in form.findings],
        }
        if standing is not None:
            for name, value in values.items():
                setattr(standing, name, value)
            standing.revision += 1
            standing.save()
            version = standing
        else:
            version = QuestionnaireVersion.objects.create(
                questionnaire=questionnaire, number=_next_number(questionnaire), **values
            )
        if is_new:
            outcome = Outcome.NEW
        _bundled_keep(request, form.definition)
        _record(request, f"import-{outcome}", version)
    return outcome, version


def _settings_of(form: FormRead) -> dict[str, Any]:
    signed = any(
        tail(one["url"]) == "signatureRequired"
        for item in [form.definition, *(item for item, _parent in walk(form.definition["item"]))]
        for one in extensions(item)
    )
    return {"title": form.title[:200], "needs_signature": signed}


def _next_number(questionnaire: Questionnaire) -> int:
    latest = questionnaire.versions.aggregate(latest=Max("number"))["latest"]
    return (latest or 0) + 1


def list_keep(*, request: HttpRequest | None, read: ListRead) -> str:
    """A list of choices: "new", "changed" or "same"."""
    assert not read.says  # the page does not offer it
    with transaction.atomic():
        on_file = ValueSet.objects.select_for_update().filter(url=read.url).first()
        if on_file is not None and (on_file.title, on_file.concepts) == (read.title, read.concepts):
            return "same"
        one = on_file or ValueSet(url=read.url)
        one.title, one.concepts, one.imported_at = read.title, read.concepts, timezone.now()
        one.save()
        outcome = "new" if on_file is None else "changed"
        audit.record(
            audit.Action.STAFF_CHANGE,
            f"import-{outcome}",
            request=request,
            object_type="valueset",
            object_id=one.pk,
        )
    return outcome


def _bundled_keep(request: HttpRequest | None, definition: dict[str, Any]) -> None:
    """Put the lists on file that a form names, that come with the portal and are not there yet."""
    wanted = lists_named(definition) & bundled_lists().keys()
    on_file = set(ValueSet.objects.filter(url__in=wanted).values_list("url", flat=True))
    for url in sorted(wanted - on_file):
        list_keep(request=request, read=ListRead(**bundled_lists()[url]))


# --- versions -------------------------------------------------------------------------


def refusals(version: QuestionnaireVersion) -> list[str]:
    """Why a version cannot be published; empty where it can."""
    found = [*version.report, *(one.as_json() for one in looked(version.definition))]
    says = [one["says"] for one in found if one.get("level") == REFUSE]
    if not children(version.definition.get("item")):
        says.append("The form asks nothing. Add a question first.")
    says += [
        f"The section “{name_of(row.item)}” is empty. Add a question to it, or delete it."
        for row in empty_sections(version.definition)
    ]
    return list(dict.fromkeys(says))


def version_publish(
    *,
    request: HttpRequest | None,
    version: QuestionnaireVersion,
    by: StaffAccount | None = None,
) -> bool:
    """Freeze a draft, as it was when it was fetched, and ask it from now on; the version before is
    retired. False, and nothing happens, where it changed since, is no draft any more or is refused. `by`
    only where there is no request."""
    by = by or getattr(request, "user", None)
    if refusals(version):
        return False
    definition = copy.deepcopy(version.definition)
    definition["status"] = "active"
    # A response names url|version (FHIR R4 QuestionnaireResponse.questionnaire).
    definition["version"] = str(definition.get("version") or version.number)
    now = timezone.now()
    try:
        with transaction.atomic():
            # One at a time: the version before is retired first, and there is one that is published.
            Questionnaire.objects.select_for_update().get(pk=version.questionnaire_id)
            others = QuestionnaireVersion.objects.filter(
                questionnaire=version.questionnaire_id, status=Status.PUBLISHED
            )
            definition["version"] = _own_version(version, definition["version"])
            drafts = QuestionnaireVersion.objects.filter(
                pk=version.pk, status=Status.DRAFT, revision=version.revision
            )
            if not drafts.exists():
                return False
            others.update(status=Status.RETIRED)
            published = drafts.update(
                status=Status.PUBLISHED,
                definition=definition,
                sha256=sha256_of(definition),
                version=definition["version"][:60],
                published_at=now,
                published_by=by,
            )
            if not published:
                transaction.set_rollback(True)
                return False
            _record(request, "published", version)
    except IntegrityError:
        return False
    version.refresh_from_db()
    return True


def _own_version(version: QuestionnaireVersion, wanted: str) -> str:
    """url|version names one text: a version that an older one has gets our number behind it."""
    taken = set(
        QuestionnaireVersion.objects.filter(questionnaire=version.questionnaire_id)
        .exclude(pk=version.pk)
        .exclude(status=Status.DRAFT)
        .values_list("version", flat=True)
    )
    return f"{wanted[:40]}-{version.number}" if wanted[:60] in taken else wanted[:60]


def version_retire(*, request: HttpRequest, version: QuestionnaireVersion) -> bool:
    """Ask it no more. What was sent stays. False where it is not the published one any more."""
    with transaction.atomic():
        standing = QuestionnaireVersion.objects.filter(pk=version.pk, status=Status.PUBLISHED)
        if not standing.update(status=Status.RETIRED):
            return False
        _record(request, "retired", version)
    version.refresh_from_db()
    return True


def draft_from(
    *, request: HttpRequest, version: QuestionnaireVersion
) -> QuestionnaireVersion | None:
    """A new draft with what a version asks. None where the form has a draft already."""
    definition = copy.deepcopy(version.definition)
    definition["status"] = "draft"
    definition.pop("version", None)
    try:
        with transaction.atomic():
            questionnaire = Questionnaire.objects.select_for_update().get(
                pk=version.questionnaire_id
            )
            draft = QuestionnaireVersion.objects.create(
                questionnaire=questionnaire,
                number=_next_number(questionnaire),
                definition=definition,
                sha256=sha256_of(definition),
                report=version.report,
            )
            _record(request, "draft-begun", draft)
    except IntegrityError:
        return None
    return draft


def draft_discard(*, request: HttpRequest, version: QuestionnaireVersion) -> bool:
    """Let a draft go for good, and its form where nothing else is left of it. False where it changed since
    or is no draft any more."""
    with transaction.atomic():
        questionnaire = Questionnaire.objects.select_for_update().get(pk=version.questionnaire_id)
        drafts = QuestionnaireVersion.objects.filter(
            pk=version.pk, status=Status.DRAFT, revision=version.revision
        )
        if not drafts.delete()[0]:
            return False
        _record(request, "draft-discarded", version)
        if not questionnaire.versions.exists():
            # A form that somebody is asked stays.
            with contextlib.suppress(ProtectedError), transaction.atomic():
                questionnaire.delete()
    return True


def _record(request: HttpRequest | None, outcome: str, version: QuestionnaireVersion) -> None:
    audit.record(
        audit.Action.STAFF_CHANGE,
        outcome,
        request=request,
        object_type="questionnaireversion",
        object_id=version.pk,
    )
