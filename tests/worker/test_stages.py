"""What an attempt goes through, for its spans and its line in the log: stages, and the scales of its painter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pytest
from typing_extensions import override

from impasto.images import Pixels, Size
from impasto.tracing import Span, Stage
from impasto_worker.painting import Painted, Stopped
from impasto_worker.stages import Scales, Stages


class Kept(Span):
    """A span that keeps its children."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []

    @override
    def add(self, stages: Iterable[Stage]) -> None:
        self.stages += stages


@dataclass(frozen=True)
class Step:
    """A painter's step, of which only the size matters."""

    size: Size
    step: int = 1
    total_steps: int = 1
    content: float = 0.0
    style: float = 0.0
    total: float = 0.0
    seconds_left: float | None = None
    notes: tuple[str, ...] = ()

    def picture(self) -> Pixels:
        return np.zeros((*reversed(self.size), 3), np.uint8)

    def checkpoint(self) -> bytes:
        return b""


def test_a_stage_that_is_done_twice_is_two_spans_and_one_time() -> None:
    span = Kept()
    stages = Stages(span)
    for _ in range(2):
        with stages.timed("decode"):
            pass

    assert [stage.name for stage in span.stages] == ["decode", "decode"]
    assert stages.facts == {"decode_ms": round(1e3 * sum(stage.seconds for stage in span.stages), 1)}


def test_a_stage_that_is_broken_off_says_by_what() -> None:
    span = Kept()
    with pytest.raises(Stopped), Stages(span).timed("paint"):
        raise Stopped

    assert [(stage.name, stage.error) for stage in span.stages] == [("paint", "Stopped")]


def test_each_scale_is_a_span_that_begins_where_the_one_before_ended() -> None:
    span = Kept()
    told: list[Painted] = []
    steps = [Step((32, 24)), Step((32, 24)), Step((64, 48))]
    scales = Scales(span, told.append)
    for step in steps:
        scales(step)
    scales.end()
    scales.end()

    small, large = span.stages
    assert small.facts == {"width": 32, "height": 24, "steps": 2}
    assert large.facts == {"width": 64, "height": 48, "steps": 1}
    assert small.begun < small.ended == large.begun < large.ended
    assert told == steps


def test_a_painter_without_a_step_has_no_scale() -> None:
    span = Kept()
    Scales(span, lambda _: None).end()

    assert span.stages == []
