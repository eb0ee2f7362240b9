"""What staff see before an email is saved, on every way that changes one, and what the save then closes."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.audit.models import AuditEvent
from accounts.models import HouseholdAccount, HouseholdSession, PasswordLink, StaffAccount
from households.models import Member
from tests.cast import household, member, pick, sign_in, sign_in_as_staff
from tests.files import png
from tests.pages import fields_of, text_of


@pytest.fixture
def staff(cast, client) -> Client:
    sign_in_as_staff(client)
    return client


def page_of(someone: Member) -> str:
    return f"/admin/households/member/{someone.pk}/change/"


def change(staff: Client, someone: Member, **typed: str | None):
    """The answer to pressing Save after typing over what stands there."""
    address = page_of(someone)
    return staff.post(address, fields_of(staff.get(address), "member_form", **typed))


def email_of(someone: Member) -> str:
    return Member.objects.get(pk=someone.pk).email_key


def outcomes() -> list[str]:
    changes = AuditEvent.objects.filter(action="staff-change").order_by("pk")
    return list(changes.values_list("outcome", flat=True))


# --- the preview ----------------------------------------------------------------------


def test_who_gains_who_loses_and_what_is_open(staff, cast):
    family = Client()
    sign_in(family, "rivera@example.org")
    pick(family, "Leo", "2018/09/03")
    text = text_of(change(staff, cast.leo, email="leo@example.org"))
    assert "The email changes from rivera@example.org to leo@example.org." in text
    assert (
        "Gains this chart Whoever reads the mail of leo@example.org and chooses a password" in text
    )
    assert "Loses this chart Whoever signs in as rivera@example.org, at once" in text
    assert "1 browser has this chart open: it is closed" in text
    assert "Save this change" in text
    assert "Tick" not in text
    assert email_of(cast.leo) == "rivera@example.org"
    assert outcomes() == []
    looked = AuditEvent.objects.filter(action="staff-view", outcome="email-change")
    assert looked.get().member_id == cast.leo.pk


def test_an_email_taken_away(staff, cast):
    asked = change(staff, cast.leo, email="")
    text = text_of(asked)
    assert "Gains this chart Nobody" in text
    assert "would leave these people" in text
    assert staff.post(page_of(cast.leo), fields_of(asked)).status_code == 302
    assert email_of(cast.leo) == ""
    assert outcomes() == ["email-change-confirmed", "changed"]


def test_a_first_email_is_looked_at_too(staff, cast):
    new = member("Nell", "New", "1980/01/01", "")
    asked = change(staff, new, email="nell@example.org")
    assert "The email changes from – to nell@example.org." in text_of(asked)
    staff.post(page_of(new), fields_of(asked))
    assert HouseholdAccount.objects.filter(email_key="nell@example.org").exists()


@pytest.mark.parametrize("typed", [" Rivera@Example.ORG. ", "rivera@example.org"])
def test_the_same_email_in_another_writing_asks_nothing_and_makes_no_household(staff, cast, typed):
    """AD-05."""
    accounts = HouseholdAccount.objects.count()
    assert change(staff, cast.mia, email=typed).status_code == 302
    assert email_of(cast.mia) == "rivera@example.org"
    assert HouseholdAccount.objects.count() == accounts


def test_two_households_join_only_with_the_box_ticked(staff, cast):
    """AD-04."""
    asked = change(staff, cast.leo, email="okafor@example.org")
    text = text_of(asked)
    assert "Whoever signs in as okafor@example.org, from now on" in text
    assert "Ada Okafor" in text
    assert "They are one family" in text
    assert "Tick the box" not in text
    for ticked in [{}, {"together": ""}]:
        answer = staff.post(page_of(cast.leo), fields_of(asked, **ticked))
        assert "Tick the box under the lists first" in text_of(answer)
    assert email_of(cast.leo) == "rivera@example.org"
    assert staff.post(page_of(cast.leo), fields_of(asked, together="yes")).status_code == 302
    assert email_of(cast.leo) == "okafor@example.org"
    assert outcomes() == ["email-join-confirmed", "changed"]


def test_a_confirmation_is_for_what_was_left_as_well(staff, cast):
    asked = change(staff, cast.leo, email="leo@example.org")
    Member.objects.filter(pk=cast.elena.pk).update(email="e@example.org", email_key="e@example.org")
    again = staff.post(page_of(cast.leo), fields_of(asked))
    assert "Nothing is saved yet." in text_of(again)
    assert email_of(cast.leo) == "rivera@example.org"


def test_what_else_was_typed_is_kept_through_the_preview(staff, cast):
    asked = change(staff, cast.leo, email="leo@example.org", city="Harbor", mobile_phone="555-0100")
    staff.post(page_of(cast.leo), fields_of(asked))
    saved = Member.objects.get(pk=cast.leo.pk)
    assert (saved.city, saved.mobile_phone) == ("Harbor", "555-0100")


def test_somebody_who_may_not_change_members_forges_nothing(cast, client):
    StaffAccount.objects.create_user("new@example.org", "staff-lantern-orchid-44")
    sign_in_as_staff(client, "new@example.org")
    answer = client.post(page_of(cast.leo), {"email": "okafor@example.org", "together": "yes"})
    assert answer.status_code == 403
    assert email_of(cast.leo) == "rivera@example.org"


# --- warnings -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("email", "words"),
    [
        ("leo.rivera@gmial.com", "“gmial.com” looks like a slip. Is leo.rivera@gmail.com meant?"),
        ("leo@harbor.con", "Is leo@harbor.com meant?"),
        ("chenn@example.org", ""),
        ("okafor@example.com", "almost the same email: okafor@example.org"),
        ("okafor@exampel.org", "almost the same email: okafor@example.org"),
    ],
)
def test_slips_are_warned_about(staff, cast, email, words):
    text = text_of(change(staff, cast.leo, email=email))
    assert words in text
    assert ("almost the same email" in text) == ("almost" in words)


def test_a_near_twin_of_the_familys_own_email_is_warned_about(staff, cast):
    """A new child typed in under a slip of the family's email would be a second, silent household."""
    address = "/admin/households/member/add/"
    fields = {
        "patient_id": "N1",
        "first_name": "Nico",
        "last_name": "Rivera",
        "date_of_birth": "2023/02/03",
        "email": "riverra@example.org",
    }
    asked = staff.post(address, fields_of(staff.get(address), "member_form", **fields))
    assert "almost the same email: rivera@example.org" in text_of(asked)
    assert not Member.objects.filter(patient_id="N1").exists()
    other = staff.post(
        address,
        fields_of(staff.get(address), "member_form", **{**fields, "last_name": "Somebody"}),
    )
    assert other.status_code == 302, "a stranger's email one letter apart is nothing odd"


