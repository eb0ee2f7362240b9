"""Birthdays that change who may open a chart, and an adult's own consent to a shared login (PRODUCT
H8, R-WP-13).

One login opens everybody on an email, so a teenager's chart lies open to the parents, an adult child's too.
Staff are told of the birthdays at which they want to look again. Whoever came onto the email as a child is
closed from the birthday of an adult on, until staff record their own consent.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from households.binding import end_for_members
from households.birthdays import birthday_at, born_to_reach
from households.models import (
    AdultConsent,
    AgeSeen,
    Member,
    Practice,
    database_today,
)

# So long after the birthday it still stands among the tasks.
DAYS_AFTER = 30


# --- who reaches which age ------------------------------------------------------------


@dataclass(frozen=True)
class Birthday:
    """Somebody who reaches `age` on the day `on`. `is_adult`: it is the age of an adult."""

    member: Member
    age: int
    on: datetime.date
    is_adult: bool

    @property
    def is_over(self) -> bool:
        return self.on <= timezone.localdate()

    @property
    def is_closed(self) -> bool:
        """Whether the login does not open them now for want of their consent."""
        return self.member.waits_for_consent


def reaching(practice: Practice, age: int) -> QuerySet[Member]:
    """Those on a shared login who reach `age` soon or did lately, and whom staff have not looked at yet; the
    earliest birthday first. The index on the birth date answers it, at any size of the practice."""
    # Not `with_portal_access`: those who wait for their own consent are the ones to be told of.
    active = Member.objects.filter(status=Member.Status.ACTIVE, portal_access=True)
    found = active.exclude(email_key="").filter(_reaching(practice, age, timezone.localdate()))
    return found.order_by("date_of_birth", "pk")


def as_birthday(practice: Practice, member: Member, age: int) -> Birthday:
    assert member.date_of_birth is not None
    on = birthday_at(member.date_of_birth, age)
    return Birthday(member, age, on, is_adult=age == practice.adult_age)


def _reaching(practice: Practice, age: int, today: datetime.date) -> Q:
    ahead = datetime.timedelta(days=practice.announced_days_ahead)
    born = born_to_reach(age, today - datetime.timedelta(days=DAYS_AFTER), today + ahead)
    seen = AgeSeen.objects.filter(member=OuterRef("pk"), age=age)
    found = Q(date_of_birth__range=born)
    if age == practice.adult_age:
        # Who came as an adult, or has agreed, is nobody's task. What was seen before the birthday has to be
        # looked at once more when it has come: they are closed from then on.
        adult_on = OuterRef("consent_needed_from")
        seen = seen.filter(
            Q(seen_at__date__gte=adult_on) | Q(member__consent_needed_from__gt=today)
        )
        found &= ~Q(consent_needed_from=None)
    return found & ~Q(Exists(seen))


def age_see(*, request: HttpRequest, member: Member, age: int) -> None:
    """Staff have looked at this birthday: it is no task any more."""
    assert request.user.pk is not None
    with transaction.atomic():
        AgeSeen.objects.update_or_create(
            member=member,
            age=age,
            defaults={"seen_by_id": request.user.pk, "seen_at": timezone.now()},
        )
        _record(request, member, f"age-{age}-seen")


# --- an adult's consent ---------------------------------------------------------------


def standing_consent(member: Member) -> AdultConsent | None:
    """The consent by which this login opens them now, if there is one."""
    if not member.consent_stands:
        return None
    return member.adult_consents.filter(withdrawn_at=None).order_by("-pk").first()


def consent_record(
    *, request: HttpRequest, member: Member, given_on: datetime.date, how: str, note: str
) -> bool:
    """An adult agrees that the login of their email opens them. It does, from the next request on. False
    when it is on file already.

    Raises ValidationError, with words for staff, where there is nothing to agree to: no adult yet, or
    nobody asks for it.
    """
    with transaction.atomic():
        member = _locked(member)
        if member.consent_stands:
            return False
        adult_on = member.consent_needed_from
        if adult_on is None:
            raise ValidationError(
                _(
                    "This login opens them without it. If they do not agree, switch portal access off."
                ),
                code="not-needed",
            )
        if given_on > max(timezone.localdate(), database_today()):
            raise ValidationError(_("That day is still to come."), code="future")
        if given_on < adult_on:
            text = _(
                "They are an adult from %(day)s on. Record what they said on that day or later."
            )
            day = f"{adult_on.year:04}/{adult_on.month:02}/{adult_on.day:02}"
            raise ValidationError(text % {"day": day}, code="not-adult")
        assert request.user.pk is not None
        AdultConsent.objects.create(
            member=member,
            given_on=given_on,
            how=how,
            note=note,
            recorded_by_id=request.user.pk,
        )
        member.consent_stands = True
        member.save(update_fields=["updated_at"])
        _record(request, member, "consent-recorded")
    return True


def consent_withdraw(*, request: HttpRequest, member: Member) -> bool:
    """They do not agree any more: their chart is closed at once, wherever it is open. False when no consent
    stands. What was recorded stays, with who took it back and when.

    Where the rule would open them without a consent (the birth date or the setting was changed since),
    portal access is switched off: who said no is not opened.
    """
    with transaction.atomic():
        member = _locked(member)
        if not member.consent_stands:
            return False
        member.adult_consents.filter(withdrawn_at=None).update(
            withdrawn_at=timezone.now(), withdrawn_by=request.user.pk
        )
        member.consent_stands = False
        member.set_keys()
        if not member.waits_for_consent:
            member.portal_access = False
        member.save(update_fields=["portal_access", "updated_at"])
        end_for_members([member])
        _record(request, member, "consent-withdrawn")
    return True


def _locked(member: Member) -> Member:
    # Rows that point at the member may be written meanwhile.
    return Member.objects.select_for_update(no_key=True).get(pk=member.pk)


def _record(request: HttpRequest, member: Member, outcome: str) -> None:
    audit.record(
        audit.Action.STAFF_CHANGE,
        outcome,
        request=request,
        member_id=member.pk,
        object_type="member",
        object_id=member.pk,
    )
    assert request.user.pk is not None
    LogEntry.objects.log_actions(
        request.user.pk, [member], CHANGE, change_message=outcome, single_object=True
    )
