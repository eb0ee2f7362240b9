"""The demo practice: people who do not exist, to try the portal on.

Loaded by `make run` into an empty database and into no other. Two households, with what makes choosing a
person hard: twins, a birth date shared across them, one child whose name and birth date are those of a
child of the other household, an accent, a preferred name. The first household has its password, and papers
in every state; the second one is to be set up through a mail.
"""

from __future__ import annotations

import datetime
import hashlib
import io
import os
import secrets
import shlex
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.files.base import ContentFile
from django.db import transaction
from django.utils import timezone

from accounts import passwords
from accounts.actions import ensure_accounts
from accounts.models import HouseholdAccount, StaffAccount
from accounts.staff import second_factor
from households.documents import renditions
from households.documents.models import Document, DocumentKind, DocumentRequest
from households.models import Member, Practice
from households.submissions.models import Submission
from portal import demo_charts

if TYPE_CHECKING:
    from PIL import Image

# Fixed, so that a tour can be written down: it opens made-up people on 127.0.0.1 and nothing else.
FAMILY_PASSWORD = "paper boats in the harbor"  # noqa: S105  (of nobody)
READY = "rivera@family.example"
TO_SET_UP = "moreno@family.example"
STAFF = "owner@harbor.example"

# email, first name, preferred name, last name, date of birth, sex, relationship
PEOPLE = (
    (READY, "Elena", "", "Rivera", (1985, 4, 12), "F", "self"),
    (READY, "Joseph", "Joe", "Rivera", (1983, 11, 2), "M", "spouse"),
    (READY, "Mia", "", "Rivera", (2016, 4, 27), "F", "child"),
    (READY, "Leo", "", "Rivera", (2020, 2, 29), "M", "child"),
    (READY, "Lia", "", "Rivera", (2020, 2, 29), "F", "child"),
    (TO_SET_UP, "José", "", "Moreno", (1979, 9, 15), "M", "self"),
    (TO_SET_UP, "Mia", "", "Moreno", (2016, 4, 27), "F", "child"),
    (TO_SET_UP, "Ana", "", "Moreno", (2018, 7, 8), "F", "child"),
    (TO_SET_UP, "Anna", "", "Moreno", (2018, 7, 8), "F", "child"),
)


def load_demo() -> list[str] | None:
    """Fill an empty database and return the lines to print; the same lines again as long as the demo is
    what it holds. None, and nothing loaded, when there is any other member, household account or staff
    account: real people are never mixed with made-up ones."""
    with transaction.atomic():
        if not any(model.objects.exists() for model in (Member, HouseholdAccount, StaffAccount)):
            password, secret = _random_words(), second_factor.new_secret()
            _load(password, secret)
            # Inside the transaction: no account stays whose password nobody has.
            _keep_staff_login(password, secret)
        elif not is_here():
            return None
    return _lines(_kept_staff_password())


def is_here() -> bool:
    """Whether the demo's people are on file; what was added to them since does not matter."""
    return (
        StaffAccount.objects.filter(email=STAFF).exists()
        and Member.objects.filter(patient_id="D001", email_key=READY).exists()
    )


def opens_with_printed_password() -> bool:
    """Whether the family's password, which stands in the README, signs anybody in."""
    account = HouseholdAccount.objects.filter(email_key=READY).first()
    return account is not None and passwords.matches(FAMILY_PASSWORD, account.password)[0]


def _load(staff_password: str, secret: str) -> None:
    Practice.objects.update_or_create(
        pk=1,
        defaults={
            "name": "Harbor Family Medicine",
            "phone": "(555) 555-0142",
            "hours": "Monday to Friday, 8 to 5",
            "address": "12 Quay Street, Harbor, MA 02100",
            "sender": "portal@harbor.example",
        },
    )
    for number, person in enumerate(PEOPLE, start=1):
        email, first, preferred, last, born, sex, relationship = person
        Member.objects.create(
            patient_id=f"D{number:03}",
            mrn=f"{1000 + number}",
            first_name=first,
            preferred_name=preferred,
            last_name=last,
            date_of_birth=datetime.date(*born),
            sex=sex,
            email=email,
            relationship_to_household=relationship,
        )
    ensure_accounts([READY, TO_SET_UP])
    HouseholdAccount.objects.filter(email_key=READY).update(
        password=passwords.hashed(FAMILY_PASSWORD)
    )
    owner = StaffAccount.objects.create_superuser(STAFF, staff_password, name="Olivia Owner")
    second_factor.device_give(owner, secret)
    _load_papers(owner)
    elena, mia = (Member.objects.get(patient_id=f"D{number:03}") for number in (1, 3))
    account = HouseholdAccount.objects.get(email_key=READY)
    demo_charts.load_charts(elena=elena, mia=mia, account=account, owner=owner)


# --- papers ---------------------------------------------------------------------------


