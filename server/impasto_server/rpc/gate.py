"""What a call meets before its request is read."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol


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


class OpenGate:
    """Lets everyone in."""

    def enter(self, method: str, context: Any) -> AbstractContextManager[None]:  # noqa: ARG002
        return nullcontext()
