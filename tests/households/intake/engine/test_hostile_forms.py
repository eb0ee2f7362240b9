"""Forms from strangers: expressions that never end or blow up, patterns that hold a worker, odd JSON."""

from __future__ import annotations

import copy
import random
import threading
import time

import pytest

from households.intake.engine import patterns
from households.intake.engine.bounds import Clock, Failure, OutOfTime
from households.intake.engine.evaluation import begin, evaluate, put
from households.intake.engine.expressions import node, work_out
from households.intake.engine.extensions import FHIR, SDC
from households.intake.engine.items import read_definition
from households.intake.engine.syntax import parse
from tests.questionnaires import NOW, OURS, answered, read

# A second, and what one step may take beyond it on a slow machine.
LONGEST = 1.5


def calculating(*expressions: str) -> dict:
    """A form that has something to walk, and calculates these."""
    options = [{"valueCoding": {"code": str(code), "display": "x" * 20}} for code in range(5)]
    return {
        "item": [
            *(
                {"linkId": f"q{number}", "type": "choice", "answerOption": options}
                for number in range(300)
            ),
            *(
                {
                    "linkId": f"c{number}",
                    "type": "string",
                    "extension": [
                        {
                            "url": SDC + "calculatedExpression",
                            "valueExpression": {"language": "text/fhirpath", "expression": each},
                        }
                    ],
                }
                for number, each in enumerate(expressions)
            ),
        ]
    }


EVERYTHING = "%questionnaire.descendants()"
UP_TO_30 = "(" + "|".join(map(str, range(30))) + ")"
BOMBS = {
    "never ends": ["(1).repeat($this + 1)"],
    "never ends, forty times": [f"(1).repeat($this + {step})" for step in range(1, 41)],
    "a large power": ["10.power(1000000000)"],
    "a power of a power": ["10.power(10).power(10).power(10)"],
    "doubling text": [f"{UP_TO_30}.aggregate($total & $total, 'xxxxxxxx')"],
    "squaring numbers": [f"{UP_TO_30}.aggregate($total * $total, 10)"],
    "doubling lists": [f"{UP_TO_30}.aggregate($total.combine($total), 1)"],
    "everything for everything": [
        f"{EVERYTHING}.select({EVERYTHING}.select({EVERYTHING}.exists()))"
    ],
    "copies": [EVERYTHING + f".combine({EVERYTHING})" * 40 + ".distinct().count()"],
    "copies of the form": [
        "(1|2|3|4|5|6|7|8|9).select(" * 4 + "%questionnaire.item" + ")" * 4 + ".item"
    ],
    "union of everything": [EVERYTHING + f".select($this | {EVERYTHING})" * 5],
    "everything in everything": [f"{EVERYTHING}.where($this in {EVERYTHING}).count()"],
    "replacing": ["'a'" + ".replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')" * 20],
    "splitting": ["'" + "a" * 3000 + "'.toChars().select('" + "b" * 500 + "'.toChars()).count()"],
    "encoding": ["'abc'" + ".encode('hex')" * 50],
    "a slow pattern": ["'" + "a" * 2000 + "!'.matches('^(a+)+$')"],
    "far away": ["today() + 99999999 years", "@2020-01-01T00:00:00 + 999999999999 seconds"],
    "many": [f"{EVERYTHING}.where($this = {number}).count()" for number in range(200)],
    "places": ["(1/3).round(999999999)", "(1|2)[99999999999999999999]"],
}


@pytest.mark.parametrize("expressions", BOMBS.values(), ids=BOMBS)
def test_a_bomb_ends_in_time_and_says_nothing(expressions):
    definition = read_definition(calculating(*expressions))
    outcome = []

    def work() -> None:
        began = time.thread_time()
        filled = evaluate(definition, [], now=NOW)
        outcome.append((time.thread_time() - began, filled))

    # As in the portal: not in the main thread, where signals would work.
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    took, filled = outcome[0]
    assert took < LONGEST
    assert all(len(str(answers)) < 200_000 for answers in filled.calculated.values())


@pytest.mark.parametrize(
    "bomb", ["a large power", "doubling text", "squaring numbers", "doubling lists", "replacing"]
)
def test_what_grows_is_stopped_by_its_size_before_the_clock(bomb):
    with pytest.raises(Failure) as stopped:
        work_out(BOMBS[bomb][0], node({}, "Patient"), {}, Clock(NOW, seconds=1))
    assert not isinstance(stopped.value, OutOfTime)


