"""Clients that ask again as soon as they are answered, in a process of their own, the same for every server.

Each has a connection of its own, and sends the same message, made beforehand: what the clients take of the machine is
the same whatever is asked.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

import grpc

JPEG = b"\xff\xd8\xff"
"""What a JPEG begins with; every answer holds one."""

_CALL_SECONDS = 120.0
_OPTIONS = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]


@dataclass(frozen=True)
class Load:
    """What clients saw.

    Attributes:
        seconds: from the first call to the last answer.
        latencies: s, of every call.
        cpu: s of processors that the clients themselves took.
    """

    seconds: float
    latencies: list[float]
    cpu: float


class LoadFailed(Exception):
    """A call did; holds why."""


def put_load(target: str, method: str, request: Path, clients: int, seconds: float, reply: Path) -> Load:
    """Run clients against a server, in a process of their own.

    Args:
        target: host:port.
        method: its full name.
        request: a file with the message to send.
        clients: how many.
        seconds: for how long they ask anew.
        reply: a file that the first answer is written to.

    Raises:
        LoadFailed: a call failed, or its answer is no picture.
    """
    command = [sys.executable, "-m", "benchmarks.peer_servers.load", target, method, str(request), str(reply)]
    done = subprocess.run([*command, str(clients), str(seconds)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LoadFailed(f"{method} at {target}: {done.stderr.strip()[-2000:]}")
    return Load(**json.loads(done.stdout))


async def _load(options: argparse.Namespace) -> Load:
    request = options.request.read_bytes()
    channels = [grpc.aio.insecure_channel(options.target, options=_OPTIONS) for _ in range(options.clients)]
    await asyncio.gather(*(channel.channel_ready() for channel in channels))
    latencies: list[float] = []
    cpu, begun = process_time(), perf_counter()
    ends = begun + options.seconds
    asking = [_ask(channel.unary_unary(options.method), request, ends, latencies) for channel in channels]
    replies = await asyncio.gather(*asking)
    load = Load(perf_counter() - begun, latencies, process_time() - cpu)
    options.reply.write_bytes(replies[0])
    await asyncio.gather(*(channel.close() for channel in channels))
    return load


async def _ask(
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes], request: bytes, ends: float, latencies: list[float]
) -> bytes:
    """Call until time is up, and return the last answer."""
    while True:
        begun = perf_counter()
        reply = await call(request, timeout=_CALL_SECONDS)
        answered = perf_counter()
        latencies.append(answered - begun)
        if JPEG not in reply:
            raise LoadFailed(f"an answer of {len(reply)} bytes holds no JPEG")
        if answered >= ends:
            return reply


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, kind in (("target", str), ("method", str), ("request", Path), ("reply", Path)):
        parser.add_argument(name, type=kind)
    parser.add_argument("clients", type=int)
    parser.add_argument("seconds", type=float)
    try:
        load = asyncio.run(_load(parser.parse_args()))
    except grpc.aio.AioRpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
    print(json.dumps(vars(load)))


if __name__ == "__main__":
    main()
