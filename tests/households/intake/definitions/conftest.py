"""Forms on file, as staff import and publish them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client, RequestFactory

from tests.cast import sign_in_as_staff
from tests.households.intake.definitions.forms import form, item


@pytest.fixture
def request_of(cast: Any) -> Any:
    """A request as staff's pages have it."""
    request = RequestFactory().post("/admin/intake/")
    request.user = cast.nurse_staff
    return request


@pytest.fixture
def keep(request_of: Any) -> Any:
    """Keep a questionnaire as an import would; its version."""
    # Imported here: a conftest is read before the models are.
    from households.intake.importing import form_read
    from households.intake.publishing import form_keep

    def keep_form(questionnaire: dict[str, Any] | None = None) -> Any:
        read = form_read(questionnaire or form(item("a"), item("b")), set())
        return form_keep(request=request_of, form=read)[1]

    return keep_form


@pytest.fixture
def staff(cast: Any) -> Client:
    client = Client()
    sign_in_as_staff(client)
    return client
