"""What bulk work makes of a server: photos a second from folders and buckets, and the memory that a long listing takes.

    python -m benchmarks.bulk [--count 400] [--size 512] [--keys 1000000] [--page docs/bulk.md]

The same photos go to one `impasto-server`, in a process of its own: from 8 clients that call `Stylize`, which is the
server's ceiling; over one `stylize_stream`, from memory; and by `impasto bulk`, in a process of its own too, from a
folder to another, from S3 to S3 (moto's, in another process), and from an S3 that takes 100 ms for each answer. All
of them share this machine's processors with the server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from benchmarks.load import call, closed_loop, stubs
from benchmarks.many_keys import URL, many_keys
from benchmarks.pages import put
from benchmarks.ports import free_ports
from benchmarks.serving import scaled, sources
from impasto.machine import machine, table
from impasto_client import Client
from impasto_server.local import local_server

_CLIENTS = 8
_CEILING_SECONDS = 10.0
_FAR = 0.1  # s, that a distant S3 takes for an answer
_FEW_KEYS = 1_000
_PAINTED = 50  # of the many keys
_BUCKET = "photos"
_MIB = 2**20


@dataclass(frozen=True)
class Ran:
    """A run of `impasto bulk`.

    Attributes:
        report: what it printed.
        peak: MiB that its process held at most.
        seconds: that it took, its start included.
    """

    report: Mapping[str, Any]
    peak: float
    seconds: float

    @property
    def throughput(self) -> float:
        return float(self.report["painted"] / self.report["seconds"])


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = [scaled(source, (options.size, options.size)) for source in sources(None)]
        with local_server(folder) as server:
            parts = [
                _throughput(folder, server.target, photos, options),
                _listing(folder, server.target, photos, options),
            ]
    text = "\n\n".join(["## Measured", f"{machine()}; photos of {options.size} px, {options.count} of them.", *parts])
    print(text)
    if options.page:
        put(options.page, "bulk", f"python -m benchmarks.bulk --count {options.count} --keys {options.keys}", text)


def _throughput(folder: Path, target: str, photos: Sequence[bytes], options: argparse.Namespace) -> str:
    """Return the table of photos a second."""
    ceiling = asyncio.run(_ceiling(target, photos, options.style))
    stream = _stream(target, photos, options)
    local = _filled(folder / "photos", photos, options.count)
    rows: list[tuple[str, float, float | None]] = [
        (f"{_CLIENTS} clients, `Stylize`", ceiling, None),
        ("`stylize_stream`, from memory", stream, None),
    ]
    ran = _bulk(local, folder / "painted", target, options.style, {})
    rows.append(("`impasto bulk`, folder to folder", ran.throughput, ran.peak))
    with _moto(folder) as environment:
        _upload(local, environment)
        ran = _bulk(f"s3://{_BUCKET}/in", f"s3://{_BUCKET}/out", target, options.style, environment)
        rows.append(("`impasto bulk`, S3 to S3", ran.throughput, ran.peak))
    with many_keys(options.count, photos[0], seconds=_FAR) as bucket:
        ran = _bulk(URL, folder / "from-afar", target, options.style, bucket.environment)
        rows.append((f"`impasto bulk`, from an S3 {_FAR * 1000:g} ms away", ran.throughput, ran.peak))
    return table(
        ("", "photos/s", "of the ceiling", "peak memory, MiB"),
        [(name, f"{rate:.1f}", f"{rate / ceiling:.0%}", f"{peak:.0f}" if peak else "") for name, rate, peak in rows],
    )


def _listing(folder: Path, target: str, photos: Sequence[bytes], options: argparse.Namespace) -> str:
    """Return the table of listings: one shard of so many that it has 50 photos."""
    rows = []
    for keys in (_FEW_KEYS, options.keys):
        with many_keys(keys, photos[0]) as bucket:
            shard = f"--shard=0/{max(1, keys // _PAINTED)}"
            ran = _bulk(URL, folder / f"of-{keys}", target, options.style, bucket.environment, shard)
        rows.append((f"{keys:,}", ran.report["painted"], f"{ran.seconds:.0f}", f"{ran.peak:.0f}"))
    return table(("keys in one prefix", "painted", "s", "peak memory, MiB"), rows)


async def _ceiling(target: str, photos: Sequence[bytes], style: str) -> float:
    clients = [[call(stub, photo, style) for photo in photos] for stub in stubs(target, _CLIENTS)]
    await closed_loop(clients, 1.0)
    return (await closed_loop(clients, _CEILING_SECONDS)).throughput


def _stream(target: str, photos: Sequence[bytes], options: argparse.Namespace) -> float:
    begun = time.perf_counter()
    with Client(target, timeout=120) as client:
        results = client.stylize_stream(islice(cycle(photos), options.count), options.style, ordered=False, window=16)
        painted = len([result.get() for result in results])
    return painted / (time.perf_counter() - begun)


def _bulk(source: object, out: object, target: str, style: str, environment: Mapping[str, str], *others: str) -> Ran:
    command = [sys.executable, "-m", "impasto_client.cli", "bulk", str(source), str(out), "--style", style, "--json"]
    begun = time.perf_counter()
    with subprocess.Popen(
        [*command, "--server", target, *others], stdout=subprocess.PIPE, env=os.environ | environment
    ) as process:
        assert process.stdout is not None
        report = json.loads(process.stdout.read())
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
    return Ran(report, used.ru_maxrss * 1024 / _MIB, time.perf_counter() - begun)


def _filled(folder: Path, photos: Sequence[bytes], count: int) -> Path:
    folder.mkdir()
    for number, photo in enumerate(islice(cycle(photos), count)):
        (folder / f"{number:05}.jpg").write_bytes(photo)
    return folder


@contextmanager
def _moto(folder: Path) -> Iterator[dict[str, str]]:
    """Run moto's S3, and yield the environment that leads there."""
    (port,) = free_ports(1)
    command = [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(port)]
    with (folder / "moto.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_DEFAULT_REGION": "us-east-1",
            }
        finally:
            process.terminate()


def _upload(photos: Path, environment: Mapping[str, str]) -> None:
    """Put a folder into a bucket, by a process that has the environment for it."""
    script = (
        "import sys, s3fs; files = s3fs.S3FileSystem(config_kwargs={'retries': {'max_attempts': 10}}); "
        f"files.mkdir({_BUCKET!r}); files.put(sys.argv[1] + '/', {_BUCKET + '/in/'!r}, recursive=True)"
    )
    subprocess.run([sys.executable, "-c", script, str(photos)], env=os.environ | environment, check=True)


def _parser() -> argparse.ArgumentParser:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bulk", description=__doc__.split("\n\n")[0])
    parser.add_argument("--count", type=int, default=400, help="photos")
    parser.add_argument("--size", type=int, default=512, metavar="PX", help="of both their sides")
    parser.add_argument("--keys", type=int, default=1_000_000, help="of the long listing")
    parser.add_argument("--style", default="starry-night")
    parser.add_argument("--page", type=Path, help="a page of Markdown to write the result into")
    return parser


if __name__ == "__main__":
    main()
