"""Admin of the practice, members and household accounts, as staff see it."""

from __future__ import annotations

import datetime
import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django_tasks_db.models import DBTaskResult

from accounts import throttle
from accounts.audit.models import AuditEvent
from accounts.models import HouseholdAccount, HouseholdSession, StaffAccount
from households.models import Member, Practice
from tests.cast import household, member, pick, sign_in, sign_in_as_staff
from tests.pages import fields_of, text_of, title_of

MEMBERS = "/admin/households/member/"
ACCOUNTS = "/admin/accounts/householdaccount/"


@pytest.fixture
def staff(cast, client) -> Client:
    sign_in_as_staff(client)
    return client


def page_of(member: Member) -> str:
    return f"{MEMBERS}{member.pk}/change/"


def save(staff: Client, address: str, **changes):
    """Open the page, type `changes` over what stands there, and save."""
    page = staff.get(address)
    form_id = "member_form" if "/member/" in address else ""
    return staff.post(address, fields_of(page, form_id, **changes))


def search(staff: Client, address: str, words: str):
    return staff.post(address, {"q": words, "search": "Search"}, follow=True)


def outcomes(action: str = "staff-change") -> list[str]:
    return list(
        AuditEvent.objects.filter(action=action).order_by("pk").values_list("outcome", flat=True)
    )


# --- the practice ---------------------------------------------------------------------


def test_the_practice_is_one_row_edited_in_place(staff):
    assert (
        staff.get("/admin/households/practice/").headers["Location"].endswith("/practice/1/change/")
    )
    answer = save(staff, "/admin/households/practice/1/change/", name="Harbor Family Medicine")
    assert answer.status_code == 302
    assert Practice.objects.get().name == "Harbor Family Medicine"
    assert "Harbor Family Medicine: staff" in text_of(staff.get("/admin/"))
    assert staff.get("/admin/households/practice/add/").status_code == 403
    assert staff.post("/admin/households/practice/1/delete/", {"post": "yes"}).status_code == 403
    assert staff.get("/admin/households/practice/2/change/").status_code == 302
    assert AuditEvent.objects.get(action="staff-change").object_type == "practice"


def test_a_time_zone_that_does_not_exist_is_refused(staff):
    answer = save(staff, "/admin/households/practice/1/change/", time_zone="Mars/Olympus")
    assert "There is no such time zone" in text_of(answer)
    assert not Practice.objects.exists()


# --- finding people -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("mia riv", ["Mia Rivera"]),
        ("rivera, mia", ["Mia Rivera"]),
        ("RIVERA mia", ["Mia Rivera"]),
        ("mimi", ["Mia Rivera"]),
        ("okaf", ["Ada Okafor", "Mia Okafor"]),
        ("2016/04/27", ["Mia Okafor", "Mia Rivera"]),
        ("2016-04-27 riv", ["Mia Rivera"]),
        ("okafor@", ["Ada Okafor", "Mia Okafor"]),
        ("OKAFOR@Example.org", ["Ada Okafor", "Mia Okafor"]),
        ("R-77", ["Luz de la Cruz"]),
        ("luz de la cr", ["Luz de la Cruz"]),
        ("de la cruz, luz", ["Luz de la Cruz"]),
        ("lúz", ["Luz de la Cruz"]),
        ("nobody at all", []),
        ("2016/02/31", []),
        ("%", []),
        ("_ia", []),
    ],
)
def test_people_are_found_by_name_birth_date_email_or_record_number(staff, typed, found):
    member("Luz", "de la Cruz", "1970/01/02", "luz@example.org", mrn="R-77")
    answer = search(staff, MEMBERS, typed)
    names = sorted(row.full_name for row in answer.context_data["cl"].result_list)
    assert names == found


def test_what_staff_search_for_stays_out_of_addresses(staff):
    answer = search(staff, MEMBERS, "mia riv")
    address = answer.redirect_chain[-1][0]
    assert "mia" not in address.lower()
    assert 'value="mia riv"' in answer.content.decode()
    assert 'method="post"' in answer.content.decode()