def test_leaving_for_a_near_twin_of_the_own_old_email_is_a_correction(staff, cast):
    assert "almost the same" not in text_of(change(staff, cast.leo, email="riverra@example.org"))


# --- what binds at once (R-WP-12, MB-22) ----------------------------------------------


def test_a_member_moved_to_another_household_is_lost_and_gained_at_once(staff, cast):
    """MB-22: pages and files go with the chart; what was there stays as it is."""
    from households.documents.models import Document

    old, new = Client(), Client()
    sign_in(old, "rivera@example.org")
    sign_in(new, "okafor@example.org")
    key = pick(old, "Leo", "2018/09/03")
    old.post(f"/for/{key}/documents/", {"files": png()})
    document = Document.objects.get()
    page = f"/for/{key}/documents/{document.public_id}/"
    assert old.get(page).status_code == 200

    asked = change(staff, cast.leo, email="okafor@example.org")
    staff.post(page_of(cast.leo), fields_of(asked, together="yes"))

    assert old.get(page).status_code == 302
    assert (
        old.post("/who/", {"first_name": "Leo", "date_of_birth": "2018/09/03"}).status_code == 422
    )
    assert pick(old, "Mia", "2016/04/27"), "the others are still there"
    key = pick(new, "Leo", "2018/09/03")
    assert new.get(f"/for/{key}/documents/{document.public_id}/").status_code == 200
    assert Document.objects.get().member_id == cast.leo.pk


def test_a_login_that_opens_nobody_any_more_is_over(staff, cast, run_tasks, mailoutbox):
    """Its sessions end, and so do its mailed links (R-AU-9)."""
    family = Client(headers={"user-agent": "Mozilla/5.0 (iPhone) Safari/604"})
    sign_in(family, "nurse@example.org")
    Client().post("/password/", {"email": "nurse@example.org"})
    run_tasks()
    asked = change(staff, cast.nurse_member, email="nora@example.org")
    text = text_of(asked)
    assert "1 session of the old email ends, because its login then opens nobody: Safari" in text
    assert family.get("/who/").status_code == 200, "nothing is saved yet"

    staff.post(page_of(cast.nurse_member), fields_of(asked))
    assert "It was signed out." in text_of(staff.get("/admin/"))
    assert family.get("/who/").status_code == 302
    assert not HouseholdSession.objects.open().exists()
    assert not PasswordLink.objects.open().exists()


