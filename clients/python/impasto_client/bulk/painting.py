"""`paint_folder`: all photos of one place painted into another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event

from impasto_client.bulk.history import remember
from impasto_client.bulk.listing import Listing, Shard
from impasto_client.bulk.manifest import Manifest
from impasto_client.bulk.places import Place
from impasto_client.bulk.records import Wish
from impasto_client.bulk.running import Order, Run
from impasto_client.bulk.tally import Progress, Report
from impasto_client.calling import OnLost, checked_timeout
from impasto_client.client import Client
from impasto_client.errors import InvalidRequest
from impasto_client.formats import FORMATS
from impasto_client.photos import TrainedStyle

DEFAULT_WINDOW = 16  # photos; the server has 8 of them in the works, unless told otherwise
DEFAULT_TIMEOUT = 600.0  # s; a server that is rolled out anew, or a node that is replaced, is worth waiting for
DEFAULT_STOP_SECONDS = 10.0

_WHOLE = Shard()


def paint_folder(
    client: Client,
    source: str,
    out: str,
    style: TrainedStyle,
    *,
    strength: float | None = None,
    working_size: int | None = None,
    width: int | None = None,
    height: int | None = None,
    format: str = "jpeg",
    quality: int | None = None,
    metadata: str | None = None,
    shard: Shard = _WHOLE,
    include: Sequence[str] = (),
    window: int = DEFAULT_WINDOW,
    streams: int = 1,
    timeout: float = DEFAULT_TIMEOUT,
    retry_failed: bool = False,
    repaint: bool = False,
    stop: Event | None = None,
    stop_seconds: float = DEFAULT_STOP_SECONDS,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_lost: OnLost | None = None,
) -> Report:
    """Paint all photos below one place into another, and return how that went.

    Every photo is painted to its own path below `out`; where its suffix is not the format's, that is added to it. What
    an earlier run has done is not done again, unless the photo has changed since. A photo that cannot be painted is
    noted in the manifest, below `out` in `_impasto`, with the reason, and the others go on.

    Args:
        client: calls the server. It goes on being the caller's.
        source: a folder, or a URL that fsspec knows such as `s3://bucket/prefix`. Photos are the files in it and in its
            folders that end in .jpg, .jpeg, .png, .webp, .avif, .heic or .heif; what begins with a dot is left out.
        out: likewise. It may lie in `source`, but not be it, nor have it in itself.
        style: a trained style's id, or a blend, `{"starry-night": 2, "the-scream": 1}`.
        strength, working_size, width, height, quality, metadata: as for `Client.stylize`.
        format: of the pictures: `jpeg`, `png` or `webp`.
        shard: which part of the photos; all by default. Shards can be painted at the same time by several processes.
        include: patterns as in a shell, such as `2026/*.jpg`, of which a photo's path below `source` has to match one;
            `*` matches `/` too.
        window: photos under way on each stream. It bounds the memory: about three windows of photos are held.
        streams: how many there are. One is painted by one server; behind a name with several addresses the next one is
            painted by the next.
        timeout: seconds that the server may be silent, or away, while photos wait for it.
        retry_failed: whether to try photos again that failed in an earlier run for reasons of their own.
        repaint: whether `out` may have been painted by other options or from another `source`; what differs is then
            painted again. Without it this is refused.
        stop: set it, from any thread, to stop: no more photos are begun, and those under way are finished.
        stop_seconds: that they have for it.
        on_progress: called several times a second, from this thread.
        on_lost: called with the error each time that the server could not be reached, or was lost; from another thread.

    Raises:
        InvalidRequest: an option is not allowed, there is no photo, or `out` was painted by other options.
        DeadlineExceeded, ServerUnavailable: the server was silent, or away, for too long.
        ImpastoClientError: the server refuses to paint as asked, or failed for 20 photos in a row.
        StoreUnavailable: a store cannot be used, or failed for 20 photos in a row.
        MissingDependency: of a URL's protocol.
    """
    _check(format, streams, timeout)
    wish = Wish(style, strength, working_size, width, height, format, quality, metadata)
    photos, pictures = Place.open(source, "source"), Place.open(out, "out")
    nested = _nesting(photos, pictures)
    manifest = Manifest(pictures, photos.name, wish, shard)
    manifest.check(repaint=repaint)
    marks = remember(pictures, shard.has, lambda number, count: count != shard.count or number == shard.number)
    listing = Listing(photos, shard, include, nested, marks, wish.digest, retry_failed=retry_failed)
    order = Order(photos, pictures, wish, window, streams, timeout, stop_seconds, on_progress, on_lost)
    run = Run(client, order, listing, manifest)
    try:
        stopped = run.make(stop or Event())
    except BaseException as error:
        manifest.give_up(run.tally.progress, error)
        raise
    manifest.close(run.tally.progress, "stopped" if stopped else "done")
    return Report(
        painted=run.tally.painted,
        failed=run.tally.failed,
        failed_before=run.listed.hopeless,
        unlucky=run.tally.unlucky,
        done_before=run.listed.painted,
        stopped=stopped,
        seconds=run.tally.seconds,
        manifest=manifest.name,
    )


def _check(format: str, streams: int, timeout: float) -> None:
    if format not in FORMATS:
        raise InvalidRequest("format", f"{format!r} is unknown; give one of {', '.join(FORMATS)}")
    if streams < 1:
        raise InvalidRequest("streams", f"{streams} is out of range; give 1 or more")
    checked_timeout(timeout)


def _nesting(photos: Place, pictures: Place) -> str | None:
    """Return where in the photos' place the pictures go; None where that is outside.

    Raises:
        InvalidRequest: pictures could take the place of photos.
    """
    nested = photos.path_of(pictures)
    if nested == "" or pictures.path_of(photos) is not None:
        raise InvalidRequest("out", f"{pictures.name} is source, or has it in itself; give one beside it, or in it")
    return nested
