"""Records of three kinds: a child with everything, somebody of whom nothing was asked, and somebody who has
answered "none" everywhere. Rows are made directly: whose pages make them is for their slices' tests."""

from __future__ import annotations

import datetime
import hashlib
import uuid
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.utils import timezone

from tests.cast import pick, sign_in, sign_in_as_staff
from tests.files import picture

DAY = datetime.datetime(2026, 11, 20, 15, 0, tzinfo=datetime.UTC)


def sent(member: Any, account: Any, kind: str = "history", **fields: Any) -> Any:
    from households.submissions.models import Submission

    fields = {"filled_in_by": "guardian", "filled_in_name": "Elena Rivera", "sent_at": DAY} | fields
    return Submission.objects.create(member=member, sent_by=account, kind=kind, **fields)


def add(model: Any, submission: Any, **columns: Any) -> Any:
    """An entry that came in `submission`."""
    return model.objects.create(
        member=submission.member, recorded_in=submission, changed_in=submission, **columns
    )


def answered(submission: Any, section: str, answer: str) -> Any:
    from households.history.models import SectionState

    return SectionState.objects.create(
        member=submission.member,
        section=section,
        answer=answer,
        confirmed_at=submission.sent_at,
        confirmed_in=submission,
        version=1,
    )


def accepted(entry: Any, by: Any, submission: Any = None) -> Any:
    """The practice accepted the entry as it stands."""
    from households.history.models import EntryChange
    from households.record.reading import section_of

    entry.is_confirmed = True
    entry.save()
    return EntryChange.objects.create(
        member=entry.member,
        submission=submission or entry.changed_in,
        section=section_of(entry),
        action="added",
        entry_type=type(entry).__name__.lower(),
        entry=entry.public_id,
        version=entry.version,
        decision="accepted",
        decided_at=DAY + datetime.timedelta(days=1),
        decided_by=by,
    )


def document(
    submission: Any, name: str = "card.png", data: bytes | None = None, **columns: Any
) -> Any:
    """A paper of the family's, with its bytes in the storage."""
    from households.documents.models import Document

    data = data if data is not None else picture("PNG")
    made = Document(
        member=submission.member,
        submission=submission,
        sending_id=uuid.uuid4(),
        name=name,
        content_type=columns.pop("content_type", "image/png"),
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        sent_at=submission.sent_at,
        **columns,
    )
    made.file.save(name, ContentFile(data), save=True)
    return made


def fill(member: Any, account: Any, staff: Any, text: str = "") -> dict[str, Any]:
    """A row of every kind. `text` stands in every column that takes text, where it is given; otherwise they
    hold what a family would write."""
    from households.demographics.models import Contact, Coverage, Details
    from households.history import models as history

    def words(usual: str, longest: int = 100) -> str:
        return text[:longest] if text else usual

    one = sent(member, account, filled_in_name=words("Elena Rivera", 120))
    rows: dict[str, Any] = {"submission": one}
    details_came = sent(member, account, "demographics")
    Details.objects.create(
        member=member,
        confirmed_at=DAY,
        confirmed_in=details_came,
        pronouns=words("she/her", 40),
        gender_identity=words("girl", 80),
        marital_status="S",
        occupation=words("Pupil"),
        race=[words("2106-3", 40)],
        ethnicity=words("2135-2", 20),
        country="US",
        interpreter="yes",
        mobile_may=["voice", "text"],
        work_phone=words("555 0102", 40),
        contact_by="text",
        contact_note=words("After 5"),
        doctor_name=words("Dr. Ada Stone"),
        doctor_practice=words("Hill Street Clinic"),
        doctor_phone=words("555 0110", 40),
        pharmacy_name=words("Corner Pharmacy"),
        pharmacy_address=words("1 Corner Road"),
        pharmacy_phone=words("555 0111", 40),
    )
    rows["contact"] = Contact.objects.create(
        member=member,
        name=words("Elena Rivera"),
        relationship="MTH",
        phone=words("555 0101", 40),
        other_phone=words("555 0103", 40),
        is_guardian=True,
        is_emergency=True,
    )
    rows["coverage"] = Coverage.objects.create(
        member=member,
        rank="primary",
        payer=words("Blue Hills Health"),
        plan=words("Family Plus"),
        member_number=words("BH-123", 60),
        group_number=words("G-9", 60),
        subscriber="parent",
        subscriber_name=words("Elena Rivera"),
    )
    rows["allergy"] = add(
        history.Allergy,
        one,
        substance=words("Penicillin"),
        category="medication",
        kind="allergy",
        reaction=words("Hives"),
        severity="severe",
        since=words("2021-05", 10),
        note=words("Twice", 500),
    )
    rows["medication"] = add(
        history.Medication,
        one,
        name=words("Vitamin D"),
        kind="supplement",
        strength=words("400 IU", 80),
        dose=words("1 drop"),
        how_often=words("every morning"),
        route=words("by mouth", 80),
        reason=words("Winter"),
        since=words("2024", 10),
        until=words("", 10),
        taking="sometimes",
        prescriber=words("Dr. Ada Stone"),
        note=words("", 500),
    )
    rows["condition"] = add(
        history.Condition,
        one,
        name=words("Asthma"),
        since=words("2019-03-02", 10),
        until=words("", 10),
        treated_by=words("Dr. Lung"),
        note=words("", 500),
    )
    rows["operation"] = add(
        history.Procedure,
        one,
        kind="operation",
        what=words("Tonsils taken out"),
        happened=words("2022-06", 10),
        where=words("City Hospital"),
        who=words("Dr. Knife"),
        anaesthesia_problem="yes",
        note=words("", 500),
    )
    rows["stay"] = add(
        history.Procedure,
        one,
        kind="stay",
        what=words("Pneumonia"),
        happened=words("2018", 10),
        where=words("City Hospital"),
        who=words("Dr. Breath"),
        anaesthesia_problem="no",
        note=words("Four days", 500),
    )
    rows["family"] = add(
        history.FamilyCondition,
        one,
        relative="MGRMTH",
        condition=words("Diabetes"),
        age_at_onset=55,
        deceased="yes",
        age_at_death=80,
        note=words("", 500),
    )
    rows["immunization"] = add(
        history.Immunization,
        one,
        vaccine=words("MMR"),
        given=words("2017-05-01", 10),
        where=words("Hill Street Clinic"),
        lot_number=words("L-77", 60),
        note=words("", 500),
    )
    rows["screening"] = add(
        history.Screening,
        one,
        kind="eyes",
        what=words("", 100),
        happened=words("2025", 10),
        result=words("Fine"),
        note=words("", 500),
    )
    for topic, section in (
        ("tobacco", "lifestyle"),
        ("birth-weight", "birth"),
        ("pregnant", "pregnancy"),
        ("sleep", "wellbeing"),
    ):
        rows[topic] = add(
            history.Fact,
            one,
            of_section=section,
            topic=topic,
            value="never",
            detail=words("In her own words", 500),
            since=words("2020", 10),
            until=words("", 10),
            note=words("", 500),
        )
    rows["practitioner"] = add(
        history.Practitioner,
        one,
        name=words("Dr. Lung"),
        role=words("Lung doctor"),
        where=words("Lung Center"),
        phone=words("555 0120", 40),
        note=words("", 500),
    )
    rows["goal"] = add(history.Goal, one, kind="goal", text=words("Run a mile", 500))
    rows["concern"] = add(history.Goal, one, kind="concern", text=words("Coughs at night", 500))
    for section in history.Section.values:
        answered(one, section, "entries")
    came = sent(member, account, "document")
    rows["document"] = document(came, words("card.png", 120), note=words("Both sides", 500))
    if staff is not None:
        accepted(rows["allergy"], staff)
    return rows


