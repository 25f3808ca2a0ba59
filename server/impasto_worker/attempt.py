"""One worker's attempt at one job: decode, paint, encode, and write the end of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from time import perf_counter

from impasto import images
from impasto.backoff import Backoff
from impasto.errors import (
    BlobMissing,
    CheckpointError,
    ImpastoError,
    InvalidInput,
    LeaseLost,
    OptimizationFailed,
    StoreUnavailable,
    WeightsNotFound,
)
from impasto.images import Format, Limits, PictureFile, Pixels, Size
from impasto.jobs import Claim, Failure, Result
from impasto.logs import Log
from impasto.masks import Stencil
from impasto.metadata import Metadata, carried
from impasto.tracing import NO_SPAN, Tracing, use
from impasto_worker.heartbeat import Heartbeat
from impasto_worker.mixing import mixed, restoring
from impasto_worker.painting import Order, Paint, Painted, Picture, Stopped
from impasto_worker.reporting import Pace, Reporter
from impasto_worker.saved import Saved
from impasto_worker.stages import Scales, Stages, attempt_span, milliseconds, text, waited
from impasto_worker.stopping import Stop
from impasto_worker.vitals import Vitals

INTERNAL = "Internal"
"""The kind of a failure that is none of the caller's business."""

_TELLABLE = (InvalidInput, WeightsNotFound, OptimizationFailed, BlobMissing)
_PREVIEW_SIDE = 256  # px
_PREVIEW_QUALITY = 80


