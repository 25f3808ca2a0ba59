"""A server ends when it is told to, whatever hangs."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from impasto_server.life.ending import Status
from tests.client.servers import stylize_sync
from tests.server.processes import server_process
from tests.server.support import photo

QUICK = ("--drain-seconds", "0.2", "--end-seconds", "1")


def test_a_server_that_has_nothing_to_do_ends_at_once(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        assert stylize_sync(server.target, photo()).image
        assert server.end() == Status.OK
        assert server.lines("stopped")
        assert not server.lines("not ended in time")


def test_a_signal_is_told_to_watchers_first_and_served_on_for_the_delay(tmp_path: Path) -> None:
    with server_process(tmp_path, "--drain-delay-seconds", "3") as server:
        with grpc.insecure_channel(server.target) as channel:
            stub: Any = HealthStub(channel)
            watch = stub.Watch(HealthCheckRequest())
            assert next(watch).status == HealthCheckResponse.SERVING
            server.process.send_signal(signal.SIGTERM)
            assert next(watch).status == HealthCheckResponse.NOT_SERVING
            assert server.page("/readyz") == (503, "shutting down\n")
            assert server.page("/livez") == (200, "ok\n")
            assert stylize_sync(server.target, photo()).image
            assert list(watch) == []
        assert server.process.wait(60) == Status.OK


def test_a_picture_that_does_not_come_back_does_not_keep_the_process(tmp_path: Path) -> None:
    with server_process(tmp_path, *QUICK, hang="engine") as server:
        server.switch.touch()
        with grpc.insecure_channel(server.target) as channel:
            failed = threading.Event()
            call: Any = channel.unary_unary("/impasto.v1.Stylizer/Stylize")
            request = b"\x0a" + _varint(len(photo())) + photo() + b"\x12\x03ink"
            call.future(request).add_done_callback(lambda _: failed.set())
            while "impasto_requests_in_flight 1.0" not in server.page("/metrics")[1]:
                pass
            assert server.end() == Status.OK
            assert failed.wait(60)


def test_a_thread_that_python_would_wait_for_is_left_behind_at_the_deadline(tmp_path: Path) -> None:
    with server_process(tmp_path, *QUICK, hang="thread") as server:
        assert server.end() == Status.NOT_IN_TIME
        (line,) = server.lines("not ended in time")
        assert (line["level"], line["seconds"], line["status"]) == ("critical", 1.2, 3)
        assert "threading.py" in line["at"]


def test_what_holds_pythons_lock_is_ended_by_the_kernel(tmp_path: Path) -> None:
    with server_process(tmp_path, *QUICK, "--drain-delay-seconds", "1", hang="lock") as server:
        server.process.send_signal(signal.SIGTERM)
        server.wait_for("shutting down")
        server.switch.touch()
        assert server.process.wait(60) == -signal.SIGALRM


def test_a_log_that_nobody_reads_does_not_keep_the_process(tmp_path: Path) -> None:
    with server_process(tmp_path, *QUICK, stderr=subprocess.PIPE) as server:
        _fill_the_pipe(server.target)
        assert server.end() == Status.NOT_IN_TIME


def test_a_loop_that_does_not_turn_ends_the_process(tmp_path: Path) -> None:
    with server_process(tmp_path, "--loop-stuck-seconds", "2", stderr=subprocess.PIPE) as server:
        _fill_the_pipe(server.target)
        assert server.process.wait(60) == Status.DEAF


def test_a_process_that_was_stopped_for_a_while_goes_on(tmp_path: Path) -> None:
    with server_process(tmp_path, "--loop-stuck-seconds", "2", "--engine-stuck-seconds", "1") as server:
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(4)  # longer than either may be stuck
        server.process.send_signal(signal.SIGCONT)
        assert stylize_sync(server.target, photo()).image
        assert server.end() == Status.OK


def _fill_the_pipe(target: str) -> None:
    """Make calls until the server hangs at writing the log line of one: it ends when its deadline passes."""
    with grpc.insecure_channel(target) as channel:
        list_styles: Any = channel.unary_unary("/impasto.v1.Stylizer/ListStyles")
        for _ in range(10_000):
            try:
                list_styles(b"", timeout=3)
            except grpc.RpcError:
                return
    raise AssertionError("the pipe never filled")


def _varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number % 128 | 128]) + _varint(number // 128)
