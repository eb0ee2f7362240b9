"""The page that answers "I can't get in": every cause really happens, through the pages that families use,
and stands there; every button does what it says, once, and is in the audit."""

from __future__ import annotations

import datetime
import re
from urllib.parse import urlencode, urlsplit

import lxml.html
import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import throttle
from accounts.audit.models import AuditEvent
from accounts.models import HouseholdAccount, HouseholdSession, Mail, PasswordLink, StaffAccount
from households.models import AlsoCalled, Member
from tests.cast import NURSE_PASSWORD, household, member, pick, sign_in, sign_in_as_staff
from tests.pages import fields_of, text_of

FIND = "/admin/household/"
RIVERA = "rivera@example.org"
NEW = "meadow copper violin raft"


@pytest.fixture
def staff(cast, client) -> Client:
    sign_in_as_staff(client)
    return client


def find(staff: Client, email: str):
    answer = staff.post(FIND, {"email": email}, follow=True)
    assert answer.status_code == 200
    for address, _status in answer.redirect_chain:
        assert "@" not in address and "%40" not in address
    return answer


def said(staff: Client, email: str = RIVERA) -> str:
    """The sentence at the top and what is advised."""
    page = lxml.html.fromstring(find(staff, email).content.decode())
    (box,) = page.find_class("portal-diagnosis")
    return " ".join(box.text_content().split())


def causes(staff: Client, email: str = RIVERA) -> str:
    """The list of what went wrong."""
    text = text_of(find(staff, email))
    return text.partition("What went wrong")[2].partition("Latest mails")[0]


def press(staff: Client, account, button: str, **fields):
    return staff.post(
        f"/admin/accounts/householdaccount/{account.pk}/{button}/", fields, follow=True
    )


def try_to_sign_in(email: str = RIVERA, password: str = "wrong", times: int = 1, **headers) -> None:
    for _time in range(times):
        Client(headers=headers).post("/login/", {"email": email, "password": password})


def try_to_pick(name: str, born: str, email: str = RIVERA, times: int = 1) -> Client:
    family = Client()
    sign_in(family, email)
    for _time in range(times):
        family.post("/who/", {"first_name": name, "date_of_birth": born})
    return family


def ask_for_link(email: str = RIVERA, times: int = 1) -> None:
    for _time in range(times):
        Client().post("/password/", {"email": email})


def outcomes(action: str = "staff-change") -> list[str]:
    of_action = AuditEvent.objects.filter(action=action).order_by("pk")
    return list(of_action.values_list("outcome", flat=True))


# --- every cause, really produced -----------------------------------------------------


def test_a_wrong_password(staff):
    try_to_sign_in(times=2)
    assert "Last try just now: wrong password." in said(staff)
    assert re.search(r"Wrong password 2 times, last \d{4}/\d\d/\d\d \d\d:\d\d", causes(staff))


def test_an_email_that_nobody_has(staff):
    try_to_sign_in("riverra@example.org")
    words = said(staff, "Riverra@Example.org")
    assert "Nobody has this email on file" in words
    assert "signed in with this email while nobody had it on file" in words
    page = find(staff, "riverra@example.org")
    assert "rivera@example.org Elena Rivera, Leo Rivera" in text_of(page)
    (link,) = [
        a
        for a in lxml.html.fromstring(page.content.decode()).iter("a")
        if a.text_content().strip() == "rivera@example.org"
    ]
    assert "Mia Rivera" in text_of(staff.get(link.get("href")))


def test_an_email_with_nothing_close(staff):
    assert "No email on file is close to it." in text_of(find(staff, "quite.else@example.net"))


def test_what_was_tried_before_the_email_was_on_file_is_told_afterwards(staff, cast):
    try_to_sign_in("new@example.org")
    member("Nell", "New", "1980/01/01", "new@example.org")
    household("new@example.org", "")
    assert "Signed in with this email while nobody had it on file" in causes(
        staff, "new@example.org"
    )


def test_too_many_passwords(staff, cast):
    try_to_sign_in(times=6)
    assert "typed a wrong password too often and have to wait 1 minute" in said(staff)
    assert "Had to wait: too many wrong passwords" in causes(staff)
    assert "1 minute more for sign-in" in text_of(find(staff, RIVERA))


def test_too_many_sign_ins_from_one_network(staff, cast):
    for number in range(30):
        try_to_sign_in(f"somebody{number}@example.org")
    try_to_sign_in()
    assert "of many people from one network" in said(staff)


