"""Whatever is sent to whichever form by whomever: no 5xx, nothing takes a second (R-RE-10, IN-06, R-AZ-7).

A short run, the same each time, is one of the tests; `make fuzz` is the long one (FUZZ_REQUESTS), with other
values each time unless FUZZ_SEED says which.
"""

from __future__ import annotations

import gc
import os
import random

import hypothesis
import pytest
from django.template.base import Template
from django.test.utils import _TestState

from tests.fuzz.people import people_of
from tests.fuzz.runner import Drawn, Runner, drawn
from tests.households.desk.test_roles import everything  # noqa: F401
from tests.portal.test_admin_site import one_of_each  # noqa: F401
from tests.who_may_open_what import MEMBER, PUBLIC, SIGN_IN, STAFF

SHORT = 1500
LONG = int(os.environ.get("FUZZ_REQUESTS", "0"))
SEED = int(os.environ.get("FUZZ_SEED", "0")) or random.randrange(10**9)


def addresses_that_take_a_post() -> set[str]:
    families = {**PUBLIC, **SIGN_IN, **{name: methods for name, (methods, _) in MEMBER.items()}}
    staff = {f"admin:{name}" for name, (_get, post) in STAFF.items() if post}
    return {name for name, methods in families.items() if "POST" in methods} | staff


@pytest.mark.timeout(900 + LONG)
def test_odd_requests(practice, capsys, monkeypatch):
    # Without the copies of every page's context that Django's test client keeps.
    monkeypatch.setattr(Template, "_render", _TestState.saved_data.template_render)

    def say(line: str) -> None:
        if LONG or line.startswith("FOUND"):
            with capsys.disabled():
                print(line, flush=True)

    people = people_of(practice, everybody=bool(LONG))
    runner = Runner(people, LONG or SHORT, say)
    gc.freeze()
    runner.as_it_stands()

    @hypothesis.settings(
        max_examples=runner.budget,
        database=None,
        deadline=None,
        derandomize=not LONG,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=[*hypothesis.HealthCheck],
    )
    @hypothesis.given(drawn())
    def send(one: Drawn) -> None:
        runner.example(one)

    (hypothesis.seed(SEED)(send) if LONG else send)()
    never = addresses_that_take_a_post() - runner.posted.keys()
    say(f"\nFUZZ_SEED={SEED}\n{runner.report(never)}")
    assert not runner.findings, runner.report(never)
    assert not never, "an address that no form was sent to"
