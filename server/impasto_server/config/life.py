"""Shutting down, and the log."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class LifeOptions(BaseModel, frozen=True):
    """Shutting down, and the log."""

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
