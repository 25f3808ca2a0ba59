"""The synchronous client."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TypeVar

import grpc

from impasto.v1 import stylizer_pb2 as pb
from impasto.v1.stylizer_pb2_grpc import StylizerStub
from impasto_client.building import get_style_request, stylize_request
from impasto_client.calling import DEFAULT_TIMEOUT, Patience
from impasto_client.channel import DEFAULT_TARGET, channel_options
from impasto_client.results import Style, Stylized

_Reply = TypeVar("_Reply")


class Client:
    """A connection to an Impasto server. One serves all threads of a program; make it once and keep it."""

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        """Prepare a connection, which is made with the first call.

        Args:
            target: `host:port`, or another gRPC target such as `dns:///painter.internal:8500`, whose every address
                is then used in turn.
            timeout: seconds that a call may take, tries included, where it does not say otherwise.
            credentials: for TLS, `grpc.ssl_channel_credentials()`; without, the connection is in plain text.
        """
        self._target = target
        self._timeout = timeout
        if credentials:
            self._channel = grpc.secure_channel(target, credentials, channel_options())
        else:
            self._channel = grpc.insecure_channel(target, channel_options())
        self._stub = StylizerStub(self._channel)  # type: ignore[no-untyped-call]

    def stylize(
        self,
        photo: bytes,
        style: str | Mapping[str, float],
        *,
        strength: float | None = None,
        working_size: int | None = None,
        width: int | None = None,
        height: int | None = None,
        format: str | None = None,
        quality: int | None = None,
        timeout: float | None = None,
    ) -> Stylized:
        """Have a photo painted.

        Args:
            photo: the bytes of a JPEG, PNG or WebP file.
            style: a style's id, or a blend: ids and their weights, `{"starry-night": 2, "the-scream": 1}`.
            strength: 0 (the photo) to 1 (all paint, the default).
            working_size: px, the long side that the photo is painted at: the smaller, the broader the strokes. By
                default that of the photo, up to a limit which the server sets.
            width, height: px, of the result; where one is left out it follows from the other, and where both are,
                from the photo.
            format: `jpeg` (the default), `png` or `webp`.
            quality: 1 to 100, of a JPEG or WebP result.
            timeout: seconds, instead of the client's.

        Raises:
            InvalidRequest: a value is not allowed; StyleUnknown where it is the style.
            ImpastoClientError: anything else that went wrong; see `impasto_client.errors`.
        """
        request = stylize_request(
            photo,
            style,
            strength=strength,
            working_size=working_size,
            width=width,
            height=height,
            format=format,
            quality=quality,
        )
        return Stylized.from_proto(self._call(self._stub.Stylize, request, self._patience(timeout)))

    def styles(self, *, thumbnails: bool = False, timeout: float | None = None) -> list[Style]:
        """Return every style that the server paints, sorted by name, without model cards.

        Args:
            thumbnails: whether to include these.
            timeout: seconds, instead of the client's, for all pages.
        """
        request = pb.ListStylesRequest(include_thumbnails=thumbnails)
        patience = self._patience(timeout)
        found: list[Style] = []
        while True:
            page = self._call(self._stub.ListStyles, request, patience)
            found += map(Style.from_proto, page.styles)
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    def style(self, name: str, *, timeout: float | None = None) -> Style:
        """Return one style, with thumbnail and model card.

        Args:
            name: its resource name or its id.
            timeout: seconds, instead of the client's.

        Raises:
            StyleUnknown: the server has no such style.
        """
        request = get_style_request(name)
        return Style.from_proto(self._call(self._stub.GetStyle, request, self._patience(timeout)))

    def close(self) -> None:
        """End the connection, and every call that is still under way."""
        self._channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _patience(self, timeout: float | None) -> Patience:
        return Patience(self._target, self._timeout if timeout is None else timeout)

    def _call(self, method: Callable[..., _Reply], request: Any, patience: Patience) -> _Reply:
        while True:
            try:
                return method(request, timeout=patience.left())
            except grpc.RpcError as error:
                time.sleep(patience.pause_after(error))