def test_a_login_that_was_never_set_up(staff, cast):
    member("Nell", "New", "1980/01/01", "new@example.org")
    household("new@example.org", "")
    assert "no link was ever mailed" in said(staff, "new@example.org")
    try_to_sign_in("new@example.org")
    assert "before a password was ever chosen" in causes(staff, "new@example.org")


def test_a_closed_login(staff, cast):
    HouseholdAccount.objects.filter(pk=cast.rivera.pk).update(is_active=False)
    try_to_sign_in()
    assert "The practice has closed this login" in said(staff)
    assert "the practice had closed the login" in causes(staff)


def test_a_login_that_opens_nobody(staff, cast):
    Member.objects.filter(email_key=RIVERA).update(portal_access=False)
    try_to_sign_in()
    assert "None of the 5 people on this email can be opened: no portal access." in said(staff)
    assert "the login opened nobody" in causes(staff)


@pytest.mark.parametrize(
    ("name", "born", "words"),
    [
        ("Mya", "2016/04/27", "the birth date is right, the first name is not"),
        ("Mia", "2016/04/28", "the birth date did not match"),
        ("Zoe", "1999/09/09", "match nobody on this email"),
        ("Lia", "2020/02/29", "portal access is off"),
    ],
)
def test_a_person_who_is_not_chosen(staff, cast, name, born, words):
    Member.objects.filter(pk=cast.lia.pk).update(portal_access=False)
    try_to_pick(name, born)
    assert words in said(staff)
    assert words in causes(staff)


def test_two_people_who_cannot_be_told_apart(staff, cast):
    try_to_pick("Sam", "2010/05/05", "chen@example.org")
    assert "None of the 2 people on this email can be opened" in said(staff, "chen@example.org")
    assert "cannot be told apart from Sam Chen" in text_of(find(staff, "chen@example.org"))
    assert "two people have the same name and birth date" in causes(staff, "chen@example.org")


def test_an_adult_whose_consent_is_not_recorded(staff, cast):
    Member.objects.filter(pk=cast.mia.pk).update(
        consent_needed_from=timezone.localdate() - datetime.timedelta(days=2)
    )
    try_to_pick("Mia", "2016/04/27")
    assert "has not agreed to the shared login yet" in said(staff)
    assert "Not opened by this login: an adult now" in text_of(find(staff, RIVERA))


def test_too_many_picks(staff, cast):
    try_to_pick("Zoe", "1999/09/09", times=6)
    assert "names or birth dates that match nobody too often" in said(staff)
    assert "1 minute more for choosing the person" in text_of(find(staff, RIVERA))
    assert "Had to wait: too many wrong names" in causes(staff)


def test_a_birth_date_that_is_not_on_file(staff, cast):
    Member.objects.filter(pk=cast.leo.pk).update(date_of_birth=None)
    text = text_of(find(staff, RIVERA))
    assert "Leo Rivera, birth date not on file" in text
    assert "no birth date on file, so nobody can choose this person" in text


# --- mails and links ------------------------------------------------------------------


def test_a_link_from_the_request_to_the_password(staff, cast, run_tasks, mailoutbox):
    HouseholdAccount.objects.filter(pk=cast.rivera.pk).update(password="")
    ask_for_link()
    assert "waits in the queue" in said(staff)
    run_tasks()
    assert "They never opened the link: mailed just now" in said(staff)
    assert "Taken by the mail server" in text_of(find(staff, RIVERA))
    assert "Not used yet Lasts until" in text_of(find(staff, RIVERA))

    path = re.search(r"(/password/\S+)", mailoutbox[0].body)[1]
    family = Client()
    family.get(path, follow=True)
    assert "have chosen no password yet" in said(staff)
    family.post("/password/choose/", {"new_password1": "short", "new_password2": "short"})
    assert "It needs 15 characters or more" in said(staff)
    assert "the new password was not accepted" in causes(staff)
    family.post("/password/choose/", {"new_password1": NEW, "new_password2": NEW})
    assert "This family can sign in" in said(staff)
    assert re.search(r"Used Lasts until", text_of(find(staff, RIVERA)))

    Client().get(path, follow=True)
    assert "opened a link that was used already" in causes(staff).lower()


