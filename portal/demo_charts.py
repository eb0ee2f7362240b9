"""The charts of the demo's people: a child with a rich history, and an adult with none known.

Mia's details and history are in every state that a family can meet: on file, confirmed, waiting for the
practice, returned with a reason, ended. Of Elena the practice knows that there is nothing to know.
"""

from __future__ import annotations

import datetime
from typing import Any

from django.utils import timezone

from accounts.models import HouseholdAccount, StaffAccount
from households.demographics.models import Contact, Coverage, DetailChange, Details
from households.history.models import (
    Allergy,
    Condition,
    Entry,
    EntryChange,
    Fact,
    FamilyCondition,
    Goal,
    Immunization,
    Medication,
    Practitioner,
    Procedure,
    Screening,
    Section,
    SectionState,
)
from households.intake.models import Ask, MemberAsk, QuestionnaireVersion
from households.intake.publishing import version_publish
from households.intake.starters import starters_add
from households.models import FilledInBy, Member
from households.submissions.models import Proposal, Submission

_Answer = SectionState.Answer
_Decision = Proposal.Decision


def load_charts(
    *, elena: Member, mia: Member, account: HouseholdAccount, owner: StaffAccount
) -> None:
    """Inside the transaction that loads the demo."""
    mias = _Chart(mia, account, owner, by=FilledInBy.GUARDIAN)
    _load_details(mias)
    _load_history(mias)
    elenas = _Chart(elena, account, owner, by=FilledInBy.PATIENT)
    _load_none_known(elenas)
    _load_forms(elena, mia, owner)


class _Chart:
    """What was sent of one member, as Elena filled it in."""

    def __init__(
        self, member: Member, account: HouseholdAccount, owner: StaffAccount, by: FilledInBy
    ) -> None:
        self.member, self.account, self.owner, self.by = member, account, owner, by

    def sent(self, kind: Submission.Kind, about: str = "", *, days: int, filed: bool) -> Submission:
        """What came `days` ago, and was filed the day after or waits."""
        at = timezone.now() - datetime.timedelta(days=days)
        next_day = at + datetime.timedelta(days=1) if filed else None
        return Submission.objects.create(
            member=self.member,
            kind=kind,
            about=about,
            sent_at=at,
            sent_by=self.account,
            filled_in_by=self.by,
            filled_in_name="Elena Rivera",
            status=Submission.Status.FILED if filed else Submission.Status.RECEIVED,
            seen_at=next_day,
            filed_at=next_day,
            handled_by=self.owner if filed else None,
        )

    def decided(self, submission: Submission) -> dict[str, Any]:
        """The columns of a part of it."""
        decided = submission.filed_at is not None
        return {
            "member": self.member,
            "submission": submission,
            "proposed_at": submission.sent_at,
            "decision": _Decision.ACCEPTED if decided else _Decision.WAITING,
            "decided_at": submission.filed_at,
            "decided_by": self.owner if decided else None,
        }

    def entry(self, submission: Submission, model: type[Entry], **values: Any) -> None:
        """An entry of the history with its first state."""
        entry = model.objects.create(
            member=self.member,
            recorded_in=submission,
            changed_in=submission,
            is_confirmed=submission.filed_at is not None,
            **values,
        )
        ended = entry.status == Entry.Status.ENDED
        EntryChange.objects.create(
            **self.decided(submission),
            section=submission.about,
            action=EntryChange.Action.ENDED if ended else EntryChange.Action.ADDED,
            entry_type=model.__name__.lower(),
            entry=entry.public_id,
            version=entry.version,
            values=entry.values(),
        )

    def state(self, section: Section, answer: SectionState.Answer, submission: Submission) -> None:
        SectionState.objects.create(
            member=self.member,
            section=section,
            answer=answer,
            confirmed_at=submission.sent_at,
            confirmed_in=submission,
            version=1,
        )


# --- forms ----------------------------------------------------------------------------

_PUBLISHED = ("phq-9", "medical-history", "consent-to-treat")


