"""Errors that only a server has. Like those of the core, they know nothing of gRPC.

ImpastoError
├── CannotListen    an address that cannot be had; ends the start-up
├── NotReady        the engines are not warm yet
├── Overloaded      as many requests in flight as the server takes
└── NotSupported    something that this server does not do
"""

from __future__ import annotations

from impasto.errors import ImpastoError


class CannotListen(ImpastoError):
    """The address is taken, or is none of this machine's."""


class NotReady(ImpastoError):
    """The server is still starting up; the same request will do later."""


class Overloaded(ImpastoError):
    """The server is full; the same request will do later."""


class NotSupported(ImpastoError):
    """A request that is well formed, and that this server cannot serve."""