def test_a_link_that_ran_out(staff, cast, run_tasks, mailoutbox):
    HouseholdAccount.objects.filter(pk=cast.rivera.pk).update(password="")
    ask_for_link()
    run_tasks()
    PasswordLink.objects.update(expires_at=timezone.now() - datetime.timedelta(minutes=1))
    Client().get(re.search(r"(/password/\S+)", mailoutbox[0].body)[1], follow=True)
    assert "ran out at" in said(staff)
    assert "Opened a link that had run out" in causes(staff)


def test_a_link_asked_for_too_often(staff, cast, run_tasks, mailoutbox):
    ask_for_link(times=4)
    assert "more than 3 times in an hour" in causes(staff)
    assert "60 minutes more for mailed links" in text_of(find(staff, RIVERA))
    press(staff, cast.rivera, "lift-pause")
    ask_for_link()
    run_tasks()
    assert len(mailoutbox) == 4


def test_a_link_for_an_email_that_nobody_has(staff, run_tasks):
    ask_for_link("who@example.net")
    run_tasks()
    assert "none was mailed, because the email opens nobody" in said(staff, "who@example.net")


def test_a_mail_that_is_refused(staff, cast, run_tasks, settings):
    from tests.real_portal import free_port

    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    ask_for_link()
    run_tasks()
    assert "No mail reaches them. The mail server says: “Connection refused”." in said(staff)
    assert "Next try" in text_of(find(staff, RIVERA))
    assert "The mail server did not take a mail to them" in causes(staff)


# --- the buttons ----------------------------------------------------------------------


def test_letting_them_try_again(staff, cast):
    try_to_sign_in(times=6)
    assert "The family can try again now." in text_of(press(staff, cast.rivera, "lift-pause"))
    assert "put something right just now" in said(staff)
    sign_in(Client(), RIVERA)
    assert outcomes() == ["pause-lifted"]


def test_what_they_typed_is_put_right_in_one_click(staff, cast):
    try_to_pick("Mya", "2016/04/27", times=2)
    page = find(staff, RIVERA)
    assert "They typed “Mya” with this birth date 2 times" in text_of(page)
    (form,) = [
        form
        for form in lxml.html.fromstring(page.content.decode()).forms
        if (form.findtext(".//button") or "").strip() == "Let them say “Mya”"
    ]
    fields = dict(form.form_values())
    for _click in range(2):
        assert staff.post(form.get("action"), fields).status_code == 302
    assert AlsoCalled.objects.get().name == "Mya"
    assert "Also called Mya." in text_of(find(staff, RIVERA))
    assert "They typed" not in text_of(find(staff, RIVERA))
    assert pick(try_to_pick("Zoe", "1999/09/09"), "mya", "2016/04/27")
    assert outcomes() == ["also-called-added"]


def test_a_birth_date_that_they_typed_is_put_on_file(staff, cast):
    family = try_to_pick("Mia", "2016/04/27")
    key = pick(family, "Mia", "2016/04/27")
    try_to_pick("Mia", "2016/04/26")
    assert "with the birth date 2016/04/26" in text_of(find(staff, RIVERA))
    answer = press(
        staff,
        cast.rivera,
        "birth-date",
        member=cast.mia.pk,
        seen="2016/04/27",
        date_of_birth="2016/04/26",
    )
    assert "The birth date is on file." in text_of(answer)
    cast.mia.refresh_from_db()
    assert cast.mia.date_of_birth == datetime.date(2016, 4, 26)
    assert cast.mia.list_values == {"date_of_birth": "2016-04-27"}
    assert family.get(f"/for/{key}/").status_code == 302, "it was chosen by the wrong date"
    assert pick(family, "Mia", "2016/04/26")
    assert outcomes() == ["birth-date-corrected"]


@pytest.mark.parametrize("typed", ["04/27/2016", "2999/01/01", "2016/02/31", "", "x" * 500, "\0"])
def test_a_birth_date_that_cannot_be_is_refused_where_it_was_typed(staff, cast, typed):
    fields = {"member": cast.mia.pk, "seen": "2016/04/27", "date_of_birth": typed}
    answer = press(staff, cast.rivera, "birth-date", **fields)
    assert answer.status_code == 422
    page = lxml.html.fromstring(answer.content.decode())
    (box,) = page.xpath("//input[@name='date_of_birth' and @aria-invalid]")
    assert page.get_element_by_id(box.get("aria-describedby")).text_content().strip()
    assert box.getparent().getparent().get("open") is not None
    cast.mia.refresh_from_db()
    assert cast.mia.date_of_birth == datetime.date(2016, 4, 27)
    assert outcomes() == []


