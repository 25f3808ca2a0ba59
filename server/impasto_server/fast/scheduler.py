"""Who is painted next, and with whom.

Pictures wait in one fair queue. Each engine thread takes the first, and with it others that the same transformer paints
at the same size, as many as the device gains by; nobody waits for a batch to fill, so an idle server answers at once,
and what comes in during a run makes the next batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Condition, Thread
from time import perf_counter

from impasto.codes import Codes
from impasto.engine import Cancellation
from impasto.errors import EngineError
from impasto.images import Pixels, Planes, Size
from impasto_server.bundles.library import Brush
from impasto_server.callers import Caller
from impasto_server.errors import ShuttingDown, TooLate
from impasto_server.fast.engines import THREAD_NAME, Engines
from impasto_server.fast.fair_queue import FairQueue
from impasto_server.fast.pace import Pace
from impasto_server.life.watchdog import Overdue

STUCK_TIMES = 20
"""So many times as long as it should a run takes at least that is stuck."""

_SHOWN = 12  # hex digits of a digest, in the log
_DOUBT = 0.1  # the share by which a picture may take longer than it is expected to


@dataclass(frozen=True)
class Piece:
    """A picture to paint.

    Attributes:
        pixels: [H, W, 3], each side a multiple of what the transformer asks for.
        transformer: its digest.
        code: [D].
        client: whose it is.
        due: when it must be done, as `perf_counter` tells it; None for whenever.
        keeps: what must last until it is painted, as `Brush.keeps`.
    """

    pixels: Pixels = field(repr=False)
    transformer: str
    code: Codes = field(repr=False)
    client: str
    due: float | None = None
    keeps: object = field(default=None, repr=False, compare=False)

    @property
    def size(self) -> int:
        """Its pixels."""
        height, width, _ = self.pixels.shape
        return int(height * width)


@dataclass(frozen=True)
class Run:
    """A picture painted.

    Attributes:
        planes: [1, 3, H, W], RGB in 0..1.
        begun: when an engine took it, as `perf_counter` tells it.
        queued: s, spent waiting for an engine.
        painting: s, spent on one, with the rest of its batch.
        batch: how many were painted with it, itself included.
        provider, precision: what the engine runs on, and computes in.
    """

    planes: Planes = field(repr=False)
    begun: float
    queued: float
    painting: float
    batch: int
    provider: str
    precision: str


Then = Callable[[Run | Exception], None]


class _Ticket:
    """A piece that waits or is being painted. What it holds it lets go as soon as it is done: pictures are large."""

    def __init__(self, piece: Piece, seconds: float, then: Then) -> None:
        self.piece = piece
        self.seconds = seconds
        self.asked = perf_counter()
        self.waits = False
        self.batch: _Batch | None = None
        self._then: Then | None = then

    def late_by(self, now: float) -> float:
        """Return by how many s it would be late if it were begun now; 0 if it would not, or has not had to wait."""
        if self.piece.due is None or not self.waits:
            return 0.0
        return max(0.0, now + self.seconds - self.piece.due)

    def end(self, outcome: Run | Exception | None) -> None:
        """Tell who waits; None where nobody does any more."""
        then, self._then = self._then, None
        self.batch = None
        if then is not None and outcome is not None:
            then(outcome)


class _Batch:
    """Pieces that are painted together; those that would be done too late by now are left out, and told so."""

    def __init__(self, tickets: Sequence[_Ticket]) -> None:
        self.begun = perf_counter()
        self.late = [ticket for ticket in tickets if ticket.late_by(self.begun)]
        self.tickets = [ticket for ticket in tickets if ticket not in self.late]
        self.ends = self.begun + sum(ticket.seconds for ticket in self.tickets)
        self.cancellation = Cancellation()
        self._wanted = len(self.tickets)
        for ticket in self.tickets:
            ticket.batch = self

    @property
    def expected(self) -> float:
        """How many s it should take."""
        return self.ends - self.begun

    def lasts(self, now: float) -> float:
        """Return how many s it has taken."""
        return now - self.begun

    def overdue(self, now: float) -> Overdue:
        """Return what to say of it."""
        piece = self.tickets[0].piece
        height, width, _ = piece.pixels.shape
        facts = {
            "transformer": piece.transformer[:_SHOWN],
            "size": f"{width}x{height}",
            "pictures": len(self.tickets),
            "seconds": round(self.lasts(now), 1),
            "expected": round(self.expected, 3),
        }
        return Overdue("an engine", self, facts, self._give_up)

    def _give_up(self) -> None:
        for ticket in self.tickets:  # no other server should be asked to paint them: they may be what does it
            ticket.end(EngineError("the engine did not come back"))

    def withdraw(self) -> None:
        """Note that nobody waits for one of them any more; when nobody waits for any, stop."""
        self._wanted -= 1
        if not self._wanted:
            self.cancellation.cancel()


class Scheduler:
    """Paints pieces on threads of its own. Its methods may be called from any thread, and do not block.

    Args:
        engines: what paints.
        runs: how many batches at once.
        pace: how long a piece takes.
    """

    def __init__(self, engines: Engines, runs: int, pace: Pace) -> None:
        self._engines = engines
        self._pace = pace
        self._runs = runs
        self._queue: FairQueue[_Ticket] = FairQueue()
        self._running: set[_Batch] = set()
        self._changed = Condition()  # guards all of the above
        self._closed = False
        for number in range(runs):
            Thread(target=self._work, name=f"{THREAD_NAME}-{number}", daemon=True).start()

    @property
    def depth(self) -> int:
        """How many pieces wait."""
        return len(self._queue)

    def put(self, piece: Piece, then: Then) -> Callable[[], None]:
        """Have a piece painted.

        Args:
            piece: the piece.
            then: told the result, EngineError or ShuttingDown, on another thread, which it must not keep.

        Returns:
            What withdraws it: then it leaves the queue, and what is painted for nobody stops where the device can.

        Raises:
            TooLate: others are before it, and it would not be done when it is due.
            ShuttingDown: the server stops.
        """
        ticket = _Ticket(piece, self._pace.seconds(piece.transformer, piece.size), then)
        with self._changed:
            if self._closed:
                raise ShuttingDown("the server is shutting down")
            self._check_in_time(piece.client, ticket.seconds, piece.due)
            ticket.waits = not self._is_idle()
            self._queue.put(
                ticket,
                client=piece.client,
                cost=piece.size,  # not the seconds, which vary: equal clients would drift apart
                group=(piece.transformer, piece.pixels.shape),
            )
            self._changed.notify()
        return lambda: self._withdraw(ticket)

    def suitable(self, brush: Brush, size: Size) -> Size:
        """Return the size to paint at in place of this one; see `Engines.suitable`."""
        return self._engines.suitable(brush, size)

    def check(self, brush: Brush, size: Size, caller: Caller) -> None:
        """Raise TooLate for a picture of this size that would not be done when its caller gives up."""
        seconds = self._pace.seconds(brush.transformer, size[0] * size[1])
        with self._changed:
            self._check_in_time(caller.client, seconds, caller.due)

    def wait(self, client: str) -> float:
        """Return how many seconds a piece that this client brought now would probably wait."""
        with self._changed:
            return self._wait(client)

    def overdue(self, seconds: float, times: float) -> Overdue | None:
        """Return a run that has taken longer than this, and so many times as long as it should, if there is one."""
        now = perf_counter()
        with self._changed:
            batches = [batch for batch in self._running if batch.lasts(now) > max(seconds, times * batch.expected)]
        oldest = min(batches, key=lambda batch: batch.begun, default=None)
        return oldest.overdue(now) if oldest else None

    def close(self) -> None:
        """Fail what waits; a run that has begun goes on to its end."""
        with self._changed:
            self._closed = True
            left = [ticket for tickets in iter(self._queue.take, []) for ticket in tickets]
            self._changed.notify_all()
        for ticket in left:
            ticket.end(ShuttingDown("the server is shutting down"))

    def _wait(self, client: str) -> float:
        if self._is_idle():
            return 0.0
        now = perf_counter()
        running = sum(max(0.0, batch.ends - now) for batch in self._running)
        waiting = sum(ticket.seconds for ticket in self._queue.ahead(client))
        return (running + waiting) / self._runs

    def _is_idle(self) -> bool:
        return len(self._running) < self._runs and not len(self._queue)

    def _check_in_time(self, client: str, seconds: float, due: float | None) -> None:
        """Raise TooLate for a piece that would not be done in time.

        With nobody before it, it may try: what is known of its pace may be wrong.
        """
        if due is None or self._is_idle():
            return
        refuse_late(self._wait(client), seconds, due)

    def _withdraw(self, ticket: _Ticket) -> None:
        with self._changed:
            if not self._queue.remove(ticket) and ticket.batch is not None:
                ticket.batch.withdraw()
            ticket.end(None)

    def _work(self) -> None:
        while batch := self._next():
            _tell(batch.late, [TooLate(ticket.seconds, ticket.late_by(batch.begun)) for ticket in batch.late])
            outcomes = self._painted(batch) if batch.tickets else []
            with self._changed:
                self._running.discard(batch)
            _tell(batch.tickets, outcomes)
            del batch, outcomes  # or they would be held until the next comes

    def _next(self) -> _Batch | None:
        """Return what to paint, once there is something; None when it is over."""
        with self._changed:
            while not len(self._queue):
                if self._closed:
                    return None
                self._changed.wait()
            first = self._queue.first()
            assert first is not None
            batches = self._engines.equipment[first.piece.transformer].batches
            batch = _Batch(self._queue.take(batches.most(first.piece.size)))
            self._running.add(batch)
            return batch

    def _painted(self, batch: _Batch) -> Sequence[Run | Exception]:
        """Return what became of each piece of a batch."""
        pieces = [ticket.piece for ticket in batch.tickets]
        try:
            engine = self._engines.equipment[pieces[0].transformer].engine
            painted = self._engines.run(
                pieces[0].transformer,
                [piece.pixels for piece in pieces],
                [piece.code for piece in pieces],
                batch.cancellation,
            )
        except Exception as error:
            return [error] * len(pieces)
        took = perf_counter() - batch.begun
        return [
            Run(
                planes=painted[index : index + 1],
                begun=batch.begun,
                queued=batch.begun - ticket.asked,
                painting=took,
                batch=len(pieces),
                provider=engine.name,
                precision=engine.precision,
            )
            for index, ticket in enumerate(batch.tickets)
        ]


def refuse_late(wait: float, seconds: float, due: float) -> None:
    """Raise TooLate for what would not be done when it is due, after this wait and so many seconds of work."""
    late = perf_counter() + (1 + _DOUBT) * (wait + seconds) - due
    if late > 0:
        raise TooLate(wait, late)


def _tell(tickets: Sequence[_Ticket], outcomes: Sequence[Run | Exception]) -> None:
    for ticket, outcome in zip(tickets, outcomes, strict=True):
        ticket.end(outcome)
