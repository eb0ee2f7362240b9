"""Forms, requests for them and what families sent of them, as rows: for tests that are not about the pages
which make them."""

from __future__ import annotations

import datetime
import uuid
from typing import Any

from django.utils import timezone

from households.intake.definitions import sha256_of
from households.intake.models import (
    Ask,
    MemberAsk,
    Questionnaire,
    QuestionnaireResponse,
    QuestionnaireVersion,
    Signature,
)
from households.models import Member
from households.submissions.models import Submission


class Forms:
    """Makes rows as the portal's own pages would leave them."""

    def __init__(self, cast: Any) -> None:
        self.cast = cast

    def form(
        self, title: str = "Intake", *, published: bool = True, **columns: Any
    ) -> Questionnaire:
        url = f"https://practice.example/Questionnaire/{uuid.uuid4()}"
        form = Questionnaire.objects.create(title=title, url=url, **columns)
        if published:
            self.publish(form)
        return form

    def publish(
        self, form: Questionnaire, definition: dict | None = None, **columns: Any
    ) -> QuestionnaireVersion:
        """The next version, in place of the one that was asked until now."""
        before = QuestionnaireVersion.objects.filter(questionnaire=form)
        before.filter(status="published").update(status="retired")
        number = before.count() + 1
        definition = definition or definition_of_one_question(form, number)
        return QuestionnaireVersion.objects.create(
            questionnaire=form,
            number=number,
            version=str(number),
            status="published",
            definition=definition,
            sha256=sha256_of(definition),
            **{"published_at": timezone.now(), **columns},
        )

    def ask(self, form: Questionnaire, **columns: Any) -> Ask:
        return Ask.objects.create(questionnaire=form, **{"whom": "everyone", **columns})

    def ask_one(self, form: Questionnaire, member: Member, **columns: Any) -> MemberAsk:
        return MemberAsk.objects.create(questionnaire=form, member=member, **columns)

    def begin(
        self, form: Questionnaire, member: Member, version: Any = None, **columns: Any
    ) -> QuestionnaireResponse:
        version = version or QuestionnaireVersion.objects.get(
            questionnaire=form, status="published"
        )
        return QuestionnaireResponse.objects.create(version=version, member=member, **columns)

    def send(
        self,
        form: Questionnaire,
        member: Member,
        status: str = "received",
        *,
        at: datetime.datetime | None = None,
        version: Any = None,
        **columns: Any,
    ) -> QuestionnaireResponse:
        at = at or timezone.now()
        times = {"seen": ["seen_at"], "filed": ["seen_at", "filed_at"], "returned": ["returned_at"]}
        submission = Submission.objects.create(
            member=member,
            kind="form",
            status=status,
            sent_at=at,
            sent_by=self._account(member),
            reason="Please say more." if status == "returned" else "",
            filled_in_by="guardian",
            filled_in_name="Elena Rivera",
            **dict.fromkeys(times.get(status, []), at),
        )
        sending = {"submission": submission, "sending_id": uuid.uuid4()}
        return self.begin(form, member, version, **sending, **columns)

    def sign(self, response: QuestionnaireResponse, **columns: Any) -> Signature:
        return Signature.objects.create(
            **{
                "member": response.member,
                "response": response,
                "text": "I agree to be treated.",
                "text_sha256": "aa" * 32,
                "typed_name": "Elena Rivera",
                "relationship": "mother",
                **columns,
            }
        )

    def _account(self, member: Member) -> Any:
        return {
            "rivera@example.org": self.cast.rivera,
            "okafor@example.org": self.cast.okafor,
        }[member.email_key]


def definition_of_one_question(form: Questionnaire, number: int) -> dict:
    return {
        "resourceType": "Questionnaire",
        "url": form.url,
        "version": str(number),
        "title": form.title,
        "status": "active",
        "item": [{"linkId": "how", "text": "How are you?", "type": "string"}],
    }
