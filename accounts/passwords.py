"""Passwords: how they are hashed, compared and refused (SECURITY R-AU-1 to R-AU-4)."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import (
    Argon2PasswordHasher,
    check_password,
    make_password,
)
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

MAX_LENGTH = 128
_HASHES_AT_ONCE = 2
_LONGEST_WAIT_SECONDS = 10
# Below this many guesses a password is on somebody's list. zxcvbn counts 10^8 as "safely unguessable"
# for a slow hash (Wheeler, USENIX Security 2016).
_FEWEST_GUESSES = 10**8

_hashing = threading.BoundedSemaphore(_HASHES_AT_ONCE)


class PortalArgon2Hasher(Argon2PasswordHasher):
    """Argon2id with 19 MiB, two passes, one lane: OWASP's figure, a ninth of Django's default cost."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1


class TooBusy(Exception):
    """More sign-ins at once than this process hashes; the caller answers 503 and asks to try again."""


@contextmanager
def one_of_few() -> Iterator[None]:
    """Bound the hashes in flight: each takes 19 MiB and a core, and a storm must not starve other pages."""
    if not _hashing.acquire(timeout=_LONGEST_WAIT_SECONDS):
        raise TooBusy
    try:
        yield
    finally:
        _hashing.release()


def normalised(password: str) -> str:
    """The same password typed on two keyboards is the same text (NFC; NIST SP 800-63B section 3.1.1.2).

    What no password can be stays as it is: it is refused anyway, and a megabyte of accents takes minutes.
    """
    if len(password) > 4 * MAX_LENGTH:
        return password
    return unicodedata.normalize("NFC", password)


def hashed(password: str) -> str:
    """The text to store. Raises TooBusy."""
    with one_of_few():
        return make_password(normalised(password))


def matches(password: str, stored: str) -> tuple[bool, bool]:
    """Compare `password` with a `stored` hash; "" stands for no account or no password.

    Returns (right, outdated): outdated means right, and hashed with older parameters. Takes one hash's
    time whatever is stored, so that the answer's time says nothing. Raises TooBusy.
    """
    if len(password) > MAX_LENGTH:
        return False, False
    outdated: list[bool] = []
    with one_of_few():
        if not stored:
            make_password(normalised(password))
            return False, False
        right = check_password(
            normalised(password), stored, setter=lambda _raw: outdated.append(True)
        )
    return right, bool(outdated)


class StrongEnough:
    """Refuses a password that is short or on everybody's list; asks for nothing else.

    No rules on composition (NIST SP 800-63B section 3.1.1.2). `words` are what a guesser who knows the
    family would try first: the email, the names on file, the practice, the product.
    """

    def validate(self, password: str, user: Any = None, words: tuple[str, ...] = ()) -> None:
        """Raises ValidationError with a reason and the way out."""
        # Imported here: its word lists take 10 MB and are needed only where a password is chosen.
        from zxcvbn import zxcvbn

        password = normalised(password)
        if len(password) < settings.PASSWORD_MIN:
            raise ValidationError(
                ngettext(
                    "The password needs at least %(min)d character. It has %(length)d.",
                    "The password needs at least %(min)d characters. It has %(length)d.",
                    settings.PASSWORD_MIN,
                ),
                code="short",
                params={"min": settings.PASSWORD_MIN, "length": len(password)},
            )
        if len(password) > MAX_LENGTH:
            raise ValidationError(
                _("The password can have %(max)d characters at most. It has %(length)d."),
                code="long",
                params={"max": MAX_LENGTH, "length": len(password)},
            )
        known = [word for word in (*words, *_words_of(user), "kinchart", "portal") if len(word) > 2]
        verdict = zxcvbn(password[:72], user_inputs=known, max_length=72)
        if verdict["guesses"] < _FEWEST_GUESSES or _only_known_words(password, known):
            raise ValidationError(
                _(
                    "This password is too easy to guess: it is common, repeats itself, or uses your "
                    "names or the practice's. Four random words in a row work well."
                ),
                code="common",
            )

    def get_help_text(self) -> str:
        return _("At least %(min)d characters. A few random words in a row work well.") % {
            "min": settings.PASSWORD_MIN
        }


def _only_known_words(password: str, known: list[str]) -> bool:
    """Whether next to nothing is left of the password without these words, digits and punctuation."""
    rest = password.casefold()
    words = {word for text in known for word in (text.casefold(), *text.casefold().split())}
    for word in sorted(words, key=len, reverse=True):
        if len(word) > 2:
            rest = rest.replace(word, "")
    return sum(character.isalpha() or not character.isascii() for character in rest) < 8


def _words_of(user: Any) -> list[str]:
    email = getattr(user, "email", "") or getattr(user, "email_key", "")
    return [email, email.partition("@")[0]] if email else []