def _load_forms(elena: Member, mia: Member, owner: StaffAccount) -> None:
    """The starter forms; three of them are published and asked."""
    starters_add(request=None)
    published = {}
    for name in _PUBLISHED:
        version = QuestionnaireVersion.objects.get(questionnaire__url=f"urn:kinchart:form:{name}")
        version_publish(request=None, version=version, by=owner)
        published[name] = version.questionnaire
    Ask.objects.create(
        questionnaire=published["consent-to-treat"],
        whom=Ask.Whom.EVERYONE,
        again=Ask.Again.VERSION,
        why="We ask it of everyone once, and again when its text changes.",
        asked_by=owner,
    )
    soon = timezone.localdate() + datetime.timedelta(days=10)
    for member, name in ((mia, "medical-history"), (elena, "phq-9")):
        MemberAsk.objects.create(
            member=member,
            questionnaire=published[name],
            due_on=soon,
            why="So that we know it before the visit.",
            asked_by=owner,
        )


# --- details --------------------------------------------------------------------------


def _load_details(chart: _Chart) -> None:
    mia = chart.member
    mia.address_1, mia.city, mia.state, mia.postal_code = "4 Lantern Lane", "Harbor", "MA", "02100"
    mia.mobile_phone, mia.preferred_language = "(617) 555-0123", "en"
    mia.save()
    confirmed = chart.sent(Submission.Kind.DEMOGRAPHICS, days=40, filed=True)
    Details.objects.create(
        member=mia,
        mobile_may=["voice", "text"],
        contact_by=Details.ContactBy.TEXT,
        doctor_name="Dr. Ines Kim",
        doctor_practice="Harbor Family Medicine",
        pharmacy_name="Quay Pharmacy",
        pharmacy_address="3 Quay Street, Harbor",
        pharmacy_phone="(617) 555-0177",
        confirmed_at=confirmed.sent_at,
        confirmed_in=confirmed,
    )
    for name, relationship, phone in (
        ("Elena Rivera", Contact.Relationship.MOTHER, "(617) 555-0123"),
        ("Joseph Rivera", Contact.Relationship.FATHER, "(617) 555-0124"),
    ):
        Contact.objects.create(
            member=mia,
            name=name,
            relationship=relationship,
            phone=phone,
            is_guardian=True,
            is_emergency=True,
        )
    Coverage.objects.create(
        member=mia,
        rank=Coverage.Rank.PRIMARY,
        payer="Bay State Health Plan",
        member_number="BSH 0042 7716",
        group_number="HARBOR-9",
        subscriber=Coverage.Relationship.PARENT,
        subscriber_name="Elena Rivera",
    )
    waits = chart.sent(Submission.Kind.DEMOGRAPHICS, days=2, filed=False)
    DetailChange.objects.create(
        **chart.decided(waits),
        field="mobile_phone",
        before={"mobile_phone": "(617) 555-0123", "mobile_may": ["voice", "text"]},
        values={"mobile_phone": "(617) 555-0199", "mobile_may": ["voice", "text"]},
    )
    returned = chart.sent(Submission.Kind.DEMOGRAPHICS, days=12, filed=True)
    reason = "A digit is missing in this number. Look it up and send it again."
    DetailChange.objects.create(
        **{**chart.decided(returned), "decision": _Decision.RETURNED, "reason": reason},
        field="home_phone",
        before={"home_phone": "", "home_may": []},
        values={"home_phone": "555 014", "home_may": ["voice"]},
    )
    Submission.objects.for_member(mia).filter(pk=returned.pk).update(
        status=Submission.Status.RETURNED,
        filed_at=None,
        returned_at=returned.filed_at,
        reason=reason,
    )


# --- a rich history -------------------------------------------------------------------

