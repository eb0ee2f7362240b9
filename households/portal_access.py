"""Whether the portal opens a person's chart, to which login, and if not why: asked about one member, with the
words for staff. The question about a whole household is in models.py."""

from __future__ import annotations

from django.utils.translation import gettext as _

from households.models import Member


def opened_by(member: Member | None) -> str:
    """The email key of the login that can open this chart; "" when none can."""
    if member is None or member.status != Member.Status.ACTIVE or not member.portal_access:
        return ""
    if member.waits_for_consent:
        return ""
    return member.email_key


def why_closed(member: Member) -> str:
    """Why the login cannot open this person's chart; "" when it can."""
    if opened_by(member):
        return ""
    if member.status != Member.Status.ACTIVE:
        return member.get_status_display()
    if not member.portal_access or not member.waits_for_consent:
        return _("no portal access")
    return _("an adult now: their own consent is not recorded")
