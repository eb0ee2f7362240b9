"""What an import has to say about a questionnaire, and the ways to walk one that may be broken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

# It cannot be used as it is. / It was put right, and how. / It works, with a difference to know of.
REFUSE, REPAIR, WARN = "refuse", "repair", "warn"

TYPES = frozenset(
    {
        *("group", "display", "boolean", "decimal", "integer", "date", "dateTime", "time"),
        *("string", "text", "url", "choice", "open-choice", "attachment", "reference", "quantity"),
    }
)

JSON = dict[str, Any]


@dataclass(frozen=True)
class Finding:
    """`rule` is a fixed word; `link_id` is "" where it is about the whole form; `says` a plain sentence:
    what, and what families see instead."""

    level: str
    rule: str
    link_id: str
    says: str

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def in_order(findings: list[Finding]) -> list[Finding]:
    """Each once, worst first."""
    levels = (REFUSE, REPAIR, WARN)
    return sorted(dict.fromkeys(findings), key=lambda finding: levels.index(finding.level))


def named(item: JSON) -> str:
    """How staff find an item again: its words, or the linkId where it has none."""
    text = item.get("text")
    if isinstance(text, str) and text.strip():
        words = " ".join(text.split())
        return f"“{words[:70]}…”" if len(words) > 71 else f"“{words}”"
    return f"The item {item.get('linkId') or 'without linkId'}"


def walk(items: Any, parent: JSON | None = None) -> Iterator[tuple[JSON, JSON | None]]:
    """Every item with its parent, in the order of the form; what is no item is left out. Takes lists of
    any depth without recursion."""
    waiting = [(one, parent) for one in reversed(children(items))]
    while waiting:
        item, above = waiting.pop()
        yield item, above
        waiting.extend((one, item) for one in reversed(children(item.get("item"))))


def children(items: Any) -> list[JSON]:
    return [one for one in items if isinstance(one, dict)] if isinstance(items, list) else []


def extensions(element: JSON) -> list[JSON]:
    return [one for one in children(element.get("extension")) if isinstance(one.get("url"), str)]


def tail(url: str) -> str:
    """The name of an extension without its address: "hidden" of …/questionnaire-hidden."""
    name = url.rstrip("/").rpartition("/")[2]
    return name.removeprefix("sdc-").removeprefix("questionnaire-").removeprefix("extension-")


def value_of(element: JSON, prefix: str) -> tuple[str, Any]:
    """The first choice element: ("valueInteger", 3); ("", None) where there is none."""
    for key, value in element.items():
        if key.startswith(prefix) and len(key) > len(prefix) and key[len(prefix)].isupper():
            return key, value
    return "", None
