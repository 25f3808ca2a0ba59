"""How the clients connect: the options of their channels."""

from __future__ import annotations

import json

from impasto import __version__
from impasto_client.access import stays_here

DEFAULT_TARGET = "127.0.0.1:8500"

ChannelOptions = list[tuple[str, str | int]]

# A photo painted twice does no harm, and a job has a request id, so a call that met no server, or lost it, may be made
# again. Nothing else is: a server that refuses a request would refuse it again.
_SERVICE_CONFIG = {
    # One photo costs the server so much that a connection to a single one of several replicas would be a bottleneck.
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{"service": "impasto.v1.Stylizer"}, {"service": "google.longrunning.Operations"}],
            "retryPolicy": {
                "maxAttempts": 5,  # over about 3 s; gRPC allows no more
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 3,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        },
        # A stream is opened again by us, with the photos that have no answer: gRPC would keep and send all of it.
        {"name": [{"service": "impasto.v1.Stylizer", "method": "StylizeStream"}]},
    ],
}

_MAX_REPLY = 256 * 2**20  # bytes; a PNG of 50 million pixels has some 150 MB. gRPC's own limit is 4 MiB
# Bytes; gRPC does not retry a request that it cannot hold in this buffer, silently, and by default holds 256 KiB.
_RETRY_BUFFER = 256 * 2**20

# A connection that died without a word, as a phone's does, is found by pings. They go only while a call is under way.
_PING_AFTER = 30_000  # ms of silence
_PING_TIMEOUT = 10_000  # ms
# Between attempts to connect. gRPC's own, from 1 s to 2 minutes, outlasts a server's restart: by the time that the next
# one goes, clients have to know that the one before is back.
_FIRST_BACKOFF = 100  # ms
_LONGEST_BACKOFF = 1_000  # ms
# Between two questions for a name's addresses, which a lost connection asks. Under Kubernetes a server that is replaced
# has another address, and a rolling update can replace all of them within gRPC's own 30 s.
_ASK_FOR_ADDRESSES_AFTER = 1_000  # ms


def channel_options(target: str) -> ChannelOptions:
    """Return the options that a channel to this target gets.

    What is for this machine itself goes by no proxy, whatever `$http_proxy` says: it may be a token in plain text.
    """
    return [
        *([("grpc.enable_http_proxy", 0)] if stays_here(target) else []),
        ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
        ("grpc.enable_retries", 1),
        ("grpc.per_rpc_retry_buffer_size", _RETRY_BUFFER),
        ("grpc.max_receive_message_length", _MAX_REPLY),
        ("grpc.keepalive_time_ms", _PING_AFTER),
        ("grpc.keepalive_timeout_ms", _PING_TIMEOUT),
        ("grpc.http2.ping_timeout_ms", _PING_TIMEOUT),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.initial_reconnect_backoff_ms", _FIRST_BACKOFF),
        ("grpc.max_reconnect_backoff_ms", _LONGEST_BACKOFF),
        ("grpc.dns_min_time_between_resolutions_ms", _ASK_FOR_ADDRESSES_AFTER),
        ("grpc.primary_user_agent", f"impasto-python/{__version__}"),
    ]
