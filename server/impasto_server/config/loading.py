"""Reading the configuration from flags, the environment and a file, in this order."""

from __future__ import annotations

import argparse
import inspect
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import (
    CliSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    TomlConfigSettingsSource,
)
from pydantic_settings.exceptions import SettingsError

from impasto_server.config.config import ENV_PREFIX, Config


class ConfigError(Exception):
    """A value that is not allowed, or a file that cannot be read; names the key, the value and what is allowed."""


def load(arguments: Sequence[str]) -> Config:
    """Read the configuration.

    Raises:
        ConfigError: see there.
        SystemExit: after --help, or for an option that does not exist.
    """
    return load_with_origins(arguments)[0]


def load_with_origins(arguments: Sequence[str]) -> tuple[Config, Mapping[str, str]]:
    """Read the configuration as `load` does, and return for each option where its value comes from, too."""
    try:
        sources = _sources(arguments)
        config = Config(_build_sources=(tuple(sources.values()), {}))
        return config, {key: _origin(key, sources) for key in Config.model_fields}
    except ValidationError as error:
        raise ConfigError("; ".join(_explained(problem, sources) for problem in error.errors())) from error
    except SettingsError as error:
        raise ConfigError(str(error)) from error


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return super()._fill_text(inspect.cleandoc(text), width, indent)


def _sources(arguments: Sequence[str]) -> dict[str, PydanticBaseSettingsSource]:
    """Return where values come from, the first winning."""
    flags: CliSettingsSource[Config] = CliSettingsSource(
        Config, cli_parse_args=list(arguments), formatter_class=_HelpFormatter
    )
    sources: dict[str, PydanticBaseSettingsSource] = {
        "the command line": flags,
        "the environment": EnvSettingsSource(Config),
    }
    file = _config_file(arguments)
    if file is not None:
        try:
            sources[str(file)] = TomlConfigSettingsSource(Config, toml_file=file)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"config: {file} is no TOML: {error}") from error
    return sources


def _config_file(arguments: Sequence[str]) -> Path | None:
    """Find the file ahead of everything else, since it is itself a source."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config", default=os.environ.get(f"{ENV_PREFIX}CONFIG"), type=Path)
    file: Path | None = parser.parse_known_args(arguments)[0].config
    if file is not None and not file.is_file():
        raise ConfigError(f"config: {file} is no file that can be read; give a TOML file")
    return file


def _origin(key: str, sources: dict[str, PydanticBaseSettingsSource]) -> str:
    return next((name for name, source in sources.items() if key in source()), "the default")


def _explained(problem: Any, sources: dict[str, PydanticBaseSettingsSource]) -> str:
    if not problem["loc"]:  # not one option is at fault, but how several go together
        return str(problem["msg"]).removeprefix("Value error, ")
    key = ".".join(str(part) for part in problem["loc"])
    origin = _origin(problem["loc"][0], sources)
    if problem["type"] == "extra_forbidden":
        return f"{key}: there is no such option (from {origin}); there are {', '.join(Config.model_fields)}"
    allowed = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return f"{key}: {problem['input']!r} is not allowed (from {origin}); it should be {allowed}"
