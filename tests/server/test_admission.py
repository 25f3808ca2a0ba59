"""Who may come in."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, suppress

import pytest

from impasto_server.errors import Overloaded
from impasto_server.fast.admission import Admission


def admission(limit: int) -> Admission:
    return Admission(limit, lambda client: 0.5)


def filled(admission: Admission, client: str) -> ExitStack:
    """Take places until there are no more for this client."""
    held = ExitStack()
    with suppress(Overloaded):
        while True:
            held.enter_context(admission.admit(client))
    return held


async def test_one_client_alone_gets_three_quarters_of_the_places() -> None:
    door = admission(16)
    with filled(door, "flooder"):
        assert door.in_flight == 12


async def test_behind_two_floods_the_next_client_finds_a_place() -> None:
    door = admission(16)
    with ExitStack() as held:
        for k in range(2):
            held.enter_context(filled(door, f"flooder {k}"))
        with door.admit("newcomer"):
            assert door.in_flight <= 16


async def test_clients_of_one_request_each_may_fill_all_places() -> None:
    door = admission(4)
    with ExitStack() as held:
        for k in range(4):
            held.enter_context(door.admit(f"client {k}"))
        with (
            pytest.raises(Overloaded, match="4 requests are in flight, as many as the server takes") as caught,
            door.admit("x"),
        ):
            pass
    assert caught.value.retry_after == 0.5
    assert door.in_flight == 0


async def test_a_single_place_can_be_had() -> None:
    door = admission(1)
    with door.admit("a"), pytest.raises(Overloaded), door.admit("b"):
        pass
    with door.admit("b"):
        assert door.in_flight == 1


async def test_who_waits_for_a_turn_gets_it_when_a_place_is_free() -> None:
    door = admission(1)
    inside = asyncio.Event()

    async def wait() -> None:
        async with door.turn("b"):
            inside.set()

    with door.admit("a"):
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0)
        assert not inside.is_set()
    await waiting
    assert inside.is_set()
    assert door.in_flight == 0


async def test_who_gives_up_waiting_takes_no_place() -> None:
    door = admission(1)

    async def wait() -> None:
        async with door.turn("b"):
            raise AssertionError("there was no place")

    with door.admit("a"):
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.cancelled()
    assert door.in_flight == 0
