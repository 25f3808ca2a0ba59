"""The end of the process: how it says why, and that it comes."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from enum import IntEnum

from impasto.logs import Log

_LOG_WITHIN = 2.0  # s; what reads our log may hang as well
_KERNEL_MARGIN = 5.0  # s, after which the kernel ends what even Python cannot
_FRAMES = 3  # of the main thread, in the log


class Status(IntEnum):
    """What the process ends with; a supervisor starts it anew for any but the first."""

    OK = 0
    CANNOT_START = 1
    BAD_CONFIGURATION = 2
    NOT_IN_TIME = 3  # something hung while it shut down
    STUCK = 4  # an engine or a codec's thread did not come back, and it shut down for that
    DEAF = 5  # its event loop did not turn


class LastResort:
    """Ends the process when it has not ended by itself in time. From its arming on there is no way back.

    Args:
        seconds: how long it may take.
        log: told, at the worst, what the main thread was doing.
    """

    def __init__(self, seconds: float, log: Log) -> None:
        self._seconds = seconds
        self._log = log
        self._told, self._telling = os.pipe()
        self._armed = False
        threading.Thread(target=self._end, name="impasto-end", daemon=True).start()

    def arm(self, status: Status) -> None:
        """Start the clock; doing it twice is fine. Takes no lock, so a signal's handler may call it.

        Args:
            status: to end with.
        """
        if self._armed:
            return
        self._armed = True
        os.write(self._telling, bytes([status]))
        # What holds Python's lock for ever keeps the thread from running; a signal's default action asks nobody.
        signal.setitimer(signal.ITIMER_REAL, self._seconds + _LOG_WITHIN + _KERNEL_MARGIN)

    def _end(self) -> None:
        status = Status(os.read(self._told, 1)[0])
        time.sleep(self._seconds)
        end_at_once(
            lambda: self._log.critical(
                "not ended in time; ended at once", seconds=self._seconds, status=int(status), at=main_thread_at()
            ),
            status,
        )


def end_at_once(say: Callable[[], None], status: Status) -> None:
    """Say something to the log, if that can be done, and end the process, whatever its threads do."""
    saying = threading.Thread(target=say, daemon=True)
    saying.start()
    saying.join(_LOG_WITHIN)
    os._exit(status)


def main_thread_at() -> str:
    """Return where the main thread is, innermost last: `file:line function`."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    stack = traceback.extract_stack(frame)[-_FRAMES:] if frame else []
    return " > ".join(f"{os.path.basename(item.filename)}:{item.lineno} {item.name}" for item in stack)  # noqa: PTH119
