"""The ends of the audit's chains, kept outside the database: so entries cut from an end are missed.

A file of lines of 128 letters, one for each lane, that say which entry the lane ended with. After each
commit its line is written over, if the entry is a newer one: transactions of one lane commit in order, and
arrive here in any. Each line bears a seal, which needs the audit's key; so a reader knows a line that is
half written, and nobody without the key can make one.

Whoever cuts an end while the portal runs is found as well. The next entry of the lane takes a place that
the anchor has known before, which no entry can: the line is then held as it is until somebody has looked.

The file is not forced to the disk: a power cut may leave it behind the table, never ahead of it, and the
chain alone vouches for entries that are newer. Nothing here fails an action that is committed: it is done,
and saying otherwise would have it done twice. What could not be written is an error in the log, makes the
portal not ready (/readyz), and `verify_audit` tells how far the anchor is behind.
"""

from __future__ import annotations

import fcntl
import hmac
import logging
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from accounts.audit import keys
from accounts.audit.chain import LANES, Head

logger = logging.getLogger(__name__)

LINE = 128
_SEAL = 19
_SAID = LINE - _SEAL - 1
_PLACE = slice(8, 20)
OK, HELD = "ok", "held"
# Who began the file. By PORTAL: there was none, though the portal had written entries before.
MIGRATION, COMMAND, PORTAL = "the first migration", "verify_audit --anchor-anew", "the portal"
_BEGINS = "Kinchart audit anchor, begun "
_BETWEEN_COMPLAINTS = 60
_complained: dict[str, float] = {}


class Line(NamedTuple):
    head: Head
    is_held: bool


class Anchor(NamedTuple):
    """The whole file. A line is None where it bears no seal of a known key."""

    begun: str | None
    lines: list[Line | None]

    @property
    def was_missing(self) -> bool:
        return self.begun is not None and self.begun.endswith(f" by {PORTAL}")


def path() -> Path:
    return Path(settings.AUDIT_ANCHOR)


# --- while entries are written --------------------------------------------------------


