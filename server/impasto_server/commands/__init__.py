"""What `impasto-server` does besides serving, by the first argument."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from impasto_server.commands import config, doctor, token

COMMANDS: Mapping[str, Callable[[Sequence[str]], int | None]] = {
    "config": config.run,
    "doctor": doctor.run,
    "token": token.run,
}
"""Each takes the arguments after its name, returns the exit status if it is not 0, and may raise ConfigError."""
