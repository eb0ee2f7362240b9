"""Versions: kept once, published and frozen, retired, begun anew, let go; two staff at once."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, transaction

from accounts.audit.models import AuditEvent
from households.intake.definitions import sha256_of
from households.intake.importing import form_read
from households.intake.models import Ask, Questionnaire, QuestionnaireVersion
from households.intake.publishing import (
    Outcome,
    draft_discard,
    draft_from,
    form_keep,
    version_publish,
    version_retire,
)
from tests.households.intake.definitions.forms import form, item

Status = QuestionnaireVersion.Status


def outcomes():
    rows = AuditEvent.objects.filter(object_type="questionnaireversion").order_by("pk")
    return [row.outcome for row in rows]


def test_publishing_freezes_and_retires_the_one_before(keep, request_of):
    first = keep()
    assert version_publish(request=request_of, version=first)
    assert (first.status, first.published_by) == (Status.PUBLISHED, request_of.user)
    assert first.definition["status"] == "active" and first.definition["version"] == "1"
    assert first.sha256 == sha256_of(first.definition)
    second = keep(form(item("a"), item("c")))
    assert (second.number, second.status) == (2, Status.DRAFT)
    assert version_publish(request=request_of, version=second)
    first.refresh_from_db()
    assert (first.status, second.status) == (Status.RETIRED, Status.PUBLISHED)
    assert outcomes() == ["import-new", "published", "import-new-version", "published"]


def test_the_same_file_again_changes_nothing(keep, request_of):
    version = keep()
    for _each in range(2):
        outcome, again = form_keep(
            request=request_of, form=form_read(form(item("a"), item("b")), set())
        )
        assert (outcome, again.pk) == (Outcome.SAME, version.pk)
        version_publish(request=request_of, version=version)
    assert QuestionnaireVersion.objects.count() == 1


def test_another_file_of_the_same_address_takes_the_drafts_place(keep, request_of):
    version = keep()
    outcome, again = form_keep(request=request_of, form=form_read(form(item("z")), set()))
    assert (outcome, again.pk, again.revision) == (Outcome.DRAFT_REPLACED, version.pk, 2)
    # Who looked at the draft before it was replaced does not publish what they did not see.
    assert not version_publish(request=request_of, version=version)
    assert version_publish(request=request_of, version=again)


def test_each_version_has_a_version_of_its_own(keep, request_of):
    for number, items in enumerate(([item("a")], [item("b")]), 1):
        version = keep(form(*items, version="1.0"))
        version_publish(request=request_of, version=version)
        assert version.version == ("1.0" if number == 1 else "1.0-2")
        assert version.definition["version"] == version.version


@pytest.mark.parametrize(
    "change",
    [
        {"definition": {"resourceType": "Questionnaire"}},
        {"sha256": "0" * 64},
        {"version": "9"},
        {"number": 9},
        {"status": "draft"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_is_published_cannot_be_changed_by_anybody(keep, request_of, change):
    version = keep()
    QuestionnaireVersion.objects.filter(pk=version.pk).update(revision=7)
    version.refresh_from_db()
    assert version_publish(request=request_of, version=version)
    for way in ("update", "save"):
        with pytest.raises(DatabaseError, match="frozen"), transaction.atomic():
            if way == "update":
                QuestionnaireVersion.objects.filter(pk=version.pk).update(**change)
            else:
                for name, value in change.items():
                    setattr(version, name, value)
                version.save()
        version.refresh_from_db()
    assert version_retire(request=request_of, version=version)
    with pytest.raises(DatabaseError, match="frozen"), transaction.atomic():
        QuestionnaireVersion.objects.filter(pk=version.pk).update(**change)


def test_a_refused_draft_is_not_published(keep, request_of):
    version = keep()
    version.report = [{"level": "refuse", "rule": "x", "link_id": "", "says": "Broken."}]
    version.save()
    assert not version_publish(request=request_of, version=version)
    assert outcomes() == ["import-new"]


def test_a_new_draft_begins_with_what_is_asked(keep, request_of):
    version = keep()
    version_publish(request=request_of, version=version)
    draft = draft_from(request=request_of, version=version)
    assert (draft.number, draft.status) == (2, Status.DRAFT)
    assert draft.definition["item"] == version.definition["item"]
    assert "version" not in draft.definition and draft.definition["status"] == "draft"
    assert draft_from(request=request_of, version=version) is None, "there is one already"
    assert draft_discard(request=request_of, version=draft)
    assert not draft_discard(request=request_of, version=draft)
    version.refresh_from_db()
    assert version.status == Status.PUBLISHED
    assert not draft_discard(request=request_of, version=version), "it is no draft"


def test_the_last_draft_goes_with_its_form_unless_it_is_asked(keep, request_of):
    version = keep()
    Ask.objects.create(questionnaire=version.questionnaire, whom=Ask.Whom.EVERYONE)
    assert draft_discard(request=request_of, version=version)
    assert Questionnaire.objects.count() == 1
    Ask.objects.all().delete()
    assert draft_discard(request=request_of, version=keep())
    assert Questionnaire.objects.count() == 0


def test_retiring_twice_happens_once(keep, request_of):
    version = keep()
    assert not version_retire(request=request_of, version=version), "a draft is not asked"
    version_publish(request=request_of, version=version)
    assert version_retire(request=request_of, version=version)
    assert not version_retire(request=request_of, version=version)
    assert outcomes() == ["import-new", "published", "retired"]
