"""tritonclient's stream with callbacks: `... CALLERS FOLDER`."""

from __future__ import annotations

from queue import Queue
from typing import Any

from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from tests.peers.programs.triton import SMALL, arguments, given, refusal, report, texts

MODEL = "starter"
PATIENCE = 60.0  # s, for an answer


def main() -> None:
    (callers,), folder = arguments()
    rocket = (folder / "rocket.jpg").read_bytes()
    answers: Queue[tuple[Any, InferenceServerException | None]] = Queue()
    styles = ["great-wave", "nope", "", "starry-night"]
    with InferenceServerClient(callers) as client:
        client.start_stream(callback=lambda result, error: answers.put((result, error)))
        for number, style in enumerate(styles):
            inputs = [given("image", texts(rocket))] + ([given("style", texts(style))] if style else [])
            client.async_stream_infer(
                MODEL,
                inputs,
                request_id=str(number),
                parameters={**SMALL, "format": "png"},
                enable_empty_final_response=number == 0,
            )
        found = [answers.get(timeout=PATIENCE) for _ in styles]
        client.stop_stream()
    (folder / "streamed.png").write_bytes(found[0][0].as_numpy("painted")[0, 0])
    report({"answers": [told(*answer) for answer in found], "final": final(found[0][0]), "open": answers.qsize()})


def told(result: Any, error: InferenceServerException | None) -> list[str]:
    return ["error", *refusal(error)] if error else ["id", result.get_response().id]


def final(result: Any) -> bool:
    return bool(result.get_response().parameters["triton_final_response"].bool_param)


if __name__ == "__main__":
    main()
