"""What callers send beside their requests, for those who look at logs and traces: any of it may be nonsense."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

TRACEPARENT = "traceparent"
"""The metadata that holds the caller's span, by W3C's trace context."""

REQUEST_ID = "x-request-id"
"""The metadata that holds the caller's own name for a call; proxies such as Envoy set it."""

_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}", re.ASCII)


def sent_with(context: Any) -> Mapping[str, Any]:
    """Return a call's metadata; of what was sent more than once, the last."""
    return dict(context.invocation_metadata() or ())


def callers_id(sent: Mapping[str, Any]) -> Mapping[str, str]:
    """Return for the log what the caller calls its call, if it does, and that is an id.

    It stands beside our own id, and not in its place: nothing says that two callers, or two calls of one, have two.
    """
    given = sent.get(REQUEST_ID, "")
    return {"caller_request_id": given} if _SANE_ID.fullmatch(given) else {}
