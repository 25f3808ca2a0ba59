"""Work on a stream of items, several at once, with a bound on what is under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


async def windowed(
    items: AsyncIterator[Item], work: Callable[[Item], Awaitable[Answer]], *, window: int, ordered: bool
) -> AsyncGenerator[Answer, None]:
    """Yield what `work` makes of each item.

    Args:
        items: the next is asked for only while there is room for it; what they raise is raised here, when what came
            before has been yielded.
        work: must not fail.
        window: items under way at once; one whose answer has not been taken counts.
        ordered: yield in the order of the items, not as they are done.
    """
    room = asyncio.Semaphore(window)
    answers: asyncio.Queue[asyncio.Future[Answer] | None] = asyncio.Queue()
    working: set[asyncio.Future[Answer]] = set()
    feeding = asyncio.create_task(_feed(items, work, room, answers, working, ordered))
    try:
        while answer := await answers.get():
            yield await answer
            room.release()
        await feeding
    finally:
        await _end([feeding, *working])


async def _feed(
    items: AsyncIterator[Item],
    work: Callable[[Item], Awaitable[Answer]],
    room: asyncio.Semaphore,
    answers: asyncio.Queue[asyncio.Future[Answer] | None],
    working: set[asyncio.Future[Answer]],
    ordered: bool,
) -> None:
    """Begin with items as there is room, and put each on the queue: now if order matters, else when it is done."""
    try:
        while True:
            await room.acquire()
            task = asyncio.ensure_future(work(await anext(items)))
            working.add(task)
            if ordered:
                answers.put_nowait(task)
            else:
                task.add_done_callback(answers.put_nowait)
            task.add_done_callback(working.discard)
    except StopAsyncIteration:
        pass
    finally:
        if working:
            await asyncio.wait(set(working))
        answers.put_nowait(None)


async def _end(tasks: Iterable[asyncio.Future[Any]]) -> None:
    for task in (ending := list(tasks)):
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*ending, return_exceptions=True)
