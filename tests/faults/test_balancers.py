"""Two servers behind HAProxy, and behind Envoy: one is restarted or killed, and no call of the Python clients fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.balancers import ENVOY, HAPROXY, Kind, NotInstalled, balanced
from tests.faults.load import kill_each, restart_each, under_load
from tests.faults.replicas import replicas

DRAIN = ("--drain-delay-seconds", "1.5")


@pytest.fixture(params=[HAPROXY, ENVOY], ids=lambda kind: kind.name)
def balancer(request: pytest.FixtureRequest) -> Kind:
    kind: Kind = request.param
    try:
        kind.command(kind.configuration)
    except NotInstalled as error:
        pytest.skip(str(error))
    return kind


def test_servers_behind_a_balancer_are_restarted_and_killed_and_no_call_fails(tmp_path: Path, balancer: Kind) -> None:
    with (
        replicas(tmp_path, 2, *DRAIN) as servers,
        balanced(balancer, tmp_path, servers) as balancing,
        under_load(balancing.target) as calls,
    ):
        restart_each(servers, calls)
        assert calls.errors == []
        kill_each(servers, calls)
    assert calls.errors == []
