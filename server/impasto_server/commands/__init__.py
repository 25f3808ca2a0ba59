"""What `impasto-server` does besides serving, by the first argument."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from impasto_server.commands import config, token

COMMANDS: Mapping[str, Callable[[Sequence[str]], None]] = {"config": config.run, "token": token.run}
"""Each takes the arguments after its name, and may raise ConfigError."""
