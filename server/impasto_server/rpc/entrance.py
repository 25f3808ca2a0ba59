"""How calls come in: the ports, the server's certificate, and who is let in. What is read from files is read again."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any

import grpc

from impasto.logs import Log
from impasto_server.config import Address, Config
from impasto_server.errors import CannotListen
from impasto_server.identity.browsers import Passage
from impasto_server.identity.callers_file import read_callers
from impasto_server.identity.certificates import Certificate, read_certificate
from impasto_server.identity.recognition import Everyone, KnownCallers, Recognizes
from impasto_server.identity.reloading import Reloading, Watcher
from impasto_server.identity.roles import Role
from impasto_server.metrics import Metrics
from impasto_server.rpc.gate import IdentityGate


class Entrance:
    """Opens ports, and makes what calls meet behind them.

    Args:
        config: which files there are.
        metrics: of when the certificate in force expires.
        log: told of each time that they change.

    Attributes:
        passage: how calls of the studio come in.
        certificate: what the server shows; None where it speaks plain text.

    Raises:
        CallersUnreadable, CertificateUnusable: a file cannot be used.
    """

    def __init__(self, config: Config, metrics: Metrics, log: Log) -> None:
        self.passage = Passage()
        self._callers = self.certificate = None
        if file := config.callers_file:
            self._callers = Reloading("callers", [file], partial(read_callers, file), log)
            if self._callers.current.by_certificate and not config.tls_client_ca:
                log.warning(
                    "nobody shows a certificate", reason="callers_file names some, but there is no tls_client_ca"
                )
        if files := config.tls_files:
            ca = config.tls_client_ca
            read = partial(read_certificate, *files, ca)
            self.certificate = certificate = Reloading("certificate", [*files, *([ca] if ca else [])], read, log)
            metrics.watch_certificate(lambda: certificate.current.expires)
        self._watcher = Watcher([one for one in (self._callers, self.certificate) if one], log)

    def start(self) -> None:
        """Begin to look whether files change."""
        self._watcher.start()

    async def stop(self) -> None:
        await self._watcher.stop()

    def gate(self, everyone: Collection[Role]) -> IdentityGate:
        """Return a gate.

        Args:
            everyone: what everyone may do where there is no callers file.
        """
        return IdentityGate(self.recognizes(everyone), self.passage)

    def recognizes(self, everyone: Collection[Role]) -> Recognizes:
        """Return what tells callers apart.

        Args:
            everyone: as in `gate`.
        """
        return KnownCallers(self._callers) if self._callers else Everyone(everyone)

    def open(self, server: grpc.aio.Server, address: Address) -> Address:
        """Give a server a port, and return where: with the port that was chosen.

        Raises:
            CannotListen: the address cannot be had.
        """
        try:
            if self.certificate:
                port = server.add_secure_port(str(address), _credentials(self.certificate))
            else:
                port = server.add_insecure_port(str(address))
        except RuntimeError as error:
            raise CannotListen(f"cannot listen for gRPC on {address}: is it taken?") from error
        return Address(address.host, port)

    def open_passage(self, server: grpc.aio.Server) -> None:
        """Let the studio's calls in.

        Raises:
            CannotListen: there are no such sockets here.
        """
        try:
            server.add_insecure_port(self.passage.target)
        except RuntimeError as error:
            raise CannotListen(f"cannot make a socket for the studio's calls: {error}") from error


def _credentials(certificate: Reloading[Certificate]) -> grpc.ServerCredentials:
    """Return what shows each new connection the certificate in force then; those that there are keep theirs."""
    shown = certificate.current

    def fetch() -> Any:
        nonlocal shown
        current = certificate.current
        if current is shown:
            return None
        shown = current
        return _configuration(current)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(shown), fetch, require_client_authentication=shown.client_ca is not None
    )


def _configuration(certificate: Certificate) -> Any:
    return grpc.ssl_server_certificate_configuration([(certificate.key, certificate.chain)], certificate.client_ca)
