"""Being asked to end: heard at once whatever the main thread is doing, and obeyed before a deadline."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from impasto.logs import Log

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_STANDARD_INPUT = 0  # file descriptor
_TOO_LATE = 1  # exit status


def _end_at_once() -> None:
    sys.stderr.flush()
    os._exit(_TOO_LATE)


def _leave() -> None:
    sys.stderr.flush()
    os._exit(0)


class Stop:
    """Whether this process was asked to end, and how long it may still take."""

    def __init__(
        self, log: Log, seconds: float, *, end: Callable[[], None] = _end_at_once, leave: Callable[[], None] = _leave
    ) -> None:
        """Set up.

        Args:
            log: told when it was asked, and when time is up.
            seconds: from being asked to the deadline.
            end: called at the deadline.
            leave: called when asked while there is nothing in hand.
        """
        self._log = log
        self._seconds = seconds
        self._end = end
        self._leave = leave
        self._idle = False
        self._asked = threading.Event()
        self._asking = threading.Lock()
        self._deadline = float("inf")
        self._timer = threading.Timer(seconds, self._give_up)
        self._timer.daemon = True

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    @property
    def pressing(self) -> bool:
        """Whether less than half of the time is left: what is not done by now has to be dropped."""
        return time.monotonic() > self._deadline - self._seconds / 2

    @property
    def overdue(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() > self._deadline

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Let being asked end the process at once while the block lasts.

        For what may take long, cannot be broken off, and has nothing in hand that would have to be given back.
        """
        self._be_idle(True)
        try:
            yield
        finally:
            self._be_idle(False)

    def ask(self, why: str) -> None:
        """Begin to end."""
        with self._asking:
            if self.asked:
                return
            self._log.info("stopping", why=why, seconds=self._seconds)
            self._deadline = time.monotonic() + self._seconds
            self._timer.start()
            self._asked.set()
            if self._idle:
                self._leave()

    def insist(self) -> None:
        """End at once."""
        self._log.warning("ended at once; a job in hand goes back when its lease lapses")
        self._end()

    def obeyed(self) -> None:
        """Forget the deadline."""
        self._timer.cancel()

    def wait(self, seconds: float) -> None:
        """Sleep, but no longer than until asked to end."""
        self._asked.wait(seconds)

    def _be_idle(self, idle: bool) -> None:
        with self._asking:
            self._idle = idle

    def _give_up(self) -> None:
        self._log.critical("not stopped in time; a job in hand goes back when its lease lapses")
        self._end()


@contextmanager
def listening(stop: Stop, *, to_parent: bool = False) -> Iterator[None]:
    """Let SIGTERM and SIGINT ask to stop while the block lasts; for the main thread alone.

    A second SIGINT, as of somebody at a terminal who has waited long enough, ends the process at once; a second SIGTERM
    does not, since one may come from a supervisor that stops as well.

    Python calls a signal's handler between two bytecodes of the main thread, which may be seconds away in the middle
    of a computation. So the handlers do nothing: a thread of its own reads of the signal from a socket.

    Args:
        stop: what to ask.
        to_parent: whether the end of standard input, as when a parent dies that holds the other end, asks as well.
    """
    signals, sender = socket.socketpair()
    sender.setblocking(False)
    earlier = {each: signal.signal(each, lambda *_: None) for each in _SIGNALS}
    earlier_sender = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    listener = threading.Thread(target=_await_signals, args=(stop, signals), name="signals", daemon=True)
    listener.start()
    if to_parent:
        threading.Thread(target=_await_parents_end, args=(stop,), name="parent", daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(earlier_sender)
        for each, handler in earlier.items():
            signal.signal(each, handler)
        sender.close()
        listener.join()
        signals.close()
        stop.obeyed()


def _await_signals(stop: Stop, signals: socket.socket) -> None:
    interrupts = 0
    while received := signals.recv(64):
        stop.ask(", ".join(signal.Signals(number).name for number in received))
        interrupts += received.count(signal.SIGINT)
        if interrupts > 1:
            stop.insist()


def _await_parents_end(stop: Stop) -> None:
    with suppress(OSError):  # a standard input that was closed from the start
        while os.read(_STANDARD_INPUT, 4096):
            pass
    stop.ask("the parent is gone")
