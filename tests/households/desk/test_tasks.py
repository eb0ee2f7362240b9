"""The page of tasks: what waits, one click each, gone once it was dealt with (PRODUCT B3, B7, H8)."""

from __future__ import annotations

import datetime

import lxml.html
import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.models import StaffAccount, Throttle
from households.birthdays import birthday_at
from households.desk.tasks import open_count, summary
from households.models import AgeSeen, AlsoCalled, Member, PickerMiss, Practice
from tests.cast import NURSE_PASSWORD, member, pick, practice_today, sign_in, sign_in_as_staff
from tests.files import png
from tests.pages import text_of

DAY = datetime.timedelta(days=1)
TASKS = "/admin/tasks/"


@pytest.fixture
def staff(cast) -> Client:
    staff = Client()
    sign_in_as_staff(staff)
    return staff


def types(email: str, name: str, date: str, times: int = 1) -> None:
    family = Client()
    sign_in(family, email)
    for _ in range(times):
        Throttle.objects.all().delete()
        family.post("/who/", {"first_name": name, "date_of_birth": date})


def turning(age: int, days: int, name: str = "Kim", **fields) -> Member:
    """On the Riveras' email since they were small; that birthday is in so many days, or was."""
    on = practice_today() + days * DAY
    born = birthday_at(on, -age)
    one = member(name, "Rivera", f"{born:%Y/%m/%d}", "rivera@example.org", **fields)
    needed = birthday_at(born, 18)
    Member.objects.filter(pk=one.pk).update(
        on_email_since=born, consent_needed_from=needed if needed > born else None
    )
    one.refresh_from_db()
    return one


def tasks(staff: Client, query: str = "") -> list[tuple[str, str]]:
    page = lxml.html.fromstring(staff.get(f"{TASKS}{query}").content.decode())
    return [
        (one.get("data-task"), " ".join(one.text_content().split()))
        for one in page.xpath("//*[@data-task]")
    ]


def press(staff: Client, button: str, nth: int = 0, **forged):
    """Press a button of the page, found by its words, as a browser does."""
    page = lxml.html.fromstring(staff.get(TASKS).content.decode())
    found = [
        form
        for form in page.forms
        if any(button in " ".join(b.text_content().split()) for b in form.iter("button"))
    ]
    form = found[nth]
    assert form.get("method") == "post"
    return staff.post(form.get("action"), {**dict(form.form_values()), **forged}, follow=True)


def outcomes() -> list[str]:
    events = AuditEvent.objects.filter(action="staff-change").order_by("pk")
    return list(events.values_list("outcome", flat=True))


# --- names and dates ------------------------------------------------------------------


def test_a_nickname_is_added_with_one_click_and_the_family_gets_in(staff, cast):
    types("rivera@example.org", "Leopold", "2018/09/03", times=3)
    ((kind, text),) = tasks(staff)
    assert kind == "name"
    assert "“Leopold” with this birth date (3 times)" in text
    assert "Leo Rivera, 2018/09/03" in text
    answer = press(staff, "Also called “Leopold”: Leo Rivera")
    assert "can choose this person by that name now" in text_of(answer)
    assert "Nothing waits for you here." in text_of(answer)
    family = Client()
    sign_in(family, "rivera@example.org")
    assert pick(family, "leopold", "2018/09/03")
    assert outcomes() == ["also-called-added"]
    assert not PickerMiss.objects.exists()


def test_of_twins_staff_say_which(staff, cast):
    types("rivera@example.org", "Bean", "2020/02/29", times=2)
    press(staff, "Also called “Bean”: Max Rivera")
    assert AlsoCalled.objects.get().member == cast.max


def test_dismissed_it_does_not_come_back_when_it_is_typed_again(staff, cast):
    types("rivera@example.org", "Leopold", "2018/09/03", times=2)
    press(staff, "Dismiss")
    assert tasks(staff) == []
    types("rivera@example.org", "Leopold", "2018/09/03", times=2)
    assert tasks(staff) == []
    assert outcomes() == ["miss-dismissed"]
    assert PickerMiss.objects.get().dismissed_by == cast.nurse_staff


