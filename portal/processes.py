"""One foreground process tree: children that are started together, restarted when they die, and stopped
together. Used by `manage.py serve`."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType

_LOOK_SECONDS = 0.2
_ONE_STOP_SECONDS = 1
# A child that dies sooner than this after its start waits before the next one, longer each time.
_SETTLED_SECONDS = 10
_LONGEST_WAIT_SECONDS = 10
_PR_SET_PDEATHSIG = 1


@dataclass
class Child:
    """A process to keep running.

    `before_start` runs in this process before every start; when it raises, the start is tried again later.
    """

    name: str
    command: Sequence[str]
    pass_fds: Sequence[int] = ()
    before_start: Callable[[], None] = lambda: None
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    quick_deaths: int = 0


def keep_running(
    children: Sequence[Child],
    *,
    stop_seconds: float,
    say: Callable[[str], None],
    on_stop: Callable[[], None] = lambda: None,
) -> bool:
    """Run `children` until this process is told to stop by SIGINT, SIGTERM or SIGHUP.

    Then `on_stop` is called, each child gets one SIGTERM and has `stop_seconds` to finish; a second
    signal a moment later, or the end of that time, kills them. Returns whether all ended by themselves.
    """
    signals, first_at = 0, 0.0

    def told_to_stop(number: int, frame: FrameType | None) -> None:
        nonlocal signals, first_at
        now = time.monotonic()
        # Who stops the whole process group stops us twice at once: make hands its own signal on.
        if signals and now - first_at < _ONE_STOP_SECONDS:
            return
        signals, first_at = signals + 1, first_at or now

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, told_to_stop)
    while not signals:
        for child in children:
            _look_after(child, say)
        time.sleep(_LOOK_SECONDS)

    say("Stopping: what is being answered is finished first. Press Ctrl-C again to stop at once.")
    on_stop()
    running = [child.process for child in children if child.process is not None]
    for process in running:
        process.terminate()
    last_moment = time.monotonic() + stop_seconds
    while signals < 2 and time.monotonic() < last_moment:
        if all(process.poll() is not None for process in running):
            return True
        time.sleep(_LOOK_SECONDS / 4)
    for process in running:
        # The child and its own children: each child leads a process group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return False


def _look_after(child: Child, say: Callable[[str], None]) -> None:
    if child.process is not None:
        code = child.process.poll()
        if code is None:
            return
        child.process = None
        now = time.monotonic()
        quick = now - child.started_at < _SETTLED_SECONDS
        child.quick_deaths = child.quick_deaths + 1 if quick else 0
        # The first restart is immediate.
        wait = (
            min(2 ** (child.quick_deaths - 2), _LONGEST_WAIT_SECONDS)
            if child.quick_deaths > 1
            else 0
        )
        child.start_at = now + wait
        say(f"The {child.name} ended ({_reason(code)}); starting another.")
    if time.monotonic() < child.start_at:
        return
    try:
        child.before_start()
    except Exception as error:
        say(f"The {child.name} cannot start yet ({type(error).__name__}); trying again.")
        child.start_at = time.monotonic() + 1
        return
    child.started_at = time.monotonic()
    child.process = subprocess.Popen(
        child.command,
        stdin=subprocess.DEVNULL,
        pass_fds=child.pass_fds,
        # Ctrl-C goes to the terminal's whole process group. In a group of its own, a child is stopped by
        # us alone, once.
        start_new_session=True,
        preexec_fn=_end_with_parent(os.getpid()),
    )


def _end_with_parent(parent: int) -> Callable[[], None] | None:
    """Runs in the child before its program: when this process is killed, so that it cannot stop its
    children, Linux tells them to stop."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def end_with_parent() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it was killed before we asked
            os._exit(1)

    return end_with_parent


def _reason(code: int) -> str:
    return f"status {code}" if code >= 0 else signal.Signals(-code).name
