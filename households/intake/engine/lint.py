"""Lint of a questionnaire (FHIR R4, SDC): what is refused, what was put right, what is different here.

FHIR's own validators find no condition that names a missing question, no cycle and no duplicate linkId, and
accept a type that does not exist; the rules here do. `linted` mends and looks, `looked` only looks.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any

from households.intake.engine import profile
from households.intake.engine.conditions_mending import mend_conditions
from households.intake.engine.findings import (
    JSON,
    REFUSE,
    REPAIR,
    WARN,
    Finding,
    children,
    extensions,
    in_order,
    named,
    tail,
    value_of,
    walk,
)
from households.intake.engine.mending import mend_form, mend_items
from households.intake.engine.patterns import is_pattern
from households.intake.engine.shapes import mend_shapes
from households.intake.engine.syntax import parse
from households.intake.engine.value_sets import ValueSets

MOST_ITEMS = 3000
DEEPEST = 20
_MOST_NAMED = 5

# Items whose answers may mean danger, by LOINC code and by their usual words, and from which weight on.
_DANGEROUS_CODES = {"44260-8", "71354-5"}
_DANGEROUS_WORDS = (
    "better off dead",
    "hurting yourself",
    "hurt yourself",
    "harming yourself",
    "thought of harming myself",
    "kill yourself",
    "suicid",
)


@dataclass(frozen=True)
class Linted:
    """The questionnaire with its repairs, and everything there is to say, worst first."""

    definition: JSON
    findings: list[Finding]

    @property
    def is_refused(self) -> bool:
        return any(finding.level == REFUSE for finding in self.findings)


def linted(questionnaire: JSON, lists_on_file: Container[str] = ()) -> Linted:
    """A repaired copy of any JSON object that calls itself a Questionnaire. `lists_on_file` are the
    addresses of the value sets that the practice has. Never raises."""
    refused = list(_too_much(questionnaire))
    if refused:
        return Linted(questionnaire, refused)
    form = copy.deepcopy(questionnaire)
    findings = [
        *mend_shapes(form),
        *mend_form(form),
        *mend_items(form),
        *mend_conditions(form),
        *_mark_dangers(form),
    ]
    findings += looked(form, lists_on_file)
    return Linted(form, in_order(findings))


def looked(form: JSON, lists_on_file: Container[str] = ()) -> list[Finding]:
    """What is different here from what the file asks for; nothing is changed."""
    return [
        *_languages(form),
        *_texts(form),
        *_lists(form, lists_on_file),
        *_references(form),
        *_limits(form),
        *_features(form),
        *_controls(form),
        *_expressions(form),
        *_patterns(form),
    ]


def _too_much(form: JSON) -> Iterator[Finding]:
    count = 0
    deepest = 0
    level = children(form.get("item"))
    while level and deepest <= DEEPEST:
        deepest += 1
        count += len(level)
        level = [one for item in level for one in children(item.get("item"))]
    if deepest > DEEPEST:
        yield Finding(REFUSE, "too-deep", "", f"Questions lie in more than {DEEPEST} sections.")
    elif count > MOST_ITEMS:
        says = f"The form has {count} questions and texts, and {MOST_ITEMS} is the most. Split it."
        yield Finding(REFUSE, "too-long", "", says)
    elif not count:
        yield Finding(REFUSE, "empty", "", "The form asks nothing: it has no items.")


def _mark_dangers(form: JSON) -> Iterator[Finding]:
    for item, _parent in walk(form.get("item")):
        if item.get("type") in ("group", "display"):
            continue
        if any(one["url"] == profile.OWN for one in extensions(item)):
            continue
        codes = {str(code.get("code")) for code in children(item.get("code"))}
        text = str(item.get("text", "")).lower()
        if not codes & _DANGEROUS_CODES and not any(word in text for word in _DANGEROUS_WORDS):
            continue
        if item.get("type") == "boolean":
            mark: JSON = {"valueBoolean": True}
            when = "“Yes”"
        elif item.get("type") in ("choice", "open-choice", "integer", "decimal"):
            mark, when = {"valueInteger": 1}, "an answer of weight 1 or more"
        else:
            continue
        item.setdefault("extension", []).append({"url": profile.OWN, **mark})
        yield Finding(
            REPAIR,
            "danger",
            item["linkId"],
            f"{named(item)}: marked as dangerous. After {when}, the family reads what to do in an emergency "
            "and you see the answers on top.",
        )


# --- words, lists, limits -------------------------------------------------------------


def _languages(form: JSON) -> Iterator[Finding]:
    """A modifier may turn the meaning of what it stands on around (FHIR R4, 2.4.0.1)."""
    for element, item in _elements(form):
        for one in children(element.get("modifierExtension")):
            yield Finding(
                WARN,
                "modifier",
                str((item or {}).get("linkId", "")),
                f"The file has an extension that may change what it means, and the portal does not know it: "
                f"{one.get('url', 'without address')}. Compare the preview with the original.",
            )


def _texts(form: JSON) -> Iterator[Finding]:
    without = [
        item
        for item, parent in walk(form.get("item"))
        if not str(item.get("text", "")).strip()
        and item.get("type") != "group"
        and not _is_hidden(item)
    ]
    if without:
        yield Finding(
            WARN,
            "no-text",
            without[0]["linkId"],
            f"{len(without)} questions have no words of their own: {_ids(without)}. Families read the words "
            "of the section or question above. Add words in the builder.",
        )


def _is_hidden(item: JSON) -> bool:
    return any(tail(one["url"]) == "hidden" and one.get("valueBoolean") for one in extensions(item))


def _lists(form: JSON, lists_on_file: Container[str]) -> Iterator[Finding]:
    inside = ValueSets(form, {})
    missing: dict[str, list[JSON]] = defaultdict(list)
    for item, _parent in walk(form.get("item")):
        units = [one for one in extensions(item) if tail(one["url"]) == "unitValueSet"]
        names = [item.get("answerValueSet"), *(one.get("valueCanonical") for one in units)]
        for name in names:
            if not isinstance(name, str) or not name:
                continue
            url = name.partition("|")[0]
            if name.startswith("#"):
                if not inside.concepts(name):
                    missing[name].append(item)
            elif inside.is_contained(name):
                continue
            elif url not in lists_on_file and name not in lists_on_file:
                missing[url].append(item)
    for name, items in missing.items():
        where = (
            f"{len(items)} questions ({_ids(items)}) choose"
            if len(items) > 1
            else (f"{named(items[0])} chooses")
        )
        if name.startswith("#"):
            says = f"{where} from the list {name} inside the file, which names no choices that can be read."
        else:
            says = (
                f"{where} from the list {name}, which is not on file. To add it, import its ValueSet file "
                "under Lists of choices."
            )
        yield Finding(
            WARN, "value-set", items[0]["linkId"], f"{says} Until then families type the answer."
        )


def _references(form: JSON) -> Iterator[Finding]:
    items = [item for item, _parent in walk(form.get("item")) if item.get("type") == "reference"]
    if items:
        says = f"{_ids(items)}: the answer is a record elsewhere. Families type its name instead."
        yield Finding(WARN, "reference", items[0]["linkId"], says)


def _limits(form: JSON) -> Iterator[Finding]:
    for item, _parent in walk(form.get("item")):
        values = {tail(one["url"]): value_of(one, "value")[1] for one in extensions(item)}
        for low, high in (("minValue", "maxValue"), ("minOccurs", "maxOccurs")):
            least, most = values.get(low), values.get(high)
            if _is_number(least) and _is_number(most) and least > most:  # type: ignore[operator] # numbers
                says = f"{named(item)}: the least ({least}) is above the most ({most}): no answer fits."
                yield Finding(WARN, "limits", item["linkId"], says)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


# --- features -------------------------------------------------------------------------


def _elements(form: JSON) -> Iterator[tuple[JSON, JSON | None]]:
    """Every JSON object of the form with the item that it belongs to."""
    waiting: list[tuple[Any, JSON | None]] = [(form, None)]
    while waiting:
        node, item = waiting.pop()
        if isinstance(node, dict):
            inside = node if "linkId" in node else item
            yield node, inside
            waiting.extend((value, inside) for value in reversed(node.values()))
        elif isinstance(node, list):
            waiting.extend((value, item) for value in reversed(node))


def _features(form: JSON) -> Iterator[Finding]:
    """Each extension once, with the questions that use it."""
    used: dict[str, list[JSON | None]] = defaultdict(list)
    for element, item in _elements({key: value for key, value in form.items() if key != "meta"}):
        for one in extensions(element):
            if (
                "/" in one["url"] or one["url"] == profile.OWN
            ):  # parts of an extension have bare names
                used[one["url"]].append(item)
    layout = sorted({tail(url) for url in used if tail(url) in profile.LAYOUT})
    elsewhere = sorted({tail(url) for url in used if tail(url) in profile.ELSEWHERE})
    for url, items in used.items():
        name = tail(url)
        is_known = name in profile.KNOWN and url.startswith("http://hl7.org/fhir/")
        if is_known or url == profile.OWN or name in {*layout, *elsewhere}:
            continue
        where = [item for item in items if item is not None]
        instead = profile.INSTEAD.get(
            name, "The portal does not know it. The question is shown as if it were not there."
        )
        target = _ids(where) if where else "the whole form"
        yield Finding(
            WARN,
            f"feature-{name}"[:60],
            str(where[0]["linkId"]) if where else "",
            f"The form uses {name} ({target}). {instead}"
            + ("" if name in profile.INSTEAD else f" Its address: {url}"),
        )
    if layout:
        says = f"Hints on how it looks are not followed: {', '.join(layout)}. Words and choices are the same."
        yield Finding(WARN, "layout", "", says)
    if elsewhere:
        says = f"What other systems do with it means nothing here: {', '.join(elsewhere)}."
        yield Finding(WARN, "elsewhere", "", says)


def _controls(form: JSON) -> Iterator[Finding]:
    used: dict[str, list[JSON]] = defaultdict(list)
    for item, _parent in walk(form.get("item")):
        for one in extensions(item):
            concept = one.get("valueCodeableConcept")
            if tail(one["url"]) == "itemControl" and isinstance(concept, dict):
                for coding in children(concept.get("coding")):
                    used[str(coding.get("code", ""))].append(item)
    for code, items in used.items():
        if code not in profile.CONTROLS:
            unknown = f"The control “{code}” is not known. Shown as its type is."
            says = profile.CONTROLS_INSTEAD.get(code, unknown)
            yield Finding(
                WARN, f"control-{code}"[:60], items[0]["linkId"], f"{_ids(items)}: {says}"
            )


def _expressions(form: JSON) -> Iterator[Finding]:
    """Only FHIRPath is worked out. CQL and searches would need another system."""
    others: dict[str, list[JSON | None]] = defaultdict(list)
    broken: dict[str, list[JSON | None]] = defaultdict(list)
    for element, item in _elements(form):
        language, expression = element.get("language"), element.get("expression")
        if not isinstance(expression, str):
            continue
        if isinstance(language, str) and language != "text/fhirpath":
            others[language].append(item)
        elif isinstance(language, str):
            why = _why_not(expression)
            if why:
                broken[why].append(item)
    for language, items in others.items():
        says = f"an expression in {language} is not worked out here"
        yield _of_expressions("expression-language", items, says)
    for why, items in broken.items():
        yield _of_expressions("expression", items, why)


def _why_not(expression: str) -> str:
    parsed = parse(expression)
    if parsed is None:
        return "an expression is not FHIRPath that can be read"
    if parsed.unknown_functions:
        names = ", ".join(sorted(parsed.unknown_functions))
        return f"an expression uses what FHIRPath does not have here ({names})"
    return ""


def _of_expressions(rule: str, items: list[JSON | None], says: str) -> Finding:
    where = [item for item in items if item is not None]
    return Finding(
        WARN,
        rule,
        str(where[0].get("linkId", "")) if where else "",
        f"{_ids(where) or 'The form'}: {says}. What it would fill in is left empty for the family; what it "
        "would hide is shown.",
    )


def _patterns(form: JSON) -> Iterator[Finding]:
    for item, _parent in walk(form.get("item")):
        for one in extensions(item):
            pattern = one.get("valueString")
            if tail(one["url"]) == "regex" and isinstance(pattern, str) and not is_pattern(pattern):
                says = "The pattern for its answer cannot be read: any answer is taken."
                yield Finding(WARN, "regex", item["linkId"], f"{named(item)}: {says}")


def _ids(items: list[JSON] | list[JSON | None]) -> str:
    names = list(dict.fromkeys(str(item.get("linkId")) for item in items if item is not None))
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
