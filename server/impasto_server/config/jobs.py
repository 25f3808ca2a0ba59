"""Jobs: where they are kept, and who paints them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from impasto.jobs import KEEP_SECONDS, QUEUE_LIMIT
from impasto_server.config.values import Devices, MemoryText

_LONGEST_KEEP = 10 * 365 * 86_400.0  # s


class JobOptions(BaseModel, frozen=True):
    """Jobs: where they are kept, and who paints them."""

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
    caller_max_jobs: int = Field(
        20,
        ge=0,
        description="jobs of one caller that may wait or run; more are refused with RESOURCE_EXHAUSTED; 0 is any "
        "number, as it is for callers that are not told apart, who own their jobs together",
    )
    job_keep_seconds: float = Field(
        KEEP_SECONDS,
        gt=0,
        le=_LONGEST_KEEP,
        description="how long a job and its pictures are kept after its end; then they are deleted",
    )

    @field_validator("worker_devices")
    @classmethod
    def _as_many_as_workers(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        workers = info.data.get("workers", -1)
        if value and workers not in (-1, len(value)):
            raise ValueError(f"Input should be as many as workers, which is {workers}; or leave workers out")
        return value

    @property
    def serves_jobs(self) -> bool:
        return self.jobs == "on" or (self.jobs == "auto" and (self.database is not None or _torch_is_installed()))

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{self.state_folder / 'jobs.sqlite'}"

    @property
    def blobs_url(self) -> str:
        return self.blobs or str(self.state_folder / "blobs")

    @property
    def local_workers(self) -> Sequence[str | None]:
        """The device of each worker to run, if jobs are served; None leaves it to the worker."""
        if self.worker_devices:
            return self.worker_devices
        return [None] * (self.workers if self.workers >= 0 else int(self.database is None and _torch_is_installed()))

    @property
    def state_folder(self) -> Path:
        home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        return (self.state_dir or Path(home) / "impasto").expanduser().absolute()


def _torch_is_installed() -> bool:
    """Tell without importing it."""
    return find_spec("torch") is not None