def _load_papers(owner: StaffAccount) -> None:
    """What a family sees of papers after some weeks: one asked for, one shared, one filed, one returned."""
    elena, mia, leo = (Member.objects.get(patient_id=f"D{number:03}") for number in (1, 3, 4))
    DocumentRequest.objects.create(
        member=mia,
        kind=_kind("Insurance card"),
        what="Insurance card, both sides",
        why="The one we have on file ends this year.",
        due_on=timezone.localdate() + datetime.timedelta(days=10),
        asked_by=owner,
    )
    _keep(
        Document(
            member=mia,
            sender=Document.Sender.PRACTICE,
            shared_by=owner,
            kind=_kind("Vaccination record"),
            name="Vaccinations of Mia.pdf",
            note="For the school. Print it, they keep the copy.",
            sent_at=_days_ago(1),
        ),
        _sheet("Vaccinations", "Mia Rivera, born 2016/04/27", "Measles, mumps, rubella: 2 doses"),
    )
    _keep(
        Document(
            member=elena,
            kind=_kind("Referral"),
            name="Referral.pdf",
            submission=_sent(
                elena,
                Submission.Status.FILED,
                sent_at=_days_ago(6),
                seen_at=_days_ago(5),
                filed_at=_days_ago(5),
                handled_by=owner,
            ),
            sent_at=_days_ago(6),
        ),
        _sheet("Referral", "Elena Rivera, born 1985/04/12", "Physical therapy, 6 visits"),
    )
    _keep(
        Document(
            member=leo,
            kind=_kind("Lab result"),
            name="photo.jpg",
            content_type=Document.ContentType.JPEG,
            note="From the hospital",
            submission=_sent(
                leo,
                Submission.Status.RETURNED,
                sent_at=_days_ago(3),
                seen_at=_days_ago(2),
                returned_at=_days_ago(2),
                reason="The photo is blurry. Take it again in good light and hold the phone still.",
                handled_by=owner,
            ),
            sent_at=_days_ago(3),
        ),
        _blurred("Lab result", "Leo Rivera, born 2020/02/29", "Lead in blood: 1.2"),
    )


def _kind(name: str) -> DocumentKind | None:
    return DocumentKind.objects.filter(name=name).first()


def _days_ago(days: int) -> datetime.datetime:
    return timezone.now() - datetime.timedelta(days=days)


def _sent(member: Member, status: Submission.Status, **fields: object) -> Submission:
    return Submission.objects.create(
        member=member,
        kind=Submission.Kind.DOCUMENT,
        status=status,
        sent_by=HouseholdAccount.objects.get(email_key=READY),
        **fields,
    )


def _keep(document: Document, data: bytes) -> None:
    """The row and the bytes; the background worker makes the pictures, as of every document."""
    document.sending_id = uuid.uuid4()
    document.content_type = document.content_type or Document.ContentType.PDF
    document.size = len(data)
    document.sha256 = hashlib.sha256(data).hexdigest()
    document.file.save(document.name, ContentFile(data), save=False)
    document.save()
    renditions.make_pictures.enqueue(document.pk)


def _sheet(*lines: str) -> bytes:
    """A PDF of one page with these lines on it."""
    data = io.BytesIO()
    _drawn(*lines).save(data, "PDF", resolution=72)
    return data.getvalue()


def _blurred(*lines: str) -> bytes:
    """A photo of such a page that nobody can read."""
    from PIL import ImageFilter

    data = io.BytesIO()
    _drawn(*lines).filter(ImageFilter.GaussianBlur(6)).save(data, "JPEG")
    return data.getvalue()


def _drawn(*lines: str) -> Image.Image:
    # Imported here: a large library that only the demo's first load needs.
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", (612, 792), "white")
    paper = ImageDraw.Draw(image)
    for number, line in enumerate(("Harbor Family Medicine (made up)", *lines)):
        paper.text((48, 48 + 60 * number), line, fill="black", font=ImageFont.load_default(24))
    return image


# --- logins ---------------------------------------------------------------------------


def _random_words() -> str:
    """A password of 16 letters and digits in four groups: 80 bits, and readable from a terminal."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(4))


def _keep_staff_login(password: str, secret: str) -> None:
    """Email, password, and the key that an app for codes makes the second step from."""
    path = _staff_login_file()
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{STAFF}\n{password}\n{second_factor.in_base32(secret)}\n")


def _kept_staff_password() -> str:
    """As it was made; "" where the file is gone."""
    try:
        return _staff_login_file().read_text().split()[1]
    except (OSError, IndexError):
        return ""


def _staff_login_file() -> Path:
    return settings.DATA / "demo-staff-login"


def _lines(staff_password: str) -> list[str]:
    url = settings.PORTAL_URL
    password = f"password: {staff_password}" if staff_password else "password: not kept any more"
    return [
        "The demo practice: Harbor Family Medicine. None of its people exist.",
        "",
        f"  Staff: {url}/admin/",
        f"    {STAFF}, {password}",
        "    and then a code, which another terminal prints (a phone's app would, too):",
        f"    {_code_command()}",
        f"    (also in {_staff_login_file()}, with the key for an app on a phone)",
        f"  Family: {url}/login/",
        f"    {READY}, password: {FAMILY_PASSWORD}",
        "    then one of these people, by first name and date of birth:",
        *_people_of(READY),
        f"  Family without a password: {url}/password/",
        f"    {TO_SET_UP}: the link comes by mail. Then one of these people:",
        *_people_of(TO_SET_UP),
    ]


def _code_command() -> str:
    """To be typed in the portal's folder."""
    elsewhere = settings.DATA != settings.BASE_DIR / "var"
    data = f"PORTAL_DATA={shlex.quote(str(settings.DATA))} " if elsewhere else ""
    return f"PORTAL_LOCAL=1 {data}.venv/bin/python manage.py demo_code"


def _people_of(email: str) -> list[str]:
    return [
        f"      {first}, {year:04}/{month:02}/{day:02}"
        + (f" (or {preferred})" if preferred else "")
        for on_file, first, preferred, _last, (year, month, day), *_rest in PEOPLE
        if on_file == email
    ]
