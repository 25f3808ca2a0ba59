"""Single calls of the Node client: deadlines, tries, errors, and what ends them."""

from __future__ import annotations

import signal
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from google.rpc.error_details_pb2 import RequestInfo, ResourceInfo
from grpc import StatusCode

from impasto import images
from impasto.v1 import stylizer_pb2 as pb
from impasto_server.local import local_server
from tests.client.servers import Call, bad_request, echo, error_info, retry_in, serving
from tests.core.graphs import gate_bundle
from tests.node.runtime import Node, Thrown
from tests.support import gradient

LARGE = bytes(3_000_000)  # more than gRPC holds for another try unless it is told to

STYLIZE = "return (await connect(target, options).stylize(photo, 'ink', { ...call })).image.length"


def stylize(js: Node, target: str, photo: bytes = b"photo", options: Any = None, **call: Any) -> Any:
    return js.run(STYLIZE, target=target, photo=photo, options=options or {}, call=call)


def test_what_is_asked_for_arrives_and_what_is_answered_returns(js: Node) -> None:
    code = """
    const client = connect(target);
    return client.stylize(photo, { ink: 2, gold: 1 }, {
      strength: 0.5, workingSize: 640, width: 320, format: 'webp', quality: 80, metadata: 'all',
      mask: { image: mask, feather: 0.01, inverted: true },
    });
    """
    mask = images.encode(gradient(8, 8), format=images.Format.PNG)

    with serving(echo) as server:
        painted = js.run(code, target=server.target, photo=b"photo", mask=mask)
        (request,) = server.requests("Stylize")

    assert request == pb.StylizeRequest(
        image=b"photo",
        blend=pb.Blend(parts=[pb.Blend.Part(style_id="ink", weight=2), pb.Blend.Part(style_id="gold", weight=1)]),
        strength=0.5,
        working_size=640,
        output_size=pb.Size(width=320),
        format=pb.IMAGE_FORMAT_WEBP,
        quality=80,
        metadata=pb.METADATA_POLICY_ALL,
        mask=pb.Mask(image=mask, feather=0.01, inverted=True),
    )
    assert painted == {
        "image": b"photo",
        "format": "webp",
        "mediaType": "image/webp",
        "width": 64,
        "height": 48,
        "workingSize": {"width": 32, "height": 24},
        "stageTimes": {"decode": 5, "queue": 0, "engine": 1500, "encode": 0},
        "notes": [],
    }


def test_a_call_has_a_deadline_also_where_nobody_gave_one(js: Node) -> None:
    with serving(echo) as server:
        stylize(js, server.target)
        stylize(js, server.target, timeout=5_000)
        lefts = [call.context.time_remaining() for call in server.calls]

    assert 20 < lefts[0] <= 30
    assert 0 < lefts[1] <= 5


def test_a_call_ends_when_its_time_is_up(js: Node) -> None:
    with serving(lambda call: call.released.wait()) as server, pytest.raises(Thrown) as raised:
        stylize(js, server.target, timeout=200)

    assert raised.value.error["name"] == "DeadlineExceeded"
    assert raised.value.error["message"] == f"no answer from {server.target} within 200 ms"


def test_a_large_photo_is_sent_again_to_a_server_that_was_away(js: Node) -> None:
    def away_twice(call: Call) -> Any:
        return call.fail(StatusCode.UNAVAILABLE, "away") if call.number <= 2 else echo(call)

    with serving(away_twice) as server:
        assert stylize(js, server.target, LARGE) == len(LARGE)
        assert len(server.calls) == 3


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (StatusCode.CANCELLED, "CANCELLED"),  # of a server that stops
        (StatusCode.CANCELLED, "Call cancelled"),  # of grpc-js, whose stream was reset so
        (StatusCode.INTERNAL, "Received RST_STREAM with code 2 (Internal server error)"),
    ],
)
def test_a_call_that_a_server_dropped_as_it_stopped_is_made_again(js: Node, code: StatusCode, text: str) -> None:
    def dropped_twice(call: Call) -> Any:
        return call.fail(code, text) if call.number <= 2 else echo(call)

    with serving(dropped_twice) as server:
        assert stylize(js, server.target) == 5
        assert len(server.calls) == 3


