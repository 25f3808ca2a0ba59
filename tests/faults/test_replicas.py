"""Several servers, of which one is killed or each is restarted, and clients that know them all: nobody notices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from impasto_client import Client
from tests.faults.callers import PHOTO, STYLE
from tests.faults.load import kill_each, restart_each, under_load
from tests.faults.replicas import PATIENCE, Replica, all_of, replicas

DRAIN = ("--drain-delay-seconds", "0.5")
FRAMES = 100


def test_servers_are_restarted_and_killed_under_load_and_no_call_fails(tmp_path: Path) -> None:
    with replicas(tmp_path, 2, *DRAIN) as servers, under_load(all_of(servers)) as calls:
        restart_each(servers, calls)
        assert calls.errors == []
        kill_each(servers, calls)
    assert calls.errors == []


@pytest.mark.parametrize("end", [Replica.kill, Replica.terminate])
def test_a_stream_goes_on_with_the_other_server_and_has_every_answer(tmp_path: Path, end: Any) -> None:
    with replicas(tmp_path, 2) as servers, Client(all_of(servers), timeout=PATIENCE) as client:
        for server in servers:
            results = client.stylize_stream([(str(number), PHOTO) for number in range(FRAMES)], STYLE)
            ids = [next(results).id for _ in range(20)]
            end(server)
            ids += [result.id for result in results if result.get()]
            assert ids == [str(number) for number in range(FRAMES)]
            server.start()
