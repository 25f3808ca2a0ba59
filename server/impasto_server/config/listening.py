"""Where it listens."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field

from impasto_server.config.values import AddressText


class ListeningOptions(BaseModel, frozen=True):
    """Where it listens."""

    config: Path | None = Field(None, description="a TOML file to read options from")
    listen: AddressText = Field("127.0.0.1:8500", description="host:port of the gRPC service; port 0 is any free one")
    http: AddressText = Field(
        "127.0.0.1:8501", description="host:port of /metrics, /livez and /readyz over HTTP; port 0 is any free one"
    )
    ports_file: Path | None = Field(
        None,
        description='a file to write the ports to once they are open, as JSON: {"grpc": 8500, "http": 8501}; and '
        '"admin" and "studio", if they are on',
    )
