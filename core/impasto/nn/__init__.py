"""Everything that needs torch: the transformer, the perception, the losses, the checkpoint."""

from impasto.errors import MissingDependency

try:
    import torch  # noqa: F401
except ImportError as error:
    raise MissingDependency("torch", "train") from error
