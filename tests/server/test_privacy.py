"""What results say of the photo and of how they were made, over the wire."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from impasto.images import Format
from impasto.jobs import Commission
from impasto.logs import make_log
from impasto.metadata import MARK, MetadataPolicy
from impasto.optimization import Optimization
from impasto.v1 import stylizer_pb2 as pb
from impasto_server.jobs.supervisor import worker_command
from tests.core.exifs import SECRETS, phone
from tests.core.exifs import photo as photo_file
from tests.server.job_support import request_of, serving_jobs
from tests.server.support import fields, options, refusal, serving
from tests.support import fake_bundle

PHOTO = photo_file(phone())


def artist(file: bytes) -> str | None:
    artist: str | None = Image.open(io.BytesIO(file)).getexif().get(ExifTags.Base.Artist)
    return artist


def latitude(file: bytes) -> object:
    return Image.open(io.BytesIO(file)).getexif().get_ifd(ExifTags.IFD.GPSInfo).get(ExifTags.GPS.GPSLatitude)


async def test_a_result_carries_all_but_the_place_unless_a_request_says_otherwise(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        usual = (await served.stylize(image=PHOTO)).image
        whole = (await served.stylize(image=PHOTO, metadata=pb.METADATA_POLICY_ALL)).image
        bare = (await served.stylize(image=PHOTO, metadata=pb.METADATA_POLICY_NONE)).image

    assert (artist(usual), latitude(usual)) == ("Ada Lovelace", None)
    assert (artist(whole), latitude(whole)) == ("Ada Lovelace", (52, 31, 12.5))
    assert (artist(bare), latitude(bare)) == (None, None)
    assert not [secret for secret in SECRETS if secret.encode() in usual + whole + bare]


async def test_the_size_that_a_result_says_is_its_own(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        response = await served.stylize(image=PHOTO, output_size=pb.Size(width=24), format=pb.IMAGE_FORMAT_JPEG)

    taken = Image.open(io.BytesIO(response.image)).getexif().get_ifd(ExifTags.IFD.Exif)
    assert (taken[ExifTags.Base.ExifImageWidth], taken[ExifTags.Base.ExifImageHeight]) == (24, 32)


@pytest.mark.parametrize("format", [pb.IMAGE_FORMAT_JPEG, pb.IMAGE_FORMAT_PNG, pb.IMAGE_FORMAT_WEBP])
async def test_what_is_painted_is_marked_and_what_is_not_is_not(tmp_path: Path, format: pb.ImageFormat) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        painted = await served.stylize(image=PHOTO, format=format, metadata=pb.METADATA_POLICY_NONE)
        a_little = await served.stylize(image=PHOTO, format=format, strength=0.01)
        unpainted = await served.stylize(image=PHOTO, format=format, strength=0)

    assert MARK in painted.image
    assert MARK in a_little.image
    assert b"DigitalSourceType" not in unpainted.image
    assert artist(unpainted.image) == "Ada Lovelace"


async def test_a_server_can_be_told_not_to_mark(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b"), mark_results=False) as served:
        painted = await served.stylize(image=PHOTO)

    assert b"DigitalSourceType" not in painted.image
    assert artist(painted.image) == "Ada Lovelace"


async def test_a_streams_photos_have_its_policy_or_their_own(tmp_path: Path) -> None:
    config = pb.StylizeStreamConfig(
        defaults=pb.StylizeRequest(style_id="ink", metadata=pb.METADATA_POLICY_ALL),
        order=pb.StylizeStreamConfig.ORDERED,
    )
    policies = (pb.METADATA_POLICY_UNSPECIFIED, pb.METADATA_POLICY_NONE, pb.METADATA_POLICY_WITHOUT_LOCATION)
    messages = [pb.StylizeStreamRequest(config=config)]
    for policy in policies:
        item = pb.StylizeStreamItem(request=pb.StylizeRequest(image=PHOTO, metadata=policy))
        messages.append(pb.StylizeStreamRequest(item=item))
    async with serving(fake_bundle(tmp_path / "b")) as served:
        files = [answer.response.image async for answer in served.stub.StylizeStream(iter(messages))]

    assert [(artist(file), latitude(file)) for file in files] == [
        ("Ada Lovelace", (52, 31, 12.5)),
        (None, None),
        ("Ada Lovelace", None),
    ]
    assert all(MARK in file for file in files)


async def test_a_kept_result_is_not_given_to_who_asked_for_other_metadata(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b"), cache_bytes=10_000_000) as served:
        whole = await served.stylize(image=PHOTO, metadata=pb.METADATA_POLICY_ALL)
        usual = await served.stylize(image=PHOTO)
        again = await served.stylize(image=PHOTO, metadata=pb.METADATA_POLICY_ALL)

    assert (latitude(whole.image), latitude(usual.image)) == ((52, 31, 12.5), None)
    assert again.image == whole.image


async def test_a_policy_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        error = await refusal(served.stylize(metadata=9))

    assert fields(error) == ["metadata"]
    assert "9 is no policy; give METADATA_POLICY_NONE, METADATA_POLICY_WITHOUT_LOCATION, METADATA_POLICY_ALL" in str(
        error.details()
    )


# Jobs


async def test_a_job_knows_what_its_result_is_to_carry(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        await served.create(image=PHOTO, metadata=pb.METADATA_POLICY_ALL)
        await served.create(image=PHOTO)
        commissions = [(await served.claim()).commission for _ in range(2)]

    assert [commission.metadata for commission in commissions] == [
        MetadataPolicy.ALL,
        MetadataPolicy.WITHOUT_LOCATION,
    ]


async def test_the_same_request_with_another_policy_is_another(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        await served.create(request_id="order-4711", metadata=pb.METADATA_POLICY_ALL)
        other = request_of(request_id="order-4711", metadata=pb.METADATA_POLICY_NONE)
        request = pb.CreateStylizationRequest(stylize=other)
        error = await refusal(served.stub.CreateStylization(request))

    assert "order-4711" not in served.log.getvalue()
    assert error.details() == "this request id was used with other content; use a new one"


@pytest.mark.parametrize("policy", list(MetadataPolicy), ids=lambda policy: policy.value)
def test_a_stored_commission_keeps_its_policy(policy: MetadataPolicy) -> None:
    commission = Commission(
        optimization=Optimization(),
        painting_weights=(1.0,),
        working_size=64,
        output_size=(64, 48),
        format=Format.PNG,
        metadata=policy,
    )

    assert Commission.from_dict(json.loads(json.dumps(commission.to_dict()))) == commission


def test_a_commission_from_before_policies_has_the_default() -> None:
    commission = Commission(optimization=Optimization(), painting_weights=(1.0,), working_size=64, output_size=(64, 48))

    assert "metadata" not in commission.to_dict()
    assert Commission.from_dict(commission.to_dict()).metadata is MetadataPolicy.WITHOUT_LOCATION


@pytest.mark.parametrize("mark_results", [True, False])
def test_workers_mark_as_their_server_does(mark_results: bool) -> None:
    command = worker_command(options(mark_results=mark_results))

    assert command[command.index("--mark-results") + 1] == str(mark_results).lower()


# Logs


def test_an_error_in_a_log_for_people_shows_no_variables() -> None:
    stream = io.StringIO()
    secret = b"bytes " + b"of a picture"
    try:
        raise ValueError(f"a picture of {len(secret)} bytes")
    except ValueError as error:
        make_log(format="console", stream=stream).error("unexpected error", exc_info=error)

    assert "a picture of 18 bytes" in stream.getvalue()
    assert "bytes of a picture" not in stream.getvalue()
