"""What becomes of a mail to a household, as staff read it later."""

from __future__ import annotations

import smtplib
import socketserver
import threading
from collections.abc import Iterator

import pytest
from django.test import Client

from accounts import mail_log
from accounts.models import Mail, PasswordLink
from households.models import Member
from tests.cast import sign_in_as_staff
from tests.real_portal import free_port

RIVERA = "rivera@example.org"


class Refusing(socketserver.StreamRequestHandler):
    """As much of a mail server as it takes to refuse whoever is written to."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            word = line[:4].upper()
            reply = b"250 fine"
            if word == b"RCPT":
                whom = line.partition(b"<")[2].partition(b">")[0]
                reply = b"550 5.1.1 <" + whom + b">: Recipient address rejected: User unknown"
            self.wfile.write((b"221 bye" if word == b"QUIT" else reply) + b"\r\n")
            if word == b"QUIT":
                return


@pytest.fixture
def refusing_server(settings) -> Iterator[None]:
    port = free_port()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", port), Refusing) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield
        server.shutdown()


@pytest.fixture
def no_server(settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()


def ask(email: str = RIVERA) -> None:
    assert Client().post("/password/", {"email": email}).status_code == 302


def test_a_mail_that_was_taken(cast, run_tasks, mailoutbox):
    ask()
    assert not Mail.objects.exists(), "the page of the request must not look anybody up"
    run_tasks()
    mail = Mail.objects.get()
    assert (mail.account, mail.state, mail.tries) == (cast.rivera, Mail.State.SENT, 1)
    assert mail.link == PasswordLink.objects.get()
    assert not mail.by_staff
    assert mail.queued_at <= mail.sent_at


def test_a_mail_that_the_server_refuses_is_noted_with_its_words(cast, run_tasks, refusing_server):
    ask()
    run_tasks()
    mail = Mail.objects.get()
    assert mail.state == Mail.State.TRYING
    assert mail.server_words == "550 5.1.1 <…>: Recipient address rejected: User unknown"
    assert mail.next_try_at > mail.failed_at
    assert not PasswordLink.objects.exists()


def test_tries_are_counted_on_one_line_until_it_is_given_up(cast, run_tasks, no_server):
    ask()
    run_tasks()
    for _time in range(9):
        run_tasks(later=True)
    mail = Mail.objects.get()
    assert (mail.state, mail.tries, mail.next_try_at) == (Mail.State.FAILED, 10, None)
    assert "refused" in mail.server_words


def test_a_mail_that_is_taken_later_has_nothing_wrong_left(
    cast, run_tasks, no_server, settings, mailoutbox
):
    ask()
    run_tasks()
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    run_tasks(later=True)
    mail = Mail.objects.get()
    assert (mail.state, mail.tries, mail.server_words) == (Mail.State.SENT, 2, "")
    assert mail.link is not None


@pytest.mark.parametrize("email", ["nobody@example.org", "rivera@example.com"])
def test_an_address_that_is_not_on_file_leaves_no_line(cast, run_tasks, email):
    ask(email)
    run_tasks()
    assert not Mail.objects.exists()


def test_a_link_of_staff_is_on_the_page_before_it_is_sent(cast, client, run_tasks, mailoutbox):
    sign_in_as_staff(client)
    press = f"/admin/accounts/householdaccount/{cast.rivera.pk}/send-link/"
    client.post(press)
    mail = Mail.objects.get()
    assert (mail.state, mail.by_staff) == (Mail.State.QUEUED, True)
    client.post(press)  # a double click
    run_tasks()
    assert [message.to for message in mailoutbox] == [[RIVERA]]
    assert Mail.objects.get().state == Mail.State.SENT


def test_a_link_of_staff_that_may_not_be_sent_any_more_says_so(cast, client, run_tasks, mailoutbox):
    sign_in_as_staff(client)
    client.post(f"/admin/accounts/householdaccount/{cast.rivera.pk}/send-link/")
    Member.objects.filter(email_key=RIVERA).update(portal_access=False)
    run_tasks()
    assert mailoutbox == []
    assert Mail.objects.get().state == Mail.State.FAILED


def test_the_notice_of_a_new_password_is_noted_too(cast, run_tasks, mailoutbox):
    from tests.cast import PASSWORD, sign_in

    family = Client()
    sign_in(family, RIVERA)
    new = "meadow copper violin raft"
    family.post(
        "/password/change/", {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    )
    run_tasks()
    mail = Mail.objects.get()
    assert (mail.kind, mail.state, mail.link) == (Mail.Kind.NOTICE, Mail.State.SENT, None)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (TimeoutError("timed out"), "timed out"),
        (smtplib.SMTPServerDisconnected("Connection unexpectedly closed"), "unexpectedly closed"),
        (smtplib.SMTPAuthenticationError(535, b"5.7.8 wrong\r\nfor me@x.example"), "535 5.7.8 wrong for …"),
        (smtplib.SMTPSenderRefused(501, b"bad", "portal@practice.example"), "501 bad"),
        (smtplib.SMTPRecipientsRefused({}), "0"),
        (OSError(), "OSError"),
    ],
)  # fmt: skip
def test_the_words_of_a_server_are_one_line_without_addresses(error, words):
    said = mail_log.words_of(error)
    assert words in said
    assert "@" not in said


def test_the_words_of_a_server_are_cut_and_cleaned():
    said = mail_log.words_of(smtplib.SMTPDataError(554, b"\x1b[2J\xff" + b"no " * 500))
    assert len(said) == mail_log.LONGEST_WORDS
    assert said.isprintable()
