"""Configuration: one frozen object, read once at start from flags, the environment and a TOML file, in this order."""

from __future__ import annotations

import argparse
import inspect
import os
import re
import tomllib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    CliSettingsSource,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings.exceptions import SettingsError
from typing_extensions import override

from impasto.amounts import byte_count
from impasto.bundle import STARTER
from impasto.images import MAX_PIXELS, MIN_SIDE
from impasto.jobs import KEEP_SECONDS, QUEUE_LIMIT

PROGRAM = "impasto-server"
_LONGEST_KEEP = 10 * 365 * 86_400.0  # s
_ENV_PREFIX = "IMPASTO_"
_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?", re.ASCII)


class ConfigError(Exception):
    """A value that is not allowed, or a file that cannot be read; names the key, the value and what is allowed."""


class Address(NamedTuple):
    """Where to listen; port 0 is any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `host:port` or `[IPv6]:port`."""
        host, colon, port = text.rpartition(":")
        if not (host and colon and port.isascii() and port.isdigit() and int(port) <= 65535):
            raise ValueError(
                "Input should be host:port, such as 127.0.0.1:8500, the port from 0 (any free one) to 65535"
            )
        return cls(host.removeprefix("[").removesuffix("]"), int(port))


def _checked_address(text: str) -> str:
    Address.parse(text)
    return text


def _split(value: object) -> object:
    """Flags and the environment give one string, a file and code a list."""
    return [part for part in value.split(",") if part] if isinstance(value, str) else value


def _checked_memory(text: str) -> str:
    try:
        byte_count(text)
    except ValueError:
        raise ValueError("Input should be an amount of memory, such as 4GB or 512MiB") from None
    return text


def _checked_devices(devices: tuple[str, ...]) -> tuple[str, ...]:
    if not all(_DEVICE.fullmatch(device) for device in devices):
        raise ValueError("Input should be auto, cpu, cuda or cuda:N, for each worker one, separated by commas")
    return devices


AddressText = Annotated[str, AfterValidator(_checked_address)]
MemoryText = Annotated[str, AfterValidator(_checked_memory)]
Devices = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_checked_devices)]
Paths = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_split)]


