from __future__ import annotations

import re

import pytest
from django.test import Client

from tests.builder import Builder, begin
from tests.cast import sign_in_as_staff


@pytest.fixture
def staff(cast, client) -> Client:
    sign_in_as_staff(client)
    return client


@pytest.fixture
def builder(staff) -> Builder:
    from households.intake.models import QuestionnaireVersion

    answer = begin(staff)
    assert answer.status_code == 302
    pk = re.search(r"/(\d+)/build/", answer.headers["Location"])[1]
    return Builder(staff, QuestionnaireVersion.objects.get(pk=pk))
