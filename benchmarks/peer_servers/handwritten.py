"""The server that one would write in an afternoon: gRPC's threads around ONNX Runtime, and no check of anything.

    python -m benchmarks.peer_servers.handwritten --graph FILE --code FILE --threads N --port N

It speaks the Stylize method of `impasto.v1`, and paints every photo in one style.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

from benchmarks.peer_servers.plain_painter import PlainPainter
from impasto.v1 import stylizer_pb2 as pb
from impasto.v1.stylizer_pb2_grpc import StylizerServicer, add_StylizerServicer_to_server


class Stylizer(StylizerServicer):
    def __init__(self, painter: PlainPainter) -> None:
        self._painter = painter

    def Stylize(self, request: pb.StylizeRequest, context: Any) -> pb.StylizeResponse:  # noqa: N802, ARG002
        return pb.StylizeResponse(image=self._painter.paint(request.image))


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, kind in (("--graph", Path), ("--code", Path), ("--threads", int), ("--port", int)):
        parser.add_argument(name, type=kind, required=True)
    options = parser.parse_args()
    server = grpc.server(ThreadPoolExecutor(options.threads))  # more calls at once paint fewer pictures a second
    painter = PlainPainter(options.graph, options.code, options.threads)
    add_StylizerServicer_to_server(Stylizer(painter), server)  # type: ignore[no-untyped-call]
    server.add_insecure_port(f"127.0.0.1:{options.port}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
