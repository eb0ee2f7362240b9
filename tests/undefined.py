"""A template variable that is not defined fails the test, in our own templates.

Django's templates (the admin's) count on undefined variables being empty; there they stay so.
"""

from __future__ import annotations

import sys
from pathlib import Path

from django.template.base import Node, Origin

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"


class UndefinedVariable(AssertionError):
    pass


class Undefined(str):
    """Django's `string_if_invalid`: empty and false, unless the template that asks is ours."""

    __slots__ = ()

    def __bool__(self) -> bool:
        origin = _asking_template()
        return origin is not None and TEMPLATES in Path(origin.name).parents

    def __contains__(self, part: object) -> bool:
        return True  # so that Django hands the variable's name to the next method

    def __mod__(self, variable: object) -> str:
        origin = _asking_template()
        raise UndefinedVariable(
            f"{origin.template_name if origin else 'a template'} uses {variable}, which is not defined"
        )


def _asking_template() -> Origin | None:
    """Where the tag being rendered was written: an included or inherited template is named itself."""
    frame = sys._getframe(2)
    while frame:
        node = frame.f_locals.get("self")
        if isinstance(node, Node) and hasattr(node, "origin"):
            return node.origin
        frame = frame.f_back
    return None