def test_a_birth_date_that_somebody_changed_meanwhile_is_shown(staff, cast):
    Member.objects.filter(pk=cast.mia.pk).update(date_of_birth=datetime.date(2016, 4, 25))
    fields = {"member": cast.mia.pk, "seen": "2016/04/27", "date_of_birth": "2016/04/26"}
    answer = press(staff, cast.rivera, "birth-date", **fields)
    assert "On file now: 2016/04/25." in text_of(answer)
    assert outcomes() == []


def test_a_name_that_would_make_two_people_one_is_refused(staff, cast):
    answer = press(staff, cast.rivera, "also-called", member=cast.lia.pk, name="max")
    assert "neither could be chosen" in text_of(answer)
    for empty in ["", " ", "…", "\0"]:
        answer = press(staff, cast.rivera, "also-called", member=cast.lia.pk, name=empty)
        assert answer.status_code == 422
    assert not AlsoCalled.objects.exists()
    assert outcomes() == []


def test_switching_portal_access_off_binds_on_the_next_request(staff, cast):
    """MB-21."""
    family = try_to_pick("Zoe", "1999/09/09")
    key = pick(family, "Lia", "2020/02/29")
    answer = press(staff, cast.rivera, "portal-access", member=cast.lia.pk, on="no")
    assert "Portal access is off" in text_of(answer)
    assert "Not opened by this login: no portal access" in text_of(answer)
    assert family.get(f"/for/{key}/").status_code == 302
    assert family.post(f"/for/{key}/documents/", {"note": "x"}).status_code == 302
    assert pick(family, "Mia", "2016/04/27")
    again = press(staff, cast.rivera, "portal-access", member=cast.lia.pk, on="no")
    assert "It was so already" in text_of(again)
    assert outcomes() == ["portal-access-off"]


def test_switching_portal_access_on_shows_who_gains_first(staff, cast):
    Member.objects.filter(pk=cast.lia.pk).update(portal_access=False)
    asked = press(staff, cast.rivera, "portal-access", member=cast.lia.pk, on="yes")
    assert "Nothing is saved yet." in text_of(asked)
    assert "Lia Rivera, 2020/02/29" in text_of(asked)
    assert not Member.objects.get(pk=cast.lia.pk).portal_access
    address = f"/admin/accounts/householdaccount/{cast.rivera.pk}/portal-access/"
    unticked = staff.post(address, fields_of(asked))
    assert "Tick the box" in text_of(unticked)
    saved = staff.post(address, fields_of(unticked, together="yes"), follow=True)
    assert "Portal access is on" in text_of(saved)
    assert Member.objects.get(pk=cast.lia.pk).portal_access
    assert outcomes() == ["portal-access-on"]


def test_switching_the_last_one_off_signs_the_family_out(staff, cast):
    family = Client()
    sign_in(family, "nurse@example.org")
    press(staff, cast.nurse, "portal-access", member=cast.nurse_member.pk, on="no")
    assert family.get("/who/").status_code == 302
    assert HouseholdSession.objects.get().end == "staff"


def test_one_session_is_ended_and_no_other(staff, cast):
    browsers = [Client(), Client()]
    for browser in browsers:
        sign_in(browser, RIVERA)
    key = pick(browsers[0], "Mia", "2016/04/27")
    page = find(staff, RIVERA)
    assert "Open: chart of Mia Rivera" in text_of(page)
    assert "The chart is open in a browser now." in text_of(page)
    first = HouseholdSession.objects.earliest("pk")
    assert "That session is ended." in text_of(
        press(staff, cast.rivera, "end-session", session=first.pk)
    )
    assert "over already" in text_of(press(staff, cast.rivera, "end-session", session=first.pk))
    assert browsers[0].get(f"/for/{key}/").status_code == 302
    assert browsers[1].get("/who/").status_code == 200
    assert "Ended by the practice" in text_of(find(staff, RIVERA))
    assert outcomes() == ["session-ended", "session-over"]


def test_another_households_session_is_not_ended_here(staff, cast):
    sign_in(Client(), "okafor@example.org")
    theirs = HouseholdSession.objects.get()
    press(staff, cast.rivera, "end-session", session=theirs.pk)
    for odd in ["", "x", "-1", "9" * 40, "\u0661"]:
        press(staff, cast.rivera, "end-session", session=odd)
    theirs.refresh_from_db()
    assert theirs.ended_at is None