class Outcome(Enum):
    """How an attempt ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RELEASED = "released"  # back in the queue, at its newest checkpoint
    LOST = "lost"  # another worker has it, or it was deleted
    ABANDONED = "abandoned"  # the store did not take the end of it in time; another worker will when the lease lapses


@dataclass(frozen=True)
class Ending:
    """How an attempt is to end, and what to write for that."""

    outcome: Outcome
    write: Callable[[], None] = lambda: None


class Attempt:
    """One attempt, to be run once."""

    def __init__(
        self,
        claim: Claim,
        paint: Paint,
        *,
        pace: Pace,
        lease_seconds: float,
        limits: Limits,
        mark: bytes,
        stop: Stop,
        vitals: Vitals,
        tracing: Tracing,
        log: Log,
    ) -> None:
        self._claim = claim
        self._commission = claim.commission
        self._paint = paint
        self._pace = pace
        self._limits = limits
        self._mark = mark
        self._stop = stop
        self._begun = perf_counter()
        self._span = attempt_span(claim, tracing, self._begun)
        self._stages = Stages(self._span)
        self._log = log.bind(job=claim.job.id, attempt=claim.attempt, **self._span.notes)
        self._heartbeat = Heartbeat(claim, lease_seconds=lease_seconds, vitals=vitals, log=self._log)
        self._facts: dict[str, object] = {
            "caller": claim.job.owner,
            "strength": self._commission.strength,
            "queue_ms": milliseconds(waited(claim.job)),
        }

    def run(self) -> Outcome:
        """Paint the job or find out why not, write that, and log one line about it."""
        use(self._span)
        with self._heartbeat:
            ending = self._ending()
            with self._stages.timed("save"):
                outcome = self._settle(ending)
        self._tell(outcome)
        return outcome

    def _tell(self, outcome: Outcome) -> None:
        ms = milliseconds(perf_counter() - self._begun)
        self._log.info("job", outcome=outcome.value, ms=ms, **self._facts, **self._stages.facts)
        self._span.tell(lambda: {"job": self._claim.job.id, "outcome": outcome.value, **self._facts})
        self._span.end(failed=outcome in (Outcome.FAILED, Outcome.ABANDONED))
        use(NO_SPAN)

    def _ending(self) -> Ending:
        try:
            return self._succeeding()
        except Stopped:
            return self._stopping()
        except LeaseLost:
            return Ending(Outcome.LOST)
        except StoreUnavailable as error:
            self._log.warning("the job's pictures cannot be read", reason=str(error))
            return Ending(Outcome.RELEASED, self._claim.release)
        except _TELLABLE as error:
            return self._failing(_failure(error))
        except Exception:
            error_id = secrets.token_hex(8)
            self._log.exception("unexpected error", error=error_id)
            message = f"internal error; the worker's log has the details under error id {error_id}"
            return self._failing(Failure(INTERNAL, message))

    def _succeeding(self) -> Ending:
        with self._stages.timed("decode"):
            photo, exif, paintings = self._pictures()
            stencil = self._stencil(_size(photo))
        with self._stages.timed("paint"):
            picture, reporter = self._painted(photo, paintings, stencil)
        self._look()
        width, height = self._commission.output_size
        with self._stages.timed("encode"):
            pixels = images.resize(mixed(photo, picture.pixels, self._commission.strength), width, height)
            self._look()
            file = images.encode(
                pixels,
                format=self._commission.format,
                quality=self._commission.quality,
                metadata=self._metadata(exif, stencil),
                retouch=restoring(stencil, photo),
            )
        self._look()
        result = Result(
            format=self._commission.format,
            size=(width, height),
            working_size=picture.working_size,
            byte_count=len(file),
            seconds=reporter.seconds,
        )
        self._facts |= {
            "working_size": text(picture.working_size),
            "result_size": text((width, height)),
            "result_bytes": len(file),
            "format": self._commission.format.value,
        }
        return Ending(Outcome.SUCCEEDED, lambda: self._claim.succeed(file, result, notes=reporter.notes))

    def _look(self) -> None:
        """Raise Stopped if what is left to do is for nothing; it is short, so being asked to stop is no reason yet."""
        if self._heartbeat.lost or self._heartbeat.cancelled or self._stop.pressing:
            raise Stopped

    def _pictures(self) -> tuple[Pixels, bytes, list[Pixels]]:
        """Return the photo, its EXIF block, and the paintings."""
        data, others = self._claim.photo(), self._claim.paintings()
        self._facts |= {
            "photo_bytes": len(data),
            "paintings": len(others),
            "paintings_bytes": sum(map(len, others)),
        }
        file = PictureFile(data, limits=self._limits)
        photo = file.decode()
        paintings = [
            images.decode(other, limits=self._limits, field=f"style_images.parts[{k}].image")
            for k, other in enumerate(others)
        ]
        sizes = [text(_size(painting)) for painting in paintings]
        self._facts |= {"photo_size": text(_size(photo)), "painting_sizes": sizes}
        return photo, file.exif, paintings

    def _stencil(self, photo: Size) -> Stencil | None:
        """Return the mask, read; None where all of the photo is painted."""
        mask = self._claim.mask()
        if mask is None:
            return None
        self._facts |= {"mask_bytes": len(mask.file)}
        stencil = Stencil(mask, photo)
        return stencil if stencil.keeps else None

    def _metadata(self, exif: bytes, stencil: Stencil | None) -> Metadata:
        """Return what the result says beside its pixels; one without any paint is the photo, and so is not marked."""
        painted = self._commission.strength > 0 and (stencil is None or stencil.paints)
        mark = self._mark if painted else b""
        return Metadata(carried(exif, self._commission.metadata, *self._commission.output_size), mark)

    def _painted(self, photo: Pixels, paintings: list[Pixels], stencil: Stencil | None) -> tuple[Picture, Reporter]:
        """Paint, from the checkpoint where there is one that can be gone on from."""
        order = Order(
            photo=photo,
            paintings=list(zip(paintings, self._commission.painting_weights, strict=True)),
            optimization=self._commission.optimization,
            working_size=self._commission.working_size,
            halvings=self._claim.tries_without_progress,
        )
        notes = _notes_on_memory(order.halvings)
        checkpoint = self._claim.checkpoint()
        if checkpoint is not None:
            try:
                saved = Saved.from_bytes(checkpoint)
                return self._paint_from(replace(order, state=saved.state), stencil, saved.seconds, notes)
            except CheckpointError as error:
                self._log.warning("the checkpoint is of no use", reason=str(error))
                notes = (*notes, "Painted anew from the beginning, because what an earlier attempt left is of no use.")
        return self._paint_from(order, stencil, 0.0, notes)

    def _paint_from(
        self, order: Order, stencil: Stencil | None, seconds: float, notes: tuple[str, ...]
    ) -> tuple[Picture, Reporter]:
        small = images.with_long_side(order.photo, min(_PREVIEW_SIDE, max(order.photo.shape[:2])))
        retouch = restoring(stencil, small)

        def preview(painted: Painted) -> bytes:
            now = images.resize(painted.picture(), small.shape[1], small.shape[0])
            pixels = mixed(small, now, self._commission.strength)
            return images.encode(pixels, format=Format.JPEG, quality=_PREVIEW_QUALITY, retouch=retouch)

        reporter = Reporter(
            self._claim,
            self._heartbeat,
            self._stop,
            pace=self._pace,
            preview=preview,
            seconds_before=seconds,
            notes=notes,
            log=self._log,
        )
        scales = Scales(self._span, reporter)
        try:
            picture = self._paint(order, on_progress=scales, interrupted=reporter.interrupted)
        finally:
            scales.end()
            self._facts |= reporter.facts
        reporter.finish()
        return picture, reporter

    def _stopping(self) -> Ending:
        if self._heartbeat.lost:
            return Ending(Outcome.LOST)
        if self._heartbeat.cancelled:
            return self._cancelling()
        return Ending(Outcome.RELEASED, self._claim.release)

    def _cancelling(self) -> Ending:
        return Ending(Outcome.CANCELLED, self._claim.cancelled)

    def _failing(self, failure: Failure) -> Ending:
        self._facts |= {"kind": failure.kind, "field": failure.field, "error": failure.message}
        return Ending(Outcome.FAILED, lambda: self._claim.fail(failure))

    def _settle(self, ending: Ending) -> Outcome:
        """Write an ending until the store has taken it; that of a job that is cancelled meanwhile needs no room."""
        backoff = Backoff()
        while not self._heartbeat.lost:
            try:
                ending.write()
                return ending.outcome
            except LeaseLost:
                self._heartbeat.lose()
            except StoreUnavailable as error:
                if self._stop.pressing:
                    self._log.error("left without its end", ending=ending.outcome.value, reason=str(error))
                    return Outcome.ABANDONED
                pause = backoff.next()
                self._log.warning("the end of the job is not taken; trying again", reason=str(error), seconds=pause)
                self._stop.wait(pause)
                if self._heartbeat.cancelled:
                    ending = self._cancelling()
        return Outcome.LOST


def _failure(error: ImpastoError) -> Failure:
    if isinstance(error, InvalidInput):
        return Failure(type(error).__name__, error.reason, error.field)
    return Failure(type(error).__name__, str(error))


def _notes_on_memory(halvings: int) -> tuple[str, ...]:
    if halvings == 0:
        return ()
    return (
        f"The memory budget was divided by {2**halvings}, because a worker died {halvings} times before it got on "
        "with this picture, perhaps of too little memory.",
    )


def _size(pixels: Pixels) -> Size:
    return pixels.shape[1], pixels.shape[0]