def test_a_call_that_is_dropped_each_time_is_given_up(js: Node) -> None:
    with serving(lambda call: call.fail(StatusCode.CANCELLED, "CANCELLED")) as server, pytest.raises(Thrown) as raised:
        stylize(js, server.target)

    assert raised.value.error["name"] == "ServerUnavailable"
    assert len(server.calls) == 4


def test_a_call_outlives_a_server_that_is_stopped_under_it_and_started_again(js: Node) -> None:
    reached, ended = Event(), Event()

    def held(call: Call) -> Any:
        call.context.add_callback(ended.set)
        reached.set()
        ended.wait(60)

    with serving(held) as server:
        js.start(STYLIZE, target=server.target, photo=b"photo", options={}, call={})
        assert reached.wait(60)
        server.stop()
        with serving(echo, server.port):
            assert js.returns() == 5


def test_no_call_fails_when_one_of_two_servers_is_killed(js: Node, tmp_path: Path) -> None:
    code = """
    const client = connect(`ipv4:${one},${other}`);
    let painted = 0;
    let ended = false;
    const paint = async () => {
      for (; !ended; painted += 1) await client.stylize(photo, 'ink');
    };
    const painters = Array.from({ length: 6 }, paint);
    for (const until of [20, 60]) {
      while (painted < until) await Promise.race([...painters, new Promise((done) => setTimeout(done, 1))]);
      say(painted);
    }
    ended = true;
    await Promise.all(painters);
    """
    gate_bundle(tmp_path / "bundle")
    options = ["--bundle", str(tmp_path / "bundle"), "--bundle-probe", "off", "--provider", "cpu"]

    with local_server(tmp_path, options) as one, serving(echo) as other:
        js.start(code, one=one.target, other=other.target, photo=images.encode(gradient()))
        js.says()
        one.process.send_signal(signal.SIGKILL)
        js.says()
        js.returns()


def test_a_busy_server_is_asked_again_when_it_says(js: Node) -> None:
    def busy_once(call: Call) -> Any:
        return call.fail(StatusCode.RESOURCE_EXHAUSTED, "full", retry_in(0.1)) if call.number == 1 else echo(call)

    with serving(busy_once) as server:
        assert stylize(js, server.target) == 5
        assert len(server.calls) == 2


def test_a_server_that_is_busy_for_longer_than_the_time_that_is_left_is_told_of_at_once(js: Node) -> None:
    def busy(call: Call) -> Any:
        call.fail(StatusCode.RESOURCE_EXHAUSTED, "full", error_info("QUEUE_FULL"), retry_in(100))

    with serving(busy) as server, pytest.raises(Thrown) as raised:
        stylize(js, server.target)

    error = raised.value.error
    assert (error["name"], error["reason"], error["retryAfter"]) == ("ServerBusy", "QUEUE_FULL", 100_000)