@pytest.fixture
def rich(cast) -> dict[str, Any]:
    """Mia, of whom everything is known."""
    return fill(cast.mia, cast.rivera, cast.nurse_staff)


@pytest.fixture
def none_known(cast) -> Any:
    """Leo, for whom every topic was answered "none"."""
    from households.history.models import Section

    submission = sent(cast.leo, cast.rivera)
    for section in Section.values:
        answered(submission, section, "none")
    return cast.leo


def record(member: Any, **how: Any) -> Any:
    from households.models import Practice
    from households.record.reading import record_of

    return record_of(member, practice=Practice.load(), **how)


@pytest.fixture
def mia(cast, client) -> Client:
    """A client with Mia's chart open; `client.record` is the address of her record's page."""
    sign_in(client, "rivera@example.org")
    client.record = f"/for/{pick(client, 'Mia', '2016/04/27')}/record/"  # type: ignore[attr-defined] # a mark of ours on the client
    return client


@pytest.fixture
def staff(cast) -> Client:
    client = Client()
    sign_in_as_staff(client)
    return client


def now() -> datetime.datetime:
    return timezone.now()


# What would do something in markup, a template, a page, a terminal, a spreadsheet or to the text around it.
HOSTILE = (
    "#panic() {{7*7}} <script>alert(1)</script> $x$ *b* @ref =1+1 \\u{41} "
    "\u202egnorw\u2066 \x01\x1b[31m\x85 “Żółć”\t\n" + "W" * 500
)


def every_status(member: Any, account: Any) -> None:
    """An entry of each kind in each status, with as little in it as the columns allow; the practice has
    confirmed every second one."""
    from households.history import models as history

    one = sent(member, account, filled_in_by="", filled_in_name="")
    least: dict[Any, dict[str, Any]] = {
        history.Allergy: {"substance": "Nuts", "severity": "mild"},
        history.Medication: {"name": "Iron", "kind": "otc"},
        history.Condition: {"name": "Rash"},
        history.Procedure: {"kind": "operation", "what": "Toe"},
        history.FamilyCondition: {"relative": "FAMMEMB", "condition": "Gout", "age_at_onset": 0},
        history.Immunization: {"vaccine": "Flu"},
        history.Screening: {"kind": "dental"},
        history.Practitioner: {"name": "Dr. Who"},
        history.Goal: {"kind": "goal", "text": "Sleep"},
    }
    number = 0
    for model, columns in least.items():
        for status in history.Entry.Status.values:
            number += 1
            dates = {}
            if hasattr(model, "until") and status != "active":
                dates = {"since": "2020-05", "until": "2019"}  # it ends before it begins
            add(model, one, status=status, is_confirmed=bool(number % 2), **dates, **columns)
    for status in history.Entry.Status.values:
        add(history.Procedure, one, kind="stay", what="Stay", status=status)
        add(history.Goal, one, kind="concern", text="Worry", status=status)
        add(history.Fact, one, of_section="lifestyle", topic=f"t-{status}", status=status)
