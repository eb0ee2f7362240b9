"""The choices of a ValueSet or CodeSystem file, as models.ValueSet keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from households.intake.engine.findings import JSON, children, extensions, tail

MOST_CONCEPTS = 20_000
_WEIGHT = "http://hl7.org/fhir/StructureDefinition/ordinalValue"


def concepts_of(resource: JSON, code_systems: list[JSON]) -> list[JSON]:
    """{"system", "code", "display"} and, where it has one, "weight" of each choice, in order. Whole systems
    are taken from `code_systems`. Empty for a list that only a terminology server can work out."""
    if resource.get("resourceType") == "CodeSystem":
        found = _of_system(resource)
    else:
        found = _of_value_set(resource, {str(one.get("url")): one for one in code_systems})
    by_code = {(one.get("system"), one["code"]): one for one in reversed(list(found))}
    return list(reversed(by_code.values()))[:MOST_CONCEPTS]


def _of_value_set(resource: JSON, systems: dict[str, JSON]) -> Iterator[JSON]:
    expansion, compose = resource.get("expansion"), resource.get("compose")
    contains = children(expansion.get("contains")) if isinstance(expansion, dict) else []
    if contains:
        waiting = contains[::-1]
        while waiting:
            one = waiting.pop()
            if not one.get("abstract"):
                yield from _concept(one, one.get("system"))
            waiting.extend(children(one.get("contains"))[::-1])
        return
    if not isinstance(compose, dict):
        return
    left_out = {
        (part.get("system"), concept.get("code"))
        for part in children(compose.get("exclude"))
        for concept in children(part.get("concept"))
    }
    for part in children(compose.get("include")):
        concepts = children(part.get("concept"))
        if not concepts and not part.get("filter") and part.get("system") in systems:
            found = _of_system(systems[part["system"]])
        else:
            found = (one for raw in concepts for one in _concept(raw, part.get("system")))
        yield from (one for one in found if (one.get("system"), one["code"]) not in left_out)


def _of_system(resource: JSON) -> Iterator[JSON]:
    waiting = children(resource.get("concept"))[::-1]
    while waiting:
        one = waiting.pop()
        yield from _concept(one, resource.get("url"))
        waiting.extend(children(one.get("concept"))[::-1])


def _concept(raw: JSON, system: Any) -> Iterator[JSON]:
    code = raw.get("code")
    if not isinstance(code, str) or not code:
        return
    concept: JSON = {"code": code, "display": str(raw.get("display") or code)}
    if isinstance(system, str) and system:
        concept["system"] = system
    for one in extensions(raw):
        value = one.get("valueDecimal", one.get("valueInteger"))
        if tail(one["url"]) in ("ordinalValue", "itemWeight") and _is_number(value):
            concept["weight"] = value
    for one in children(raw.get("property")):
        value = one.get("valueDecimal", one.get("valueInteger"))
        if one.get("code") in ("itemWeight", "ordinalValue") and _is_number(value):
            concept["weight"] = value
    yield concept


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def value_set_of(url: str, title: str, concepts: list[JSON]) -> JSON:
    """The FHIR R4 ValueSet of a list of choices: read by concepts_of, it is the same again."""
    include: list[JSON] = []
    for concept in concepts:
        system = concept.get("system")
        if not include or include[-1].get("system") != system:
            include.append({**({"system": system} if system else {}), "concept": []})
        entry: JSON = {"code": concept["code"], "display": concept.get("display", concept["code"])}
        if "weight" in concept:
            entry["extension"] = [{"url": _WEIGHT, "valueDecimal": concept["weight"]}]
        include[-1]["concept"].append(entry)
    return {
        "resourceType": "ValueSet",
        "url": url,
        "title": title,
        "status": "active",
        "compose": {"include": include},
    }
