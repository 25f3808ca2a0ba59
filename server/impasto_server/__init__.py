"""The server: bundles in, the gRPC service out. Never imports torch."""

import os

from impasto import programs


def program() -> int:
    """The program `impasto-server`."""
    # Else every handshake that fails, as a stranger's may, leaves a line in the log that is no JSON. Read by gRPC when
    # it is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    return programs.run("impasto_server.main", extra="server")
