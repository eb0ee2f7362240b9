"""Mends when questions are shown (Questionnaire.item.enableWhen): que-7, que-12, conditions that cannot be
read, that name a question that is not there, or that wait for each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from households.intake.engine.findings import (
    JSON,
    REPAIR,
    WARN,
    Finding,
    children,
    named,
    value_of,
    walk,
)

_OPERATORS = {"exists", "=", "!=", ">", "<", ">=", "<="}
# By the type of the question that the condition looks at: what it compares with, and how that is spelled.
_COMPARED: dict[str, tuple[str, str]] = {
    "date": ("answerDate", r"\d{4}(-\d\d(-\d\d)?)?"),
    "dateTime": ("answerDateTime", r"\d{4}(-\d\d(-\d\d(T.+)?)?)?"),
    "time": ("answerTime", r"\d\d:\d\d:\d\d(\.\d+)?"),
    "integer": ("answerInteger", r"[+-]?\d{1,9}"),
    "decimal": ("answerDecimal", r"[+-]?\d{1,12}(\.\d{1,12})?"),
    "boolean": ("answerBoolean", r"true|false"),
    "string": ("answerString", r".+"),
    "text": ("answerString", r".+"),
    "url": ("answerString", r".+"),
}
_READS_AS: dict[str, type | tuple[type, ...]] = {
    "answerInteger": int,
    "answerDecimal": (int, float),
    "answerBoolean": bool,
    "answerCoding": dict,
    "answerQuantity": dict,
    "answerReference": dict,
}


def mend_conditions(form: JSON) -> Iterator[Finding]:
    """Mends in place; every linkId is there and used once by now."""
    by_id = {item["linkId"]: item for item, _parent in walk(form.get("item"))}
    for item in by_id.values():
        if "enableWhen" not in item:
            item.pop("enableBehavior", None)
            continue
        kept = []
        for condition in item["enableWhen"] if isinstance(item["enableWhen"], list) else []:
            mended, findings = _mend_condition(item, condition, by_id)
            yield from findings
            if mended is not None:
                kept.append(mended)
        item["enableWhen"] = kept
        yield from _mend_behaviour(item)
    yield from _break_cycles(form)


def _mend_behaviour(item: JSON) -> Iterator[Finding]:
    if not item["enableWhen"]:
        del item["enableWhen"]
        item.pop("enableBehavior", None)
    elif len(item["enableWhen"]) > 1 and item.get("enableBehavior") not in ("any", "all"):
        item["enableBehavior"] = "any"
        yield _repair(
            "que-12",
            item,
            "It has several conditions and does not say whether all must hold: shown when any holds.",
        )


def _mend_condition(
    item: JSON, condition: Any, by_id: dict[str, JSON]
) -> tuple[JSON | None, list[Finding]]:
    """The condition, or None where it cannot be read; with what there is to say."""
    if not isinstance(condition, dict) or not isinstance(condition.get("question"), str):
        says = "A condition names no question and was left out: without others, it is always shown."
        return None, [_repair("condition", item, says)]
    asked = by_id.get(condition["question"].strip())
    findings = []
    operator = condition.get("operator", "=")
    key, value = value_of(condition, "answer")
    if operator == "exists":
        findings += _mend_exists(item, condition, key, value)
    elif operator not in _OPERATORS:
        says = f"The comparison “{operator}” is not one of FHIR; the condition was left out."
        return None, [_repair("condition", item, says)]
    elif not key or value is None or value == {}:
        says = "A condition compares with nothing and was left out: without others, it is always shown."
        return None, [_repair("condition", item, says)]
    else:
        if "operator" not in condition:
            condition["operator"] = "="
            findings.append(
                _repair("condition", item, "A condition without comparison: read as “=”.")
            )
        readable = _mend_compared(item, condition, asked, key, value, findings)
        if not readable:
            return None, findings
    condition["question"] = condition["question"].strip()
    if asked is None:
        findings.append(_names_nobody(item, condition))
    elif asked.get("type") in ("group", "display"):
        findings.append(
            Finding(
                WARN,
                "condition-of-a-section",
                item["linkId"],
                f"{named(item)}: its condition looks at {named(asked)}, which has no answer. "
                + _then(condition),
            )
        )
    return condition, findings


def _mend_exists(item: JSON, condition: JSON, key: str, value: Any) -> list[Finding]:
    """que-7."""
    if isinstance(condition.get("answerBoolean"), bool) and key == "answerBoolean":
        return []
    for name in [name for name in condition if name.startswith("answer")]:
        del condition[name]
    condition["answerBoolean"] = str(value).lower() != "false"
    says = "Its condition “exists” must say true or false: read as “is answered”."
    if not condition["answerBoolean"]:
        says = "Its condition “exists” must say true or false: read as “is not answered”."
    return [_repair("que-7", item, says)]


def _mend_compared(
    item: JSON, condition: JSON, asked: JSON | None, key: str, value: Any, findings: list[Finding]
) -> bool:
    """Whether the condition compares with something of the type of the question's answers, now."""
    right = isinstance(value, _READS_AS.get(key, str)) and not (
        isinstance(value, bool) and key != "answerBoolean"
    )
    kind = str((asked or {}).get("type"))
    wanted, pattern = _COMPARED.get(kind, ("", ""))
    if right and (not wanted or key == wanted or not isinstance(value, (str, int, float))):
        return _mend_choice(item, condition, asked, key, value, findings)
    spelled = str(value).lower() if isinstance(value, bool) else str(value)
    if wanted and wanted != key and re.fullmatch(pattern, spelled):
        del condition[key]
        condition[wanted] = _as(wanted, spelled)
    elif wanted == key and re.fullmatch(pattern, spelled):
        condition[key] = _as(wanted, spelled)
    elif right:
        return True  # a number compared with words: FHIR lets it, and it never holds
    else:
        says = f"A condition compares with {value!r}, which is no {key[6:]}; it was left out."
        findings.append(_repair("condition", item, says))
        return False
    findings.append(
        _repair("condition-type", item, f"A condition's {value!r} was read as a {wanted[6:]}.")
    )
    return True


