"""Threads that wait for a store, so that nobody else has to."""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import SimpleQueue
from threading import BoundedSemaphore, Event, Thread

POLL_SECONDS = 0.1  # between two looks at whether to stop

Task = Callable[[], None]


class Crew:
    """A few threads, and no more tasks than `room` that have been given to them and are not done with.

    They are daemons, unlike those of a ThreadPoolExecutor: a store that hangs does not hold up the end of the process.

    Args:
        threads: how many.
        room: for tasks.
        name: of the threads.
        stop: once it is set, no more tasks are taken.
    """

    def __init__(self, threads: int, room: int, name: str, stop: Event) -> None:
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._threads = threads
        self._size = room
        self._room = BoundedSemaphore(room)
        self._stop = stop
        for _ in range(threads):
            Thread(target=self._work, name=name, daemon=True).start()

    def take(self, task: Task, *, always: bool = False) -> bool:
        """Have a task done, once there is room for it; return whether it was taken.

        Args:
            task: raises nothing, and has `done` called when what it has made is out of the way.
            always: even when it is time to stop.
        """
        while not self._room.acquire(timeout=POLL_SECONDS):
            if self._stop.is_set() and not always:
                return False
        if self._stop.is_set() and not always:
            self._room.release()
            return False
        self._tasks.put(task)
        return True

    def done(self) -> None:
        """Note that a task is done with."""
        self._room.release()

    def idle(self, timeout: float) -> bool:
        """Wait until nothing is under way, for so many seconds at most; return whether that is so."""
        deadline = time.monotonic() + timeout
        taken = 0
        while taken < self._size and self._room.acquire(timeout=max(0.0, deadline - time.monotonic())):
            taken += 1
        for _ in range(taken):
            self._room.release()
        return taken == self._size

    def close(self) -> None:
        """Have the threads end, once they have done what they were given."""
        for _ in range(self._threads):
            self._tasks.put(None)

    def _work(self) -> None:
        while task := self._tasks.get():
            task()
