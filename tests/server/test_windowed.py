"""Several items at once, with a bound."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from impasto_server.rpc.windowed import windowed


class Source:
    """Counts up to a number, and remembers how far it has been asked."""

    def __init__(self, count: int, error: Exception | None = None) -> None:
        self.asked = 0
        self._count = count
        self._error = error

    async def __aiter__(self) -> AsyncIterator[int]:
        for number in range(self._count):
            self.asked = number + 1
            yield number
        if self._error:
            raise self._error


class Work:
    """Doubles numbers, each when it is told to, or at once."""

    def __init__(self, *held: int) -> None:
        self.gates = {number: asyncio.Event() for number in held}
        self.most = self.now = 0
        self.cancelled: list[int] = []

    async def __call__(self, number: int) -> int:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if number in self.gates:
                await self.gates[number].wait()
            await asyncio.sleep(0)
            return 2 * number
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise
        finally:
            self.now -= 1


async def idle() -> None:
    """Let everything run that can."""
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("window", [1, 3, 100])
async def test_every_item_is_answered(window: int, ordered: bool) -> None:
    work = Work()

    answers = [answer async for answer in windowed(aiter(Source(20)), work, window=window, ordered=ordered)]

    assert sorted(answers) == [2 * number for number in range(20)]
    assert work.most <= window


async def test_nothing_makes_nothing() -> None:
    assert [answer async for answer in windowed(aiter(Source(0)), Work(), window=3, ordered=True)] == []


async def test_in_order_the_first_holds_back_the_others() -> None:
    work = Work(0)
    answers = windowed(aiter(Source(3)), work, window=3, ordered=True)
    first = asyncio.ensure_future(anext(answers))
    await idle()
    assert not first.done()
    work.gates[0].set()
    assert [await first, *[answer async for answer in answers]] == [0, 2, 4]


async def test_as_completed_the_first_holds_back_nobody() -> None:
    work = Work(0)
    answers = windowed(aiter(Source(3)), work, window=3, ordered=False)
    assert [await anext(answers), await anext(answers)] == [2, 4]
    work.gates[0].set()
    assert [answer async for answer in answers] == [0]


@pytest.mark.parametrize("ordered", [True, False])
async def test_an_answer_that_nobody_takes_holds_back_the_source(ordered: bool) -> None:
    source = Source(100)
    async with aclosing(windowed(aiter(source), Work(), window=4, ordered=ordered)) as answers:
        await anext(answers)
        await idle()
        assert source.asked == 4  # the one that was yielded counts until the next is asked for
        await anext(answers)
        await idle()
        assert source.asked == 5


@pytest.mark.parametrize("ordered", [True, False])
async def test_an_error_of_the_source_comes_after_what_came_before_it(ordered: bool) -> None:
    answers = windowed(aiter(Source(3, ValueError("broken"))), Work(), window=2, ordered=ordered)
    assert sorted([await anext(answers) for _ in range(3)]) == [0, 2, 4]
    with pytest.raises(ValueError, match="broken"):
        await anext(answers)


async def test_who_stops_listening_stops_the_work() -> None:
    work = Work(1, 2)
    answers = windowed(aiter(Source(100)), work, window=3, ordered=True)
    assert await anext(answers) == 0
    await idle()
    await answers.aclose()
    assert sorted(work.cancelled) == [1, 2]
    assert work.now == 0
