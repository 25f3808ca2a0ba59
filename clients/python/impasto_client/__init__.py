"""What a backend installs to have photos painted by an Impasto server.

    from impasto_client import Client

    with Client("painter.internal:8500", tls=True, token=token) as client:
        painted = client.stylize(photo, "starry-night", strength=0.8)
        painted.image  # the bytes of a JPEG file

A mask keeps what it covers in black, here with a soft edge:

        client.stylize(photo, "starry-night", mask=Mask(png, feather=0.01))

Many photos, or the frames of a video, go over one stream:

        for result in client.stylize_stream(photos, "starry-night"):
            result.get().image

The style of a painting that nobody has trained takes a job:

        job = client.create_job(photo, Painting(painting))
        job = client.wait(job.name)
        client.result(job.name).image

`AsyncClient` does the same under asyncio. Everything that goes wrong is an `ImpastoClientError`; the tree of them is
drawn in `impasto_client.errors`.
"""

from impasto.optimization import Optimization
from impasto_client.aio import AsyncClient
from impasto_client.bundles import BundleAdmin, ServedBundle
from impasto_client.calling import DEFAULT_TIMEOUT
from impasto_client.channel import DEFAULT_TARGET
from impasto_client.client import Client
from impasto_client.errors import (
    DeadlineExceeded,
    ImpastoClientError,
    InvalidRequest,
    JobCancelled,
    JobEnded,
    JobError,
    JobFailed,
    JobUnfinished,
    JobUnknown,
    MessageTooLarge,
    PermissionDenied,
    RequestReused,
    ServerBusy,
    ServerFault,
    ServerUnavailable,
    StyleUnknown,
    Unauthenticated,
    Unimplemented,
)
from impasto_client.jobs import Job, JobFailure, JobProgress, JobResult, JobState, JobUpdate
from impasto_client.masks import Mask
from impasto_client.paintings import Painting
from impasto_client.photos import Photo, StreamResult
from impasto_client.results import StageTimes, Style, Stylized

__all__ = [
    "DEFAULT_TARGET",
    "DEFAULT_TIMEOUT",
    "AsyncClient",
    "BundleAdmin",
    "Client",
    "DeadlineExceeded",
    "ImpastoClientError",
    "InvalidRequest",
    "Job",
    "JobCancelled",
    "JobEnded",
    "JobError",
    "JobFailed",
    "JobFailure",
    "JobProgress",
    "JobResult",
    "JobState",
    "JobUnfinished",
    "JobUnknown",
    "JobUpdate",
    "Mask",
    "MessageTooLarge",
    "Optimization",
    "Painting",
    "PermissionDenied",
    "Photo",
    "RequestReused",
    "ServedBundle",
    "ServerBusy",
    "ServerFault",
    "ServerUnavailable",
    "StageTimes",
    "StreamResult",
    "Style",
    "StyleUnknown",
    "Stylized",
    "Unauthenticated",
    "Unimplemented",
]
