"""How a family gets in, in the practice's own words: one list of parts, from which the public help page, the
text to copy and the printed sheet are made, so that they cannot differ (PRODUCT H5, UX HELP-1 to HELP-3).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings
from django.utils.translation import gettext as _

from households.models import Practice


class Kind(StrEnum):
    TITLE = "title"
    LEAD = "lead"
    HEADING = "heading"
    TEXT = "text"
    STEPS = "steps"  # in this order
    POINTS = "points"  # in any
    ADDRESS = "address"


@dataclass(frozen=True)
class Part:
    """One heading, paragraph or list; `lines` has one line, or one for each step or point."""

    kind: Kind
    lines: tuple[str, ...]

    @property
    def line(self) -> str:
        return self.lines[0]


def instructions(practice: Practice, *, email: str = "") -> list[Part]:
    """The parts in the order in which they are read. With `email`, the one that the practice has on file for
    a household, the sheet names it; nobody's name or birth date ever stands here."""
    facts = {
        "practice": practice.name,
        "sender": practice.sender,
        "password_min": settings.PASSWORD_MIN,
        "portal_url": settings.PORTAL_URL,
        "email": email,
    }
    if email:
        which = _(
            'Press "First time here, or forgot your password?" and type the email address that we have on '
            "file for you: %(email)s"
        )
    else:
        which = _(
            'Press "First time here, or forgot your password?" and type the email address that we have on '
            "file for you."
        )
    find = _(
        "Find our email. It comes from %(sender)s. If you do not see it after a few minutes, look in your "
        "spam folder."
    )
    choose = _(
        "Open the link in the email and type a new password, twice. It needs at least %(password_min)d "
        "characters. A few random words in a row work well. Keep it somewhere safe."
    )
    lead = _(
        "A family can share one portal login at %(practice)s: one email address and one password. After you "
        "sign in, you say who it is for, and that person's chart opens."
    )
    return [
        _part(Kind.TITLE, _("How to add family members under the same email")),
        _part(Kind.LEAD, lead % facts),
        _part(Kind.HEADING, _("Before you start")),
        _part(
            Kind.TEXT,
            _(
                "Everyone who shares the login needs the same primary email address on file with us. For a "
                "parent and a child, that is the parent's address on both files. To check this, or to add "
                "someone, call us."
            ),
        ),
        _part(Kind.HEADING, _("Choose a password")),
        _part(
            Kind.TEXT, _("Do this once, the first time. Do it again if you forget the password.")
        ),
        _part(
            Kind.STEPS,
            _("Open the portal: %(portal_url)s") % facts,
            which % facts,
            find % facts,
            choose % facts,
        ),
        _part(Kind.HEADING, _("Each time you use the portal")),
        _part(
            Kind.STEPS,
            _("Sign in with the shared email address and password."),
            _(
                "Say who it is for. Type that person's first name only, and the date of birth with the year "
                "first, like 2016/04/27."
            ),
            _(
                "Look at the name at the top of the page. It shows whose chart is open. All that you send "
                "goes to that person: documents, details, medical history and forms."
            ),
            _(
                'To help someone else in the family, press "Switch person" and type that person\'s first '
                "name and date of birth."
            ),
            _('When you are done, press "Sign out".'),
        ),
        _part(Kind.HEADING, _("If something does not fit")),
        _part(
            Kind.POINTS,
            _(
                "The name is not accepted: use the first name that we have on file, not a nickname. If that "
                "fails, call us. There may be a mistake on file."
            ),
            _(
                "No email from us: we may have another address on file for you, or none. Call us and we will "
                "add it."
            ),
            _(
                "Your email address has changed: call us. Until we change it on file, the portal knows only "
                "the old one."
            ),
            _(
                "Someone wants their chart kept private: everyone who has the shared password can open every "
                "chart under that email. Ask us to put a separate email address on file."
            ),
        ),
        _part(Kind.HEADING, _("Questions? Call us")),
        Part(
            Kind.ADDRESS,
            tuple(filter(None, [practice.name, practice.phone, practice.hours, practice.address])),
        ),
    ]


def as_text(parts: Iterable[Part]) -> str:
    """The same as plain text, for a letter, a mail or a website."""
    return "\n\n".join("\n".join(_lines_of(part)) for part in parts) + "\n"


def _lines_of(part: Part) -> list[str]:
    if part.kind is Kind.STEPS:
        return [f"{number}. {line}" for number, line in enumerate(part.lines, 1)]
    if part.kind is Kind.POINTS:
        return [f"- {line}" for line in part.lines]
    return list(part.lines)


def _part(kind: Kind, *lines: str) -> Part:
    return Part(kind, lines)
