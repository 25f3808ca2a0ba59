"""What was painted for callers of the protocol, with each version of each model, since the server started."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from impasto.bundle import Bundle
from impasto.inference import open_inference_pb2 as pb
from impasto_server.painting import Painting
from impasto_server.rpc.inference.versions import numbered


@dataclass
class _Tally:
    """How often, and how long in all."""

    count: float = 0
    seconds: float = 0.0

    def add(self, seconds: float, count: float = 1) -> None:
        self.count += count
        self.seconds += seconds

    @property
    def message(self) -> pb.StatisticDuration:
        return pb.StatisticDuration(count=round(self.count), ns=round(self.seconds * 1e9))


# Where the time of a photo goes, by the protocol's names.
_STAGES = {"compute_input": "decode", "compute_infer": "engine", "compute_output": "encode"}


def _tallies() -> defaultdict[str, _Tally]:
    return defaultdict(_Tally)


@dataclass
class _Record:
    """Of one version of one model.

    Attributes:
        latest: when it last painted, s since 1970; 0 for never.
        photos: that it has painted.
        runs: of an engine, that they took; each photo counts for its share of a run.
        tallies: by the protocol's names.
        batches: likewise, by how many photos were painted at once.
    """

    latest: float = 0.0
    photos: int = 0
    runs: float = 0.0
    tallies: defaultdict[str, _Tally] = field(default_factory=_tallies)
    batches: defaultdict[int, defaultdict[str, _Tally]] = field(default_factory=lambda: defaultdict(_tallies))

    def painted(self, painting: Painting) -> None:
        self.photos += 1
        if "decode" not in painting.seconds:
            self.tallies["cache_hit"].add(painting.seconds["total"])
            return
        for name, stage in _STAGES.items():
            if stage in painting.seconds:
                self.tallies[name].add(painting.seconds[stage])
        if painting.batch:
            self._ran(painting, 1 / painting.batch)

    def _ran(self, painting: Painting, share: float) -> None:
        self.runs += share
        self.tallies["queue"].add(painting.seconds["queue"])
        batch = self.batches[painting.batch]
        for name, stage in _STAGES.items():
            batch[name].add(painting.seconds[stage] * (share if stage == "engine" else 1), share)


class Statistics:
    """Counts. For one event loop."""

    def __init__(self) -> None:
        self._records: defaultdict[tuple[str, str], _Record] = defaultdict(_Record)

    def succeeded(self, bundle: Bundle, paintings: Sequence[Painting], seconds: float) -> None:
        """Count a request that was answered.

        Args:
            bundle: what it was painted with.
            paintings: its photos.
            seconds: that it took.
        """
        record = self._records[bundle.name, bundle.version]
        record.latest = time.time()
        record.tallies["success"].add(seconds)
        for painting in paintings:
            record.painted(painting)

    def failed(self, bundle: Bundle, seconds: float) -> None:
        """Count a request that was not."""
        self._records[bundle.name, bundle.version].tallies["fail"].add(seconds)

    def of(self, bundle: Bundle) -> pb.ModelStatistics:
        """Return what was counted for a model."""
        record = self._records[bundle.name, bundle.version]
        return pb.ModelStatistics(
            name=bundle.name,
            version=numbered(bundle.version),
            last_inference=round(record.latest * 1e3),
            inference_count=record.photos,
            execution_count=round(record.runs),
            inference_stats=pb.InferStatistics(**{name: tally.message for name, tally in record.tallies.items()}),
            batch_stats=[
                pb.InferBatchStatistics(batch_size=size, **{name: tally.message for name, tally in tallies.items()})
                for size, tallies in sorted(record.batches.items())
            ],
        )
