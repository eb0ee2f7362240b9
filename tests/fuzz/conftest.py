from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.world import World


@pytest.fixture
def practice(everything: None, cast: Any, forms: Any, run_tasks: Any) -> World:
    """Everything that the sweep of staff's pages knows of, and the charts of the families' sweep."""
    from tests.fuzz.people import fill_practice
    from tests.world import build_world

    world = build_world(cast, forms)
    fill_practice(world, run_tasks)
    return world
