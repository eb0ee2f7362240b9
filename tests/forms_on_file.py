"""The fixture `forms`: rows of forms, of requests for them and of what was sent (form_rows.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.form_rows import Forms


@pytest.fixture
def forms(cast) -> Forms:
    from tests.form_rows import Forms

    return Forms(cast)