def test_a_wrong_date_leads_to_the_person_and_changes_nothing(staff, cast):
    types("rivera@example.org", "Mia", "2018/09/03", times=2)
    ((kind, text),) = tasks(staff)
    assert kind == "date"
    assert "“Mia”, born 2018/09/03" in text
    assert "Leo Rivera has that birth date on file" in text
    assert "Mia Rivera (“Mimi”), 2016/04/27" in text
    page = staff.get(TASKS).content.decode()
    assert f"/admin/households/member/{cast.mia.pk}/change/" in page
    assert "Also called" not in page


def test_an_ambiguous_pair_names_both_records_and_what_to_do(staff, cast):
    types("chen@example.org", "Sam", "2010/05/05")
    ((kind, text),) = tasks(staff)
    assert kind == "ambiguous"
    assert text.count("Sam Chen, 2010/05/05") == 2
    assert "merge the records in your practice's system" in text_of(staff.get(TASKS))
    Member.objects.filter(pk=cast.sam.pk).update(portal_access=False)
    assert tasks(staff) == []


@pytest.mark.parametrize("typed", ["<b>Bo</b>", "🦁", "Leo\u202epold", "B" * 60, "%(name)s"])
def test_odd_names_are_shown_as_typed(staff, cast, typed):
    types("rivera@example.org", typed, "2018/09/03", times=2)
    ((_kind, text),) = tasks(staff)
    assert typed in text
    press(staff, "Also called")
    assert AlsoCalled.objects.get().name == typed


def test_two_who_press_at_once_do_it_once_and_the_second_is_told(staff, cast):
    types("rivera@example.org", "Leopold", "2018/09/03", times=2)
    row = PickerMiss.objects.get()
    learn = (f"{TASKS}miss/{row.pk}/learn/", {"member": cast.leo.pk})
    assert staff.post(*learn).status_code == 302
    for again in (learn, (f"{TASKS}miss/{row.pk}/dismiss/", {})):
        assert "dealt with before" in text_of(staff.post(*again, follow=True))
    assert AlsoCalled.objects.count() == 1
    assert outcomes() == ["also-called-added"]


@pytest.mark.parametrize("who", ["mia", "ada", "0", "x", "", "9" * 30, "-1"])
def test_a_name_is_added_to_nobody_whom_the_page_did_not_offer(staff, cast, who):
    types("rivera@example.org", "Leopold", "2018/09/03", times=2)
    given = getattr(cast, who).pk if hasattr(cast, who) else who
    press(staff, "Also called", member=given)
    assert not AlsoCalled.objects.exists()


# --- birthdays ------------------------------------------------------------------------


def test_who_is_announced_when(staff, cast):
    for age in (11, 12, 13, 14, 18, 19):
        turning(age, 10, f"Soon{age}")
    for days in (-31, -30, 0, 60, 61):
        turning(13, days, f"Day{days}")
    turning(13, 5, "Off", portal_access=False)
    turning(13, 5, "Gone", status="inactive")
    listed = [(kind, text.split(" Rivera")[0]) for kind, text in tasks(staff)]
    assert listed == [
        ("age-12", "Soon12"),
        *(("age-13", name) for name in ("Day-30", "Day0", "Soon13", "Day60")),
        ("age-18", "Soon18"),
    ]
    Practice.objects.create(pk=1, announced_ages="14", announced_days_ahead=9)
    assert tasks(staff) == []
    practice = Practice.load()
    practice.announced_days_ahead = 10
    practice.save()
    assert [kind for kind, _text in tasks(staff)] == ["age-14", "age-18"]


def test_keeping_off_works_at_once_while_the_chart_and_a_form_are_open(staff, cast):
    """MB-21."""
    kim = turning(13, 10)
    family, other = Client(), Client()
    for one in (family, other):
        sign_in(one, "rivera@example.org")
    kims = pick(family, "Kim", f"{kim.date_of_birth:%Y/%m/%d}")
    leos = pick(other, "Leo", "2018/09/03")
    assert family.get(f"/for/{kims}/documents/").status_code == 200
    answer = press(staff, "Keep off the shared login")
    assert "Portal access is off" in text_of(answer)
    from households.documents.models import Document

    sent = family.post(f"/for/{kims}/documents/", {"files": png(), "note": "typed meanwhile"})
    assert (sent.status_code, sent.headers["Location"]) == (302, "/who/")
    assert not Document.objects.exists()
    assert other.get(f"/for/{leos}/").status_code == 200
    assert pick(family, "Leo", "2018/09/03")
    assert tasks(staff) == []
    assert outcomes() == ["portal-access-off"]


