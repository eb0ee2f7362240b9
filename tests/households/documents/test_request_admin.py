"""Asking a family for a paper: the person on the page, the days in order, one request for one press."""

from __future__ import annotations

import datetime
import zoneinfo

import lxml.html
import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.models import StaffAccount
from households.documents.models import Document, DocumentKind, DocumentRequest
from households.models import Practice
from households.submissions.models import Submission
from tests.cast import NURSE_PASSWORD, pick, sign_in, sign_in_as_staff
from tests.files import png
from tests.pages import fields_of, text_of, title_of

REQUESTS = "/admin/documents/documentrequest/"
CARD = {"what": "Insurance card, both sides", "why": "The old one ends.", "due_on": "2026/12/31"}


@pytest.fixture
def staff(cast, client) -> Client:
    sign_in_as_staff(client)
    return client


def ask(browser: Client, member, **typed):
    return browser.post(f"{REQUESTS}ask/{member.pk}/", {**CARD, **typed})


def test_a_paper_is_asked_of_one_person(staff, cast):
    tools = staff.get(f"/admin/households/member/{cast.mia.pk}/change/").content.decode()
    assert f'href="{REQUESTS}ask/{cast.mia.pk}/"' in tools
    page = staff.get(f"{REQUESTS}ask/{cast.mia.pk}/")
    assert "Mia Rivera (“Mimi”), 2016/04/27" in text_of(page)
    kind = DocumentKind.objects.get(name="Insurance card")
    forged = {"member": cast.leo.pk, "asked_by": 1, "closed_at": "2020-01-01"}
    typed = {**CARD, "kind": kind.pk, **forged}
    assert staff.post(f"{REQUESTS}ask/{cast.mia.pk}/", typed).status_code == 302
    asked = DocumentRequest.objects.get()
    assert (asked.member, asked.asked_by, asked.kind) == (cast.mia, cast.nurse_staff, kind)
    assert (asked.what, asked.due_on) == (CARD["what"], datetime.date(2026, 12, 31))
    assert asked.closed_at is None
    entry = AuditEvent.objects.get(action="staff-change", outcome="added")
    assert (entry.member_id, entry.staff_id) == (cast.mia.pk, cast.nurse_staff.pk)
    assert "Mia Rivera 2016/04/27 Insurance card, both sides 2026/12/31" in text_of(
        staff.get(REQUESTS)
    )


