"""Why a family cannot get in, in one sentence, from the facts of their email.

Pure: no database, no clock. What stands first is what stops them; what they can do next is the advice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise

# Tried longer ago than this, it is not what somebody calls about now.
RECENT = timedelta(days=14)

# What the fix is called in the addresses of the page's buttons.
SEND_LINK, LIFT_PAUSE, OPEN_LOGIN, MAKE_LOGIN = (
    "send-link",
    "lift-pause",
    "open-login",
    "make-login",
)


class Cause(NamedTuple):
    """`text`: what went wrong. `advice`: what to say or do; "" where the text says it."""

    text: StrOrPromise
    advice: StrOrPromise = ""
    fix: str = ""


# By action and outcome of the audit. What is not listed here is no failure.
CAUSES: dict[tuple[str, str], Cause] = {
    ("sign-in", "unknown-email"): Cause(
        gettext_lazy("signed in with this email while nobody had it on file"),
        gettext_lazy("Ask which email the practice has. Send a link to that one."),
    ),
    ("sign-in", "wrong-password"): Cause(
        gettext_lazy("wrong password"),
        gettext_lazy("Send a link: with it they choose a new password."),
        SEND_LINK,
    ),
    ("sign-in", "never-set-up"): Cause(
        gettext_lazy("tried to sign in before a password was ever chosen"),
        gettext_lazy("Send a link: with it they choose their first password."),
        SEND_LINK,
    ),
    ("sign-in", "closed"): Cause(
        gettext_lazy("tried to sign in while the practice had closed the login"), "", OPEN_LOGIN
    ),
    ("sign-in", "nobody-on-file"): Cause(
        gettext_lazy("tried to sign in while the login opened nobody"),
        gettext_lazy("Put the email on the people it belongs to, or switch their portal access on."),
    ),
    ("sign-in", "password-changed"): Cause(
        gettext_lazy("signed in at the moment when the password was changed"),
        gettext_lazy("They can sign in with the new password."),
    ),
    ("throttle", "sign-in"): Cause(
        gettext_lazy("had to wait: too many wrong passwords"),
        gettext_lazy("Let them try again now, or send a link."),
        LIFT_PAUSE,
    ),
    ("throttle", "sign-in-address"): Cause(
        gettext_lazy("had to wait: too many wrong sign-ins of many people from one network"),
        gettext_lazy("It passes by itself in 10 minutes. A phone without that Wi-Fi is not slowed."),
    ),
    ("throttle", "pick"): Cause(
        gettext_lazy("had to wait: too many wrong names or birth dates"),
        gettext_lazy("Let them try again now, and read name and birth date to them by your rules."),
        LIFT_PAUSE,
    ),
    ("throttle", "link"): Cause(
        gettext_lazy("asked for a link, refused: very many asked from one network"),
        gettext_lazy("Send a link from here."),
        SEND_LINK,
    ),
    ("throttle", "password-change"): Cause(
        gettext_lazy("had to wait: typed the current password wrong too often"),
        gettext_lazy("Send a link: with it they choose a new password."),
        SEND_LINK,
    ),
    ("link-request", "too-many"): Cause(
        gettext_lazy("asked for a link more than 3 times in an hour: no further mail is sent"),
        gettext_lazy("Look whether the mails below were taken. A link sent from here goes out anyway."),
        SEND_LINK,
    ),
    ("link-mail", "not-on-file"): Cause(
        gettext_lazy("asked for a link; none was mailed, because the email opens nobody"),
        gettext_lazy("Ask which email the practice has."),
    ),
    ("link-mail", "closed"): Cause(
        gettext_lazy("asked for a link; none was mailed, because the practice has closed the login"),
        "",
        OPEN_LOGIN,
    ),
    ("link-mail", "mail-server-failed"): Cause(
        gettext_lazy("the mail server did not take a mail to them"),
        gettext_lazy("Its words stand below. Check the spelling of the email."),
    ),
    ("link-mail", "gave-up"): Cause(
        gettext_lazy("a mail to them was given up after many tries"),
        gettext_lazy("The mail server's words stand below. Check the spelling of the email."),
        SEND_LINK,
    ),
    ("link-open", "used"): Cause(
        gettext_lazy("opened a link that was used already"),
        gettext_lazy("They can sign in with the password they chose, or you send a new link."),
        SEND_LINK,
    ),
    ("link-open", "ended"): Cause(
        gettext_lazy("opened an older link that a newer one had replaced"),
        gettext_lazy("They take the newest mail, or you send a new link."),
        SEND_LINK,
    ),
    ("link-open", "expired"): Cause(
        gettext_lazy("opened a link that had run out"), gettext_lazy("Send a new link."), SEND_LINK
    ),
    ("link-open", "closed"): Cause(
        gettext_lazy("opened a link while the practice had closed the login"), "", OPEN_LOGIN
    ),
    ("link-open", "nobody-on-file"): Cause(
        gettext_lazy("opened a link while the login opened nobody"),
        gettext_lazy("Put the email on the people it belongs to, or switch their portal access on."),
    ),
    ("password-set", "not-accepted"): Cause(
        gettext_lazy("opened the link, but the new password was not accepted"),
        gettext_lazy(
            "It needs 15 characters or more, typed twice the same. A few random words work well."
        ),
    ),
    ("password-change", "wrong-password"): Cause(
        gettext_lazy("typed the current password wrong when changing it"),
        gettext_lazy("Send a link: with it they choose a new password."),
        SEND_LINK,
    ),
    ("pick", "name"): Cause(
        gettext_lazy("signed in; the birth date is right, the first name is not"),
        gettext_lazy("Ask how they say the name, and add it below as “also called” if it is right."),
    ),
    ("pick", "date"): Cause(
        gettext_lazy("signed in; the name is right, the birth date did not match"),
        gettext_lazy("Ask for the birth date, year first, and compare it with the one on file below."),
    ),
    ("pick", "no-match"): Cause(
        gettext_lazy("signed in; name and birth date match nobody on this email"),
        gettext_lazy("Ask whom they look for. That person may be on file under another email."),
    ),
    ("pick", "ambiguous"): Cause(
        gettext_lazy("signed in; two people have the same name and birth date"),
        gettext_lazy("Nobody is chosen for them. Give one of the two a name of their own below."),
    ),
    ("pick", "age-rule"): Cause(
        gettext_lazy("signed in; the person is of age and has not agreed to the shared login yet"),
        gettext_lazy("Record that person's own consent, or give them an email of their own."),
    ),
    ("pick", "no-access"): Cause(
        gettext_lazy("signed in; the person's portal access is off"),
        gettext_lazy("Switch it on below, if it should not be off."),
    ),
}  # fmt: skip

# What shows that they got in, or got on.
SUCCESSES = {("sign-in", "ok"), ("pick", "ok"), ("password-set", "ok")}


@dataclass(frozen=True)
class Failure:
    """One cause of the same kind: when it happened last, and how often lately."""

    cause: Cause
    at: datetime
    times: int
    kind: tuple[str, str]


@dataclass(frozen=True)
class LinkFacts:
    """The latest mail with a link. `state` and `mail_state` are values of PasswordLink.State (or "") and
    Mail.State; `opened`: somebody opened the link."""

    asked_at: datetime
    mail_state: str
    sent_at: datetime | None = None
    server_words: str = ""
    state: str = ""
    expires_at: datetime | None = None
    opened: bool = False


@dataclass(frozen=True)
class Facts:
    """`people`: how many on file have the email; `opened`: how many of them the login opens."""

    now: datetime
    people: int
    opened: int
    has_account: bool = True
    is_active: bool = True
    has_password: bool = False
    sign_in_pause: int = 0
    pick_pause: int = 0
    # Somebody asked for a link and the background worker has not looked at it yet.
    waits_since: datetime | None = None
    link: LinkFacts | None = None
    failures: Sequence[Failure] = ()
    last_success: datetime | None = None
    # Staff put something right, and nobody has to have tried since.
    mended_at: datetime | None = None
    open_sessions: int = 0
    why_closed: str = ""


class Diagnosis(NamedTuple):
    """`fix` is the button that helps, "" when none does."""

    text: str
    advice: str = ""
    fix: str = ""


def diagnose(facts: Facts) -> Diagnosis:
    """What stops this family, or that nothing does."""
    standing = _login_itself(facts)
    if standing is not None:
        return standing
    found = _of_a_login_that_opens(facts)
    closed = facts.people - facts.opened
    if not closed:
        return found
    text = ngettext(
        "%(count)d person on this email is not opened; why stands below.",
        "%(count)d people on this email are not opened; why stands below.",
        closed,
    )
    return found._replace(text=f"{found.text} {text % {'count': closed}}")


def _of_a_login_that_opens(facts: Facts) -> Diagnosis:
    if facts.sign_in_pause:
        text = _("They typed a wrong password too often and have to wait %(wait)s.")
        return Diagnosis(
            text % {"wait": _wait(facts.sign_in_pause)},
            _("Let them try again now. If they do not know the password, send a link."),
            LIFT_PAUSE,
        )
    if not facts.has_password:
        return _never_set_up(facts)
    if facts.pick_pause:
        text = _(
            "They can sign in, but typed names or birth dates that match nobody too often and have to wait "
            "%(wait)s."
        )
        return Diagnosis(
            text % {"wait": _wait(facts.pick_pause)},
            _("Compare what they type with the people below, then let them try again now."),
            LIFT_PAUSE,
        )
    return _lately(facts)


def _login_itself(facts: Facts) -> Diagnosis | None:
    if not facts.people:
        lately = _latest(facts)
        tried = " " + _last_try(lately, facts.now) if lately else ""
        return Diagnosis(
            _("Nobody has this email on file, so it opens nothing.") + tried,
            _("Ask which email they gave the practice, or put this one on their file."),
        )
    if facts.has_account and not facts.is_active:
        return Diagnosis(
            _("The practice has closed this login: nobody can sign in with it."),
            _("Open it again below, if that is over."),
            OPEN_LOGIN,
        )
    if not facts.opened:
        text = ngettext(
            "The one person on this email cannot be opened: %(why)s.",
            "None of the %(count)d people on this email can be opened: %(why)s.",
            facts.people,
        )
        return Diagnosis(
            text % {"count": facts.people, "why": facts.why_closed},
            _("Put right below what is wrong. Until then no link is mailed either."),
        )
    if not facts.has_account:
        return Diagnosis(
            _("These people are on file, but their email has no login yet."),
            _("Make it, then send a link."),
            MAKE_LOGIN,
        )
    return None


def _never_set_up(facts: Facts) -> Diagnosis:
    link = facts.link
    if facts.waits_since and (link is None or facts.waits_since > link.asked_at):
        return _in_the_queue(facts.waits_since, facts.now)
    if link is None:
        return Diagnosis(
            _("They have never chosen a password, and no link was ever mailed to them."),
            _("Send a link. It can take a minute to arrive; they look in the spam folder too."),
            SEND_LINK,
        )
    return _of_link(link, facts)


def _of_link(link: LinkFacts, facts: Facts) -> Diagnosis:
    if link.mail_state == "queued":
        return _in_the_queue(link.asked_at, facts.now)
    if link.mail_state in {"trying", "failed"}:
        text = _("No mail reaches them. The mail server says: “%(words)s”.")
        return Diagnosis(
            text % {"words": link.server_words or _("nothing")},
            _("Is the email spelled right? If it is, the mail server must be put right first."),
            "" if link.mail_state == "trying" else SEND_LINK,
        )
    when = {
        "sent": moment_ago(link.sent_at or link.asked_at, facts.now),
        "until": _clock(link.expires_at or link.asked_at, facts.now),
    }
    if link.state == "open" and link.opened:
        refused = _latest(facts)
        wrong = refused is not None and refused.kind == ("password-set", "not-accepted")
        return Diagnosis(
            _(
                "They opened the link mailed %(sent)s but have chosen no password yet. It works until "
                "%(until)s."
            )
            % when,
            str(refused.cause.advice)
            if refused and wrong
            else _("They open the link again and choose a password of 15 characters or more."),
        )
    if link.state == "open":
        return Diagnosis(
            _("They never opened the link: mailed %(sent)s, it works until %(until)s.") % when,
            _("They look for it, also in the spam folder. You can send another."),
            SEND_LINK,
        )
    if link.state == "expired":
        return Diagnosis(
            _("They have never chosen a password: the link mailed %(sent)s ran out at %(until)s.")
            % when,
            _("Send a new link."),
            SEND_LINK,
        )
    return Diagnosis(
        _("They have never chosen a password; the link mailed %(sent)s is over.") % when,
        _("Send a new link."),
        SEND_LINK,
    )  # fmt: skip


def _in_the_queue(since: datetime, now: datetime) -> Diagnosis:
    text = _("They asked for a link %(when)s, and it is not sent yet: it waits in the queue.")
    late = now - since > timedelta(minutes=10)
    return Diagnosis(
        text % {"when": moment_ago(since, now)},
        _("Mails do not go out. Tell whoever runs the portal that its background worker stands still.")
        if late
        else _("It goes out within a minute. They look in the spam folder too."),
    )  # fmt: skip


def _lately(facts: Facts) -> Diagnosis:
    """A login that works."""
    last = _latest(facts)
    link = facts.link
    # How a mail fared belongs to the link that was asked for.
    tried = [failure.at for failure in facts.failures if failure.kind[0] != "link-mail"]
    since = max(filter(None, [*tried, facts.last_success, facts.mended_at]), default=None)
    if facts.waits_since and (since is None or facts.waits_since > since):
        return _in_the_queue(facts.waits_since, facts.now)
    if (
        link is not None
        and facts.now - link.asked_at <= RECENT
        and link.state not in {"used", "ended"}
        and (since is None or link.asked_at >= since)
    ):
        return _link_on_its_way(link, facts)
    if _is_mended(facts, last):
        assert facts.mended_at is not None
        text = _("Somebody here put something right %(when)s, and nobody has tried since.")
        return Diagnosis(
            text % {"when": moment_ago(facts.mended_at, facts.now)},
            _("They can try again now. If they do not know the password, send a link."),
            SEND_LINK,
        )
    if last is not None and facts.now - last.at <= RECENT:
        got_in_since = facts.last_success is not None and facts.last_success > last.at
        if not got_in_since:
            if last.cause.fix == LIFT_PAUSE:
                return Diagnosis(
                    _("The login works, and the wait is over. ") + _last_try(last, facts.now),
                    _("They can try again now. If they do not know the password, send a link."),
                    SEND_LINK,
                )
            return Diagnosis(
                _("The login works. ") + _last_try(last, facts.now),
                str(last.cause.advice),
                last.cause.fix,
            )
    if facts.open_sessions:
        return Diagnosis(
            _("This family is signed in now."),
            _("Ask what they see. Which chart is open stands under Sign-ins."),
        )
    if facts.last_success is None:
        return Diagnosis(
            _("The login is ready: a password is chosen. Nobody has tried to sign in since."),
            _("They sign in with this email. If they do not know the password, send a link."),
            SEND_LINK,
        )
    return Diagnosis(
        _("This family can sign in: they last did %(when)s, and nothing went wrong since.")
        % {"when": moment_ago(facts.last_success, facts.now)},
        _("If they do not know the password, send a link."),
        SEND_LINK,
    )


def _is_mended(facts: Facts, last: Failure | None) -> bool:
    if facts.mended_at is None or last is None or facts.now - facts.mended_at > RECENT:
        return False
    since = max(filter(None, [last.at, facts.last_success]))
    return facts.mended_at > since


def _link_on_its_way(link: LinkFacts, facts: Facts) -> Diagnosis:
    if link.mail_state != "sent":
        return _of_link(link, facts)
    text = _(
        "A link to choose a new password was mailed %(sent)s and is not used yet. It works until "
        "%(until)s."
    )
    when = {
        "sent": moment_ago(link.sent_at or link.asked_at, facts.now),
        "until": _clock(link.expires_at or link.asked_at, facts.now),
    }
    if link.state == "expired":
        text = _(
            "A link to choose a new password was mailed %(sent)s and ran out at %(until)s, not used."
        )
        return Diagnosis(text % when, _("Send a new link, if they need one."), SEND_LINK)
    return Diagnosis(
        text % when, _("They look for it, also in the spam folder. Their old password still works.")
    )


def _latest(facts: Facts) -> Failure | None:
    return max(facts.failures, key=lambda failure: failure.at, default=None)


def _last_try(failure: Failure, now: datetime) -> str:
    words = {"when": moment_ago(failure.at, now), "what": failure.cause.text}
    return _("Last try %(when)s: %(what)s.") % words


def moment_ago(at: datetime, now: datetime) -> str:
    """ "10 minutes ago (09:10)", "today at 09:10", or the day, year first."""
    minutes = int((now - at).total_seconds() // 60)
    if minutes < 1:
        return _("just now")
    if minutes < 60:
        text = ngettext("%(n)d minute ago (%(at)s)", "%(n)d minutes ago (%(at)s)", minutes)
        return text % {"n": minutes, "at": _clock(at, now)}
    if timezone.localtime(at).date() == timezone.localtime(now).date():
        return _("today at %(at)s") % {"at": _clock(at, now)}
    return _("on %(day)s") % {"day": date_format(timezone.localtime(at), "Y/m/d H:i")}


def _clock(at: datetime, now: datetime) -> str:
    """The time of day; with the day when it is another."""
    same_day = timezone.localtime(at).date() == timezone.localtime(now).date()
    return date_format(timezone.localtime(at), "H:i" if same_day else "Y/m/d H:i")


def _wait(seconds: int) -> str:
    if seconds < 60:
        return ngettext("%(n)d second", "%(n)d seconds", seconds) % {"n": seconds}
    minutes = -(-seconds // 60)
    return ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}
