"""Who may call, and how it is told."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field
from pydantic_settings import CliImplicitFlag

from impasto_server.config.values import Address, AddressText


class IdentityOptions(BaseModel, frozen=True):
    """Who may call, and how it is told."""

    tls_cert: Path | None = Field(
        None, description="the server's certificate and what it was issued by, as PEM; with it gRPC is TLS alone"
    )
    tls_key: Path | None = Field(None, description="the private key of tls_cert, as PEM, without a password")
    tls_client_ca: Path | None = Field(
        None, description="who issues certificates to callers, as PEM; with it a caller without one cannot connect"
    )
    callers_file: Path | None = Field(
        None,
        description="a TOML file of callers, with their tokens' digests and roles; without it everyone may stylize and "
        "make jobs",
    )
    admin: AddressText | None = Field(
        None, description="host:port of impasto.v1.Admin, which is served nowhere else; it is not served if none"
    )
    insecure: CliImplicitFlag[bool] = Field(
        False, description="listen without TLS also where other machines may connect, as behind a proxy that does TLS"
    )

    @property
    def tls_files(self) -> tuple[Path, Path] | None:
        """Return certificate and key; None where gRPC is in plain text."""
        return (self.tls_cert, self.tls_key) if self.tls_cert and self.tls_key else None

    @property
    def admin_address(self) -> Address | None:
        return Address.parse(self.admin) if self.admin else None
