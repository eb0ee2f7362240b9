"""What a version asks, ready to be filled: its definition joined with the lists of choices on file."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from threading import Lock
from typing import Any

from households.intake.engine.items import Definition, read_definition
from households.intake.models import QuestionnaireVersion, ValueSet

# Versions whose items a worker keeps in memory. A form of 300 questions takes about 1 MB.
_KEPT_AT_MOST = 40

_kept: OrderedDict[tuple[Any, ...], Definition] = OrderedDict()
_lock = Lock()


def canonical(value: Any) -> str:
    """JSON in its one spelling: sorted keys, no blanks, letters as they are."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha256_of(value: Any) -> str:
    """The SHA-256 of a JSON value's canonical spelling."""
    # "surrogatepass": JSON may hold half a character, and it has to have a fingerprint too.
    return hashlib.sha256(canonical(value).encode("utf-8", "surrogatepass")).hexdigest()


def definition_of(version: QuestionnaireVersion) -> Definition:
    """The items of a version, with the choices of the lists it names as they are on file now.

    One query, or none for a definition that names no list. Kept in memory by what it is made of, so a list
    that is imported later, or a draft that is saved again, is read anew.
    """
    names = sorted(lists_named(version.definition))
    on_file = list(ValueSet.objects.filter(url__in=names)) if names else []
    key = (
        version.pk,
        version.sha256,
        tuple((one.pk, one.imported_at, len(one.concepts)) for one in on_file),
    )
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    definition = read_definition(version.definition, choices_by_name(on_file, names))
    with _lock:
        _kept[key] = definition
        while len(_kept) > _KEPT_AT_MOST:
            _kept.popitem(last=False)
    return definition


def choices_by_name(
    lists: Sequence[ValueSet], names: Sequence[str] = ()
) -> Mapping[str, Sequence[dict[str, Any]]]:
    """Address -> choices, also under the names that carry a version behind "|"."""
    by_url = {one.url: one.concepts for one in lists}
    with_version = {
        name: by_url[name.partition("|")[0]] for name in names if name.partition("|")[0] in by_url
    }
    return {**by_url, **with_version}


def lists_named(definition: Mapping[str, Any]) -> set[str]:
    """The addresses of the lists outside the file that its questions name, with and without version."""
    named = {value for value in _list_names(definition) if not value.startswith("#")}
    return named | {value.partition("|")[0] for value in named}


def _list_names(definition: Any) -> Iterator[str]:
    """Of questions, of units, and of lists inside the file that take in others (ValueSet.compose)."""
    open_nodes = [definition]
    while open_nodes:
        one = open_nodes.pop()
        if isinstance(one, list):
            open_nodes.extend(one)
        elif isinstance(one, dict):
            names = [one.get("answerValueSet")]
            if str(one.get("url", "")).endswith("questionnaire-unitValueSet"):
                names.append(one.get("valueCanonical"))
            if isinstance(one.get("valueSet"), list):
                names += one["valueSet"]
            yield from (name for name in names if isinstance(name, str) and name)
            open_nodes.extend(value for value in one.values() if isinstance(value, (dict, list)))
