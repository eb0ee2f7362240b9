"""The keys of the audit's chain: who has none of them can neither write an entry nor join two others.

They are not derived from SECRET_KEY, which may be changed at any time. They are the lines of the file
`audit-key` in PORTAL_DATA, or what PORTAL_AUDIT_KEY holds. The last one writes; the others are read with, so
that entries written before a new key was added verify still. A running portal learns of a new one when it is
started again.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import secrets
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

logger = logging.getLogger(__name__)
LEAST_CHARACTERS = 32
_reading = threading.Lock()


class Key(NamedTuple):
    # Eight letters that say which key it is, and nothing about it.
    mark: str
    secret: bytes


def writing() -> Key:
    """The key that new entries are written with."""
    return every()[-1]


def every() -> tuple[Key, ...]:
    """All keys, the one that writes last. Makes the file where there is none; read once by each process.

    Raises OSError where the file cannot be read or made, ImproperlyConfigured where its lines are no keys:
    an entry cannot be written then, and what it would have recorded does not happen.
    """
    with _reading:  # of two threads, only one makes the file
        return _read(tuple(settings.AUDIT_KEYS), str(settings.DATA))


@cache
def _read(given: tuple[str, ...], data: str) -> tuple[Key, ...]:
    file = Path(data) / "audit-key"
    lines = given or tuple(filter(None, map(str.strip, _kept(file).splitlines())))
    if not lines or any(len(line) < LEAST_CHARACTERS for line in lines):
        raise ImproperlyConfigured(
            f"{file if not given else 'PORTAL_AUDIT_KEY'} has to hold keys of at least {LEAST_CHARACTERS} "
            "characters, one on each line."
        )
    return tuple(_key(line) for line in lines)


def _key(line: str) -> Key:
    secret = line.encode()
    return Key(hashlib.sha256(b"mark of an audit key " + secret).hexdigest()[:8], secret)


def _kept(file: Path) -> str:
    if not file.exists():
        text = f"{secrets.token_hex(32)}\n"
        if made_here(file, lambda: text.encode()):
            _say_if_entries_were_there(file)
    return file.read_text("ascii", "replace")


def made_here(file: Path, content: Callable[[], bytes]) -> bool:
    """Make this file, for the portal's own login only, and have it on the disk before anybody goes on.

    Returns whether it was made just now: of several processes that begin at once, one makes it and the
    others wait.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_size:
            return False
        os.write(descriptor, content())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    folder = os.open(file.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)  # the file's name too
    finally:
        os.close(folder)
    return True


def _say_if_entries_were_there(file: Path) -> None:
    """The portal goes on with a new key where the old one is gone: a practice cannot stand still over it, and
    `verify_audit` names the first entry of the new key. It is said at once as well."""
    from accounts.audit.models import AuditEvent

    if AuditEvent.objects.exclude(mac="").exists():
        logger.error(
            "The audit has entries, but its key was missing, so a new one was made: %s. Put the old key on a "
            "line above it; until then manage.py verify_audit cannot vouch for what was written before.",
            file.name,
        )
