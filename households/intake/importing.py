"""From the bytes of a file to forms and lists of choices that can be saved, with everything there is to say.

A file holds a FHIR R4 Questionnaire, ValueSet or CodeSystem in JSON, or a Bundle, Parameters or plain wrapper
with some of them. It is read and repaired (engine/lint.py), put together (engine/assembly.py) and validated.
Nothing is written here, and nothing but Unreadable is raised, whatever the bytes are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from households.intake.bundled import bundled_lists
from households.intake.definitions import lists_named
from households.intake.engine.assembly import assembled, parts_named
from households.intake.engine.findings import (
    JSON,
    REFUSE,
    REPAIR,
    WARN,
    Finding,
    children,
    in_order,
)
from households.intake.engine.lint import linted
from households.intake.engine.listing import concepts_of
from households.intake.models import QuestionnaireVersion, ValueSet
from households.intake.validating import validated

MOST_BYTES = 5 * 1024 * 1024
_DEEPEST = 100
_MOST_RESOURCES = 50
_ROUNDS = 4
# STU3 and R5 by what only they have.
_ONLY_STU3 = {"option", "options"}
_ONLY_R5 = {"answerConstraint", "disabledDisplay"}


class Unreadable(Exception):
    """The file as a whole cannot be used; says why and what to do, for staff."""


@dataclass
class FormRead:
    """A Questionnaire of the file, repaired."""

    definition: JSON
    findings: list[Finding]

    @property
    def url(self) -> str:
        return str(self.definition.get("url", ""))

    @property
    def title(self) -> str:
        return str(self.definition.get("title", ""))

    @property
    def is_refused(self) -> bool:
        return any(finding.level == REFUSE for finding in self.findings)


@dataclass
class ListRead:
    """A ValueSet or CodeSystem of the file. `says` is why it cannot be used, "" where it can."""

    url: str
    title: str
    concepts: list[JSON] = field(default_factory=list)
    says: str = ""


@dataclass
class FileRead:
    """Everything in a file."""

    forms: list[FormRead] = field(default_factory=list)
    lists: list[ListRead] = field(default_factory=list)
    # What else lies in it, by kind: named, and left where it is.
    others: dict[str, int] = field(default_factory=dict)

    @property
    def can_be_saved(self) -> bool:
        return any(not form.is_refused for form in self.forms) or any(
            not one.says for one in self.lists
        )


def read_file(data: bytes) -> FileRead:
    """Everything that can be used of a file, and what there is to say. One query, and one more for modular
    forms. Raises Unreadable."""
    parsed = parse(data)
    questionnaires, lists, others = _sorted_out(parsed)
    read = FileRead(others=others)
    read.lists = [_list_read(one, lists) for one in lists]
    in_file = {str(one.get("url", "")).partition("|")[0]: one for one in questionnaires}
    on_file = _questionnaires_on_file() if any(map(parts_named, questionnaires)) else {}
    known_lists = {*ValueSet.objects.values_list("url", flat=True), *bundled_lists()}
    known_lists |= {one.url for one in read.lists if not one.says}
    for questionnaire in questionnaires:
        read.forms.append(form_read(questionnaire, known_lists, {**on_file, **in_file}))
    return read


def form_read(
    questionnaire: JSON, lists_on_file: set[str], others: Mapping[str, JSON] | None = None
) -> FormRead:
    """One Questionnaire, put together, repaired and validated."""
    refused = _other_release(questionnaire)
    if refused:
        return FormRead(_with_title(questionnaire), [Finding(REFUSE, "release", "", refused)])
    form, repairs = assembled(questionnaire, others or {})
    # What is left out may leave something to put right: a choice without its choices. Mostly one round.
    for _round in range(_ROUNDS):
        looked_at = linted(form, lists_on_file)
        repairs += [one for one in looked_at.findings if one.level == REPAIR]
        if looked_at.is_refused:
            return FormRead(_with_title(looked_at.definition), [*looked_at.findings, *repairs])
        form, left_out = validated(looked_at.definition)
        repairs += left_out
        if not left_out:
            break
    warnings = [one for one in looked_at.findings if one.level == WARN]
    return FormRead(form, in_order([*repairs, *warnings]))


def _with_title(form: JSON) -> JSON:
    title = form.get("title") or form.get("name") or form.get("id") or "Form without a title"
    return {**form, "title": str(title)}


def _questionnaires_on_file() -> dict[str, JSON]:
    """By address: the newest version of each form that is no draft, else its draft."""
    versions = QuestionnaireVersion.objects.order_by("number").values_list(
        "questionnaire__url", "status", "definition"
    )
    found: dict[str, JSON] = {}
    for url, status, definition in versions:
        if url not in found or status != QuestionnaireVersion.Status.DRAFT:
            found[url] = definition
    return found


# --- bytes to JSON --------------------------------------------------------------------


def parse(data: bytes) -> JSON:
    """The JSON object in these bytes. Raises Unreadable, with words that name the fix."""
    if len(data) > MOST_BYTES:
        raise Unreadable(
            "The file is larger than 5 MB. A form is much smaller: take the Questionnaire out of it."
        )
    text = _decoded(data)
    if text.lstrip()[:1] == "<":
        raise Unreadable(
            "The file is XML or a web page. Save the form as FHIR JSON and import that file."
        )
    try:
        parsed = json.loads(
            text,
            object_pairs_hook=_no_key_twice,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_short,
        )
    except json.JSONDecodeError as error:
        raise Unreadable(
            f"The file is not valid JSON: line {error.lineno}, column {error.colno}. Open it in an "
            "editor that shows mistakes in JSON, or get the file again."
        ) from None
    except RecursionError:
        raise Unreadable(_TOO_DEEP) from None
    if _depth(parsed) > _DEEPEST:
        raise Unreadable(_TOO_DEEP)
    if not isinstance(parsed, dict):
        if isinstance(parsed, list) and any(_is_resource(one) for one in parsed):
            return {"questionnaires": parsed}
        raise Unreadable("The file is JSON, and not a FHIR resource: it has no “resourceType”.")
    return parsed


_TOO_DEEP = "The file is nested too deeply to be a form. Take the Questionnaire out of it."


def _decoded(data: bytes) -> str:
    encoding = "utf-8-sig"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise Unreadable(
            f"The file is not in UTF-8 (byte {error.start + 1}). Save it again with the encoding UTF-8."
        ) from None
    if not text.strip():
        raise Unreadable("The file is empty.")
    if "\0" in text:
        raise Unreadable("The file is not text. Import the JSON file of the form.")
    return text


def _no_key_twice(pairs: list[tuple[str, Any]]) -> JSON:
    found: JSON = {}
    for key, value in pairs:
        if key in found:
            raise Unreadable(
                f"“{key}” stands twice in one place of the file: only one can count. Remove one."
            )
        # PostgreSQL keeps no NUL, and half a character is no text anywhere.
        found[_clean(key)] = _clean(value)
    return found


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        if "\0" in value:
            value = value.replace("\0", "")
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [_clean(one) for one in value]
    return value


def _no_constant(word: str) -> Any:
    raise Unreadable(f"The file has the number {word}, which JSON does not have. Remove it.")


def _finite(word: str) -> float:
    number = float(word)
    if number in (float("inf"), float("-inf")):
        raise Unreadable(f"The file has a number that is too large: {word[:30]}. Correct it.")
    return number


def _short(word: str) -> int:
    if len(word) > 18:
        raise Unreadable(f"The file has a number that is too large: {word[:30]}. Correct it.")
    return int(word)


def _depth(node: Any) -> int:
    depth, level = 0, [node]
    while level and depth <= _DEEPEST:
        depth += 1
        level = [
            inside
            for one in level
            if isinstance(one, (dict, list))
            for inside in (one.values() if isinstance(one, dict) else one)
        ]
    return depth


# --- what lies in the file ------------------------------------------------------------


def _is_resource(node: Any) -> bool:
    return isinstance(node, dict) and isinstance(node.get("resourceType"), str)


def _sorted_out(parsed: JSON) -> tuple[list[JSON], list[JSON], dict[str, int]]:
    questionnaires: list[JSON] = []
    lists: list[JSON] = []
    others: dict[str, int] = {}
    for resource in _resources(parsed):
        match resource["resourceType"]:
            case "Questionnaire":
                questionnaires.append(resource)
            case "ValueSet" | "CodeSystem":
                lists.append(resource)
            case other:
                others[other] = others.get(other, 0) + 1
    if not questionnaires and not lists:
        kind = next(iter(others), "")
        if kind:
            raise Unreadable(
                f"The file is a FHIR {kind[:40]}. Import a Questionnaire, a ValueSet or a CodeSystem."
            )
        raise Unreadable(
            "The file is JSON, and not a FHIR resource: it has no “resourceType”. Import a Questionnaire."
        )
    if len(questionnaires) + len(lists) > _MOST_RESOURCES:
        raise Unreadable(
            f"The file holds more than {_MOST_RESOURCES} forms and lists. Split it into several files."
        )
    return questionnaires, lists, others


def _resources(node: Any, depth: int = 0) -> Iterator[JSON]:
    """The resources of a Bundle, of Parameters, or of a wrapper that is no FHIR; other resources whole."""
    if not isinstance(node, dict):
        return
    kind = node.get("resourceType")
    if kind == "Bundle":
        for entry in children(node.get("entry")):
            yield from _resources(entry.get("resource"), depth + 1)
    elif kind == "Parameters":
        for parameter in children(node.get("parameter")):
            yield from _resources(parameter.get("resource"), depth + 1)
            yield from _resources({"parts": parameter.get("part")}, depth + 1)
    elif isinstance(kind, str):
        yield node
    elif depth < 6:
        for value in node.values():
            for one in value if isinstance(value, list) else [value]:
                yield from _resources(one, depth + 1)


def _list_read(resource: JSON, others: list[JSON]) -> ListRead:
    url = str(resource.get("url") or "").strip().partition("|")[0]
    title = str(resource.get("title") or resource.get("name") or url)[:200]
    if resource["resourceType"] == "CodeSystem" and isinstance(resource.get("valueSet"), str):
        url = resource["valueSet"].partition("|")[0]  # the list of all its codes
    if not url:
        says = "It has no address (url), so no form can name it. Add one to the file."
        return ListRead("", title, [], says)
    if len(url) > 300:
        return ListRead(url[:300], title, [], "Its address (url) is longer than 300 characters.")
    concepts = concepts_of(resource, [one for one in others if one["resourceType"] == "CodeSystem"])
    if not concepts:
        says = (
            "It names no choices: it is a rule that a terminology server works out. Get the “expanded” list "
            "and import that."
        )
        return ListRead(url, title, [], says)
    return ListRead(url, title, concepts)


def _other_release(form: JSON) -> str:
    """Why it is not R4, by what only STU3 or R5 has; "" where it is."""
    waiting = children(form.get("item"))
    while waiting:
        item = waiting.pop()
        if _ONLY_STU3 & item.keys():
            return _OTHER.format("STU3", "option")
        if _ONLY_R5 & item.keys() or item.get("type") == "coding":
            return _OTHER.format("R5", "answerConstraint or the type “coding”")
        if any("hasAnswer" in one for one in children(item.get("enableWhen"))):
            return _OTHER.format("STU3", "hasAnswer")
        waiting.extend(children(item.get("item")))
    return ""


_OTHER = "The form is written in FHIR {} (it uses {}). Ask its author for the R4 file, or convert it to R4."


def missing_lists(definition: JSON) -> list[str]:
    """The addresses of the lists that a form names and that are not on file; one query."""
    named = {name for name in lists_named(definition) if "|" not in name}
    return sorted(named - set(ValueSet.objects.filter(url__in=named).values_list("url", flat=True)))
