"""The callers file: what it may say, that it is read again, and that no secret leaves it."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from impasto.logs import make_log
from impasto.v1 import stylizer_pb2 as pb
from impasto_server.errors import CallersUnreadable
from impasto_server.identity.callers_file import read_callers
from impasto_server.identity.identities import CallerLimits
from impasto_server.identity.roles import Role
from impasto_server.identity.tokens import new_token
from impasto_server.server import running
from tests.credentials import bearer, caller, write_callers
from tests.server.support import Served, options, refusal, serving
from tests.server.test_program import PLAIN, lines_until, needs_starter, program
from tests.support import fake_bundle

WEB, BATCH = new_token(), new_token()


async def styles(served: Served, token: str) -> None:
    await served.stub.ListStyles(pb.ListStylesRequest(), metadata=bearer(token))


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not what():
            await asyncio.sleep(0.02)


def events(served: Served) -> list[str]:
    return [line["event"] for line in served.lines]


async def test_callers_are_read_again_when_the_file_changes_and_nobody_else_notices(tmp_path: Path) -> None:
    file = write_callers(tmp_path / "callers.toml", caller("web", WEB))
    async with serving(fake_bundle(tmp_path / "b"), callers_file=file) as served:
        done = asyncio.Event()
        answered = 0

        async def keep_calling() -> None:
            nonlocal answered
            while not done.is_set():
                await styles(served, WEB)
                answered += 1

        load = asyncio.gather(*(keep_calling() for _ in range(4)))
        assert (await refusal(styles(served, BATCH))).code() is grpc.StatusCode.UNAUTHENTICATED
        write_callers(file, caller("web", WEB), caller("batch", BATCH))
        await until(lambda: "callers reloaded" in events(served))
        await styles(served, BATCH)
        write_callers(file, caller("web", WEB))
        await until(lambda: events(served).count("callers reloaded") == 2)
        assert (await refusal(styles(served, BATCH))).code() is grpc.StatusCode.UNAUTHENTICATED
        done.set()
        await load
        assert answered


async def test_a_broken_callers_file_is_told_once_and_the_old_one_stays_in_force(tmp_path: Path) -> None:
    file = write_callers(tmp_path / "callers.toml", caller("web", WEB))
    async with serving(fake_bundle(tmp_path / "b"), callers_file=file) as served:

        def complaints() -> list[str]:
            return [line["reason"] for line in served.lines if line["event"] == "callers not reloaded"]

        file.write_text("")
        await until(lambda: len(complaints()) == 1)
        file.unlink()
        await until(lambda: len(complaints()) == 2)
        await styles(served, WEB)
        write_callers(file, caller("batch", BATCH))
        await until(lambda: "callers reloaded" in events(served))
        await styles(served, BATCH)
    assert [line.partition(str(file))[2] for line in complaints()] == [
        " caller is missing; what was read before stays in force",
        " cannot be read: No such file or directory; what was read before stays in force",
    ]


def test_a_callers_file_says_who_may_do_what_and_how_much(tmp_path: Path) -> None:
    limits = {"requests_per_second": "2.5", "max_concurrent": "3", "max_jobs": "4"}
    web = caller(
        "web", WEB, "stylize,admin", certificate='"web.internal"', expires="2040-01-01T00:00:00+01:00", **limits
    )
    callers = read_callers(write_callers(tmp_path / "callers.toml", web, caller("batch", BATCH, "jobs")))
    (identity,) = callers.by_certificate.values()
    assert (identity.name, set(identity.roles)) == ("web", {Role.STYLIZE, Role.ADMIN})
    assert identity.limits == CallerLimits(2.5, 3, 4)
    assert identity.expires is not None
    assert not identity.expired
    assert callers.names == ["batch", "web"]
    assert next(one.limits for one in callers.by_token.values() if one.name == "batch") == CallerLimits(
        None, None, None
    )


async def test_a_caller_may_have_two_tokens_while_one_is_replaced(tmp_path: Path) -> None:
    old, new = (caller("web", token).rpartition("= ")[2].strip() for token in (WEB, BATCH))
    file = write_callers(tmp_path / "callers.toml", caller("web", token_sha256=f"[{old}, {new.upper()}]"))
    async with serving(fake_bundle(tmp_path / "b"), callers_file=file) as served:
        await styles(served, WEB)
        await styles(served, BATCH)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff", "is no UTF-8"),
        (b"caller: web", "is no TOML: Expected '=' after a key"),
        (b"caller = []", "caller: List should have at least 1 item"),
        (b'[[callers]]\nname = "web"', "caller is missing; callers: there is no such key; there are caller"),
        (caller("web"), "caller 1: has neither token_sha256 nor certificate; give one, or both"),
        (caller("web", WEB, "paint"), "caller 1, roles 1: should be 'stylize', 'jobs' or 'admin'"),
        (caller("web", WEB).replace("['stylize', 'jobs']", "[]"), "caller 1, roles: List should have at least 1 item"),
        (caller("w\\u0065 b", WEB), "caller 1, name: should be 1 to 128 letters, digits or any of . _ @ : / + -"),
        (
            caller("web", token_sha256=f'"{WEB}"'),
            "caller 1, token_sha256: should be a token's SHA-256, 64 digits in hex",
        ),
        (caller("web", WEB, tokens=f'"{WEB}"'), "caller 1, tokens: there is no such key; there are name, roles, "),
        (caller("web", WEB, expires="2030-01-01T00:00:00"), "caller 1, expires: should have timezone info"),
        (caller("web", WEB, max_jobs="0"), "caller 1, max_jobs: should be greater than or equal to 1"),
        (caller("web", WEB) + caller("web", BATCH), "has two callers of the name web"),
        (caller("web", WEB) + caller("batch", WEB), "batch and web have the same token_sha256"),
        (
            caller("web", certificate='"a"') + caller("batch", certificate='"a"'),
            "batch and web have the same certificate",
        ),
    ],
)
def test_what_is_wrong_with_a_callers_file_is_told_in_one_line_without_secrets(
    tmp_path: Path, content: str | bytes | None, problem: str
) -> None:
    file = tmp_path / "callers.toml"
    if content is not None:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(CallersUnreadable) as raised:
        read_callers(file)
    message = str(raised.value)
    assert message.startswith(f"callers_file: {file} {problem}")
    assert "\n" not in message
    assert WEB not in message


async def test_a_callers_file_that_cannot_be_used_ends_the_start(tmp_path: Path) -> None:
    config = options(fake_bundle(tmp_path / "b"), callers_file=tmp_path / "callers.toml")
    with pytest.raises(CallersUnreadable):
        async with running(config):
            pass


@needs_starter
async def test_a_token_shows_nowhere(tmp_path: Path) -> None:
    strange = new_token()
    file = write_callers(tmp_path / "callers.toml", caller("web", WEB))
    ports_file = tmp_path / "ports.json"
    arguments = (*PLAIN, "--callers-file", str(file), "--ports-file", str(ports_file), "--log-level", "debug")
    told: list[str] = []
    async with program(*arguments, "--provider", "cpu") as process:
        told += map(json.dumps, await lines_until("ready", process))
        ports = json.loads(ports_file.read_text())
        async with grpc.aio.insecure_channel(f"127.0.0.1:{ports['grpc']}") as channel:
            listed: Any = channel.unary_unary("/impasto.v1.Stylizer/ListStyles")
            assert await listed(b"", metadata=bearer(WEB))
            for metadata in (bearer(strange), (("authorization", strange),)):
                error = await refusal(listed(b"", metadata=metadata))
                told.append(f"{error.details()} {error.trailing_metadata()}")
        told.append(await metrics(ports["http"]))
        file.write_text(f'[[caller]]\nname = "web"\nroles = ["jobs"]\ntoken_sha256 = "{WEB}"\n')
        told += map(json.dumps, await lines_until("callers not reloaded", process))
        process.terminate()
        told += [text.decode() for text in await process.communicate()]
    async with program("config", *arguments) as process:
        told += [text.decode() for text in await process.communicate()]
    assert all(event in "".join(told) for event in ("CALLER_UNKNOWN", "impasto_requests", "callers_file = "))
    for token in (WEB, strange):
        assert not [text for text in told if token in text]


@pytest.mark.parametrize("format", ["json", "console"])
def test_the_story_of_an_error_tells_no_values(format: str) -> None:
    stream = io.StringIO()

    def fail(token: str) -> None:
        raise RuntimeError("a fault")

    try:
        fail(WEB)
    except RuntimeError as error:
        make_log(format=format, stream=stream).error("unexpected error", exc_info=error)
    assert "a fault" in stream.getvalue()
    assert WEB not in stream.getvalue()


async def metrics(port: int) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
    try:
        return (await reader.read()).decode()
    finally:
        writer.close()
        await writer.wait_closed()
