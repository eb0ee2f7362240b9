"""Puts right what is wrong in a questionnaire and has one meaning all the same (FHIR R4, the invariants que-1
to que-13 of Questionnaire), and says so. Works on any JSON: it runs before the validation."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

from households.intake.engine.findings import (
    JSON,
    REFUSE,
    REPAIR,
    TYPES,
    WARN,
    Finding,
    children,
    extensions,
    named,
    tail,
    walk,
)

_FHIR = "http://hl7.org/fhir/StructureDefinition/"
_CATEGORY = "http://hl7.org/fhir/questionnaire-display-category"
_STATUS = {"draft", "active", "retired", "unknown"}
_LENGTH_COUNTS = {"boolean", "decimal", "integer", "string", "text", "url", "open-choice"}
# que-5: whose answers may be chosen from a list.
_MAY_HAVE_OPTIONS = {
    *{"choice", "open-choice", "decimal", "integer", "date", "dateTime", "time", "string"},
    "quantity",
}
_LISTS = ("item", "answerOption", "enableWhen", "code", "initial", "extension")
_BOOLEANS = ("required", "repeats", "readOnly")


def mend_form(form: JSON) -> Iterator[Finding]:
    """Mends what stands above the questions, in place."""
    if form.get("status") not in _STATUS:
        was = form.get("status")
        form["status"] = "draft"
        says = f"The status “{was}” is not one of FHIR" if was else "The file has no status"
        yield Finding(REPAIR, "status", "", f"{says}: it counts as a draft until you publish it.")
    elif form["status"] == "retired":
        yield Finding(
            WARN,
            "retired",
            "",
            "Its author has marked this form as retired. Ask whether there is a newer one.",
        )
    url = form.get("url")
    if not isinstance(url, str) or not url.strip() or re.search(r"\s", url.strip()):
        parts = [str(form.get(key, "")) for key in ("publisher", "id", "name", "title")]
        made_up = uuid.uuid5(uuid.NAMESPACE_URL, "\n".join(["kinchart", *parts]))
        form["url"] = f"urn:uuid:{made_up}"
        yield Finding(
            REPAIR,
            "url",
            "",
            "The file has no address (url) of its own: one was made from its publisher, id, name and title. "
            "A later file with the same four becomes a new version of this form.",
        )
    elif url != url.strip() or "|" in url:
        form["url"], _bar, version = url.strip().partition("|")
        if version and not form.get("version"):
            form["version"] = version
        yield Finding(REPAIR, "url", "", "The address (url) was cleaned of blanks and a version.")
    if not isinstance(form.get("title"), str) or not form["title"].strip():
        form["title"] = str(form.get("name") or form.get("id") or "Form without a title")
        yield Finding(
            REPAIR,
            "title",
            "",
            f"The file has no title: families read “{form['title']}”. Change it before you publish.",
        )


def mend_items(form: JSON) -> Iterator[Finding]:
    """Mends the questions one by one, in place; conditions are in conditions_mending.py."""
    for item, _parent in list(walk(form.get("item"))):
        yield from _mend_spelling(item)
    yield from _mend_link_ids(form)
    taken = {item["linkId"] for item, _parent in walk(form.get("item"))}
    for item, _parent in list(walk(form.get("item"))):
        yield from _mend_type(item)
        yield from _mend_display(item)
        yield from _mend_options(item)
        yield from _mend_initial(item)
        yield from _mend_limits(item)
        yield from _mend_instruction(item, taken)
    yield from _mend_empty_groups(form)


def _mend_spelling(item: JSON) -> Iterator[Finding]:
    if "require" in item and "required" not in item:
        item["required"] = item.pop("require")
        yield _repair("spelling", item, "“require” was read as “required”.")
    for key in _BOOLEANS:
        if key in item and not isinstance(item[key], bool):
            value = item[key]
            item[key] = str(value).strip().lower() in ("true", "1", "yes")
            yield _repair(
                "boolean", item, f"“{key}” is {value!r} in the file, read as {item[key]}."
            )
    for key in _LISTS:
        if key in item and not isinstance(item[key], list):
            item[key] = [item[key]]
            yield _repair("list", item, f"“{key}” stands alone in the file, read as a list of one.")
    if isinstance(item.get("maxLength"), str) and item["maxLength"].strip().isdigit():
        item["maxLength"] = int(item["maxLength"])
        yield _repair("number", item, "The longest answer was written as text, read as a number.")
    for key in ("text", "prefix"):
        if key in item and not isinstance(item[key], str):
            item[key] = str(item[key])
            yield _repair("text", item, f"“{key}” is not text in the file, read as text.")
    for key in ("minValue", "maxValue"):
        if key in item:
            value = item.pop(key)
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                kind = "valueInteger" if isinstance(value, int) else "valueDecimal"
                item.setdefault("extension", []).append({"url": _FHIR + key, kind: value})
            yield _repair("limit", item, f"“{key}” stands where FHIR has no such thing, moved.")
    for code in children(item.get("code")):
        if isinstance(code.get("code"), str) and code["code"] != code["code"].strip():
            code["code"] = code["code"].strip()
            yield _repair("code", item, "Its code was cleaned of blanks.")
    for number, option in enumerate(item.get("answerOption", ())):
        if isinstance(option, (str, int)) and not isinstance(option, bool):
            kind = "valueString" if isinstance(option, str) else "valueInteger"
            item["answerOption"][number] = {kind: option}
            yield _repair("option", item, f"The choice “{option}” was put into FHIR's form.")


def _mend_link_ids(form: JSON) -> Iterator[Finding]:
    """que-2, and an id for who has none: made of the place, so that the same file has the same ids."""
    items = [item for item, _parent in walk(form.get("item"))]
    taken = {item["linkId"].strip() for item in items if isinstance(item.get("linkId"), str)}
    seen: set[str] = set()
    for number, item in enumerate(items, 1):
        was = item.get("linkId")
        given = (
            was.strip()
            if isinstance(was, str)
            else str(was)
            if isinstance(was, (int, float))
            else ""
        )
        if given and given not in seen:
            item["linkId"] = given
            seen.add(given)
            if given != was:
                yield _repair("link-id", item, "Its linkId was cleaned.")
            continue
        stem = f"{given}-" if given else "item-"
        item["linkId"] = next(
            name
            for name in (f"{stem}{count}" for count in range(2 if given else number, 10**6))
            if name not in taken and name not in seen
        )
        seen.add(item["linkId"])
        if given:
            yield _repair(
                "que-2",
                item,
                f"Its linkId “{given}” is used more than once: this one is now “{item['linkId']}”. "
                "Conditions that name it look at the first one.",
            )
        else:
            yield _repair("link-id", item, f"It has no linkId: it was given “{item['linkId']}”.")


def _mend_type(item: JSON) -> Iterator[Finding]:
    kind = item.get("type")
    if kind in TYPES:
        return
    if kind is None and children(item.get("item")):
        item["type"] = "group"
        yield _repair("type", item, "It has no type and has questions inside: shown as a section.")
    elif kind is None and item.get("answerOption"):
        item["type"] = "choice"
        yield _repair("type", item, "It has no type and has choices: shown as a choice.")
    elif kind == "question" and children(item.get("item")):
        item["type"] = "group"
        yield _repair("type", item, "Its type “question” only names a kind: shown as a section.")
    else:
        says = f"The type “{kind}” is not one of FHIR R4." if kind else "It has no type."
        yield Finding(
            REFUSE,
            "type",
            item["linkId"],
            f"{named(item)}: {says} Give it one of: {', '.join(sorted(TYPES))}.",
        )


def _mend_display(item: JSON) -> Iterator[Finding]:
    """que-1, 3, 6, 8 and 9: what a text, or a section, cannot have."""
    kind = item.get("type")
    if kind == "display" and children(item.get("item")):
        item["type"] = kind = "group"
        yield _repair("que-1", item, "It is a text with questions inside: shown as a section.")
    wrong = {
        "display": ("required", "repeats", "readOnly", "initial", "code", "maxLength"),
        "group": ("initial", "maxLength"),
    }
    rules = {"required": "que-6", "repeats": "que-6", "readOnly": "que-9", "code": "que-3"}
    for key in wrong.get(str(kind), ()):
        if key in item:
            value = item.pop(key)
            if value is not False and key != "code":
                thing = "a text to read" if kind == "display" else "a section"
                rule = rules.get(key, "que-8" if key == "initial" else "que-10")
                yield _repair(rule, item, f"It is {thing}: “{key}” means nothing and was left out.")


def _mend_options(item: JSON) -> Iterator[Finding]:
    """que-4 and 5, and a choice of nothing."""
    kind = item.get("type")
    has_options, has_list = bool(item.get("answerOption")), bool(item.get("answerValueSet"))
    if (has_options or has_list) and kind not in _MAY_HAVE_OPTIONS:
        if kind in ("text", "url"):
            item["type"] = "open-choice"
            says = "It has choices and free text: shown as choices with a box for other words."
        else:
            item.pop("answerOption", None)
            item.pop("answerValueSet", None)
            says = f"Its type ({kind}) cannot have choices: they were left out."
        yield _repair("que-5", item, says)
    elif has_options and has_list:
        item.pop("answerValueSet")
        says = "It has choices of its own and a list: the list was left out, the choices are shown."
        yield _repair("que-4", item, says)
    elif kind == "choice" and not has_options and not has_list and not _finds_its_options(item):
        item["type"] = "string"
        yield _repair("no-options", item, "It is a choice of nothing: shown as a box to type in.")


def _finds_its_options(item: JSON) -> bool:
    names = {tail(one["url"]) for one in extensions(item)}
    return bool(names & {"answerExpression", "candidateExpression", "subQuestionnaire"})


def _mend_initial(item: JSON) -> Iterator[Finding]:
    """que-11 and 13."""
    initial = children(item.get("initial"))
    if initial and item.get("answerOption"):
        item.pop("initial")
        missing = 0
        for one in initial:
            option = next((o for o in children(item["answerOption"]) if _same(o, one)), None)
            if option is None:
                missing += 1
            else:
                option["initialSelected"] = True
        says = "What is chosen at the start was moved to the choices."
        if missing:
            says = "What is chosen at the start is none of the choices: nothing is."
        yield _repair("que-11", item, says)
    elif len(initial) > 1 and not item.get("repeats"):
        item["initial"] = initial[:1]
        yield _repair(
            "que-13", item, "It takes one answer and has several at the start: the first."
        )


def _same(option: JSON, initial: JSON) -> bool:
    one, other = option.get("valueCoding"), initial.get("valueCoding")
    if isinstance(one, dict) and isinstance(other, dict):
        return one.get("code") == other.get("code")
    return any(
        key.startswith("value") and key in option and option[key] == value
        for key, value in initial.items()
    )


def _mend_limits(item: JSON) -> Iterator[Finding]:
    if "maxLength" in item and item.get("type") not in _LENGTH_COUNTS:
        item.pop("maxLength")
        yield _repair("que-10", item, "A longest answer has no meaning for its type: left out.")
    names = {tail(one["url"]) for one in extensions(item)}
    hidden = any(
        tail(one["url"]) == "hidden" and one.get("valueBoolean") for one in extensions(item)
    )
    fills_itself = (
        bool(names & {"calculatedExpression", "initialExpression"})
        or bool(item.get("initial"))
        or any(option.get("initialSelected") for option in children(item.get("answerOption")))
    )
    nobody_can = (hidden or item.get("readOnly")) and not fills_itself
    if item.get("required") and nobody_can and item.get("type") != "group":
        item.pop("required")
        says = "It is required, and families cannot answer it: “required” was left out."
        yield _repair("required-unanswerable", item, says)


def _mend_instruction(item: JSON, taken: set[str]) -> Iterator[Finding]:
    """An instruction of a kind that FHIR never published becomes the help text that R4 has for it."""
    for one in extensions(item):
        words = one.get("valueString")
        if tail(one["url"]) != "instruction" or not isinstance(words, str) or not words.strip():
            continue
        item["extension"].remove(one)
        if not item["extension"]:
            del item["extension"]
        if item.get("type") == "display":
            continue
        link_id = next(
            name
            for name in (f"{item['linkId']}-help{count}" for count in ("", *range(2, 10**6)))
            if name not in taken
        )
        taken.add(link_id)
        category = {"coding": [{"system": _CATEGORY, "code": "instructions"}]}
        text = {
            "linkId": link_id,
            "type": "display",
            "text": words.strip(),
            "extension": [
                {
                    "url": f"{_FHIR}questionnaire-displayCategory",
                    "valueCodeableConcept": category,
                }
            ],
        }
        item["item"] = [text, *children(item.get("item"))]
        yield _repair("instruction", item, "Its instruction was put into a help text.")


def _mend_empty_groups(form: JSON) -> Iterator[Finding]:
    """que-1. From the inside out, since a section of empty sections is empty too."""
    for item, parent in reversed(list(walk(form.get("item")))):
        if item.get("type") != "group" or children(item.get("item")):
            continue
        if any(tail(one["url"]) == "subQuestionnaire" for one in extensions(item)):
            continue
        if item.get("text"):
            item["type"] = "display"
            for key in ("required", "repeats", "readOnly", "code", "item"):
                item.pop(key, None)
            yield _repair("que-1", item, "It is a section with nothing in it: shown as a text.")
        else:
            siblings = (parent or form)["item"]
            siblings[:] = [one for one in siblings if one is not item]
            yield _repair("que-1", item, "It is a section with nothing in it: left out.")


def _repair(rule: str, item: JSON, says: str) -> Finding:
    return Finding(REPAIR, rule, str(item.get("linkId") or ""), f"{named(item)}: {says}")
