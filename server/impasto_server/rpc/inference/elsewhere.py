"""Methods that are served on the other port: a call of one on this port is told so, whoever makes it."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from typing import Any

from impasto_server.errors import NotSupported
from impasto_server.rpc.gate import Gate
from impasto_server.rpc.inference.servicer import SERVICE


class Elsewhere:
    """A gate before another one.

    Args:
        inner: the gate behind it.
        methods: that are not served on this port, by their names in the service.
        where: what to do about it.
    """

    def __init__(self, inner: Gate, methods: Collection[str], where: str) -> None:
        self._inner = inner
        self._methods = {f"/{SERVICE}/{method}": method for method in methods}
        self._where = where

    def enter(self, method: str, context: Any) -> AbstractContextManager[None]:
        """Let a call in, as `Gate` says.

        Raises:
            NotSupported: it is for the other port.
        """
        if name := self._methods.get(method):
            raise NotSupported(f"{name} is not served on this port; {self._where}")
        return self._inner.enter(method, context)


def on_callers_port(inner: Gate) -> Gate:
    """Return the gate of the port for those who call."""
    return Elsewhere(
        inner,
        ("RepositoryModelLoad", "RepositoryModelUnload"),
        "call it on the administrators' port, which --admin opens, as a caller with the role admin",
    )


def on_administrators_port(inner: Gate) -> Gate:
    """Return the gate of the port for administrators."""
    return Elsewhere(inner, ("ModelInfer", "ModelStreamInfer"), "call it on the callers' port, which --listen names")
