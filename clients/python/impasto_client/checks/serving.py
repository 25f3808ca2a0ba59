"""Whether the server does what it is there for: by calls, the last of which has a picture painted."""

from __future__ import annotations

import time
from collections.abc import Iterator

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.unknown_fields import UnknownFieldSet

from impasto import __version__, readiness
from impasto.findings import Finding, ok, problem, warning
from impasto_client.checks.reaching import LOOPBACK, Way
from impasto_client.client import Client
from impasto_client.errors import (
    ImpastoClientError,
    PermissionDenied,
    ServerUnavailable,
    Unauthenticated,
    Unimplemented,
)
from impasto_client.mapping import client_error
from impasto_client.probe import PROBE
from impasto_client.results import Style

_TIMEOUT = 5.0  # s, of a call that paints nothing
_METADATA = "/inference.GRPCInferenceService/ServerMetadata"
_VERSION = 2  # the field of its reply
_SLOW = 5.0  # s, for the smallest of pictures
_HTTP = ("127.0.0.1", 8501)  # where a server of this machine says whether it is ready, unless told otherwise


def serve(client: Client, way: Way) -> Iterator[Finding]:
    """Call a server that can be reached."""
    yield _version(client)
    styles, finding = _styles(client, way)
    yield finding
    if styles is None:
        return
    yield _jobs(client)
    if styles:
        yield _painting(client, styles[0])


def _version(client: Client) -> Finding:
    """Compare the server's version with this one's; an older one has no call that tells it."""
    try:
        version = _told_version(client)
    except Unimplemented:
        return ok("version", f"it does not tell its version; this is {__version__}")
    except ImpastoClientError as error:
        return warning("version", f"it did not tell its version: {error}")
    if _series(version) == _series(__version__):
        return ok("version", f"it is Impasto {version}, and this {__version__}")
    return warning(
        "version",
        f"it is Impasto {version}, and this {__version__}: what one has, the other may lack",
        f"pip install 'impasto=={version}'",
    )


def _told_version(client: Client) -> str:
    """Ask by the Open Inference Protocol, without its stubs: those of another client may be in this process."""
    method = client._channel.unary_unary(_METADATA, Empty.SerializeToString, Empty.FromString)
    try:
        reply = method(Empty(), timeout=_TIMEOUT, metadata=client._authorization)
    except grpc.RpcError as error:
        raise client_error(error, client._target, _TIMEOUT) from error
    fields = UnknownFieldSet(reply)
    told = [fields[k].data for k in range(len(fields)) if fields[k].field_number == _VERSION]
    return bytes(told[0]).decode("utf-8", "replace") if told else ""


def _series(version: str) -> tuple[str, ...]:
    """Return what has to be the same of two versions that go together: before 1.0 two numbers, then one."""
    numbers = version.split(".")
    return tuple(numbers[:2] if numbers[0] == "0" else numbers[:1])


def _styles(client: Client, way: Way) -> tuple[list[Style] | None, Finding]:
    try:
        styles = client.styles(timeout=_TIMEOUT)
    except ImpastoClientError as error:
        return None, _refusal(error, way)
    if not styles:
        return styles, problem("styles", "it has no style to paint", "impasto bundles load FOLDER_OR_URL")
    bundles = sorted({f"{style.name.split('/')[1]}@{style.bundle_version}" for style in styles})
    return styles, ok("styles", f"{len(styles)} styles of {', '.join(bundles)}")


def _refusal(error: ImpastoClientError, way: Way) -> Finding:
    match error:
        case Unauthenticated():
            return problem("access", str(error), "export IMPASTO_TOKEN=...  # made by impasto-server token --name NAME")
        case PermissionDenied():
            return problem("access", str(error), "add the role to the caller's roles in the server's callers file")
        case Unimplemented():
            return problem(
                "styles", f"what answers there is no Impasto server: {error}", "impasto doctor --server HOST:PORT"
            )
        case ServerUnavailable():
            return problem("ready", f"{error}{_readiness(way)}", "read the server's log")
        case _:
            return problem("styles", str(error), "read the server's log")


def _readiness(way: Way) -> str:
    """Return what a server of this machine says of why it is not ready; nothing of any other."""
    if way.address is None or way.address[0] not in LOOPBACK:
        return ""
    try:
        return f"; it says: {readiness.ask(*_HTTP)[1]}"
    except (OSError, ValueError):
        return ""


def _jobs(client: Client) -> Finding:
    try:
        count = sum(1 for _ in client.jobs(ended=False, timeout=_TIMEOUT))
    except Unimplemented:
        return ok(
            "jobs",
            "off: it paints trained styles alone",
            "impasto-server --jobs on  # with impasto[optimize] installed there",
        )
    except PermissionDenied:
        return ok("jobs", "on, and not for this caller")
    except ImpastoClientError as error:
        return problem("jobs", f"its jobs cannot be listed: {error}", "read the server's log")
    return ok("jobs", f"on: {count} under way")


def _painting(client: Client, style: Style) -> Finding:
    started = time.monotonic()
    try:
        painted = client.stylize(PROBE, style.id)
    except ImpastoClientError as error:
        return problem("painting", f"a small picture could not be painted: {error}", "read the server's log")
    taken = time.monotonic() - started
    says = (
        f"{painted.width}x{painted.height} px in {style.id} took {taken * 1000:.0f} ms, "
        f"{painted.stage_times.engine * 1000:.0f} ms of them the engine"
    )
    return (
        warning("painting", says, "impasto-server doctor  # on the server") if taken > _SLOW else ok("painting", says)
    )