@pytest.mark.parametrize(
    ("code", "details", "expected"),
    [
        (
            StatusCode.INVALID_ARGUMENT,
            [bad_request("quality", "0 is out of range"), error_info("OUT_OF_RANGE")],
            {"name": "InvalidRequest", "message": "quality: 0 is out of range", "field": "quality"},
        ),
        (
            StatusCode.NOT_FOUND,
            [error_info("STYLE_NOT_FOUND", available="ink,gold")],
            {"name": "StyleUnknown", "available": ["gold", "ink"], "reason": "STYLE_NOT_FOUND"},
        ),
        (
            StatusCode.NOT_FOUND,
            [ResourceInfo(resource_type="impasto.dev/Stylization")],
            {"name": "JobUnknown"},
        ),
        (StatusCode.ALREADY_EXISTS, [], {"name": "RequestReused", "field": "requestId"}),
        (StatusCode.UNAUTHENTICATED, [], {"name": "Unauthenticated"}),
        (
            StatusCode.PERMISSION_DENIED,
            [error_info("NO", role="jobs")],
            {"name": "PermissionDenied", "role": "jobs"},
        ),
        (StatusCode.UNIMPLEMENTED, [], {"name": "Unimplemented"}),
        (StatusCode.INTERNAL, [RequestInfo(request_id="7f")], {"name": "ServerFault", "id": "7f", "code": "INTERNAL"}),
        (StatusCode.FAILED_PRECONDITION, [], {"name": "ImpastoError", "code": "FAILED_PRECONDITION"}),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else "",
)
def test_an_error_says_what_is_wrong(js: Node, code: StatusCode, details: Any, expected: dict[str, Any]) -> None:
    with serving(lambda call: call.fail(code, "why", *details)) as server, pytest.raises(Thrown) as raised:
        stylize(js, server.target)

    assert {key: raised.value.error[key] for key in expected} == expected


def test_a_reply_over_the_default_limit_of_grpc_arrives(js: Node) -> None:
    with serving(lambda call: pb.StylizeResponse(image=bytes(10_000_000))) as server:
        assert stylize(js, server.target) == 10_000_000


def test_a_signal_ends_a_call_with_its_reason_and_the_server_is_told(js: Node) -> None:
    code = """
    const control = new AbortController();
    const client = connect(target);
    const painting = client.stylize(photo, 'ink', { signal: control.signal });
    await client.styles(); // returns when the other call is there
    control.abort(new Error('the person left'));
    await painting;
    """
    reached, ended = Event(), Event()

    def held(call: Call) -> Any:
        if call.method == "ListStyles":
            reached.wait(60)
            return pb.ListStylesResponse()
        call.context.add_callback(ended.set)
        reached.set()
        return call.released.wait()

    with serving(held) as server:
        with pytest.raises(Thrown, match="Error: the person left"):
            js.run(code, target=server.target, photo=b"photo")
        assert ended.wait(60)


def test_a_signal_that_was_aborted_before_makes_no_call(js: Node) -> None:
    code = "await connect(target).stylize(photo, 'ink', { signal: AbortSignal.abort() })"

    with serving(echo) as server, pytest.raises(Thrown, match="AbortError"):
        js.run(code, target=server.target, photo=b"photo")
    assert server.calls == []


def test_closing_the_client_ends_what_is_under_way_and_what_would_follow(js: Node) -> None:
    code = """
    const client = connect(target);
    const painting = client.stylize(photo, 'ink').catch(told);
    await client.styles();
    client.close();
    return [await painting, await client.styles().catch(told)].map((error) => error.name);
    """

    def held(call: Call) -> Any:
        return pb.ListStylesResponse() if call.method == "ListStyles" else call.released.wait()

    with serving(held) as server:
        assert js.run(code, target=server.target, photo=b"photo") == ["ClientClosed", "ClientClosed"]


def test_nobody_there_is_told_within_the_deadline(js: Node) -> None:
    with serving(echo) as server:
        pass
    with pytest.raises(Thrown, match=r"ServerUnavailable: .* is unavailable: .*ECONNREFUSED"):
        stylize(js, server.target, timeout=30_000)


def test_calls_go_round_all_addresses_of_a_target(js: Node) -> None:
    code = """
    const client = connect(`ipv4:${one},${other}`);
    for (let call = 0; call < 20; call += 1) await client.stylize(photo, 'ink');
    """
    with serving(echo) as one, serving(echo) as other:
        js.run(code, one=one.target, other=other.target, photo=b"photo")
        shares = [len(one.calls), len(other.calls)]

    assert sum(shares) == 20
    assert min(shares) >= 5


def test_every_page_of_styles_is_fetched(js: Node) -> None:
    def page(call: Call) -> Any:
        second = call.request.page_token == "2"
        style = pb.Style(name="bundles/b/styles/s", style_id=f"b/{'two' if second else 'one'}", title="Title")
        return pb.ListStylesResponse(styles=[style], next_page_token="" if second else "2")

    with serving(page) as server:
        styles = js.run("return connect(target).styles({ thumbnails: true })", target=server.target)
        assert all(request.include_thumbnails for request in server.requests("ListStyles"))

    assert [style["id"] for style in styles] == ["b/one", "b/two"]
