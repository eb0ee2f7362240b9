"""Whose turn it is in a web worker: the threads that gunicorn's own would have, but one that waits for a
slow client is not counted, and others go on meanwhile (SECURITY R-RE-8).

A few phones on bad lines would otherwise keep everybody else out for as long as their uploads take.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, TypeAlias

from django.db import connections

# Waiting threads cost little; made-up slow clients must still not fill the memory.
MOST_ASIDE = 64

_Job: TypeAlias = tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]


class Turns:
    """What gunicorn submits its requests to. `threads` of them are worked on at a time, in the order they
    came; up to MOST_ASIDE more wait aside for their clients."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.free = threads
        self.aside_now = 0
        self.returning = 0
        self.jobs: deque[_Job] = deque()
        # The one that rested last works first: so there are no more connections to the database than needed.
        self.resting: list[SimpleQueue[_Job]] = []
        self.changed = threading.Condition()
        self.here = threading.local()

    def submit(self, do: Callable[..., Any], *args: Any) -> Future[Any]:
        future: Future[Any] = Future()
        with self.changed:
            self.jobs.append((future, do, args))
            self._give()
        return future

    def shutdown(self, wait: bool = True) -> None:
        """Nothing to do: these threads end with the process, and gunicorn has waited for their requests."""

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let others have this thread's turn meanwhile. Raises ConnectionError when there are too many
        aside; for a thread that has no turn it does nothing."""
        if not getattr(self.here, "has_turn", False):
            yield
            return
        connections.close_all()  # there may be many aside, and a database has room for few
        with self.changed:
            if self.aside_now >= MOST_ASIDE:
                raise ConnectionResetError("too many slow clients")
            self.aside_now += 1
            self._free_one()
        try:
            yield
        finally:
            with self.changed:
                self.returning += 1
                self.changed.wait_for(lambda: self.free)
                self.returning -= 1
                self.free -= 1
                self.aside_now -= 1

    def _free_one(self) -> None:
        self.free += 1
        self._give()
        self.changed.notify()

    def _give(self) -> None:
        """Those who come back from aside go first: they have waited before."""
        while self.jobs and self.free > self.returning:
            self.free -= 1
            if self.resting:
                inbox = self.resting.pop()
            else:
                inbox = SimpleQueue()
                threading.Thread(target=self._work, args=(inbox,), daemon=True).start()
            inbox.put(self.jobs.popleft())

    def _work(self, inbox: SimpleQueue[_Job]) -> None:
        self.here.has_turn = True
        rests = True
        while rests:
            future, do, args = inbox.get()
            try:
                future.set_result(do(*args))
            except BaseException as error:  # gunicorn deals with it
                future.set_exception(error)
            del future, do, args  # not kept while resting
            with self.changed:
                rests = len(self.resting) < self.threads
                if rests:
                    self.resting.append(inbox)
                self._free_one()
        connections.close_all()
