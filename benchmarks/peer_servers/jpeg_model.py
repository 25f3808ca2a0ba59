"""What MLServer runs: a model that takes a JPEG and gives a JPEG. It is read in MLServer's virtual environment."""

from __future__ import annotations

from pathlib import Path

from mlserver import MLModel  # type: ignore[import-not-found]
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput  # type: ignore[import-not-found]

from benchmarks.peer_servers.plain_painter import PlainPainter


class JpegModel(MLModel):  # type: ignore[misc]
    """Takes and gives one file, as BYTES of shape [1]."""

    async def load(self) -> bool:
        extra = self.settings.parameters.extra
        self._painter = PlainPainter(Path(extra["graph"]), Path(extra["code"]), extra["threads"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        painted = self._painter.paint(payload.inputs[0].data[0])  # in a thread it would take longer
        output = ResponseOutput(name="painted", shape=[1], datatype="BYTES", data=[painted])
        return InferenceResponse(model_name=self.name, outputs=[output])
