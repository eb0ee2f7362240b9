"""What accounts has to ask of the practice's file.

Members and the practice's settings live above accounts, in households, and imports run downwards only.
So households hands its answers in once, at start-up (households/apps.py); accounts asks through here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class PracticeFile(Protocol):
    def is_on_file(self, email_key: str) -> bool:
        """Whether anybody active and with portal access has this primary email, now."""

    def words_about(self, email_key: str) -> tuple[str, ...]:
        """Names that a guesser who knows the family would try: members', the practice's."""

    def names_of(self, members: Iterable[int]) -> dict[int, str]:
        """The full names of those members who are on file, by their numbers. One query."""

    def mail_facts(self) -> dict[str, str]:
        """The practice's `name`, `phone` and mail `sender`, for mails."""

    def time_outs(self) -> tuple[int | None, int | None]:
        """After how many minutes an unused sign-in ends, and after how many hours any sign-in of a family;
        None where the practice leaves it at the portal's own limits, which it can only shorten."""


_answers: list[PracticeFile] = []


def answer_with(practice_file: PracticeFile) -> None:
    _answers[:] = [practice_file]


def ask() -> PracticeFile:
    return _answers[0]
