"""Whether a worker lives and is ready, in one place, for whoever asks from another thread."""

from __future__ import annotations

from impasto_worker.measuring import Measure, Unmeasured
from impasto_worker.stopping import Stop

_SETTING_UP = "setting up the painter"
_OPENING = "opening the store"


class Vitals:
    """Begins as setting up, then opens the store, then is ready as long as the store can be reached, until it stops.

    Args:
        stop: knows whether it was asked to end.
        measure: counts.

    Attributes:
        measure: that.
    """

    def __init__(self, stop: Stop, measure: Measure | None = None) -> None:
        self.measure = measure or Unmeasured()
        self._stop = stop
        self._trouble: str | None = _SETTING_UP
        self._failure: str | None = None

    @property
    def failure(self) -> str | None:
        """Why the process is to be started anew; None while it is well.

        It then ends by itself as well; but to say so first, which it does, it needs a log that is read.
        """
        return "not stopped in time" if self._stop.overdue else self._failure

    @property
    def obstacle(self) -> str | None:
        """Why it is not ready; None when it is."""
        return self.failure or ("stopping" if self._stop.asked else self._trouble)

    def set_up(self) -> None:
        """Note that the painter is there."""
        self._trouble = _OPENING

    def store_away(self, reason: str) -> None:
        """Note that the store cannot be reached."""
        self._trouble = f"the store cannot be reached: {reason}"
        self.measure.store(False)

    def store_there(self) -> None:
        """Note that the store answers."""
        self._trouble = None
        self.measure.store(True)

    def fail(self, why: str) -> None:
        """Note that it will do no more work."""
        self._failure = why
