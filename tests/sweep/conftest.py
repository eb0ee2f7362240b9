from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.world import World


@pytest.fixture
def world(cast: Any, forms: Any) -> World:
    from tests.world import build_world

    return build_world(cast, forms)
