"""What forms ask again and again, marked in the tree of an expression so that it is worked out once.

A form with 60 questions may ask `%resource.repeat(item).where(linkId='…')` 150 times over, and the library
walks all answers each time. Nodes of our own stand around those of the library: KEPT, a part that depends on
nothing but the response or the form and so has one value as long as they are the same; WITH, a `where` that
compares one plain member with one word; and MEMBER, a step of a path, which the library takes without bounds.
expressions.py says how they are worked out.
"""

from __future__ import annotations

from typing import Any

KEPT = "Kept"
WITH = "With"
MEMBER = "Member"

# What is the same for every place in a form. The first two change with the answers.
_OF_THE_ANSWERS = {"resource", "rootResource"}
_CLOSED = {*_OF_THE_ANSWERS, "questionnaire", "patient", "ucum", "loinc", "sct"}
# Functions that ask something of each element of what stands before them.
_ASKING = {"where", "select", "all", "exists", "repeat"}
# Members that have one word, and no other types.
_PLAIN = {"linkId", "url", "code", "system", "use"}


def shortened(tree: dict) -> dict:
    """The tree with those marks."""
    children = [shortened(child) for child in tree.get("children", ())]
    tree = {**tree, "children": children} if children else tree
    if tree["type"] == "MemberInvocation":
        return {"type": MEMBER, "children": [tree]}
    with_word = _with(tree)
    if with_word is not None:
        return with_word
    if tree["type"] in ("InvocationExpression", "UnionExpression"):
        names: set[str] = set()
        key = _key(tree)
        if key and _is_closed(tree, names):
            changes = bool(names & _OF_THE_ANSWERS)
            return {"type": KEPT, "key": key, "changes": changes, "children": [tree]}
    return tree


def _with(tree: dict) -> dict | None:
    """where(linkId = 'word')"""
    if tree["type"] != "FunctionInvocation":
        return None
    name, *parameters = tree["children"][0]["children"]
    if name.get("text") != "where" or not parameters or len(parameters[0]["children"]) != 1:
        return None
    condition = parameters[0]["children"][0]
    if condition["type"] != "EqualityExpression" or condition["terminalNodeText"] != ["="]:
        return None
    member, word = condition["children"]
    written = word.get("text", "")
    is_word = _innermost(word)["type"] == "StringLiteral" and "\\" not in written
    is_member = _innermost(member)["type"] == "Identifier" and member.get("text") in _PLAIN
    if not is_word or not is_member:
        return None
    return {"type": WITH, "member": member["text"], "word": written[1:-1], "children": [tree]}


def _innermost(tree: dict) -> dict:
    while len(tree.get("children", ())) == 1 and tree["type"] != "FunctionInvocation":
        tree = tree["children"][0]
    return tree


def _key(tree: dict) -> str:
    """How it is written, without blanks."""
    if tree["type"] == KEPT:
        return str(tree["key"])
    if tree.get("text"):
        return str(tree["text"])
    keys = [_key(child) for child in tree.get("children", ())]
    is_plain = tree["type"] in ("UnionExpression", "ParenthesizedTerm", "TermExpression")
    return f"({'|'.join(keys)})" if is_plain and keys and all(keys) else ""


def _is_closed(tree: dict, names: set[str]) -> bool:
    """Whether its value is the same wherever it stands; adds the names that it depends on."""
    kind, children = tree["type"], tree.get("children", [])
    if kind == "ExternalConstantTerm":
        name = _name(tree)
        names.add(name)
        return name in _CLOSED
    if kind == "LiteralTerm":
        return True
    if kind == "InvocationExpression":
        return _is_closed(children[0], names) and _is_bound(children[1], names)
    if kind in (KEPT, "TermExpression", "ParenthesizedTerm", "UnionExpression", "InvocationTerm"):
        return bool(children) and all(_is_closed(child, names) for child in children)
    return False


def _is_bound(tree: dict, names: set[str]) -> bool:
    """Whether a step of a path depends on nothing but what stands before it."""
    if tree["type"] in (MEMBER, WITH):
        return True
    if tree["type"] != "FunctionInvocation":
        return False
    name, *parameters = tree["children"][0]["children"]
    if not parameters:
        return True
    if name.get("text") in _ASKING:
        return _asks_nothing_else(parameters[0], names)
    return all(_is_closed(each, names) for each in parameters[0]["children"])


def _asks_nothing_else(tree: dict, names: set[str]) -> bool:
    if tree["type"] == "ExternalConstantTerm":
        return _is_closed(tree, names)
    if tree["type"] == "TotalInvocation":
        return False
    return all(_asks_nothing_else(child, names) for child in tree.get("children", ()))


def _name(tree: dict[str, Any]) -> str:
    return str(tree["children"][0]["children"][0].get("text", "")).strip("`'")
