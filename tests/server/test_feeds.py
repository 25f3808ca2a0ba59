"""Following jobs: how often the store is asked, and what reaches a follower."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from impasto.errors import ImpastoError, JobNotFound, StoreUnavailable
from impasto.jobs import Commission, Job, Progress, State
from impasto.optimization import Optimization
from impasto_server.jobs.feeds import Feeds

QUEUED = Job(
    id="1",
    owner="me",
    state=State.QUEUED,
    priority=0,
    commission=Commission(optimization=Optimization(), painting_weights=(1.0,), working_size=64, output_size=(64, 48)),
    created=datetime(2026, 1, 1, tzinfo=UTC),
)
DONE = replace(QUEUED, state=State.SUCCEEDED)


class Shelf:
    """A store of one job.

    Attributes:
        says: the job, or what asking for it raises.
        asked: how often it was asked for.
    """

    def __init__(self) -> None:
        self.says: Job | Exception = QUEUED
        self.asked = 0

    async def read(self, job_id: str, owner: str) -> Job:
        self.asked += 1
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask a hundred times a second."""
    monkeypatch.setattr("impasto_server.jobs.feeds._POLL_EVERY", 0.01)
    monkeypatch.setattr("impasto_server.jobs.feeds._POLL_EVERY_WHILE_AWAY", 0.01)


async def test_the_store_is_asked_no_oftener_for_many_followers_than_for_one() -> None:
    shelf = Shelf()
    feeds = Feeds(shelf.read)
    followers = [feeds.follow("1", "me") for _ in range(100)]
    assert [await anext(follower) for follower in followers] == [QUEUED] * 100
    asked = shelf.asked
    shelf.says = DONE
    assert [await anext(follower) for follower in followers] == [DONE] * 100
    assert shelf.asked - asked <= 2
    for follower in followers:
        assert [job async for job in follower] == []


async def test_the_store_is_left_alone_when_nobody_follows_any_more() -> None:
    shelf = Shelf()
    feeds = Feeds(shelf.read)
    for _ in range(2):
        async with aclosing(feeds.follow("1", "me")) as states:
            await anext(states)
    asked = shelf.asked
    await asyncio.sleep(0.1)
    assert shelf.asked == asked
    shelf.says = DONE
    assert [job async for job in feeds.follow("1", "me")] == [DONE]


async def test_a_follower_who_is_slow_gets_the_latest_state_and_the_end() -> None:
    shelf = Shelf()
    async with aclosing(Feeds(shelf.read).follow("1", "me")) as states:
        await anext(states)
        for step in range(1, 6):
            shelf.says = replace(QUEUED, state=State.RUNNING, progress=Progress(step=step))
            asked = shelf.asked
            while shelf.asked < asked + 2:
                await asyncio.sleep(0.01)
        assert (await anext(states)).progress.step == 5
        shelf.says = DONE
        assert [job async for job in states] == [DONE]


async def test_a_store_that_goes_away_is_waited_for_by_those_who_know_the_job_already() -> None:
    shelf = Shelf()
    feeds = Feeds(shelf.read)
    async with aclosing(feeds.follow("1", "me")) as states:
        await anext(states)
        shelf.says = StoreUnavailable("db", "gone")
        asked = shelf.asked
        while shelf.asked < asked + 3:
            await asyncio.sleep(0.01)
        assert await anext(feeds.follow("1", "me")) == QUEUED
        shelf.says = DONE
        assert await anext(states) == DONE


@pytest.mark.parametrize("error", [StoreUnavailable("db", "gone"), JobNotFound("1"), RuntimeError("a bug")])
async def test_what_cannot_be_had_at_first_is_said_at_once(error: Exception) -> None:
    shelf = Shelf()
    shelf.says = error
    with pytest.raises(type(error)):
        await anext(Feeds(shelf.read).follow("1", "me"))


@pytest.mark.parametrize("error", [JobNotFound("1"), RuntimeError("a bug")])
async def test_a_job_that_vanishes_ends_every_following(error: Exception) -> None:
    shelf = Shelf()
    feeds = Feeds(shelf.read)
    followers: list[AsyncGenerator[Job, None]] = [feeds.follow("1", "me") for _ in range(3)]
    for follower in followers:
        await anext(follower)
    shelf.says = error
    for follower in followers:
        with pytest.raises(type(error)):
            await anext(follower)


async def test_closing_ends_those_who_follow_and_those_who_come_later() -> None:
    shelf = Shelf()
    feeds = Feeds(shelf.read)
    follower = feeds.follow("1", "me")
    await anext(follower)
    feeds.close(ImpastoError("closed"))
    for each in (follower, feeds.follow("1", "me")):
        with pytest.raises(ImpastoError, match="closed"):
            await anext(each)