def test_the_button_pressed_twice_asks_once(staff, cast):
    fields = fields_of(staff.get(f"{REQUESTS}ask/{cast.mia.pk}/"), **CARD)
    for _press in range(2):
        assert staff.post(f"{REQUESTS}ask/{cast.mia.pk}/", fields).status_code == 302
    assert DocumentRequest.objects.count() == 1
    assert AuditEvent.objects.filter(action="staff-change").count() == 1
    # The same page's id for another person is another request: a forged one meets nobody's row.
    assert staff.post(f"{REQUESTS}ask/{cast.leo.pk}/", fields).status_code == 302
    assert DocumentRequest.objects.count() == 2


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"what": " "}, "Say what you ask for."),
        ({"due_on": "12/31/2026"}, "year first"),
        ({"due_on": "2026/02/30"}, "year first"),
        ({"expires_on": "next week"}, "year first"),
        ({"expires_on": "2026/12/30"}, "due after the day on which it is no longer wanted"),
        ({"what": "x" * 121}, "at most 120"),
        ({"kind": "999"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_asked_keeps_what_was_typed(staff, cast, typed, said):
    answer = ask(staff, cast.mia, **typed)
    assert said in text_of(answer)
    assert title_of(answer).startswith("Error:")
    for value in {**CARD, **typed}.values():
        assert value.strip() in answer.content.decode()
    assert not DocumentRequest.objects.exists()


def test_asking_without_days_is_fine(staff, cast):
    assert ask(staff, cast.mia, due_on="", why="").status_code == 302
    assert DocumentRequest.objects.get().due_on is None


@pytest.mark.parametrize("permission", ["view_documentrequest", "change_documentrequest"])
def test_asking_needs_the_permission_to_add(cast, permission):
    desk = staff_with(permission, "view_member")
    assert desk.get(f"{REQUESTS}ask/{cast.mia.pk}/").status_code == 403
    assert ask(desk, cast.mia).status_code == 403
    assert desk.get(f"{REQUESTS}add/").status_code == 403
    assert not DocumentRequest.objects.exists()


def staff_with(*permissions: str) -> Client:
    account = StaffAccount.objects.create_user("desk@example.org", NURSE_PASSWORD)
    account.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    assert account.user_permissions.count() == len(permissions)
    browser = Client()
    sign_in_as_staff(browser, "desk@example.org")
    return browser


def test_the_sites_add_leads_to_the_people(staff):
    answer = staff.get(f"{REQUESTS}add/", follow=True)
    assert "press “Ask for a document”" in text_of(answer)


# --- changing and closing -------------------------------------------------------------


@pytest.fixture
def asked(staff, cast) -> DocumentRequest:
    ask(staff, cast.mia)
    return DocumentRequest.objects.get()


def page_of(asked: DocumentRequest) -> str:
    return f"{REQUESTS}{asked.pk}/change/"


def test_a_change_never_moves_it_to_another_person(staff, asked, cast):
    page = staff.get(page_of(asked))
    assert "Mia Rivera (“Mimi”), 2016/04/27" in title_of(page)
    fields = fields_of(page, "documentrequest_form", due_on="2027/01/15", member=cast.leo.pk)
    assert staff.post(page_of(asked), fields).status_code == 302
    asked.refresh_from_db()
    assert (asked.member, asked.due_on) == (cast.mia, datetime.date(2027, 1, 15))
    entry = AuditEvent.objects.get(action="staff-change", outcome="changed")
    assert entry.member_id == cast.mia.pk


def test_a_change_over_somebody_elses_is_shown_first(staff, asked):
    fields = fields_of(staff.get(page_of(asked)), "documentrequest_form", what="Card, front")
    DocumentRequest.objects.update(what="Photo ID")
    answer = staff.post(page_of(asked), fields)
    assert "Somebody changed this record" in text_of(answer)
    assert "Photo ID" in text_of(answer)
    asked.refresh_from_db()
    assert asked.what == "Photo ID"


def test_a_kind_that_is_not_offered_any_more_stays_with_its_request(staff, asked):
    kind = DocumentKind.objects.get(name="Referral")
    DocumentRequest.objects.update(kind=kind)
    DocumentKind.objects.filter(pk=kind.pk).update(is_offered=False)
    fields = fields_of(staff.get(page_of(asked)), "documentrequest_form", why="Still wanted.")
    assert staff.post(page_of(asked), fields).status_code == 302
    asked.refresh_from_db()
    assert (asked.kind, asked.why) == (kind, "Still wanted.")


def test_closed_once(staff, asked, cast):
    said = staff.post(f"{REQUESTS}{asked.pk}/close/", follow=True)
    assert "The family is not asked any more" in text_of(said)
    asked.refresh_from_db()
    first = asked.closed_at
    assert first is not None
    said = staff.post(f"{REQUESTS}{asked.pk}/close/", follow=True)
    assert "closed before" in text_of(said)
    asked.refresh_from_db()
    assert asked.closed_at == first
    entry = AuditEvent.objects.get(action="staff-change", outcome="closed")
    assert (entry.member_id, entry.object_type) == (cast.mia.pk, "documentrequest")


def test_closing_needs_the_permission_to_change(asked):
    desk = staff_with("view_documentrequest")
    assert "portal-tool" not in desk.get(page_of(asked)).content.decode()
    assert desk.post(f"{REQUESTS}{asked.pk}/close/").status_code == 403
    asked.refresh_from_db()
    assert asked.closed_at is None


def test_nothing_is_deleted(staff, asked):
    assert staff.post(f"{REQUESTS}{asked.pk}/delete/", {"post": "yes"}).status_code == 403


# --- the list -------------------------------------------------------------------------


def answer_with(asked: DocumentRequest, status: str = "received") -> Document:
    family = Client()
    sign_in(family, "rivera@example.org")
    key = pick(family, "Mia", "2016/04/27")
    family.post(f"/for/{key}/documents/", {"files": png("card.png", status)})
    document = Document.objects.latest("pk")
    Document.objects.filter(pk=document.pk).update(request=asked)
    reason = "Blurry" if status == "returned" else ""
    Submission.objects.filter(pk=document.submission_id).update(status=status, reason=reason)
    return document


def state_in_list(staff: Client, **question: str) -> list[str]:
    page = lxml.html.fromstring(staff.get(REQUESTS, question).content.decode())
    return [cell.text_content() for cell in page.find_class("field-state")]


@pytest.fixture
def coloured(monkeypatch):
    """Different pictures, so that each is a document of its own."""
    import tests.files

    made = iter(["red", "green", "blue", "black", "white"])
    real = tests.files.png
    monkeypatch.setitem(globals(), "png", lambda name, _status: real(name, next(made)))


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("received", "answered"),
        ("seen", "answered"),
        ("filed", "answered"),
        ("returned", "open"),
        ("withdrawn", "open"),
    ],
)
def test_answered_is_what_stands(staff, asked, coloured, status, state):
    document = answer_with(asked, status)
    assert state_in_list(staff) == [state]
    for one in ["open", "answered", "expired", "closed"]:
        assert len(state_in_list(staff, state=one)) == (one == state), one
    shown = text_of(staff.get(page_of(asked)))
    assert (document.name in shown) == (status != "withdrawn")