def _as(key: str, spelled: str) -> Any:
    match key:
        case "answerInteger":
            return int(spelled)
        case "answerDecimal":
            return float(spelled) if "." in spelled else int(spelled)
        case "answerBoolean":
            return spelled == "true"
    return spelled


def _mend_choice(
    item: JSON, condition: JSON, asked: JSON | None, key: str, value: Any, findings: list[Finding]
) -> bool:
    """A word compared with coded choices: it means the choice that reads so."""
    codings = [
        option["valueCoding"]
        for option in children((asked or {}).get("answerOption"))
        if isinstance(option.get("valueCoding"), dict)
    ]
    if key != "answerString" or not codings or (asked or {}).get("type") == "open-choice":
        return True
    for coding in codings:
        if value in (coding.get("code"), coding.get("display")):
            del condition[key]
            condition["answerCoding"] = {
                name: coding[name] for name in ("system", "code") if name in coding
            }
            says = f"A condition's word “{value}” was read as the choice with that name."
            findings.append(_repair("condition-type", item, says))
            return True
    return True


def _names_nobody(item: JSON, condition: JSON) -> Finding:
    return Finding(
        WARN,
        "condition-of-nobody",
        item["linkId"],
        f"{named(item)}: its condition looks at the question “{condition['question']}”, which is not in "
        f"this form. {_then(condition)}",
    )


def _then(condition: JSON) -> str:
    """FHIR R4: `!=` and "exists: false" hold without an answer, everything else does not."""
    holds = condition.get("operator") == "!=" or condition.get("answerBoolean") is False
    if condition.get("operator") not in ("!=", "exists"):
        holds = False
    return (
        "The condition always holds." if holds else "The condition never holds: it is never shown."
    )


def _break_cycles(form: JSON) -> Iterator[Finding]:
    """Questions that wait for each other would never be shown: the first of them, in the order of the
    form, loses its conditions. An item waits for its parent too."""
    waits_for: dict[str, set[str]] = {}
    by_id: dict[str, JSON] = {}
    for item, parent in walk(form.get("item")):
        by_id[item["linkId"]] = item
        waits_for[item["linkId"]] = {one["question"] for one in children(item.get("enableWhen"))}
        if parent is not None:
            waits_for[item["linkId"]].add(parent["linkId"])
    for link_id, item in by_id.items():
        if item.get("enableWhen") and _reaches(link_id, waits_for):
            del item["enableWhen"]
            item.pop("enableBehavior", None)
            waits_for[link_id] &= {
                parent["linkId"] for one, parent in walk(form["item"]) if one is item and parent
            }
            yield _repair(
                "cycle",
                item,
                "It waits for questions that wait for it: its conditions were left out, it is always shown.",
            )


def _reaches(start: str, waits_for: dict[str, set[str]]) -> bool:
    seen: set[str] = set()
    open_ids = [*waits_for[start]]
    while open_ids:
        one = open_ids.pop()
        if one == start:
            return True
        if one not in seen:
            seen.add(one)
            open_ids.extend(waits_for.get(one, ()))
    return False


def _repair(rule: str, item: JSON, says: str) -> Finding:
    return Finding(REPAIR, rule, item["linkId"], f"{named(item)}: {says}")
