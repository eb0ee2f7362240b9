"""The last look at a repaired Questionnaire: fhir.resources, in the R4B classes, which take R4's JSON.

What it refuses and R4 allows is let through; what is not needed to fill the form is left out and named; the
rest is a reason to refuse.
"""

from __future__ import annotations

import copy
from typing import Any

from households.intake.engine.findings import JSON, REFUSE, REPAIR, WARN, Finding

_ROUNDS = 12
# Without these an item is none.
_NEEDED = {"item", "linkId", "type", "enableWhen", "answerOption", "resourceType", "status"}


def validated(definition: JSON) -> tuple[JSON, list[Finding]]:
    """The definition without what is not FHIR R4, and a finding for each thing that was left out."""
    definition = copy.deepcopy(definition)
    findings: list[Finding] = []
    _spell(definition, findings)
    for _round in range(_ROUNDS):
        errors = _errors(_for_the_library(definition))
        if not errors:
            return definition, findings
        for error in errors:
            finding = _mend(definition, error)
            if finding not in findings:
                findings.append(finding)
            if finding.level == REFUSE:
                return definition, [finding, *findings[:-1]]
    says = "The file breaks FHIR R4 in too many places. Have its author check it with the FHIR validator."
    return definition, [Finding(REFUSE, "invalid", "", says), *findings]


def _errors(definition: JSON) -> list[Any]:
    # Imported here: half a second and 23 MiB that only an import needs.
    from fhir.resources.R4B.questionnaire import Questionnaire
    from pydantic import ValidationError

    try:
        Questionnaire.model_validate(definition)
    except ValidationError as error:
        return error.errors(include_url=False, include_context=False)
    except Exception as error:  # the library's own slips on odd input
        return [{"type": "unreadable", "loc": (), "msg": type(error).__name__}]
    return []


def _for_the_library(definition: JSON) -> JSON:
    """A copy without what R4 allows and the library refuses: "_value…" beside an extension's value, names
    of expressions with an underscore, an expansion without its time."""
    clean = copy.deepcopy(definition)
    waiting: list[Any] = [clean]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            waiting.extend(node.values())
            if "url" in node:
                for key in [key for key in node if key.startswith("_value")]:
                    # An extension needs a value: that of one that is worked out is not written down.
                    node.setdefault(key[1:], _PLACEHOLDER.get(key[1:], "?"))
                    del node[key]
            if "expression" in node and isinstance(node.get("name"), str):
                node["name"] = node["name"].replace("_", "-")[:64] or "x"
            if "contains" in node and "timestamp" not in node:
                node["timestamp"] = "2000-01-01T00:00:00Z"
    return clean


_PLACEHOLDER: dict[str, Any] = {
    "valueDate": "2000-01-01",
    "valueDateTime": "2000-01-01",
    "valueInteger": 0,
    "valueDecimal": 0,
    "valueBoolean": True,
}


def _spell(definition: JSON, findings: list[Finding]) -> None:
    """Expressions without a language are FHIRPath here: no other is worked out."""
    waiting: list[tuple[Any, str]] = [(definition, "")]
    while waiting:
        node, link_id = waiting.pop()
        if isinstance(node, list):
            waiting.extend((one, link_id) for one in node)
        elif isinstance(node, dict):
            link_id = str(node.get("linkId", link_id))
            waiting.extend((one, link_id) for one in node.values())
            expression = node.get("valueExpression")
            if (
                isinstance(expression, dict)
                and "expression" in expression
                and "language" not in expression
            ):
                expression["language"] = "text/fhirpath"
                says = (
                    f"{link_id or 'The form'}: an expression without language was read as FHIRPath."
                )
                findings.append(Finding(REPAIR, "expression-language", link_id, says))


def _mend(definition: JSON, error: Any) -> Finding:
    """Take out what the error is about, in place; refuse where the form cannot be without it."""
    loc = list(error["loc"])
    link_id = ""
    node: Any = definition
    parents: list[tuple[Any, Any]] = []
    for part in loc:
        if isinstance(node, dict) and isinstance(node.get("linkId"), str):
            link_id = node["linkId"]
        inside = _inside(node, part)
        if inside is _NOTHING:
            break
        parents.append((node, part))
        node = inside
    where = _place(loc)
    why = _why(error)
    if not parents:
        return Finding(REFUSE, "invalid", link_id, f"The file is not FHIR R4 at {where}: {why}")
    holder, key = parents[-1]
    if key in _NEEDED or (isinstance(key, int) and len(parents) > 1 and parents[-2][1] == "item"):
        return Finding(REFUSE, "invalid", link_id, f"The file is not FHIR R4 at {where}: {why}")
    if isinstance(key, int):
        # Kept in place, so that the places of other errors of this round stay right.
        holder[key] = None
    else:
        del holder[key]
    _prune(definition)
    level = REPAIR if link_id else WARN
    about = f"{link_id}: " if link_id else ""
    return Finding(
        level, "left-out", link_id, f"{about}“{where}” is not FHIR R4 ({why}) and was left out."
    )


_NOTHING = object()


def _inside(node: Any, part: Any) -> Any:
    if isinstance(node, dict):
        return node.get(part, _NOTHING)
    if isinstance(node, list) and isinstance(part, int) and part < len(node):
        return node[part]
    return _NOTHING


def _prune(node: Any) -> None:
    """Takes out what is empty now: FHIR has no null, no empty list and no empty object."""
    if isinstance(node, dict):
        for key in list(node):
            _prune(node[key])
            if node[key] is None or node[key] in ([], {}):
                del node[key]
    elif isinstance(node, list):
        for one in node:
            _prune(one)
        node[:] = [one for one in node if one is not None and one not in ([], {})]


def _place(loc: list[Any]) -> str:
    words = ""
    for part in loc:
        words += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if words else str(part)
    return words[:200] or "the top"


def _why(error: Any) -> str:
    kind = str(error.get("type", ""))
    if kind == "extra_forbidden":
        return "R4 has no such element"
    if kind.endswith("missing"):
        return "something that R4 requires is missing"
    if "pattern" in kind:
        return "its letters are not allowed there"
    if kind.endswith(("_type", "_parsing")):
        return f"it should be a {kind.partition('_')[0]}"
    return str(error.get("msg", "it cannot be read")).rstrip(".")[:160]
