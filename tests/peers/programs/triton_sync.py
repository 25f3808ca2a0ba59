"""tritonclient, blocking, beside Impasto's own client: `... CALLERS ADMIN FOLDER`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tritonclient.grpc import InferenceServerClient, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from impasto_client import Client
from tests.peers.programs.triton import SMALL, arguments, given, refusal, report, texts, with_raw

MODEL = "starter"


def main() -> None:
    (callers, admin), folder = arguments()
    rocket, coffee = ((folder / name).read_bytes() for name in ("rocket.jpg", "coffee.png"))
    with InferenceServerClient(callers) as client, InferenceServerClient(admin) as repository:
        report(
            {
                "server": server(client),
                "painted": painted(client, rocket, coffee, folder),
                "own": own(callers, rocket),
                "pixels": pixels(client, folder),
                "refusals": refusals(client, rocket),
                "statistics": statistics(client, rocket),
                "repository": in_repository(client, repository, folder),
            }
        )


def server(client: InferenceServerClient) -> dict[str, Any]:
    metadata = client.get_model_metadata(MODEL)
    config = client.get_model_config(MODEL, as_json=True)["config"]
    index = client.get_model_repository_index()
    return {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model ready": client.is_model_ready(MODEL),
        "another": client.is_model_ready("nope"),
        "name": client.get_server_metadata().name,
        "versions": list(metadata.versions),
        "inputs": [tensor.name for tensor in metadata.inputs],
        "largest batch": config["max_batch_size"],
        "formats": {one["name"]: one["format"] for one in config["input"] if "format" in one},
        "types": {one["name"]: one["data_type"] for one in config["output"]},
        "index": [[model.name, model.version, model.state] for model in index.models],
    }


def painted(client: InferenceServerClient, rocket: bytes, coffee: bytes, folder: Path) -> dict[str, Any]:
    inputs = [given("image", texts(rocket)), given("style", texts("great-wave"))]
    inputs.append(given("strength", np.array([[0.8]], np.float32)))
    asked = {**SMALL, "format": "png"}
    outputs = [InferRequestedOutput("painted")]
    one = client.infer(MODEL, inputs, outputs=outputs, request_id="17", parameters=asked, compression_algorithm="gzip")
    (folder / "one.png").write_bytes(one.as_numpy("painted")[0, 0])

    two = client.infer(
        MODEL,
        [given("image", texts(rocket, coffee)), given("style", texts("great-wave", "starry-night"))],
        model_version=current_version(client),
        parameters=asked,
    )
    for number, file in enumerate(two.as_numpy("painted")[:, 0]):
        (folder / f"two{number}.png").write_bytes(file)

    blend = given("blend", texts('{"great-wave": 2, "starry-night": 1}'))
    blended = client.infer(MODEL, [given("image", texts(rocket)), blend], parameters=asked)
    (folder / "blended.png").write_bytes(blended.as_numpy("painted")[0, 0])
    response = one.get_response()
    return {"id": response.id, "version": response.model_version, "shape": two.as_numpy("painted").shape}


def own(callers: str, rocket: bytes) -> dict[str, Any]:
    """Paint with Impasto's client in the same process."""
    with Client(callers) as client:
        stylized = client.stylize(rocket, "great-wave", strength=0.8, working_size=256, format="png")
    return {"bytes": len(stylized.image)}


def pixels(client: InferenceServerClient, folder: Path) -> dict[str, Any]:
    sent = np.load(folder / "pixels.npy")
    style = given("style", texts("great-wave"))
    whole = client.infer(MODEL, [given("pixels_uint8", sent), style])
    floats = client.infer(MODEL, [given("pixels", (sent / 255).astype(np.float32)), style])
    file = client.infer(
        MODEL,
        [given("pixels_uint8", sent), style],
        outputs=[InferRequestedOutput("painted")],
        parameters={"format": "png"},
    )
    np.save(folder / "whole.npy", whole.as_numpy("pixels_uint8"))
    np.save(folder / "floats.npy", floats.as_numpy("pixels"))
    (folder / "pixels.png").write_bytes(file.as_numpy("painted")[0, 0])
    return {"shape": whole.as_numpy("pixels_uint8").shape}


