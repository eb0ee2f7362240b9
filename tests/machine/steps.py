"""What families and staff do, through pages: each step asks the model what has to come, does it, compares."""

from __future__ import annotations

from tests.machine.chart_steps import ChartSteps
from tests.machine.door_steps import DoorSteps
from tests.machine.portals import in_the_past
from tests.machine.staff_steps import StaffSteps


class Steps(DoorSteps, ChartSteps, StaffSteps):
    """One run: a world as the model has it, and the same people in a portal."""

    # --- time and accidents -----------------------------------------------------------

    def time_passes(self, minutes: int) -> None:
        self.tell(f"{minutes} minutes pass")
        in_the_past(self.portal, minutes * 60, self.code)
        self.world.time_passes(minutes * 60)
        self.kinds[f"{minutes} minutes pass"] += 1

    def restart(self) -> None:
        self.tell("the portal is killed and started again")
        self.portal.restart()
        self.kinds["restart"] += 1