@pytest.mark.parametrize(
    "typed", ["\0", b"\xed\xa0\x80", "x" * 100_000, "~gone", "'; --", "9" * 400, "0000/00/00"]
)
def test_odd_searches_find_nobody_and_break_nothing(staff, typed):
    assert search(staff, MEMBERS, typed).status_code == 200


def test_columns_cannot_be_searched_through_the_address(staff):
    answer = staff.get(f"{ACCOUNTS}?password__startswith=argon2")
    assert answer.status_code == 400


def test_the_list_shows_the_facts_and_costs_the_same_at_any_length(
    staff, django_assert_num_queries
):
    text = text_of(staff.get(MEMBERS))
    for shown in ["Mia Rivera (“Mimi”)", "2016/04/27", "Rivera@Example.org", "active"]:
        assert shown in text
    with CaptureQueriesContext(connection) as counted:
        staff.get(MEMBERS)
    assert len(counted) <= 10  # four of them for what waits, in the head of the page
    Member.objects.bulk_create(_many(45))
    with django_assert_num_queries(len(counted)) as counted:
        answer = staff.get(MEMBERS)
    assert len(answer.context_data["cl"].result_list) == 50
    counts = [query["sql"] for query in counted.captured_queries if "COUNT(" in query["sql"]]
    assert all("LIMIT 1000" in sql for sql in counts), "the whole table is counted"


def _many(count: int) -> list[Member]:
    people = []
    for number in range(count):
        person = Member(
            patient_id=f"X{number}",
            first_name=f"Person{number}",
            last_name="Many",
            date_of_birth=datetime.date(2000, 1, 1),
            email=f"many{number}@example.org",
        )
        person.set_keys()
        people.append(person)
    return people


def test_a_long_list_is_counted_to_a_thousand_and_says_so(staff):
    Member.objects.bulk_create(_many(1100))
    assert "The first 1000 are listed. Search to see others." in text_of(staff.get(MEMBERS))
    assert "Person1099" in text_of(search(staff, MEMBERS, "person1099"))


# --- a member's page ------------------------------------------------------------------


def test_every_page_of_a_member_has_name_and_birth_date_and_is_in_the_audit(staff, cast):
    for page in ["change", "history"]:
        answer = staff.get(f"{MEMBERS}{cast.mia.pk}/{page}/")
        assert "Mia Rivera (“Mimi”), 2016/04/27" in title_of(answer)
        assert "Mia Rivera (“Mimi”), 2016/04/27" in text_of(answer)
    views = AuditEvent.objects.filter(action="staff-view", member_id=cast.mia.pk)
    assert {view.staff_id for view in views} == {cast.nurse_staff.pk}
    assert [view.outcome for view in views.order_by("pk")] == ["ok", "history"]


def test_the_help_at_the_email_says_what_sharing_means(staff, cast):
    assert "Everyone with the same primary email shares one portal login." in text_of(
        staff.get(page_of(cast.mia))
    )


def test_a_member_cannot_be_deleted(staff, cast):
    assert staff.post(f"{MEMBERS}{cast.mia.pk}/delete/", {"post": "yes"}).status_code == 403
    forged = {
        "action": "delete_selected",
        "_selected_action": cast.mia.pk,
        "post": "yes",
        "index": 0,
    }
    staff.post(MEMBERS, forged)
    assert Member.objects.filter(pk=cast.mia.pk).exists()


def test_a_new_member_gets_a_login_and_is_in_the_audit(staff):
    answer = save(
        staff,
        f"{MEMBERS}add/",
        patient_id="N1",
        first_name="José",
        last_name="Moreno",
        date_of_birth="2011/02/03",
        email=" Moreno@Example.org. ",
    )
    assert answer.status_code == 302
    new = Member.objects.get(patient_id="N1")
    assert (new.email_key, new.date_of_birth) == (
        "moreno@example.org",
        datetime.date(2011, 2, 3),
    )
    assert HouseholdAccount.objects.get(email_key="moreno@example.org").has_password is False
    entry = AuditEvent.objects.get(action="staff-change")
    assert (entry.outcome, entry.member_id, entry.object_id) == (
        "added",
        new.pk,
        str(new.pk),
    )