def refusals(client: InferenceServerClient, rocket: bytes) -> dict[str, list[str]]:
    image, style = given("image", texts(rocket)), given("style", texts("great-wave"))
    grey = np.full((1, 3, 64, 64), 0.5, np.float32)
    attempts: dict[str, dict[str, Any]] = {
        "unknown model": {"model_name": "nope", "inputs": [image, style]},
        "unknown version": {"inputs": [image, style], "model_version": "9"},
        "unknown style": {"inputs": [image, given("style", texts("great-wav"))]},
        "wrong name": {"inputs": [given("photo", texts(rocket)), style]},
        "wrong shape": {"inputs": [given("image", texts(rocket), [1, 1, 1]), style]},
        "channels first": {"inputs": [given("pixels", grey), style]},
        "wrong datatype": {"inputs": [given("strength", np.array([[0.5]])), image, style]},
        "datatype that lies": {"inputs": [given("image", texts(rocket), datatype="FP32"), style]},
        "no prefix": {"inputs": [with_raw("image", [1, 1], rocket), style]},
        "big-endian prefix": {"inputs": [with_raw("image", [1, 1], len(rocket).to_bytes(4, "big") + rocket), style]},
        "too many elements": {"inputs": [with_raw("image", [1, 1], 2 * b"\0\0\0\0"), style]},
        "no style": {"inputs": [image]},
        "no photo": {"inputs": [style]},
        "no picture": {"inputs": [given("image", texts("hello")), style]},
        "unknown parameter": {"inputs": [image, style], "parameters": {"strenght": "0.5"}},
        "bad parameter": {"inputs": [image, style], "parameters": {"working_size": 9}},
        "unknown output": {"inputs": [image, style], "outputs": [InferRequestedOutput("picture")]},
        "huge metadata": {"inputs": [image, style], "headers": {"x-large": "a" * 100_000}},
        "too late": {"inputs": [image, style], "client_timeout": 0.001},
    }
    found = {name: refused(client, **attempt) for name, attempt in attempts.items()}
    return found | {"afterwards": refused(client, inputs=[image, style], parameters=SMALL)}


def refused(client: InferenceServerClient, **asked: Any) -> list[str]:
    try:
        client.infer(**{"model_name": MODEL, **asked})
    except InferenceServerException as error:
        return refusal(error)
    return ["OK", ""]


def current_version(client: InferenceServerClient) -> str:
    return str(client.get_model_metadata(MODEL).versions[-1])


def statistics(client: InferenceServerClient, rocket: bytes) -> list[dict[str, Any]]:
    """Return what is counted before a request of two photos, and after it."""
    before = client.get_inference_statistics(MODEL)
    client.infer(MODEL, [given("image", texts(rocket, rocket)), given("style", texts("great-wave"))], parameters=SMALL)
    after = client.get_inference_statistics(MODEL, current_version(client))
    return [
        {
            "version": found.model_stats[0].version,
            "photos": found.model_stats[0].inference_count,
            "runs": found.model_stats[0].execution_count,
            "requests": found.model_stats[0].inference_stats.success.count,
            "ns": found.model_stats[0].inference_stats.compute_infer.ns,
        }
        for found in (before, after)
    ]


def in_repository(client: InferenceServerClient, repository: InferenceServerClient, folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    try:
        client.load_model("second")
    except InferenceServerException as error:
        found["on the callers' port"] = refusal(error)
    repository.load_model("second", config=f'{{"source": "{folder / "second"}"}}')
    found["loaded"] = client.is_model_ready("second")
    repository.unload_model("second")
    found["unloaded"] = not client.is_model_ready("second")
    return found


if __name__ == "__main__":
    main()
