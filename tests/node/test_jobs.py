"""Jobs of the Node client: watched, cancelled and fetched, however often the connection breaks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from impasto.v1 import stylizer_pb2 as pb
from tests.client.job_servers import ScriptedJobs
from tests.client.servers import Call, bad_request, serving
from tests.node.runtime import Node, Thrown

CREATE = """
const client = connect(target);
const job = await client.createJob(photo, new impasto.Painting(Buffer.from('painting')), options);
say(job.name);
"""


def create(js: Node, code: str, target: str, **options: Any) -> str:
    """Begin with a program that makes a job, and return the job's name."""
    js.start(CREATE + code, target=target, photo=b"photo", options=options)
    return str(js.says())


def test_what_is_asked_for_arrives(js: Node) -> None:
    options = {
        "optimization": {"steps": 5, "styleWeight": 1e4, "color": "luminance", "contentLayers": ["relu4_2"]},
        "priority": 3,
        "requestId": "mine",
        "format": "png",
    }
    with serving(ScriptedJobs()) as server:
        name = create(js, "return job", server.target, **options)
        job = js.returns()
        (request,) = server.requests("CreateStylization")

    part = pb.StyleImages.Part(image=b"painting", weight=1)
    layers = ["relu4_2"]
    optimization = pb.Optimization(steps=5, style_weight=1e4, color=pb.Optimization.LUMINANCE, content_layers=layers)
    assert request.priority == 3
    assert request.stylize == pb.StylizeRequest(
        image=b"photo",
        style_images=pb.StyleImages(parts=[part]),
        optimization=optimization,
        request_id="mine",
        format=pb.IMAGE_FORMAT_PNG,
    )
    assert (job["name"], job["state"], job["owner"]) == (name, "queued", "anonymous")


def test_a_watch_tells_each_change_and_goes_on_with_the_server_that_came_back(js: Node) -> None:
    code = """
    const lost = new Set();
    for await (const { job: { state, progress }, preview } of job.watch({
      previewInterval: 200, onLost: (error) => lost.add(error.name),
    })) {
      say([state, progress.step, progress.fraction, String(preview)]);
    }
    return [...lost];
    """
    jobs = ScriptedJobs()

    with serving(jobs) as server:
        name = create(js, code, server.target)
        updates = [js.says()]
        jobs.paint(name, 3, b"preview")
        updates.append(js.says())
        server.stop()
        jobs.paint(name, 7)
        jobs.succeed(name)
        with serving(jobs, server.port):
            updates.append(js.says())
            lost = js.returns()

    assert updates == [["queued", 0, 0, ""], ["running", 3, 0.3, "preview"], ["succeeded", 7, 0.7, ""]]
    assert lost == ["ServerUnavailable"]


def test_leaving_a_watch_leaves_the_job(js: Node) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server:
        name = create(js, "for await (const update of job.watch()) break;", server.target)
        js.returns()
        jobs.wait_until(lambda: jobs.watchers == 0)

    assert jobs.state(name) == pb.Stylization.QUEUED


def test_a_result_is_waited_for_and_fetched_from_where_the_connection_broke(js: Node) -> None:
    jobs = ScriptedJobs()
    image = os.urandom(3500)

    def broken_once(call: Call) -> Any:
        first = len(server.requests("ReadStylization")) == 1
        return broken(call) if call.method == "ReadStylization" and first else jobs(call)

    def broken(call: Call) -> Iterator[Any]:
        chunks = jobs(call)
        yield next(chunks)
        yield next(chunks)
        call.fail(StatusCode.UNAVAILABLE, "Connection dropped")

    with serving(broken_once) as server:
        name = create(js, "return job.result()", server.target)
        jobs.paint(name, 3)
        jobs.succeed(name, image, "a note")
        painted = js.returns()

    assert [request.read_offset for request in server.requests("ReadStylization")] == [0, 2000]
    assert painted.pop("image") == image
    assert painted == {
        "format": "jpeg",
        "mediaType": "image/jpeg",
        "width": 64,
        "height": 48,
        "workingSize": {"width": 32, "height": 24},
        "stageTimes": {"decode": 0, "queue": 2000, "engine": 3000, "encode": 0},
        "notes": ["a note"],
    }


def test_a_job_that_failed_says_why(js: Node) -> None:
    jobs = ScriptedJobs()
    status = Status(code=3, message="no")
    status.details.add().Pack(bad_request("style_images", "is too large"))

    with serving(jobs) as server:
        name = create(js, "await job.result()", server.target)
        jobs.fail(name, status)
        with pytest.raises(Thrown) as raised:
            js.returns()

    error = raised.value.error
    assert error["message"] == f"{name} failed: style_images: is too large"
    assert (error["name"], error["code"], error["field"]) == ("JobFailed", "INVALID_ARGUMENT", "style_images")