@pytest.mark.parametrize(
    ("email", "words"),
    [
        ("rivera\u0430@example.org", "CYRILLIC SMALL LETTER A"),
        ("one@example.org, two@example.org", "more than one email address"),
        ("not an address", "more than one email address, or a blank"),
        ("rivera@", "This is not an email address"),
        ("x" * 250 + "@example.org", "longer than 254"),
    ],
)
def test_an_email_nobody_can_be_mailed_at_is_refused(staff, cast, email, words):
    answer = save(staff, page_of(cast.mia), email=email)
    assert answer.status_code == 200
    assert words in text_of(answer) or "at most 254 characters" in text_of(answer)
    cast.mia.refresh_from_db()
    assert cast.mia.email_key == "rivera@example.org"
    assert outcomes() == []


@pytest.mark.parametrize(
    "typed", ["04/27/2016", "27.04.2016", "2016/13/01", "2999/01/01", "0", "x" * 1000]
)
def test_a_birth_date_in_another_order_is_refused_with_the_fix(staff, cast, typed):
    answer = save(staff, page_of(cast.mia), date_of_birth=typed)
    assert answer.status_code == 200
    assert "2016/04/27" in text_of(answer)
    cast.mia.refresh_from_db()
    assert cast.mia.date_of_birth == datetime.date(2016, 4, 27)


def test_the_practice_systems_key_cannot_be_changed_later(staff, cast):
    save(staff, page_of(cast.mia), patient_id="OTHER")
    cast.mia.refresh_from_db()
    assert cast.mia.patient_id != "OTHER"


def test_an_also_called_name_opens_the_chart(staff, cast, client):
    save(staff, page_of(cast.mia), **{"also_called-0-name": "Mitzi"})
    family = Client()
    sign_in(family, "rivera@example.org")
    assert pick(family, "mitzi", "2016/04/27")


# --- the email-change preview (R-WP-11) -----------------------------------------------


def test_an_email_of_another_household_is_saved_only_after_a_second_look(staff, cast):
    address = page_of(cast.leo)
    asked = save(staff, address, email="Okafor@example.org")
    text = text_of(asked)
    assert "Nothing is saved yet." in text
    assert "Leo Rivera, 2018/09/03" in text
    assert f"Ada Okafor 1979/11/30 {cast.ada.patient_id}" in text
    assert f"Mia Okafor 2016/04/27 {cast.other_mia.patient_id}" in text
    assert "would leave these people" in text
    assert "Elena Rivera" in text
    cast.leo.refresh_from_db()
    assert cast.leo.email_key == "rivera@example.org"
    assert outcomes() == []

    unticked = staff.post(address, fields_of(asked))
    assert "Tick the box" in text_of(unticked)
    assert outcomes() == []
    assert staff.post(address, fields_of(unticked, together="yes")).status_code == 302
    cast.leo.refresh_from_db()
    assert cast.leo.email_key == "okafor@example.org"
    assert outcomes() == ["email-join-confirmed", "changed"]
    assert {e.member_id for e in AuditEvent.objects.filter(action="staff-change")} == {cast.leo.pk}


def test_a_made_up_confirmation_confirms_nothing(staff, cast):
    for made_up in ["", "yes", "1", "0" * 64]:
        answer = save(staff, page_of(cast.leo), email="okafor@example.org", confirmed=made_up)
        assert "Nothing is saved yet." in text_of(answer)
    cast.leo.refresh_from_db()
    assert cast.leo.email_key == "rivera@example.org"


def test_a_confirmation_is_for_the_people_that_were_shown(staff, cast):
    asked = save(staff, page_of(cast.leo), email="okafor@example.org")
    member("Otto", "Okafor", "1975/05/05", "okafor@example.org")
    again = staff.post(page_of(cast.leo), fields_of(asked, together="yes"))
    assert "Otto Okafor" in text_of(again)
    cast.leo.refresh_from_db()
    assert cast.leo.email_key == "rivera@example.org"


