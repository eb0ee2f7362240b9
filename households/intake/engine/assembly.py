"""Puts a modular form together (SDC, "Modular Forms"): an item that names another form (subQuestionnaire)
becomes the questions of that form."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from households.intake.engine.findings import (
    JSON,
    REPAIR,
    Finding,
    children,
    extensions,
    named,
    tail,
    walk,
)

_MOST_ITEMS = 6000
_ROOT_EXTENSIONS = {"variable"}


def assembled(form: JSON, on_file: Mapping[str, JSON]) -> tuple[JSON, list[Finding]]:
    """The form with the questions of the forms that it names, and what was done. `on_file`: Questionnaires
    by address, without version. What is not among them stays as it is: lint names it. A form that
    contains itself is put in once on each way down."""
    if not parts_named(form):
        return form, []
    whole = copy.deepcopy(form)
    findings: list[Finding] = []
    taken = {str(item.get("linkId")) for item, _parent in walk(whole.get("item"))}
    own = {str(form.get("url", "")).partition("|")[0]}
    budget = [_MOST_ITEMS]
    _fill(whole, whole, on_file, taken, own, findings, budget)
    return whole, findings


def parts_named(form: JSON) -> set[str]:
    """The addresses of the forms that belong into this one."""
    return {name for item, _parent in walk(form.get("item")) if (name := _named(item))}


def _named(item: JSON) -> str:
    for one in extensions(item):
        value = one.get("valueCanonical")
        if tail(one["url"]) == "subQuestionnaire" and isinstance(value, str):
            return value.partition("|")[0]
    return ""


def _fill(
    root: JSON,
    above: JSON,
    on_file: Mapping[str, JSON],
    taken: set[str],
    on_the_way: set[str],
    findings: list[Finding],
    budget: list[int],
) -> None:
    filled: list[JSON] = []
    for item in children(above.get("item")):
        url = _named(item)
        part = on_file.get(url)
        if not url or part is None or url in on_the_way:
            _fill(root, item, on_file, taken, on_the_way, findings, budget)
            filled.append(item)
            continue
        count = sum(1 for _each in walk(part.get("item")))
        budget[0] -= count
        if budget[0] < 0:
            filled.append(item)
            continue
        inside = _renamed(copy.deepcopy(part), item, taken)
        _take_over(root, item, inside)
        group = {key: value for key, value in item.items() if key not in ("type", "item")}
        group["extension"] = [
            one for one in children(item.get("extension")) if _is_not_the_name(one)
        ] + [one for one in extensions(inside) if tail(one["url"]) in _ROOT_EXTENSIONS]
        if not group["extension"]:
            del group["extension"]
        group["type"] = "group"
        group["item"] = inside["item"]
        if not str(group.get("text", "")).strip() or item.get("type") == "display":
            group["text"] = str(part.get("title") or group.get("text") or "")
        for key in ("required", "repeats", "readOnly", "initial"):
            if item.get("type") != "group":
                group.pop(key, None)
        if not group["text"]:
            del group["text"]
        _fill(root, group, on_file, taken, {*on_the_way, url}, findings, budget)
        filled.append(group)
        says = f"{named(group)}: the {count} questions and texts of the form {url} were put in."
        findings.append(Finding(REPAIR, "assembled", str(item.get("linkId") or ""), says))
    if "item" in above:
        above["item"] = filled


def _is_not_the_name(extension: JSON) -> bool:
    return tail(str(extension.get("url", ""))) != "subQuestionnaire"


def _renamed(part: JSON, item: JSON, taken: set[str]) -> JSON:
    """linkIds that are taken get the item's in front, in the conditions of the part too. The SDC prefix
    (linkIdPrefix) counts where the item has one."""
    prefix = next(
        (
            str(one.get("valueString", ""))
            for one in extensions(item)
            if tail(one["url"]) == "linkIdPrefix"
        ),
        "",
    )
    names: dict[str, str] = {}
    for inner, _parent in walk(part.get("item")):
        was = str(inner.get("linkId", ""))
        name = f"{prefix}{was}"
        if name in taken:
            name = f"{item.get('linkId')}.{was}"
        count = 2
        while name in taken:
            name, count = f"{item.get('linkId')}.{was}-{count}", count + 1
        names.setdefault(was, name)
        inner["linkId"] = name
        taken.add(name)
    for inner, _parent in walk(part.get("item")):
        for condition in children(inner.get("enableWhen")):
            if condition.get("question") in names:
                condition["question"] = names[condition["question"]]
        for one in extensions(inner):
            expression = one.get("valueExpression")
            if isinstance(expression, dict) and isinstance(expression.get("expression"), str):
                for was, name in names.items():
                    if was != name:
                        for quote in ("'", '"'):
                            expression["expression"] = (
                                expression["expression"]
                                .replace(
                                    f"linkId={quote}{was}{quote}", f"linkId={quote}{name}{quote}"
                                )
                                .replace(
                                    f"linkId = {quote}{was}{quote}",
                                    f"linkId = {quote}{name}{quote}",
                                )
                            )
    return part


def _take_over(root: JSON, item: JSON, part: JSON) -> None:
    """The lists inside the other file come along, under names of their own."""
    contained = children(part.get("contained"))
    if not contained:
        return
    there = {one.get("id"): one for one in children(root.get("contained"))}
    names = {}
    for one in contained:
        name = one.get("id")
        if name in there and there[name] != one:
            one = {**one, "id": f"{item.get('linkId')}-{name}"[:64]}
        names[f"#{name}"] = f"#{one.get('id')}"
        if one.get("id") not in there:
            root.setdefault("contained", []).append(one)
            there[one.get("id")] = one
    for inner, _parent in walk(part.get("item")):
        if inner.get("answerValueSet") in names:
            inner["answerValueSet"] = names[inner["answerValueSet"]]
