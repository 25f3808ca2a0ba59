"""One server for all tests of bulk work."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from impasto_client import Client
from impasto_server.local import local_server
from tests.core.graphs import gate_bundle


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a real server, in a process of its own, which paints negatives."""
    folder = tmp_path_factory.mktemp("server")
    bundle = gate_bundle(folder / "bundle")
    options = ["--bundle-probe", "off", "--provider", "cpu", "--engine-threads", "1", "--max-message-bytes", "1048576"]
    with local_server(folder, ["--bundle", str(bundle.path), *options]) as server:
        yield server.target


@pytest.fixture
def client(target: str) -> Iterator[Client]:
    with Client(target) as client:
        yield client
