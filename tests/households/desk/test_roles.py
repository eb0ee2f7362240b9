"""Roles, tried at every address of admin by everybody there is: signed-out, without a role, front desk,
clinician, auditor, owner; by GET and by a forged POST (SECURITY R-AZ-6, AD-06).

EXPECTED is written by hand: an address that is not in it fails, and so does one that opens to others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.contrib.auth.models import Group
from django.core.files.base import ContentFile
from django.db import connection, transaction
from django.http import HttpResponseBase
from django.test import Client
from django.urls import resolve

from accounts.models import StaffAccount
from households.desk import roles
from households.documents.models import Document
from households.documents.renditions import page_name
from households.intake.models import QuestionnaireResponse
from tests.households.desk.expected_of_staff import EXPECTED
from tests.portal.test_admin_site import admin_addresses, one_of_each  # noqa: F401 (a fixture)

NAMES = {
    "n": "nobody",
    "f": roles.FRONT_DESK,
    "c": roles.CLINICIAN,
    "a": roles.AUDITOR,
    "o": "Owner",
}
# The audit of looking, the session, and counting attempts at one's own password.
HARMLESS = re.compile(
    r'^\s*(INSERT INTO|UPDATE|DELETE FROM) "?(audit_auditevent|django_session|accounts_throttle)\b'
)
WRITES = re.compile(r"^\s*(INSERT|UPDATE|DELETE|REPLACE|CREATE|ALTER|DROP)\b", re.I)


def somebody(letter: str) -> Client:
    """A browser in which somebody of the role is signed in."""
    client = Client()
    staff = StaffAccount.objects.create_user(
        f"{letter}@practice.example", "lantern-orchid-gravel-44"
    )
    if letter != "n":
        staff.groups.add(Group.objects.get(name=NAMES[letter]))
    client.force_login(staff)
    return client


@contextmanager
def undone(written: list[str]) -> Iterator[None]:
    """Whatever is done inside is undone; its statements that write anything of note are kept in `written`."""

    def note(execute, sql, params, many, context):
        if WRITES.match(sql) and not HARMLESS.match(sql):
            written.append(sql[:300])
        return execute(sql, params, many, context)

    with transaction.atomic(), connection.execute_wrapper(note):
        yield
        transaction.set_rollback(True)


def is_refused(answer: HttpResponseBase) -> bool:
    if answer.status_code == 302:
        # To sign in, or to the index where Django says that there is no such row.
        return answer.headers["Location"].startswith("/admin/login/") or (
            answer.headers["Location"] == "/admin/"
        )
    return answer.status_code in {403, 404, 405}


def named_addresses() -> list[tuple[str, str]]:
    """Every address of admin with its name, about rows that there are."""
    found = []
    for address in admin_addresses():
        name = resolve(address).url_name
        if name is None:  # the short address of a row, which sends on to its page
            continue
        if name.startswith("record_form_"):
            form = sent_form()
            about = f"record/{form.member_id}/form/{form.pk}/"
            address = re.sub("record/[0-9]+/form/[0-9]+/", about, address)
        if name in {"form_csv", "form_ndjson"}:
            row = str(sent_form().version.questionnaire.public_id)
            address = re.sub("[0-9a-f-]{36}", row, address)
        found.append((name, f"{address}{MORE.get(name, '')}"))
    return found


def sent_form() -> QuestionnaireResponse:
    return QuestionnaireResponse.objects.exclude(submission=None).get()


FORGED = {"get": {}, "post": {"forged": "1"}}
# What an address needs behind it.
MORE = {"intake_questionnaireversion_build_add": "?kind=section"}


@pytest.fixture
def everything(one_of_each, cast) -> None:  # noqa: F811
    """A row behind every address, also a picture of a page."""
    document = Document.objects.get()
    document.pictures, document.pages_pictured = Document.Pictures.READY, 1
    document.save()
    name = page_name(document, 1)
    document.file.storage.save(name, ContentFile(b"a picture"))


def test_every_address_is_in_the_table_and_nothing_else(everything):
    there = {name for name, _address in named_addresses()}
    assert there == EXPECTED.keys()


@pytest.mark.timeout(240)  # some 400 requests
@pytest.mark.parametrize("letter", NAMES)
def test_every_page_and_action(everything, letter):
    client = somebody(letter)
    opened: dict[tuple[str, str], list[int]] = {}
    wrong = []
    for name, address in named_addresses():
        for method, allowed in zip(("get", "post"), EXPECTED[name], strict=True):
            if allowed == "-":
                continue
            written: list[str] = []
            with undone(written):
                answer = getattr(client, method)(address, FORGED[method])
                if answer.streaming:
                    b"".join(answer.streaming_content)  # and so closes the file
            refused = is_refused(answer)
            if not refused:
                opened.setdefault((method, name), []).append(answer.status_code)
            if written and (refused or letter == "a"):
                wrong.append((method, name, written[0]))
    expected = {
        (method, name)
        for name, both in EXPECTED.items()
        for method, allowed in zip(("get", "post"), both, strict=True)
        if letter in allowed
    }
    assert wrong == []
    assert opened.keys() - expected == set(), "opens, and should not"
    assert expected - opened.keys() == set(), "should open"
