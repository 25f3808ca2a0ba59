"""`impasto-server config [options]`: the configuration that a server with these options would have, as TOML."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from impasto_server.config import load_with_origins

_PASSWORD = re.compile(r"(?P<before>\w+://[^:@/]*):.*@")  # to the last @, as one in a password need not be escaped
_PARAMETER = re.compile(r"(?P<key>[?&][^=&]*(?:pass|secret|token|key)[^=&]*)=[^&]*", re.IGNORECASE)


def run(arguments: Sequence[str]) -> None:
    """Print every option with its value, and as a comment where that comes from.

    Raises:
        ConfigError: a value is not allowed.
    """
    config, origins = load_with_origins(arguments)
    for key in type(config).model_fields:
        print(f"{_line(key, getattr(config, key))}  # from {origins[key]}")


def _line(key: str, value: object) -> str:
    """Return an option as TOML has it, which has no word for none: there it is a comment."""
    return f"# {key} is not set" if value is None else f"{key} = {_toml(value)}"


def _toml(value: object) -> str:
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(_without_secrets(str(value)), ensure_ascii=False).replace("\x7f", "\\u007f")


def _without_secrets(text: str) -> str:
    """Return a URL without its passwords, and any other text as it is."""
    return _PARAMETER.sub(r"\g<key>=***", _PASSWORD.sub(r"\g<before>:***@", text)) if "://" in text else text
