"""The server: bundles in, the gRPC service out. Never imports torch."""

import os
import sys

from impasto import programs, readiness


def program() -> int:
    """The program `impasto-server`."""
    if sys.argv[1:2] == [readiness.COMMAND]:  # before anything that takes long to import
        return readiness.main("impasto-server", sys.argv[2:])
    # Else every handshake that fails, as a stranger's may, leaves a line in the log that is no JSON. Read by gRPC when
    # it is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    return programs.run("impasto_server.main", extra="server")
