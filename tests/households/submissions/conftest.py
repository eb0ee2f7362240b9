"""Things that families sent, as the database has them, and the practice's people who go through them."""

from __future__ import annotations

import datetime
import itertools
import uuid
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tests.cast import NURSE_PASSWORD, sign_in_as_staff

_numbers = itertools.count(1)


class Sent:
    """Makes things that were sent: each a minute before the one that was made before it."""

    def __init__(self, cast: Any) -> None:
        self._cast = cast
        self._at = timezone.now()

    def document(self, member: Any = None, *, scan: str = "off", **fields: Any) -> Any:
        from households.documents.models import Document

        submission = self._submission("document", member, fields)
        Document.objects.create(
            member=submission.member,
            submission=submission,
            sending_id=uuid.uuid4(),
            name="card.png",
            content_type="image/png",
            size=76,
            sha256="0" * 64,
            file=f"never-made-{next(_numbers)}",
            scan=scan,
        )
        return submission

    def details(self, member: Any = None, *, parts: int = 1, **fields: Any) -> Any:
        from households.demographics.models import DetailChange

        submission = self._submission("demographics", member, fields)
        for number in range(parts):
            DetailChange.objects.create(
                member=submission.member,
                submission=submission,
                field=("pharmacy", "doctor")[number],
                row=str(next(_numbers)),
                before={},
                values=({"pharmacy_name": "Corner\nShop"}, {"doctor_name": "Dr. Lee"})[number],
            )
        return submission

    def history(self, member: Any = None, **fields: Any) -> Any:
        return self._submission("history", member, {"about": "allergies", **fields})

    def form(self, member: Any = None, **fields: Any) -> Any:
        from households.intake.models import QuestionnaireResponse
        from tests.households.intake.filling.conftest import published

        submission = self._submission("form", member, fields)
        QuestionnaireResponse.objects.create(
            member=submission.member, version=published(), submission=submission, items=[]
        )
        return submission

    def _submission(self, kind: str, member: Any, fields: dict[str, Any]) -> Any:
        from households.submissions.models import Submission

        self._at -= datetime.timedelta(minutes=1)
        fields = {"sent_at": self._at, "sent_by": self._cast.rivera, **fields}
        if fields.get("status") == "seen":
            fields.setdefault("seen_at", self._at)
        made = Submission.objects.create(member=member or self._cast.mia, kind=kind, **fields)
        made.refresh_from_db()
        return made


@pytest.fixture
def sent(cast: Any) -> Sent:
    return Sent(cast)


def staff_with(*permissions: str, name: str = "Dana Desk") -> Client:
    """A browser with somebody signed in who has these permissions and no other."""
    from django.contrib.auth.models import Permission

    from accounts.models import StaffAccount

    email = f"{name.split()[0].lower()}@practice.example"
    account = StaffAccount.objects.create_user(email, NURSE_PASSWORD, name=name)
    account.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    browser = Client()
    sign_in_as_staff(browser, email)
    browser.account = account  # type: ignore[attr-defined] # for the tests
    return browser


DESK = [
    *["view_submission", "view_member", "view_document", "change_document", "view_detailchange"],
    *["change_detailchange", "view_questionnaireresponse", "change_questionnaireresponse"],
]


@pytest.fixture
def desk(cast: Any) -> Client:
    """The front desk: everything but the history and clinical answers."""
    return staff_with(*DESK)


@pytest.fixture
def owner(cast: Any) -> Client:
    browser = Client()
    sign_in_as_staff(browser)
    browser.account = cast.nurse_staff  # type: ignore[attr-defined] # for the tests
    return browser
