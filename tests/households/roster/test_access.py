"""Who gains and who loses a chart because the practice's list changed."""

from __future__ import annotations

import pytest

from accounts.audit.models import AuditEvent
from accounts.models import HouseholdAccount
from households.models import Member
from tests.cast import PASSWORD, pick, sign_in

pytestmark = pytest.mark.django_db
MIA = "P1,V1,Mia,Rivera,2016-04-27,rivera@example.org,active"
LEO = "P2,V2,Leo,Rivera,2018-09-03,rivera@example.org,active"
ADA = "P9,V9,Ada,Okafor,1979-11-30,okafor@example.org,active"


def test_a_family_of_the_file_can_set_a_password(run_rows):
    run_rows(MIA, LEO, ADA, "P3,,Nora,Quist,1990-01-15,none,active")
    assert set(HouseholdAccount.objects.values_list("email_key", flat=True)) == {
        "rivera@example.org",
        "okafor@example.org",
    }


def test_who_is_inactive_or_deceased_brings_no_login(run_rows):
    run_rows("P1,,Mia,Rivera,2016-04-27,rivera@example.org,inactive")
    assert not HouseholdAccount.objects.exists()


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_a_changed_email_names_who_gains_and_who_loses(run_rows, options):
    run_rows(MIA, LEO, ADA)
    outcome = run_rows(MIA.replace("rivera@", "mother@"), options=options)
    line = next(line for line in outcome.out.splitlines() if "loses access" in line)
    assert "line 2  P1" in line
    assert "rivera@example.org loses access (1 other on that email)" in line
    assert "mother@example.org gains access (nobody else on that email)" in line
    stored = "rivera@example.org" if options else "mother@example.org"
    assert Member.objects.get(patient_id="P1").email_key == stored


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_joining_a_household_on_file_is_warned_about_by_name_of_the_kind(run_rows, options):
    run_rows(MIA, LEO, ADA)
    outcome = run_rows(
        ADA.replace("okafor@", "RIVERA@"),
        "P5,,Baby,Rivera,2026-04-27,rivera@example.org,active",
        options=options,
    )
    joins = [line for line in outcome.out.splitlines() if "  email_join: Comes" in line]
    assert len(joins) == 2
    assert all("P1, P2" in line for line in joins)


def test_a_family_that_changes_its_email_together_joins_nobody(run_rows):
    run_rows(MIA, LEO)
    outcome = run_rows(MIA.replace("rivera@", "new@"), LEO.replace("rivera@", "new@"))
    assert "email_join" not in outcome.out
    assert outcome.out.count("loses access") == 2


@pytest.mark.parametrize(
    "changed",
    [
        MIA.replace("active", "inactive"),
        MIA.replace("active", "deceased"),
        MIA.replace("rivera@example.org", ""),
        MIA.replace("rivera@example.org", "none"),
    ],
)
def test_losing_access_without_a_new_email(run_rows, changed):
    run_rows(MIA, LEO)
    outcome = run_rows(changed)
    line = next(line for line in outcome.out.splitlines() if "loses access" in line)
    assert "gains" not in line


def test_a_dry_run_writes_nothing_at_all(run_rows):
    outcome = run_rows(MIA, LEO, options=("--dry-run",))
    assert outcome.last_line == "created 2, changed 0, unchanged 0, refused 0"
    assert "nothing was written" in outcome.out
    assert not Member.objects.exists()
    assert not HouseholdAccount.objects.exists()
    assert not AuditEvent.objects.exists()


def test_the_audit_tells_the_import_and_whose_access_moved(run_rows):
    run_rows(MIA, LEO, ADA)
    mia = Member.objects.get(patient_id="P1")
    AuditEvent.objects.filter(action="roster-import", outcome="ok").get()
    run_rows(MIA.replace("rivera@", "okafor@"))
    told = AuditEvent.objects.filter(action="roster-import", member_id=mia.pk)
    assert set(told.values_list("outcome", flat=True)) == {"access-change", "email-join"}
    assert not AuditEvent.objects.filter(object_id__contains="@").exists()


@pytest.fixture
def open_chart(client, run_rows):
    """The Riveras signed in, with Mia's chart open."""
    run_rows(MIA, LEO)
    account = HouseholdAccount.objects.get(email_key="rivera@example.org")
    from accounts import passwords

    account.password = passwords.hashed(PASSWORD)
    account.save()
    sign_in(client, "rivera@example.org")
    return f"/for/{pick(client, 'Mia', '2016/04/27')}/"


@pytest.mark.parametrize(
    "changed",
    [
        MIA.replace("rivera@", "other@"),
        MIA.replace("active", "inactive"),
        MIA.replace("2016-04-27", "2016-04-28"),
        MIA.replace("Mia", "Maya"),
    ],
)
def test_a_changed_identity_ends_the_open_chart(client, run_rows, open_chart, changed):
    assert client.get(open_chart).status_code == 200
    run_rows(changed)
    assert client.get(open_chart).status_code != 200


def test_a_changed_address_or_brother_ends_nothing(client, run_rows, open_chart):
    outcome = run_rows(MIA.replace("V1", "V7"), LEO.replace("rivera@", "other@"))
    assert outcome.last_line.startswith("created 0, changed 2")
    assert client.get(open_chart).status_code == 200


def test_an_email_of_the_practice_itself_is_warned_about(run_rows, cast):
    outcome = run_rows(
        "X1,,Omar,Haddad,1960-01-31,portal@practice.example,active",
        "X2,,Ida,Berg,1961-01-31,nurse@example.org,active",
    )
    assert outcome.out.count("  office_email_shared_by_unrelated: ") == 2


def test_who_cannot_be_opened_is_in_nobodys_way(run_rows):
    outcome = run_rows(
        "P1,,Sam,Chen,2010-05-05,chen@example.org,active",
        "P2,,Sam,Lee,2010-05-05,chen@example.org,inactive",
    )
    assert "ambiguous" not in outcome.out


def test_somebody_on_file_and_not_in_the_file_can_make_a_row_ambiguous(run_rows):
    run_rows("P1,,Sam,Chen,2010-05-05,chen@example.org,active")
    outcome = run_rows("P2,,SAM,Lee,2010-05-05,chen@example.org,active")
    assert "P1" in outcome.line_of("ambiguous_same_first_and_dob")
