"""The forms that come with the portal, to begin with: written afresh, or instruments that everybody may
reproduce (PHQ, GAD, AUDIT-C); each of those names its authors."""

from __future__ import annotations

import json

from django.http import HttpRequest

from households.intake.bundled import FILE, FOLDER, bundled_lists
from households.intake.importing import FormRead, form_read
from households.intake.models import Questionnaire, QuestionnaireVersion
from households.intake.publishing import Outcome, form_keep

_CONSENTS = {"consent-to-treat", "privacy-notice"}


def starter_names() -> list[str]:
    """Such as "phq-9"."""
    return sorted(path.stem for path in FOLDER.glob("*.json") if path.stem != FILE)


def starter(name: str) -> FormRead:
    """One of them, read as if it were imported."""
    questionnaire = json.loads((FOLDER / f"{name}.json").read_text())
    return form_read(questionnaire, set(bundled_lists()))


def starters_add(*, request: HttpRequest | None) -> list[QuestionnaireVersion]:
    """Keep every form that comes with the portal and that the practice does not have yet, as a draft.
    What it has, changed or not, stays as it is. The demo has no request."""
    on_file = set(Questionnaire.objects.values_list("url", flat=True))
    added = []
    for name in starter_names():
        form = starter(name)
        if form.url in on_file:
            continue
        outcome, version = form_keep(request=request, form=form)
        assert outcome == Outcome.NEW
        if name in _CONSENTS:
            Questionnaire.objects.filter(pk=version.questionnaire_id).update(
                kind=Questionnaire.Kind.CONSENT, needs_signature=True, is_clinical=False
            )
        added.append(version)
    return added
