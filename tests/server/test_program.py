"""The program itself, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest

from impasto.bundle import CODES, GRAPH, MANIFEST, STARTER, WEIGHTS
from impasto.v1 import stylizer_pb2 as pb
from impasto.v1.stylizer_pb2_grpc import StylizerStub
from tests.server.support import photo, read
from tests.support import fake_bundle

PLAIN = ("--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--jobs", "off")

needs_starter = pytest.mark.skipif(not STARTER.is_dir(), reason="the starter bundle is not there")


@asynccontextmanager
async def program(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `impasto-server`, and make sure that it has ended."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("IMPASTO_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "impasto_server.main",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def outcome(*arguments: str) -> tuple[int | None, str]:
    """Return the exit status and what went to standard error."""
    async with program(*arguments) as process:
        _, errors = await process.communicate()
        return process.returncode, errors.decode()


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda bundle: (bundle / GRAPH).write_bytes(b"another graph"), f"{GRAPH} has SHA-256"),
        (lambda bundle: (bundle / WEIGHTS).write_bytes((bundle / WEIGHTS).read_bytes()[:20]), f"{WEIGHTS} has SHA-256"),
        (lambda bundle: (bundle / CODES).unlink(), f"cannot read {CODES}: No such file"),
        (lambda bundle: (bundle / MANIFEST).unlink(), f"is no bundle: cannot read {MANIFEST}"),
    ],
    ids=["altered", "a file copied in part", "a file not copied", "the manifest not copied"],
)
async def test_a_damaged_bundle_ends_the_start_with_one_critical_line(
    tmp_path: Path, damage: Callable[[Path], object], why: str
) -> None:
    bundle = fake_bundle(tmp_path / "b")
    damage(bundle.path)
    status, errors = await outcome("--bundle", str(bundle.path), *PLAIN)
    *others, line = map(json.loads, errors.splitlines())
    assert status == 1
    assert [line["event"] for line in others] == ["listening", "shutting down", "stopped"]
    assert (line["level"], line["event"]) == ("critical", "cannot start")
    assert why in line["reason"]


async def test_a_graph_that_no_runtime_reads_ends_the_start(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    bundle = fake_bundle(tmp_path / "b")
    status, errors = await outcome("--bundle", str(bundle.path), "--provider", "cpu", *PLAIN)
    assert status == 1
    assert "Traceback" not in errors
    assert json.loads(errors.splitlines()[-1])["reason"].startswith("cpu cannot run")


async def test_a_file_that_cannot_be_written_ends_the_start(tmp_path: Path) -> None:
    bundle = fake_bundle(tmp_path / "b")
    file = tmp_path / "missing" / "ports.json"
    status, errors = await outcome("--bundle", str(bundle.path), "--ports-file", str(file), *PLAIN)
    assert status == 1
    assert "Traceback" not in errors
    assert "No such file" in json.loads(errors.splitlines()[-1])["reason"]


async def test_a_bad_option_ends_the_start_with_one_line() -> None:
    status, errors = await outcome("--quality", "3", "--working-size", "1")
    assert status == 2
    assert "Traceback" not in errors

    status, errors = await outcome("--working-size", "1")
    assert status == 2
    assert errors.splitlines() == [
        "impasto-server: working_size: '1' is not allowed (from the command line); "
        "it should be greater than or equal to 16"
    ]


@needs_starter
@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_the_starter_finish_what_it_paints(tmp_path: Path, signal_number: signal.Signals) -> None:
    ports_file = tmp_path / "ports.json"
    async with program(*PLAIN, "--ports-file", str(ports_file), "--provider", "cpu") as process:
        lines = await lines_until("ready", process)
        ports = json.loads(ports_file.read_text())
        async with grpc.aio.insecure_channel(f"127.0.0.1:{ports['grpc']}") as channel:
            stub = StylizerStub(channel)  # type: ignore[no-untyped-call]
            styles = (await stub.ListStyles(pb.ListStylesRequest())).styles
            request = pb.StylizeRequest(image=photo(401, 301), style_id=styles[0].style_id)
            call = asyncio.ensure_future(stub.Stylize(request))
            await until_in_flight(ports["http"], call)
            process.send_signal(signal_number)
            assert read(await call).shape == (301, 401, 3)
        _, rest = await process.communicate()
    assert process.returncode == 0
    assert next(line for line in lines if line["event"] == "engine opened")["why"].startswith("asked for")
    assert json.loads(rest.decode().splitlines()[-1])["event"] == "stopped"


@needs_starter
async def test_a_signal_during_the_start_ends_it_in_order() -> None:
    async with program(*PLAIN, "--provider", "cpu") as process:
        await lines_until("listening", process)
        process.send_signal(signal.SIGTERM)
        _, rest = await process.communicate()
    assert process.returncode == 0
    events = [json.loads(line)["event"] for line in rest.decode().splitlines()]
    assert events[-2:] == ["shutting down", "stopped"]


@needs_starter
async def test_a_second_signal_ends_the_program_at_once() -> None:
    async with program(*PLAIN, "--provider", "cpu", "--drain-delay-seconds", "3600") as process:
        await lines_until("ready", process)
        process.send_signal(signal.SIGINT)
        await lines_until("shutting down", process)
        process.send_signal(signal.SIGINT)
        _, rest = await process.communicate()
    assert (process.returncode, rest) == (-signal.SIGINT, b"")


async def lines_until(event: str, process: asyncio.subprocess.Process) -> list[dict[str, Any]]:
    assert process.stderr is not None
    lines: list[dict[str, Any]] = []
    while not lines or lines[-1]["event"] != event:
        lines.append(json.loads(await process.stderr.readline()))
    return lines


async def until_in_flight(port: int, call: asyncio.Future[Any]) -> None:
    """Wait until the server works on a request, or is already done with it."""
    async with aiohttp.ClientSession() as session:
        while not call.done():
            async with session.get(f"http://127.0.0.1:{port}/metrics") as response:
                if "impasto_requests_in_flight 1.0" in await response.text():
                    return