def test_others_on_the_old_email_stay_signed_in(staff, cast):
    family = Client()
    sign_in(family, "rivera@example.org")
    asked = change(staff, cast.leo, email="leo@example.org")
    assert "session" not in text_of(asked).partition("Open now")[2].partition("would leave")[0]
    staff.post(page_of(cast.leo), fields_of(asked))
    assert family.get("/who/").status_code == 200


# --- the practice's list --------------------------------------------------------------

HEADER = "patient_id,first_name,last_name,date_of_birth,email\n"


@pytest.fixture
def importing(cast, tmp_path):
    """A function that imports rows; with `dry_run` it only tells."""
    from households.roster.roster_import import import_roster

    def run(*rows: str, dry_run: bool = False):
        path = tmp_path / "list.csv"
        path.write_text(HEADER + "\n".join(rows) + "\n")
        return import_roster(path, dry_run=dry_run)

    return run


def test_a_list_tells_what_it_would_close_and_then_closes_it(cast, importing):
    family, nurse = Client(), Client()
    sign_in(family, "rivera@example.org")
    key = pick(family, "Leo", "2018/09/03")
    sign_in(nurse, "nurse@example.org")
    rows = (
        f"{cast.leo.patient_id},Leo,Rivera,2018-09-03,leo@example.org",
        f"{cast.nurse_member.patient_id},Nora,Quist,1990-01-15,nora@example.org",
    )
    for dry_run in [True, False]:
        report = importing(*rows, dry_run=dry_run)
        leo, nora = report.access_changes
        assert (leo.loses, leo.gains) == ("rivera@example.org", "leo@example.org")
        assert (leo.open_charts, leo.open_sessions) == (1, 0), "the others stay signed in"
        assert (nora.open_charts, nora.open_sessions) == (0, 1)
        status = 200 if dry_run else 302
        assert family.get(f"/for/{key}/").status_code == status
        assert nurse.get("/who/").status_code == status
    assert family.get("/who/").status_code == 200


def test_a_list_in_which_nobody_moves_closes_nothing(cast, importing):
    family = Client()
    sign_in(family, "rivera@example.org")
    key = pick(family, "Leo", "2018/09/03")
    importing(f"{cast.leo.patient_id},Leo,Rivera,2018-09-03,Rivera@Example.org")
    assert family.get(f"/for/{key}/").status_code == 200


def test_a_list_warns_of_slips_in_a_providers_name_once_they_are_new(cast, importing):
    row = f"{cast.leo.patient_id},Leo,Rivera,2018-09-03,leo@gmial.com"
    (entry,) = importing(row).of_kind("email_domain_slip")
    assert "gmail.com" in entry.message
    assert "leo" not in entry.message
    assert importing(row).of_kind("email_domain_slip") == []


def test_the_terminal_tells_what_closes(cast, tmp_path, capsys):
    from django.core.management import call_command

    nurse = Client()
    sign_in(nurse, "nurse@example.org")
    pick(nurse, "Nora", "1990/01/15")
    path = tmp_path / "list.csv"
    path.write_text(f"{HEADER}{cast.nurse_member.patient_id},Nora,Quist,1990-01-15,n@example.org\n")
    call_command("import_roster", str(path), "--dry-run")
    told = capsys.readouterr().out
    assert "open in 1 browser now: closed; 1 session of the old login: ended" in told


# --- the family's own request ---------------------------------------------------------


def test_a_familys_request_for_another_email_goes_through_the_same_preview(staff, cast):
    family = Client()
    sign_in(family, "rivera@example.org")
    key = pick(family, "Leo", "2018/09/03")
    page = f"/for/{key}/demographics/email/"
    family.post(page, fields_of(family.get(page), email="okafor@example.org"))
    from households.demographics.models import DetailChange

    asked = DetailChange.objects.get()
    for forged in ["accept", "edit"]:
        staff.post(
            f"/admin/demographics/detailchange/{asked.pk}/{forged}/",
            {"on_file": "x", "email": "okafor@example.org", "together": "yes"},
        )
    assert email_of(cast.leo) == "rivera@example.org"
    assert "They are one family" in text_of(change(staff, cast.leo, email="okafor@example.org"))


def test_an_idle_login_with_a_password_is_warned_about(staff, cast):
    household("old@example.org")
    text = text_of(change(staff, cast.leo, email="old@example.org"))
    assert "There is already a login with this email and a password" in text
