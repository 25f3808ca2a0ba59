"""A Prometheus of the tests' own, from Debian's package."""

from __future__ import annotations

import json
import math
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

from tests.support import free_ports

WAIT = 60.0  # s, far more than anything here takes
_NOW_AND_BEFORE = 10  # s, that a panel looks back


class BadQuery(Exception):
    """A query that Prometheus does not take, and why."""


class Prometheus:
    """A server on loopback that scrapes and evaluates."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def now(self, query: str) -> list[float]:
        """Return the values of a query's series now.

        Raises:
            BadQuery: it cannot be evaluated.
        """
        found = self.ask("query", query=query)["result"]
        return [float(series["value"][1]) for series in found]

    def lately(self, query: str) -> list[float]:
        """Return all values that a panel would show of a query's series, every second of the last ten.

        Raises:
            BadQuery: it cannot be evaluated.
        """
        now = time.time()
        found = self.ask("query_range", query=query, start=str(now - _NOW_AND_BEFORE), end=str(now), step="1")["result"]
        values = [float(value) for series in found for _, value in series["values"]]
        return [value for value in values if math.isfinite(value)]

    def values_of(self, label: str, series: str) -> list[str]:
        """Return a label's values among some series, as Grafana's variables ask for them."""
        found: list[str] = self.ask(f"label/{label}/values", **{"match[]": series})
        return found

    def ask(self, what: str, **arguments: str) -> Any:
        """Return what a part of its API answers."""
        try:
            with urlopen(f"{self._url}/api/v1/{what}?{urlencode(arguments)}", timeout=WAIT) as response:
                return json.load(response)["data"]
        except HTTPError as error:
            with error:
                raise BadQuery(f"{arguments.get('query')}: {json.load(error)['error']}") from None

    def until(self, query: str) -> None:
        """Wait until a query has series."""
        deadline = time.monotonic() + WAIT
        while not self.now(query):
            assert time.monotonic() < deadline, f"waited {WAIT:g} s for {query}"
            time.sleep(0.1)

    def ready(self) -> bool:
        try:
            with urlopen(f"{self._url}/-/ready", timeout=WAIT) as response:
                return bool(response.status == 200)
        except (URLError, ConnectionError):
            return False


@contextmanager
def prometheus(folder: Path, configuration: Any) -> Iterator[Prometheus]:
    """Run a Prometheus, and make sure that it has ended.

    Args:
        folder: of its configuration, its log and what it stores.
        configuration: of prometheus.yml.
    """
    (port,) = free_ports(1)
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(configuration))
    options = [
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    log = folder / "prometheus.log"
    with log.open("wb") as output:
        process = subprocess.Popen(["prometheus", *options], stdout=output, stderr=output)
    try:
        server, deadline = Prometheus(port), time.monotonic() + WAIT
        while not server.ready():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield server
    finally:
        process.kill()
        process.wait()
