"""Who calls, by what a call brings along."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol

from impasto.jobs import ANONYMOUS
from impasto_server.errors import Unauthenticated
from impasto_server.identity.callers_file import Callers
from impasto_server.identity.certificates import client_names
from impasto_server.identity.identities import Identity
from impasto_server.identity.reloading import Reloading
from impasto_server.identity.roles import Role
from impasto_server.identity.tokens import bearer_token, digest_of


class Recognizes(Protocol):
    """Tells callers apart."""

    def identify(self, context: Any) -> Identity:
        """Return who makes a call; nothing but its metadata and its connection is looked at.

        Raises:
            Unauthenticated: nobody that is known.
        """


class Everyone:
    """Where there is no callers file: everyone may call, under the name in its certificate if it has shown one."""

    def __init__(self, roles: Collection[Role]) -> None:
        self._roles = frozenset(roles)
        self._anonymous = Identity(ANONYMOUS, self._roles, known=False)

    def identify(self, context: Any) -> Identity:
        names = client_names(context.auth_context())
        return Identity(names[0], self._roles) if names else self._anonymous


class KnownCallers:
    """Those in a callers file: by a token or, where a call brings none, by the certificate of its connection."""

    def __init__(self, callers: Reloading[Callers]) -> None:
        self._callers = callers

    def identify(self, context: Any) -> Identity:
        token = bearer_token(context.invocation_metadata() or ())
        identity = self._by_certificate(context) if token is None else self._by_token(token)
        if identity.expired:
            raise Unauthenticated(f"the time of {identity.name} is over")
        return identity

    def _by_token(self, token: str) -> Identity:
        if not token:
            raise Unauthenticated("the authorization is no single bearer token")
        if identity := self._callers.current.by_token.get(digest_of(token)):
            return identity
        raise Unauthenticated("no caller has this token")

    def _by_certificate(self, context: Any) -> Identity:
        known, names = self._callers.current.by_certificate, client_names(context.auth_context())
        for name in names:
            if identity := known.get(name):
                return identity
        raise Unauthenticated(f"no caller has this certificate: {', '.join(names)[:200]}" if names else "no token")
