"""Everything that answers "why can't they get in?" about one email, read from the database: the people, the
login, mails and links, sign-ins, what went wrong. A fixed number of queries, whatever the household."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import throttle
from accounts.audit.models import AuditEvent
from accounts.emails import email_mark
from accounts.models import HouseholdAccount, HouseholdSession, Mail, PasswordLink
from households.diagnosis import (
    CAUSES,
    SUCCESSES,
    Diagnosis,
    Facts,
    Failure,
    LinkFacts,
    diagnose,
)
from households.matching import NoMatch, choose, name_key
from households.models import Binding, Member, PickerMiss
from households.portal_access import opened_by, why_closed

MOST_PEOPLE = 50
_LATEST = 8
_EVENTS = 200
_LOOKS_BACK = datetime.timedelta(days=30)
_ACTIONS = sorted({action for action, _outcome in {*CAUSES, *SUCCESSES}} | {"staff-change"})
# What staff do that makes a new try worth it.
_MENDED = {
    *("pause-lifted", "also-called-added", "birth-date-corrected", "portal-access-on"),
    *("login-opened", "login-made"),
}
# The queue's clock is read before the audit's, by as much as a busy machine takes.
_SAME_MOMENT = datetime.timedelta(seconds=5)


@dataclass(frozen=True)
class Typed:
    """What the family typed at the picker that nearly fits somebody: with `is_name` the birth date is right
    and the name is not, else the other way round."""

    is_name: bool
    name: str
    date_of_birth: datetime.date
    times: int
    at: datetime.datetime


@dataclass(frozen=True)
class Person:
    """`why_not`: why this login does not get at them, "" when it does."""

    member: Member
    why_not: str
    also_called: Sequence[str]
    charts_open: int
    typed: Sequence[Typed]


@dataclass(frozen=True)
class MailLine:
    """A mail, or a link from before mails were noted. `link_state` is "" where there is no link."""

    what: str
    asked_at: datetime.datetime
    by_staff: bool
    state: str
    at: datetime.datetime | None
    tries: int
    server_words: str
    next_try_at: datetime.datetime | None
    link_state: str
    link_expires_at: datetime.datetime | None


@dataclass(frozen=True)
class SignIn:
    session: HouseholdSession
    is_open: bool
    how_ended: str
    chart: Member | None


@dataclass(frozen=True)
class Pause:
    what: str
    seconds: int

    @property
    def minutes(self) -> int:
        return -(-self.seconds // 60)


@dataclass(frozen=True)
class HouseholdFacts:
    """`more_people`: there are more on this email than are listed."""

    email_key: str
    account: HouseholdAccount | None
    people: Sequence[Person]
    more_people: bool
    mails: Sequence[MailLine]
    sign_ins: Sequence[SignIn]
    failures: Sequence[Failure]
    pauses: Sequence[Pause]
    diagnosis: Diagnosis

    @property
    def open_sessions(self) -> int:
        return sum(one.is_open for one in self.sign_ins)


def read(key: str) -> HouseholdFacts:
    """What is known of the email with this key, on file or not."""
    now = timezone.now()
    account = HouseholdAccount.objects.filter(email_key=key).first()
    on_email = Member.objects.filter(email_key=key).prefetch_related("also_called")
    members = list(on_email[: MOST_PEOPLE + 1]) if key else []
    sign_ins = _sign_ins(account, {member.pk for member in members})
    charts = Counter(one.chart.pk for one in sign_ins if one.chart)
    missed = _missed(account, now)
    people = [
        Person(
            member,
            _why_not(member, members),
            member.also_called_names(),
            charts[member.pk],
            [typed for miss in missed for typed in _nearly(miss, member)],
        )
        for member in members[:MOST_PEOPLE]
    ]
    events = _events(key, account, now)
    mails = (
        list(account.mails.select_related("link").order_by("-queued_at")[:_LATEST])
        if account
        else []
    )
    links = list(account.links.all()[:_LATEST]) if account else []
    failures = _failures(events)
    sign_in_pause = throttle.pause_of(throttle.SIGN_IN, key)
    pick_pause = throttle.pause_of(throttle.PICK, str(account.pk)) if account else 0
    link_pause = throttle.pause_of(throttle.LINK_MAIL, key)
    mended = [one for one in events if one.action == "staff-change" and one.outcome in _MENDED]
    successes = [one.at for one in events if (one.action, one.outcome) in SUCCESSES]
    facts = Facts(
        now=now,
        people=len(people),
        opened=sum(not person.why_not for person in people),
        has_account=account is not None,
        is_active=account is not None and account.is_active,
        has_password=account is not None and account.has_password,
        sign_in_pause=sign_in_pause,
        pick_pause=pick_pause,
        waits_since=_waits_since(events, mails),
        link=_link_facts(mails, links, events),
        failures=failures,
        last_success=max(successes, default=account.last_sign_in_at if account else None),
        mended_at=max((one.at for one in mended), default=None),
        open_sessions=sum(one.is_open for one in sign_ins),
        why_closed=next((person.why_not for person in people if person.why_not), ""),
    )
    pauses = [
        Pause(_("sign-in: too many wrong passwords"), sign_in_pause),
        Pause(_("choosing the person: too many wrong names or birth dates"), pick_pause),
        Pause(_("mailed links: asked for more than 3 in an hour"), link_pause),
    ]
    return HouseholdFacts(
        email_key=key,
        account=account,
        people=people,
        more_people=len(members) > MOST_PEOPLE,
        mails=_mail_lines(mails, links),
        sign_ins=sign_ins,
        failures=failures,
        pauses=[pause for pause in pauses if pause.seconds],
        diagnosis=diagnose(facts),
    )


# --- people ---------------------------------------------------------------------------


def _why_not(member: Member, others: Sequence[Member]) -> str:
    closed = why_closed(member)
    if closed:
        return closed
    if member.date_of_birth is None:
        return _("no birth date on file, so nobody can choose this person")
    for other in others:
        if (
            other.pk != member.pk
            and other.date_of_birth == member.date_of_birth
            and opened_by(other)
            and _names(other) & _names(member)
        ):
            text = _("cannot be told apart from %(name)s: same name and birth date")
            return text % {"name": other.full_name}
    return ""


def _names(member: Member) -> set[str]:
    names = [member.first_name, member.preferred_name, *member.also_called_names()]
    return {name_key(name) for name in names} - {""}


def _missed(account: HouseholdAccount | None, now: datetime.datetime) -> list[PickerMiss]:
    if account is None:
        return []
    lately = PickerMiss.objects.filter(
        account=account, dismissed_at=None, last_at__gte=now - _LOOKS_BACK
    )
    return list(lately.order_by("-last_at")[:_LATEST])


def _nearly(miss: PickerMiss, member: Member) -> list[Typed]:
    """As the file stands now: what was put right since is not shown any more."""
    if not opened_by(member) or member.date_of_birth is None:
        return []
    is_called_so = not isinstance(choose([member], miss.name), NoMatch)
    is_born_then = member.date_of_birth == miss.date_of_birth
    if is_called_so == is_born_then or miss.cause != ("name" if is_born_then else "date"):
        return []
    return [Typed(is_born_then, miss.name, miss.date_of_birth, miss.times, miss.last_at)]


# --- sign-ins -------------------------------------------------------------------------


def _sign_ins(account: HouseholdAccount | None, household: set[int]) -> list[SignIn]:
    if account is None:
        return []
    sessions = list(account.sessions.order_by("-signed_in_at")[:_LATEST])
    pks = [session.pk for session in sessions]
    open_ones = set(account.sessions.open().filter(pk__in=pks).values_list("pk", flat=True))
    bindings = Binding.objects.filter(session__in=open_ones, ended_at=None)
    charts = {
        binding.session_id: binding.member
        for binding in bindings.select_related("member")
        if binding.member_id in household
    }
    return [
        SignIn(
            session=session,
            is_open=session.pk in open_ones,
            how_ended="" if session.pk in open_ones else _how_ended(session, account),
            chart=charts.get(session.pk),
        )
        for session in sessions
    ]


def _how_ended(session: HouseholdSession, account: HouseholdAccount) -> str:
    if session.end:
        return str(session.get_end_display())
    # Nobody has come back to it since; it ends at the next request.
    end = HouseholdSession.End.IDLE if account.is_active else HouseholdSession.End.PAUSED
    return str(end.label)


# --- mails and links ------------------------------------------------------------------


def _mail_lines(mails: Sequence[Mail], links: Sequence[PasswordLink]) -> list[MailLine]:
    mailed = {mail.link_id for mail in mails}
    lines = [
        MailLine(
            what=str(mail.get_kind_display()),
            asked_at=mail.queued_at,
            by_staff=mail.by_staff,
            state=str(mail.state.label),
            at=mail.sent_at or mail.failed_at,
            tries=mail.tries,
            server_words=mail.server_words,
            next_try_at=mail.next_try_at,
            link_state=str(mail.link.state.label) if mail.link else "",
            link_expires_at=mail.link.expires_at if mail.link else None,
        )
        for mail in mails
    ]
    if len(mails) < _LATEST:
        lines += [
            MailLine(
                what=str(Mail.Kind.LINK.label),
                asked_at=link.made_at,
                by_staff=False,
                state=str(Mail.State.SENT.label),
                at=link.made_at,
                tries=1,
                server_words="",
                next_try_at=None,
                link_state=str(link.state.label),
                link_expires_at=link.expires_at,
            )
            for link in links
            if link.pk not in mailed
        ]
    return sorted(lines, key=lambda line: line.asked_at, reverse=True)[:_LATEST]


def _link_facts(
    mails: Sequence[Mail], links: Sequence[PasswordLink], events: Sequence[AuditEvent]
) -> LinkFacts | None:
    mail = next((one for one in mails if one.kind == Mail.Kind.LINK), None)
    link = mail.link if mail else next(iter(links), None)
    if mail is None and link is None:
        return None
    opened = link is not None and any(
        (one.action, one.outcome, one.object_id) == ("link-open", "ok", str(link.pk))
        for one in events
    )
    return LinkFacts(
        asked_at=mail.queued_at if mail else link.made_at,  # type: ignore[union-attr] # one is there
        mail_state=mail.state.value if mail else Mail.State.SENT.value,
        sent_at=mail.sent_at if mail else link.made_at,  # type: ignore[union-attr] # one is there
        server_words=mail.server_words if mail else "",
        state=link.state.value if link else "",
        expires_at=link.expires_at if link else None,
        opened=opened,
    )


# --- what the audit tells -------------------------------------------------------------


def _events(key: str, account: HouseholdAccount | None, now: datetime.datetime) -> list[AuditEvent]:
    """Of the login, and of the address, which may have been tried before it had one."""
    lately = AuditEvent.objects.filter(action__in=_ACTIONS, at__gte=now - _LOOKS_BACK)
    of_email = lately.filter(object_type="email", object_id=email_mark(key))
    asked: list[QuerySet[AuditEvent]] = [of_email]
    if account is not None:
        asked.append(lately.filter(account_id=account.pk))
    found = {event.pk: event for rows in asked for event in rows.order_by("-pk")[:_EVENTS]}
    return sorted(found.values(), key=lambda event: event.pk, reverse=True)


def _failures(events: Sequence[AuditEvent]) -> list[Failure]:
    """By cause, the latest first."""
    kinds = [(event.action, event.outcome) for event in events]
    times = Counter(kinds)
    latest: dict[tuple[str, str], Failure] = {}
    for event, kind in zip(events, kinds, strict=True):
        if kind in CAUSES and kind not in latest:
            latest[kind] = Failure(CAUSES[kind], event.at, times[kind], kind)
    return list(latest.values())


def _waits_since(events: Sequence[AuditEvent], mails: Sequence[Mail]) -> datetime.datetime | None:
    """When a link was asked for that the background worker has not looked at yet."""
    asked = [one.at for one in events if (one.action, one.outcome) == ("link-request", "asked")]
    if not asked:
        return None
    looked_at = [one.at for one in events if one.action == "link-mail"]
    looked_at += [mail.queued_at + _SAME_MOMENT for mail in mails]
    return None if any(at >= asked[0] for at in looked_at) else asked[0]
