"""How a filled form moves to another person: as it was answered, with its earlier versions, the correction
that is being typed, and the documents that are its answers. Signatures stay as they were given and are
voided: the right person's family is asked to sign again. Who is asked what follows from where the form is now
(asking.py).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from households.documents.models import Document
from households.documents.refiling import document_moves, filed_before
from households.intake.asking import rules_for
from households.intake.models import QuestionnaireResponse, Signature
from households.intake.voiding import signature_void
from households.models import Member
from households.submissions.models import Submission
from households.submissions.refiling import Moving, Plan

Status = Submission.Status


@dataclass(frozen=True)
class _Chain:
    """A form with everything that corrects it or that it corrects: one thing, in several versions. `sent` is
    the oldest first."""

    sent: list[QuestionnaireResponse]
    drafts: list[QuestionnaireResponse]

    @property
    def latest(self) -> QuestionnaireResponse:
        return self.sent[-1]

    @property
    def all(self) -> list[QuestionnaireResponse]:
        return [*self.sent, *self.drafts]


def is_clinical(submission: Submission) -> bool:
    """Whether the front desk may not read what was sent in it."""
    rows = QuestionnaireResponse.objects.for_member(submission.member)
    return rows.filter(submission=submission, version__questionnaire__is_clinical=True).exists()


def why_not_alone(submission: Submission) -> str:
    """Why a document does not move by itself: it is an answer in a form. "" when it is none."""
    document = Document.objects.for_member(submission.member).filter(submission=submission).first()
    if document is None:
        return ""
    rows = QuestionnaireResponse.objects.for_member(submission.member)
    rows = rows.exclude(submission__status=Status.WITHDRAWN)
    for response in rows.select_related("version__questionnaire").defer("version__definition"):
        if str(document.public_id) not in _ids_of_files(response.items):
            continue
        # What a clinical form is called tells something of it, and not everybody may know that.
        asked = response.version.questionnaire
        names = {"form": _("a clinical form") if asked.is_clinical else asked.title}
        if response.is_draft:
            return (
                _(
                    "It is an answer in the form “%(form)s”, which the family is filling in now. Wait until "
                    "they have sent it, and move the form: the document goes with it."
                )
                % names
            )
        return (
            _("It is an answer in the form “%(form)s”. Move the form: the document goes with it.")
            % names
        )
    return ""


def plan(submission: Submission, to: Member) -> Plan:
    chain = _chain(submission)
    if chain is None:
        return Plan(why_not=_("There is no form any more."))
    marks: list[Any] = [[one.pk, one.revision, one.submission_id] for one in chain.all]
    latest = chain.latest
    names = {
        "form": latest.version.questionnaire.title,
        "from": submission.member.full_name,
        "to": to.full_name,
    }
    if why_not := _why_not(chain, to, names):
        return Plan(why_not=why_not, marks=marks)
    happens = [
        _(
            "“%(form)s” goes to %(to)s with its answers as they were given, and waits there as if it had "
            "just come. Who has the chart of %(from)s open does not see it any more."
        )
        % names
    ]
    if earlier := len(chain.sent) - 1:
        words = ngettext(
            "The family has corrected it: the %(count)d other version goes with it.",
            "The family has corrected it: the %(count)d other versions go with it.",
            earlier,
        )
        happens.append(words % {"count": earlier})
    if chain.drafts:
        text = _("The family is correcting it now. What they have typed goes with it.")
        happens.append(text)
    documents = _documents(submission.member, chain)
    if documents:
        words = ngettext(
            "The %(count)d document in its answers goes with it.",
            "The %(count)d documents in its answers go with it.",
            len(documents),
        )
        happens.append(words % {"count": len(documents)})
    signatures = _standing_signatures(chain)
    happens += [
        _(
            "The signature of %(signer)s is voided. The family is asked to sign for %(to)s; until then there "
            "is no signature."
        )
        % {**names, "signer": one.typed_name}
        for one in signatures
    ]
    marks.append([one.pk for one in signatures])
    happens += _what_is_asked(chain, submission.member, to, names, bool(signatures))
    if latest.danger:
        happens.append(
            _(
                "An answer in it suggests danger. It stands on top of the inbox, unseen, until somebody has "
                "opened it for %(to)s."
            )
            % names
        )
    if "%patient" in json.dumps(latest.version.definition):
        happens.append(
            _(
                "This form takes some things from the file: what it wrote or worked out from the name, sex "
                "or age of %(from)s stays in it. Read it with that in mind, or return it instead."
            )
            % names
        )
    # Of what was sent: it has one.
    happens += filed_before(latest.submission, to)  # type: ignore[arg-type]
    others = [one.submission for one in chain.sent if one.submission_id != submission.pk]
    along = [one for one in [*others, *(one.submission for one in documents)] if one is not None]
    return Plan(happens=happens, marks=marks, along=along)


def _why_not(chain: _Chain, to: Member, names: dict[str, str]) -> str:
    latest = chain.latest.submission
    if latest is not None and latest.status == Status.RETURNED:
        return _(
            "Its latest version was returned to the family, who were asked to send it again. If the practice "
            "keeps it after all, file it first; then it can be moved."
        )
    theirs = QuestionnaireResponse.objects.for_member(to).drafts()
    if theirs.filter(version__in=[one.version_id for one in chain.drafts]).exists():
        return (
            _(
                "The family is correcting this form for %(from)s and filling it in for %(to)s at the same "
                "time. Wait until one of the two is sent or thrown away."
            )
            % names
        )
    return ""


def _what_is_asked(
    chain: _Chain, from_member: Member, to: Member, names: dict[str, str], is_signed: bool
) -> Iterator[str]:
    """In the words of the rules in force: what else either of them sent decides too."""
    form, today = chain.latest.version.questionnaire_id, timezone.localdate()
    if any(rule.questionnaire_id == form for rule in rules_for(from_member, today)):
        yield _("%(from)s is asked for this form, and has to answer it again.") % names
    if any(rule.questionnaire_id == form for rule in rules_for(to, today)) and not is_signed:
        yield _("%(to)s is asked for this form: with this it is answered.") % names
    sent = QuestionnaireResponse.objects.for_member(to).sent()
    sent = sent.exclude(submission__status=Status.WITHDRAWN)
    if sent.filter(version__questionnaire=form).exists():
        yield (
            _("%(to)s has sent this form too. Both stay; the one that was sent later counts.")
            % names
        )


def lock(submission: Submission, to: Member) -> None:
    """The responses first, as in filling them in: a draft that is saved or sent meanwhile waits."""
    chain = _chain(submission)
    if chain is not None:
        rows = QuestionnaireResponse.objects.for_member(submission.member)
        rows = rows.filter(pk__in=[one.pk for one in chain.all])
        list(rows.select_for_update().order_by("pk").values_list("pk"))


def move(moving: Moving, submission: Submission) -> None:
    chain = _chain(submission)
    assert chain is not None  # the plan says so
    documents = _documents(moving.from_member, chain)
    for signature in _standing_signatures(chain):
        # The family reads this.
        reason = _("This was signed in the wrong person's chart.")
        signature_void(request=moving.request, signature=signature, reason=reason)
    latest = chain.latest.submission
    ordered = sorted(chain.sent, key=lambda one: one.submission_id != submission.pk)
    for envelope in [one.submission for one in ordered if one.submission is not None]:
        # Read anew with the right person in mind; the versions before it stay as they were.
        status = Status.RECEIVED if envelope == latest else Status(envelope.status)
        moving.submission_moves(envelope, status=status)
    rows = QuestionnaireResponse.objects.for_member(moving.from_member)
    # The page it was sent from was another person's.
    rows.filter(pk__in=[one.pk for one in chain.all]).update(member=moving.to, sending_id=None)
    for document in documents:
        document_moves(moving, document)


# --- what belongs together ------------------------------------------------------------


def _chain(submission: Submission) -> _Chain | None:
    """None where nothing was sent in it. Its responses without their answers."""
    rows = QuestionnaireResponse.objects.for_member(submission.member)
    rows = rows.exclude(submission__status=Status.WITHDRAWN)
    corrects = dict(rows.order_by().values_list("pk", "corrects_id"))
    start = rows.filter(submission=submission).values_list("pk", flat=True).first()
    if start is None:
        return None
    together = {start}
    while True:
        found = {pk for pk, before in corrects.items() if before in together}
        found |= {before for pk in together if (before := corrects.get(pk)) in corrects and before}
        if found <= together:
            break
        together |= found
    read = rows.filter(pk__in=together).select_related("version__questionnaire", "submission")
    responses = sorted(read, key=_sent_at)
    return _Chain(
        sent=[one for one in responses if one.submission is not None],
        drafts=[one for one in responses if one.submission is None],
    )


def _sent_at(response: QuestionnaireResponse) -> Any:
    sent_at = response.submission.sent_at if response.submission else response.started_at
    return (response.submission is None, sent_at, response.pk)


def _standing_signatures(chain: _Chain) -> list[Signature]:
    """Those that count. Each is of the person for whom it was given, whoever has the form now."""
    return [
        signature
        for response in chain.sent
        if (signature := getattr(response, "signature", None)) is not None
        and signature.voided_at is None
    ]


def _documents(member: Member, chain: _Chain) -> list[Document]:
    """The documents that are answers anywhere in it."""
    ids = {one for response in chain.all for one in _ids_of_files(response.items)}
    rows = Document.objects.for_member(member).filter(sender=Document.Sender.FAMILY)
    rows = rows.filter(public_id__in=ids).select_related("submission", "member")
    return list(rows.order_by("pk"))


def _ids_of_files(items: Any) -> set[str]:
    """The public ids of the documents in the answers, wherever they stand."""
    if isinstance(items, list):
        return {one for item in items for one in _ids_of_files(item)}
    if not isinstance(items, dict):
        return set()
    found = {one for value in items.values() for one in _ids_of_files(value)}
    file = items.get("valueAttachment")
    if isinstance(file, dict):
        url = str(file.get("url", ""))
        with suppress(ValueError):
            found.add(str(uuid.UUID(url.removeprefix("urn:uuid:"))))
    return found
