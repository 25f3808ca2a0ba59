"""What the peers have in common: a JPEG painted by ONNX Runtime on the plain CPU. It needs nothing of Impasto's."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image


class PlainPainter:
    """Paints JPEGs in one style.

    Args:
        graph: a bundle's.
        code: a file of NumPy's with the style's code [D].
        threads: for one run.
    """

    def __init__(self, graph: Path, code: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._codes = np.load(code)[None]

    def paint(self, photo: bytes) -> bytes:
        pixels = np.asarray(Image.open(io.BytesIO(photo)).convert("RGB"))
        planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
        (painted,) = self._session.run(["painted"], {"image": planes, "style": self._codes})
        file = io.BytesIO()
        painted = np.rint(painted[0] * np.float32(255)).astype(np.uint8)
        picture = Image.fromarray(np.ascontiguousarray(painted.transpose(1, 2, 0)))
        picture.save(file, "JPEG", quality=90, subsampling=0)
        return file.getvalue()
