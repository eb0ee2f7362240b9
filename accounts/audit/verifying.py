"""Whether the audit is what was written: every link of its chains, then their ends (SECURITY R-AL-3).

It reads on behind whatever it finds, from what stands in the table: so one changed letter is one finding, and
what comes behind it is still looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.audit import anchor, keys
from accounts.audit.chain import LANES, Head, link
from accounts.audit.keys import Key
from accounts.audit.reading import Entry, entries

# Killed between a commit and its anchor, a portal leaves one transaction of a lane behind it. Those of two
# moments further apart than this are no such leftover.
LONGEST_BEHIND = timedelta(hours=1)
_MAC = re.compile(r"[0-9a-f]{8}-[0-9a-f]{64}")


class Kind(StrEnum):
    CHANGED = "changed"
    REMOVED = "removed"
    CUT = "cut"
    KEY = "unknown key"
    ANCHOR = "anchor"


@dataclass(frozen=True)
class Finding:
    kind: Kind
    text: str


@dataclass
class _OfKey:
    """Entries that were written with a key that is not ours."""

    first: Entry
    last: Entry
    count: int = 1


@dataclass
class _Lane:
    """Where the reading of a lane has come to."""

    last: Head
    last_at: str = ""
    # What the mac of the last entry may have been, where it is wrong.
    right_macs: tuple[str, ...] = ()
    # Entries that are newer than the anchor.
    behind: int = 0
    behind_first_at: str = ""


@dataclass
class Verification:
    """`findings()` reads everything once; the rest is known afterwards."""

    connection: BaseDatabaseWrapper
    count: int = 0
    lanes: int = 0
    # Not anchored, as after a kill, and vouched for by the chain.
    behind: int = 0
    keys: dict[str, Key] = field(default_factory=dict)
    unknown: dict[str, _OfKey] = field(default_factory=dict)
    ends: anchor.Anchor | None = None

    def findings(self) -> Iterator[Finding]:
        self.keys = {key.mark: key for key in keys.every()}
        # Before the table: what it names is committed, so it stands in whatever is read from now on.
        self.ends = anchor.read()
        lane = _Lane(Head(-1))
        seen: set[int] = set()
        for entry in entries(self.connection, "lane, place"):
            self.count += 1
            if entry.head.lane != lane.last.lane:
                yield from self._end(lane)
                lane = _Lane(Head(entry.head.lane))
                seen.add(entry.head.lane)
            yield from self._look_at(entry, lane)
        yield from self._end(lane)
        self.lanes = len(seen)
        for mark, written in self.unknown.items():
            yield Finding(
                Kind.KEY,
                f"{_number(written.count)} written with the key {mark}, which is not known here: the first "
                f"is {_name(written.first)}, the last {_name(written.last)}. Put that key back, on a line "
                "above the others. If there never was such a key, somebody without it wrote them.",
            )
        yield from self._look_at_anchor(seen)

    # --- an entry ---------------------------------------------------------------------

    def _look_at(self, entry: Entry, lane: _Lane) -> Iterator[Finding]:
        head, last = entry.head, lane.last
        missing = head.place - last.place - 1
        right_macs: tuple[str, ...] = ()
        if missing < 0:
            yield Finding(
                Kind.CHANGED,
                f"{_name(entry)} stands where another one stands. It was put in or changed.",
            )
            return
        if missing:
            # Nobody knows the mac that was before: this one is believed.
            where = (
                f"between entries {last.entry_id} and"
                if last.place
                else "from the beginning, before"
            )
            yield Finding(
                Kind.REMOVED,
                f"{_number(missing)} removed {where} {_name(entry)}"
                f"{f'; the one before is of {lane.last_at}' if lane.last_at else ''}.",
            )
        elif not self._is_linked(entry, [last.mac, *lane.right_macs]):
            right_macs = tuple(self._mac(entry, last.mac, key) for key in self.keys.values())
            if self._is_of_unknown_key(entry, right_macs):
                self._count_unknown(entry)
            else:
                yield Finding(
                    Kind.CHANGED,
                    f"{_name(entry)} was changed, or put in or moved here by somebody without the key.",
                )
        lane.last, lane.last_at, lane.right_macs = head, entry.at, right_macs
        yield from self._compare(entry, lane)

    def _is_linked(self, entry: Entry, macs_before: list[str]) -> bool:
        key = self.keys.get(entry.head.mac.partition("-")[0])
        return key is not None and any(
            entry.head.mac == self._mac(entry, mac_before, key) for mac_before in macs_before
        )

    def _mac(self, entry: Entry, mac_before: str, key: Key) -> str:
        """The one that it should have, written with this key."""
        lane, place, entry_id, _mac = entry.head
        return f"{key.mark}-{link(entry.secret(key), mac_before, lane, place, entry_id)}"

    def _is_of_unknown_key(self, entry: Entry, right_macs: tuple[str, ...]) -> bool:
        """Or is it one of ours, in which the mark of the key was changed?"""
        mark, _dash, digest = entry.head.mac.partition("-")
        return (
            _MAC.fullmatch(entry.head.mac) is not None
            and mark not in self.keys
            and digest not in [right.partition("-")[2] for right in right_macs]
        )

    def _count_unknown(self, entry: Entry) -> None:
        mark = entry.head.mac.partition("-")[0]
        if mark in self.unknown:
            self.unknown[mark].last = entry
            self.unknown[mark].count += 1
        else:
            self.unknown[mark] = _OfKey(entry, entry)

    # --- the ends ---------------------------------------------------------------------

    def _line(self, lane: int) -> anchor.Line | None:
        if self.ends is None or not 0 <= lane < LANES:
            return None
        return self.ends.lines[lane]

    def _compare(self, entry: Entry, lane: _Lane) -> Iterator[Finding]:
        head = entry.head
        line = self._line(head.lane)
        if line is None:
            return
        if head.place == line.head.place and line.head.mac not in (head.mac, *lane.right_macs):
            yield Finding(
                Kind.CUT,
                f"{_name(entry)} is not the one that was written there, which the anchor names "
                f"({line.head.entry_id}): the end of the lane was cut, and more written behind it.",
            )
        if head.place > line.head.place:
            lane.behind += 1
            lane.behind_first_at = lane.behind_first_at or entry.at

    def _end(self, lane: _Lane) -> Iterator[Finding]:
        """The lane has been read."""
        line = self._line(lane.last.lane)
        if line is None:
            return
        missing = line.head.place - lane.last.place
        if missing > 0:
            yield Finding(
                Kind.CUT,
                f"{_number(missing)} cut from the end of lane {lane.last.lane}: it ends with entry "
                f"{lane.last.entry_id} of {lane.last_at}; the anchor knows entry {line.head.entry_id} as "
                f"the last. {_AFTER_RESTORE}",
            )
        self.behind += lane.behind
        if (
            lane.behind
            and _apart(lane.behind_first_at, lane.last_at) > LONGEST_BEHIND
            and not (self.ends and self.ends.was_missing)
        ):
            yield Finding(
                Kind.ANCHOR,
                f"The anchor stands still at entry {line.head.entry_id} of lane {lane.last.lane}, and "
                f"{_number(lane.behind)} written behind it, the last of {lane.last_at}. Either it could "
                f"not be written, which the log says, or an older one was put in its place. {_ANEW}",
            )

    def _look_at_anchor(self, seen: set[int]) -> Iterator[Finding]:
        if self.ends is None:
            if self.count:
                yield Finding(
                    Kind.ANCHOR,
                    f"There is no anchor at {anchor.path()}, so nobody can say whether entries were cut from "
                    "the end. That is so after moving to another machine or another PORTAL_DATA without it, "
                    f"or when somebody has deleted it. {_ANEW}",
                )
            return
        if self.ends.begun is None:
            yield Finding(
                Kind.ANCHOR,
                f"The first line of the anchor at {anchor.path()} is damaged, or was sealed with a key "
                f"that is not known here. {_ANEW}",
            )
        elif self.ends.was_missing:
            yield Finding(
                Kind.ANCHOR,
                f"The anchor was missing, and was begun {self.ends.begun}. Whether entries were cut from "
                f"the end before that, nobody can say. {_ANEW}",
            )
        damaged = [str(lane) for lane, line in enumerate(self.ends.lines) if line is None]
        if damaged:
            yield Finding(
                Kind.ANCHOR,
                f"The anchor's line of lane {', '.join(damaged)} is damaged, or was sealed with a key that "
                f"is not known here: whether entries were cut from the end there, nobody can say. {_ANEW}",
            )
        for line in filter(None, self.ends.lines):
            if line.head.place and line.head.lane not in seen:
                yield Finding(
                    Kind.CUT,
                    f"All {_number(line.head.place)} of lane {line.head.lane} cut; the anchor knows entry "
                    f"{line.head.entry_id} as the last. {_AFTER_RESTORE}",
                )
            if line.is_held:
                yield Finding(
                    Kind.CUT,
                    f"While the portal ran, entries at the end of lane {line.head.lane} were gone that had "
                    f"been there: the last one known was entry {line.head.entry_id}, number "
                    f"{line.head.place} of the lane. What follows was written after that. {_AFTER_RESTORE}",
                )


_ANEW = (
    "Find out why. If you know, let the anchor begin anew with the entries there are: "
    "manage.py verify_audit --anchor-anew"
)
_AFTER_RESTORE = (
    "After restoring an older backup this is so: the entries since then are lost. If you know "
    "that, let the anchor begin anew: manage.py verify_audit --anchor-anew"
)


def _name(entry: Entry) -> str:
    head = entry.head
    return f"entry {head.entry_id} of {entry.at} (lane {head.lane}, number {head.place})"


def _number(count: int) -> str:
    return "1 entry was" if count == 1 else f"{count} entries were"


def _apart(first: str, last: str) -> timedelta:
    try:
        return datetime.fromisoformat(last) - datetime.fromisoformat(first)
    except ValueError:
        return timedelta()