class Config(BaseSettings):
    """Serve neural style transfer over gRPC: a photo in, the photo painted in an artist's hand out.

    Every option can also be set in the environment, under the name that its help shows, and in a TOML file given
    with --config, under the option's name with underscores: `working_size = 1024`. An option wins over the
    environment, the environment over the file, the file over the default.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=_ENV_PREFIX,
        cli_prog_name=PROGRAM,
        cli_kebab_case=True,
        cli_avoid_json=True,
        cli_hide_none_type=True,
        cli_show_env_vars=True,
        cli_shortcuts={"bundles": "bundle"},
    )

    config: Path | None = Field(None, description="a TOML file to read options from")
    listen: AddressText = Field("127.0.0.1:8500", description="host:port of the gRPC service; port 0 is any free one")
    http: AddressText = Field(
        "127.0.0.1:8501", description="host:port of /metrics, /livez and /readyz over HTTP; port 0 is any free one"
    )
    ports_file: Path | None = Field(
        None, description='a file to write the two ports to once they are open, as JSON: {"grpc": 8500, "http": 8501}'
    )
    bundles: Paths = Field(
        (), description="a bundle's directory; repeat it, or separate several by commas; the starter bundle if none"
    )
    provider: Literal["auto", "cuda", "openvino", "cpu"] = Field(
        "auto", description="where to compute; auto is the fastest of those that this machine has, in the order shown"
    )
    engine_threads: int = Field(0, ge=0, description="threads that one run on a CPU takes; 0 is one a core")
    engine_runs: int = Field(1, ge=1, description="runs at once; more than 1 only helps where one leaves cores idle")
    max_batch: int = Field(
        0,
        ge=0,
        description="pictures of one size that an engine may paint at once; 0 finds out at the start what it gains by",
    )
    codec_threads: int = Field(2, ge=1, description="threads that decode, scale and encode pictures")
    working_size: int = Field(
        1280, ge=MIN_SIDE, description="px; larger photos are painted at this long side unless a request names its own"
    )
    max_working_size: int = Field(4096, ge=MIN_SIDE, description="px; the largest long side that a request may name")
    max_pixels: int = Field(
        MAX_PIXELS,
        ge=MIN_SIDE**2,
        description="width times height that a photo or a result may have",
    )
    max_message_bytes: int = Field(32 * 1024**2, ge=1024, description="the largest request, photo included")
    max_concurrent_requests: int = Field(
        32,
        ge=1,
        description="photos in the works, waiting ones included; more are refused with RESOURCE_EXHAUSTED. One client "
        "alone may have three quarters of them, and less while others have some",
    )
    max_wait_seconds: float = Field(
        10.0,
        gt=0,
        allow_inf_nan=False,
        description="how long a photo may be expected to wait for an engine; one that would wait longer is refused",
    )
    stream_window: int = Field(
        8, ge=1, description="photos of one stream in the works, answers that its caller has not read included"
    )
    cache_bytes: int = Field(
        0, ge=0, description="memory for results, which are then not painted again for the same request; 0 keeps none"
    )
    jobs: Literal["auto", "on", "off"] = Field(
        "auto",
        description="whether to paint in the style of any painting, by jobs; auto is on where torch is installed or a "
        "database is named",
    )
    state_dir: Path | None = Field(
        None,
        description="where jobs are kept unless `database` and `blobs` say otherwise; $XDG_STATE_HOME/impasto or "
        "~/.local/state/impasto if none",
    )
    database: str | None = Field(
        None,
        repr=False,
        description="URL of the jobs' database: sqlite:////folder/jobs.sqlite or postgresql://user@host/database; "
        "one with a password belongs into the environment; SQLite in state_dir if none",
    )
    blobs: str | None = Field(
        None,
        repr=False,
        description="where the jobs' pictures are kept: a folder, or a URL such as s3://bucket/prefix; a folder in "
        "state_dir if none",
    )
    workers: int = Field(
        -1,
        ge=-1,
        description="impasto-worker processes to run beside the server; -1 is 1 where torch is installed and no "
        "database is named, else 0",
    )
    worker_devices: Devices = Field(
        (),
        description="where such workers compute, one for each: cuda:0,cuda:1; then `workers` can be left out; each "
        "takes the first GPU that there is, or the CPU, if none",
    )
    worker_memory: MemoryText | None = Field(
        None, description="memory that one picture may take in such a worker, such as 4GB; half of what is left if none"
    )
    vgg_weights: Path | None = Field(
        None,
        description="VGG-19 as safetensors, for such workers; without it they paint with the perception of low rank",
    )
    job_queue_limit: int = Field(
        QUEUE_LIMIT, ge=1, description="jobs that may wait; more are refused with RESOURCE_EXHAUSTED"
    )
    job_keep_seconds: float = Field(
        KEEP_SECONDS,
        gt=0,
        le=_LONGEST_KEEP,
        description="how long a job and its pictures are kept after its end; then they are deleted",
    )
    drain_delay_seconds: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="after SIGTERM, how long to go on serving while reporting not ready, for load balancers to notice",
    )
    drain_seconds: float = Field(
        30.0, ge=0, allow_inf_nan=False, description="after that, how long requests in flight may take to finish"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="the least severe line to log")
    log_format: Literal["json", "console"] = Field("json", description="one JSON object a line, or text for people")

    @field_validator("max_working_size")
    @classmethod
    def _at_least_the_default(cls, value: int, info: ValidationInfo) -> int:
        working_size = info.data.get("working_size", value)
        if value < working_size:
            raise ValueError(f"Input should be at least working_size, which is {working_size}")
        return value

    @field_validator("worker_devices")
    @classmethod
    def _as_many_as_workers(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        workers = info.data.get("workers", -1)
        if value and workers not in (-1, len(value)):
            raise ValueError(f"Input should be as many as workers, which is {workers}; or leave workers out")
        return value

    @property
    def bundle_paths(self) -> tuple[Path, ...]:
        return self.bundles or (STARTER,)

    @property
    def serves_jobs(self) -> bool:
        return self.jobs == "on" or (self.jobs == "auto" and (self.database is not None or _torch_is_installed()))

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{self._state_folder / 'jobs.sqlite'}"

    @property
    def blobs_url(self) -> str:
        return self.blobs or str(self._state_folder / "blobs")

    @property
    def local_workers(self) -> Sequence[str | None]:
        """The device of each worker to run, if jobs are served; None leaves it to the worker."""
        if self.worker_devices:
            return self.worker_devices
        return [None] * (self.workers if self.workers >= 0 else int(self.database is None and _torch_is_installed()))

    @property
    def _state_folder(self) -> Path:
        home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        return (self.state_dir or Path(home) / "impasto").expanduser().absolute()

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


def _torch_is_installed() -> bool:
    """Tell without importing it."""
    return find_spec("torch") is not None


def load(arguments: Sequence[str]) -> Config:
    """Read the configuration.

    Raises:
        ConfigError: see there.
        SystemExit: after --help, or for an option that does not exist.
    """
    try:
        sources = _sources(arguments)
        return Config(_build_sources=(tuple(sources.values()), {}))
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
    parser.add_argument("--config", default=os.environ.get(f"{_ENV_PREFIX}CONFIG"), type=Path)
    file: Path | None = parser.parse_known_args(arguments)[0].config
    if file is not None and not file.is_file():
        raise ConfigError(f"config: {file} is no file that can be read; give a TOML file")
    return file


def _explained(problem: Any, sources: dict[str, PydanticBaseSettingsSource]) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    origin = next((name for name, source in sources.items() if problem["loc"][0] in source()), "the default")
    if problem["type"] == "extra_forbidden":
        return f"{key}: there is no such option (from {origin}); there are {', '.join(Config.model_fields)}"
    allowed = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return f"{key}: {problem['input']!r} is not allowed (from {origin}); it should be {allowed}"
