"""How long connections live, shutting down, what is taken for stuck, and the log."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class LifeOptions(BaseModel, frozen=True):
    """How long connections live, shutting down, what is taken for stuck, and the log."""

    drain_delay_seconds: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="after SIGTERM, how long to go on serving while reporting not ready, for load balancers to notice",
    )
    drain_seconds: float = Field(
        30.0, ge=0, allow_inf_nan=False, description="after that, how long requests in flight may take to finish"
    )
    end_seconds: float = Field(
        10.0,
        gt=0,
        allow_inf_nan=False,
        description="after both, how long the rest may take; what hangs then is left behind, and the status is 3",
    )
    max_connection_age_seconds: float = Field(
        600.0,
        ge=0,
        allow_inf_nan=False,
        description="after which a connection takes no further calls, a tenth sooner or later by chance, so that "
        "clients connect anew and spread over the replicas that there are by then; 0 is never",
    )
    connection_grace_seconds: float = Field(
        300.0, gt=0, allow_inf_nan=False, description="how long the calls of such a connection may take to finish"
    )
    max_connection_idle_seconds: float = Field(
        0.0, ge=0, allow_inf_nan=False, description="after which a connection without calls is closed; 0 is never"
    )
    keepalive_seconds: float = Field(
        60.0, ge=1, allow_inf_nan=False, description="of silence after which a connection is asked whether it is alive"
    )
    keepalive_timeout_seconds: float = Field(
        20.0, gt=0, allow_inf_nan=False, description="after which a connection that does not answer that is closed"
    )
    engine_stuck_seconds: float = Field(
        120.0,
        gt=0,
        allow_inf_nan=False,
        description="after which a run of an engine is taken for stuck, if it also takes 20 times as long as it "
        "should, and any work of a codec's thread; the server then ends with status 4, to be started anew",
    )
    loop_stuck_seconds: float = Field(
        60.0,
        ge=2,
        allow_inf_nan=False,
        description="after which a server that answers nothing at all is ended, with status 5",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="the least severe line to log")
    log_format: Literal["json", "console"] = Field("json", description="one JSON object a line, or text for people")
