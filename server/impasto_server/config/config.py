"""The whole configuration: one frozen object."""

from __future__ import annotations

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from impasto_server.config.engines import EngineOptions
from impasto_server.config.jobs import JobOptions
from impasto_server.config.life import LifeOptions
from impasto_server.config.limits import LimitOptions
from impasto_server.config.listening import ListeningOptions

PROGRAM = "impasto-server"
ENV_PREFIX = "IMPASTO_"


class Config(LifeOptions, JobOptions, LimitOptions, EngineOptions, ListeningOptions, BaseSettings):  # the last first
    """Serve neural style transfer over gRPC: a photo in, the photo painted in an artist's hand out.

    Every option can also be set in the environment, under the name that its help shows, and in a TOML file given
    with --config, under the option's name with underscores: `working_size = 1024`. An option wins over the
    environment, the environment over the file, the file over the default.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=ENV_PREFIX,
        cli_prog_name=PROGRAM,
        cli_kebab_case=True,
        cli_avoid_json=True,
        cli_hide_none_type=True,
        cli_show_env_vars=True,
        cli_shortcuts={"bundles": "bundle"},
    )

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """One made in code, as tests do, is what it says: only `load` looks at the environment."""
        return (init_settings,)
