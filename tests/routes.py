"""The resolver's addresses, walked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

CHART = "for/<str:key>/"


def every_pattern(resolver: Any = None, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLResolver):
            yield from every_pattern(pattern, prefix + str(pattern.pattern))
        else:
            yield prefix + str(pattern.pattern), pattern


def access_of(pattern: URLPattern) -> str:
    return getattr(pattern.callback, "access", "")


def member_patterns() -> list[tuple[str, URLPattern]]:
    return [(path, p) for path, p in every_pattern() if path.startswith(CHART)]
