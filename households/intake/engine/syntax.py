"""The grammar of FHIRPath: what an expression is made of, without working it out.

fhirpathpy reads over what it cannot parse; here a syntax error is one, because half an expression would
decide something else than its author wrote.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

from antlr4 import CommonTokenStream, InputStream, ParseTreeWalker
from antlr4.error.ErrorListener import ErrorListener
from fhirpathpy.engine.invocations import invocation_registry
from fhirpathpy.parser.ASTPathListener import ASTPathListener
from fhirpathpy.parser.generated.FHIRPathLexer import FHIRPathLexer
from fhirpathpy.parser.generated.FHIRPathParser import FHIRPathParser

# The longest in 606 real forms has 2,011 characters, and brackets in it go 7 deep. Reading takes time that
# grows with both.
LONGEST = 4_000
DEEPEST = 60

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
    if len(expression) > LONGEST or _depth(expression) > DEEPEST:
        return None
    listener = _Strict()
    try:
        lexer = FHIRPathLexer(InputStream(expression))
        lexer.removeErrorListeners()
        lexer.addErrorListener(listener)
        parser = FHIRPathParser(CommonTokenStream(lexer))
        parser.removeErrorListeners()
        parser.addErrorListener(listener)
        builder = ASTPathListener()
        ParseTreeWalker().walk(builder, parser.entireExpression())
        tree = builder.parentStack[0]["children"][0]["children"][0]
        return Parsed(tree, *_parts(tree))
    except (_SyntaxError, RecursionError):
        return None
    except Exception:  # the library's own way to say that it cannot read something
        return None


class _SyntaxError(Exception):
    pass


class _Strict(ErrorListener):  # type: ignore[misc] # it comes without types
    def syntaxError(self, *_: object) -> None:
        raise _SyntaxError


def _depth(expression: str) -> int:
    depth = deepest = 0
    for character in expression:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest


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
