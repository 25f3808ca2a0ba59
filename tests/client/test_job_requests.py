"""What reaches the server of paintings and how to optimise, and what is refused before it does."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from impasto.v1 import stylizer_pb2 as pb
from impasto_client import InvalidRequest, Optimization, Painting
from tests.client.job_servers import ScriptedJobs
from tests.client.servers import both_clients, echo, serving, stylize_async, stylize_sync

PAINTING = Painting(b"painting")


@both_clients
def test_all_that_a_job_is_asked_for_reaches_the_server(connect: Any) -> None:
    with serving(ScriptedJobs()) as server, connect(server.target) as client:
        client.create_job(
            b"photo",
            [Painting(b"one", 2), Painting(b"other", 0.5)],
            strength=0.5,
            working_size=320,
            width=640,
            height=480,
            format="png",
            quality=80,
            metadata="none",
            optimization={"steps": 20, "optimizer": "adam", "style_layers": ["relu1_1", "relu2_1"]},
            priority=-3,
            request_id="mine",
        )

    (request,) = server.requests("CreateStylization")
    parts = [pb.StyleImages.Part(image=b"one", weight=2), pb.StyleImages.Part(image=b"other", weight=0.5)]
    assert request == pb.CreateStylizationRequest(
        stylize=pb.StylizeRequest(
            image=b"photo",
            style_images=pb.StyleImages(parts=parts),
            strength=0.5,
            working_size=320,
            output_size=pb.Size(width=640, height=480),
            format=pb.IMAGE_FORMAT_PNG,
            quality=80,
            metadata=pb.METADATA_POLICY_NONE,
            optimization=pb.Optimization(steps=20, optimizer=pb.Optimization.ADAM, style_layers=["relu1_1", "relu2_1"]),
            request_id="mine",
        ),
        priority=-3,
    )


@pytest.mark.parametrize("stylize", [stylize_sync, stylize_async])
def test_one_painting_is_a_style_and_its_request_gets_an_id(stylize: Any) -> None:
    with serving(echo) as server:
        stylize(server.target, b"photo", PAINTING)

    request = server.calls[0].request
    assert [(part.image, part.weight) for part in request.style_images.parts] == [(b"painting", 1)]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", request.request_id)
    assert not request.HasField("optimization")


def test_an_optimization_is_sent_whole() -> None:
    optimization = Optimization(steps=20, style_weight=3.0, color="luminance")

    with serving(echo) as server:
        stylize_sync(server.target, style=PAINTING, optimization=optimization)

    assert server.calls[0].request.optimization == pb.Optimization(
        steps=20,
        content_weight=optimization.content_weight,
        style_weight=3,
        tv_weight=optimization.tv_weight,
        content_layers=optimization.content_layers,
        style_layers=optimization.style_layers,
        optimizer=pb.Optimization.OPTIMIZER_UNSPECIFIED,
        start=pb.Optimization.PHOTO,
        pooling=pb.Optimization.MAX,
        style_scale=optimization.style_scale,
        color=pb.Optimization.LUMINANCE,
        perception=pb.Optimization.PERCEPTION_UNSPECIFIED,
        seed=0,
    )


@pytest.mark.parametrize(
    ("name", "choice", "number"),
    [
        ("optimizer", "lbfgs", pb.Optimization.LBFGS),
        ("start", "noise", pb.Optimization.NOISE),
        ("start", "fast", pb.Optimization.FAST),
        ("pooling", "average", pb.Optimization.AVERAGE),
        ("color", "painting", pb.Optimization.PAINTING),
        ("color", "histogram", pb.Optimization.HISTOGRAM),
        ("perception", "vgg19", pb.Optimization.VGG19),
        ("perception", "compact", pb.Optimization.COMPACT),
        ("perception", "lowrank", pb.Optimization.LOWRANK),
    ],
)
def test_choices_go_by_name(name: str, choice: str, number: int) -> None:
    with serving(echo) as server:
        stylize_sync(server.target, style=[PAINTING], optimization={name: choice})

    assert getattr(server.calls[0].request.optimization, name) == number


@pytest.mark.parametrize("stylize", [stylize_sync, stylize_async])
@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("style", {"style": []}),
        ("style", {"style": b"painting"}),
        ("style", {"style": [b"painting"]}),
        ("style", {"style": Painting(b"")}),
        ("style", {"style": Painting("painting.jpg")}),  # type: ignore[arg-type]
        ("style", {"style": Painting(b"painting", math.nan)}),
        ("style", {"style": Painting(b"painting", math.inf)}),
        ("style", {"style": Painting(b"painting", -1)}),
        ("style", {"style": Painting(b"painting", "much")}),  # type: ignore[arg-type]
        ("style", {"style": [Painting(b"painting", 0), Painting(b"painting", 0)]}),
        ("request_id", {"style": PAINTING, "request_id": ""}),
        ("request_id", {"style": PAINTING, "request_id": "a b"}),
        ("request_id", {"style": PAINTING, "request_id": "a" * 65}),
        ("optimization", {"style": "ink", "optimization": {"steps": 20}}),
        ("optimization", {"style": PAINTING, "optimization": "fast"}),
        ("optimization", {"style": PAINTING, "optimization": {"step": 20}}),
        ("optimization", {"style": PAINTING, "optimization": {"steps": "many"}}),
        ("optimization.steps", {"style": PAINTING, "optimization": {"steps": 0}}),
        ("optimization.steps", {"style": PAINTING, "optimization": {"steps": 1.5}}),
        ("optimization.steps", {"style": PAINTING, "optimization": {"steps": 1_000_000}}),
        ("optimization.style_weight", {"style": PAINTING, "optimization": {"style_weight": math.nan}}),
        ("optimization.optimizer", {"style": PAINTING, "optimization": {"optimizer": "sgd"}}),
        ("optimization.style_layers", {"style": PAINTING, "optimization": {"style_layers": ["relu9_9"]}}),
    ],
)
def test_what_makes_no_job_is_refused_before_the_call(stylize: Any, field: str, arguments: dict[str, Any]) -> None:
    with serving(echo) as server, pytest.raises(InvalidRequest) as raised:
        stylize(server.target, **arguments)

    assert raised.value.field == field
    assert server.calls == []


@both_clients
@pytest.mark.parametrize(
    ("field", "ask"),
    [
        ("paintings", lambda client: client.create_job(b"photo", "ink")),
        ("paintings", lambda client: client.create_job(b"photo", {"ink": 1})),
        ("priority", lambda client: client.create_job(b"photo", PAINTING, priority="high")),
        ("timeout", lambda client: client.create_job(b"photo", PAINTING, timeout=math.inf)),
        ("timeout", lambda client: client.wait("5f0c", timeout=0)),
        ("preview_interval", lambda client: client.watch("5f0c", preview_interval=0)),
        ("preview_interval", lambda client: client.watch("5f0c", preview_interval=math.nan)),
    ],
)
def test_what_cannot_be_asked_of_jobs_is_refused_before_the_call(connect: Any, field: str, ask: Any) -> None:
    with serving(ScriptedJobs()) as server, connect(server.target) as client:
        with pytest.raises(InvalidRequest) as raised:
            ask(client)

        assert raised.value.field == field
    assert server.calls == []