def test_a_new_member_on_a_familys_email_needs_the_second_look_too(staff, cast):
    asked = save(
        staff,
        f"{MEMBERS}add/",
        patient_id="N1",
        first_name="Nico",
        last_name="Rivera",
        date_of_birth="2023/02/03",
        email="rivera@example.org",
    )
    assert "Mia Rivera" in text_of(asked)
    assert not Member.objects.filter(patient_id="N1").exists()
    staff.post(f"{MEMBERS}add/", fields_of(asked, together="yes"))
    assert Member.objects.get(patient_id="N1").email_key == "rivera@example.org"


def test_giving_access_back_on_a_shared_email_needs_the_second_look(staff, cast):
    Member.objects.filter(pk=cast.lia.pk).update(portal_access=False)
    asked = save(staff, page_of(cast.lia), portal_access="on")
    assert "Nothing is saved yet." in text_of(asked)
    cast.lia.refresh_from_db()
    assert cast.lia.portal_access is False


def test_an_email_of_staff_of_the_practice_or_of_an_idle_login_is_warned_about(staff, cast):
    StaffAccount.objects.create_user("desk@example.org", None)
    Practice.objects.create(pk=1, sender="Portal@Harbor.example")
    household("old@example.org")
    for email, words in {
        "desk@example.org": "also the email of a staff account",
        "portal@harbor.example": "the address that the practice sends mail from",
        "old@example.org": "already a login with this email and a password",
    }.items():
        asked = save(staff, page_of(cast.leo), email=email)
        assert words in text_of(asked)
    cast.leo.refresh_from_db()
    assert cast.leo.email_key == "rivera@example.org"


def test_an_email_of_nobody_is_looked_at_once_more_and_saved_with_a_note_on_who_loses_the_chart(
    staff, cast
):
    asked = save(staff, page_of(cast.leo), email="leo@example.org")
    assert "Whoever signs in as rivera@example.org, at once" in text_of(asked)
    assert staff.post(page_of(cast.leo), fields_of(asked)).status_code == 302
    assert "The login of the old email no longer opens this chart" in text_of(staff.get(MEMBERS))
    cast.leo.refresh_from_db()
    assert cast.leo.email_key == "leo@example.org"


def test_a_save_that_does_not_touch_access_asks_nothing(staff, cast):
    assert save(staff, page_of(cast.mia), city="Harbor").status_code == 302


# --- practice changes bind at once (R-WP-12) ------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"portal_access": None},
        {"status": "inactive"},
        {"email": "leo@example.org"},
        {"email": ""},
        {"first_name": "Leonardo"},
        {"date_of_birth": "2018/09/04"},
    ],
)
def test_a_change_of_who_somebody_is_closes_the_open_chart(staff, cast, change):
    family = Client()
    sign_in(family, "rivera@example.org")
    key = pick(family, "Leo", "2018/09/03")
    assert family.get(f"/for/{key}/").status_code == 200
    answer = save(staff, page_of(cast.leo), **change)
    if "email" in change:
        assert "1 browser has this chart open" in text_of(answer)
        answer = staff.post(page_of(cast.leo), fields_of(answer))
    assert answer.status_code == 302
    assert family.get(f"/for/{key}/").status_code == 302


def test_a_change_of_the_phone_leaves_the_chart_open(staff, cast):
    family = Client()
    sign_in(family, "rivera@example.org")
    key = pick(family, "Leo", "2018/09/03")
    save(staff, page_of(cast.leo), mobile_phone="555-0100")
    assert family.get(f"/for/{key}/").status_code == 200


# --- two staff at once (R-RE-2) -------------------------------------------------------


def test_the_second_of_two_saves_sees_both_values_and_decides(staff, cast):
    address = page_of(cast.mia)
    opened_by_both = staff.get(address)
    first = fields_of(opened_by_both, "member_form", city="Harbor")
    second = fields_of(opened_by_both, "member_form", city="Salem", state="MA")
    assert staff.post(address, first).status_code == 302

    conflict = staff.post(address, second)
    assert conflict.status_code == 200
    text = text_of(conflict)
    assert "Somebody changed this record after you opened it." in text
    assert "City on file now: Harbor" in text
    assert 'value="Salem"' in conflict.content.decode()
    cast.mia.refresh_from_db()
    assert (cast.mia.city, cast.mia.state) == ("Harbor", "")

    assert staff.post(address, fields_of(conflict, "member_form")).status_code == 302
    cast.mia.refresh_from_db()
    assert (cast.mia.city, cast.mia.state) == ("Salem", "MA")


