"""What waits for staff that no family has sent: names and birth dates that do not choose anybody, people who
cannot be told apart, birthdays (PRODUCT B3, B7, H8).

No table of tasks: each follows from the file as it is now, so it is gone once it was dealt with, wherever
that happened. Counts go to MOST and no further.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from households.ages import Birthday, as_birthday, reaching
from households.misses import Cause, Miss, misses_waiting
from households.models import Practice

MOST = 100
# So many of a kind stand on the page of all tasks. The next ones come up as these are dealt with.
ON_PAGE = 20
ON_LIST = 50
BIRTHDAYS = "birthdays"


@dataclass(frozen=True)
class TaskLine:
    """A kind of task of which there are some. `count` is MOST where there may be more."""

    kind: str
    text: str
    url: str
    count: int


def open_count() -> int:
    """How many tasks there are, up to MOST. One query for each announced age, one for what was typed,
    and three more where something was."""
    # Birthdays first: in a practice so large that there are MOST of them one query tells all.
    found = _count_birthdays(Practice.remembered(), MOST)
    return found + len(misses_waiting(MOST - found)) if found < MOST else MOST


def summary() -> list[TaskLine]:
    """A line for each kind of which there are some, in the order in which the page shows them."""
    misses = misses_waiting(MOST)
    counted = [(cause, len(of_cause(misses, cause))) for cause in titles()]
    counted.append((BIRTHDAYS, _count_birthdays(Practice.remembered(), MOST)))
    words = {**titles(), BIRTHDAYS: _("Birthdays: who may open the chart?")}
    page = reverse("admin:tasks")
    return [
        TaskLine(str(kind), words[kind], f"{page}#{kind}", count)
        for kind, count in counted
        if count
    ]


def titles() -> dict[str, str]:
    """What staff mend of what families typed, in the order of the page."""
    return {
        Cause.AMBIGUOUS: _("Cannot be told apart"),
        Cause.NAME: _("Typed again and again: another name?"),
        Cause.DATE: _("Birth date on file may be wrong"),
    }


def of_cause(misses: Iterable[Miss], cause: str) -> list[Miss]:
    return [miss for miss in misses if miss.cause == cause]


def birthdays(practice: Practice, age: int, first: int, most: int) -> list[Birthday]:
    """Up to `most` of those who reach `age`, from the `first` on (0 is the earliest birthday)."""
    found = reaching(practice, age)[first : first + most]
    return [as_birthday(practice, member, age) for member in found]


def _count_birthdays(practice: Practice, most: int) -> int:
    found = 0
    # One after the other: each is answered by the index on the birth date and stops at its limit.
    for age in practice.ages_announced:
        if found < most:
            found += len(reaching(practice, age).values_list("pk")[: most - found])
    return found
