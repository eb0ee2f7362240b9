from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.households.intake.asking.rows import Forms


@pytest.fixture
def forms(cast) -> Forms:
    from tests.households.intake.asking.rows import Forms

    return Forms(cast)
