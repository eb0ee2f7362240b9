"""Each rule of the lint: what breaks it, what becomes of it, and that a good form breaks none."""

from __future__ import annotations

import copy

import pytest

from households.intake.engine.lint import linted
from tests.households.intake.definitions.forms import coding, form, item

EXTENSION = "http://hl7.org/fhir/StructureDefinition/"
HIDDEN = {"url": f"{EXTENSION}questionnaire-hidden", "valueBoolean": True}


def rules(questionnaire, **more):
    return {(one.level, one.rule) for one in linted(questionnaire, **more).findings}


def first(questionnaire):
    return linted(questionnaire).definition["item"][0]


def test_a_good_form_has_nothing_to_be_said_of():
    good = form(
        item("a", "choice", answerOption=[coding("y"), coding("n")]),
        item(
            "b",
            required=True,
            enableWhen=[{"question": "a", "operator": "=", "answerCoding": {"code": "y"}}],
        ),
    )
    before = copy.deepcopy(good)
    looked_at = linted(good)
    assert looked_at.findings == []
    assert looked_at.definition == good == before


REPAIRED = [
    ("url", form(item("a"), url=None), lambda f: f["url"].startswith("urn:uuid:")),
    ("title", form(item("a"), title="", name="N"), lambda f: f["title"] == "N"),
    ("status", form(item("a"), status="live"), lambda f: f["status"] == "draft"),
    (
        "link-id",
        form({"type": "string", "text": "x"}),
        lambda f: f["item"][0]["linkId"] == "item-1",
    ),
    (
        "que-2",
        form(item("a"), item("a")),
        lambda f: [one["linkId"] for one in f["item"]] == ["a", "a-2"],
    ),
    (
        "que-1",
        form(item("a", "display", item=[item("b")])),
        lambda f: f["item"][0]["type"] == "group",
    ),
    ("que-1", form(item("g", "group"), item("a")), lambda f: f["item"][0]["type"] == "display"),
    (
        "que-1",
        form({"linkId": "g", "type": "group"}, item("a")),
        lambda f: [one["linkId"] for one in f["item"]] == ["a"],
    ),
    (
        "que-4",
        form(item("a", "choice", answerOption=[coding("y")], answerValueSet="https://x.example")),
        lambda f: "answerValueSet" not in f["item"][0],
    ),
    (
        "que-5",
        form(item("a", "boolean", answerOption=[coding("y")])),
        lambda f: "answerOption" not in f["item"][0],
    ),
    (
        "que-5",
        form(item("a", "text", answerOption=[coding("y")])),
        lambda f: f["item"][0]["type"] == "open-choice",
    ),
    (
        "que-6",
        form(item("a", "display", required=True, repeats=True), item("b")),
        lambda f: not {"required", "repeats"} & f["item"][0].keys(),
    ),
    (
        "que-7",
        form(item("a"), item("b", enableWhen=[{"question": "a", "operator": "exists"}])),
        lambda f: f["item"][1]["enableWhen"][0]["answerBoolean"] is True,
    ),
    (
        "que-8",
        form(item("g", "group", initial=[{"valueString": "x"}], item=[item("a")])),
        lambda f: "initial" not in f["item"][0],
    ),
    (
        "que-9",
        form(item("a", "display", readOnly=True), item("b")),
        lambda f: "readOnly" not in f["item"][0],
    ),
    ("que-10", form(item("a", "date", maxLength=3)), lambda f: "maxLength" not in f["item"][0]),
    (
        "que-11",
        form(
            item(
                "a",
                "choice",
                answerOption=[coding("y"), coding("n")],
                initial=[{"valueCoding": {"code": "n"}}],
            )
        ),
        lambda f: f["item"][0]["answerOption"][1]["initialSelected"] is True,
    ),
    (
        "que-12",
        form(
            item("a"),
            item(
                "b",
                enableWhen=[{"question": "a", "operator": "=", "answerString": s} for s in "xy"],
            ),
        ),
        lambda f: f["item"][1]["enableBehavior"] == "any",
    ),
    (
        "que-13",
        form(item("a", initial=[{"valueString": "1"}, {"valueString": "2"}])),
        lambda f: f["item"][0]["initial"] == [{"valueString": "1"}],
    ),
    ("no-options", form(item("a", "choice")), lambda f: f["item"][0]["type"] == "string"),
    ("boolean", form(item("a", required="true")), lambda f: f["item"][0]["required"] is True),
    (
        "spelling",
        form({**item("a"), "require": True}),
        lambda f: f["item"][0]["required"] is True and "require" not in f["item"][0],
    ),
    ("number", form(item("a", maxLength="12")), lambda f: f["item"][0]["maxLength"] == 12),
    (
        "required-unanswerable",
        form(item("a", required=True, extension=[HIDDEN]), item("b")),
        lambda f: "required" not in f["item"][0],
    ),
    (
        "condition",
        form(
            item("a"),
            item("b", enableWhen=[{"question": "a", "operator": "=", "answerString": None}]),
        ),
        lambda f: "enableWhen" not in f["item"][1],
    ),
    (
        "condition-type",
        form(
            item("a", "date"),
            item("b", enableWhen=[{"question": "a", "operator": ">", "answerInteger": "2022-09"}]),
        ),
        lambda f: f["item"][1]["enableWhen"][0]["answerDate"] == "2022-09",
    ),
    (
        "cycle",
        form(
            item("a", enableWhen=[{"question": "b", "operator": "=", "answerString": "x"}]),
            item("b", enableWhen=[{"question": "a", "operator": "=", "answerString": "x"}]),
        ),
        lambda f: "enableWhen" not in f["item"][0] and "enableWhen" in f["item"][1],
    ),
    (
        "cycle",
        form(
            item(
                "g",
                "group",
                item=[item("a")],
                enableWhen=[{"question": "a", "operator": "exists", "answerBoolean": True}],
            )
        ),
        lambda f: "enableWhen" not in f["item"][0],
    ),
    (
        "danger",
        form(item("a", "boolean", code=[{"system": "http://loinc.org", "code": "44260-8"}])),
        lambda f: {"url": "urn:kinchart:danger", "valueBoolean": True} in f["item"][0]["extension"],
    ),
    (
        "instruction",
        form(
            item(
                "a",
                extension=[
                    {"url": f"{EXTENSION}questionnaire-instruction", "valueString": "Write it"}
                ],
            )
        ),
        lambda f: f["item"][0]["item"][0]["text"] == "Write it",
    ),
]