@pytest.mark.parametrize("button", ["also-called", "birth-date", "portal-access"])
def test_nobody_of_another_household_is_changed_from_this_page(staff, cast, button):
    fields = {"name": "Mitzi", "date_of_birth": "2016/04/26", "seen": "2016/04/27", "on": "no"}
    for odd in [cast.other_mia.pk, "", "x", "9" * 40, 0]:
        answer = press(staff, cast.rivera, button, member=odd, **fields)
        assert answer.status_code == 404
    assert outcomes() == []
    assert not AlsoCalled.objects.exists()


def test_people_on_file_without_a_login_get_one(staff):
    member("Nell", "New", "1980/01/01", "new@example.org")
    page = find(staff, "new@example.org")
    assert "their email has no login yet" in text_of(page)
    assert "Nell New" in text_of(page)
    address = urlsplit(page.redirect_chain[-1][0])
    made = staff.post(
        f"{FIND}make-login/",
        {"q": address.query.removeprefix("q=").replace("%7E", "~")},
        follow=True,
    )
    assert "The login is made." in text_of(made)
    account = HouseholdAccount.objects.get(email_key="new@example.org")
    press(staff, account, "send-link")
    assert Mail.objects.get().account == account
    assert outcomes() == ["login-made", "link-sent"]


def test_no_login_is_made_for_an_email_of_nobody(staff):
    page = find(staff, "who@example.net")
    query = urlsplit(page.redirect_chain[-1][0]).query.removeprefix("q=").replace("%7E", "~")
    for asked in [query, "", "~gone", "mine@example.org"]:
        staff.post(f"{FIND}make-login/", {"q": asked})
    assert not HouseholdAccount.objects.filter(email_key="who@example.net").exists()
    assert outcomes() == []


# --- finding --------------------------------------------------------------------------


def test_the_box_is_on_the_start_page_of_staff_and_takes_a_name_too(staff, cast):
    start = staff.get("/admin/")
    assert f'href="{FIND}"' in start.content.decode()
    (box,) = [
        form
        for form in lxml.html.fromstring(start.content.decode()).forms
        if form.get("action") == FIND
    ]
    assert box.get("method") == "post"
    assert "email" in box.fields
    assert "Type the email that the family says." in text_of(staff.post(FIND, {"email": " "}))
    answer = find(staff, "mia riv")
    assert "Mia Rivera" in text_of(answer)
    assert "mia" not in answer.redirect_chain[-1][0]


@pytest.mark.parametrize(
    "odd", ["\0@\0", "@", "x" * 100_000 + "@x", "~gone@x", "a@b@c", "\ud800@x"]
)
def test_odd_emails_are_found_nowhere_and_break_nothing(staff, odd):
    answer = staff.post(
        FIND,
        urlencode({"email": odd.encode("utf-8", "surrogatepass")}),
        content_type="application/x-www-form-urlencoded",
        follow=True,
    )
    assert answer.status_code in {200, 422}


def test_an_email_in_the_address_is_not_looked_up(staff):
    page = staff.get(f"{FIND}?q=rivera@example.org")
    assert "Elena" not in text_of(page)
    assert "That search is over" in text_of(staff.get(f"{FIND}?q=~gone"))


def test_inactive_people_are_shown_with_the_reason(staff, cast):
    Member.objects.filter(pk=cast.leo.pk).update(status="deceased")
    text = text_of(find(staff, RIVERA))
    assert re.search(
        r"Leo Rivera, 2018/09/03, \d+ years old Not opened by this login: deceased.", text
    )
    assert "1 person on this email is not opened" in said(staff)


# --- who may --------------------------------------------------------------------------


def with_permissions(*names: str) -> Client:
    some = StaffAccount.objects.create_user("some@example.org", NURSE_PASSWORD)
    some.user_permissions.set(Permission.objects.filter(codename__in=names))
    client = Client()
    sign_in_as_staff(client, "some@example.org")
    return client


BUTTONS = ["send-link", "lift-pause", "end-sessions", "end-session", "close-login", "open-login"]
OF_PERSON = ["also-called", "birth-date", "portal-access"]


