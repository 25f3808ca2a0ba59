"""Options: one frozen object, read once at start from the command line and the environment."""

from __future__ import annotations

import argparse
import math
import os
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from impasto.amounts import byte_count
from impasto.images import MAX_PIXELS, MIN_SIDE
from impasto.jobs import LEASE_SECONDS
from impasto.tracing.opening import TRACES

PROGRAM = "impasto-worker"
_PREFIX = "IMPASTO_"
_PORTS = 65536
_TRUTHS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}

_DESCRIPTION = """\
Paint photos in the style of paintings that nobody has trained.

Takes jobs out of a store that impasto-server puts them into, optimises each picture,
and writes progress, previews and the result back. A store is a database and a place
for pictures: give every server and worker the same two, and every worker the same
weights. Any number of workers may share one, on one machine or many. Each paints one
job at a time, so start one per GPU.

impasto-server starts workers by itself where torch is installed and no database is
named: then there is nothing to do."""

_EPILOG = """\
Every option can also be given in the environment, under the name that stands beside
it; the command line wins. A database URL with a password belongs there: other users
of a machine can read command lines. On a CPU a worker takes every core that it may
use, or as many as OMP_NUM_THREADS says.

A worker that dies, by kill -9 or a power cut, costs its job no more than the time
since the last checkpoint: when the lease has lapsed, any other worker goes on with it.
While the store cannot be reached a worker paints on, and tries again.

With --http it says over HTTP whether it lives (/livez), whether it can do jobs (/readyz,
with the reason while it cannot) and what it has done (/metrics, for Prometheus).

SIGTERM or SIGINT: the step in hand is finished and saved, the job goes back into the
queue, and the process ends with status 0. The status is 1 if --stop-seconds were not
enough or it could not start at all, 2 for a bad option, and 3 if it was stuck.

The log goes to standard error: one line a job, with its id, sizes, steps, seconds and
outcome; never a picture.

`impasto-worker ready` asks a running worker that has --http whether it is ready, as
probes do.

  impasto-worker --database sqlite:////var/lib/impasto/jobs.sqlite \\
      --blobs /var/lib/impasto/blobs
  IMPASTO_DATABASE=postgresql://user:password@host/impasto impasto-worker \\
      --blobs s3://bucket/jobs --device cuda:1 --vgg-weights vgg19.safetensors"""


def _about(read: Callable[[str], Any], metavar: str, meaning: str) -> dict[str, Any]:
    return {"read": read, "metavar": metavar, "help": meaning}


def _memory(text: str) -> int:
    try:
        return byte_count(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; give seconds, more than 0")
    return seconds


def _pixels(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) >= MIN_SIDE**2):
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; give a whole number of at least {MIN_SIDE**2}")
    return int(text)


