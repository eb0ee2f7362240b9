"""Set up or reset the password by a mailed link."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from accounts.audit.models import AuditEvent
from accounts.models import HouseholdAccount, HouseholdSession, PasswordLink
from households.models import Member
from tests.cast import PASSWORD, pick, sign_in

NEW = "meadow copper violin raft"


def ask(email, client=None):
    return (client or Client()).post("/password/", {"email": email})


def mailed_path(message) -> str:
    return re.search(r"http://127\.0\.0\.1:8000(/password/\S+)", message.body)[1]


@pytest.fixture
def link(cast, run_tasks, mailoutbox):
    """A function that asks for a link and returns its path."""

    def one(email="rivera@example.org"):
        ask(email)
        run_tasks()
        return mailed_path(mailoutbox[-1])

    return one


def choose(path, password=NEW, again=None, client=None):
    client = client or Client()
    page = client.get(path, follow=True)
    if page.status_code != 200:
        return page
    return client.post(
        page.request["PATH_INFO"],
        {"new_password1": password, "new_password2": password if again is None else again},
    )


def test_every_address_gets_the_same_answer(cast, run_tasks, mailoutbox):
    HouseholdAccount.objects.filter(pk=cast.okafor.pk).update(is_active=False)
    answers = {
        email: ask(email)
        for email in [
            "rivera@example.org",
            "nobody@example.org",
            "okafor@example.org",
            "nurse@example.org",
        ]
    }
    for answer in answers.values():
        assert (answer.status_code, answer.headers["Location"]) == (302, "/password/sent/")
        assert {*answer.cookies} == set()
    run_tasks()
    assert sorted(message.to[0] for message in mailoutbox) == [
        "nurse@example.org",
        "rivera@example.org",
    ]


def test_request_takes_the_same_steps_for_every_address(cast, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    ask("first@example.org")  # reads the practice's name, which is then remembered
    counts = []
    for email in ["rivera@example.org", "nobody@example.org", "nurse@example.org"]:
        with CaptureQueriesContext(connection) as seen:
            ask(email)
        counts.append(len(seen))
    assert len(set(counts)) == 1, counts


def test_staff_account_gets_no_family_mail(cast, run_tasks, mailoutbox):
    Member.objects.filter(pk=cast.nurse_member.pk).update(email_key="", email="")
    before = cast.nurse_staff.password
    ask("nurse@example.org")
    run_tasks()
    assert mailoutbox == []
    cast.nurse_staff.refresh_from_db()
    assert cast.nurse_staff.password == before


def test_nurses_household_reset_leaves_her_staff_account_alone(cast, link, client):
    before = cast.nurse_staff.password
    assert choose(link("nurse@example.org")).status_code == 302
    cast.nurse_staff.refresh_from_db()
    assert cast.nurse_staff.password == before
    sign_in(client, "nurse@example.org", NEW)


def test_first_set_up_of_a_family_that_never_had_an_account(cast, link, client):
    Member.objects.create(patient_id="N1", first_name="Nia", last_name="N", email="new@example.org")
    assert choose(link("new@example.org")).headers["Location"] == "/login/"
    sign_in(client, "new@example.org", NEW)


def test_mail_holds_a_link_and_nobody(cast, link, mailoutbox):
    link()
    message = mailoutbox[0]
    everything = message.subject + message.body + str(message.alternatives)
    for name in ["Elena", "Mia", "Leo", "Rivera", "2016"]:
        assert name not in everything.replace("rivera@example.org", "")
    assert message.to == ["rivera@example.org"]
    assert len(message.subject) < 60
    assert len(set(re.findall(r"https?://[^\s\"<]+", everything))) == 1


def test_mail_goes_to_the_address_on_file_not_to_the_one_typed(cast, run_tasks, mailoutbox):
    ask("RIVERA@EXAMPLE.ORG")
    ask("r\u0131vera@example.org")
    run_tasks()
    assert [message.to for message in mailoutbox] == [["rivera@example.org"]]


def test_opening_changes_nothing_and_leaves_no_token_in_the_address(link):
    path = link()
    for _ in range(5):
        assert Client().get(path).status_code == 302
        assert Client().head(path).status_code == 302
    assert PasswordLink.objects.open().count() == 1
    page = Client().get(path, follow=True)
    assert page.request["PATH_INFO"] == "/password/choose/"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert path.split("/")[2] not in page.content.decode()
    assert choose(path).status_code == 302


def test_audit_tells_what_became_of_a_link(cast, link):
    path = link()
    Client().get(path, follow=True)
    choose(path)
    choose(path)
    told = AuditEvent.objects.filter(action__startswith="link-").order_by("pk")
    assert list(told.values_list("action", "outcome", "account_id")) == [
        ("link-request", "asked", None),
        ("link-mail", "sent", cast.rivera.pk),
        ("link-open", "ok", cast.rivera.pk),
        ("link-open", "ok", cast.rivera.pk),
        ("link-open", "ok", cast.rivera.pk),
        ("link-open", "used", cast.rivera.pk),
    ]


def test_link_works_once(link):
    path = link()
    assert choose(path).status_code == 302
    again = choose(path, "another copper violin raft")
    assert again.status_code == 410
    assert 'name="email"' in again.content.decode()
    sign_in(Client(), "rivera@example.org", NEW)


def test_several_links_work_until_one_is_used(link):
    older, newer = link(), link()
    page = Client().get(older, follow=True)
    assert page.status_code == 200
    assert choose(newer).status_code == 302
    assert choose(older).status_code == 410


def test_relative_signing_in_does_not_kill_the_link(cast, link):
    path = link()
    sign_in(Client(), "rivera@example.org")
    assert choose(path).status_code == 302


def test_expired_link(link):
    path = link()
    PasswordLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert choose(path).status_code == 410


def test_link_ends_with_a_password_change(cast, link, client):
    path = link()
    sign_in(client, "rivera@example.org")
    client.post(
        "/password/change/", {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    )
    assert choose(path, "other copper violin raft").status_code == 410


def test_link_and_sign_in_end_when_nobody_is_on_file(cast, link):
    path = link()
    Member.objects.filter(email_key="rivera@example.org").update(portal_access=False)
    assert choose(path).status_code == 410
    answer = Client().post("/login/", {"email": "rivera@example.org", "password": PASSWORD})
    assert answer.status_code == 422


def test_damaged_links(link):
    token = link().split("/")[2]
    for damaged in [token[:-1], token + "A", token.swapcase(), "x", "\u00e9" * 43, "a" * 5000]:
        assert choose(f"/password/{damaged}/").status_code == 410, damaged


def test_setting_ends_all_sessions_and_mails_a_notice(cast, link, run_tasks, mailoutbox):
    browsers = [Client(), Client()]
    for browser in browsers:
        sign_in(browser, "rivera@example.org")
        pick(browser, "Mia", "2016/04/27")
    choose(link())
    for browser in browsers:
        assert browser.get("/who/").headers["Location"].startswith("/login/")
    run_tasks()
    assert len(mailoutbox) == 2
    assert "Mia" not in mailoutbox[1].body


def test_does_not_sign_in(link):
    client = Client()
    choose(link(), client=client)
    assert client.get("/who/").status_code == 302


def test_another_households_browser_is_signed_out(cast, link):
    browser = Client()
    sign_in(browser, "okafor@example.org")
    key = pick(browser, "Ada", "1979/11/30")
    assert choose(link(), client=browser).status_code == 302
    assert browser.get(f"/for/{key}/").headers["Location"].startswith("/login/")
    assert HouseholdSession.objects.filter(ended_at=None).count() == 0


def test_setting_a_password_ends_the_pause(cast, link):
    for _ in range(7):
        Client().post("/login/", {"email": "rivera@example.org", "password": "wrong wrong"})
    choose(link())
    sign_in(Client(), "rivera@example.org", NEW)


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("fourteen chars", "at least 15 characters"),
        ("passwordpassword", "too easy to guess"),
        ("riverarivera1234", "too easy to guess"),
        ("Your practiceYour practice", "too easy to guess"),
        ("123456789012345678", "too easy to guess"),
        ("qwertyuiopasdfghjkl", "too easy to guess"),
        ("aaaaaaaaaaaaaaaaaaaa", "too easy to guess"),
        ("Mia Rivera Mia Rivera", "too easy to guess"),
        ("Mia Leo Lia Max 2016", "too easy to guess"),
        ("x" * 129, "longer than any password"),
    ],
)
def test_refused_passwords_say_why(link, password, words):
    answer = choose(link(), password)
    assert answer.status_code == 422
    assert words in answer.content.decode()


@pytest.mark.parametrize(
    "password",
    [
        "fifteen chars!!",
        "meadow copper violin raft orchard lamp " + "quilt" * 5,
        ("wharf tulip onyx gravel ember sonnet plume dusk " * 3)[:128],
        "sonnet plume \U0001f40b gravel",
        " leading and trailing blanks ",
        "tulip onyx gravel wharf",
    ],
)
def test_accepted_passwords(link, password):
    assert choose(link(), password).status_code == 302
    sign_in(Client(), "rivera@example.org", password)


def test_typed_differently_the_second_time(link):
    answer = choose(link(), NEW, again=NEW + "x")
    assert answer.status_code == 422
    assert "not the same" in answer.content.decode()
    assert NEW not in answer.content.decode()


def test_three_mails_an_hour_with_the_same_answer(cast, run_tasks, mailoutbox):
    answers = {ask("rivera@example.org").headers["Location"] for _ in range(50)}
    ask("okafor@example.org")
    run_tasks()
    assert answers == {"/password/sent/"}
    assert [message.to[0] for message in mailoutbox] == ["rivera@example.org"] * 3 + [
        "okafor@example.org"
    ]


@pytest.mark.parametrize(
    "email", ["", "rivera", "@", "rivera@", "x" * 300 + "@example.org", "a\0@example.org"]
)
def test_what_is_not_an_address_is_said_so(cast, email):
    answer = ask(email)
    assert answer.status_code == 422
    assert not DBTaskResult.objects.exists()


def test_queue_and_database_never_hold_the_token(link):
    token = link().split("/")[2]
    assert token not in str(list(DBTaskResult.objects.values()))
    assert token not in str(list(PasswordLink.objects.values()))


class ServerIsDown(EmailBackend):
    down = True

    def send_messages(self, messages):
        if self.down:
            raise ConnectionRefusedError("no mail server")
        return super().send_messages(messages)


def test_mail_server_down_then_up(cast, settings, run_tasks):
    settings.EMAIL_BACKEND = f"{__name__}.ServerIsDown"
    ServerIsDown.down = True
    mail.outbox = []
    assert ask("rivera@example.org").status_code == 302
    run_tasks()
    assert PasswordLink.objects.count() == 0
    run_tasks(later=True)
    ServerIsDown.down = False
    run_tasks(later=True)
    run_tasks(later=True)
    assert [message.to[0] for message in mail.outbox] == ["rivera@example.org"]
    assert choose(mailed_path(mail.outbox[0])).status_code == 302


def test_host_of_the_request_is_not_in_the_link(cast, run_tasks, mailoutbox):
    for headers in [
        {"HTTP_X_FORWARDED_HOST": "evil.example"},
        {"HTTP_FORWARDED": "host=evil.example"},
        {"HTTP_HOST": "evil.example"},
        {"HTTP_HOST": "testserver@evil.example"},
    ]:
        answer = Client().post("/password/", {"email": "rivera@example.org"}, **headers)
        assert answer.status_code in {302, 400}
    run_tasks()
    assert mailoutbox
    assert "evil" not in "".join(message.body for message in mailoutbox)