@pytest.mark.parametrize(
    ("permissions", "allowed"),
    [
        ((), set()),
        (("view_householdaccount",), {"look"}),
        (("view_householdaccount", "view_member"), {"look"}),
        (("view_member", "change_member", "add_alsocalled"), set()),
        (
            ("view_householdaccount", "change_member"),
            {"look", "birth-date", "portal-access"},
        ),
        (
            ("view_householdaccount", "change_member", "add_alsocalled"),
            {"look", *OF_PERSON},
        ),
        (("view_householdaccount", "change_householdaccount"), {"look", *BUTTONS}),
    ],
)
def test_buttons_and_forged_posts_are_for_those_who_may(cast, permissions, allowed):
    client = with_permissions(*permissions)
    fields = {"member": cast.mia.pk, "name": "Mitzi", "seen": "", "on": "no"}
    page = f"/admin/accounts/householdaccount/{cast.rivera.pk}/"
    shown = client.get(f"{page}change/")
    assert shown.status_code == (200 if "look" in allowed else 403)
    assert client.get(FIND).status_code == (200 if "look" in allowed else 403)
    assert client.post(FIND, {"email": RIVERA}).status_code == (302 if "look" in allowed else 403)
    for button in [*BUTTONS, *OF_PERSON]:
        answer = client.post(f"{page}{button}/", fields)
        assert (answer.status_code == 403) == (button not in allowed), button
        if "look" in allowed and button in {*OF_PERSON, "end-sessions"}:
            offered = f"/{button}/" in shown.content.decode()
            assert offered == (button in allowed and button != "end-sessions"), button
    assert client.post(f"{FIND}make-login/").status_code == (302 if "send-link" in allowed else 403)


def test_names_near_an_email_are_for_those_who_may_see_people(cast):
    text = text_of(
        with_permissions("view_householdaccount").post(
            FIND, {"email": "riverra@example.org"}, follow=True
        )
    )
    assert "rivera@example.org" in text
    assert "Elena" not in text


# --- what it costs and what it leaves -------------------------------------------------


def test_it_costs_the_same_for_any_family_and_history(staff, cast, django_assert_max_num_queries):
    page = f"/admin/accounts/householdaccount/{cast.rivera.pk}/change/"
    staff.get(page)
    with CaptureQueriesContext(connection) as few:
        staff.get(page)
    for number in range(60):
        born = datetime.date(1950, 1, 1) + datetime.timedelta(days=number)
        member(f"Person{number}", "Many", f"{born:%Y/%m/%d}", RIVERA)
    for _time in range(5):
        try_to_sign_in()
        throttle.clear(throttle.SIGN_IN, RIVERA)
    for name in ["Mya", "Myia", "Mija"]:
        family = try_to_pick(name, "2016/04/27")
        pick(family, "Mia", "2016/04/27")
    with CaptureQueriesContext(connection) as many:
        answer = staff.get(page)
    assert "More people have this email than fit here." in text_of(answer)
    # One more with each kind of thing that is there: open charts, names that people are also called by.
    assert len(many) <= len(few) + 2
    assert len(many) <= 24


def test_it_is_in_the_audit_and_names_nobody(staff, cast):
    find(staff, RIVERA)
    find(staff, "riverra@example.org")
    press(staff, cast.rivera, "also-called", member=cast.mia.pk, name="Mitzi")
    press(
        staff,
        cast.rivera,
        "birth-date",
        member=cast.mia.pk,
        seen="2016/04/27",
        date_of_birth="2016/04/26",
    )
    looked = AuditEvent.objects.filter(action="staff-view").order_by("pk")
    assert (looked[0].outcome, looked[0].account_id) == ("ok", cast.rivera.pk)
    assert {"no-account"} <= set(looked.values_list("outcome", flat=True))
    changed = AuditEvent.objects.filter(action="staff-change")
    assert {(e.member_id, e.account_id) for e in changed} == {(cast.mia.pk, cast.rivera.pk)}
    assert {e.staff_id for e in changed} == {cast.nurse_staff.pk}
    written = " ".join(str(row) for row in AuditEvent.objects.values_list()).lower()
    for secret in ["mia", "riv", "mitzi", "2016", "example"]:
        assert secret not in written
    history = text_of(staff.get(f"/admin/households/member/{cast.mia.pk}/history/"))
    assert "also-called-added" in history


def test_what_was_tried_with_an_email_is_found_by_an_index(cast):
    from accounts.emails import email_mark

    try_to_sign_in("riverra@example.org")
    rows = AuditEvent.objects.filter(
        object_type="email", object_id=email_mark("riverra@example.org")
    ).order_by("-pk")[:200]
    assert len(rows) == 1
    plan = rows.explain()
    if connection.vendor == "sqlite":
        assert "audit_email" in plan
