"""Calls through both Python clients while servers come and go, and what became of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from impasto_client import AsyncClient, Client
from tests.faults.callers import PHOTO, STYLE, Calls
from tests.faults.replicas import PATIENCE, Replica

CALLERS = 3


@contextmanager
def under_load(target: str) -> Iterator[Calls]:
    """Have photos painted through both clients, by several callers each, while the block lasts."""
    calls = Calls()
    with Client(target, timeout=PATIENCE) as client:
        threads = [threading.Thread(target=_call, args=[client, calls]) for _ in range(CALLERS)]
        threads.append(threading.Thread(target=asyncio.run, args=[_call_all(target, calls)]))
        for thread in threads:
            thread.start()
        try:
            yield calls
        finally:
            calls.ended.set()
            for thread in threads:
                thread.join()


def restart_each(servers: list[Replica], calls: Calls) -> None:
    """Restart one after the other, as a rolling update does."""
    for server in servers:
        calls.more()
        assert server.terminate() == 0
        calls.more()
        server.start()
    calls.more()


def kill_each(servers: list[Replica], calls: Calls) -> None:
    """Kill one after the other, and let each come back."""
    for server in servers:
        calls.more()
        server.kill()
        calls.more()
        server.start()
    calls.more()


def _call(client: Client, calls: Calls) -> None:
    while not calls.ended.is_set():
        with calls.one():
            client.stylize(PHOTO, STYLE)


async def _call_all(target: str, calls: Calls) -> None:
    async with AsyncClient(target, timeout=PATIENCE) as client:
        await asyncio.gather(*(_call_one_by_one(client, calls) for _ in range(CALLERS)))


async def _call_one_by_one(client: AsyncClient, calls: Calls) -> None:
    while not calls.ended.is_set():
        with calls.one():
            await client.stylize(PHOTO, STYLE)
