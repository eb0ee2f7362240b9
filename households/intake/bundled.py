"""The lists of choices that come with the portal, because real forms name them: HL7's (CC0), and LOINC's
answers of the PHQ and GAD (free; the forms carry its notice). One is put on file with the first form that
names it, so that the practice sees the lists it uses and no others."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "starters"
FILE = "value_sets"


@cache
def bundled_lists() -> dict[str, dict[str, Any]]:
    """{"url", "title", "concepts"} by address."""
    return {one["url"]: one for one in json.loads((FOLDER / f"{FILE}.json").read_text())}
