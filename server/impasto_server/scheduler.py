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
from impasto.images import Pixels, Planes, Size
from impasto_server.engines import THREAD_NAME, Engines
from impasto_server.errors import ShuttingDown, TooLate
from impasto_server.fair_queue import FairQueue
from impasto_server.library import Brush
from impasto_server.pace import Pace


@dataclass(frozen=True)
class Piece:
    """A picture to paint.

    Attributes:
        pixels: [H, W, 3], each side a multiple of what the transformer asks for.
        transformer: its digest.
        code: [D].
        client: whose it is.
        due: when it must be done, as `perf_counter` tells it; None for whenever.
    """

    pixels: Pixels = field(repr=False)
    transformer: str
    code: Codes = field(repr=False)
    client: str
    due: float | None = None

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
        queued: s, spent waiting for an engine.
        painting: s, spent on one, with the rest of its batch.
        batch: how many were painted with it, itself included.
    """

    planes: Planes = field(repr=False)
    queued: float
    painting: float
    batch: int


Then = Callable[[Run | Exception], None]


class _Ticket:
    """A piece that waits or is being painted. What it holds it lets go as soon as it is done: pictures are large."""

    def __init__(self, piece: Piece, seconds: float, then: Then) -> None:
        self.piece = piece
        self.seconds = seconds
        self.asked = perf_counter()
        self.batch: _Batch | None = None
        self._then: Then | None = then

    def end(self, outcome: Run | Exception | None) -> None:
        """Tell who waits; None where nobody does any more."""
        then, self._then = self._then, None
        self.batch = None
        if then is not None and outcome is not None:
            then(outcome)


class _Batch:
    """Pieces that are painted together."""

    def __init__(self, tickets: list[_Ticket]) -> None:
        self.tickets = tickets
        self.begun = perf_counter()
        self.ends = self.begun + sum(ticket.seconds for ticket in tickets)
        self.cancellation = Cancellation()
        self._wanted = len(tickets)
        for ticket in tickets:
            ticket.batch = self

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
            self._check_in_time(ticket)
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

    def wait(self, client: str) -> float:
        """Return how many seconds a piece that this client brought now would probably wait."""
        with self._changed:
            return self._wait(client)

    def close(self) -> None:
        """Fail what waits; a run that has begun goes on to its end."""
        with self._changed:
            self._closed = True
            left = [ticket for tickets in iter(self._queue.take, []) for ticket in tickets]
            self._changed.notify_all()
        for ticket in left:
            ticket.end(ShuttingDown("the server is shutting down"))

    def _wait(self, client: str) -> float:
        now = perf_counter()
        if len(self._running) < self._runs and not len(self._queue):
            return 0.0
        running = sum(max(0.0, batch.ends - now) for batch in self._running)
        waiting = sum(ticket.seconds for ticket in self._queue.ahead(client))
        return (running + waiting) / self._runs

    def _check_in_time(self, ticket: _Ticket) -> None:
        due, wait = ticket.piece.due, self._wait(ticket.piece.client)
        if due is None or not wait:  # with nobody before it, it may try: what is known of its pace may be wrong
            return
        late = perf_counter() + wait + ticket.seconds - due
        if late > 0:
            raise TooLate(wait, late)

    def _withdraw(self, ticket: _Ticket) -> None:
        with self._changed:
            if not self._queue.remove(ticket) and ticket.batch is not None:
                ticket.batch.withdraw()
            ticket.end(None)

    def _work(self) -> None:
        while batch := self._next():
            outcomes = self._painted(batch)
            with self._changed:
                self._running.discard(batch)
            for ticket, outcome in zip(batch.tickets, outcomes, strict=True):
                ticket.end(outcome)
            del batch, outcomes, ticket, outcome  # or they would be held until the next comes

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
            Run(painted[index : index + 1], batch.begun - ticket.asked, took, len(pieces))
            for index, ticket in enumerate(batch.tickets)
        ]
