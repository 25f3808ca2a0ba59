"""The server: bundles in, the gRPC service out. Never imports torch."""

from impasto import programs


def program() -> int:
    """The program `impasto-server`."""
    return programs.run("impasto_server.main", extra="server")
