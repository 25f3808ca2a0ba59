"""Requests of the protocol that are read: what they say, and what is wrong with those that will not do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from impasto.bundle import Bundle
from impasto.errors import InvalidInput, StyleNotFound
from impasto.images import Format
from impasto.inference import open_inference_pb2 as pb
from impasto_server.order import OutputSize, Part
from impasto_server.raw import Depth, RawPhoto
from impasto_server.rpc.inference.interface import INPUTS, MAX_PHOTOS
from impasto_server.rpc.inference.orders import Asked, Bounds, read_request
from tests.server.inference.support import INK, PHOTO, prefixed, request
from tests.server.support import photo
from tests.support import fake_bundle

BOUNDS = Bounds(max_working_size=4096, max_pixels=1_000_000, max_tensor_bytes=1_200_000)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return fake_bundle(tmp_path_factory.mktemp("bundles") / "test", version="1.5")


def read(message: pb.ModelInferRequest, bundle: Bundle) -> Asked:
    return read_request(message, bundle, BOUNDS)


def grey(count: int = 1, height: int = 20, width: int = 30) -> Any:
    return np.full((count, height, width, 3), 0.5, np.float32)


def test_options_come_as_inputs(bundle: Bundle) -> None:
    inputs = [
        PHOTO,
        ("blend", [b'{"ink": 0.7, "test/gold": 3}']),
        ("strength", np.array([[0.5]], np.float32)),
        ("working_size", np.array([640], np.int32)),
        ("width", np.array([[50]], np.int32)),
        ("format", [b"webp"]),
        ("quality", np.array([[70]], np.int32)),
        ("metadata", [b"none"]),
    ]

    (order,) = read(request(*inputs), bundle).orders

    assert order.style == (Part("test@1.5/ink", float(np.float32(0.7))), Part("test@1.5/gold", 3.0))
    assert (order.strength, order.working_size, order.output_size) == (0.5, 640, OutputSize(width=50))
    assert (order.format, order.quality, order.metadata.value) == (Format.WEBP, 70, "none")


def test_options_come_as_parameters_of_any_kind_that_a_client_can_send(bundle: Bundle) -> None:
    given = {"style": "ink", "strength": "0.25", "working_size": 640, "height": "40", "format": "PNG"}

    (order,) = read(request(PHOTO, parameters=given), bundle).orders

    assert (order.style, order.strength, order.working_size) == ("test@1.5/ink", 0.25, 640)
    assert (order.output_size, order.format) == (OutputSize(height=40), Format.PNG)


def test_each_photo_has_options_of_its_own_or_shares_them(bundle: Bundle) -> None:
    strengths = np.array([[0.1], [0.2]], np.float32)
    inputs = [("image", [photo(), photo(32, 32)]), ("style", [b"ink", b"gold"]), ("strength", strengths)]

    first, second = read(request(*inputs, parameters={"quality": 50}), bundle).orders

    assert (first.style, second.style) == ("test@1.5/ink", "test@1.5/gold")
    assert [first.strength, second.strength] == [np.float32(0.1), np.float32(0.2)]
    assert first.quality == second.quality == 50


def test_photos_come_as_pixels(bundle: Bundle) -> None:
    pixels = np.arange(2 * 20 * 30 * 3).reshape(2, 20, 30, 3).astype(np.uint8)

    asked = read(request(("pixels_uint8", pixels), INK), bundle)

    photos = [order.photo for order in asked.orders]
    assert all(isinstance(one, RawPhoto) and one.size == (30, 20) for one in photos)
    assert [one.decode().tolist() for one in photos if isinstance(one, RawPhoto)] == pixels.tolist()
    assert (asked.output.name, asked.orders[0].raw) == ("pixels_uint8", Depth.UINT8)


def test_typed_contents_are_read_as_raw_ones_are(bundle: Bundle) -> None:
    message = pb.ModelInferRequest(model_name="test")
    floats = grey() + np.linspace(0, 0.4, grey().size, dtype=np.float32).reshape(grey().shape)
    for name, datatype, shape, contents in (
        ("pixels", "FP32", floats.shape, {"fp32_contents": floats.ravel().tolist()}),
        ("style", "BYTES", [1], {"bytes_contents": [b"ink"]}),
        ("quality", "INT32", [1, 1], {"int_contents": [33]}),
        ("strength", "FP32", [1], {"fp32_contents": [0.5]}),
    ):
        message.inputs.add(name=name, datatype=datatype, shape=shape, contents=pb.InferTensorContents(**contents))
    message.outputs.add(name="painted")

    typed, raw = (
        read(one, bundle).orders[0]
        for one in (
            message,
            request(
                ("pixels", floats),
                INK,
                ("quality", np.array([33], np.int32)),
                ("strength", np.array([0.5], np.float32)),
                outputs=["painted"],
            ),
        )
    )

    assert typed == raw


def test_bytes_of_pixels_come_typed_too(bundle: Bundle) -> None:
    message = request(INK)
    contents = pb.InferTensorContents(uint_contents=[200] * (16 * 17 * 3))
    message.inputs.add(name="pixels_uint8", datatype="UINT8", shape=[1, 17, 16, 3], contents=contents)

    (order,) = read(message, bundle).orders

    assert isinstance(order.photo, RawPhoto)
    assert order.photo.data == bytes([200] * (16 * 17 * 3))


def test_inputs_may_be_raw_and_typed_in_one_request(bundle: Bundle) -> None:
    message = pb.ModelInferRequest(model_name="test")
    contents = pb.InferTensorContents(bytes_contents=[b"ink"])
    message.inputs.add(name="style", datatype="BYTES", shape=[1], contents=contents)
    message.inputs.add(name="image", datatype="BYTES", shape=[1])
    message.raw_input_contents.append(prefixed(photo()))

    (order,) = read(message, bundle).orders

    assert (order.style, order.photo) == ("test@1.5/ink", photo())


def test_what_clients_send_of_their_own_accord_changes_nothing(bundle: Bundle) -> None:
    own = {"sequence_id": 3, "sequence_start": True, "sequence_end": False, "priority": 1, "binary_data_output": True}

    assert read(request(PHOTO, INK, parameters=own), bundle) == read(request(PHOTO, INK), bundle)


def test_a_timeout_is_in_microseconds(bundle: Bundle) -> None:
    assert read(request(PHOTO, INK, parameters={"timeout": 1_500_000}), bundle).seconds == 1.5
    assert read(request(PHOTO, INK, parameters={"timeout": 0}), bundle).seconds is None


def test_a_mask_of_all_photos_is_held_once(bundle: Bundle) -> None:
    first, second = read(request(("image", [photo(), photo()]), INK, ("mask", [b"a mask"])), bundle).orders

    assert first.mask is not None
    assert second.mask is not None
    assert first.mask.file is second.mask.file


def test_results_share_what_one_may_have(bundle: Bundle) -> None:
    photos = ("image", [photo()] * 4)

    painted = read(request(photos, INK), bundle)
    floats = read(request(photos, INK, outputs=["pixels"]), bundle)

    assert {order.max_result_pixels for order in painted.orders} == {250_000}
    assert {order.max_result_pixels for order in floats.orders} == {25_000}  # of 12 bytes


Change = Callable[[pb.ModelInferRequest], None]


def reshaped(*shape: int) -> Change:
    def change(message: pb.ModelInferRequest) -> None:
        message.inputs[0].shape[:] = shape

    return change


def retyped(datatype: str) -> Change:
    def change(message: pb.ModelInferRequest) -> None:
        message.inputs[0].datatype = datatype

    return change


def raw(data: bytes) -> Change:
    def change(message: pb.ModelInferRequest) -> None:
        message.raw_input_contents[0] = data

    return change


def without_raw(message: pb.ModelInferRequest) -> None:
    del message.raw_input_contents[:]


def one_raw(message: pb.ModelInferRequest) -> None:
    del message.raw_input_contents[1:]


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        (reshaped(), "image", "has the shape []; send [N, 1] or [N]"),
        (reshaped(0, 1), "image", "has the shape [0, 1]"),
        (reshaped(-1), "image", "has the shape [-1]"),
        (reshaped(1, 2), "image", "has the shape [1, 2]"),
        (reshaped(65), "image", f"send at most {MAX_PHOTOS}"),
        (reshaped(2), "image", "ends before element 1 of 2; put before each element its length, as 4 bytes"),
        (retyped("UINT8"), "image", "has the data type 'UINT8'; send BYTES"),
        (retyped(""), "image", "has the data type ''; send BYTES"),
        (raw(b"\x89PNG and more"), "image", "says that element 0 has 1196314761 bytes, where 9 follow"),
        (raw(b"abc"), "image", "ends before element 0 of 1"),
        (raw(b"\0\0\0\0abc"), "image", "has 3 bytes after the last of 1 elements"),
        (without_raw, "image", "has 0 elements in contents.bytes_contents, and its shape [1, 1] takes 1"),
        (one_raw, "raw_input_contents", "has 1 parts, and 2 inputs have no contents of their own"),
    ],
)
def test_a_photo_that_is_badly_sent_is_told_how_to_send_it(
    bundle: Bundle, change: Change, field: str, says: str
) -> None:
    message = request(PHOTO, INK)
    change(message)

    with pytest.raises(InvalidInput) as caught:
        read(message, bundle)

    assert caught.value.field == field
    assert says in caught.value.reason


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (reshaped(1, 3, 20, 30), "has the shape [1, 3, 20, 30]; send [N, height, width, 3]"),
        (reshaped(20, 30, 3), "has the shape [20, 30, 3]; send [N, height, width, 3]"),
        (reshaped(1, 20, 31, 3), "has 7200 bytes of raw contents, and its shape [1, 20, 31, 3] in FP32 takes 7440"),
        (retyped("FP64"), "has the data type 'FP64'; send FP32, or UINT8 as 'pixels_uint8'"),
    ],
)
def test_pixels_that_are_badly_sent_are_told_how_to_send_them(bundle: Bundle, change: Change, says: str) -> None:
    message = request(("pixels", grey()), INK)
    change(message)

    with pytest.raises(InvalidInput) as caught:
        read(message, bundle)

    assert caught.value.field == "pixels"
    assert says in caught.value.reason


@pytest.mark.parametrize(
    ("inputs", "others", "field", "says"),
    [
        ([("imge", [photo()]), INK], {}, "inputs", "no input is named 'imge'; did you mean 'image'? There are: image"),
        ([INK], {}, "inputs", "have no photos; send one of image, pixels, pixels_uint8"),
        ([PHOTO, ("pixels", grey()), INK], {}, "inputs", "have image and pixels; send one"),
        ([PHOTO, PHOTO, INK], {}, "image", "is given twice"),
        ([PHOTO], {}, "style", "is missing; give the style to paint in, one of gold, ink"),
        ([PHOTO, INK, ("blend", [b"{}"])], {}, "style", "is given beside blend"),
        ([PHOTO, ("style", [b""])], {}, "style", "is empty; give one of gold, ink"),
        ([PHOTO, ("style", [b"\xff"])], {}, "style", "is no UTF-8"),
        ([PHOTO, ("style", [b"other/ink"])], {}, "style", "is of another model than 'test'"),
        ([PHOTO, ("style", [b"test@2/ink"])], {}, "style", "is of another model than 'test'"),
        ([PHOTO, ("style", [b"ink", b"ink"])], {}, "style", "has values for 2 photos, and there are 1"),
        ([PHOTO, ("blend", [b"ink=1"])], {}, "blend", "is no JSON; give a JSON object"),
        ([PHOTO, ("blend", [b"[" * 20_000])], {}, "blend", "is no JSON"),
        ([PHOTO, ("blend", [b'["ink"]'])], {}, "blend", "will not do; give a JSON object"),
        ([PHOTO, ("blend", [b'{"ink": 1, "ink": 2}'])], {}, "blend", "names a style twice"),
        ([PHOTO, ("blend", [b'{"ink": true}'])], {}, "blend", "the weight of 'ink' is True; give a number"),
        ([PHOTO, ("blend", [b'{"ink": 1e999, "gold": {}}'])], {}, "blend", "the weight of 'gold' is {}"),
        ([PHOTO, ("blend", [b" " * 20_001])], {}, "blend", "is a text of 20001; give at most 20000"),
        ([PHOTO, INK, ("strength", np.array([1.5], np.float32))], {}, "strength", "1.5 is out of range"),
        ([PHOTO, INK, ("strength", np.array([np.nan], np.float32))], {}, "strength", "nan is out of range"),
        ([PHOTO, INK, ("strength", np.array([1], np.int32))], {}, "strength", "has the data type 'INT32'; send FP32"),
        ([PHOTO, INK], {"parameters": {"strenght": 1.0}}, "parameters", "did you mean 'strength'?"),
        ([PHOTO, INK], {"parameters": {"strength": "much"}}, "strength", "'much' is no number"),
        ([PHOTO, INK], {"parameters": {"strength": True}}, "strength", "True will not do"),
        ([PHOTO, INK], {"parameters": {"working_size": 9.5}}, "working_size", "9.5 will not do; give int64_param"),
        ([PHOTO, INK], {"parameters": {"working_size": 2**40}}, "working_size", "1099511627776 is out of range"),
        ([PHOTO, INK], {"parameters": {"width": 0}}, "width", "0 px is out of range"),
        ([PHOTO, INK], {"parameters": {"width": 2000, "height": 2000}}, "width", "4,000,000 pixels"),
        ([PHOTO, INK], {"parameters": {"style": "gold"}}, "style", "is given as an input and as a parameter"),
        ([PHOTO, INK], {"parameters": {"format": "gif"}}, "format", "'gif' is unknown; give one of jpeg, png, webp"),
        ([PHOTO, INK], {"parameters": {"mask": "a mask"}}, "mask", "send it as an input"),
        ([PHOTO, INK], {"parameters": {"mask_feather": 0.1}}, "mask_feather", "is given without a mask"),
        ([PHOTO, INK], {"parameters": {"timeout": -1}}, "timeout", "is no number of microseconds"),
        ([PHOTO, INK], {"outputs": ["picture"]}, "outputs", "none is named 'picture'; there are: painted"),
        ([PHOTO, INK], {"outputs": ["painted", "pixels"]}, "outputs", "painted and pixels are asked for"),
        ([PHOTO, INK], {"outputs": ["pixels"], "parameters": {"quality": 5}}, "quality", "ask for 'painted'"),
        (
            [("image", [photo(), photo()]), INK, ("quality", np.array([9, 101], np.int32))],
            {},
            "quality",
            "photo 1 of 2: 101 is out of range",
        ),
    ],
)
def test_a_request_that_will_not_do_is_told_why_and_what_would(
    bundle: Bundle, inputs: list[tuple[str, Any]], others: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(request(*inputs, **others), bundle)

    assert caught.value.field == field
    assert says in caught.value.reason


def test_a_style_that_the_bundle_lacks_is_not_found(bundle: Bundle) -> None:
    with pytest.raises(StyleNotFound) as caught:
        read(request(PHOTO, ("style", [b"inc"])), bundle)

    assert str(caught.value) == "no style 'inc'; did you mean 'ink'? Available: gold, ink"


def test_a_value_beyond_a_byte_is_no_pixel(bundle: Bundle) -> None:
    message = request(INK)
    contents = pb.InferTensorContents(uint_contents=[256] * (16 * 16 * 3))
    message.inputs.add(name="pixels_uint8", datatype="UINT8", shape=[1, 16, 16, 3], contents=contents)

    with pytest.raises(InvalidInput, match="has the value 256; give 0 to 255"):
        read(message, bundle)


def test_every_input_but_the_photos_is_an_option() -> None:
    assert [name for name, tensor in INPUTS.items() if tensor.is_picture] == ["pixels", "pixels_uint8"]
