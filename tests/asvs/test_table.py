"""The table of ASVS is whole and honest: every line once, and every test it names is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.asvs.table import Line, chapters

ROOT = Path(__file__).parents[2]
# How many lines of level 1 and of level 2 each chapter of ASVS 5.0.0 has: 70 and 183 together.
COUNTS = {
    "V1": (8, 19),
    "V2": (4, 7),
    "V3": (8, 11),
    "V4": (2, 8),
    "V5": (4, 5),
    "V6": (13, 22),
    "V7": (6, 12),
    "V8": (4, 3),
    "V9": (4, 3),
    "V10": (5, 24),
    "V11": (3, 11),
    "V12": (3, 6),
    "V13": (1, 12),
    "V14": (2, 7),
    "V15": (3, 10),
    "V16": (0, 16),
    "V17": (0, 7),
}
LINES = [line for lines in chapters().values() for line in lines]


@cache
def names_in(path: str) -> frozenset[str]:
    """The tests of a file, without running it."""
    try:
        tree = ast.parse((ROOT / path).read_text())
    except FileNotFoundError:
        return frozenset()
    return frozenset(
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def amiss(line: Line) -> list[str]:
    """What is wrong with a line."""
    found = []
    if not (line.tests or line.by or line.out or line.open):
        found.append("neither a test nor a reason")
    if line.out and (line.tests or line.by or line.open):
        found.append("out of scope, and yet in it")
    if line.level not in {1, 2} or not line.what:
        found.append("no level or no words")
    if any(len(said) < 8 for said in (line.by, line.out, line.open) if said):
        found.append("a reason that says nothing")
    for name in line.tests:
        path, _, test = name.partition("::")
        if test not in names_in(path):
            found.append(f"there is no {name}")
    if len(set(line.tests)) < len(line.tests):
        found.append("a test named twice")
    return [f"{line.id}: {said}" for said in found]


def test_every_line_of_levels_1_and_2_is_there_once():
    found = {
        chapter.partition(" ")[0]: tuple(
            sum(line.level == level for line in lines) for level in (1, 2)
        )
        for chapter, lines in chapters().items()
    }
    assert found == COUNTS
    assert tuple(map(sum, zip(*COUNTS.values(), strict=True))) == (70, 183)
    ids = [line.id for line in LINES]
    assert len(ids) == len(set(ids))
    for chapter, lines in chapters().items():
        numbers = [tuple(map(int, line.id.split("."))) for line in lines]
        assert numbers == sorted(numbers), chapter
        assert {f"V{number[0]}" for number in numbers} == {chapter.partition(" ")[0]}


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.id)
def test_it_has_tests_that_are_there_or_a_reason(line):
    assert amiss(line) == []


def test_most_of_what_is_in_scope_is_tested():
    inside = [line for line in LINES if not line.out]
    assert len([line for line in inside if line.tests]) > 0.8 * len(inside)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (Line("1.1.1", 2, "x"), "neither a test nor a reason"),
        (Line("1.1.1", 2, "x", out="No such thing.", by="By design."), "and yet in it"),
        (Line("1.1.1", 2, "x", tests=("tests/asvs/test_table.py::test_nothing",)), "there is no"),
        (Line("1.1.1", 2, "x", tests=("tests/nowhere.py::test_it",)), "there is no"),
        (Line("1.1.1", 3, "x", out="No such thing."), "no level"),
        (Line("1.1.1", 2, "x", by="yes"), "says nothing"),
    ],
)
def test_a_line_that_is_amiss_is_caught(line, word):
    assert any(word in said for said in amiss(line))


def test_the_words_are_our_own():
    """The standard's sentences stay with the standard."""
    assert not [line.id for line in LINES if re.match(r"verify that", line.what, re.I)]
    assert all(len(line.what) < 100 for line in LINES)
