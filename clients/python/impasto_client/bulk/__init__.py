"""All photos of a folder or a bucket, painted into another one: sharded, resumable, with a manifest.

    from impasto_client import Client
    from impasto_client.bulk import paint_folder, status

    with Client("painter.internal:8500") as client:
        report = paint_folder(client, "s3://photos/2026", "s3://painted/2026", "starry-night", strength=0.8)
    print(report.painted, report.failed)

    for shard in status("s3://painted/2026").shards:
        print(shard.number, shard.done, shard.failed, shard.left)

A second call paints what is missing or has changed. `impasto bulk` does the same on the command line.

Needs fsspec, and s3fs for S3: `pip install 'impasto[bulk,s3]'`.
"""

from importlib.util import find_spec

from impasto.errors import MissingDependency

if find_spec("fsspec") is None:
    raise MissingDependency("fsspec", "bulk")

from impasto_client.bulk.listing import Shard
from impasto_client.bulk.painting import DEFAULT_STOP_SECONDS, DEFAULT_TIMEOUT, DEFAULT_WINDOW, paint_folder
from impasto_client.bulk.records import Failure
from impasto_client.bulk.status import ShardStatus, Status, status
from impasto_client.bulk.tally import Progress, Report

__all__ = [
    "DEFAULT_STOP_SECONDS",
    "DEFAULT_TIMEOUT",
    "DEFAULT_WINDOW",
    "Failure",
    "Progress",
    "Report",
    "Shard",
    "ShardStatus",
    "Status",
    "paint_folder",
    "status",
]
