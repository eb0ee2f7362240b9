"""Mail to staff: that something waits and how much of it is urgent, at the right time, once."""

from __future__ import annotations

import datetime
import re
import zoneinfo
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from accounts.audit.models import AuditEvent
from accounts.models import StaffAccount
from households.desk import staff_mail
from households.desk.models import StaffMailSubscription
from households.models import Practice
from households.submissions.models import Submission
from portal.management.commands.serve import make_ready_again
from tests.cast import pick, sign_in
from tests.files import png
from tests.pages import fields_of, text_of

PAGE = "/admin/desk/staffmailsubscription/"
SEES_PAPERS = ("submissions.view_submission", "documents.view_document")


@pytest.fixture
def family(cast) -> Client:
    browser = Client()
    sign_in(browser, "rivera@example.org")
    browser.key = pick(browser, "Mia", "2016/04/27")
    return browser


def send_paper(family: Client, ago: timedelta = timedelta(minutes=2)) -> Submission:
    answer = family.post(f"/for/{family.key}/documents/", {"files": png("card.png")})
    assert answer.status_code in {200, 302}
    submission = Submission.objects.order_by("-pk").first()
    Submission.objects.filter(pk=submission.pk).update(sent_at=timezone.now() - ago)
    return submission


@pytest.fixture
def subscribed(staff, cast):
    """A function that lets the owner have mail."""

    def choose(mode: str) -> StaffMailSubscription:
        name = f"mode_{cast.nurse_staff.pk}"
        answer = staff.post(PAGE, fields_of(staff.get(PAGE), **{name: mode}))
        assert answer.status_code == 302, text_of(answer)
        return StaffMailSubscription.objects.filter(staff=cast.nurse_staff).first()

    return choose


def at_the_practice(hour: int, day: int = 0) -> datetime.datetime:
    """A moment of a fixed day at the practice."""
    zone = zoneinfo.ZoneInfo(Practice.load().time_zone)
    return datetime.datetime(2026, 11, 20 + day, hour, 30, tzinfo=zone)


@pytest.fixture
def clock(monkeypatch):
    """A function that sets the time of day."""
    real = timezone.localtime

    def set_to(moment: datetime.datetime) -> None:
        def local(value=None, timezone=None):
            return real(value or moment, timezone)

        monkeypatch.setattr("django.utils.timezone.localtime", local)

    return set_to


def to_whom() -> list[str]:
    return [message.to[0] for message in mail.outbox]


# --- nobody is told who should not be -------------------------------------------------


def test_without_a_subscription_nothing_looks_and_nothing_is_sent(staff, family, run_tasks):
    send_paper(family)
    staff_mail.keep_looking()
    assert not DBTaskResult.objects.filter(task_path=staff_mail.look.module_path).exists()
    assert staff_mail.look.call() == "0"
    assert mail.outbox == []


@pytest.mark.parametrize("change", ["left", "lost the right", "may not see papers"])
def test_who_may_not_see_it_is_not_told(staff, subscribed, family, with_permissions, change):
    names = SEES_PAPERS if change != "may not see papers" else SEES_PAPERS[:1]
    with_permissions(*names, "history.view_entrychange")
    somebody = StaffAccount.objects.get(email="desk@example.org")
    name = f"mode_{somebody.pk}"
    staff.post(PAGE, fields_of(staff.get(PAGE), **{name: "instant"}))
    assert StaffMailSubscription.objects.get().staff == somebody
    send_paper(family)
    if change == "left":
        StaffAccount.objects.filter(pk=somebody.pk).update(is_active=False)
    elif change == "lost the right":
        somebody.user_permissions.clear()
    staff_mail.look.call()
    assert mail.outbox == []


def test_the_page_lists_only_who_sees_the_inbox(staff, with_permissions):
    with_permissions("households.view_member")
    answer = text_of(staff.get(PAGE))
    assert "nurse@example.org" in answer
    assert "desk@example.org" not in answer


def test_only_who_may_change_settings_changes_it(staff, with_permissions, cast):
    browser = with_permissions("desk.view_staffmailsubscription")
    answer = browser.get(PAGE)
    assert answer.status_code == 200
    assert b"<select" not in answer.content
    assert browser.post(PAGE, {f"mode_{cast.nurse_staff.pk}": "instant"}).status_code == 403
    other = with_permissions("households.view_member", email="other@example.org")
    assert other.get(PAGE).status_code == 403
    assert not StaffMailSubscription.objects.exists()


def test_a_forged_choice_is_refused_and_strangers_are_not_touched(staff, cast):
    name = f"mode_{cast.nurse_staff.pk}"
    answer = staff.post(PAGE, {name: "hourly"})
    assert answer.status_code == 422
    assert "Choose one of these." in text_of(answer)
    staff.post(PAGE, {"mode_99999": "instant"})
    assert not StaffMailSubscription.objects.exists()


# --- what it says ---------------------------------------------------------------------


def test_the_mail_counts_and_names_nobody(subscribed, family, cast):
    Practice.objects.create(pk=1, name="Harbor Family Medicine", sender="hello@harbor.example")
    subscribed("instant")
    send_paper(family)
    urgent = send_paper(family)
    Submission.objects.filter(pk=urgent.pk).update(is_urgent=True, place=0)
    assert staff_mail.look.call() == "1"
    (message,) = mail.outbox
    assert message.to == ["nurse@example.org"]
    assert message.from_email == "Harbor Family Medicine <hello@harbor.example>"
    assert message.subject == "Urgent: look into the portal's inbox"
    assert "2 things that families sent wait in the inbox. 1 of them is urgent" in message.body
    assert re.search(r"http://\S+/admin/\s", message.body)
    html = message.alternatives[0][0]
    for text in (message.body, html, message.subject):
        for private in ("Mia", "Rivera", "2016", "card", "document", "rivera@"):
            assert private not in text, private
    assert "2 things that families sent wait" in " ".join(html.split())
    assert AuditEvent.objects.filter(action="staff-mail", outcome="sent").count() == 1


