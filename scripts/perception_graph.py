"""Make the ONNX graph of the compact perception, by which the server looks at what a bundle paints.

python -m scripts.perception_graph

It refers to the weights beside it by their places, so it has to be made again when those are.
"""

from __future__ import annotations

import sys

from impasto.backbones import COMPACT, CONTENT_LAYERS, STYLE_LAYERS
from impasto.engine.sight import GRAPH
from impasto.nn.perception import SHIPPED
from impasto_exporter.perception_graph import write_perception_graph


def main() -> int:
    (content,) = CONTENT_LAYERS
    write_perception_graph(GRAPH, COMPACT, SHIPPED[COMPACT.name], content=content, styles=STYLE_LAYERS)
    print(f"{GRAPH}: {GRAPH.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
