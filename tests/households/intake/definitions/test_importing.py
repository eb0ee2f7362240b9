"""Files as they come: read, refused with words that name the fix, and never a crash."""

from __future__ import annotations

import contextlib
import json
import random
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from households.intake.engine.evaluation import begin, evaluate
from households.intake.engine.items import read_definition
from households.intake.importing import MOST_BYTES, Unreadable, form_read, parse, read_file
from tests.households.intake.definitions.forms import coding, form, item, value_set
from tests.questionnaires import NOW, files, read


def as_bytes(resource) -> bytes:
    return json.dumps(resource).encode()


REFUSED = {
    "empty": (b"", "The file is empty."),
    "blank": (b" \n", "The file is empty."),
    "xml": (b'<Questionnaire xmlns="http://hl7.org/fhir"/>', "XML or a web page"),
    "no json": (b"{'a': 1}", "line 1, column 2"),
    "half": (b'{"resourceType": "Questionnaire", "item": [', "not valid JSON"),
    "latin-1": ('{"title": "é"}'.encode("latin-1"), "UTF-8"),
    "binary": (b"\x00\x01\x02", "not text"),
    "twice": (b'{"a": 1, "a": 2}', "“a” stands twice"),
    "NaN": (b'{"resourceType": "Questionnaire", "x": NaN}', "NaN"),
    "infinite": (b'{"resourceType": "Questionnaire", "x": 1e999}', "too large"),
    "long number": (b'{"x": ' + b"9" * 5000 + b"}", "too large"),
    "number": (b"3", "resourceType"),
    "no resource": (b'{"a": 1}', "resourceType"),
    "patient": (b'{"resourceType": "Patient"}', "The file is a FHIR Patient"),
    "deep": (b"[" * 90_000 + b"]" * 90_000, "nested too deeply"),
    "large": (b" " * (MOST_BYTES + 1), "larger than 5 MB"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_file_is_refused_in_plain_words(db, name):
    data, says = REFUSED[name]
    with pytest.raises(Unreadable) as refused:
        read_file(data)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    "data",
    [
        as_bytes(form(item("a"))),
        b"\xef\xbb\xbf" + as_bytes(form(item("a"))),
        json.dumps(form(item("a"))).encode("utf-16"),
        as_bytes({"resourceType": "Bundle", "entry": [{"resource": form(item("a"))}]}),
        as_bytes(
            {
                "resourceType": "Parameters",
                "parameter": [{"name": "q", "resource": form(item("a"))}],
            }
        ),
        as_bytes({"form": {"questionnaire": form(item("a"))}}),
        as_bytes([form(item("a"))]),
    ],
    ids=["plain", "BOM", "UTF-16", "Bundle", "Parameters", "wrapper", "list"],
)
def test_the_form_is_found(db, data):
    read = read_file(data)
    assert [one.title for one in read.forms] == ["Test form"]
    assert read.can_be_saved and read.forms[0].findings == []


def test_other_releases_are_refused_by_name(db):
    r5 = form(item("a", "coding", answerConstraint="optionsOnly"))
    stu3 = form(item("a", "choice", option=[coding("y")]))
    for questionnaire, name in ((r5, "R5"), (stu3, "STU3")):
        (refused,) = read_file(as_bytes(questionnaire)).forms
        assert refused.is_refused and f"FHIR {name}" in refused.findings[0].says


def test_lists_of_the_same_file_are_on_file_for_its_forms(db):
    asks = form(item("a", "choice", answerValueSet="https://forms.example/colours"))
    bundle = {"resourceType": "Bundle", "entry": [{"resource": asks}, {"resource": value_set()}]}
    read = read_file(as_bytes(bundle))
    assert [one.rule for one in read.forms[0].findings] == []
    assert [concept["code"] for concept in read.lists[0].concepts] == ["red", "blue"]


def test_a_list_of_rules_says_what_to_get_instead(db):
    rule = {"include": [{"system": "http://snomed.info/sct", "filter": [{"property": "x"}]}]}
    (read,) = read_file(as_bytes({**value_set(), "compose": rule})).lists
    assert "terminology server" in read.says


def test_other_resources_are_named(db):
    bundle = {
        "resourceType": "Bundle",
        "entry": [{"resource": form(item("a"))}, {"resource": {"resourceType": "Patient"}}],
    }
    assert read_file(as_bytes(bundle)).others == {"Patient": 1}


def test_what_is_no_fhir_is_left_out_and_named(db):
    odd = form({**item("a"), "colour": "red"}, contact=[{"name": 3}])
    (read,) = read_file(as_bytes(odd)).forms
    says = [one.says for one in read.findings]
    assert any("item[1].colour” is not FHIR R4" in one for one in says), says
    assert not read.is_refused and "colour" not in json.dumps(read.definition)


def test_a_large_form_is_read_in_time(db):
    """As large as the largest that is known (821 items), with an expression in every second item."""
    expression = {
        "url": "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-enableWhenExpression",
    }
    items = [
        item(
            f"q{number}",
            extension=[
                {
                    **expression,
                    "valueExpression": {
                        "language": "text/fhirpath",
                        "expression": f"%resource.item.where(linkId='q{number - 1}').answer.exists()",
                    },
                }
            ],
        )
        if number % 2
        else item(f"q{number}", "choice", answerOption=[coding(str(n)) for n in range(20)])
        for number in range(900)
    ]
    began = time.thread_time()
    (read,) = read_file(as_bytes(form(*items))).forms
    assert time.thread_time() - began < 5
    assert not read.is_refused


# --- hostile --------------------------------------------------------------------------


def test_everything_waits_for_everything(db):
    """3,000 questions in one ring, each waiting for all before it within reach."""
    items = [
        item(
            str(number),
            enableBehavior="all",
            enableWhen=[
                {
                    "question": str((number + step) % 1500),
                    "operator": "exists",
                    "answerBoolean": True,
                }
                for step in range(1, 4)
            ],
        )
        for number in range(1500)
    ]
    began = time.thread_time()
    (read,) = read_file(as_bytes(form(*items))).forms
    assert time.thread_time() - began < 5
    assert sum(one.rule == "cycle" for one in read.findings) > 0


def test_a_form_that_contains_itself(db):
    name = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-subQuestionnaire"
    own = [{"url": name, "valueCanonical": "https://forms.example/test"}]
    (read,) = read_file(as_bytes(form(item("a", "group", extension=own), item("b")))).forms
    assert not read.is_refused
    assert any(one.rule == "feature-subQuestionnaire" for one in read.findings)


def test_words_that_would_be_markup_or_half_letters(db):
    text = "<script>alert(1)</script>\u202e\ud800\u0000"
    odd = json.dumps(form({**item("a"), "text": text}, title=text)).encode()
    (read,) = read_file(odd).forms
    assert not read.is_refused
    assert "\x00" not in json.dumps(read.definition, ensure_ascii=False)
    json.dumps(read.definition, ensure_ascii=False).encode()  # it can be kept


SEEDS = [read(path) for path in files() if path.stat().st_size < 40_000]
ODD = st.sampled_from(
    [None, True, 0, -1, 1e300, "", " ", "x", [], {}, [[]], [None], {"a": None}, "2022-13-45", ["x"]]
)


def places(node, path=()):
    if isinstance(node, dict):
        for key, value in node.items():
            yield (*path, key)
            yield from places(value, (*path, key))
    elif isinstance(node, list):
        for number, value in enumerate(node[:12]):
            yield (*path, number)
            yield from places(value, (*path, number))


PLACES = [list(places(seed)) for seed in SEEDS]


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_mutated_real_files_never_crash(data):
    """Some places of a real file are something else, gone, or in another's place."""
    which = data.draw(st.integers(0, len(SEEDS) - 1))
    mutant = json.loads(json.dumps(SEEDS[which]))
    for _each in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.sampled_from(PLACES[which]))
        mutate(mutant, place, data.draw(st.sampled_from(["odd", "gone", "copy", "rename"])), data)
    parsed = parse(json.dumps(mutant).encode())
    if parsed.get("resourceType") != "Questionnaire":
        return
    read = form_read(parsed, set())
    assert all(one.level in ("refuse", "repair", "warn") and one.says for one in read.findings)
    if not read.is_refused:
        definition = read_definition(read.definition, {})
        evaluate(definition, begin(definition, patient=None, now=NOW), now=NOW)


def mutate(mutant, place, how, data):
    node = mutant
    for part in place[:-1]:
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            return
    if not isinstance(node, dict | list):
        return
    key = place[-1]
    try:
        node[key]
    except (KeyError, IndexError, TypeError):
        return
    if how == "odd" or isinstance(node, list):
        node[key] = data.draw(ODD)
    elif how == "gone":
        del node[key]
    elif how == "copy":
        node[data.draw(st.sampled_from(["item", "extension", "text", "enableWhen"]))] = node[key]
    else:
        node[f"{key}X"] = node.pop(key)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_broken_bytes_never_crash(seed):
    luck = random.Random(seed)
    data = bytearray(json.dumps(SEEDS[seed % len(SEEDS)])[:4000].encode())
    for _each in range(luck.randrange(1, 8)):
        data[luck.randrange(len(data))] = luck.randrange(256)
    with contextlib.suppress(Unreadable):
        assert isinstance(parse(bytes(data)), dict)