def _one_of(*names: str) -> Callable[[str], str]:
    def name(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(f"{text!r} is unknown; give {', '.join(names)}")
        return text

    return name


def _truth(text: str) -> bool:
    if text.lower() not in _TRUTHS:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return _TRUTHS[text.lower()]


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (host and colon and port.isascii() and port.isdigit() and int(port) < _PORTS):
        raise argparse.ArgumentTypeError(f"{text!r} is no address; give host:port, with a port from 0 to {_PORTS - 1}")
    return host, int(port)


def _some(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("is empty")
    return text


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a worker is told; the metadata of a field says what it means."""

    database: str = field(
        default="",
        metadata=_about(
            _some, "URL", "where jobs are kept: sqlite:////folder/jobs.sqlite or postgresql://user@host/database"
        ),
    )
    blobs: str = field(
        default="",
        metadata=_about(_some, "URL", "where their pictures are kept: a folder, or a URL such as s3://bucket/prefix"),
    )
    name: str | None = field(
        default=None,
        metadata=_about(_some, "NAME", "no two workers may share one [host, process and four random letters]"),
    )
    device: str = field(
        default="auto",
        metadata=_about(_some, "DEVICE", "where to compute: cpu, cuda, cuda:N, or auto: cuda where there is one"),
    )
    memory: int | None = field(
        default=None,
        metadata=_about(
            _memory,
            "SIZE",
            "that one picture may take, such as 4GB; one that would take more is painted smaller, and its detail "
            "brought back afterwards [half of what this process can have, or nine tenths of what a GPU has free]",
        ),
    )
    vgg_weights: Path | None = field(
        default=None,
        metadata=_about(
            Path,
            "FILE",
            "VGG-19 as safetensors, by torchvision's names. With it jobs are painted by VGG-19 unless they ask for "
            "another perception; without it by the one of low rank, and jobs that ask for VGG-19 fail",
        ),
    )
    checkpoint_seconds: float = field(
        default=10.0,
        metadata=_about(
            _seconds,
            "S",
            "between checkpoints, which is what a crash can cost; more where writing one takes over a twentieth of it",
        ),
    )
    preview_seconds: float = field(default=2.0, metadata=_about(_seconds, "S", "between previews"))
    lease_seconds: float = field(
        default=LEASE_SECONDS,
        metadata=_about(_seconds, "S", "after which another takes over the job of a worker that says nothing"),
    )
    stop_seconds: float = field(
        default=20.0, metadata=_about(_seconds, "S", "within which it ends when told to, whatever it is doing")
    )
    stuck_seconds: float = field(
        default=300.0,
        metadata=_about(
            _seconds,
            "S",
            "after which a picture that does not get on, not even by a layer, ends the worker; another goes on with it",
        ),
    )
    max_pixels: int = field(
        default=MAX_PIXELS, metadata=_about(_pixels, "N", "width times height that a photo or a painting may have")
    )
    mark_results: bool = field(
        default=True,
        metadata=_about(
            _truth, "BOOL", "whether painted pictures say, in their XMP, that an algorithm made them: true or false"
        ),
    )
    http: tuple[str, int] | None = field(
        default=None,
        metadata=_about(
            _address,
            "HOST:PORT",
            "where to serve /metrics, /livez and /readyz over HTTP; port 0 is any free one [nowhere]",
        ),
    )
    ports_file: Path | None = field(
        default=None,
        metadata=_about(Path, "FILE", 'to write the port to once it is open, as JSON: {"http": 8501}'),
    )
    traces: str = field(
        default=TRACES[0],
        metadata=_about(
            _one_of(*TRACES),
            "WHERE",
            "otlp sends a trace of each attempt, one with that of the call which made the job, to a collector, as "
            "OTEL_EXPORTER_OTLP_ENDPOINT and OpenTelemetry's other variables say; or off",
        ),
    )
    log_level: str = field(
        default="info",
        metadata=_about(
            _one_of("debug", "info", "warning", "error"),
            "LEVEL",
            "the least severe line to log: debug, which has every step, info, warning or error",
        ),
    )
    log_format: str = field(
        default="json",
        metadata=_about(_one_of("json", "console"), "FORMAT", "json, an object a line, or console, for people"),
    )
    stop_with_parent: bool = False

    @property
    def unique_name(self) -> str:
        return self.name or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"


def load(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Options:
    """Read the options.

    Raises:
        SystemExit: after --help, or with status 2 for an option that is missing, unknown or has a bad value.
    """
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for item in fields(Options):
        if item.metadata:
            _add(parser, item.name, item.default, item.metadata, environment)
    parser.add_argument(
        "--stop-with-parent",
        action="store_true",
        help="also stop at the end of standard input, which a parent holds open",
    )
    return Options(**vars(parser.parse_args(arguments)))


def _add(
    parser: argparse.ArgumentParser, name: str, default: Any, details: Mapping[str, Any], environment: Mapping[str, str]
) -> None:
    """Let an option be given; argparse reads a default that is a string as it would read the option's value."""
    variable = f"{_PREFIX}{name.upper()}"
    shown = f" [{default:g}]" if isinstance(default, float) else f" [{str(default).lower()}]" if default else ""
    parser.add_argument(
        f"--{name.replace('_', '-')}",
        type=details["read"],
        metavar=details["metavar"],
        default=environment.get(variable) or default,
        required=name in ("database", "blobs") and not environment.get(variable),
        help=f"{details['help']}{shown} (${variable})",
    )
