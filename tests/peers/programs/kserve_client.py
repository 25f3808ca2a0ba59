"""kserve's own client, in a Python that has it, and needs nothing of ours: `... CALLERS FOLDER`."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from kserve import InferenceGRPCClient, InferInput, InferRequest

MODEL = "starter"
PARAMETERS = {"working_size": 256, "format": "png", "strength": "0.8"}


async def main() -> None:
    logging.disable()
    callers, folder = sys.argv[1], Path(sys.argv[2])
    photo = (folder / "rocket.jpg").read_bytes()
    image, style = given("image", [1], photo), InferInput("style", [1], "BYTES", data=["great-wave"])
    async with InferenceGRPCClient(callers) as client:
        painted = await client.infer(InferRequest(MODEL, [image, style], parameters=PARAMETERS))
        (folder / "kserve.png").write_bytes(painted.outputs[0].as_numpy()[0])
        findings = {
            "ready": [await client.is_server_ready(), await client.is_server_live()],
            "models": [await client.is_model_ready(MODEL), await client.is_model_ready("nope")],
            "typed": await typed(client, style),
            "refused": [await refused(client, "nope", [image, style]), await refused(client, MODEL, [image])],
        }
    print(json.dumps(findings))


def given(name: str, shape: list[int], value: bytes) -> Any:
    """Return an input with raw contents; one that has a list of data has typed ones."""
    found = InferInput(name, shape, "BYTES")
    found.set_data_from_numpy(np.array([value], dtype=object))
    return found


async def typed(client: Any, style: Any) -> list[Any]:
    grey = InferInput("pixels", [1, 48, 64, 3], "FP32", data=[0.5] * (48 * 64 * 3))
    painted = (await client.infer(InferRequest(MODEL, [grey, style]))).outputs[0]
    pixels = painted.as_numpy()
    return [painted.name, list(pixels.shape), str(pixels.dtype), bool(0 <= pixels.min() < pixels.max() <= 1)]


async def refused(client: Any, model: str, inputs: list[Any]) -> list[str]:
    try:
        await client.infer(InferRequest(model, inputs))
    except grpc.RpcError as error:
        return [error.code().name, str(error.details())]
    return ["OK", ""]


if __name__ == "__main__":
    asyncio.run(main())
