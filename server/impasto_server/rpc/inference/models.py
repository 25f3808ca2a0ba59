"""The bundles that are held, as models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from impasto.bundle import Bundle
from impasto.inference import open_inference_pb2 as pb
from impasto_server.bundles.library import Library
from impasto_server.bundles.shelf import Shelf
from impasto_server.errors import ModelNotFound
from impasto_server.rpc.inference.interface import INPUTS, MAX_PHOTOS, OUTPUTS, Tensor
from impasto_server.rpc.inference.versions import numbered

PLATFORM = "impasto"

_READY, _UNAVAILABLE = "READY", "UNAVAILABLE"
_TYPES = {
    "BYTES": pb.TYPE_STRING,
    "FP32": pb.TYPE_FP32,
    "INT32": pb.TYPE_INT32,
    "UINT8": pb.TYPE_UINT8,
    "BOOL": pb.TYPE_BOOL,
}


class Models:
    """Finds models, and tells of them.

    Args:
        shelf: where the bundles are.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    @property
    def library(self) -> Library:
        """What there is now, to paint with."""
        return self._shelf.library

    def find(self, name: str, version: str = "") -> Bundle:
        """Return a model.

        Args:
            name: the bundle's.
            version: its number, or what the bundle calls itself; the current one by default.

        Raises:
            ModelNotFound: it is not held.
        """
        versions = self.versions(name)
        found = next((bundle for bundle in versions if version in ("", numbered(bundle.version), bundle.version)), None)
        if found is None:
            raise ModelNotFound(
                name, version, sorted(self.library.current), [numbered(bundle.version) for bundle in versions]
            )
        return found

    def versions(self, name: str) -> Sequence[Bundle]:
        """Return the versions of a model, the current one first; none where there is no such model."""
        library = self.library
        held = {bundle.version: bundle for bundle in library.bundles if bundle.name == name}
        return [held[version] for version in library.held(name)]

    def all(self) -> Iterator[Bundle]:
        """Yield every version of every model, by name."""
        for name in sorted(self.library.current):
            yield from self.versions(name)

    def metadata(self, bundle: Bundle) -> pb.ModelMetadataResponse:
        """Return what a model takes and gives."""
        return pb.ModelMetadataResponse(
            name=bundle.name,
            versions=[numbered(one.version) for one in self.versions(bundle.name)],
            platform=PLATFORM,
            inputs=[_metadata(tensor) for tensor in INPUTS.values()],
            outputs=[_metadata(tensor) for tensor in OUTPUTS.values()],
        )

    def index(self, *, ready: bool) -> pb.RepositoryIndexResponse:
        """Return every version of every model.

        Args:
            ready: whether to leave out those that were refused.
        """
        index = [_indexed(bundle.name, bundle.version, _READY, "") for bundle in self.all()]
        if not ready:
            refused = self._shelf.refusals.values()
            index += [_indexed(one.bundle, one.version, _UNAVAILABLE, one.reason) for one in refused]
        return pb.RepositoryIndexResponse(models=index)


def configuration(bundle: Bundle) -> pb.ModelConfig:
    """Return how a model is set up."""
    return pb.ModelConfig(
        name=bundle.name,
        platform=PLATFORM,
        backend=PLATFORM,
        max_batch_size=MAX_PHOTOS,
        input=[_configured(tensor) for tensor in INPUTS.values()],
        output=[
            pb.ModelOutput(name=tensor.name, data_type=_TYPES[tensor.datatype], dims=tensor.dims)
            for tensor in OUTPUTS.values()
        ],
        model_transaction_policy=pb.ModelTransactionPolicy(decoupled=False),
        parameters={
            "bundle_version": pb.ModelParameter(string_value=bundle.version),
            "styles": pb.ModelParameter(string_value=",".join(sorted(bundle.styles))),
            "transformer_digest": pb.ModelParameter(string_value=bundle.transformer),
        },
    )


def _configured(tensor: Tensor) -> pb.ModelInput:
    layout = pb.ModelInput.FORMAT_NHWC if tensor.is_picture else pb.ModelInput.FORMAT_NONE
    data_type = _TYPES[tensor.datatype]
    return pb.ModelInput(name=tensor.name, data_type=data_type, format=layout, dims=tensor.dims, optional=True)


def _metadata(tensor: Tensor) -> pb.ModelMetadataResponse.TensorMetadata:
    return pb.ModelMetadataResponse.TensorMetadata(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)


def _indexed(name: str, version: str, state: str, reason: str) -> pb.RepositoryIndexResponse.ModelIndex:
    return pb.RepositoryIndexResponse.ModelIndex(name=name, version=numbered(version), state=state, reason=reason)
