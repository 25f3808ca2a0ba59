"""What was painted, as the protocol's answer."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from impasto.bundle import Bundle
from impasto.errors import InvalidInput
from impasto.inference import open_inference_pb2 as pb
from impasto_server.painting import Painting
from impasto_server.rpc.inference.orders import Asked
from impasto_server.rpc.inference.versions import numbered

_PREFIX = struct.Struct("<I")
_FINAL = "triton_final_response"


def answer(request_id: str, bundle: Bundle, asked: Asked, paintings: Sequence[Painting]) -> pb.ModelInferResponse:
    """Return the answer to a request whose photos have been painted.

    Args:
        request_id: the request's.
        bundle: what painted them.
        asked: what was asked for.
        paintings: of its photos.

    Raises:
        InvalidInput: pictures of several sizes, which make no tensor.
    """
    shape, elements = _pixels(paintings) if asked.output.is_picture else _files(asked, paintings)
    output = pb.ModelInferResponse.InferOutputTensor(
        name=asked.output.name, datatype=asked.output.datatype, shape=shape
    )
    message = pb.ModelInferResponse(
        model_name=bundle.name,
        model_version=numbered(bundle.version),
        id=request_id,
        outputs=[output],
        raw_output_contents=[b"".join(elements)],
    )
    if asked.final:
        message.parameters[_FINAL].bool_param = True
    return message


def _files(asked: Asked, paintings: Sequence[Painting]) -> tuple[Sequence[int], list[bytes]]:
    """Return files, each after its length, in the shape in which photos came as files."""
    count = len(paintings)
    shape = (count, 1) if asked.photos.is_picture else asked.shape
    return shape, [part for one in paintings for part in (_PREFIX.pack(len(one.file)), one.file)]


def _pixels(paintings: Sequence[Painting]) -> tuple[Sequence[int], list[bytes]]:
    sizes = list(dict.fromkeys(painting.size for painting in paintings))
    if len(sizes) > 1:
        several = " and ".join("{}x{}".format(*size) for size in sizes[:2])
        raise InvalidInput(
            "outputs",
            f"the pictures have several sizes, {several} px, and a tensor has one; ask for 'painted', or give "
            "width and height",
        )
    width, height = sizes[0]
    return (len(paintings), height, width, 3), [painting.file for painting in paintings]
