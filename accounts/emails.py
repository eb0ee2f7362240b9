"""One way to write an email address, used by every door: sign-in, links, roster, admin.

Two addresses are the same household only when their keys are equal, byte for byte. Only A to Z are
lowered: full case folding would make one key of two mailboxes (the Kelvin sign K and k, the long s and s;
CVE-2019-19844), and SQLite and PostgreSQL disagree on everything beyond ASCII anyway.
"""

from __future__ import annotations

import string
import unicodedata

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

MAX_LENGTH = 254  # RFC 5321 section 4.5.3.1.3, less the angle brackets

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def email_key(typed: str) -> str:
    """The stored form of an address: no blanks or invisible characters around it, ASCII letters lowered,
    no full stop after the domain. Never raises; what is not an address has a key that nobody has on file.

    >>> email_key(" Rivera@Example.Org. ")
    'rivera@example.org'
    """
    start, end = 0, len(typed)
    while start < end and _is_blank(typed[start]):
        start += 1
    while end > start and (typed[end - 1] == "." or _is_blank(typed[end - 1])):
        end -= 1
    return typed[start:end].translate(_LOWER)


def usable_email_key(typed: str) -> str:
    """The key of an address that mail can be sent to.

    Raises ValidationError, with words for staff, for anything else: empty, no "@", two addresses, letters
    outside ASCII (which can look like others: a Cyrillic "a" would make a second, silent household).
    """
    key = email_key(typed)
    if not key:
        raise ValidationError(_("There is no email address."), code="missing")
    foreign = next((letter for letter in key if not letter.isascii()), None)
    if foreign is not None:
        name = unicodedata.name(foreign, f"U+{ord(foreign):04X}")
        raise ValidationError(
            _(
                "The email address has the character “%(character)s” (%(name)s), which only looks like a "
                "plain letter or is not allowed. Type the address again with plain letters."
            ),
            code="look-alike",
            params={"character": foreign, "name": name},
        )
    if key.count("@") > 1 or any(mark in key for mark in ",; "):
        raise ValidationError(
            _("There is more than one email address, or a blank inside it. Keep one."),
            code="several",
        )
    if len(key) > MAX_LENGTH:
        raise ValidationError(
            _("The email address is longer than 254 characters."), code="too-long"
        )
    try:
        validate_email(key)
    except ValidationError:
        raise ValidationError(
            _("This is not an email address. It looks like name@example.org."),
            code="invalid",
        ) from None
    return key


def email_mark(key: str) -> str:
    """Stands for an email key where the audit must tell one address from another and name none: a keyed
    hash, so that nobody can try addresses on it."""
    return salted_hmac("accounts.email_mark", key, algorithm="sha256").hexdigest()[:40]


def _is_blank(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in {"Cf", "Cc", "Zs"}
