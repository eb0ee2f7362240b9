"""Who gains and who loses a chart when staff save a member: asked before the save, shown, then decided.

One email is one login, so an email that a household has already opens this person's chart to everybody who
knows that household's password, and theirs to nobody new. It has to be meant (SECURITY R-WP-11).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property

from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from accounts.emails import email_key
from accounts.models import HouseholdAccount, StaffAccount
from households.models import Member, Practice
from households.portal_access import opened_by


@dataclass(frozen=True)
class EmailChange:
    """`before`: the member as on file, None for a new one. `after`: as it would be saved, keys set."""

    before: Member | None
    after: Member

    @property
    def new_email(self) -> bool:
        return self.after.email_key != (self.before.email_key if self.before else "")

    @property
    def opens_newly(self) -> bool:
        opens = opened_by(self.after)
        return bool(opens) and opens != opened_by(self.before)

    @cached_property
    def joins(self) -> list[Member]:
        """Everybody else on the email, also those who cannot be opened now."""
        if not self.after.email_key or not (self.new_email or self.opens_newly):
            return []
        return self._others_on(self.after.email_key)

    @cached_property
    def leaves(self) -> list[Member]:
        """Those whose login opens this chart now and no longer would."""
        loses = opened_by(self.before)
        if not loses or loses == opened_by(self.after):
            return []
        return [member for member in self._others_on(loses) if opened_by(member)]

    @cached_property
    def warnings(self) -> list[str]:
        """What else is odd about the email, in words for staff."""
        key = self.after.email_key
        if not key or not (self.new_email or self.opens_newly):
            return []
        found = []
        if StaffAccount.objects.filter(email=key).exists():
            found.append(
                _(
                    "This is also the email of a staff account. The two never mix: the portal login is "
                    "for charts of a family, the staff account for admin. Is it this patient's own email?"
                )
            )
        if key == email_key(Practice.load().sender):
            found.append(
                _(
                    "This is the address that the practice sends mail from. Whoever reads that mailbox "
                    "could open this chart."
                )
            )
        if not self.joins and HouseholdAccount.objects.filter(email_key=key).exclude(password=""):
            found.append(
                _(
                    "There is already a login with this email and a password, and it opens nobody now. "
                    "Whoever knows that password could open this chart."
                )
            )
        return found

    @property
    def needs_confirmation(self) -> bool:
        return bool(self.joins or self.warnings)

    @property
    def fingerprint(self) -> str:
        """What the confirmation page was about. It confirms this and nothing that came about since."""
        about = [
            self.after.pk,
            self.after.email_key,
            opened_by(self.after),
            sorted(member.pk for member in self.joins),
            self.warnings,
        ]
        return salted_hmac("email_change.confirmed", json.dumps(about)).hexdigest()

    def _others_on(self, key: str) -> list[Member]:
        return list(Member.objects.filter(email_key=key).exclude(pk=self.after.pk))
