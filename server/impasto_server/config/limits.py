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
    max_uploads: int = Field(
        32,
        ge=1,
        description="requests with photos that may be arriving at once, of at most max_message_bytes each; others wait "
        "for their turn for up to receive_seconds. One caller, or one machine where callers are not told apart, may "
        "have three quarters of them",
    )
    stream_window: int = Field(
        8, ge=1, description="photos of one stream in the works, answers that its caller has not read included"
    )
    stream_bytes: int = Field(
        256 * 1024**2,
        ge=1,
        description="what the photos and answers of all streams may take together; a stream that has some in the works "
        "waits for room, and one photo it may always have",
    )
    stream_idle_seconds: float = Field(
        300.0,
        gt=0,
        allow_inf_nan=False,
        description="how long a stream may stand still because its caller neither sends a photo nor reads an answer; "
        "then it ends with DEADLINE_EXCEEDED",
    )
    max_streams: int = Field(
        64, ge=1, description="streams of photos that may be open at once, of all callers together"
    )
    caller_requests_per_second: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="calls that one caller may begin in a second, in the long run; 0 is any number, since the queue is "
        "fair and the places are shared as it is",
    )
    caller_burst: int = Field(
        20, ge=1, description="calls that such a caller may begin at once after it has called less for a while"
    )
    caller_max_calls: int = Field(
        256, ge=0, description="calls that one caller may have under way, streams included; 0 is any number"
    )
    caller_max_streams: int = Field(
        128,
        ge=0,
        description="streams that one caller may have under way: photos, watches and results being read; 0 is any "
        "number",
    )
    max_calls: int = Field(
        4096,
        ge=1,
        description="calls under way in all, health included; a last wall, whose refusals say nothing but "
        "RESOURCE_EXHAUSTED, so leave it far above the others",
    )
    max_calls_per_connection: int = Field(
        1000, ge=1, description="calls that one connection may have under way; a client keeps further ones back itself"
    )
    max_metadata_bytes: int = Field(
        16 * 1024, ge=8 * 1024, description="the largest metadata of a call; a call with more is refused"
    )

    @field_validator("max_working_size")
    @classmethod
    def _at_least_the_default(cls, value: int, info: ValidationInfo) -> int:
        working_size = info.data.get("working_size", value)
        if value < working_size:
            raise ValueError(f"Input should be at least working_size, which is {working_size}")
        return value
