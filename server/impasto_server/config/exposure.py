"""What may listen where: nothing that others can reach goes without TLS, or without callers told apart, by accident."""

from __future__ import annotations

from impasto_server.config.identity import IdentityOptions
from impasto_server.config.values import Address


def check_exposure(listen: Address, studio: Address | None, options: IdentityOptions) -> None:
    """Refuse what is half secured.

    Args:
        listen: where gRPC is to be served.
        studio: where the studio is; None if nowhere.
        options: how callers and the server are told.

    Raises:
        ValueError: with what was given, and each way out.
    """
    if bool(options.tls_cert) != bool(options.tls_key):
        given, missing = ("tls_cert", "tls_key") if options.tls_cert else ("tls_key", "tls_cert")
        raise ValueError(f"{given} is given without {missing}; give both, or neither")
    if options.tls_client_ca and not options.tls_cert:
        raise ValueError("tls_client_ca is given without tls_cert and tls_key; certificates need TLS")
    _check_encrypted("listen", listen, options)
    if studio:
        _check_encrypted("studio_listen", studio, options, what="the studio")
    if admin := options.admin_address:
        _check_encrypted("admin", admin, options)
        if not (admin.is_loopback or options.callers_file):
            raise ValueError(
                f"admin: {admin} can be reached from other machines, and without a callers_file everyone there would "
                "be an administrator; give --callers-file, or an address such as 127.0.0.1:8502"
            )


def _check_encrypted(key: str, address: Address, options: IdentityOptions, what: str = "gRPC") -> None:
    if not (address.is_loopback or options.tls_cert or options.insecure):
        raise ValueError(
            f"{key}: {address} can be reached from other machines, and {what} on it would be in plain text; give "
            "--tls-cert and --tls-key, or --insecure if something else keeps others out"
        )