def test_may_stay_closes_the_task_and_changes_nothing(staff, cast):
    kim = turning(12, 10)
    press(staff, "May stay")
    assert tasks(staff) == []
    kim.refresh_from_db()
    assert kim.portal_access
    assert outcomes() == ["age-12-seen"]
    assert AgeSeen.objects.get().seen_by == cast.nurse_staff


def test_an_adult_is_announced_seen_and_announced_again_when_the_chart_has_closed(staff, cast):
    kim = turning(18, 10)
    ((_kind, text),) = tasks(staff)
    assert "can be recorded from the birthday on" in text
    press(staff, "Seen")
    assert tasks(staff) == []
    moved = practice_today() - DAY
    Member.objects.filter(pk=kim.pk).update(
        date_of_birth=birthday_at(moved, -18), consent_needed_from=moved
    )
    AgeSeen.objects.update(seen_at=timezone.now() - 11 * DAY)
    ((_kind, text),) = tasks(staff)
    assert "The login does not open them now" in text
    assert f"/admin/consent/{kim.pk}/" in staff.get(TASKS).content.decode()
    press(staff, "Leave it closed")
    assert tasks(staff) == []
    assert AgeSeen.objects.count() == 1


def test_a_recorded_consent_ends_the_task(staff, cast):
    kim = turning(18, -3)
    given = {"given_on": f"{practice_today():%Y/%m/%d}", "how": "in-person", "note": ""}
    from tests.pages import fields_of

    address = f"/admin/consent/{kim.pk}/"
    assert staff.post(address, fields_of(staff.get(address), **given)).status_code == 302
    assert tasks(staff) == []
    family = Client()
    sign_in(family, "rivera@example.org")
    assert pick(family, "Kim", f"{kim.date_of_birth:%Y/%m/%d}")


def test_an_adult_who_came_as_one_is_no_task(staff, cast):
    kim = turning(18, -3)
    Member.objects.filter(pk=kim.pk).update(consent_needed_from=None)
    assert tasks(staff) == []


def test_many_birthdays_are_cut_and_listed_in_pages(staff, cast):
    people = []
    for number in range(55):
        born = birthday_at(practice_today() + number % 50 * DAY, -13)
        people.append(
            Member(patient_id=f"K{number}", first_name="Kim", last_name="Doe",
                   date_of_birth=born, email=f"k{number}@example.org")
        )  # fmt: skip
    for one in people:
        one.set_keys(18)
    Member.objects.bulk_create(people)
    assert len(tasks(staff)) == 20
    page = staff.get(TASKS)
    assert "Everybody turning 13" in text_of(page)
    assert len(tasks(staff, "?age=13")) == 50
    assert len(tasks(staff, "?age=13&p=2")) == 5
    assert tasks(staff, "?age=13&p=3") == []
    for odd in ("?age=14", "?age=99"):
        assert staff.get(f"{TASKS}{odd}").status_code == 404
    for odd in ("?age=x", "?age=13&p=0", "?age=13&p=-1", "?age=&p=99999999999", "?age=%D9%A3"):
        assert staff.get(f"{TASKS}{odd}").status_code == 200


# --- counts, and who may --------------------------------------------------------------


def test_the_count_and_the_lines_say_what_the_page_says(staff, cast):
    assert (open_count(), summary()) == (0, [])
    types("rivera@example.org", "Leopold", "2018/09/03", times=2)
    types("rivera@example.org", "Mia", "2016/04/28", times=2)
    types("chen@example.org", "Sam", "2010/05/05")
    turning(12, 3)
    turning(18, 3, "Kay")
    assert open_count() == len(tasks(staff)) == 5
    lines = [(line.kind, line.count) for line in summary()]
    assert lines == [("ambiguous", 1), ("name", 1), ("date", 1), ("birthdays", 2)]
    page = lxml.html.fromstring(staff.get(TASKS).content.decode())
    for line in summary():
        address, _, part = line.url.partition("#")
        assert address == TASKS
        assert len(page.xpath(f"//*[@id='{part}']")) == 1


