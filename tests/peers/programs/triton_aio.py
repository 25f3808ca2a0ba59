"""tritonclient over asyncio: `... CALLERS FOLDER`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from tests.peers.programs.triton import SMALL, arguments, given, refusal, report, texts

MODEL = "starter"
PARAMETERS = {**SMALL, "format": "png"}


async def main() -> None:
    (callers,), folder = arguments()
    rocket = (folder / "rocket.jpg").read_bytes()
    async with InferenceServerClient(callers) as client:
        several = await asyncio.gather(*(infer(client, rocket, style) for style in ("great-wave", "starry-night")))
        refused = await asyncio.gather(infer(client, rocket, "nope"), return_exceptions=True)
        answers = [answer async for answer in client.stream_infer(requests(rocket))]
        ready = await client.is_server_ready()
    for style, picture in zip(("great-wave", "starry-night"), several, strict=True):
        (folder / f"aio-{style}.png").write_bytes(picture)
    report(
        {
            "ready": ready,
            "refused": [refusal(error) for error in refused if isinstance(error, InferenceServerException)],
            "stream": [told(result, error) for result, error in answers],
        }
    )


async def infer(client: InferenceServerClient, photo: bytes, style: str) -> bytes:
    inputs = [given("image", texts(photo)), given("style", texts(style))]
    result = await client.infer(MODEL, inputs, parameters=PARAMETERS)
    picture: bytes = result.as_numpy("painted")[0, 0]
    return picture


async def requests(photo: bytes) -> AsyncIterator[dict[str, Any]]:
    for number, style in enumerate(["great-wave", "nope", "starry-night"]):
        inputs = [given("image", texts(photo)), given("style", texts(style))]
        yield {"model_name": MODEL, "inputs": inputs, "request_id": str(number), "parameters": PARAMETERS}


def told(result: Any, error: InferenceServerException | None) -> list[str]:
    return ["error", str(error.message())] if error else ["id", result.get_response().id]


if __name__ == "__main__":
    asyncio.run(main())