def test_a_save_without_a_version_is_refused(staff, cast):
    answer = save(staff, page_of(cast.mia), city="Harbor", version=None)
    assert "Somebody changed this record" in text_of(answer)
    cast.mia.refresh_from_db()
    assert cast.mia.city == ""


# --- household accounts ---------------------------------------------------------------


def account_page(account: HouseholdAccount) -> str:
    return f"{ACCOUNTS}{account.pk}/change/"


def press(staff: Client, account: HouseholdAccount, button: str) -> str:
    answer = staff.post(f"{ACCOUNTS}{account.pk}/{button}/", follow=True)
    assert answer.status_code == 200
    return text_of(answer)


def test_the_list_says_state_and_people_and_costs_the_same_at_any_length(
    staff, cast, django_assert_num_queries
):
    household("never@example.org", "")
    member("Nell", "Never", "1980/01/01", "never@example.org")
    household("gone@example.org")
    HouseholdAccount.objects.filter(pk=cast.okafor.pk).update(is_active=False)
    rows = {row.email_key: row.people for row in staff.get(ACCOUNTS).context_data["cl"].result_list}
    assert rows["rivera@example.org"] == 5
    text = text_of(staff.get(ACCOUNTS))
    for shown in [
        "never@example.org never set up 1",
        "gone@example.org nobody on file 0",
        "okafor@example.org paused 2",
        "rivera@example.org ready 5",
    ]:
        assert shown in text
    with CaptureQueriesContext(connection) as counted:
        staff.get(ACCOUNTS)
    HouseholdAccount.objects.bulk_create(
        HouseholdAccount(email_key=f"many{number}@example.org") for number in range(44)
    )
    with django_assert_num_queries(len(counted)):
        staff.get(ACCOUNTS)


@pytest.mark.parametrize(
    ("state", "emails"),
    [
        ("ready", {"chen@example.org", "nurse@example.org", "rivera@example.org"}),
        ("paused", {"okafor@example.org"}),
        ("never", set()),
    ],
)
def test_the_list_is_filtered_by_state(staff, cast, state, emails):
    household("gone@example.org")
    HouseholdAccount.objects.filter(pk=cast.okafor.pk).update(is_active=False)
    answer = staff.get(f"{ACCOUNTS}?state={state}")
    assert {row.email_key for row in answer.context_data["cl"].result_list} == emails


def test_the_page_says_whom_the_login_opens_and_why_not(staff, cast):
    Member.objects.filter(pk=cast.leo.pk).update(status="deceased")
    Member.objects.filter(pk=cast.lia.pk).update(portal_access=False)
    answer = staff.get(account_page(cast.rivera))
    text = text_of(answer)
    assert re.search(r"Mia Rivera \(“Mimi”\), 2016/04/27, \d+ years old Opened by this login", text)
    assert re.search(
        r"Leo Rivera, 2018/09/03, \d+ years old Not opened by this login: deceased", text
    )
    assert re.search(r"Lia Rivera, 2020/02/29, \d+ years old Not opened .*: no portal access", text)
    assert "Okafor" not in text
    page = answer.content.decode()
    assert "argon2" not in page
    assert 'name="email_key"' not in page
    assert AuditEvent.objects.get(action="staff-view", account_id=cast.rivera.pk).outcome == "ok"


def test_an_account_is_neither_added_nor_deleted_nor_given_another_email(staff, cast):
    assert staff.get(f"{ACCOUNTS}add/").status_code == 403
    assert staff.post(f"{ACCOUNTS}{cast.rivera.pk}/delete/", {"post": "yes"}).status_code == 403
    address = account_page(cast.rivera)
    forged = {"email_key": "mine@example.org", "password": "x", "is_active": ""}
    assert staff.post(address, forged).status_code == 405
    before = cast.rivera.password
    cast.rivera.refresh_from_db()
    assert (cast.rivera.email_key, cast.rivera.password) == (
        "rivera@example.org",
        before,
    )


