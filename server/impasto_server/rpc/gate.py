"""What a call meets before its request is read."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, Protocol

from impasto.logs import note
from impasto_server.callers import let_in, require
from impasto_server.errors import Unauthenticated
from impasto_server.identity.browsers import Passage
from impasto_server.identity.identities import NOBODY
from impasto_server.identity.recognition import Recognizes
from impasto_server.identity.roles import needed_role


class Gate(Protocol):
    """Lets calls in."""

    def enter(self, method: str, context: Any) -> AbstractContextManager[None]:
        """Let a call in for as long as it lasts. Nothing of its request has been read yet.

        Args:
            method: `/package.Service/Method`.
            context: of the call.

        Raises:
            ImpastoError: it may not come in; `rpc.statuses` knows what to answer.
        """


class IdentityGate:
    """Lets in who is known and has the role that the method needs, and notes who it is.

    After it `callers.current_identity` knows, and each line that the call leaves in the log has the name. A browser
    that nothing else tells from others is known by its address.
    """

    def __init__(self, recognizes: Recognizes, passage: Passage) -> None:
        self._recognizes = recognizes
        self._passage = passage

    def enter(self, method: str, context: Any) -> AbstractContextManager[None]:
        role = needed_role(method)
        if role is None:
            let_in(NOBODY)
            return nullcontext()
        browser = None
        try:
            browser = self._passage.browser_of(context)
            identity = self._recognizes.identify(context)
        except Unauthenticated as error:
            note(why=error.why, peer=browser or context.peer())
            raise
        if browser and not identity.known:
            identity = replace(identity, name=browser, known=True)
        note(caller=identity.name)
        let_in(identity)
        require(role)
        return nullcontext()
