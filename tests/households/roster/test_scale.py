"""Large lists: a fixed number of statements for each chunk, one transaction, nothing half done."""

from __future__ import annotations

import io

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.audit.models import AuditEvent
from accounts.models import HouseholdAccount
from households.models import Member
from households.roster.planning import CHUNK
from households.roster.roster_import import import_roster

pytestmark = pytest.mark.django_db


def roster(people: int, *, street: str = "Elm Street", host: str = "example.org") -> io.BytesIO:
    """A list of households of four."""
    lines = [
        "patient_id,mrn,first_name,last_name,date_of_birth,email,address_1,city,state,postal_code"
    ]
    for number in range(people):
        family = number // 4
        lines.append(
            f"P{number},V{number},Renée{number},O’Brien{family},{1930 + number % 90}-{number % 12 + 1:02}-17,"
            f"family{family}@{host},{family} {street},Boston,MA,02108"
        )
    return io.BytesIO("\n".join(lines).encode())


def queries(*args, **kwargs) -> int:
    with CaptureQueriesContext(connection) as captured:
        import_roster(*args, **kwargs)
    return len(captured)


@pytest.mark.parametrize("kind", ["created", "unchanged", "changed"])
def test_statements_grow_by_the_chunk_and_not_by_the_row(kind):
    counts = []
    for chunks in (1, 2, 3):
        people = chunks * CHUNK
        Member.objects.all().delete()
        HouseholdAccount.objects.all().delete()
        if kind == "created":
            counts.append(queries(roster(people)))
        else:
            import_roster(roster(people))
            street = "Oak Street" if kind == "changed" else "Elm Street"
            counts.append(queries(roster(people, street=street)))
    first, second, third = counts
    assert third - second == second - first
    assert second - first < CHUNK / 5


def test_a_list_of_one_email_for_everybody_is_still_read():
    """Somebody typed the office's address for every patient."""
    text = roster(3000).getvalue().decode()
    one = "\n".join(
        line if number == 0 else line.replace(f"family{(number - 1) // 4}@", "office@")
        for number, line in enumerate(text.split("\n"))
    )
    report = import_roster(io.BytesIO(one.encode()))
    assert len(report.of_kind("office_email_shared_by_unrelated")) == 3000
    assert max(len(entry.message) for entry in report.entries) < 400


def test_what_breaks_half_way_leaves_nothing():
    import_roster(roster(8))
    before = set(Member.objects.values_list("patient_id", "address_1"))
    audited = AuditEvent.objects.count()

    class PowerCut(Exception):
        pass

    def progress(what, expected):
        def step(done):
            if what == "Writing":
                raise PowerCut

        return step

    with pytest.raises(PowerCut):
        import_roster(roster(600, street="Oak Street", host="other.example"), progress=progress)
    assert set(Member.objects.values_list("patient_id", "address_1")) == before
    assert AuditEvent.objects.count() == audited
    assert not HouseholdAccount.objects.filter(email_key__endswith="@other.example").exists()


def change_meanwhile(change):
    """A progress that lets `change` happen once, between the plan and its writing."""
    waiting = [change]

    def progress(what, expected):
        if what == "Writing" and waiting:
            waiting.pop()()
        return lambda done: None

    return progress


def test_a_patient_whom_staff_added_meanwhile_is_not_doubled():
    def add():
        Member.objects.create(patient_id="P3", first_name="Renée3", email="elsewhere@example.org")

    report = import_roster(roster(4), progress=change_meanwhile(add))
    assert (report.created, report.changed) == (3, 1)
    assert [change.loses for change in report.access_changes] == ["elsewhere@example.org"]
    assert Member.objects.get(patient_id="P3").email == "family0@example.org"
    assert AuditEvent.objects.filter(action="roster-import", outcome="ok").count() == 1


def test_an_email_that_staff_changed_meanwhile_is_seen():
    import_roster(roster(4))

    def move():
        member = Member.objects.get(patient_id="P3")
        member.email = "elsewhere@example.org"
        member.save()

    report = import_roster(roster(4), progress=change_meanwhile(move))
    assert (report.changed, report.unchanged) == (1, 3)
    assert [change.loses for change in report.access_changes] == ["elsewhere@example.org"]