def test_staff_send_a_link_also_when_the_family_asked_too_often(staff, cast, run_tasks, mailoutbox):
    for _time in range(4):
        throttle.count(throttle.LINK_MAIL, "rivera@example.org")
    assert "The mail with the link is on its way." in press(staff, cast.rivera, "send-link")
    run_tasks()
    assert [mail.to for mail in mailoutbox] == [["rivera@example.org"]]
    assert outcomes() == ["link-sent"]
    assert AuditEvent.objects.get(action="staff-change").account_id == cast.rivera.pk


def test_no_link_goes_to_a_login_that_opens_nobody(staff, cast):
    gone = household("gone@example.org")
    assert "No link is sent" in press(staff, gone, "send-link")
    assert not DBTaskResult.objects.exists()


def test_staff_end_every_session_of_one_household_and_of_no_other(staff, cast):
    browsers = [Client(), Client(), Client()]
    for browser, email in zip(browsers, ["rivera", "rivera", "okafor"], strict=True):
        sign_in(browser, f"{email}@example.org")
    assert text_of(staff.get(account_page(cast.rivera))).count("127.0.0.1") == 2
    assert "ended" in press(staff, cast.rivera, "end-sessions")
    assert [browser.get("/who/").status_code for browser in browsers] == [302, 302, 200]
    assert set(HouseholdSession.objects.exclude(ended_at=None).values_list("end", flat=True)) == {
        "staff"
    }
    assert outcomes() == ["sessions-ended"]


def test_closing_a_login_ends_its_sessions_at_the_next_request(staff, cast):
    family = Client()
    sign_in(family, "rivera@example.org")
    assert "The practice has closed this login" in press(staff, cast.rivera, "close-login")
    assert family.get("/who/").status_code == 302
    assert "a password is chosen" in press(staff, cast.rivera, "open-login")
    assert family.get("/who/").status_code == 302
    sign_in(family, "rivera@example.org")
    assert outcomes() == ["login-closed", "login-opened"]


def test_staff_lift_the_wait_after_wrong_attempts(staff, cast):
    family = Client()
    for _attempt in range(5):
        family.post("/login/", {"email": "rivera@example.org", "password": "wrong"})
    assert "typed a wrong password too often" in text_of(staff.get(account_page(cast.rivera)))
    assert "The family can try again now." in press(staff, cast.rivera, "lift-pause")
    sign_in(family, "rivera@example.org")
    assert outcomes() == ["pause-lifted"]


BUTTONS = ["send-link", "end-sessions", "end-session", "lift-pause", "close-login", "open-login"]
BUTTONS += ["also-called", "birth-date", "portal-access"]


@pytest.mark.parametrize("button", BUTTONS)
def test_a_button_is_pressed_by_post_on_an_account_that_exists(staff, cast, button):
    assert staff.get(f"{ACCOUNTS}{cast.rivera.pk}/{button}/").status_code == 405
    for missing in [0, 999_999, 2**63, 2**64 + 1]:
        assert staff.post(f"{ACCOUNTS}{missing}/{button}/").status_code == 404
    assert outcomes() == []


@pytest.mark.parametrize("odd", ["0", "-1", str(2**63), str(2**64 + 1), "1e3", "x" * 500, "%00"])
@pytest.mark.parametrize("model", ["households/member", "accounts/householdaccount"])
def test_odd_ids_are_no_server_error(staff, model, odd):
    assert staff.get(f"/admin/{model}/{odd}/change/").status_code in {302, 404}


def test_the_audit_of_staff_names_nobody(staff, cast):
    search(staff, MEMBERS, "mia riv")
    save(staff, page_of(cast.mia), city="Harbor")
    press(staff, cast.rivera, "lift-pause")
    written = " ".join(str(row) for row in AuditEvent.objects.values_list()).lower()
    for secret in ["mia", "riv", "2016", "harbor"]:
        assert secret not in written.replace(str(datetime.date.today().year), "")
