"""Requests over a stream: each has an answer of its own, whatever becomes of the others."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, closing

import grpc

from impasto.inference import open_inference_pb2 as pb
from impasto.logs import Log
from impasto_server.callers import Caller
from impasto_server.metrics import Metrics
from impasto_server.rpc.budget import Budget, Share
from impasto_server.rpc.facts import Totals
from impasto_server.rpc.idleness import Idleness
from impasto_server.rpc.incoming import Incoming
from impasto_server.rpc.inference.sittings import Sittings
from impasto_server.rpc.items import status_told, told_of
from impasto_server.rpc.windowed import windowed

METHOD = "ModelStreamInfer"

_PART_BYTES = 16  # that each part of typed bytes takes beside what it says
_Counted = tuple[pb.ModelInferRequest, int]  # and the bytes that it takes


class InferenceStreams:
    """Answers streams of requests, in their order.

    Args:
        sittings: answers each of them.
        incoming: reads what their callers send.
        budget: what requests and answers of all streams take, but for one of each stream.
        metrics: told of each request.
        log: where unexpected errors go, and a line a request at debug level.
        window: the most requests of one stream in the works.
        idle_seconds: after which a stream ends of which nothing is in the works and no request comes.
    """

    def __init__(
        self,
        sittings: Sittings,
        incoming: Incoming,
        budget: Budget,
        metrics: Metrics,
        log: Log,
        *,
        window: int,
        idle_seconds: float,
    ) -> None:
        self._sittings = sittings
        self._incoming = incoming
        self._budget = budget
        self._metrics = metrics
        self._log = log
        self._window = window
        self._idle_seconds = idle_seconds

    async def answers(
        self, requests: AsyncIterator[pb.ModelInferRequest], caller: Caller, totals: Totals
    ) -> AsyncGenerator[pb.ModelStreamInferResponse, None]:
        """Yield the answer to each request.

        Args:
            requests: what the caller sends.
            caller: whose they are.
            totals: told of each request, and of each photo.

        Raises:
            ShuttingDown: the server stops; what came before has been answered.
            StreamIdle: no request has come for long; so has what came before.
        """
        idleness, share = Idleness(self._idle_seconds), self._budget.share()

        async def work(item: _Counted) -> tuple[pb.ModelStreamInferResponse, int]:
            request, taken = item
            answer = await told_of(lambda: self._answer(request, caller, totals), totals, self._log)
            size = sum(map(len, answer.infer_response.raw_output_contents))
            share.change(size - taken)
            return answer, size

        received = self._incoming.read(requests, idleness)
        items = _counted(received, idleness, share)
        answers = windowed(items, work, window=self._window, ordered=True)
        with closing(share):
            async with aclosing(received), aclosing(items), aclosing(answers):
                async for answer, size in answers:
                    yield answer
                    idleness.answered()
                    share.change(-size)

    async def _answer(
        self, request: pb.ModelInferRequest, caller: Caller, totals: Totals
    ) -> tuple[pb.ModelStreamInferResponse, grpc.StatusCode]:
        try:
            response = await self._sittings.answer(request, caller, totals, method=METHOD, patient=True)
        except Exception as error:
            status, code = status_told(error, self._metrics, self._log)
            nothing = pb.ModelInferResponse(id=request.id)  # which tells a caller what went wrong
            return pb.ModelStreamInferResponse(error_message=status.message, infer_response=nothing), code
        self._metrics.item("OK")
        return pb.ModelStreamInferResponse(infer_response=response), grpc.StatusCode.OK


async def _counted(
    requests: AsyncIterator[pb.ModelInferRequest], idleness: Idleness, share: Share
) -> AsyncGenerator[_Counted, None]:
    await share.room()
    async for request in requests:
        idleness.begun()
        taken = _taken(request)
        share.change(taken)
        yield request, taken
        await share.room()


def _taken(request: pb.ModelInferRequest) -> int:
    """Return about how many bytes a request takes here: a typed number takes a word, however short it was sent."""
    raw = sum(map(len, request.raw_input_contents))
    return raw + sum(_taken_by(sent.contents) for sent in request.inputs)


def _taken_by(contents: pb.InferTensorContents) -> int:
    short = len(contents.bool_contents) + len(contents.int_contents) + len(contents.uint_contents)
    long = len(contents.int64_contents) + len(contents.uint64_contents) + len(contents.fp64_contents)
    numbers = 4 * (short + len(contents.fp32_contents)) + 8 * long
    return numbers + sum(_PART_BYTES + len(part) for part in contents.bytes_contents)