# --- within minutes -------------------------------------------------------------------


def test_what_waited_before_is_not_told_of(subscribed, family):
    send_paper(family)
    subscribed("instant")
    assert staff_mail.look.call() == "0"


def test_many_things_in_five_minutes_are_one_mail(subscribed, family):
    subscribed("instant")
    send_paper(family)
    assert staff_mail.look.call() == "1"
    send_paper(family)
    assert staff_mail.look.call() == "0"
    StaffMailSubscription.objects.update(last_sent_at=timezone.now() - timedelta(minutes=5))
    assert staff_mail.look.call() == "1"
    assert "2 things" in mail.outbox[-1].body
    StaffMailSubscription.objects.update(last_sent_at=timezone.now() - timedelta(minutes=5))
    assert staff_mail.look.call() == "0"


def test_what_somebody_has_seen_by_then_is_not_mailed(subscribed, family):
    subscribed("instant")
    paper = send_paper(family)
    Submission.objects.filter(pk=paper.pk).update(status="seen", place=2)
    assert staff_mail.look.call() == "0"


def test_what_came_this_moment_waits_for_the_next_look(subscribed, family):
    """Another family's transaction may still be open that began before."""
    subscribed("instant")
    paper = send_paper(family, ago=timedelta(0))
    assert staff_mail.look.call() == "0"
    Submission.objects.filter(pk=paper.pk).update(sent_at=timezone.now() - timedelta(minutes=1))
    assert staff_mail.look.call() == "1"


def test_a_mail_server_that_is_down_is_tried_again_and_nothing_is_lost(
    subscribed, family, settings
):
    subscribed("instant")
    send_paper(family)
    working = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    assert staff_mail.look.call() == "0"
    kept = StaffMailSubscription.objects.get()
    assert kept.tries == 1
    assert kept.last_sent_at is None
    settings.EMAIL_BACKEND = working
    assert staff_mail.look.call() == "0", "it waits a minute first"
    StaffMailSubscription.objects.update(try_after=timezone.now())
    assert staff_mail.look.call() == "1"
    assert StaffMailSubscription.objects.get().tries == 0
    outcomes = AuditEvent.objects.filter(action="staff-mail").values_list("outcome", flat=True)
    assert set(outcomes) == {"mail-server-failed", "sent"}


# --- once a day -----------------------------------------------------------------------


def test_one_digest_a_day_at_its_hour_however_often_the_worker_looks(subscribed, family, clock):
    clock(at_the_practice(6))
    subscribed("digest")
    send_paper(family)
    assert staff_mail.look.call() == "0"
    clock(at_the_practice(7))
    assert staff_mail.look.call() == "1"
    send_paper(family)
    for hour in (7, 12, 23):
        clock(at_the_practice(hour))
        assert staff_mail.look.call() == "0"
    clock(at_the_practice(6, day=1))
    assert staff_mail.look.call() == "0"
    clock(at_the_practice(9, day=1))
    assert staff_mail.look.call() == "1", "the portal was down at seven"
    assert "2 things" in mail.outbox[-1].body
    assert staff_mail.look.call() == "0"


def test_nothing_waits_and_no_digest_goes_out(subscribed, clock):
    clock(at_the_practice(6))
    subscribed("digest")
    clock(at_the_practice(8))
    assert staff_mail.look.call() == "0"
    assert mail.outbox == []


def test_chosen_in_the_afternoon_the_first_digest_is_tomorrows(subscribed, family, clock):
    send_paper(family)
    clock(at_the_practice(15))
    subscribed("digest")
    assert staff_mail.look.call() == "0"
    clock(at_the_practice(7, day=1))
    assert staff_mail.look.call() == "1"


# --- it goes on by itself -------------------------------------------------------------


def looks() -> list[str]:
    rows = DBTaskResult.objects.filter(task_path=staff_mail.look.module_path)
    return sorted(rows.values_list("status", flat=True))


def test_it_looks_again_and_again_and_leaves_no_rows_behind(subscribed, run_tasks):
    subscribed("instant")
    for _minute in range(4):
        run_tasks(later=True)
        DBTaskResult.objects.filter(status="SUCCESSFUL").update(
            finished_at=timezone.now() - timedelta(minutes=2)
        )
    assert looks().count("READY") == 1
    assert len(looks()) <= 3


def test_two_chains_become_one(subscribed, run_tasks):
    subscribed("instant")
    staff_mail.look.using(run_after=timezone.now() + timedelta(minutes=1)).enqueue()
    run_tasks(later=True)
    run_tasks(later=True)
    assert looks().count("READY") == 1


def test_without_a_subscriber_it_ends(subscribed, run_tasks):
    subscribed("instant")
    subscribed("")
    assert not StaffMailSubscription.objects.exists()
    run_tasks(later=True)
    assert "READY" not in looks()


@pytest.mark.django_db(transaction=True)
def test_the_portals_start_puts_it_back_into_the_queue(subscribed):
    subscribed("instant")
    DBTaskResult.objects.all().delete()
    make_ready_again()
    assert looks() == ["READY"]
