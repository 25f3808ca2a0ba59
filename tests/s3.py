"""An S3 of the tests' own, on loopback."""

from __future__ import annotations

import socket

import pytest

BUCKET = "tests"


class S3:
    """It can be stopped, and started again on the same port; what is in it stays."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.start()

    def start(self) -> None:
        from moto.server import ThreadedMotoServer  # which takes a second, and few tests need

        self._server = ThreadedMotoServer("127.0.0.1", self.port, verbose=False)
        self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def new_bucket(self, environment: pytest.MonkeyPatch) -> None:
        """Have this process and those that it starts reach this server, where a bucket is empty then.

        What is in S3 is the process's, whichever server shows it, so an earlier test's bucket may be there.
        """
        import s3fs

        environment.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{self.port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "key")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        files = s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)
        if files.exists(BUCKET):
            files.rm(BUCKET, recursive=True)
        files.mkdir(BUCKET)
