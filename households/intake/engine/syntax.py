"""The grammar of FHIRPath: what an expression is made of, without working it out.

fhirpathpy reads over what it cannot parse; here a syntax error is one, because half an expression would
decide something else than its author wrote.
"""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from antlr4 import CommonTokenStream, InputStream
from antlr4.atn.PredictionMode import PredictionMode
from antlr4.error.ErrorListener import ErrorListener
from antlr4.tree.Tree import TerminalNode
from fhirpathpy.engine.invocations import invocation_registry
from fhirpathpy.parser.ASTPathListener import has_node_type_text
from fhirpathpy.parser.generated.FHIRPathLexer import FHIRPathLexer
from fhirpathpy.parser.generated.FHIRPathParser import FHIRPathParser

from households.intake.engine.shortcuts import shortened

# The longest in 606 real forms has 2,011 characters, brackets in it go 7 deep, and paths have about ten
# steps. Reading takes time that grows with all three, with the steps by the square.
LONGEST = 4_000
DEEPEST = 30
MOST_STEPS = 60

# What the engine adds to the library (expressions.py).
ADDED = {"weight", "ordinal"}


@dataclass(frozen=True)
class Parsed:
    """An expression that can be worked out."""

    tree: dict
    functions: frozenset[str]
    variables: frozenset[str]
    literals: frozenset[str]

    @property
    def unknown_functions(self) -> frozenset[str]:
        return self.functions - invocation_registry.keys() - ADDED


@functools.lru_cache(maxsize=2_000)
def parse(expression: str) -> Parsed | None:
    """None for what is no FHIRPath, or is longer or deeper than anybody writes."""
    if len(expression) > LONGEST or not _is_shallow(expression):
        return None
    try:
        # The tables that ANTLR fills while it reads are shared by all threads.
        with _reading:
            tree = _read(expression)
        return Parsed(shortened(tree), *_parts(tree))
    except (_SyntaxError, RecursionError):
        return None
    except Exception:  # the library's own way to say that it cannot read something
        return None


_reading = threading.Lock()


def _read(expression: str) -> dict:
    listener = _Strict()
    lexer = FHIRPathLexer(InputStream(expression))
    lexer.removeErrorListeners()
    lexer.addErrorListener(listener)
    parser = FHIRPathParser(CommonTokenStream(lexer))
    # The quicker of ANTLR's two ways; all 333 expressions of the real forms read the same with it.
    parser._interp.predictionMode = PredictionMode.SLL
    parser.removeErrorListeners()
    parser.addErrorListener(listener)
    return _node(parser.entireExpression().getChild(0), expression)


def _node(rule: Any, expression: str) -> dict:
    """One node as the library's evaluators take it. The library builds the same by asking every node for
    the text of all that is below it, in several times the time."""
    kind = type(rule).__name__.removesuffix("Context")
    children = list(rule.getChildren())
    node: dict = {
        "type": kind,
        "terminalNodeText": [each.getText() for each in children if isinstance(each, TerminalNode)],
    }
    if has_node_type_text(kind):
        node["text"] = expression[rule.start.start : rule.stop.stop + 1]
    below = [_node(each, expression) for each in children if not isinstance(each, TerminalNode)]
    return {**node, "children": below} if below else node


class _SyntaxError(Exception):
    pass


class _Strict(ErrorListener):  # type: ignore[misc] # it comes without types
    def syntaxError(self, *_: object) -> None:
        raise _SyntaxError


_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`")
_IGNORED = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_DOT = re.compile(r"\s*\.\s*")
_BETWEEN = re.compile(r"[^\w.%()\[\]{}]+")


def _is_shallow(expression: str) -> bool:
    """Counts brackets, and the steps of a path: dots at one depth with no operator between."""
    steps = [0]
    plain = _DOT.sub(".", _IGNORED.sub("", _QUOTED.sub("x", expression)))
    for character in _BETWEEN.sub(" ", plain):
        if character in "([{":
            steps.append(0)
        elif character in ")]}" and len(steps) > 1:
            steps.pop()
        elif character == " ":
            steps[-1] = 0
        elif character == ".":
            steps[-1] += 1
        if len(steps) > DEEPEST or steps[-1] > MOST_STEPS:
            return False
    return True


def _parts(tree: dict) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    functions: set[str] = set()
    variables: set[str] = set()
    literals: set[str] = set()
    for node in _walk(tree):
        kind = node.get("type")
        if kind == "Functn":
            functions.add(_text(node["children"][0]))
        elif kind == "ExternalConstant":
            variables.add(_text(node["children"][0]))
        elif kind == "StringLiteral":
            literals.add(_text(node))
    return frozenset(functions), frozenset(variables), frozenset(literals)


def _walk(tree: dict) -> Iterator[dict]:
    ahead = [tree]
    while ahead:
        node = ahead.pop()
        yield node
        ahead += node.get("children", ())


def _text(node: dict) -> str:
    return str(node.get("text", "")).strip("`'\"")
