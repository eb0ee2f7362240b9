"""What households answers to accounts (see accounts/practice_file.py)."""

from __future__ import annotations

from collections.abc import Iterable

from accounts.compiled import Compiled
from households.models import Member, Practice

_anybody_of = Compiled(
    lambda email_key: (
        Member.objects.with_portal_access().filter(email_key=email_key).values_list("pk")[:1]
    ),
    str,
)


class HouseholdsPracticeFile:
    def is_on_file(self, email_key: str) -> bool:
        return bool(_anybody_of(email_key))

    def words_about(self, email_key: str) -> tuple[str, ...]:
        names = Member.objects.filter(email_key=email_key).values_list(
            "first_name", "preferred_name", "last_name"
        )
        return (Practice.load().name, *(name for row in names for name in row))

    def names_of(self, members: Iterable[int]) -> dict[int, str]:
        found = Member.objects.filter(pk__in=set(members))
        return {member.pk: member.full_name for member in found}

    def time_outs(self) -> tuple[int | None, int | None]:
        # As it was some seconds ago: a sign-in keeps what it began with anyway.
        practice = Practice.remembered()
        return practice.idle_minutes, practice.longest_hours

    def mail_facts(self) -> dict[str, str]:
        practice = Practice.load()
        return {
            "name": practice.name,
            "phone": practice.phone,
            "sender": practice.sender,
        }