_MIAS: tuple[tuple[Section, tuple[tuple[type[Entry], dict[str, Any]], ...]], ...] = (
    (
        Section.ALLERGIES,
        (
            (
                Allergy,
                {
                    "substance": "Penicillin",
                    "category": "medication",
                    "kind": "allergy",
                    "reaction": "Rash all over",
                    "severity": "moderate",
                    "since": "2018-03",
                },
            ),
            (
                Allergy,
                {
                    "substance": "Peanuts",
                    "category": "food",
                    "kind": "allergy",
                    "reaction": "Swollen lips, trouble breathing",
                    "severity": "severe",
                    "since": "2019",
                },
            ),
        ),
    ),
    (
        Section.MEDICATIONS,
        (
            (
                Medication,
                {
                    "name": "Albuterol inhaler",
                    "kind": "prescribed",
                    "strength": "90 mcg",
                    "dose": "2 puffs",
                    "how_often": "when she wheezes",
                    "route": "breathed in",
                    "reason": "Asthma",
                    "since": "2020-10",
                    "taking": "sometimes",
                    "prescriber": "Dr. Ines Kim",
                },
            ),
            (
                Medication,
                {
                    "name": "Vitamin D3",
                    "kind": "supplement",
                    "strength": "400 IU",
                    "dose": "1 drop",
                    "how_often": "every morning",
                    "route": "by mouth",
                    "since": "2021",
                    "taking": "yes",
                },
            ),
            (
                Medication,
                {
                    "name": "Iron syrup",
                    "kind": "otc",
                    "dose": "5 ml",
                    "how_often": "once a day",
                    "route": "by mouth",
                    "reason": "Low iron",
                    "since": "2022-01",
                    "until": "2022-06",
                    "taking": "no",
                    "status": "ended",
                },
            ),
        ),
    ),
    (
        Section.CONDITIONS,
        ((Condition, {"name": "Asthma", "since": "2020-10", "treated_by": "Dr. Ines Kim"}),),
    ),
    (
        Section.PROCEDURES,
        (
            (
                Procedure,
                {
                    "kind": "operation",
                    "what": "Ear tubes",
                    "happened": "2018-11-06",
                    "where": "Bay Children's Hospital",
                    "anaesthesia_problem": "no",
                },
            ),
        ),
    ),
    (
        Section.FAMILY,
        (
            (FamilyCondition, {"relative": "MTH", "condition": "Hay fever"}),
            (
                FamilyCondition,
                {
                    "relative": "MGRFTH",
                    "condition": "Heart attack",
                    "age_at_onset": 58,
                    "deceased": "yes",
                    "age_at_death": 71,
                },
            ),
        ),
    ),
    (
        Section.IMMUNIZATIONS,
        (
            (Immunization, {"vaccine": "Measles, mumps, rubella", "given": "2017-05"}),
            (Immunization, {"vaccine": "Tetanus, diphtheria, whooping cough", "given": "2021"}),
        ),
    ),
    (Section.SCREENINGS, ((Screening, {"kind": "eyes", "happened": "2025-08"}),)),
    (
        Section.BIRTH,
        (
            (
                Fact,
                {
                    "of_section": "birth",
                    "topic": "term",
                    "value": "early",
                    "detail": "35 weeks",
                },
            ),
            (Fact, {"of_section": "birth", "topic": "feeding", "value": "both"}),
        ),
    ),
    (
        Section.PRACTITIONERS,
        ((Practitioner, {"name": "Dr. Paul Osei", "role": "Allergist", "where": "Bay Clinic"}),),
    ),
    (
        Section.GOALS,
        ((Goal, {"kind": "goal", "text": "Play soccer without running out of breath"}),),
    ),
)


def _load_history(chart: _Chart) -> None:
    for section, entries in _MIAS:
        submission = chart.sent(Submission.Kind.HISTORY, section, days=40, filed=True)
        for model, values in entries:
            chart.entry(submission, model, **values)
        chart.state(section, _Answer.ENTRIES, submission)
    waits = chart.sent(Submission.Kind.HISTORY, Section.MEDICATIONS, days=2, filed=False)
    chart.entry(
        waits,
        Medication,
        name="Magnesium gummies",
        kind="supplement",
        dose="1 gummy",
        how_often="at bedtime",
        route="by mouth",
        taking="yes",
    )


def _load_none_known(chart: _Chart) -> None:
    for section in (
        *(Section.ALLERGIES, Section.MEDICATIONS, Section.CONDITIONS),
        *(Section.PROCEDURES, Section.FAMILY),
    ):
        submission = chart.sent(Submission.Kind.HISTORY, section, days=6, filed=True)
        EntryChange.objects.create(
            **chart.decided(submission),
            section=section,
            action=EntryChange.Action.ANSWERED,
            version=1,
            before={"answer": _Answer.NOT_ASKED},
            values={"answer": _Answer.NONE},
        )
        chart.state(section, _Answer.NONE, submission)
