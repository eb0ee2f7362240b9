from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.template.base import Template
from django.test.utils import _TestState

if TYPE_CHECKING:
    from tests.world import World


@pytest.fixture(autouse=True)
def no_copies_of_contexts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Django's test client keeps a copy of every page's context: half of the time of many requests."""
    monkeypatch.setattr(Template, "_render", _TestState.saved_data.template_render)


@pytest.fixture
def world(cast: Any, forms: Any) -> World:
    from tests.world import build_world

    return build_world(cast, forms)
