"""The short run of the machine: what `make soak` does for hours, for half a minute and always the same."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from accounts import passwords
from accounts.models import HouseholdAccount, StaffAccount
from tests.cast import NURSE_PASSWORD
from tests.machine import cast as families
from tests.machine.door_steps import FAMILY_PASSWORD
from tests.machine.machine import hypothesis_here, machine_of
from tests.machine.portals import InProcessPortal
from tests.machine.steps import Steps

CODE = "short"
# Without these the run has shown nothing.
NEEDED = {f"gate {answer}" for answer in ("open", "stale", "picker", "sign-in")} | {
    *("document saved", "address saved", "allergy saved", "answer saved"),
    *("offered back", "email changed"),
}
RUNS = int(os.environ.get("MACHINE_RUNS", "20"))
STEPS = int(os.environ.get("MACHINE_STEPS", "30"))
SHRINKS = os.environ.get("MACHINE_SHRINKS", "1") == "1"


@pytest.fixture
def portal(db: None, run_tasks: Any, tmp_path: Path) -> InProcessPortal:
    StaffAccount.objects.create_superuser("nurse@example.org", NURSE_PASSWORD, name="Nora Quist")
    StaffAccount.objects.create_superuser(families.email("nurse", CODE), NURSE_PASSWORD)
    roster = tmp_path / "roster.csv"
    roster.write_text(families.roster([CODE]), "utf-8")
    call_command("import_roster", str(roster))
    HouseholdAccount.objects.update(password=passwords.hashed(FAMILY_PASSWORD))
    portal = InProcessPortal(run_tasks)
    families.publish_form(portal.staff())
    return portal


@pytest.mark.timeout(900)
def test_everybody_has_what_is_theirs_and_nothing_else(
    portal: InProcessPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    hypothesis_here(monkeypatch, shrinking_seconds=120)
    run_short(portal)


def run_short(portal: InProcessPortal) -> None:
    opened: list[Any] = []

    def begin() -> Steps:
        mail.outbox.clear()
        opened.append(portal.run_of_steps())
        opened[-1].__enter__()
        return families.begin(portal, CODE, portal.staff())

    def end(steps: Steps) -> None:
        from django.db import transaction

        transaction.set_rollback(True)
        opened.pop().__exit__(None, None, None)

    machine = machine_of(begin, end)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=STEPS,
            derandomize=True,
            database=None,
            deadline=None,
            print_blob=False,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, *([Phase.shrink] if SHRINKS else [])],
        ),
    )
    print(machine.fired, machine.kinds, machine.answers, sep="\n")
    assert NEEDED - machine.kinds.keys() == set()
