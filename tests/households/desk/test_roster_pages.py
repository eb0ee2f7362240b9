"""A patient list through admin: sent, checked by the worker, read, confirmed, and kept as a report."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from accounts.audit.models import AuditEvent
from accounts.models import HouseholdAccount
from households.desk import roster_actions, roster_files, roster_tasks
from households.desk.models import RosterImport, RosterLine
from households.models import Member
from portal.management.commands.serve import make_ready_again
from tests.cast import pick, sign_in
from tests.pages import fields_of, text_of

ADD = "/admin/desk/rosterimport/add/"
LIST = "/admin/desk/rosterimport/"
HEADER = "patient_id,mrn,first_name,last_name,date_of_birth,email,status\n"
NEW = HEADER + "N1,V1,Ida,Novak,2011-03-04,novak@example.org,active\n"
SAMPLES = Path(__file__).parents[2] / "data" / "rosters"
MAY_IMPORT = ("households.view_member", "desk.view_rosterimport", "desk.add_rosterimport")


@pytest.fixture(autouse=True)
def a_folder_of_its_own(settings, tmp_path) -> None:
    settings.DATA = tmp_path


def upload(
    browser: Client, content: str | bytes, date_format: str = "", name: str = "patients.csv"
):
    data = content.encode() if isinstance(content, str) else content
    file = SimpleUploadedFile(name, data, "text/csv")
    return browser.post(ADD, {"file": file, "date_format": date_format})


@pytest.fixture
def checked(staff, run_tasks):
    """A function that sends a list and has it checked; returns the address of its page."""

    def send(content: str | bytes, date_format: str = "") -> str:
        answer = upload(staff, content, date_format)
        assert answer.status_code == 302, text_of(answer)
        run_tasks()
        return answer.headers["Location"]

    return send


def row() -> RosterImport:
    return RosterImport.objects.first()


def button(page: str, name: str) -> str:
    return page.replace("/change/", f"/{name}/")


def confirm(browser: Client, page: str, **typed: str):
    """Press "Import" as it stands on the page, with what was ticked."""
    fields = {"plan": RosterImport.objects.get(pk=page.split("/")[-3]).plan_digest, **typed}
    return browser.post(button(page, "confirm"), fields, follow=True)


def lists_on_disk() -> list[str]:
    return sorted(path.name for path in (Path(settings.DATA) / "rosters").glob("*"))


# --- what goes wrong ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "The file is empty."),
        (b"PK\x03\x04" + bytes(200), "This is an Excel workbook or a ZIP archive"),
        (bytes(range(32)) * 40, "This is not a text file"),
        (b"just some words\nand more\n", "neither CSV whose first line names the columns"),
    ],
)
def test_a_file_that_cannot_be_read_says_why_and_is_gone(staff, checked, content, says):
    page = checked(content)
    answer = text_of(staff.get(page))
    assert "This file cannot be read. Nothing was imported." in answer
    assert says in answer
    assert row().state == "unreadable"
    assert lists_on_disk() == []
    assert "Import, without" not in answer
    assert confirm(staff, page).status_code == 200
    assert row().state == "unreadable"


def test_no_file_and_too_large_a_file_stay_on_the_page(staff, settings):
    answer = staff.post(ADD, {"date_format": "MM/DD/YYYY"})
    assert answer.status_code == 422
    assert "Choose the file." in text_of(answer)
    assert fields_of(answer)["date_format"] == ["MM/DD/YYYY"]
    settings.FILE_MB = 1
    answer = upload(staff, NEW + "x" * 1024 * 1024)
    assert answer.status_code == 422
    assert "larger than 1 MB" in text_of(answer)
    assert not RosterImport.objects.exists()
    assert lists_on_disk() == []


def test_an_order_of_dates_that_is_not_offered_is_refused(staff):
    answer = upload(staff, NEW, date_format="YY/MM/DD")
    assert answer.status_code == 422
    assert "Choose one of these." in text_of(answer)
    assert not RosterImport.objects.exists()


def test_the_wrong_order_of_dates_refuses_rows_and_guesses_none(staff, checked):
    rows = "D1,,Ida,Novak,04/27/2016,n@example.org,active\nD2,,Ivo,Novak,27/04/2016,n@example.org,active\n"
    page = checked(HEADER + rows)
    assert (row().created, row().refused) == (0, 2)
    page = checked(HEADER + rows, "DD/MM/YYYY")
    assert (row().created, row().refused) == (1, 1)
    answer = text_of(staff.get(page))
    assert "There is no such day." in answer
    assert "D1" in answer


def test_nothing_is_on_file_before_somebody_confirms(staff, checked):
    before = Member.objects.count()
    page = checked(NEW)
    answer = staff.get(page)
    assert "Nothing is saved yet." in text_of(answer)
    assert Member.objects.count() == before
    assert row().state == "checked"


def test_confirmed_twice_it_is_imported_once(staff, checked, run_tasks):
    page = checked(NEW)
    confirm(staff, page)
    again = confirm(staff, page)
    assert "Somebody decided about this list before" in text_of(again)
    run_tasks()
    assert Member.objects.filter(patient_id="N1").count() == 1
    assert "Somebody decided about this list before" in text_of(confirm(staff, page))
    run_tasks()
    assert AuditEvent.objects.filter(action="roster-import", outcome="ok").count() == 1
    assert (row().state, row().created, row().unchanged) == ("imported", 1, 0)


def test_two_lists_are_not_imported_at_once(staff, checked, run_tasks):
    first, second = (
        checked(NEW),
        checked(NEW.replace("N1,V1,Ida", "N2,V2,Ivo").replace("novak@", "ivo@")),
    )
    confirm(staff, first)
    assert "Another list is being imported" in text_of(confirm(staff, second))
    assert row().state == "checked"
    run_tasks()
    confirm(staff, second)
    run_tasks()
    assert set(
        Member.objects.filter(patient_id__in=["N1", "N2"]).values_list("patient_id", flat=True)
    ) == {
        "N1",
        "N2",
    }


def test_patients_who_changed_meanwhile_have_the_list_checked_again(
    cast, staff, checked, run_tasks
):
    page = checked(
        HEADER + f"{cast.leo.patient_id},,Leo,Rivera,2018-09-03,elsewhere@example.org,active\n"
    )
    confirm(staff, page, read_access="1")
    leo = Member.objects.get(pk=cast.leo.pk)
    leo.email = "okafor@example.org"
    leo.save()
    run_tasks()
    assert (row().state, row().checked_again) == ("checked", True)
    answer = text_of(staff.get(page))
    assert "the list was checked again" in answer
    assert "okafor@example.org loses access" in answer
    assert Member.objects.get(pk=cast.leo.pk).email == "okafor@example.org"
    confirm(staff, page, read_access="1")
    run_tasks()
    assert row().state == "imported"
    assert Member.objects.get(pk=cast.leo.pk).email == "elsewhere@example.org"


def test_a_report_that_was_not_read_is_not_confirmed(staff, checked, run_tasks):
    page = checked(NEW)
    answer = confirm(staff, page, plan="0" * 64)
    assert "The report is a new one." in text_of(answer)
    assert row().state == "checked"


def test_somebody_elses_save_that_does_not_matter_stops_nothing(cast, staff, checked, run_tasks):
    page = checked(NEW)
    Member.objects.get(pk=cast.ada.pk).save()
    confirm(staff, page)
    run_tasks()
    assert row().state == "imported"


def test_a_chart_that_a_family_opens_meanwhile_stops_nothing_and_is_closed(
    cast, staff, checked, run_tasks
):
    family = Client()
    sign_in(family, "rivera@example.org")
    first = pick(family, "Leo", "2018/09/03")
    page = checked(
        HEADER + f"{cast.leo.patient_id},,Leo,Rivera,2018-09-03,new@example.org,active\n"
    )
    assert "open in 1 browser now: closed" in text_of(staff.get(page))
    other = Client()
    sign_in(other, "rivera@example.org")
    second = pick(other, "Leo", "2018/09/03")
    confirm(staff, page, read_access="1")
    run_tasks()
    assert row().state == "imported"
    assert family.get(f"/for/{first}/").headers["Location"] == "/who/"
    assert other.get(f"/for/{second}/").headers["Location"] == "/who/"


def test_other_bytes_than_were_sent_are_never_imported(staff, checked, run_tasks):
    page = checked(NEW)
    roster_files.path_of(row().file_key).write_text(NEW.replace("novak@", "attacker@"))
    confirm(staff, page)
    run_tasks()
    assert row().state == "unreadable"
    assert "does not lie here any more as it was sent" in text_of(staff.get(page))
    assert not Member.objects.filter(patient_id="N1").exists()


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_was_killed_takes_it_up_again(staff, checked, run_tasks):
    page = checked(NEW)
    confirm(staff, page)
    task = DBTaskResult.objects.get(pk=row().task_id)
    task.status, task.worker_ids = "RUNNING", ["dead"]
    task.save()
    assert "The list is being imported." in text_of(staff.get(page))
    make_ready_again()
    run_tasks()
    assert row().state == "imported"
    assert Member.objects.filter(patient_id="N1").exists()


def test_a_step_that_is_over_is_not_done_twice(staff, checked, run_tasks):
    page = checked(NEW)
    confirm(staff, page)
    run_tasks()
    Member.objects.filter(patient_id="N1").update(first_name="Changed since")
    assert roster_tasks.import_list.call(row().pk) == "over"
    assert roster_tasks.check_list.call(row().pk) == "over"
    assert (row().created, row().unchanged) == (1, 0)


@pytest.mark.parametrize("state", ["checking", "importing"])
def test_one_that_stopped_for_good_can_be_started_again_or_dropped(
    staff, checked, run_tasks, state
):
    page = checked(NEW)
    if state == "importing":
        confirm(staff, page)
    else:
        RosterImport.objects.update(state="checking")
    DBTaskResult.objects.filter(pk=row().task_id).update(status="FAILED")
    assert "It stopped before it was done" in text_of(staff.get(page))
    answer = staff.post(button(page, "start-again"), follow=True)
    assert "Started again." in text_of(answer)
    assert "Nothing was done" in text_of(staff.post(button(page, "start-again"), follow=True))
    run_tasks()
    assert row().state == ("imported" if state == "importing" else "checked")


def test_one_that_is_done_this_moment_has_not_stopped(staff, checked):
    """The page read the row, and then the worker was done."""
    checked(NEW)
    read_before = row()
    read_before.state = "checking"
    assert not roster_actions.is_stopped(read_before)
    assert read_before.state == "checked"


def test_one_that_is_worked_on_is_not_dropped(staff, checked, run_tasks):
    page = checked(NEW)
    confirm(staff, page)
    assert "Nothing was done now" in text_of(staff.post(button(page, "drop"), follow=True))
    run_tasks()
    assert row().state == "imported"


def test_nobody_decides_for_a_week_and_the_file_is_gone(staff, checked, run_tasks):
    page = checked(NEW)
    RosterImport.objects.update(uploaded_at=timezone.now() - timedelta(days=7, minutes=1))
    assert len(lists_on_disk()) == 1
    run_tasks(later=True)
    assert (row().state, lists_on_disk()) == ("dropped", [])
    assert "Nobody decided on it for a week." in text_of(staff.get(page))
    assert "Somebody decided" in text_of(confirm(staff, page))


# --- who may --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [(), MAY_IMPORT[:1], MAY_IMPORT[1:]],
    ids=["nothing", "sees people", "not allowed to see people"],
)
def test_without_permission_there_is_nothing_to_see_or_send(
    staff, checked, with_permissions, names
):
    page = checked(NEW)
    browser = with_permissions(*names)
    for address in (LIST, ADD, page, button(page, "report-csv"), button(page, "report-txt")):
        assert browser.get(address).status_code == 403, address
    assert upload(browser, NEW).status_code == 403
    for name in ("confirm", "drop", "start-again"):
        assert browser.post(button(page, name), {"plan": row().plan_digest}).status_code == 403
    assert (row().state, RosterImport.objects.count()) == ("checked", 1)


def test_who_may_only_read_reports_decides_nothing(staff, checked, with_permissions):
    page = checked(NEW)
    browser = with_permissions(*MAY_IMPORT[:2])
    answer = browser.get(page)
    assert "Nothing is saved yet." in text_of(answer)
    assert b"/confirm/" not in answer.content
    assert browser.get(ADD).status_code == 403
    assert browser.post(button(page, "confirm"), {"plan": row().plan_digest}).status_code == 403
    assert row().state == "checked"


def test_a_front_desk_that_may_import_can(with_permissions, run_tasks):
    browser = with_permissions(*MAY_IMPORT)
    page = upload(browser, NEW).headers["Location"]
    run_tasks()
    confirm(browser, page)
    run_tasks()
    assert Member.objects.filter(patient_id="N1").exists()
    by = row().decided_by_id
    assert by == row().uploaded_by_id
    assert AuditEvent.objects.filter(action="roster-import", outcome="ok", staff_id=by).exists()


def test_a_button_is_no_link_and_wants_its_token(staff, checked):
    page = checked(NEW)
    assert staff.get(button(page, "confirm")).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = staff.cookies
    for name in ("confirm", "drop"):
        answer = strict.post(button(page, name), {"plan": row().plan_digest})
        assert answer.status_code == 403
    assert row().state == "checked"


def test_numbers_that_no_row_has(staff):
    for number in ("0", "7", "x", "9" * 30):
        assert staff.get(f"{LIST}{number}/change/").status_code == 404, number
    assert staff.post(f"{LIST}{'9' * 18}/confirm/").status_code == 404
    assert staff.post(f"{LIST}{2**70}/confirm/").status_code == 404


# --- what goes right ------------------------------------------------------------------


def test_access_that_moves_wants_a_deliberate_word(cast, staff, checked, run_tasks):
    page = checked(
        HEADER + f"{cast.leo.patient_id},,Leo,Rivera,2018-09-03,okafor@example.org,active\n"
    )
    answer = text_of(staff.get(page))
    assert "rivera@example.org loses access (4 others are on that email)" in answer
    assert "okafor@example.org gains access (2 others are on that email)" in answer
    assert "Leo Rivera, 2018/09/03" in answer
    refused = text_of(confirm(staff, page))
    assert "tick that you did" in refused
    assert row().state == "checked"
    confirm(staff, page, read_access="1")
    run_tasks()
    assert Member.objects.get(pk=cast.leo.pk).email == "okafor@example.org"
    outcomes = AuditEvent.objects.filter(action="roster-import").values_list("outcome", flat=True)
    assert {
        "taken-in",
        "checked",
        "confirmed",
        "ok",
        "access-change",
        "email-join",
        "imported",
    } <= {*outcomes}


def test_faulty_rows_stay_out_with_line_and_reason_and_the_others_go_in(staff, checked, run_tasks):
    page = checked(NEW + "N2,,Ivo,Novak,31.02.2011,novak@example.org,active\n")
    answer = staff.get(page)
    shown = text_of(answer)
    assert "Refused (1)" in shown
    assert "3 N2" in shown
    assert "Import, without the refused rows" in shown
    confirm(staff, page)
    run_tasks()
    assert Member.objects.filter(patient_id="N1").exists()
    assert not Member.objects.filter(patient_id="N2").exists()
    assert HouseholdAccount.objects.filter(email_key="novak@example.org").exists()
    done = text_of(staff.get(page))
    assert "This list was imported." in done
    assert "Refused (1)" in done
    assert lists_on_disk() == []


def test_a_list_that_is_not_wanted_is_dropped_and_its_report_stays(staff, checked):
    page = checked(NEW)
    answer = staff.post(button(page, "drop"), follow=True)
    assert "The list is not imported. Its file is deleted" in text_of(answer)
    assert lists_on_disk() == []
    assert not Member.objects.filter(patient_id="N1").exists()
    assert "not imported" in text_of(staff.get(LIST))


def test_the_real_samples_and_their_report_as_files(staff, checked, run_tasks):
    content = (SAMPLES / "roster-us-dates-semicolon-cp1252.csv").read_bytes()
    page = checked(content, "MM/DD/YYYY")
    assert row().created > 100
    confirm(staff, page, read_access="1")
    run_tasks()
    assert row().state == "imported"
    answer = staff.get(button(page, "report-csv"))
    assert answer.headers["Content-Disposition"].startswith("attachment")
    text = b"".join(answer.streaming_content).decode()
    lines = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    assert lines[0] == ["What", "Line", "Patient id", "Reason", "Message"]
    assert len(lines) == 1 + RosterLine.objects.count()
    plain = b"".join(staff.get(button(page, "report-txt")).streaming_content).decode()
    assert plain.startswith(f"patients.csv\nSHA-256 {row().sha256}\n")
    assert plain.endswith(f"refused {row().refused}\n")


def test_a_cell_of_the_report_is_no_formula(staff, checked):
    page = checked(HEADER + '"=HYPERLINK(""x"")",,Ida,Novak,never,n@example.org,active\n')
    text = b"".join(staff.get(button(page, "report-csv")).streaming_content).decode()
    cells = [cell for line in csv.reader(io.StringIO(text)) for cell in line]
    assert '\'=HYPERLINK("x")' in cells
    assert not [cell for cell in cells if cell.startswith("=")]


def test_what_a_file_holds_is_text_on_the_page(staff, checked):
    page = checked(HEADER + "<script>alert(1)</script>,,Ida,Novak,never,n@example.org,active\n")
    assert b"<script>alert" not in staff.get(page).content


def test_a_long_report_is_read_in_pages_at_a_constant_cost(staff, checked):
    rows = "".join(f"L{n},,Ida,Novak,never,n@example.org,active\n" for n in range(250))
    page = checked(HEADER + rows)
    first = staff.get(page)
    assert "Page 1 of 3" in text_of(first)
    assert "250 × unreadable_dob" in text_of(first)
    third = text_of(staff.get(f"{page}?show=refused&p=3"))
    assert "L249" in third
    assert "L100" not in third
    assert "Page 3 of 3" in text_of(staff.get(f"{page}?show=refused&p=999"))
    assert "Page 1 of 3" in text_of(staff.get(f"{page}?show=nonsense&p=-1"))
    with CaptureQueriesContext(connection) as long:
        staff.get(page)
    small = checked(HEADER + "L1,,Ida,Novak,never,n@example.org,active\n")
    with CaptureQueriesContext(connection) as short:
        staff.get(small)
    assert len(long) == len(short)
    assert len(long) < 25


def test_every_report_is_listed_with_who_and_when(staff, checked):
    checked(NEW)
    checked(b"")
    answer = text_of(staff.get(LIST))
    assert answer.count("patients.csv") == 2
    assert "Nora Quist" in answer
    assert "cannot be read" in answer


def test_the_page_shows_how_far_the_worker_is(staff, checked):
    page = checked(NEW)
    key = row().file_key
    confirm(staff, page)
    step = roster_files.tell_progress(key)("Writing", 1000)
    assert "0 of about 1000" in text_of(staff.get(page))
    with CaptureQueriesContext(connection) as asked:
        staff.get(page)
    written = [one["sql"] for one in asked if not one["sql"].startswith("SELECT")]
    assert written == [], "it would wait for the import's lock"
    step(250)
    roster_files.forget_progress(key)
    assert "It waits for its turn." in text_of(staff.get(page))


def test_the_file_is_for_the_portals_own_login(staff, checked):
    checked(NEW)
    path = roster_files.path_of(row().file_key)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_nothing_is_kept_of_an_upload_that_cannot_be_noted(staff, monkeypatch):
    """The database fails after the file was moved: no list of patients is left lying about."""
    with transaction.atomic():
        answer = None
        try:
            with connection.execute_wrapper(_fail_on("desk_rosterimport")):
                answer = upload(staff, NEW)
        except RuntimeError:
            pass
    assert answer is None
    assert lists_on_disk() == []


def _fail_on(table: str):
    def wrapper(execute, sql, params, many, context):
        if sql.startswith("INSERT") and table in sql:
            raise RuntimeError("no")
        return execute(sql, params, many, context)

    return wrapper
