"""Who gains and who loses a chart when staff save a member: asked before the save, shown, then decided.

One email is one login, so an email that a household has already opens this person's chart to everybody who
knows that household's password, and theirs to nobody new. It has to be meant (SECURITY R-WP-11).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property

from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from accounts.actions import ensure_accounts, login_end_if_empty
from accounts.emails import email_key
from accounts.models import HouseholdAccount, HouseholdSession, StaffAccount
from households.close_emails import close_to, is_slip, provider_meant
from households.models import Binding, Member, Practice
from households.portal_access import opened_by


@dataclass(frozen=True)
class EmailChange:
    """`before`: the member as on file, None for a new one. `after`: as it would be saved, keys set."""

    before: Member | None
    after: Member

    @property
    def new_email(self) -> bool:
        return self.after.email_key != self.old_email

    @property
    def old_email(self) -> str:
        return self.before.email_key if self.before else ""

    @property
    def opens_newly(self) -> bool:
        opens = opened_by(self.after)
        return bool(opens) and opens != opened_by(self.before)

    @property
    def gains(self) -> str:
        """The login that could open this chart and cannot now; "" when none."""
        return opened_by(self.after) if self.opens_newly else ""

    @property
    def loses(self) -> str:
        """The login that can open this chart now and no longer could; "" when none."""
        opens = opened_by(self.before)
        return opens if opens != opened_by(self.after) else ""

    @cached_property
    def joins(self) -> list[Member]:
        """Everybody else on the email, also those who cannot be opened now."""
        if not self.after.email_key or not (self.new_email or self.opens_newly):
            return []
        return self._others_on(self.after.email_key)

    @cached_property
    def leaves(self) -> list[Member]:
        """Those whose login opens this chart now and no longer would."""
        return [one for one in self._others_on(self.loses) if opened_by(one)] if self.loses else []

    @cached_property
    def gaining_login_is_used(self) -> bool:
        """Whether somebody has chosen a password for the login that gains the chart."""
        used = HouseholdAccount.objects.filter(email_key=self.gains).exclude(password="")
        return bool(self.gains) and used.exists()

    @cached_property
    def open_charts(self) -> int:
        """How many browsers have this person's chart open now; each is closed by the save."""
        if self.before is None:
            return 0
        return Binding.objects.filter(
            member=self.before.pk, ended_at=None, session__in=HouseholdSession.objects.open()
        ).count()

    @cached_property
    def ended_sessions(self) -> list[HouseholdSession]:
        """The open sessions of the login that loses the chart and then opens nobody: they end."""
        if not self.loses or self.leaves:
            return []
        sessions = HouseholdSession.objects.open().filter(account__email_key=self.loses)
        return list(sessions.order_by("-last_seen_at"))

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
        return found + (self._look_alikes() if self.new_email else [])

    def _look_alikes(self) -> list[str]:
        """Slips of a finger would make a second, silent household (SECURITY AD-05). Of the many families
        whose emails are one letter apart, those that have this person's last name are told of."""
        key, found = self.after.email_key, []
        local, _at, domain = key.rpartition("@")
        meant = provider_meant(domain)
        if meant:
            words = {"domain": domain, "meant": f"{local}@{meant}"}
            found.append(_("“%(domain)s” looks like a slip. Is %(meant)s meant?") % words)
        for other in close_to(key):
            if not is_slip(key, other) or other == self.old_email:
                continue
            there = Member.objects.filter(email_key=other)
            same_name = there.filter(last_name_key=self.after.last_name_key).exists()
            if other.startswith(f"{local}@") or same_name:
                text = _(
                    "Another family on file has almost the same email: %(email)s. Is that the one? Then "
                    "this person would not be on their login."
                )
                found.append(text % {"email": other})
        return found

    @property
    def needs_confirmation(self) -> bool:
        """Every change of an email on file is looked at once more; a new person only where there is
        something to see."""
        changes = self.before is not None and self.new_email
        return changes or bool(self.joins or self.warnings)

    @property
    def fingerprint(self) -> str:
        """What the confirmation page was about. It confirms this and nothing that came about since."""
        about = [
            self.after.pk,
            self.old_email,
            self.after.email_key,
            opened_by(self.after),
            sorted(member.pk for member in self.joins),
            sorted(member.pk for member in self.leaves),
            self.warnings,
        ]
        text = json.dumps(about)
        return salted_hmac("email_change.confirmed", text, algorithm="sha256").hexdigest()

    def settle(self, request: HttpRequest) -> None:
        """After the save, in its transaction: the login that gains the chart is there, and the one that
        has nobody left is over (R-WP-12)."""
        ensure_accounts([opened_by(self.after)])
        if self.loses:
            login_end_if_empty(request=request, email_key=self.loses)

    def _others_on(self, key: str) -> list[Member]:
        return list(Member.objects.filter(email_key=key).exclude(pk=self.after.pk))
