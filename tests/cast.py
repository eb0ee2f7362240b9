"""The cast: the people every test is about, and the two steps by which a family gets to a chart.

The Riveras are the family. Ada Okafor's household is the stranger's: her Mia has the same first name and
birth date as the Riveras'. The Chens have two people that nobody could tell apart. The nurse works at the
practice and is its patient, under one email.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from tests.totp import code_of

PASSWORD = "correct-walnut-battery-9"
NURSE_PASSWORD = "staff-lantern-orchid-44"


@dataclass
class Cast:
    """Households are accounts; people are members; `nurse_staff` is the practice's owner."""

    rivera: Any
    elena: Any
    mia: Any
    leo: Any
    lia: Any
    max: Any
    okafor: Any
    ada: Any
    other_mia: Any
    chen: Any
    sam: Any
    other_sam: Any
    nurse: Any
    nurse_member: Any
    nurse_staff: Any


@pytest.fixture
def cast(db: None) -> Cast:
    from accounts.models import StaffAccount

    return Cast(
        rivera=household("rivera@example.org"),
        elena=member("Elena", "Rivera", "1985/04/12", "rivera@example.org"),
        mia=member("Mia", "Rivera", "2016/04/27", "Rivera@Example.org", preferred_name="Mimi"),
        leo=member("Leo", "Rivera", "2018/09/03", "rivera@example.org"),
        lia=member("Lia", "Rivera", "2020/02/29", "rivera@example.org"),
        max=member("Max", "Rivera", "2020/02/29", "rivera@example.org"),
        okafor=household("okafor@example.org"),
        ada=member("Ada", "Okafor", "1979/11/30", "okafor@example.org"),
        other_mia=member("Mia", "Okafor", "2016/04/27", "okafor@example.org"),
        chen=household("chen@example.org"),
        sam=member("Sam", "Chen", "2010/05/05", "chen@example.org"),
        other_sam=member("Sam", "Chen", "2010/05/05", "chen@example.org"),
        nurse=household("nurse@example.org"),
        nurse_member=member("Nora", "Quist", "1990/01/15", "nurse@example.org"),
        nurse_staff=StaffAccount.objects.create_superuser(
            "nurse@example.org", NURSE_PASSWORD, name="Nora Quist"
        ),
    )


def household(email: str, password: str = PASSWORD) -> Any:
    """An account that has set its password; without one, pass ""."""
    from accounts import passwords
    from accounts.models import HouseholdAccount

    return HouseholdAccount.objects.create(
        email_key=email, password=passwords.hashed(password) if password else ""
    )


def member(first_name: str, last_name: str, date_of_birth: str, email: str, **fields: Any) -> Any:
    """A patient on file; the date is written as families type it."""
    from households.models import Member

    return Member.objects.create(
        patient_id=fields.pop("patient_id", f"P{Member.objects.count() + 1:04}"),
        first_name=first_name,
        last_name=last_name,
        date_of_birth=datetime.date(*(int(part) for part in date_of_birth.split("/"))),
        email=email,
        **fields,
    )


def sign_in(client: Client, email: str, password: str = PASSWORD) -> None:
    """Sign a household in through the sign-in page."""
    answer = client.post("/login/", {"email": email, "password": password})
    assert answer.status_code == 302, f"{email} was not signed in: {answer.status_code}"


def pick(client: Client, first_name: str, date_of_birth: str) -> str:
    """Choose a person on the picker page; returns the key that their pages stand under."""
    answer = client.post("/who/", {"first_name": first_name, "date_of_birth": date_of_birth})
    assert answer.status_code == 302, f"{first_name} was not chosen: {answer.status_code}"
    start, _, key = answer.headers["Location"].strip("/").partition("/")
    assert (start, "/" in key) == ("for", False), answer.headers["Location"]
    return key


def sign_in_as_staff(
    client: Client, email: str = "nurse@example.org", password: str = NURSE_PASSWORD
) -> None:
    """Sign staff in through admin's own pages, by both steps."""
    secret = with_an_app(email)
    answer = client.post("/admin/login/", {"username": email, "password": password})
    assert answer.status_code == 302, f"{email}: {answer.status_code}"
    assert answer.headers["Location"] == "/admin/login/code/"
    answer = client.post("/admin/login/code/", {"otp_token": code_of(secret)})
    assert answer.status_code == 302, f"{email} was not signed in: {answer.status_code}"
    assert "login" not in answer.headers["Location"]


def with_an_app(email: str = "nurse@example.org") -> str:
    """The staff account has an app, as one that is in daily use: with recovery codes, and the last code of it
    long ago, so that one of this half minute is good again. Returns the key that codes are made from."""
    import base64

    from django_otp.plugins.otp_totp.models import TOTPDevice

    from accounts.models import StaffAccount, StaffRecoveryCode
    from accounts.staff import second_factor

    staff = StaffAccount.objects.get(email=email)
    device = second_factor.device_of(staff)
    if device is None:
        device = TOTPDevice.objects.create(user=staff)
    TOTPDevice.objects.filter(pk=device.pk).update(last_t=-1)
    if not staff.recovery_codes.exists():
        codes = (StaffRecoveryCode(staff=staff, number=one) for one in range(1, 11))
        StaffRecoveryCode.objects.bulk_create(codes)
    return base64.b32encode(device.bin_key).decode()


def practice_today() -> datetime.date:
    """The day it is at the practice, which is what its pages say."""
    import zoneinfo

    from django.utils import timezone

    from households.models import Practice

    return timezone.localdate(timezone=zoneinfo.ZoneInfo(Practice.load().time_zone))
