"""A deployment under a little load, watched by Prometheus: what the dashboards are asked about in tests."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import count, repeat
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import grpc
import yaml

from benchmarks.replicas import LIGHT, Replica
from deploy.grafana.rules import MONITORING, groups, write
from impasto import images
from impasto.bundle import STARTER
from impasto.v1 import stylizer_pb2 as pb
from impasto.v1.stylizer_pb2_grpc import StylizerStub
from impasto_client import Client, ImpastoClientError, Painting
from tests.credentials import Authority
from tests.deploy.prometheus_server import WAIT, Prometheus, prometheus
from tests.support import gradient
from tests.worker.processes import WorkerProcess, worker

PAGE = MONITORING.parents[3] / "docs" / "monitoring.md"
NAMESPACE = "impasto"
_SNIPPET = re.compile(r"```yaml\n(global:.*?)```", re.DOTALL)
_STYLE = "starry-night"
_PLACES = 4  # for photos in the works
_TIGHT = 1e-3  # s, in which no photo is painted

# Enough scrapes, rules that have been evaluated, and jobs that came to an end meanwhile.
_WANTED = (
    "count_over_time(impasto_ready[1m]) >= 6",
    "namespace:impasto_latency:budget_left30d",
    "rate(impasto_worker_job_seconds_count[5s]) > 0",
)


@dataclass
class Watched:
    """What runs.

    Attributes:
        prometheus: what watches.
        server, worker: who is watched.
    """

    prometheus: Prometheus
    server: Replica
    worker: WorkerProcess

    @property
    def pages(self) -> dict[str, str]:
        """What server and worker show now."""
        return {"server": _page(self.server.http), "worker": _page(self.worker.http)}


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    """Run a server with TLS, a store of bundles, a cache and jobs; a worker; Prometheus; and calls of all kinds.

    Everything has been scraped often enough when it is there, and goes on until the block ends.
    """
    authority = Authority(folder)
    with (
        _server(folder, authority) as server,
        _worker(server) as workman,
        _calls(server, authority),
        prometheus(folder, _configuration(folder, server, workman)) as watching,
    ):
        for wanted in _WANTED:
            watching.until(wanted)
        yield Watched(watching, server, workman)


@contextmanager
def _server(folder: Path, authority: Authority) -> Iterator[Replica]:
    bundles = folder / "bundles"
    bundles.mkdir()
    own = authority.issue("server")
    tls = ("--tls-cert", str(own.cert), "--tls-key", str(own.key))
    store = ("--bundle-store", str(bundles), "--bundle", str(STARTER), "--bundle-poll-seconds", "0.5")
    others = ("--cache-bytes", "1000000", "--max-concurrent-requests", str(_PLACES), "--jobs", "on", "--workers", "0")
    replica = Replica(folder / "server", (*LIGHT, *tls, *store, *others))
    replica.start()
    try:
        yield replica
    finally:
        replica.close()


@contextmanager
def _worker(server: Replica) -> Iterator[WorkerProcess]:
    state = server.folder / "state"
    store = ("--database", f"sqlite:///{state}/jobs.sqlite", "--blobs", str(state / "blobs"))
    with worker(server.folder, *store, "--http", "127.0.0.1:0", step_seconds=0.002) as workman:
        workman.wait_for("ready")
        yield workman


@contextmanager
def _calls(server: Replica, authority: Authority) -> Iterator[None]:
    """Call the server in all ways, again and again, until the block ends."""
    over, failures = threading.Event(), []

    def call() -> None:
        with Client(server.target, ca=authority.file) as client, _channel(server, authority) as channel:
            stub: Any = StylizerStub(channel)  # type: ignore[no-untyped-call]
            for number in count():
                if over.is_set():
                    return
                try:
                    _some_calls(client, stub, number)
                except Exception as error:
                    failures.append(error)
                    return

    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert failures == []


def _some_calls(client: Client, stub: Any, number: int) -> None:
    small, other = _photo(64, number), _photo(96, number)
    for photo in (small, small, other):  # the second out of the cache
        client.stylize(photo, _STYLE)
    assert len(list(client.stylize_stream([small, other], _STYLE))) == 2
    with closing(client.stylize_stream(repeat(small), _STYLE)) as answers:  # cancelled by its caller
        next(answers)
    client.styles()
    with suppress(ImpastoClientError):  # refused
        client.stylize(b"no picture", _STYLE)
    with suppress(ImpastoClientError):  # its deadline passes
        client.stylize(_photo(128, number), _STYLE, timeout=_TIGHT)
    _more_than_there_are_places(stub, _photo(128, -number))
    client.create_job(small, Painting(other), optimization={"steps": 10})


def _more_than_there_are_places(stub: Any, photo: bytes) -> None:
    """Make several calls at once, of which some are refused."""
    calls = [stub.Stylize.future(pb.StylizeRequest(image=photo, style_id=_STYLE)) for _ in range(2 * _PLACES)]
    for call in calls:
        assert call.code() in (grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED)


def _photo(side: int, number: int) -> bytes:
    """Return a picture that differs from those of other numbers."""
    return images.encode((gradient(side, side) + number % 251).astype("uint8"))


def _channel(server: Replica, authority: Authority) -> grpc.Channel:
    return grpc.secure_channel(server.target, grpc.ssl_channel_credentials(authority.file.read_bytes()))


def _configuration(folder: Path, server: Replica, workman: WorkerProcess) -> Any:
    """Return the configuration that the documentation gives, for these targets, in a hurry."""
    match = _SNIPPET.search(PAGE.read_text())
    assert match
    configuration = yaml.safe_load(match[1])
    configuration["global"] |= {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "1s"}
    configuration["rule_files"] = [str(folder / "rules.yaml")]
    write(folder / "rules.yaml", [{key: value for key, value in one.items() if key != "interval"} for one in groups()])
    ports = {"impasto-server": server.http, "impasto-worker": workman.http}
    for job in configuration["scrape_configs"]:
        (targets,) = job["static_configs"]
        targets["targets"] = [f"127.0.0.1:{ports[job['job_name']]}"]
        assert targets["labels"] == {"namespace": NAMESPACE}
    return configuration


def _page(port: int) -> str:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=WAIT) as response:
        text: str = response.read().decode()
        return text
