"""The ports that the server would listen on, and who has them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from impasto.findings import Finding, State, ok, problem
from impasto_server.config import PROGRAM, Config
from impasto_server.config.values import Address

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_LISTENING = "0A"  # a state, as these tables have it
_OURS = ("impasto-server", "impasto_server")  # in a server's command line, however it was started
_STUDIO = "studio-listen"


def ports(config: Config) -> Iterator[Finding]:
    """Tell of each port whether it is free."""
    for name, text in _addresses(config).items():
        found = _port(name, Address.parse(text))
        if found.state is State.PROBLEM and name == _STUDIO and not config.studio:
            found = replace(found, state=State.WARNING)  # it is in the way of a later --studio alone
        yield found


def _addresses(config: Config) -> dict[str, str]:
    """Return what the server listens on, or would, by option."""
    found = {"listen": config.listen, "http": config.http, _STUDIO: config.studio_listen}
    return found | ({"admin": config.admin} if config.admin else {})


def _port(name: str, address: Address) -> Finding:
    check = f"port {address.port}"
    try:
        family = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what lingers of an ended server does no harm
            tried.bind((address.host, address.port))
    except PermissionError:
        return problem(check, f"{address} is for privileged users alone", f"{PROGRAM} --{name} {address.host}:8500")
    except OSError as error:
        return _taken(check, name, address, error)
    return ok(check, f"{address} is free, for --{name}")


def _taken(check: str, name: str, address: Address, error: OSError) -> Finding:
    owner = _owner(address.port)
    if owner and any(name in owner[1] for name in _OURS):
        return ok(check, f"an Impasto server has {address} already (process {owner[0]})")
    who = f"process {owner[0]} ({owner[1]})" if owner else "another user's process, or none"
    return problem(
        check, f"{address} cannot be had: {error.strerror}; {who} has it", f"{PROGRAM} --{name} {address.host}:0"
    )


def _owner(port: int) -> tuple[int, str] | None:
    """Return the process that listens on a port, and its command line; None where this user may not know."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(port)}
    for process in Path("/proc").glob("[0-9]*"):
        if sockets & set(_open_files(process)):
            return int(process.name), _command(process)
    return None


def _open_files(process: Path) -> Iterator[str]:
    with suppress(OSError):  # another user's, or it has ended
        for file in (process / "fd").iterdir():
            with suppress(OSError):  # it has been closed meanwhile
                yield os.readlink(file)  # noqa: PTH115


def _command(process: Path) -> str:
    with suppress(OSError):
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()[:100]
    return "which has ended"


def _inodes(port: int) -> Iterator[str]:
    """Yield the kernel's numbers of the sockets that listen on a port."""
    for table in _TABLES:
        with suppress(OSError):
            for line in table.read_text("ascii").splitlines()[1:]:
                local, _, state, *_, inode = line.split()[1:10]
                if state == _LISTENING and int(local.rpartition(":")[2], 16) == port:
                    yield inode
