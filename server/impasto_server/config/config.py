"""The whole configuration: one frozen object."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from impasto_server.config.bundles import BundleOptions
from impasto_server.config.engines import EngineOptions
from impasto_server.config.exposure import check_exposure
from impasto_server.config.identity import IdentityOptions
from impasto_server.config.jobs import JobOptions
from impasto_server.config.life import LifeOptions
from impasto_server.config.limits import LimitOptions
from impasto_server.config.listening import ListeningOptions
from impasto_server.config.privacy import PrivacyOptions
from impasto_server.config.studio import StudioOptions
from impasto_server.config.tracing import TracingOptions
from impasto_server.config.values import Address

PROGRAM = "impasto-server"
ENV_PREFIX = "IMPASTO_"


class Config(  # the last first
    TracingOptions,
    LifeOptions,
    PrivacyOptions,
    JobOptions,
    LimitOptions,
    EngineOptions,
    BundleOptions,
    StudioOptions,
    IdentityOptions,
    ListeningOptions,
    BaseSettings,
):
    """Serve neural style transfer over gRPC: a photo in, the photo painted in an artist's hand out.

    Every option can also be set in the environment, under the name that its help shows, and in a TOML file given
    with --config, under the option's name with underscores: `working_size = 1024`. An option wins over the
    environment, the environment over the file, the file over the default.

    `impasto-server config [options]` prints what all options come to, `impasto-server doctor [options]` looks whether
    this machine is fit for them, `impasto-server token` makes a token for a caller, and `impasto-server ready` asks a
    running server whether it is ready, as probes do.
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

    @property
    def bundle_cache_folder(self) -> Path:
        return self.bundle_cache or self.state_folder / "bundles"

    @model_validator(mode="after")
    def _is_not_exposed(self) -> Self:
        check_exposure(Address.parse(self.listen), self.studio_address, self)
        return self

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