def test_a_job_is_cancelled_and_deleted(js: Node) -> None:
    code = """
    await job.cancel();
    const states = [(await job.wait()).state, (await job.result().catch(told)).name];
    await job.delete();
    return [...states, (await client.job(job.name).catch(told)).name];
    """
    with serving(ScriptedJobs()) as server:
        create(js, code, server.target)
        assert js.returns() == ["cancelled", "JobCancelled", "JobUnknown"]


def test_jobs_that_have_ended_cannot_be_cancelled(js: Node) -> None:
    jobs = ScriptedJobs()
    with serving(jobs) as server:
        name = create(js, "await job.wait(); await job.cancel()", server.target)
        jobs.succeed(name)
        with pytest.raises(Thrown, match="JobEnded"):
            js.returns()


def test_jobs_are_listed_a_page_at_a_time(js: Node) -> None:
    code = """
    const client = connect(target);
    const painting = new impasto.Painting(Buffer.from('painting'));
    for (let count = 0; count < 5; count += 1) await client.createJob(photo, painting);
    const names = [];
    for await (const job of client.jobs({ ended: false })) names.push(job.name);
    const ended = [];
    for await (const job of client.jobs({ ended: true })) ended.push(job.name);
    return [names, ended];
    """
    jobs = ScriptedJobs()
    with serving(jobs) as server:
        names, ended = js.run(code, target=server.target, photo=b"photo")
        assert len(server.requests("ListOperations")) == 4

    assert names == jobs.names[::-1]
    assert ended == []


def test_a_call_whose_time_is_up_leaves_the_name_of_its_job(js: Node) -> None:
    code = """
    const client = connect(target);
    const painting = new impasto.Painting(Buffer.from('painting'));
    const error = await client.stylize(photo, painting, { timeout: 3000 }).catch((late) => late);
    say([error.name, error.operation]);
    const job = await client.job(error.operation);
    return (await job.result()).image;
    """
    jobs = ScriptedJobs()
    with serving(jobs) as server:
        js.start(code, target=server.target, photo=b"photo")
        kind, name = js.says()
        jobs.succeed(name, b"picture")
        image = js.returns()

    assert (kind, name, image) == ("DeadlineExceeded", jobs.names[0], b"picture")


def test_a_call_that_loses_the_server_takes_up_its_job_again(js: Node) -> None:
    code = """
    const painting = new impasto.Painting(Buffer.from('painting'));
    return (await connect(target).stylize(photo, painting, { timeout: 60_000 })).image;
    """
    jobs = ScriptedJobs()
    with serving(jobs) as server:
        js.start(code, target=server.target, photo=b"photo")
        jobs.wait_until(lambda: jobs.watchers == 1)
        server.stop()
        with serving(jobs, server.port):
            jobs.wait_until(lambda: jobs.watchers == 1)
            jobs.succeed(jobs.names[0], b"picture")
            assert js.returns() == b"picture"

    assert len(jobs.names) == 1


def test_a_wait_whose_time_is_up_says_that_the_job_goes_on(js: Node) -> None:
    with serving(ScriptedJobs()) as server:
        name = create(js, "await job.wait({ timeout: 300 })", server.target)
        with pytest.raises(Thrown) as raised:
            js.returns()

    error = raised.value.error
    assert (error["name"], error["operation"]) == ("DeadlineExceeded", name)
    assert error["message"] == f"{name} was not done within 300 ms, and goes on"


def test_a_signal_ends_a_watch_and_leaves_the_job(js: Node) -> None:
    code = """
    const control = new AbortController();
    for await (const update of job.watch({ signal: control.signal })) control.abort(new Error('the person left'));
    """
    jobs = ScriptedJobs()
    with serving(jobs) as server:
        name = create(js, code, server.target)
        with pytest.raises(Thrown, match="Error: the person left"):
            js.returns()
        jobs.wait_until(lambda: jobs.watchers == 0)

    assert jobs.state(name) == pb.Stylization.QUEUED


@pytest.mark.parametrize("name", ["", "a/b", "jobs/x", 7])
def test_what_is_no_name_of_a_job_is_refused_before_any_call(js: Node, name: Any) -> None:
    with pytest.raises(Thrown, match=r"InvalidRequest: name: .* is no job; give its name, such as operations/5f0c"):
        js.run("await connect('127.0.0.1:1').job(name)", name=name)