def test_a_bomb_costs_only_its_own_form():
    evaluate(read_definition(calculating(*BOMBS["never ends"])), [], now=NOW)
    filled = evaluate(read_definition(calculating("1 + 1")), [], now=NOW)
    assert filled.calculated == {"c0": [{"valueString": "2"}]}


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 500 + "1" + ")" * 500,
        "%questionnaire" + ".item" * 700,
        "a" + " . a" * 700,
        "a" + "/* on */./**/a" * 300,
        "1" + " + 1" * 2000,
        "not(" * 200 + "true" + ")" * 200,
        "'" + "a" * 5000 + "'",
        "1 b",
        "((1]",
        "",
    ],
)
def test_what_nobody_writes_is_not_read(expression):
    began = time.thread_time()
    assert parse(expression) is None
    assert time.thread_time() - began < LONGEST


def test_reading_many_expressions_ends():
    long = [
        " or ".join(
            f"%resource.item.where(linkId='{number}.{part}').exists()" for part in range(60)
        )
        for number in range(120)
    ]
    began = time.thread_time()
    definition = read_definition(calculating(*long))
    # Without the bound, a form with thousands of them would take minutes.
    assert time.thread_time() - began < 15
    assert not definition.by_link_id["c119"].is_calculated, "Beyond the bound it is typed by hand."


@pytest.mark.parametrize(
    ("pattern", "typed"),
    [("(a+)+b", "a" * 5000), ("(a|a)*b", "a" * 5000), ("(.*,)*x", "a," * 3000)],
)
def test_a_slow_pattern_is_quick(pattern, typed):
    began = time.thread_time()
    assert not patterns.fits(pattern, typed)
    assert time.thread_time() - began < 1


def test_what_is_no_pattern_fits_everything():
    assert patterns.fits("(?!x)y", "anything")
    assert patterns.fits("[", "anything")
    assert not patterns.is_pattern("a" * 10_000)


@pytest.mark.parametrize("path", sorted(OURS.glob("*.json")), ids=lambda path: path.stem)
def test_a_form_with_parts_of_other_kinds_is_no_crash(path):
    """Whatever stands where, it is read: values swapped for others, one at a time."""
    chance = random.Random(7)
    wrong = [None, True, -1, "x", [], {}, [None], {"x": 1}, [[]], 1e400, "9" * 400]
    for _ in range(150):
        form = read(path)
        places = list(_places(form))
        holder, key = chance.choice(places)
        holder[key] = copy.deepcopy(chance.choice(wrong))
        definition = read_definition(form)
        items = begin(definition, now=NOW)
        evaluate(definition, items, now=NOW)
        evaluate(definition, put(definition, items, {}), now=NOW)


@pytest.mark.parametrize("path", sorted(OURS.glob("*.json")), ids=lambda path: path.stem)
def test_answers_of_other_kinds_are_no_crash(path):
    chance = random.Random(11)
    definition = read_definition(read(path))
    wrong = [None, True, -1, "x", [], {}, [None], {"x": 1}, 1e400, "9" * 400]
    for seed in range(60):
        items = answered(definition, random.Random(seed))
        places = list(_places(items))
        holder, key = chance.choice(places)
        holder[key] = copy.deepcopy(chance.choice(wrong))
        filled = evaluate(definition, items, now=NOW)
        filled.items(with_disabled=False)


def _places(tree):
    keys = tree if isinstance(tree, dict) else range(len(tree))
    for key in list(keys):
        yield tree, key
        if isinstance(tree[key], dict | list):
            yield from _places(tree[key])


def test_a_form_that_goes_very_deep():
    item = {"linkId": "0", "type": "group"}
    for depth in range(1, 200):
        item = {"linkId": str(depth), "type": "group", "item": [item]}
    assert read_definition({"item": [item]}).items


def test_the_regex_extension_is_run_by_re2():
    form = {"item": [{"linkId": "a", "type": "string", "extension": [_regex("(a+)+b")]}]}
    definition = read_definition(form)
    items = put(definition, [], {"0": [{"valueString": "a" * 20_000}]})
    began = time.thread_time()
    evaluate(definition, items, now=NOW)
    assert time.thread_time() - began < 1


def _regex(pattern: str) -> dict:
    return {"url": FHIR + "regex", "valueString": pattern}


def test_threads_do_not_disturb_each_other():
    definition = read_definition(read(OURS / "scores.json"))
    drafts = [answered(definition, random.Random(seed)) for seed in range(8)]
    alone = [evaluate(definition, draft, now=NOW).calculated for draft in drafts]
    parse.cache_clear()
    together: dict[int, list] = {}

    def work(place: int) -> None:
        read_definition(read(OURS / "scores.json"))
        together[place] = [evaluate(definition, draft, now=NOW).calculated for draft in drafts]

    threads = [threading.Thread(target=work, args=(place,)) for place in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(together.values()) == [alone] * 6