@pytest.mark.parametrize(
    ("rule", "broken", "is_mended"),
    REPAIRED,
    ids=[f"{n} {row[0]}" for n, row in enumerate(REPAIRED)],
)
def test_it_is_repaired_and_said(rule, broken, is_mended):
    before = copy.deepcopy(broken)
    looked_at = linted(broken)
    said = [one for one in looked_at.findings if one.rule == rule]
    assert [one.level for one in said] == ["repair"] * len(said) and said
    assert is_mended(looked_at.definition)
    assert broken == before, "the file itself is left alone"
    assert not [one for one in linted(looked_at.definition).findings if one.level != "warn"]


WARNED = [
    ("retired", form(item("a"), status="retired")),
    (
        "condition-of-nobody",
        form(item("a", enableWhen=[{"question": "z", "operator": "=", "answerString": "x"}])),
    ),
    ("value-set", form(item("a", "choice", answerValueSet="https://x.example/list"))),
    ("value-set", form(item("a", "choice", answerValueSet="#nobody"))),
    ("reference", form(item("a", "reference"))),
    ("no-text", form({"linkId": "a", "type": "string"})),
    (
        "limits",
        form(
            item(
                "a",
                "integer",
                extension=[
                    {"url": f"{EXTENSION}minValue", "valueInteger": 9},
                    {"url": f"{EXTENSION}maxValue", "valueInteger": 1},
                ],
            )
        ),
    ),
    (
        "regex",
        form(item("a", extension=[{"url": f"{EXTENSION}regex", "valueString": "("}])),
    ),
    ("feature-made-up", form(item("a", extension=[{"url": "https://x.example/made-up"}]))),
    ("modifier", form(item("a", modifierExtension=[{"url": "https://x.example/not"}]))),
    (
        "expression",
        form(
            item(
                "a",
                extension=[
                    {
                        "url": f"{EXTENSION}variable",
                        "valueExpression": {"language": "text/fhirpath", "expression": "1 +"},
                    }
                ],
            )
        ),
    ),
    (
        "expression-language",
        form(
            item(
                "a",
                extension=[
                    {
                        "url": f"{EXTENSION}variable",
                        "valueExpression": {"language": "text/cql", "expression": "X"},
                    }
                ],
            )
        ),
    ),
]


@pytest.mark.parametrize(
    ("rule", "odd"), WARNED, ids=[f"{number} {rule}" for number, (rule, _odd) in enumerate(WARNED)]
)
def test_it_is_left_as_it_is_and_said(rule, odd):
    looked_at = linted(odd)
    assert (("warn", rule)) in rules(odd)
    assert looked_at.definition == odd


@pytest.mark.parametrize(
    ("rule", "bad"),
    [
        ("type", form(item("a", "bogus"))),
        ("type", form({"linkId": "a", "text": "x"})),
        ("empty", form()),
        ("too-long", form(*[item(str(number)) for number in range(3001)])),
    ],
    ids=["unknown type", "no type", "no items", "too many"],
)
def test_it_is_refused(rule, bad):
    assert ("refuse", rule) in rules(bad)


def test_too_deep_is_refused_and_does_not_overflow():
    deep = item("end")
    for number in range(5000):
        deep = item(str(number), "group", item=[deep])
    assert ("refuse", "too-deep") in rules(form(deep))


def test_a_list_on_file_is_not_missing():
    odd = form(item("a", "choice", answerValueSet="https://x.example/list|2.0"))
    assert rules(odd, lists_on_file={"https://x.example/list"}) == set()


def test_the_finding_says_where():
    says = linted(form(item("a", "bogus"))).findings[0].says
    assert says.startswith("“Words of a”: The type “bogus” is not one of FHIR R4. Give it one of:")
