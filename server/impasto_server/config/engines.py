"""What painting is done on."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class EngineOptions(BaseModel, frozen=True):
    """What painting is done on."""

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
    codec_threads: int = Field(
        0,
        ge=0,
        description="threads that decode, scale and encode pictures; 0 is 2 beside an engine on the processor, and one "
        "a core, 8 at most, where there is CUDA",
    )
    cache_bytes: int = Field(
        0, ge=0, description="memory for results, which are then not painted again for the same request; 0 keeps none"
    )