def test_a_count_is_cheap_and_ends_at_a_hundred(cast, django_assert_max_num_queries):
    people = [
        Member(patient_id=f"K{number}", first_name="Kim", last_name="Doe",
               date_of_birth=birthday_at(practice_today(), -13), email="k@example.org")
        for number in range(150)
    ]  # fmt: skip
    for one in people:
        one.set_keys(18)
    Member.objects.bulk_create(people)
    Practice.remembered()
    with django_assert_max_num_queries(2):
        assert open_count() == 100
    types("rivera@example.org", "Leopold", "2018/09/03", times=2)
    Member.objects.filter(first_name="Kim").update(status="inactive")
    with django_assert_max_num_queries(7):
        assert open_count() == 1


def test_the_page_costs_the_same_with_many(staff, cast, django_assert_max_num_queries):
    turning(12, 1)
    types("rivera@example.org", "Leopold", "2018/09/03", times=2)
    staff.get(TASKS)
    with django_assert_max_num_queries(16):
        staff.get(TASKS)
    for number in range(9):
        turning(12, number, f"Kim{number}")
        types("rivera@example.org", f"Leopold{number}", "2018/09/03", times=2)
    with django_assert_max_num_queries(16):
        assert len(tasks(staff)) == 20


def test_only_who_may_change_members_sees_and_presses(staff, cast):
    kim = turning(13, 3)
    types("rivera@example.org", "Leopold", "2018/09/03", times=2)
    row = PickerMiss.objects.get()
    viewer = StaffAccount.objects.create_user("viewer@example.org", NURSE_PASSWORD)
    viewer.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = Client()
    sign_in_as_staff(client, "viewer@example.org")
    buttons = {
        f"{TASKS}miss/{row.pk}/learn/": {"member": cast.leo.pk},
        f"{TASKS}miss/{row.pk}/dismiss/": {},
        f"{TASKS}birthday/{kim.pk}/13/seen/": {},
        f"{TASKS}birthday/{kim.pk}/13/keep-off/": {},
    }
    assert client.get(TASKS).status_code == 403
    for address, typed in buttons.items():
        assert client.post(address, typed).status_code == 403, address
        assert staff.get(address).status_code == 405, address
    changer = StaffAccount.objects.create_user("changer@example.org", NURSE_PASSWORD)
    changer.user_permissions.set(Permission.objects.filter(codename="change_member"))
    sign_in_as_staff(client, "changer@example.org")
    assert "Also called" not in text_of(client.get(TASKS))
    assert client.post(*next(iter(buttons.items()))).status_code == 403
    assert outcomes() == []
    kim.refresh_from_db()
    assert kim.portal_access
    assert not AlsoCalled.objects.exists()


def test_odd_addresses_are_not_found_and_change_nothing(staff, cast):
    kim = turning(13, 3)
    odd = "9" * 30
    for address in (f"miss/{odd}/learn/", f"miss/{odd}/dismiss/", f"birthday/{odd}/13/seen/",
                    f"birthday/{kim.pk}/14/seen/", f"birthday/{kim.pk}/{odd}/keep-off/"):  # fmt: skip
        assert staff.post(f"{TASKS}{address}").status_code == 404, address
    # Somebody who is not on the list: nobody is kept off by a forged number.
    answer = staff.post(f"{TASKS}birthday/{cast.leo.pk}/13/keep-off/", follow=True)
    assert "dealt with before" in text_of(answer)
    cast.leo.refresh_from_db()
    assert cast.leo.portal_access


def test_the_page_is_in_the_audit_and_keeps_names_out_of_addresses(staff, cast):
    types("rivera@example.org", "Leopold", "2018/09/03", times=2)
    page = staff.get(TASKS)
    event = AuditEvent.objects.filter(action="staff-view").latest("pk")
    assert (event.outcome, event.object_type) == ("list", "task")
    root = lxml.html.fromstring(page.content.decode())
    for address in root.xpath("//@href | //@action"):
        assert "eopold" not in address
        assert "rivera" not in address.lower()
