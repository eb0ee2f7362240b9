"""Brings a file's JSON into the shapes that FHIR gives its elements, before anything else looks at it: text
where text belongs, lists of objects where those belong, nothing empty (FHIR R4, 2.6.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from households.intake.engine.findings import JSON, REPAIR, WARN, Finding

_TEXTS = frozenset(
    {
        *("url", "operator", "question", "system", "display", "id", "language", "expression"),
        *(
            "resourceType",
            "valueString",
            "valueCanonical",
            "valueUri",
            "valueCode",
            "valueMarkdown",
        ),
        *("answerString", "answerDate", "answerDateTime", "answerTime"),
    }
)
# Text in a form and in its items, and something else in other parts of it: an identifier has a "type" too.
_TEXTS_OF_FORM = frozenset({"status", "title", "name", "version", "publisher"})
_TEXTS_OF_ITEM = frozenset({"linkId", "type", "prefix", "answerValueSet", "enableBehavior"})
_OBJECTS = frozenset(
    {"item", "extension", "modifierExtension", "enableWhen", "contained", "initial"}
)
_ONE_OBJECT = frozenset(
    {"valueCoding", "valueCodeableConcept", "valueExpression", "valueQuantity", "answerCoding"}
)
# Their JSON is text in some files and a number in others; mending.py reads the rest.
_NUMBERS_TOO = frozenset({"linkId", "version", "id", "prefix", "title", "name"})
# Of wrong kinds these are said by the rules that read them.
_SAID_LATER = frozenset({"answerDate", "answerDateTime", "answerTime", "answerString"})


def mend_shapes(form: JSON) -> Iterator[Finding]:
    """Mends in place. Goes down without recursion."""
    empty = 0
    waiting: list[tuple[Any, str, frozenset[str]]] = [(form, "", _TEXTS | _TEXTS_OF_FORM)]
    while waiting:
        node, link_id, texts = waiting.pop()
        if isinstance(node, dict):
            own = node.get("linkId")
            link_id = own if isinstance(own, str) else link_id
            for key in list(node):
                if _is_empty(node[key]) and key not in _SAID_LATER:
                    empty += 1
                    del node[key]
                else:
                    yield from _mend(node, key, link_id, texts)
            waiting.extend(
                (value, link_id, _TEXTS | _TEXTS_OF_ITEM if key == "item" else _TEXTS)
                for key, value in node.items()
            )
        elif isinstance(node, list):
            kept = [one for one in node if not _is_empty(one)]
            empty += len(node) - len(kept)
            node[:] = kept
            waiting.extend((one, link_id, texts) for one in node)
    if empty:
        says = f"{empty} empty elements were left out: FHIR has none."
        yield Finding(WARN, "empty-elements", "", says)


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _mend(node: JSON, key: str, link_id: str, texts: frozenset[str]) -> Iterator[Finding]:
    value = node[key]
    if key in texts and not isinstance(value, str):
        if key in _SAID_LATER:
            return
        if key in _NUMBERS_TOO and isinstance(value, (int, float)) and not isinstance(value, bool):
            node[key] = str(value)
            yield _repair(link_id, f"“{key}” is a number in the file, read as text.")
        else:
            del node[key]
            yield _repair(link_id, f"“{key}” is not text in the file and was left out.")
    elif key in _OBJECTS:
        if isinstance(value, dict):
            node[key] = [value]
            yield _repair(link_id, f"“{key}” stands alone in the file, read as a list of one.")
        elif not isinstance(value, list):
            del node[key]
            yield _repair(link_id, f"“{key}” is not a list in the file and was left out.")
        elif any(not isinstance(one, dict) for one in value):
            node[key] = [one for one in value if isinstance(one, dict)]
            yield _repair(link_id, f"A part of “{key}” is no object and was left out.")
    elif key in _ONE_OBJECT and not isinstance(value, dict):
        del node[key]
        yield _repair(link_id, f"“{key}” is no object in the file and was left out.")


def _repair(link_id: str, says: str) -> Finding:
    return Finding(REPAIR, "shape", link_id, f"{link_id or 'The form'}: {says}")
