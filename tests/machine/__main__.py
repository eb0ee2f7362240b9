"""The machine against the real portal, for as long as wanted: `make soak`.

python -m tests.machine [--runs 500] [--steps 50] [--minutes M] [--database both] [--seed N] [--no-kills]

Each run has households of its own in one portal that goes on: what one leaves behind meets the next.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import statistics
import string
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis.core
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests import postgres
from tests.hostile.conftest import set_password
from tests.hostile.visitor import STAFF_PASSWORD
from tests.machine import cast as families
from tests.machine.door_steps import FAMILY_PASSWORD
from tests.machine.machine import all_steps, hypothesis_here, machine_of
from tests.machine.portals import ServedPortal, descendants
from tests.machine.steps import Steps
from tests.real_portal import RealPortal, running_portal

CHUNK = 20
AT_ONCE = 50  # runs whose people are imported in one go
ENOUGH = 100  # runs after which every step has to have happened


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak ARGS=…", description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=0, help="stop then, whatever is left")
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--no-kills", action="store_true", help="to see memory grow, if it does")
    given = parser.parse_args()
    hypothesis_here(pytest.MonkeyPatch(), shrinking_seconds=300)
    failed = False
    if given.database in {"sqlite", "both"}:
        os.environ.pop("DATABASE_URL", None)
        failed |= not soak(given)
    if given.database in {"postgresql", "both"}:
        try:
            with postgres.server() as url:
                os.environ["DATABASE_URL"] = url
                failed |= not soak(given)
        except postgres.NotFound as reason:
            print(reason)
            failed |= given.database == "postgresql"
    return int(failed)


def soak(given: argparse.Namespace) -> bool:
    """On one database. Whether all of it held."""
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as folder,
        running_portal(Path(folder)) as real,
    ):
        real.add_owner("nurse@example.org", STAFF_PASSWORD)
        soaking = Soak(real, given)
        ended_well = soaking.go_on_until_done()
        soaking.report()
        return soaking.looked_over() and ended_well


class Soak:
    def __init__(self, real: RealPortal, given: argparse.Namespace) -> None:
        self.real, self.given = real, given
        self.portal = ServedPortal(real, kills=not given.no_kills)
        self.staff = self.portal.staff()
        families.publish_form(self.staff)
        self.codes = self._codes()
        self.runs = self.steps_taken = 0
        self.machine = machine_of(self._begin, self._end)
        self.began = time.monotonic()
        self.size_at_first: tuple[int, int] = (0, 0)
        print(f"\n{self.portal.name}, seed {given.seed}: {given.runs} runs of {given.steps} steps")

    def _codes(self) -> Iterator[str]:
        """A name for each run, whose people are on file when it is handed out."""
        letters = ("".join(one) for one in itertools.product(string.ascii_lowercase[:16], repeat=4))
        password = ""
        while codes := [*itertools.islice(letters, AT_ONCE)]:
            self.real.import_roster(families.roster(codes))
            if not password:
                first = families.email("rivera", codes[0])
                set_password(self.real, first, FAMILY_PASSWORD)
                ((password,),) = self.real.query(
                    "SELECT password FROM accounts_householdaccount WHERE email_key = %s", first
                )
            self.real.query(
                "UPDATE accounts_householdaccount SET password = %s WHERE password = ''", password
            )
            yield from codes

    def _begin(self) -> Steps:
        code = next(self.codes)
        self.real.query("DELETE FROM accounts_throttle")
        page = self.staff.get("/admin/accounts/staffaccount/add/").form(has="password1")
        form = page.typed(
            email=families.email("nurse", code), password1=STAFF_PASSWORD, password2=STAFF_PASSWORD
        )
        assert self.staff.post(form.action, form.fields).status == 302
        return families.begin(self.portal, code, self.staff)

    def _end(self, steps: Steps) -> None:
        self.runs += 1
        self.steps_taken += len(steps.story)
        if self.runs == 5:
            self.size_at_first = self._size()
        if self.runs % 10 == 0:
            minutes = (time.monotonic() - self.began) / 60
            memory, files = self._size()
            print(
                f"  {self.runs} runs, {self.steps_taken} steps, {minutes:.1f} minutes, "
                f"{memory // 1024} MB, {files} descriptors",
                flush=True,
            )

    def go_on_until_done(self) -> bool:
        for chunk in itertools.count():
            left = self.given.runs - self.runs
            minutes = (time.monotonic() - self.began) / 60
            if left <= 0 or (self.given.minutes and minutes >= self.given.minutes):
                return True
            hypothesis.core.global_force_seed = self.given.seed + chunk
            try:
                run_state_machine_as_test(
                    self.machine,
                    settings=settings(
                        max_examples=min(CHUNK, left),
                        stateful_step_count=self.given.steps,
                        database=None,
                        deadline=None,
                        print_blob=False,
                        report_multiple_bugs=False,
                        suppress_health_check=list(HealthCheck),
                        phases=[Phase.generate, Phase.shrink],
                    ),
                )
            except Exception as error:
                traceback.print_exc(limit=-3)
                print("\n".join(getattr(error, "__notes__", [])))
                return False
        return True

    def _size(self) -> tuple[int, int]:
        """Kilobytes and open descriptors of all processes of the portal."""
        memory = files = 0
        for pid in [self.real.process.pid, *descendants(self.real.process.pid)]:
            try:
                status = Path(f"/proc/{pid}/status").read_text()
                files += len([*Path(f"/proc/{pid}/fd").iterdir()])
            except OSError:
                continue
            memory += next(
                (int(one.split()[1]) for one in status.splitlines() if one.startswith("VmRSS")), 0
            )
        return memory, files

    def report(self) -> None:
        counts: list[tuple[str, Any]] = [
            ("answers", self.machine.answers),
            ("rules", self.machine.fired),
            ("what happened", self.machine.kinds),
        ]
        print(f"{self.portal.name}: {self.runs} runs, {self.steps_taken} steps")
        print(f"  kills: {self.portal.kills}")
        for what, counted in counts:
            print(f"  {what}: " + ", ".join(f"{one} {n}" for one, n in counted.most_common()))
        at_first, at_last = self.size_at_first, self._size()
        print(
            f"  memory {at_first[0] // 1024} MB after 5 runs, {at_last[0] // 1024} MB at the end; "
            f"descriptors {at_first[1]}, {at_last[1]}"
        )
        for name, part in (
            ("first", self.portal.seconds[:2000]),
            ("last", self.portal.seconds[-2000:]),
        ):
            if len(part) > 20:
                p95 = statistics.quantiles(part, n=20)[-1]
                print(
                    f"  {name} {len(part)} answers: median {statistics.median(part) * 1000:.0f} ms, "
                    f"p95 {p95 * 1000:.0f} ms"
                )

    def looked_over(self) -> bool:
        """What has to hold at the end of all runs."""
        never = all_steps() - self.machine.fired.keys()
        if never:
            print(f"  never happened: {', '.join(sorted(never))}")
        shows_all = not never or self.runs < ENOUGH
        if "verify_audit" in self.real.manage("help"):
            print("  " + self.real.manage("verify_audit").strip().splitlines()[-1])
        print("  " + self.real.manage("sweep_files").strip().splitlines()[-1])
        failures = [line for line in self.real.said().splitlines() if "Traceback" in line]
        if failures:
            print(f"  {len(failures)} tracebacks in the log")
        return shows_all and not failures


if __name__ == "__main__":
    sys.exit(main())
