"""FHIRPath in forms, worked out by fhirpathpy inside bounds (SECURITY: an imported form is foreign code).

An expression can run for ever (`repeat`), or blow up (`power`, `aggregate($total & $total)`), and the library
has no limits of its own. Signals do not work in worker threads, so the limits are in the functions: the table
of functions.py wraps every function and operator of the library. Each call, and each element that a `where`
or a `select` looks at, reads the clock (CPU time of this thread); each result is measured before it goes on.
What happens between two readings is bounded, because expressions are short (syntax.py), and strings, numbers
and collections are small; what the library does in time that grows with the square, is done in another way.

The library also gets repairs here (FORMS.md 2.3): sum, min and max over what is read from a resource,
weight() and ordinal(), patterns by RE2, powers with fractions, rounding half up, `$this` after an inner
`where`, and today() of the practice instead of the machine.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import fhirpathpy
from fhirpathpy.engine import do_eval, util
from fhirpathpy.engine.evaluators import evaluators
from fhirpathpy.engine.nodes import FP_Quantity, FP_Type, ResourceNode, TypeInfo

from households.intake.engine.bounds import Clock, Failure, gathered, measured
from households.intake.engine.functions import TABLE
from households.intake.engine.shortcuts import KEPT, MEMBER, WITH
from households.intake.engine.syntax import parse

__all__ = ["RESOURCE_TYPES", "Clock", "Failure", "exact", "node", "work_out"]


def work_out(
    expression: str, focus: ResourceNode, variables: Mapping[str, Any], clock: Clock
) -> list[Any]:
    """The values, as JSON has them (numbers as Decimal or int). Raises Failure and nothing else."""
    parsed = parse(expression)
    if parsed is None:
        raise Failure
    clock.look()
    context = {
        "dataRoot": [focus],
        "vars": variables,
        "model": _MODEL,
        "userInvocationTable": TABLE,
        "clock": clock,
    }
    try:
        return [_plain(each) for each in util.arraify(do_eval(context, [focus], parsed.tree))]
    except Failure:
        raise
    except Exception as problem:  # the library raises whatever it comes upon
        raise Failure from problem


def node(data: Any, path: str) -> ResourceNode:
    """JSON as the library reads it; `path` is its place in a resource: "QuestionnaireResponse.item"."""
    return ResourceNode.create_node(data, path)


def exact(data: Any) -> Any:
    """JSON with its floats as decimals, so that 0.1 is 0.1."""
    if isinstance(data, float):
        return Decimal(str(data))
    if isinstance(data, dict):
        return {key: exact(held) for key, held in data.items()}
    return [exact(each) for each in data] if isinstance(data, list) else data


def _plain(value: Any) -> Any:
    value = util.get_data(value)
    if isinstance(value, FP_Quantity):
        unit = str(value.unit or "").strip("'")
        return {"value": value.value, **({"unit": unit, "code": unit} if unit else {})}
    return str(value) if isinstance(value, FP_Type) else value


# The model of R4 ------------------------------------------------------------------------------------


def _read_model() -> dict[str, dict]:
    """fhirpathpy.models reads all four releases of FHIR into memory; one is enough."""
    folder = Path(fhirpathpy.__file__).parent / "models" / "r4"
    return {each.stem: json.loads(each.read_text("utf-8")) for each in folder.glob("*.json")}


_MODEL = _read_model()
RESOURCE_TYPES = frozenset(
    name
    for name, parent in _MODEL["type2Parent"].items()
    if parent in ("DomainResource", "Resource") and name != "DomainResource"
)
# The library sets it at the first "is" of whichever thread; set once, it is the same for all.
setattr(TypeInfo, "model", _MODEL)  # noqa: B010 # its type says None


# Shortcuts ------------------------------------------------------------------------------------------


def _kept(context: dict, data: Any, tree: dict) -> list:
    kept = context["clock"].kept[tree["changes"]]
    if tree["key"] not in kept:
        kept[tree["key"]] = util.arraify(do_eval(context, data, tree["children"][0]))
    # A copy: the library changes lists in place.
    return list(kept[tree["key"]])


def _with(context: dict, data: Any, tree: dict) -> list:
    context["clock"].look()
    found = []
    for each in data:
        held = util.get_data(each)
        held = held.get(tree["member"]) if isinstance(held, dict) else None
        if held == tree["word"]:
            found.append(each)
        elif held is not None and not isinstance(held, str):
            # Not what this is for: the long way.
            return util.arraify(do_eval(context, data, tree["children"][0]))
    return found


def _member(context: dict, data: Any, tree: dict) -> list:
    step = tree["children"][0]
    if len(data) < 20:
        return measured(do_eval(context, data, step))
    return gathered(context, (do_eval(context, [each], step) for each in data))


# More kinds of nodes; those of the library stay as they are.
evaluators[KEPT] = _kept
evaluators[WITH] = _with
evaluators[MEMBER] = _member