def test_two_answers_are_one_request(staff, asked, coloured):
    answer_with(asked, "returned")
    answer_with(asked, "seen")
    answer_with(asked, "filed")
    assert state_in_list(staff, state="answered") == ["answered"]
    assert state_in_list(staff, state="open") == []


@pytest.mark.parametrize(
    ("due", "expires", "closed", "state", "listed"),
    [
        (-1, None, False, "open, overdue", "open"),
        (0, 0, False, "open", "open"),
        (-2, -1, False, "expired", "expired"),
        (-2, -1, True, "closed", "closed"),
    ],
)
def test_the_days_of_a_request(staff, asked, due, expires, closed, state, listed):
    today = timezone.localdate(timezone=zoneinfo.ZoneInfo(Practice.load().time_zone))
    DocumentRequest.objects.update(
        due_on=today + datetime.timedelta(days=due),
        expires_on=None if expires is None else today + datetime.timedelta(days=expires),
        closed_at=timezone.now() if closed else None,
    )
    assert state_in_list(staff) == [state]
    for one in ["open", "answered", "expired", "closed"]:
        assert len(state_in_list(staff, state=one)) == (one == listed), one


def test_the_list_costs_the_same_at_any_length(staff, asked, coloured, django_assert_num_queries):
    answer_with(asked)
    staff.get(REQUESTS)  # the practice's name is remembered
    with CaptureQueriesContext(connection) as counted:
        staff.get(REQUESTS)
    cost = len(counted)  # the next request forgets
    DocumentRequest.objects.bulk_create(
        DocumentRequest(member=asked.member, what=f"Paper {number}", asked_by=asked.asked_by)
        for number in range(60)
    )
    for number, document in enumerate([answer_with(asked), answer_with(asked)], start=58):
        other = DocumentRequest.objects.get(what=f"Paper {number}")
        Document.objects.filter(pk=document.pk).update(request=other)
    with django_assert_num_queries(cost):
        answer = staff.get(REQUESTS)
    assert len(answer.context_data["cl"].result_list) == 50
