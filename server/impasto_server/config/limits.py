"""How much is taken on."""

from __future__ import annotations

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from impasto.images import MAX_PIXELS, MIN_SIDE


class LimitOptions(BaseModel, frozen=True):
    """How much is taken on."""

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
    receive_seconds: float = Field(
        30.0, gt=0, allow_inf_nan=False, description="how long a request may take to arrive, once its call has begun"
    )
    stream_window: int = Field(
        8, ge=1, description="photos of one stream in the works, answers that its caller has not read included"
    )

    @field_validator("max_working_size")
    @classmethod
    def _at_least_the_default(cls, value: int, info: ValidationInfo) -> int:
        working_size = info.data.get("working_size", value)
        if value < working_size:
            raise ValueError(f"Input should be at least working_size, which is {working_size}")
        return value
