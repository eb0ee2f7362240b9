"""What staff put right about one person so that the family gets in: an also-called name, the birth date,
portal access.

Each holds the member's row, is one transaction with its audit entry, and stands in the person's history in
admin. Pressed twice, it is done once. Whoever calls has asked whether this member of staff may.
"""

from __future__ import annotations

import datetime

from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.actions import ensure_accounts, login_end_if_empty
from accounts.models import HouseholdAccount
from households.binding import end_for_members
from households.matching import LONGEST_NAME, name_key
from households.models import AlsoCalled, Member
from households.portal_access import opened_by


def also_called_add(*, request: HttpRequest, member: Member, name: str) -> bool:
    """Let the family choose `member` by `name` too. False, and nothing happens, when they can already.

    Raises ValidationError, with words for staff, when the name has no letters or is too long, or when
    somebody else on the email with the same birth date goes by it: then neither could be chosen.
    """
    name, key = name.strip(), name_key(name)
    if not key or len(name) > LONGEST_NAME:
        raise ValidationError(_("Type the name that the family uses, in letters."), code="name")
    with transaction.atomic():
        member = _locked(member)
        if key in _names(member):
            return False
        twins = Member.objects.filter(
            email_key=member.email_key, date_of_birth=member.date_of_birth
        ).exclude(pk=member.pk)
        if opened_by(member) and member.date_of_birth is not None:
            for other in twins.prefetch_related("also_called"):
                if opened_by(other) and key in _names(other):
                    text = _(
                        "Somebody else on this email with the same birth date goes by this name. With it, "
                        "neither could be chosen."
                    )
                    raise ValidationError(text, code="ambiguous")
        AlsoCalled.objects.create(member=member, name=name)
        _record(request, member, "also-called-added")
    return True


def date_of_birth_correct(
    *, request: HttpRequest, member: Member, date_of_birth: datetime.date
) -> bool:
    """Put the right birth date on file and close the person's open charts, which were chosen by the wrong
    one. The next patient list does not bring the old one back. False when it is on file already.

    Raises ValidationError for a day that is still to come.
    """
    if date_of_birth > timezone.localdate():
        text = _("That date is in the future. Check the year: year first, like 2016/04/27.")
        raise ValidationError(text, code="future")
    with transaction.atomic():
        member = _locked(member)
        if member.date_of_birth == date_of_birth:
            return False
        member.note_list_values({"date_of_birth": member.date_of_birth})
        member.date_of_birth = date_of_birth
        member.save(update_fields=["date_of_birth", "list_values", "updated_at"])
        end_for_members([member])
        _record(request, member, "birth-date-corrected")
    return True


def portal_access_set(*, request: HttpRequest, member: Member, on: bool) -> bool:
    """Switch whether the portal opens this person's chart, to anybody; at once (SECURITY MB-21). False when
    it is so already.

    Switching it on shows the chart to everybody who knows the login of the person's email: whoever calls
    has shown staff who that is (SECURITY R-WP-11).
    """
    with transaction.atomic():
        member = _locked(member)
        if member.portal_access == on:
            return False
        member.portal_access = on
        member.save(update_fields=["portal_access", "updated_at"])
        ensure_accounts([opened_by(member)])
        end_for_members([member])
        if not on and member.email_key:
            login_end_if_empty(request=request, email_key=member.email_key)
        _record(request, member, "portal-access-on" if on else "portal-access-off")
    return True


def _locked(member: Member) -> Member:
    # Rows that point at the member may be written meanwhile.
    return Member.objects.select_for_update(no_key=True).get(pk=member.pk)


def _names(member: Member) -> set[str]:
    names = [member.first_name, member.preferred_name, *member.also_called_names()]
    return {name_key(name) for name in names} - {""}


def _record(request: HttpRequest, member: Member, outcome: str) -> None:
    """With the login, whose page says that something was put right."""
    logins = HouseholdAccount.objects.filter(email_key=member.email_key)
    audit.record(
        audit.Action.STAFF_CHANGE,
        outcome,
        request=request,
        account_id=logins.values_list("pk", flat=True).first(),
        member_id=member.pk,
        object_type="member",
        object_id=member.pk,
    )
    assert request.user.pk is not None
    LogEntry.objects.log_actions(
        request.user.pk, [member], CHANGE, change_message=outcome, single_object=True
    )
