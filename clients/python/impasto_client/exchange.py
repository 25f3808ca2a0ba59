"""What a stream of photos has under way: what both clients share of it.

Photos come from the caller, one at a time, and are held until their results have been given to the caller: never more
than the window. A line is one call of the server's StylizeStream. When it breaks, the next one is given the photos that
have no answer, in their order; so none is lost, and none comes twice.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import grpc

from impasto.v1 import stylizer_pb2 as pb
from impasto_client.building import as_photo, item_request
from impasto_client.calling import OnLost, Patience
from impasto_client.errors import (
    DeadlineExceeded,
    ImpastoClientError,
    InvalidRequest,
    MessageTooLarge,
    ServerUnavailable,
)
from impasto_client.mapping import client_error, item_error
from impasto_client.photos import PhotoLike, StreamResult
from impasto_client.results import Stylized

DEFAULT_WINDOW = 8  # photos


@dataclass
class _Held:
    """A photo that has been taken from the caller, and its result not yet given back.

    Attributes:
        id: what the caller calls it.
        message: what to send; None once there is a result.
        result: what became of it.
    """

    id: str
    message: pb.StylizeStreamRequest | None = None
    result: StreamResult | None = None


class Exchange:
    """The photos under way, and where each of them is. Not for several threads at once."""

    def __init__(
        self, target: str, config: pb.StylizeStreamConfig, timeout: float, on_lost: OnLost | None = None
    ) -> None:
        """Begin with nothing.

        Args:
            target: the server, for errors.
            config: how the stream goes.
            timeout: seconds that the server may be silent while photos wait for it.
            on_lost: told of each line that is lost, when the caller asks for a result.
        """
        self.opening = pb.StylizeStreamRequest(config=config)
        self.closed = False
        self._target = target
        self._defaults = config.defaults
        self._window = config.window
        self._ordered = config.order == pb.StylizeStreamConfig.ORDERED
        self._timeout = timeout
        self._on_lost = on_lost
        self._losses: list[ImpastoClientError] = []  # that the caller has not been told of
        self._patience = Patience(target, timeout, holds_on=True, on_lost=lambda error: self._losses.append(error))
        self._held: dict[str, _Held] = {}  # by number: the caller's ids may not be unique
        self._count = 0
        self._waiting = 0  # held without a result
        self._line = 0
        self._unsent: deque[str] = deque()  # on this line
        self._wary = False
        self._ended = False
        self._source_error: BaseException | None = None
        self._failure: BaseException | None = None

    # The caller's photos

    @property
    def has_room(self) -> bool:
        return len(self._held) < self._window

    def add(self, photo: PhotoLike) -> None:
        """Take a photo, or refuse it with a result that says why."""
        number = str(self._count)
        self._count += 1
        held = self._held[number] = _Held(number)
        try:
            whole = as_photo(photo)
            held.id = number if whole.id is None else whole.id
            request = item_request(whole, self._defaults)
        except InvalidRequest as error:
            held.result = StreamResult(held.id, error=error)
            return
        held.message = pb.StylizeStreamRequest(item=pb.StylizeStreamItem(id=number, request=request))
        if not self._waiting:
            self._patience.renew()
        self._waiting += 1
        self._unsent.append(number)

    def end(self, error: BaseException | None = None) -> None:
        """Note that there are no more photos, or that asking for the next raised an error."""
        self._ended, self._source_error = True, error

    # The server's lines

    @property
    def waits(self) -> bool:
        """Whether there are photos without a result."""
        return self._waiting > 0

    @property
    def over(self) -> bool:
        """Whether no photo will need the server any more."""
        return self.closed or self._failure is not None or (self._ended and not self._waiting)

    def begin(self) -> int:
        """Begin a line, and return its number; what was the line is none any more."""
        self._line += 1
        self._unsent = deque(number for number, held in self._held.items() if held.message)
        return self._line

    def can_go_on(self, line: int) -> bool:
        """Whether `outgoing` has something to tell."""
        if self.closed or line != self._line:
            return True
        if not self._unsent:
            return self._ended
        # After a loss, one photo at a time until there is an answer. What ended a call that has more to send is not
        # always told (see `mapping`); so it is, if a photo was to blame for it.
        return not self._wary or self._waiting == len(self._unsent)

    def outgoing(self, line: int) -> pb.StylizeStreamRequest | None:
        """Return what to send next on a line; None where nothing will follow."""
        if self.closed or line != self._line or not self._unsent:
            return None
        return self._held[self._unsent.popleft()].message

    def take(self, response: pb.StylizeStreamResponse) -> None:
        """Note an answer.

        Raises:
            ServerUnavailable: it is that the server stops, which is none.
        """
        held = self._held.get(response.id)
        if held is None or held.result:
            return
        if response.HasField("error"):
            error = item_error(response.error, self._target)
            if isinstance(error, ServerUnavailable):
                raise error
            self._settle(held, StreamResult(held.id, error=error))
        else:
            self._settle(held, StreamResult(held.id, Stylized.from_proto(response.response)))
        self._wary = False
        self._patience.met()
        self._patience.renew()

    def lost(self, error: grpc.RpcError | ServerUnavailable | None) -> float:
        """Note that a line has ended; return how many seconds to wait before the next.

        Raises:
            ImpastoClientError: there is no point in another.
        """
        self._line += 1
        self._wary = True
        if self.over or not self._waiting:
            return 0.0
        if error is None:  # a server that stops may end it in good order
            return self._patience.pause()
        if isinstance(error, ServerUnavailable):
            return self._patience.pause_for(error, None)
        mapped = client_error(error, self._target, self._timeout)
        if isinstance(mapped, MessageTooLarge) and self._refuse(mapped):
            return 0.0
        return self._patience.pause_for(mapped, error)

    def fail(self, error: BaseException) -> None:
        """Give up: with what is left of the photos nothing can be done."""
        self._failure = error

    # The caller's results

    def pop(self) -> StreamResult | None:
        """Return a result that the caller can have now, which makes room for a photo; None where there is none."""
        number = self._next_ready()
        return None if number is None else self._held.pop(number).result

    @property
    def finished(self) -> bool:
        """Whether the caller has had every result. Tells of lost lines.

        Raises:
            BaseException: what ended the photos, or the stream, before its end.
        """
        self._tell_losses()
        if self._failure:
            raise self._failure
        if self._waiting and self._patience.left() == 0:
            raise DeadlineExceeded(
                f"no answer from {self._target} within {self._timeout:g} s", grpc.StatusCode.DEADLINE_EXCEEDED
            )
        if self._held or not self._ended:
            return False
        if self._source_error:
            raise self._source_error
        return True

    @property
    def time_left(self) -> float | None:
        """Seconds until the server will have been silent for too long; None while nothing waits for it."""
        return self._patience.left() if self._waiting else None

    def _tell_losses(self) -> None:
        losses, self._losses = self._losses, []
        if self._on_lost:
            for error in losses:
                self._on_lost(error)

    def _next_ready(self) -> str | None:
        for number, held in self._held.items():
            if held.result:
                return number
            if self._ordered:
                break
        return None

    def _settle(self, held: _Held, result: StreamResult) -> None:
        held.message, held.result = None, result
        self._waiting -= 1

    def _refuse(self, error: MessageTooLarge) -> bool:
        """Give up the photos that no server with this limit takes; return whether there were any."""
        limit = error.limit
        large = [] if limit is None else [h for h in self._held.values() if h.message and h.message.ByteSize() > limit]
        for held in large:
            self._settle(held, StreamResult(held.id, error=error))
        return bool(large)
