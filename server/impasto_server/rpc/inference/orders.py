"""From a request of the protocol to orders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from impasto.bundle import Bundle
from impasto.errors import InvalidInput
from impasto.inference import open_inference_pb2 as pb
from impasto_server.order import TrainedOrder
from impasto_server.raw import RawPhoto
from impasto_server.rpc.inference.api_requests import api_request, naming
from impasto_server.rpc.inference.interface import ANSWERS, DEPTHS, MOST_QUOTED, OUTPUTS, PHOTOS, Tensor
from impasto_server.rpc.inference.options import FINAL, TIMEOUT, Options
from impasto_server.rpc.inference.tensors import Input, read_inputs
from impasto_server.rpc.requests import read_order


@dataclass(frozen=True)
class Bounds:
    """What a request may ask for.

    Attributes:
        max_working_size: px.
        max_pixels: that its results may have together.
        max_tensor_bytes: that its results may take together, as tensors.
    """

    max_working_size: int
    max_pixels: int
    max_tensor_bytes: int


@dataclass(frozen=True)
class Asked:
    """What a request asks for.

    Attributes:
        orders: one for each photo.
        photos: the input that they came in.
        shape: of that input.
        output: the output that is wanted.
        seconds: within which it wants an answer; None for whenever its call ends.
        final: whether the answer is to say that it is the last.
    """

    orders: tuple[TrainedOrder, ...]
    photos: Tensor
    shape: tuple[int, ...]
    output: Tensor
    seconds: float | None
    final: bool


def read_request(request: pb.ModelInferRequest, bundle: Bundle, bounds: Bounds) -> Asked:
    """Return what a request asks of a bundle. Takes its time, as all of a request may be numbers.

    Raises:
        InvalidInput: an input, output, parameter or value that will not do.
        StyleNotFound: the bundle has no such style.
    """
    inputs = read_inputs(request)
    photos = _photos(inputs)
    output = _output(request, photos.tensor)
    options = Options(inputs, request.parameters, photos.count)
    return Asked(
        orders=tuple(_order(photos, index, options, output, bundle, bounds) for index in range(photos.count)),
        photos=photos.tensor,
        shape=photos.shape,
        output=output,
        seconds=_seconds(request.parameters),
        final=FINAL in request.parameters and request.parameters[FINAL].bool_param,
    )


def _photos(inputs: Mapping[str, Input]) -> Input:
    found = [inputs[tensor.name] for tensor in PHOTOS if tensor.name in inputs]
    names = ", ".join(tensor.name for tensor in PHOTOS)
    if not found:
        raise InvalidInput("inputs", f"have no photos; send one of {names}")
    if len(found) > 1:
        raise InvalidInput("inputs", f"have {found[0].tensor.name} and {found[1].tensor.name}; send one of {names}")
    return found[0]


def _output(request: pb.ModelInferRequest, photos: Tensor) -> Tensor:
    if len(request.outputs) > len(OUTPUTS):
        raise InvalidInput("outputs", f"are {len(request.outputs)}; each is the picture, so ask for one")
    names = [output.name for output in request.outputs] or [ANSWERS[photos.name]]
    unknown = next((name for name in names if name not in OUTPUTS), None)
    if unknown is not None:
        raise InvalidInput("outputs", f"none is named {unknown[:MOST_QUOTED]!r}; there are: {', '.join(OUTPUTS)}")
    if len(names) > 1:
        raise InvalidInput("outputs", f"{' and '.join(names[:3])} are asked for; each is the picture, so ask for one")
    return OUTPUTS[names[0]]


def _seconds(parameters: Mapping[str, pb.InferParameter]) -> float | None:
    """Return what `timeout` says, in microseconds; 0 says nothing."""
    if TIMEOUT not in parameters:
        return None
    kind = parameters[TIMEOUT].WhichOneof("parameter_choice")
    if kind not in ("int64_param", "uint64_param") or getattr(parameters[TIMEOUT], kind) < 0:
        raise InvalidInput(TIMEOUT, "is no number of microseconds, 0 or more, as int64_param")
    return getattr(parameters[TIMEOUT], kind) / 1e6 or None


def _order(photos: Input, index: int, options: Options, output: Tensor, bundle: Bundle, bounds: Bounds) -> TrainedOrder:
    raw = DEPTHS.get(output.name)
    most = min(bounds.max_pixels, bounds.max_tensor_bytes // raw.bytes_a_pixel) if raw else bounds.max_pixels
    given = options.of(index)
    with naming(photos.tensor.name, index, photos.count):
        order = read_order(
            api_request(given, output, bundle),
            _photo(photos, index),
            max_working_size=bounds.max_working_size,
            max_pixels=bounds.max_pixels,
        )
    if order.mask and isinstance(file := given["mask"], bytes):  # of all photos: there once, however many these are
        order = replace(order, mask=replace(order.mask, file=file))
    return replace(order, raw=raw, max_result_pixels=max(1, most // photos.count))


def _photo(photos: Input, index: int) -> bytes | RawPhoto:
    if not photos.tensor.is_picture:
        return photos.parts[index]
    _, height, width, _ = photos.shape
    depth = DEPTHS[photos.tensor.name]
    size = height * width * depth.bytes_a_pixel
    return RawPhoto(photos.data[index * size : (index + 1) * size], (width, height), depth, photos.tensor.name)
