"""The picker's truth table, and what it says between its lines."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from households.matching import (
    LONGEST_NAME,
    Ambiguous,
    InvalidDate,
    NoMatch,
    choose,
    date_of_birth,
    name_key,
)

_SHARED = Path(__file__).parents[3] / "shared" / "matching" / "cases.jsonl"
_COPY = Path(__file__).parents[1] / "data" / "matching_cases.jsonl"
CASES = [
    json.loads(line)
    for line in (_SHARED if _SHARED.exists() else _COPY).read_text("utf-8").splitlines()
]
TODAY = datetime.date(2026, 6, 30)


@dataclass
class Person:
    first_name: str
    preferred_name: str = ""
    also: tuple[str, ...] = ()
    born: str | None = None

    def also_called_names(self):
        return self.also


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_truth_table(case):
    people = [
        Person(person["first"], person.get("preferred") or "", born=person["dob"])
        for person in case["on_file"]
    ]
    try:
        born = date_of_birth(case["typed"]["dob"], TODAY)
    except InvalidDate:
        answer: tuple[str, int | None] = ("invalid_dob", None)
    else:
        chosen = choose(
            [person for person in people if person.born == born.isoformat()],
            case["typed"]["first"],
        )
        if isinstance(chosen, NoMatch):
            answer = ("no_match", None)
        elif isinstance(chosen, Ambiguous):
            answer = ("ambiguous", None)
        else:
            answer = ("match", next(i for i, person in enumerate(people) if person is chosen))
    assert answer == (case["expect"], case["matched"]), case["why"]


def test_also_called_name_chooses():
    joseph = Person("Joseph", also=("Joe", "Joey"))
    assert choose([joseph, Person("Mary")], "JOEY") is joseph


def test_also_called_name_shared_by_two_chooses_nobody():
    assert isinstance(choose([Person("Samuel", also=("Sam",)), Person("Sam")], "sam"), Ambiguous)


def test_name_longer_than_any_is_no_match_even_if_its_start_is_right():
    assert isinstance(choose([Person("Mia" * 67)], "Mia" * 67 + "x" * 1_000_000), NoMatch)
    assert len("Mia" * 67) > LONGEST_NAME


def test_date_with_much_behind_it_is_refused():
    with pytest.raises(InvalidDate):
        date_of_birth("2016/04/27" + " " * 100 + "x", TODAY)


def test_today_is_a_date_of_birth_and_tomorrow_is_not():
    assert date_of_birth("2026/06/30", TODAY) == TODAY
    with pytest.raises(InvalidDate, match="future"):
        date_of_birth("2026/07/01", TODAY)


@given(st.text(max_size=300))
def test_any_name_has_a_key_that_is_its_own_key(name):
    key = name_key(name)
    assert name_key(key) == key
    assert not any(character.isspace() for character in key)


@given(st.text(max_size=120))
def test_any_date_text_is_read_or_refused(text):
    try:
        born = date_of_birth(text, TODAY)
    except InvalidDate as error:
        said = str(error)
    else:
        said = "2016/04/27" if born <= TODAY else f"read as {born}"
    assert "2016/04/27" in said
