"""Staff reading the audit: in words, of one person or one login, of some days, and all of it as a file."""

from __future__ import annotations

import datetime
import json

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import audit
from accounts.audit import browsing
from accounts.audit.models import AuditEvent
from accounts.models import StaffAccount
from tests.cast import NURSE_PASSWORD, pick, practice_today, sign_in, sign_in_as_staff
from tests.pages import text_of

AUDIT = "/admin/audit/auditevent/"


@pytest.fixture
def owner(cast, client) -> Client:
    family = Client(REMOTE_ADDR="192.0.2.7")
    sign_in(family, "rivera@example.org")
    pick(family, "Mia", "2016/04/27")
    other = Client()
    sign_in(other, "okafor@example.org")
    pick(other, "Mia", "2016/04/27")
    sign_in_as_staff(client)
    return client


def rows(answer) -> list[AuditEvent]:
    return list(answer.context_data["cl"].result_list)


def somebody(role: str) -> Client:
    staff = StaffAccount.objects.create_user("else@practice.example", NURSE_PASSWORD)
    staff.groups.add(Group.objects.get(name=role))
    client = Client()
    sign_in_as_staff(client, "else@practice.example")
    return client


def test_an_entry_says_in_words_who_did_what_for_whom_from_where(owner, cast):
    page = text_of(owner.get(AUDIT))
    assert "Chose the person: the chart was opened" in page
    assert "the login rivera@example.org" in page
    assert "Mia Rivera" in page
    assert "Nora Quist" in page
    assert "192.0.2.7" in page
    assert "cannot tell which person of the family it was" in page
    assert "none is deleted, also not after six years" in page
    entry = AuditEvent.objects.get(action="pick", member_id=cast.mia.pk)
    one = text_of(owner.get(f"{AUDIT}{entry.pk}/change/"))
    for words in ("Chose the person", "Mia Rivera", "rivera@example.org", "192.0.2.7", entry.mac):
        assert words in one, words


def test_of_one_person_and_of_one_login_with_the_links_that_lead_there(owner, cast):
    of_mia, of_login = f"{AUDIT}?member={cast.mia.pk}", f"{AUDIT}?account={cast.rivera.pk}"
    assert {row.member_id for row in rows(owner.get(of_mia))} == {cast.mia.pk}
    assert {row.account_id for row in rows(owner.get(of_login))} == {cast.rivera.pk}
    assert of_mia in owner.get(f"/admin/households/member/{cast.mia.pk}/change/").content.decode()
    household = owner.get(f"/admin/accounts/householdaccount/{cast.rivera.pk}/change/")
    assert of_login in household.content.decode()
    both = rows(owner.get(f"{of_mia}&account={cast.okafor.pk}"))
    assert both == []
    by_staff = rows(owner.get(f"{AUDIT}?staff={cast.nurse_staff.pk}"))
    assert {row.staff_id for row in by_staff} == {cast.nurse_staff.pk}


@pytest.mark.parametrize("name", ["member", "account", "staff", "from", "until", "action", "p"])
def test_what_is_no_number_and_no_day_finds_nothing_and_breaks_nothing(owner, name):
    for odd in ("", "x", "-1", "1 2", "9" * 40, "\u0661", "1;"):
        answer = owner.get(f"{AUDIT}?{name}={odd}")
        assert answer.status_code in {200, 302}, odd
        export = owner.get(f"{AUDIT}export/?{name}={odd}")
        assert export.status_code == 200, odd
        lines = b"".join(export.streaming_content).splitlines()
        if name in {"member", "account", "staff"}:
            assert lines == [], odd
            if odd:
                assert rows(answer) == [], odd


def test_reading_it_is_in_it_once_a_look_and_of_whom(owner, cast):
    before = AuditEvent.objects.count()
    owner.get(f"{AUDIT}?member={cast.mia.pk}")
    owner.get(f"{AUDIT}?account={cast.rivera.pk}")
    (of_mia, of_login) = AuditEvent.objects.order_by("pk")[before:]
    assert (of_mia.action, of_mia.object_type, of_mia.member_id, of_mia.staff_id) == (
        "staff-view",
        "auditevent",
        cast.mia.pk,
        cast.nurse_staff.pk,
    )
    assert (of_login.outcome, of_login.account_id) == ("list", cast.rivera.pk)


