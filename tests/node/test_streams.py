"""Streams of the Node client: lazy, bounded, in either order, and whole however the connection fares."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

import pytest
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from impasto.v1 import stylizer_pb2 as pb
from tests.client.servers import Call, serving
from tests.client.stream_servers import echo_stream, echoed
from tests.node.runtime import Node, Thrown

# Photos that count how many of them were asked for, and say whether they were told that no more are wanted.
COUNTED = """
const given = { asked: 0, left: false };
async function* photos(many) {
  try {
    for (; given.asked < many; ) yield Buffer.from(String(given.asked++));
  } finally {
    given.left = true;
  }
}
"""


def items(call: Call) -> Iterator[pb.StylizeStreamRequest]:
    return (request for request in call.request if request.HasField("item"))


def test_nothing_is_asked_for_before_a_result_is_and_then_no_more_than_the_window(js: Node) -> None:
    code = (
        COUNTED
        + """
    const results = connect(target).stylizeStream(photos(1000), 'ink', { window: 3 });
    await new Promise((done) => setTimeout(done, 20));
    const asked = [given.asked];
    let most = 0;
    for (let taken = 0; taken < 50; taken += 1) {
      await results.next();
      await new Promise((done) => setTimeout(done, 2));
      most = Math.max(most, given.asked - taken - 1);
    }
    await results.return();
    return [asked[0], most, given.left];
    """
    )
    with serving(echo_stream) as server:
        assert js.run(code, target=server.target) == [0, 3, True]


@pytest.mark.parametrize("ordered", [True, False])
def test_results_come_as_the_photos_came_or_as_they_are_done(js: Node, ordered: bool) -> None:
    def backwards(call: Call) -> Iterator[pb.StylizeStreamResponse]:
        waiting = list(zip(range(4), items(call), strict=False))
        for _, request in reversed(waiting):
            yield echoed(request)

    code = """
    const photos = ['a', 'b', 'c', 'd'].map((id) => ({ id, image: Buffer.from(id) }));
    const ids = [];
    for await (const { id, stylized } of connect(target).stylizeStream(photos, 'ink', { ordered, window: 4 })) {
      ids.push(id + stylized.image);
    }
    return ids.join(' ');
    """
    with serving(backwards) as server:
        assert js.run(code, target=server.target, ordered=ordered) == ("aa bb cc dd" if ordered else "dd cc bb aa")


def test_a_photo_has_options_of_its_own_and_an_error_of_its_own(js: Node) -> None:
    seen: list[pb.StylizeRequest] = []

    def picky(call: Call) -> Iterator[pb.StylizeStreamResponse]:
        for request in items(call):
            seen.append(request.item.request)
            if request.item.request.image == b"bad":
                yield pb.StylizeStreamResponse(id=request.item.id, error=Status(code=3, message="no picture"))
            else:
                yield echoed(request)

    code = """
    const photos = [
      Buffer.from('one'),
      { image: Buffer.from('two'), id: 'two', style: { gold: 1 }, strength: 0.5 },
      Buffer.from('bad'),
      'three',
      { image: Buffer.from('four'), quality: 0 },
      { image: Buffer.from('five'), qality: 1 },
      Buffer.from('six'),
    ];
    const found = [];
    for await (const { id, stylized, error } of connect(target).stylizeStream(photos, 'ink', { format: 'png' })) {
      found.push([id, stylized ? String(stylized.image) : error.message]);
    }
    return found;
    """
    with serving(picky) as server:
        found = js.run(code, target=server.target)

    own = pb.Blend(parts=[pb.Blend.Part(style_id="gold", weight=1)])
    assert seen[:2] == [pb.StylizeRequest(image=b"one"), pb.StylizeRequest(image=b"two", blend=own, strength=0.5)]
    assert found == [
        ["0", "one"],
        ["two", "two"],
        ["2", "no picture"],
        ["3", "photo: 'three' is none; give the bytes of a file, or { image: bytes, id: 'name' }"],
        ["4", "quality: 0 is out of range; give 1 to 100"],
        ["5", "photo: 'qality' is unknown; give some of image, id, style, strength, workingSize, width, height, "
         "format, quality, metadata, mask"],
        ["6", "six"],
    ]  # fmt: skip


@pytest.mark.parametrize("ordered", [True, False])
def test_a_stream_goes_on_with_the_server_that_came_back(js: Node, ordered: bool) -> None:
    code = (
        COUNTED
        + """
    const ids = [];
    const lost = [];
    const options = { ordered, timeout: 60_000, onLost: (error) => lost.push(error.name) };
    for await (const { id, stylized } of connect(target).stylizeStream(photos(200), 'ink', options)) {
      ids.push(stylized ? id : 'none');
      if (ids.length === 10) say('ten');
    }
    return [ids, [...new Set(lost)]];
    """
    )

    def thirty(call: Call) -> Iterator[pb.StylizeStreamResponse]:
        for number, request in enumerate(items(call)):
            if number == 30:
                call.released.wait()
            yield echoed(request)

    with serving(thirty) as server:
        js.start(code, target=server.target, ordered=ordered)
        js.says()
        server.stop()
        with serving(echo_stream, server.port):
            ids, lost = js.returns()

    assert (ids if ordered else sorted(ids, key=int)) == [str(number) for number in range(200)]
    assert lost == ["ServerUnavailable"]


def test_a_server_that_ends_the_stream_in_good_order_as_it_stops_loses_no_photo(js: Node) -> None:
    def five_each(call: Call) -> Iterator[pb.StylizeStreamResponse]:
        for _, request in zip(range(5), items(call), strict=False):
            yield echoed(request)

    code = """
    const photos = Array.from({ length: 12 }, (_, number) => Buffer.from(String(number)));
    const ids = [];
    for await (const { id } of connect(target).stylizeStream(photos, 'ink')) ids.push(id);
    return ids.length;
    """
    with serving(five_each) as server:
        assert js.run(code, target=server.target) == 12
        assert len(server.calls) == 3


def test_a_photo_over_the_servers_limit_is_one_error_among_the_others(js: Node) -> None:
    def limited(call: Call) -> Iterator[pb.StylizeStreamResponse]:
        for request in items(call):
            if (size := request.ByteSize()) > 1000:
                call.fail(StatusCode.RESOURCE_EXHAUSTED, f"SERVER: Received message larger than max ({size} vs. 1000)")
            yield echoed(request)

    code = """
    const photos = [10, 2000, 20, 3000, 30].map((size) => Buffer.alloc(size, 1));
    const found = [];
    for await (const { error } of connect(target).stylizeStream(photos, 'ink')) found.push(error?.name ?? 'painted');
    return found;
    """
    with serving(limited) as server:
        found = js.run(code, target=server.target)

    assert found == ["painted", "MessageTooLarge", "painted", "MessageTooLarge", "painted"]


def test_what_the_photos_throw_comes_after_the_results_before(js: Node) -> None:
    code = """
    async function* photos() {
      yield Buffer.from('one');
      throw new RangeError('the disk is gone');
    }
    const results = connect(target).stylizeStream(photos(), 'ink');
    say((await results.next()).value.id);
    await results.next();
    """
    with serving(echo_stream) as server:
        js.start(code, target=server.target)
        assert js.says() == "0"
        with pytest.raises(Thrown, match="RangeError: the disk is gone"):
            js.returns()


def test_leaving_the_loop_ends_the_stream_and_leaves_the_photos(js: Node) -> None:
    ended = Event()

    def watched(call: Call) -> Iterator[pb.StylizeStreamResponse]:
        call.context.add_callback(ended.set)
        return echo_stream(call)

    code = (
        COUNTED
        + """
    for await (const result of connect(target).stylizeStream(photos(1000), 'ink')) break;
    await new Promise((done) => setTimeout(done, 0));
    return given.left;
    """
    )
    with serving(watched) as server:
        assert js.run(code, target=server.target) is True
        assert ended.wait(60)


def test_a_signal_ends_a_stream_with_its_reason(js: Node) -> None:
    code = (
        COUNTED
        + """
    const control = new AbortController();
    for await (const result of connect(target).stylizeStream(photos(1000), 'ink', { signal: control.signal })) {
      control.abort(new Error('the person left'));
    }
    """
    )
    with serving(echo_stream) as server, pytest.raises(Thrown, match="Error: the person left"):
        js.run(code, target=server.target)


def test_closing_the_client_ends_a_stream(js: Node) -> None:
    code = (
        COUNTED
        + """
    const client = connect(target);
    for await (const result of client.stylizeStream(photos(1000), 'ink', { window: 1 })) client.close();
    """
    )
    with serving(echo_stream) as server, pytest.raises(Thrown, match="ClientClosed"):
        js.run(code, target=server.target)


def test_a_server_that_is_silent_for_too_long_ends_a_stream(js: Node) -> None:
    def silent(call: Call) -> Iterator[pb.StylizeStreamResponse]:
        yield echoed(next(items(call)))
        call.released.wait()

    code = """
    const photos = [1, 2, 3].map((byte) => Buffer.alloc(1, byte));
    for await (const { id } of connect(target).stylizeStream(photos, 'ink', { timeout: 3000 })) say(id);
    """
    with serving(silent) as server:
        js.start(code, target=server.target)
        assert js.says() == "0"
        with pytest.raises(Thrown, match=r"DeadlineExceeded: no answer from .* within 3000 ms"):
            js.returns()


@pytest.mark.parametrize(
    ("photos", "why"),
    [
        ("Buffer.from('photo')", "photos: 5 bytes is no row of photos"),
        ("'photo.jpg'", "photos: 'photo.jpg' is no row of photos"),
        ("[], new impasto.Painting(Buffer.from('x'))", "style: a stream paints trained styles, not paintings"),
        ("[], 'ink', { window: 0 }", "window: 0 is out of range; give 1 to 2147483647"),
        ("[], 'ink', { ordered: 'yes' }", "ordered: 'yes' is neither true nor false"),
        ("[], 'ink', { timeout: 0 }", "timeout: 0 is out of range; give milliseconds, above 0"),
    ],
)
def test_what_no_stream_can_begin_with_is_refused_at_once(js: Node, photos: str, why: str) -> None:
    with pytest.raises(Thrown) as raised:
        js.run(f"connect('127.0.0.1:1').stylizeStream({photos})")
    assert raised.value.error["message"].startswith(why)
