"""Modular forms are put together; and a version becomes what families fill in."""

from __future__ import annotations

from django.utils import timezone

from households.intake.definitions import canonical, definition_of, sha256_of
from households.intake.engine.assembly import assembled
from households.intake.models import ValueSet
from tests.households.intake.definitions.forms import coding, form, item

NAME = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-subQuestionnaire"
PART = "https://forms.example/part"


def stands_for(link_id: str, url: str = PART, kind: str = "display"):
    return item(link_id, kind, extension=[{"url": NAME, "valueCanonical": f"{url}|1.0"}])


def part(**more):
    return form(
        item("x", "choice", answerOption=[coding("y")]),
        item("a", enableWhen=[{"question": "x", "operator": "=", "answerCoding": {"code": "y"}}]),
        url=PART,
        title="The part",
        **more,
    )


def ids(items):
    return [one["linkId"] for one in items]


def test_the_questions_are_put_in_with_free_names():
    whole, findings = assembled(form(item("x"), stands_for("s")), {PART: part()})
    group = whole["item"][1]
    assert (group["type"], group["text"]) == ("group", "The part")
    assert ids(group["item"]) == ["s.x", "a"]
    assert group["item"][1]["enableWhen"][0]["question"] == "s.x"
    assert "extension" not in group
    assert [one.rule for one in findings] == ["assembled"]


def test_the_same_part_twice():
    whole, _findings = assembled(form(stands_for("s"), stands_for("t")), {PART: part()})
    assert [ids(group["item"]) for group in whole["item"]] == [["x", "a"], ["t.x", "t.a"]]


def test_lists_inside_the_part_come_along():
    inner = {"resourceType": "ValueSet", "id": "v", "status": "active"}
    other = {**inner, "status": "draft"}
    of_list = form(item("q", "choice", answerValueSet="#v"), url=PART, contained=[inner])
    whole, _findings = assembled(form(stands_for("s"), contained=[other]), {PART: of_list})
    assert [one["id"] for one in whole["contained"]] == ["v", "s-v"]
    assert whole["item"][0]["item"][0]["answerValueSet"] == "#s-v"


def test_parts_that_contain_each_other_end():
    there = "https://forms.example/there"
    one = form(item("a"), stands_for("s", there), url=PART)
    two = form(item("b"), stands_for("t", PART), url=there)
    whole, _findings = assembled(one, {PART: one, there: two})
    inside = whole["item"][1]["item"]
    assert ids(inside) == ["b", "t"]
    assert inside[1]["extension"], "named, and left as it is"


def test_a_form_without_parts_is_the_same_object():
    plain = form(item("a"))
    assert assembled(plain, {PART: part()}) == (plain, [])


# --- definitions ----------------------------------------------------------------------


def test_canonical_has_one_spelling():
    assert canonical({"b": 1, "a": ["é", {}]}) == '{"a":["é",{}],"b":1}'
    assert sha256_of({"a": 1, "b": 2}) == sha256_of({"b": 2, "a": 1})
    assert len(sha256_of("\ud800")) == 64


def test_a_definition_is_read_once_and_again_when_its_list_changes(keep, django_assert_num_queries):
    version = keep(form(item("a", "choice", answerValueSet="https://forms.example/c|2")))
    assert definition_of(version).by_link_id["a"].options == ()
    ValueSet.objects.create(
        url="https://forms.example/c", title="C", concepts=[{"code": "r", "display": "Red"}]
    )
    with django_assert_num_queries(1):
        read = definition_of(version)
    assert [option.label for option in read.by_link_id["a"].options] == ["Red"]
    assert definition_of(version) is read
    ValueSet.objects.update(
        concepts=[{"code": "g", "display": "Green"}], imported_at=timezone.now()
    )
    assert [one.label for one in definition_of(version).by_link_id["a"].options] == ["Green"]


def test_a_definition_without_lists_costs_no_query(keep, django_assert_num_queries):
    version = keep()
    with django_assert_num_queries(0):
        definition_of(version)