def test_from_one_day_to_another_both_included(owner, cast, monkeypatch):
    today = practice_today()
    found = rows(owner.get(f"{AUDIT}?from={today}&until={today}"))
    assert len(found) >= 5
    for query in (
        f"until={today - datetime.timedelta(days=2)}",
        f"from={today + datetime.timedelta(days=2)}",
    ):
        assert rows(owner.get(f"{AUDIT}?{query}")) == []
    page = owner.get(f"{AUDIT}?from={today}&action=pick").content.decode()
    assert f'value="{today}"' in page
    assert '<input type="hidden" name="action" value="pick">' in " ".join(page.split())


@pytest.mark.parametrize("probes", [2, 3, 32])
def test_the_days_are_found_by_halving_as_by_looking_at_each(cast, monkeypatch, probes):
    """Among entries of which some numbers were never used."""
    from accounts.audit import append_only

    monkeypatch.setattr(browsing, "_PROBES", probes)
    for _entry in range(60):
        audit.record(audit.Action.VIEW, "ok")
    with connection.cursor() as cursor:
        for statement in append_only.LIFT[connection.vendor]:
            cursor.execute(statement)
        first = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0)
        for number, pk in enumerate(AuditEvent.objects.order_by("pk").values_list("pk", flat=True)):
            at = first - datetime.timedelta(days=(60 - number) // 3)
            AuditEvent.objects.filter(pk=pk).update(at=at)
            if number % 5 in (1, 2):
                AuditEvent.objects.filter(pk=pk).delete()
        for statement in append_only.PUT[connection.vendor]:
            cursor.execute(statement)
    everything = AuditEvent.objects.all()
    for back in range(-1, 23):
        day = practice_today() - datetime.timedelta(days=back)
        for since, until in ((day, None), (None, day), (day, day)):
            quick = browsing.between_days(everything, since, until)
            slow = browsing.on_days(everything, since, until)
            assert {*quick} == {*slow}, (since, until)


def test_a_page_of_entries_costs_the_same_whoever_they_are_about(owner, cast):
    owner.get(AUDIT)
    with CaptureQueriesContext(connection) as few:
        owner.get(AUDIT)
    for number in range(40):
        audit.record(
            audit.Action.VIEW, "ok", account_id=number, member_id=number, staff_id=number % 3
        )
    with CaptureQueriesContext(connection) as many:
        owner.get(AUDIT)
    assert len(many) == len(few)


def test_the_file_has_what_the_filters_leave_and_is_in_the_audit(owner, cast):
    answer = owner.get(f"{AUDIT}export/?member={cast.mia.pk}")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit.ndjson"'
    lines = [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]
    assert {line["member_id"] for line in lines} == {cast.mia.pk}
    assert all(line["mac"] for line in lines)
    entry = AuditEvent.objects.get(action="export")
    assert (entry.object_type, entry.member_id, entry.staff_id) == (
        "auditevent",
        cast.mia.pk,
        cast.nurse_staff.pk,
    )
    page = owner.get(f"{AUDIT}?member={cast.mia.pk}").content.decode()
    assert f"{AUDIT}export/?member={cast.mia.pk}" in page


def test_an_auditor_reads_and_exports_and_the_front_desk_sees_no_way_there(owner, cast):
    auditor = somebody("Auditor")
    assert auditor.get(AUDIT).status_code == 200
    export = auditor.get(f"{AUDIT}export/")
    assert export.status_code == 200
    b"".join(export.streaming_content)
    StaffAccount.objects.filter(email="else@practice.example").delete()
    desk = somebody("Front desk")
    assert desk.get(AUDIT).status_code == 403
    assert desk.get(f"{AUDIT}export/").status_code == 403
    for page in (
        f"/admin/households/member/{cast.mia.pk}/change/",
        f"/admin/accounts/householdaccount/{cast.rivera.pk}/change/",
    ):
        assert AUDIT not in desk.get(page).content.decode()
