"""What gRPC itself is told: sizes, how long connections live, and how they are kept alive."""

from __future__ import annotations

from impasto_server.config import Config

# Who calls may ask as often as each 10 s whether we are alive, with or without calls, as phones and their back ends do.
# Half of that is taken as often enough, since the network brings what was sent evenly unevenly.
_LEAST_PING_INTERVAL = 5_000  # ms; who asks more often, three times in a row, is cut off
_HANDSHAKE_TIMEOUT = 20_000  # ms, until whoever connects has to speak HTTP/2


def transport_options(config: Config) -> list[tuple[str, int]]:
    """Return the options of the gRPC server."""
    options = [
        ("grpc.max_receive_message_length", config.max_message_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_metadata_size", config.max_metadata_bytes),
        ("grpc.absolute_max_metadata_size", config.max_metadata_bytes),  # or some of those in between would come in
        ("grpc.max_concurrent_streams", config.max_calls_per_connection),
        ("grpc.server_handshake_timeout_ms", _HANDSHAKE_TIMEOUT),
        # Each stream may send 64 KiB ahead, and what a message that is being read still needs. Measured windows
        # grow to megabytes a stream, all of them memory that a caller fills who reads no answers.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.so_reuseport", 0),  # or a second server on the port would silently take half of the calls
        # We ask, too: a watch that waits would not notice that its caller is gone, nor an idle connection.
        ("grpc.keepalive_time_ms", _milliseconds(config.keepalive_seconds)),
        ("grpc.keepalive_timeout_ms", _milliseconds(config.keepalive_timeout_seconds)),
        ("grpc.http2.ping_timeout_ms", _milliseconds(config.keepalive_timeout_seconds)),
        ("grpc.keepalive_permit_without_calls", 1),  # for both sides: neither waits for a call
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.min_ping_interval_without_data_ms", _LEAST_PING_INTERVAL),
        ("grpc.http2.max_ping_strikes", 2),
    ]
    lives = (
        ("grpc.max_connection_age_ms", config.max_connection_age_seconds),
        ("grpc.max_connection_idle_ms", config.max_connection_idle_seconds),
    )
    options += [(name, _milliseconds(seconds)) for name, seconds in lives if seconds]
    return [*options, ("grpc.max_connection_age_grace_ms", _milliseconds(config.connection_grace_seconds))]


def _milliseconds(seconds: float) -> int:
    return min(round(seconds * 1e3), 2**31 - 1)
