"""Lists of choices: those a questionnaire contains, and outside ones that the practice imported.

A concept is {"system", "code", "display"} and, where it has one, "weight", as ValueSet.concepts keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from households.intake.engine.extensions import objects, text, weight_of

# How deep a value set may include others, and how many choices a list may have.
_DEEPEST = 5
MOST_CONCEPTS = 5_000

Outside = Mapping[str, Sequence[dict]]


def bare(url: str) -> str:
    """A canonical without its version."""
    return url.split("|", 1)[0]


class ValueSets:
    """What the value sets that a questionnaire names have in them."""

    def __init__(self, questionnaire: dict, outside: Outside) -> None:
        self._outside = outside
        self._contained: dict[str, dict] = {}
        for resource in objects(questionnaire.get("contained")):
            for name in (f"#{text(resource.get('id')).lstrip('#')}", text(resource.get("url"))):
                if name:
                    self._contained.setdefault(name, resource)

    def is_contained(self, url: str) -> bool:
        return bare(url) in self._contained

    def concepts(self, url: str) -> list[dict]:
        """In order, without doubles; none where nobody has the set or the code system."""
        found: dict[tuple[str, str], dict] = {}
        for concept in self._read(bare(url), 0):
            found.setdefault((text(concept.get("system")), text(concept.get("code"))), concept)
            if len(found) >= MOST_CONCEPTS:
                break
        return list(found.values())

    def _read(self, url: str, depth: int) -> list[dict]:
        resource = self._contained.get(url)
        if resource is None:
            return [dict(each) for each in self._outside.get(url, ())]
        if depth > _DEEPEST:
            return []
        expansion = resource.get("expansion")
        if isinstance(expansion, dict) and "contains" in expansion:
            return _expanded(expansion, depth=0)
        return self._composed(resource.get("compose"), depth)

    def _composed(self, compose: object, depth: int) -> list[dict]:
        """FHIR R4 ValueSet.compose: the union of the includes, each of them the intersection of what it
        names, minus the excludes."""
        if not isinstance(compose, dict):
            return []
        included = [
            concept
            for include in objects(compose.get("include"))
            for concept in self._included(include, depth)
        ]
        excluded = {
            _key(concept)
            for exclude in objects(compose.get("exclude"))
            for concept in self._included(exclude, depth)
        }
        return [concept for concept in included if _key(concept) not in excluded]

    def _included(self, include: dict, depth: int) -> list[dict]:
        system = text(include.get("system"))
        concepts: list[dict] | None = None
        if include.get("concept"):
            concepts = [_concept(system, each) for each in objects(include.get("concept"))]
        elif system and not include.get("filter"):
            concepts = self._code_system(system)
        for url in include.get("valueSet") or []:
            others = self._read(bare(text(url)), depth + 1)
            keys = {_key(other) for other in others}
            concepts = (
                others
                if concepts is None
                else [concept for concept in concepts if _key(concept) in keys]
            )
        return concepts or []

    def _code_system(self, system: str) -> list[dict]:
        resource = self._contained.get(bare(system))
        if resource is None:
            return [dict(each) for each in self._outside.get(bare(system), ())]
        return _nested(system, objects(resource.get("concept")), depth=0)


def _expanded(element: dict, depth: int) -> list[dict]:
    found: list[dict] = []
    for each in objects(element.get("contains")):
        if each.get("code") and not each.get("abstract"):
            found.append(_concept(text(each.get("system")), each))
        if depth < _DEEPEST:
            found += _expanded(each, depth + 1)
    return found


def _nested(system: str, concepts: list[dict], depth: int) -> list[dict]:
    found: list[dict] = []
    for each in concepts:
        found.append(_concept(system, each))
        if depth < _DEEPEST:
            found += _nested(system, objects(each.get("concept")), depth + 1)
    return found


def _concept(system: str, element: dict) -> dict:
    concept = {
        "system": system,
        "code": text(element.get("code")),
        "display": text(element.get("display")),
    }
    weight = weight_of(element)
    return concept if weight is None else {**concept, "weight": str(weight)}


def _key(concept: dict) -> tuple[str, str]:
    return text(concept.get("system")), text(concept.get("code"))