def before() -> bytes:
    """The file as it stands; nothing where there is none, or none that can be read."""
    try:
        descriptor = os.open(str(settings.AUDIT_ANCHOR), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.pread(descriptor, LINE * (LANES + 1), 0)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def compare(found_before: bytes, head: Head) -> None:
    """Hold the lane's line if the new entry took a place that was anchored before it was written."""
    line = found_before[LINE * (head.lane + 1) : LINE * (head.lane + 2)]
    if line[_PLACE] < b"%012d" % head.place:
        return
    known = _read_line(line, head.lane)
    if known is None or known.head.place < head.place:
        return
    _complain(
        "cut",
        "Entries of the audit are gone from the end of lane %d. Run manage.py verify_audit.",
        head.lane,
    )
    try:
        with _locked() as descriptor:
            _write(descriptor, _line_now(descriptor, head.lane) or known, is_held=True)
    except OSError as error:
        _complain_of(error)


def move_up(head: Head) -> None:
    """Once an entry is committed: let its lane's line name it. Raises nothing."""
    try:
        try:
            _move_up(head)
        except FileNotFoundError:
            _begin_again()
            _move_up(head)
    except (OSError, ImproperlyConfigured) as error:
        _complain_of(error)


def _move_up(head: Head) -> None:
    with _locked() as descriptor:
        known = _line_now(descriptor, head.lane)
        if known is None:
            _complain(
                "unreadable",
                "The audit's anchor cannot be read, and is left as it is. Run manage.py verify_audit.",
            )
        elif known.head.place < head.place and not known.is_held:
            _write(descriptor, Line(head, is_held=False))


def _begin_again() -> None:
    if begin(PORTAL):
        _complain(
            "missing",
            "The audit's anchor was missing and was begun again. Run manage.py verify_audit.",
        )


def _complain_of(error: Exception) -> None:
    _complain(
        "unwritable",
        "The audit's anchor cannot be written (%s): entries cut from the end would not be missed.",
        type(error).__name__,
    )


def _complain(matter: str, text: str, *values: object) -> None:
    """As an error in the log, once in a while."""
    now = time.monotonic()
    if now - _complained.get(matter, -_BETWEEN_COMPLAINTS) >= _BETWEEN_COMPLAINTS:
        _complained[matter] = now
        logger.error(text, *values)


# --- the file as a whole --------------------------------------------------------------


def begin(by: str) -> bool:
    """Make the file where there is none. Returns whether it was made just now."""
    return keys.made_here(path(), lambda: content(by, ()))


def begin_anew(heads: Iterable[Head]) -> None:
    """Write over whatever the file says. `heads` is asked while nobody else can write to it."""
    begin(COMMAND)
    with _locked() as descriptor:
        os.pwrite(descriptor, text := content(COMMAND, heads), 0)
        os.ftruncate(descriptor, len(text))
        os.fsync(descriptor)


def is_writable() -> bool:
    """Asked by /readyz."""
    try:
        os.close(os.open(path(), os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        return os.access(path().parent, os.W_OK)
    except OSError:
        return False
    return True


def read() -> Anchor | None:
    """What the file says; None where there is none. Raises OSError where it cannot be read."""
    if not path().exists():
        return None
    with _locked() as descriptor:
        text = os.pread(descriptor, LINE * (LANES + 1), 0)
    first = _sealed(text[:LINE])
    return Anchor(
        begun=first.removeprefix(_BEGINS).strip() if first and first.startswith(_BEGINS) else None,
        lines=[
            _read_line(text[LINE * (lane + 1) : LINE * (lane + 2)], lane) for lane in range(LANES)
        ],
    )


# --- lines ----------------------------------------------------------------------------


@contextmanager
def _locked() -> Iterator[int]:
    """The open file, with nobody else in it. Opened each time: another one may have been put in its place."""
    descriptor = os.open(str(settings.AUDIT_ANCHOR), os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _line_now(descriptor: int, lane: int) -> Line | None:
    return _read_line(os.pread(descriptor, LINE, LINE * (lane + 1)), lane)


def _write(descriptor: int, line: Line, *, is_held: bool = False) -> None:
    line = Line(line.head, is_held or line.is_held)
    os.pwrite(descriptor, _line(line), LINE * (line.head.lane + 1))


def content(by: str, heads: Iterable[Head]) -> bytes:
    """A file that `by` has begun, with these ends."""
    by_lane = {head.lane: head for head in heads}
    lines = [Line(by_lane.get(lane, Head(lane)), is_held=False) for lane in range(LANES)]
    first = f"{_BEGINS}{timezone.now():%Y-%m-%dT%H:%M:%SZ} by {by}"
    return b"".join([_seal(first), *map(_line, lines)])


def _line(line: Line) -> bytes:
    head, state = line.head, HELD if line.is_held else OK
    return _seal(f"{head.lane:02} {state:4} {head.place:012} {head.entry_id:012} {head.mac or '-'}")


def _read_line(line: bytes, lane: int) -> Line | None:
    said = _sealed(line)
    try:
        of_lane, state, place, entry_id, mac = (said or "").split()
        if int(of_lane) != lane:
            return None
        return Line(Head(lane, int(place), int(entry_id), "" if mac == "-" else mac), state == HELD)
    except ValueError:
        return None


def _seal(text: str) -> bytes:
    said = f"{text:{_SAID}}".encode()
    return said + _seal_of(said, keys.writing()) + b"\n"


def _sealed(line: bytes) -> str | None:
    """The line's text, if it bears the seal of one of our keys."""
    said, seal = line[:_SAID], line[_SAID:-1]
    if any(hmac.compare_digest(seal, _seal_of(said, key)) for key in reversed(keys.every())):
        return said.decode("ascii", "replace")
    return None


def _seal_of(said: bytes, key: keys.Key) -> bytes:
    return hmac.digest(key.secret, b"anchor " + said, "sha256").hex()[:_SEAL].encode()
