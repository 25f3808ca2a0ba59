"""A photo, from standard input, as the message that asks MLServer to paint it, to standard output.

It runs in MLServer's virtual environment, by whose stubs the message is made.
"""

from __future__ import annotations

import sys

from mlserver.grpc import dataplane_pb2 as pb  # type: ignore[import-not-found]


def main() -> None:
    photo = pb.ModelInferRequest.InferInputTensor(name="photo", datatype="BYTES", shape=[1])
    photo.contents.bytes_contents.append(sys.stdin.buffer.read())
    request = pb.ModelInferRequest(model_name=sys.argv[1], inputs=[photo])
    sys.stdout.buffer.write(request.SerializeToString())


if __name__ == "__main__":
    main()
